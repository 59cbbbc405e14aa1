// SPDX-License-Identifier: MIT
/*
 * agent [without]: a guest agent where the hypervisor has no vmgenid. The text of
 * the fw_cfg file opt/sysgenid/entropy differs in each clone. When the agent finds
 * another text there than at its start it triggers a generation, with that text
 * as entropy (or without any). The agent says "ready", then "triggered".
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "fw-cfg.h"

enum { TEXT = 64 };

int main(int argc, char **argv)
{
	char first[TEXT], text[TEXT];
	struct sysgenid *g;
	uint32_t seen;
	int key;

	(void)argv;
	key = fw_cfg_find("opt/sysgenid/entropy");
	if (key < 0 || sysgenid_open(&g, 0) || sysgenid_read(g, &seen))
		return 2;
	fw_cfg_read(key, first, TEXT);
	puts("ready");
	fflush(stdout);
	do {
		usleep(20000);
		fw_cfg_read(key, text, TEXT);
	} while (!memcmp(text, first, TEXT));
	if (sysgenid_trigger(g, seen, text, argc > 1 ? 0 : TEXT, &seen))
		return 2;
	puts("triggered");
	return 0;
}
