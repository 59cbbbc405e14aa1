// SPDX-License-Identifier: MIT
/*
 * Secrets that are kept: the 4 bytes of the generation are stored beside each.
 * Prints a signed cookie and a signed ticket for each SIGUSR1.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/random.h>

#include <sysgenid.h>

#include "generator.h"
#include "requests.h"

struct secret {
	uint64_t key;
	uint32_t seen; /* the generation that the key is of */
};

static struct sysgenid *sysgenid;
static const struct sysgenid_view *view;
/* One token for both would not do: the first to be renewed would hide the news. */
static struct secret cookies, tickets;

static int renew(struct secret *s)
{
	uint32_t seen;
	int ret = sysgenid_read(sysgenid, &seen);

	if (ret)
		return ret;
	if (getrandom(&s->key, sizeof(s->key), 0) != sizeof(s->key))
		return -EAGAIN;
	/* Last: after a failure the next caller tries again. */
	s->seen = seen;
	return 0;
}

/* Stands for a real message authentication code. */
static uint64_t mac(uint64_t key, uint64_t message)
{
	struct generator g = { key + message };

	return generator_next(&g);
}

static int sign(struct secret *s, uint64_t message, uint64_t *signature)
{
	int ret;

	for (;;) {
		if (sysgenid_changed(view, s->seen)) {
			ret = renew(s);
			if (ret)
				return ret;
		}
		*signature = mac(s->key, message);
		/* Nothing that this key has signed may leave a clone. */
		if (!sysgenid_changed(view, s->seen))
			return 0;
	}
}

int main(void)
{
	uint64_t message = 0, cookie, ticket;
	int ret = sysgenid_open(&sysgenid, 0);

	view = sysgenid_get_view(sysgenid);
	if (!ret)
		ret = renew(&cookies);
	if (!ret)
		ret = renew(&tickets);
	requests_start();
	while (!ret && request_next()) {
		ret = sign(&cookies, ++message, &cookie);
		if (!ret)
			ret = sign(&tickets, message, &ticket);
		if (!ret)
			printf("cookie %016" PRIx64 " ticket %016" PRIx64 "\n",
			       cookie, ticket);
	}
	return failed(ret);
}
