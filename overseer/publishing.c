// SPDX-License-Identifier: MIT
/*
 * In place of the module: the page file, at the word of an agent or of vmclock.
 * What a publisher does is that of "sysgenidctl publish" (tools/publisher.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
#define HWRNG  "/dev/hwrng"

struct publishing {
	struct publisher publisher;
	struct vmclock vmclock;
	sd_event *event;
	/* @settle: the generator once more; @look: where vmclock does not wake. */
	sd_event_source *settle, *look, *wake;
	published_fn *published;
	void *user;
};

static int on_settled(sd_event_source *source, uint64_t now, void *user)
{
	struct publishing *p = user;

	(void)now;
	publisher_settle(&p->publisher);
	p->settle = sd_event_source_disable_unref(source);
	return 0;
}

static uint32_t publish(struct publishing *p)
{
	const char *doubt;
	bool failed;
	uint32_t generation = publisher_publish(&p->publisher, &doubt, &failed);

	if (doubt)
		log_warning("generation %" PRIu32 ": %s", generation, doubt);
	if (!p->settle)
		sd_event_add_time_relative(p->event, &p->settle,
					   CLOCK_MONOTONIC, SECOND, 0,
					   on_settled, p);
	p->published(p->user);
	return generation;
}

uint32_t publishing_trigger(struct publishing *p, const void *bytes, size_t len)
{
	publisher_mix(&p->publisher, bytes, len);
	return publish(p);
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
		log_warning(
			"no " HWRNG
			" to draw on: clones of one snapshot may go on to draw equal random bytes");
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

static int on_time(sd_event_source *source, uint64_t now, void *user)
{
	(void)now;
	look(user);
	sd_event_source_set_time_relative(source, SECOND);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int look_each_second(struct publishing *p)
{
	log_notice(VMCLOCK_DEVICE " is looked at each second");
	return sd_event_add_time_relative(p->event, &p->look, CLOCK_MONOTONIC,
					  SECOND, 0, on_time, p);
}

static int on_vmclock(sd_event_source *source, int fd, uint32_t events,
		      void *user)
{
	struct publishing *p = user;
	unsigned char page[VMCLOCK_SIZE];

	/* Until it is read the descriptor stays ready. */
	if (events & EPOLLIN && read(fd, page, sizeof(page)) < 0)
		events |= EPOLLHUP;
	/* Who was woken and saw nothing is not woken for that again. */
	if (look(p) < 0)
		events |= EPOLLHUP;
	if (!(events & EPOLLHUP))
		return 0;
	p->wake = sd_event_source_disable_unref(source);
	return look_each_second(p);
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
	r = sd_event_add_io(p->event, &p->wake, p->vmclock.fd, EPOLLIN,
			    on_vmclock, p);
	return r == -EPERM ? look_each_second(p) : r;
}

struct publishing *publishing_new(sd_event *event, enum publisher_kind kind,
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
	p->event = event;
	p->published = published;
	p->user = user;
	r = publisher_open(&p->publisher, &why);
	if (r) {
		log_error("%s; see sysgenid-overseer.conf(5)",
			  why ? why : strerror(-r));
		free(p);
		return NULL;
	}
	if (kind == PUBLISHER_VMCLOCK && start_vmclock(p) < 0) {
		publisher_close(&p->publisher);
		free(p);
		return NULL;
	}
	log_notice(
		"publisher = %s: without the module nothing is exact, everybody is as late as %s is, and no program is waited for",
		kind == PUBLISHER_VMCLOCK ? "vmclock" : "trigger",
		kind == PUBLISHER_VMCLOCK ? "the overseer" : "the agent");
	return p;
}

void publishing_end(struct publishing *p)
{
	if (!p)
		return;
	sd_event_source_disable_unref(p->settle);
	sd_event_source_disable_unref(p->look);
	sd_event_source_disable_unref(p->wake);
	publisher_close(&p->publisher);
	free(p);
}
