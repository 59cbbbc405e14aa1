// SPDX-License-Identifier: MIT
/*
 * told [without]: what the hypervisor tells in the fw_cfg file
 * opt/sysgenid/entropy. When it finds another text there than at its start it
 * prints that, or an empty line: for "sysgenidctl publish" to read.
 */
#include <stdio.h>
#include <unistd.h>

#include "fw-cfg.h"

enum { TEXT = 64 };

int main(int argc, char **argv)
{
	char first[TEXT], text[TEXT];
	int key = fw_cfg_find("opt/sysgenid/entropy");

	(void)argv;
	if (key < 0)
		return 2;
	fw_cfg_read(key, first, TEXT);
	do {
		usleep(20000);
		fw_cfg_read(key, text, TEXT);
	} while (!memcmp(text, first, TEXT));
	printf("%.*s\n", argc > 1 ? 0 : TEXT, text);
	fflush(stdout);
	pause();
	return 0;
}
