/* SPDX-License-Identifier: MIT */
/*
 * What a stranger's program would be, in C and in C++: it includes one header,
 * and is built with what pkg-config says. There need not be a device.
 */
#include <stdio.h>
#include <string.h>

#include <sysgenid.h>

int main(void)
{
	struct sysgenid *g = NULL;
	uint32_t word = 7, generation = 0;
	uint64_t id[2] = { 1, 2 };
	struct sysgenid_view v;
	int r = sysgenid_open(&g, 0);

	if (r)
		printf("open: %s\n", strerror(-r));
	else
		r = sysgenid_read(g, &generation);
	sysgenid_close(g);

	v.generation = &word;
	v.hardware_id = id;
	v.recorded_id = id;
	if (sysgenid_changed(&v, 7) || !sysgenid_changed(&v, 8))
		return 1;
	if (sysgenid_open(&g, ~SYSGENID_OPEN_SOFT) != -22 ||
	    sysgenid_read(NULL, &word) != -22)
		return 1;
	puts("works");
	return 0;
}
