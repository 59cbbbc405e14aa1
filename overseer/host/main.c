// SPDX-License-Identifier: MIT
/* sysgenid-host: asks the overseer of a guest, from the host. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../base64.h"
#include "dial.h"
#include "json-text.h"

#ifndef SYSGENID_VERSION
#define SYSGENID_VERSION "(unknown version)"
#endif

#define NONCE_BYTES   32
#define ENTROPY_BYTES 64
/* Milliseconds until what may work a moment later is tried again. */
#define PAUSE 20

enum status {
	READY = 0,
	FAILED = 1,
	USAGE = 2,
	HELD = 3,
	IN_ANOTHER_STATE = 4,
};

static const char help[] =
	"sysgenid-host: asks the overseer of a guest\n"
	"\n"
	"  sysgenid-host restore SOCKET [--port PORT] [--entropy] [--time]\n"
	"                [--hostname NAME] [--machine-id ID]\n"
	"                [--interface NAME[,mac=MAC][,address=ADDRESS/PREFIX]...\n"
	"                             [,route=TO[@VIA]]...]...\n"
	"                [--environment NAME=VALUE]... [--nonce BASE64]\n"
	"  sysgenid-host quiesce SOCKET [--port PORT] [--until-resume]\n"
	"  sysgenid-host resume SOCKET [--port PORT] [--force]\n"
	"  sysgenid-host status SOCKET [--port PORT]\n"
	"\n"
	"SOCKET: vsock:CID:PORT; or the unix socket of Firecracker or Cloud Hypervisor,\n"
	"with --port; or that of a virtio-serial port of QEMU.\n"
	"  --timeout SECONDS   how long it is tried, 30 if not given\n"
	"  --json              the answer as it came\n"
	"Exit status: 0 ready (quiesced, for quiesce), 3 held, 4 another state,\n"
	"1 no answer or refused, 2 wrong usage. More: man sysgenid-host\n";

/* @interfaces, @environment: of the request, without their brackets. */
struct options {
	struct place place;
	const char *request, *hostname, *machine_id;
	char nonce[BASE64_SIZE(64)];
	bool entropy, time, until_resume, force, json;
	struct text interfaces, environment;
	long timeout;
};

static struct options options = { .timeout = 30 };
/* Its entropy is wiped after each line that was sent. */
static struct text request;
static char answer[65536];

static int complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
	va_list args;

	fputs("sysgenid-host: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return USAGE;
}

/* ---- the request ---- */

static void add_member(const char *name, const char *value)
{
	text_format(&request, ", \"%s\": ", name);
	text_add_string(&request, value, strlen(value));
}

static void add_entropy(const unsigned char bytes[ENTROPY_BYTES])
{
	char base64[BASE64_SIZE(ENTROPY_BYTES)];

	base64_encode(bytes, ENTROPY_BYTES, base64);
	add_member("entropy", base64);
	explicit_bzero(base64, sizeof(base64));
}

static void add_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	text_format(&request, ", \"realtime_ns\": %lld",
		    (long long)now.tv_sec * 1000000000 + now.tv_nsec);
}

/* @entropy: the same each time that one nonce is sent. */
static void compose_restore(const struct options *o,
			    const unsigned char *entropy)
{
	text_format(&request, ", \"nonce\": \"%s\"", o->nonce);
	if (o->entropy)
		add_entropy(entropy);
	if (o->time)
		add_time();
	if (o->hostname)
		add_member("hostname", o->hostname);
	if (o->machine_id)
		add_member("machine_id", o->machine_id);
	if (o->interfaces.len) {
		text_add(&request, ", \"interfaces\": [");
		text_add(&request, o->interfaces.bytes);
		text_add(&request, "]");
	}
	if (o->environment.len) {
		text_add(&request, ", \"environment\": {");
		text_add(&request, o->environment.bytes);
		text_add(&request, "}");
	}
}

/* A line break first: the guest may have half a line from before the snapshot. */
static void compose(const struct options *o, const unsigned char *entropy)
{
	explicit_bzero(request.bytes, request.len);
	request.len = 0;
	text_format(
		&request,
		"\n{\"version\": 1, \"request\": \"%s\", \"scope\": \"system\"",
		o->request);
	if (!strcmp(o->request, "restore"))
		compose_restore(o, entropy);
	if (o->until_resume)
		text_add(&request, ", \"until-resume\": true");
	if (o->force)
		text_add(&request, ", \"force\": true");
	text_add(&request, "}\n");
}

/* ---- the answer ---- */

static int send_all(int fd, const char *bytes, size_t len, long long end)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!wait_for(fd, POLLOUT, end))
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One that is longer than any answer is passed over. @kept: bytes in @answer behind it. */
static int read_line(int fd, size_t *kept, long long end)
{
	char *at;

	while (!(at = memchr(answer, '\n', *kept))) {
		ssize_t n;

		if (*kept == sizeof(answer) - 1)
			*kept = 0;
		if (!wait_for(fd, POLLIN, end))
			return -ETIMEDOUT;
		n = read(fd, answer + *kept, sizeof(answer) - 1 - *kept);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!n)
			return -ECONNRESET;
		if (n > 0)
			*kept += (size_t)n;
	}
	*at = 0;
	return 0;
}

static void drop_line(size_t *kept)
{
	const size_t len = strlen(answer) + 1;

	*kept -= len;
	memmove(answer, answer + len, *kept);
}

enum verdict {
	OURS,
	NOT_OURS,
	/* The guest asks for the same once more. */
	AGAIN,
};

/* What a serial port still has from before the snapshot is not ours. */
static enum verdict judge(const struct options *o)
{
	char message[256] = "";

	if (!json_find(answer, "ok", message, sizeof(message)))
		return NOT_OURS;
	json_find(answer, "message", message, sizeof(message));
	if (!strncmp(message, "not a JSON object", 17))
		return NOT_OURS;
	if (!strcmp(o->request, "restore") &&
	    !json_is(answer, "nonce", o->nonce) &&
	    strncmp(message, "there is no \"request\"", 21))
		return json_is(answer, "retry", "true") ? AGAIN : NOT_OURS;
	if (json_is(answer, "error", "busy") ||
	    json_is(answer, "error", "timeout"))
		return AGAIN;
	return OURS;
}

/* 0, or -errno: the connection is of no use any more. */
static int ask(const struct options *o, const unsigned char *entropy,
	       long long end)
{
	const int fd = dial(&o->place, end);
	enum verdict verdict = AGAIN;
	size_t kept = 0;
	int r = fd < 0 ? fd : 0;

	while (!r && verdict != OURS) {
		if (verdict == AGAIN) {
			compose(o, entropy);
			r = send_all(fd, request.bytes, request.len, end);
			explicit_bzero(request.bytes, request.len);
		}
		if (!r)
			r = read_line(fd, &kept, end);
		if (r)
			break;
		verdict = judge(o);
		if (verdict == AGAIN)
			usleep(PAUSE * 1000);
		if (verdict != OURS)
			drop_line(&kept);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/* A guest that does not listen yet, and one that was restored meanwhile, are asked again. */
static int ask_until(const struct options *o, const unsigned char *entropy)
{
	const long long end = now_ms() + o->timeout * 1000;
	int r;

	do {
		r = ask(o, entropy, end);
		if (!r || r == -EACCES || r == -EPERM || r == -EPROTO ||
		    r == -EAFNOSUPPORT || now_ms() + PAUSE >= end)
			return r;
		usleep(PAUSE * 1000);
	} while (true);
}

static int status_of(const struct options *o)
{
	const bool quiesce = !strcmp(o->request, "quiesce");

	if (json_is(answer, "state", "held"))
		return HELD;
	if (!json_is(answer, "ok", "true"))
		return FAILED;
	if (json_is(answer, "state", quiesce ? "quiesced" : "ready"))
		return READY;
	return IN_ANOTHER_STATE;
}

static int print_answer(const struct options *o)
{
	char state[32] = "?", generation[32] = "?", message[1024] = "";
	const int status = status_of(o);

	json_find(answer, "state", state, sizeof(state));
	json_find(answer, "generation", generation, sizeof(generation));
	if (!json_find(answer, "message", message, sizeof(message)))
		json_find(answer, "about", message, sizeof(message));
	if (o->json)
		puts(answer);
	else if (status == FAILED)
		complain("%s", message[0] ? message : answer);
	else
		printf("%s at generation %s%s%s\n", state, generation,
		       message[0] ? ": " : "", message);
	return fflush(stdout) ? FAILED : status;
}

/* ---- what was asked for ---- */

/* Of one route: TO, or TO@VIA. */
static void add_route(struct text *t, const char *route)
{
	const char *via = strchr(route, '@');

	text_add(t, "{\"to\": ");
	text_add_string(t, route, via ? (size_t)(via - route) : strlen(route));
	if (via) {
		text_add(t, ", \"via\": ");
		text_add_string(t, via + 1, strlen(via + 1));
	}
	text_add(t, "}");
}

/* @words: the list, without its commas. */
static void add_list(struct text *t, const char *name, char *words[],
		     size_t count, const char *key, bool routes)
{
	const size_t len = strlen(key);
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(words[i], key, len))
			continue;
		text_format(t, any ? ", " : ", \"%s\": [", name);
		any = true;
		if (routes)
			add_route(t, words[i] + len);
		else
			text_add_string(t, words[i] + len,
					strlen(words[i] + len));
	}
	if (any)
		text_add(t, "]");
}

static bool is_known(const char *word)
{
	return !strncmp(word, "mac=", 4) || !strncmp(word, "address=", 8) ||
	       !strncmp(word, "route=", 6);
}

static int add_interface(struct options *o, char *spec)
{
	char *words[32], *name = strsep(&spec, ",");
	struct text *t = &o->interfaces;
	size_t count = 0;

	while (spec && count < sizeof(words) / sizeof(words[0])) {
		words[count] = strsep(&spec, ",");
		if (!is_known(words[count]))
			return complain(
				"--interface: \"%s\" is not mac=, address= or route=",
				words[count]);
		count++;
	}
	if (spec)
		return complain("--interface: more than 32 words");
	text_add(t, t->len ? ", {\"name\": " : "{\"name\": ");
	text_add_string(t, name, strlen(name));
	for (size_t i = 0; i < count; i++) {
		if (strncmp(words[i], "mac=", 4))
			continue;
		text_add(t, ", \"mac\": ");
		text_add_string(t, words[i] + 4, strlen(words[i] + 4));
	}
	add_list(t, "addresses", words, count, "address=", false);
	add_list(t, "routes", words, count, "route=", true);
	text_add(t, "}");
	return 0;
}

static int add_variable(struct options *o, const char *variable)
{
	const char *value = strchr(variable, '=');
	struct text *t = &o->environment;

	if (!value)
		return complain("--environment: \"%s\" is not NAME=VALUE",
				variable);
	if (t->len)
		text_add(t, ", ");
	text_add_string(t, variable, (size_t)(value - variable));
	text_add(t, ": ");
	text_add_string(t, value + 1, strlen(value + 1));
	return 0;
}

static int read_number(const char *text, unsigned long max,
		       unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno &&
			       *number <= max && *number ?
		       0 :
		       complain("\"%s\" is not a number from 1 to %lu", text,
				max);
}

static int set_nonce(struct options *o, const char *text)
{
	unsigned char bytes[64];

	if (base64_decode(text, strlen(text), bytes, sizeof(bytes)) < 16)
		return complain("--nonce: 16 to 64 bytes in base64");
	snprintf(o->nonce, sizeof(o->nonce), "%s", text);
	return 0;
}

enum {
	PORT = 256,
	ENTROPY,
	TIME,
	HOSTNAME,
	MACHINE_ID,
	INTERFACE,
	ENVIRONMENT,
	NONCE,
	UNTIL_RESUME,
	FORCE,
	TIMEOUT,
	VERSION,
};

static const struct option known[] = {
	{ "port", required_argument, NULL, PORT },
	{ "entropy", no_argument, NULL, ENTROPY },
	{ "time", no_argument, NULL, TIME },
	{ "hostname", required_argument, NULL, HOSTNAME },
	{ "machine-id", required_argument, NULL, MACHINE_ID },
	{ "interface", required_argument, NULL, INTERFACE },
	{ "environment", required_argument, NULL, ENVIRONMENT },
	{ "nonce", required_argument, NULL, NONCE },
	{ "until-resume", no_argument, NULL, UNTIL_RESUME },
	{ "force", no_argument, NULL, FORCE },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, VERSION },
	{ NULL, 0, NULL, 0 },
};

/* 0 or USAGE. */
static int take(struct options *o, int option, char *value)
{
	unsigned long number = 0;
	int r = 0;

	switch (option) {
	case PORT:
		r = read_number(value, 4294967294ul, &number);
		o->place.port = (unsigned int)number;
		return r;
	case ENTROPY:
		o->entropy = true;
		return 0;
	case TIME:
		o->time = true;
		return 0;
	case HOSTNAME:
		o->hostname = value;
		return 0;
	case MACHINE_ID:
		o->machine_id = value;
		return 0;
	case INTERFACE:
		return add_interface(o, value);
	case ENVIRONMENT:
		return add_variable(o, value);
	case NONCE:
		return set_nonce(o, value);
	case UNTIL_RESUME:
		o->until_resume = true;
		return 0;
	case FORCE:
		o->force = true;
		return 0;
	case TIMEOUT:
		r = read_number(value, 86400, &number);
		o->timeout = (long)number;
		return r;
	default:
		o->json = true;
		return 0;
	}
}

/* What belongs to another request is a mistake. */
static int check_options(const struct options *o)
{
	const bool restore = !strcmp(o->request, "restore");

	if (!restore && strcmp(o->request, "quiesce") &&
	    strcmp(o->request, "resume") && strcmp(o->request, "status"))
		return complain("there is no request \"%s\"; see --help",
				o->request);
	if (!restore &&
	    (o->entropy || o->time || o->hostname || o->machine_id ||
	     o->interfaces.len || o->environment.len || o->nonce[0]))
		return complain("%s takes nothing of restore", o->request);
	if (o->until_resume && strcmp(o->request, "quiesce"))
		return complain("--until-resume is of quiesce");
	if (o->force && strcmp(o->request, "resume"))
		return complain("--force is of resume");
	if (place_check(&o->place))
		return complain(
			"\"%s\" is neither vsock:CID:PORT nor the path of a socket; --port is for a path",
			o->place.where);
	return 0;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "jh", known, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == VERSION) {
			puts("sysgenid-host " SYSGENID_VERSION);
			return 0;
		}
		if (c == '?' || take(o, c, optarg))
			return USAGE;
	}
	if (argc - optind != 2)
		return complain(
			"a request and a socket are needed; see --help");
	o->request = argv[optind];
	o->place.where = argv[optind + 1];
	return check_options(o) ? USAGE : -1;
}

static bool draw(unsigned char *bytes, size_t len)
{
	return getrandom(bytes, len, 0) == (ssize_t)len;
}

int main(int argc, char **argv)
{
	unsigned char nonce[NONCE_BYTES], entropy[ENTROPY_BYTES];
	int r = parse(argc, argv, &options);

	if (r >= 0)
		return r;
	if (!draw(nonce, sizeof(nonce)) || !draw(entropy, sizeof(entropy))) {
		complain("getrandom: %s", strerror(errno));
		return FAILED;
	}
	if (!options.nonce[0])
		base64_encode(nonce, sizeof(nonce), options.nonce);
	compose(&options, entropy);
	if (request.full || options.interfaces.full || options.environment.full)
		return complain("a request has at most 64 KiB");
	r = ask_until(&options, entropy);
	explicit_bzero(entropy, sizeof(entropy));
	explicit_bzero(&request, sizeof(request));
	if (!r)
		return print_answer(&options);
	complain("%s: %s", options.place.where, strerror(-r));
	return FAILED;
}
