// SPDX-License-Identifier: MIT
/* mapped-only [hw]: holds a mapping, and no descriptor. Says "ready". */
#include "hw.h"

int main(int argc, char **argv)
{
	(void)argv;
	hw_map(argc > 1 ? SYSGENID_HW_DEVICE : SYSGENID_DEVICE, 0);
	puts("ready");
	fflush(stdout);
	pause();
}
