// SPDX-License-Identifier: MIT
/*
 * sysgenidctl publish: keep the page file of SYSGENID_OPEN_SOFT. Whoever resumes
 * the machine writes a line with bytes that differ in each clone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "publisher.h"
#include "rng.h"
#include "sysgenidctl.h"

struct task {
	struct publisher publisher;
	bool json;
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
static void print(const struct task *p, uint32_t generation, bool reseed_failed)
{
	if (p->json)
		printf("{\"generation\": %" PRIu32 ", \"reseed_failed\": %s}\n",
		       generation, reseed_failed ? "true" : "false");
	else
		printf("%" PRIu32 "\n", generation);
	fflush(stdout);
	clearerr(stdout);
}

static void publish(struct task *p)
{
	const char *warning;
	bool failed;
	uint32_t generation =
		publisher_publish(&p->publisher, &warning, &failed);

	if (warning)
		fprintf(stderr, "sysgenidctl: publish: %s\n", warning);
	print(p, generation, failed);
	p->unsettled = true;
}

static void take(struct task *p, const char *bytes, size_t len)
{
	const char *end;

	while ((end = memchr(bytes, '\n', len))) {
		publisher_mix(&p->publisher, bytes, (size_t)(end - bytes));
		publish(p);
		len -= (size_t)(end - bytes) + 1;
		bytes = end + 1;
	}
	publisher_mix(&p->publisher, bytes, len);
}

static int serve(struct task *p, const sigset_t *mask)
{
	static const struct timespec second = { .tv_sec = 1 };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char bytes[RNG_MIX_MAX];

	while (!stop) {
		int n = ppoll(&in, 1, p->unsettled ? &second : NULL, mask);
		ssize_t len;

		if (n == 0) {
			if (publisher_settle(&p->publisher))
				fprintf(stderr,
					"sysgenidctl: publish: the kernel's random generator could not be reseeded a second time: clones may draw equal random bytes\n");
			p->unsettled = false;
		}
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

int cmd_publish(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct task p = { .json = false };
	const char *why;
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
	catch_signals(&mask);
	r = publisher_open(&p.publisher, &why);
	if (r && !why)
		return complain(r, SYSGENID_SOFT_FOLDER);
	if (r)
		return refuse(r == -EACCES ? NOT_PERMITTED : FAILED, why);
	print(&p, p.publisher.file.page->generation, p.publisher.external);
	r = serve(&p, &mask);
	publisher_close(&p.publisher);
	return r;
}
