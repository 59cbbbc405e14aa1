/* SPDX-License-Identifier: MIT */
/* A file of QEMU's fw_cfg device, read from the ports: docs/specs/fw_cfg of QEMU. */
#ifndef FW_CFG_H
#define FW_CFG_H

#include <stdint.h>
#include <string.h>
#include <sys/io.h>

enum { FW_CFG_SELECTOR = 0x510, FW_CFG_DATA = 0x511, FW_CFG_DIRECTORY = 0x19 };

static inline uint32_t fw_cfg_big_endian(int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | inb(FW_CFG_DATA);
	return value;
}

/* The key of a file, or -1. */
static inline int fw_cfg_find(const char *wanted)
{
	uint32_t count, i;
	char name[56];

	if (ioperm(FW_CFG_SELECTOR, 2, 1))
		return -1;
	outw(FW_CFG_DIRECTORY, FW_CFG_SELECTOR);
	count = fw_cfg_big_endian(4);
	while (count--) {
		uint32_t size = fw_cfg_big_endian(4),
			 key = fw_cfg_big_endian(2);

		(void)size;
		fw_cfg_big_endian(2);
		for (i = 0; i < sizeof(name); i++)
			name[i] = (char)inb(FW_CFG_DATA);
		if (!strncmp(name, wanted, sizeof(name)))
			return (int)key;
	}
	return -1;
}

static inline void fw_cfg_read(int key, char *text, int len)
{
	int i;

	outw((unsigned short)key, FW_CFG_SELECTOR);
	for (i = 0; i < len; i++)
		text[i] = (char)inb(FW_CFG_DATA);
}

#endif /* FW_CFG_H */
