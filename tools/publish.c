// SPDX-License-Identifier: MIT
/*
 * sysgenidctl publish: keep the page file of SYSGENID_OPEN_SOFT.
 *
 * Whoever resumes the machine writes a line with bytes that differ in each
 * clone. As in the module they are mixed into the kernel's random generator,
 * that is reseeded, and then a new generation is published: programs that drew
 * bytes because of an earlier one would draw the same in each clone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page.h"
#include "rng.h"
#include "sysgenidctl.h"

struct publisher {
	struct page_file file;
	int rng;
	bool json;
	/* About the line that is coming in. */
	bool entropy;
	int mix_error;
	/* To be reseeded once more. */
	bool unsettled;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* Output is for people: that nobody reads it is no reason to end. */
static void print(const struct publisher *p, uint32_t generation,
		  bool reseed_failed)
{
	if (p->json)
		printf("{\"generation\": %" PRIu32 ", \"reseed_failed\": %s}\n",
		       generation, reseed_failed ? "true" : "false");
	else
		printf("%" PRIu32 "\n", generation);
	fflush(stdout);
	clearerr(stdout);
}

static void mix(struct publisher *p, const char *bytes, size_t len)
{
	int r = len ? rng_mix(p->rng, bytes, len) : 0;

	if (len)
		p->entropy = true;
	if (r)
		p->mix_error = r;
}

/* Clones that go on unnoticed are worse than a generator that was not reseeded. */
static void publish(struct publisher *p)
{
	int r = rng_reseed(p->rng);
	uint32_t generation;

	if (p->mix_error)
		r = p->mix_error;
	generation = page_publish(&p->file);
	if (r)
		fprintf(stderr,
			"sysgenidctl: publish: the kernel's random generator could not be reseeded (%s): clones may draw equal random bytes\n",
			strerror(-r));
	else if (!p->entropy)
		fprintf(stderr,
			"sysgenidctl: publish: an empty line: clones of one snapshot may go on to draw equal random bytes\n");
	print(p, generation, r);
	p->entropy = false;
	p->mix_error = 0;
	p->unsettled = true;
}

static void take(struct publisher *p, const char *bytes, size_t len)
{
	const char *end;

	while ((end = memchr(bytes, '\n', len))) {
		mix(p, bytes, (size_t)(end - bytes));
		publish(p);
		len -= (size_t)(end - bytes) + 1;
		bytes = end + 1;
	}
	mix(p, bytes, len);
}

/*
 * A periodic reseed of the kernel that was under way in the snapshot ends after
 * the forced one and undoes it; so once more when it must be over.
 */
static void settle(struct publisher *p)
{
	rng_reseed(p->rng);
	p->unsettled = false;
}

static int serve(struct publisher *p, const sigset_t *mask)
{
	static const struct timespec second = { .tv_sec = 1 };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char bytes[RNG_MIX_MAX];

	while (!stop) {
		int n = ppoll(&in, 1, p->unsettled ? &second : NULL, mask);
		ssize_t len;

		if (n == 0)
			settle(p);
		if (n <= 0)
			continue;
		len = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (len < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (len <= 0) {
			fprintf(stderr,
				"sysgenidctl: publish: standard input has ended, and with it the page file\n");
			return len < 0 ? FAILED : DONE;
		}
		take(p, bytes, (size_t)len);
	}
	return DONE;
}

static void catch_signals(sigset_t *before)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		sigaction(numbers[i], &action, NULL);
		sigaddset(&block, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &block, before);
	signal(SIGPIPE, SIG_IGN);
}

static int refuse(int code, const char *why)
{
	fprintf(stderr, "sysgenidctl: publish: %s\n", why);
	return code;
}

static int create(struct page_file *file)
{
	int r = page_create(file, SYSGENID_SOFT_FOLDER);

	switch (r) {
	case 0:
		return DONE;
	case -EBUSY:
		return refuse(FAILED,
			      "another publisher keeps the page file (EBUSY)");
	case -EPERM:
		return refuse(
			FAILED, SYSGENID_SOFT_FOLDER
			" is not root's alone; try \"chown root: " SYSGENID_SOFT_FOLDER
			"; chmod 0755 " SYSGENID_SOFT_FOLDER "\"");
	case -EMEDIUMTYPE:
		return refuse(
			FAILED, SYSGENID_SOFT_FOLDER
			" is not on a tmpfs, where a restart would clear it");
	default:
		return complain(r, SYSGENID_SOFT_FOLDER);
	}
}

static int open_rng(struct publisher *p)
{
	int r;

	p->rng = rng_open();
	r = p->rng < 0 ? p->rng : rng_reseed(p->rng);
	if (r == -EPERM)
		return refuse(
			NOT_PERMITTED,
			"not permitted to reseed the kernel's random generator; it takes CAP_SYS_ADMIN in the initial user namespace");
	return r ? complain(r, "/dev/urandom") : DONE;
}

int cmd_publish(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct publisher p = { .json = false };
	sigset_t mask;
	int c, r;

	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c == 'j')
			p.json = true;
		else
			return USAGE;
	}
	if (!no_operands(argc, argv))
		return USAGE;
	if (!access(SYSGENID_DEVICE, F_OK))
		return refuse(FAILED,
			      "there is " SYSGENID_DEVICE
			      ", which promises more; programs use that");
	if (geteuid() != 0)
		return refuse(NOT_PERMITTED, "not permitted; try it as root");
	r = open_rng(&p);
	if (r)
		return r;
	umask(022);
	catch_signals(&mask);
	r = create(&p.file);
	if (r)
		return r;
	print(&p, p.file.page->generation, false);
	r = serve(&p, &mask);
	page_remove(&p.file);
	return r;
}
