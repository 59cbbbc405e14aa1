// SPDX-License-Identifier: MIT
/*
 * Threads that share a handle, and each have a generator and the generation that
 * it was seeded in: nothing of it needs a lock. Prints an id of each thread for
 * each SIGUSR1.
 */
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

#define WORKERS 4

struct worker {
	pthread_t thread;
	sem_t request;
	uint32_t seen;
	struct generator generator;
};

static struct sysgenid *sysgenid;
static const struct sysgenid_view *view;
static struct worker workers[WORKERS];

static int adjust(struct worker *w)
{
	int ret = sysgenid_read(sysgenid, &w->seen);

	if (!ret)
		generator_seed(&w->generator);
	return ret;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int ret = adjust(w);
	uint64_t id;

	while (!ret) {
		while (sem_wait(&w->request))
			;
		do {
			if (sysgenid_changed(view, w->seen))
				ret = adjust(w);
			id = generator_next(&w->generator);
		} while (!ret && sysgenid_changed(view, w->seen));
		if (!ret)
			printf("id %016" PRIx64 "\n", id);
	}
	exit(failed(ret));
}

int main(void)
{
	int i, ret = sysgenid_open(&sysgenid, 0);

	if (ret)
		return failed(ret);
	view = sysgenid_get_view(sysgenid);
	requests_start();
	for (i = 0; i < WORKERS; i++)
		if (sem_init(&workers[i].request, 0, 0) ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	while (request_next())
		for (i = 0; i < WORKERS; i++)
			sem_post(&workers[i].request);
	return 1;
}
