// SPDX-License-Identifier: MIT
/*
 * Hands out ids with a device and without. With a device the ids come from a
 * generator in memory, and are checked. Without one each id is the kernel's, and
 * nothing is kept in memory. A kernel with a vmgenid driver reseeds in a clone.
 * A lack of descriptors or memory passes, so the program fails and is restarted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

static struct sysgenid *sysgenid; /* NULL: nobody tells of a resume */
static struct generator generator;
static uint32_t seen;

/* 0, also without a device; or why the program must not start. */
static int start(void)
{
	int ret = sysgenid_open(&sysgenid, SYSGENID_OPEN_SOFT);

	switch (ret) {
	case 0:
		ret = sysgenid_read(sysgenid, &seen);
		if (!ret)
			generator_seed(&generator);
		return ret;
	case -ENOENT: /* most machines */
	case -ENODEV:
	case -EACCES: /* hidden by a sandbox or a container */
	case -EPERM:
		fprintf(stderr, "sysgenid: %s; each id is the kernel's\n",
			strerror(-ret));
		return 0;
	default:
		return ret;
	}
}

static int next_id(uint64_t *id)
{
	struct generator once;
	int ret;

	if (!sysgenid) {
		generator_seed(&once);
		*id = generator_next(&once);
		return 0;
	}
	for (;;) {
		*id = generator_next(&generator);
		if (!sysgenid_changed(sysgenid_get_view(sysgenid), seen))
			return 0;
		ret = sysgenid_read(sysgenid, &seen);
		if (ret)
			return ret;
		generator_seed(&generator);
	}
}

int main(void)
{
	uint64_t id;
	int ret = start();

	if (ret)
		return failed(ret);
	requests_start();
	while (!ret && request_next()) {
		ret = next_id(&id);
		if (!ret)
			printf("id %016" PRIx64 "\n", id);
	}
	return failed(ret);
}
