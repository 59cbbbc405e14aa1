// SPDX-License-Identifier: MIT
/*
 * In place of the module: the page file, at the word of an agent or of vmclock.
 * What a publisher does is that of "sysgenidctl publish" (tools/publisher.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <sysgenid.h>

#include "../tools/publisher.h"
#include "log.h"
#include "publishing.h"
#include "vmclock.h"

#define SECOND 1000000ull
#ifndef HWRNG
#define HWRNG "/dev/hwrng"
#endif

struct publishing {
	enum publisher_kind kind;
	struct publisher publisher;
	struct vmclock vmclock;
	struct loop *loop;
	/* @settle: the generator once more; @look: where vmclock does not wake. */
	struct loop_source *settle, *look, *wake;
	published_fn *published;
	void *user;
	/* Why clones may draw equal bytes; NULL: they do not. */
	const char *error;
	/* There were no bytes of the host for the generation to come. */
	bool without_host;
	/* @settle is armed. */
	bool settles;
};

static void on_settled(void *user)
{
	struct publishing *p = user;
	int r = publisher_settle(&p->publisher);

	p->settles = false;
	if (r) {
		p->error =
			"the kernel's random generator could not be reseeded a second time: clones may draw equal random bytes";
		log_error("%s: %s", p->error, strerror(-r));
		p->published(p->user);
	}
}

static uint32_t publish(struct publishing *p)
{
	bool failed;
	uint32_t generation =
		publisher_publish(&p->publisher, &p->error, &failed);

	if (!p->error && p->without_host)
		p->error =
			"no " HWRNG
			" to draw on: clones of one snapshot may go on to draw equal random bytes";
	p->without_host = false;
	if (p->error)
		log_error("generation %" PRIu32 ": %s", generation, p->error);
	if (!p->settles)
		loop_arm(p->settle, SECOND);
	p->settles = true;
	p->published(p->user);
	return generation;
}

uint32_t publishing_trigger(struct publishing *p, const void *bytes, size_t len)
{
	publisher_mix(&p->publisher, bytes, len);
	return publish(p);
}

const char *publishing_error(const struct publishing *p)
{
	return p->error;
}

/* Siblings may find the same counter, and the same time, in their pages: virtio-rng tells them apart. */
static void mix_host(struct publishing *p)
{
	unsigned char bytes[64];
	int fd = open(HWRNG, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (n > 0)
		publisher_mix(&p->publisher, bytes, (size_t)n);
	else
		p->without_host = true;
	if (fd >= 0)
		close(fd);
}

static int look(struct publishing *p)
{
	unsigned char page[VMCLOCK_SIZE];
	int r = vmclock_look(&p->vmclock, page);

	if (r < 0)
		log_error(VMCLOCK_DEVICE ": %s", strerror(-r));
	if (r <= 0)
		return r;
	publisher_mix(&p->publisher, page, sizeof(page));
	mix_host(p);
	publish(p);
	return 0;
}

void publishing_look(struct publishing *p)
{
	if (p->kind == PUBLISHER_VMCLOCK)
		look(p);
}

static void on_time(void *user)
{
	struct publishing *p = user;

	look(p);
	loop_arm(p->look, SECOND);
}

static void look_each_second(struct publishing *p)
{
	log_notice(VMCLOCK_DEVICE " is looked at each second");
	loop_arm(p->look, SECOND);
}

static void on_vmclock(void *user, uint32_t events)
{
	struct publishing *p = user;
	unsigned char page[VMCLOCK_SIZE];

	/* Until it is read the descriptor stays ready. */
	if (events & EPOLLIN && read(p->vmclock.fd, page, sizeof(page)) < 0)
		events |= EPOLLHUP;
	/* Who was woken and saw nothing is not woken for that again. */
	if (look(p) < 0)
		events |= EPOLLHUP;
	if (!(events & EPOLLHUP))
		return;
	p->wake = loop_remove(p->wake);
	look_each_second(p);
}

static int start_vmclock(struct publishing *p)
{
	int r = vmclock_open(&p->vmclock, VMCLOCK_DEVICE);

	if (r == -EOPNOTSUPP)
		log_error(
			VMCLOCK_DEVICE
			": this hypervisor keeps no generation counter in it; use publisher = trigger");
	else if (r == -EMEDIUMTYPE)
		log_error(VMCLOCK_DEVICE ": it is no vmclock");
	else if (r)
		log_error(VMCLOCK_DEVICE ": %s; see sysgenid-overseer.conf(5)",
			  strerror(-r));
	if (r)
		return r;
	p->wake = loop_add_io(p->loop, p->vmclock.fd, EPOLLIN, on_vmclock, p);
	if (!p->wake && errno != EPERM)
		return -errno;
	if (!p->wake)
		look_each_second(p);
	return 0;
}

struct publishing *publishing_new(struct loop *loop, enum publisher_kind kind,
				  published_fn *published, void *user)
{
	struct publishing *p;
	const char *why;
	int r;

	if (!access(SYSGENID_DEVICE, F_OK)) {
		log_error(
			"there is " SYSGENID_DEVICE
			", which promises more: remove publisher = from the configuration");
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->loop = loop;
	p->kind = kind;
	p->settle = loop_add_timer(loop, on_settled, p);
	p->look = loop_add_timer(loop, on_time, p);
	p->published = published;
	p->user = user;
	if (!p->settle || !p->look) {
		publishing_leave(p);
		return NULL;
	}
	r = publisher_open(&p->publisher, &why);
	if (r) {
		log_error("%s; see sysgenid-overseer.conf(5)",
			  why ? why : strerror(-r));
		publishing_leave(p);
		return NULL;
	}
	if (kind == PUBLISHER_VMCLOCK && start_vmclock(p) < 0) {
		publishing_end(p);
		return NULL;
	}
	log_notice(
		"publisher = %s: without the module nothing is exact, programs learn of a clone only after %s, and no program is waited for",
		kind == PUBLISHER_VMCLOCK ? "vmclock" : "trigger",
		kind == PUBLISHER_VMCLOCK ? "the overseer" : "the agent");
	return p;
}

static void free_sources(struct publishing *p)
{
	loop_remove(p->settle);
	loop_remove(p->look);
	loop_remove(p->wake);
}

/* The page is locked until the process ends. */
void publishing_leave(struct publishing *p)
{
	if (!p)
		return;
	free_sources(p);
	free(p);
}

void publishing_end(struct publishing *p)
{
	if (!p)
		return;
	free_sources(p);
	publisher_close(&p->publisher);
	free(p);
}
