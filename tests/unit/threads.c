// SPDX-License-Identifier: MIT
/*
 * A publisher, and threads that share one handle of its page file. Who waits,
 * asks and checks at the same time gets generations that only grow.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "../../tools/page.h"

#define GENERATIONS 500000
#define CHECKERS    3

static struct sysgenid *g;
static struct page_file file;
static unsigned int failures;
static uint64_t start;

static void fail(const char *what, long n)
{
	fprintf(stderr, "%s: %ld\n", what, n);
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void *publish(void *unused)
{
	for (int i = 0; i < GENERATIONS; i++)
		page_publish(&file);
	return unused;
}

static void *check(void *unused)
{
	uint32_t seen = 0, now;

	while (seen != GENERATIONS) {
		struct sysgenid_info i;
		int r = sysgenid_read(g, &now);

		if (r || now < seen) {
			fail("read", r);
			break;
		}
		seen = now;
		r = sysgenid_get_info(g, &i, sizeof(i));
		if (r || i.generation < seen)
			fail("info", r);
		/* Half of one time and half of another is far off. */
		if (i.time && i.time - start > UINT64_C(600000000000))
			fail("time", (long)i.time);
		if (seen != GENERATIONS &&
		    !sysgenid_changed(sysgenid_get_view(g), seen - 1))
			fail("check", seen);
	}
	return unused;
}

static void *wait_for_all(void *unused)
{
	uint32_t seen = 0, now;

	while (seen != GENERATIONS) {
		int r = sysgenid_wait(g, seen, 20000, &now);

		if (r || now <= seen) {
			fail("wait", r);
			break;
		}
		seen = now;
	}
	return unused;
}

int main(void)
{
	char folder[] = "/dev/shm/sysgenid-XXXXXX", path[64];
	pthread_t threads[CHECKERS + 2];
	struct timespec ts;
	uint32_t generation;
	int r;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	start = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (!mkdtemp(folder))
		return 77;
	r = page_create(&file, folder);
	if (r == -EPERM || r == -EMEDIUMTYPE) {
		printf("takes root, and a tmpfs at /dev/shm\n");
		rmdir(folder);
		return 77;
	}
	if (r)
		fail("page_create", r);
	r = sysgenid_open_paths(&g, "/nonexistent", "/nonexistent", folder,
				SYSGENID_OPEN_SOFT);
	if (r)
		return 1;
	pthread_create(&threads[0], NULL, wait_for_all, NULL);
	for (int i = 1; i <= CHECKERS; i++)
		pthread_create(&threads[i], NULL, check, NULL);
	pthread_create(&threads[CHECKERS + 1], NULL, publish, NULL);
	for (int i = 0; i < CHECKERS + 2; i++)
		pthread_join(threads[i], NULL);

	page_remove(&file);
	if (!sysgenid_changed(sysgenid_get_view(g), GENERATIONS))
		fail("the end, checked", GENERATIONS);
	r = sysgenid_read(g, &generation);
	if (r != -EOWNERDEAD)
		fail("the end, read", r);
	sysgenid_close(g);
	snprintf(path, sizeof(path), "%s/lock", folder);
	unlink(path);
	rmdir(folder);
	return failures != 0;
}
