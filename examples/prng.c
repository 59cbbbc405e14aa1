// SPDX-License-Identifier: MIT
/*
 * A random generator: check, draw, check again, and draw anew if the machine was
 * resumed as another one. Prints a key for each SIGUSR1.
 */
#include <inttypes.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

struct prng {
	struct sysgenid *sysgenid;
	const struct sysgenid_view *view;
	uint32_t seen; /* the generation that it was seeded in */
	struct generator generator;
};

static int prng_seed(struct prng *p)
{
	/* In this order: the kernel's generator is reseeded when it returns. */
	int ret = sysgenid_read(p->sysgenid, &p->seen);

	if (!ret)
		generator_seed(&p->generator);
	return ret;
}

static int prng_open(struct prng *p)
{
	int ret = sysgenid_open(&p->sysgenid, 0);

	if (ret)
		return ret;
	p->view = sysgenid_get_view(p->sysgenid);
	return prng_seed(p);
}

/* The key is good only if this returns 0. */
static int prng_draw(struct prng *p, uint64_t key[2])
{
	int ret;

	for (;;) {
		if (sysgenid_changed(p->view, p->seen)) {
			ret = prng_seed(p);
			if (ret)
				return ret;
		}
		key[0] = generator_next(&p->generator);
		key[1] = generator_next(&p->generator);
		/* The snapshot may have been made after the draw. */
		if (!sysgenid_changed(p->view, p->seen))
			return 0;
	}
}

int main(void)
{
	struct prng prng;
	uint64_t key[2];
	int ret = prng_open(&prng);

	requests_start();
	while (!ret && request_next()) {
		ret = prng_draw(&prng, key);
		if (!ret)
			printf("key %016" PRIx64 "%016" PRIx64 "\n", key[0],
			       key[1]);
	}
	return failed(ret);
}
