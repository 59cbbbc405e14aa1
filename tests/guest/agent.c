// SPDX-License-Identifier: MIT
/*
 * agent [without]: a guest agent where the hypervisor has no vmgenid. What it
 * is told in the fw_cfg file opt/sysgenid/entropy differs in each clone; when it
 * finds another text there than at its start it triggers a generation, with
 * that text as entropy (or without any). Says "ready", then "triggered".
 */
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include <sysgenid.h>

/* QEMU's fw_cfg device: docs/specs/fw_cfg of QEMU. */
enum { SELECTOR = 0x510, DATA = 0x511, DIRECTORY = 0x19, TEXT = 64 };

static uint32_t big_endian(int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | inb(DATA);
	return value;
}

static int find(const char *wanted)
{
	uint32_t count, i;
	char name[56];

	outw(DIRECTORY, SELECTOR);
	count = big_endian(4);
	while (count--) {
		uint32_t size = big_endian(4), key = big_endian(2);

		(void)size;
		big_endian(2);
		for (i = 0; i < sizeof(name); i++)
			name[i] = (char)inb(DATA);
		if (!strncmp(name, wanted, sizeof(name)))
			return (int)key;
	}
	return -1;
}

static void read_text(int key, char text[TEXT])
{
	int i;

	outw((unsigned short)key, SELECTOR);
	for (i = 0; i < TEXT; i++)
		text[i] = (char)inb(DATA);
}

int main(int argc, char **argv)
{
	char first[TEXT], text[TEXT];
	struct sysgenid *g;
	uint32_t seen;
	int key;

	(void)argv;
	if (ioperm(SELECTOR, 2, 1) || sysgenid_open(&g, 0) || sysgenid_read(g, &seen))
		return 2;
	key = find("opt/sysgenid/entropy");
	if (key < 0)
		return 2;
	read_text(key, first);
	puts("ready");
	fflush(stdout);
	do {
		usleep(20000);
		read_text(key, text);
	} while (!memcmp(text, first, TEXT));
	if (sysgenid_trigger(g, seen, text, argc > 1 ? 0 : TEXT, &seen))
		return 2;
	puts("triggered");
	return 0;
}
