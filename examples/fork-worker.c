// SPDX-License-Identifier: MIT
/*
 * A worker that was forked after the handle was opened. The worker can go on to
 * check with what it has inherited. To learn the new generation the worker opens
 * a handle of its own. Prints an id for each SIGUSR1 that the parent gets.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

static struct sysgenid *sysgenid;
static uint32_t seen; /* the generation that the generator was seeded in */
static struct generator generator;

static int adjust(void)
{
	int ret = sysgenid_read(sysgenid, &seen);

	if (ret == -ECHILD) {
		/* What is open is the parent's. */
		sysgenid_close(sysgenid);
		ret = sysgenid_open(&sysgenid, 0);
		if (!ret)
			ret = sysgenid_read(sysgenid, &seen);
		puts("reopened");
	}
	if (!ret)
		generator_seed(&generator);
	return ret;
}

static int worker(int requests)
{
	uint64_t id;
	char request;
	int ret = 0;

	/* fork(2) has copied this, too. @seen is still right, or the check says no. */
	generator_seed(&generator);
	while (!ret && read(requests, &request, 1) == 1) {
		do {
			if (sysgenid_changed(sysgenid_get_view(sysgenid), seen))
				ret = adjust();
			id = generator_next(&generator);
		} while (!ret &&
			 sysgenid_changed(sysgenid_get_view(sysgenid), seen));
		if (!ret)
			printf("id %016" PRIx64 "\n", id);
	}
	return ret ? failed(ret) : 0;
}

int main(void)
{
	int requests[2], ret = sysgenid_open(&sysgenid, 0);

	if (!ret)
		ret = adjust();
	if (ret)
		return failed(ret);
	requests_start();
	if (pipe(requests))
		return 1;
	switch (fork()) {
	case -1:
		return 1;
	case 0:
		close(requests[1]);
		return worker(requests[0]);
	}
	close(requests[0]);
	while (request_next() && write(requests[1], "", 1) == 1)
		;
	return 1;
}
