// SPDX-License-Identifier: MIT
/*
 * Ids without a random draw for each: a random prefix per generation, and a
 * number that is counted up. Prints an id for each SIGUSR1.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/random.h>

#include <sysgenid.h>

#include "requests.h"

struct id {
	uint64_t prefix;
	uint64_t number;
};

struct allocator {
	struct sysgenid *sysgenid;
	const struct sysgenid_view *view;
	uint32_t seen; /* the generation that the prefix is of */
	struct id next;
};

static int allocator_renew(struct allocator *a)
{
	uint64_t prefix;
	uint32_t seen;
	int ret = sysgenid_read(a->sysgenid, &seen);

	if (ret)
		return ret;
	if (getrandom(&prefix, sizeof(prefix), 0) != sizeof(prefix))
		return -EAGAIN;
	a->next = (struct id){ .prefix = prefix };
	/* Last: after a failure the next caller tries again. */
	a->seen = seen;
	return 0;
}

static int allocate(struct allocator *a, struct id *id)
{
	int ret;

	for (;;) {
		if (sysgenid_changed(a->view, a->seen)) {
			ret = allocator_renew(a);
			if (ret)
				return ret;
		}
		*id = a->next;
		a->next.number++;
		/* The other clone may have taken this one, too. */
		if (!sysgenid_changed(a->view, a->seen))
			return 0;
	}
}

int main(void)
{
	struct allocator a;
	struct id id;
	int ret = sysgenid_open(&a.sysgenid, 0);

	if (!ret) {
		a.view = sysgenid_get_view(a.sysgenid);
		ret = allocator_renew(&a);
	}
	requests_start();
	while (!ret && request_next()) {
		ret = allocate(&a, &id);
		if (!ret)
			printf("id %016" PRIx64 "-%" PRIu64 "\n", id.prefix,
			       id.number);
	}
	return failed(ret);
}
