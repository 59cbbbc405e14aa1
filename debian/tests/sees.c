/* SPDX-License-Identifier: MIT */
/* Prints the generation, waits for the next one, and prints that. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sysgenid.h>

static int complain(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	return 1;
}

int main(void)
{
	struct sysgenid *g;
	uint32_t seen, next;
	int r = sysgenid_open(&g, 0);

	if (r)
		return complain("sysgenid_open", r);
	r = sysgenid_read(g, &seen);
	if (r)
		return complain("sysgenid_read", r);
	if (sysgenid_changed(sysgenid_get_view(g), seen))
		return complain("sysgenid_changed", 0);
	printf("%u\n", (unsigned int)seen);
	fflush(stdout);
	r = sysgenid_wait(g, seen, 120000, &next);
	if (r)
		return complain("sysgenid_wait", r);
	printf("%u\n", (unsigned int)next);
	sysgenid_close(g);
	return 0;
}
