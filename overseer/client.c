// SPDX-License-Identifier: MIT
/*
 * Behind "sysgenidctl status", "metrics", "quiesce" and "resume", and "trigger" where there
 * is no device: requests to sysgenid-overseer. Its name is the request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol.h"

#ifndef OVERSEER_SOCKET
#define OVERSEER_SOCKET PROTOCOL_SOCKET
#endif

#ifndef SYSTEMD_RUNS
#define SYSTEMD_RUNS "/run/systemd/system"
#endif

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = OVERSEER_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* As sd_booted(3). */
static bool with_systemd(void)
{
	return !access(SYSTEMD_RUNS, F_OK);
}

static int complain_dial(int error)
{
	if (error == -EACCES) {
		fputs("sysgenidctl: not permitted; try it as root\n", stderr);
		return PROTOCOL_NOT_PERMITTED;
	}
	if (error != -ENOENT && error != -ECONNREFUSED) {
		fprintf(stderr, "sysgenidctl: " OVERSEER_SOCKET ": %s\n",
			strerror(-error));
		return PROTOCOL_FAILED;
	}
	fprintf(stderr, "sysgenidctl: the overseer does not run; %s\n",
		with_systemd() ?
			"\"systemctl status sysgenid-overseer\" says why" :
			"start sysgenid-overseer, and read what it wrote to its standard error");
	return PROTOCOL_FAILED;
}

/* The answer, to be put; NULL if there is none. */
static struct json_object *ask(int fd, struct json_object *request)
{
	struct json_object *answer = NULL;
	char *line = NULL;
	size_t size = 0;
	FILE *f = fdopen(fd, "r+");

	if (!f) {
		close(fd);
		return NULL;
	}
	fprintf(f, "%s\n",
		json_object_to_json_string_ext(request,
					       JSON_C_TO_STRING_PLAIN));
	if (!fflush(f) && getline(&line, &size, f) > 0)
		answer = json_tokener_parse(line);
	free(line);
	fclose(f);
	return answer;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ?
		       json_object_get_string(value) :
		       NULL;
}

/* An overseer that is older than the member has the first version. */
static bool is_our_version(struct json_object *answer)
{
	struct json_object *version;

	if (!json_object_object_get_ex(answer, "version", &version) ||
	    json_object_get_int64(version) == PROTOCOL_VERSION)
		return true;
	fprintf(stderr,
		"sysgenidctl: the overseer speaks version %s of the protocol, and this program version %d: restart the overseer after an upgrade\n",
		json_object_get_string(version), PROTOCOL_VERSION);
	return false;
}

static int print_answer(struct json_object *answer, bool json)
{
	struct json_object *ok;
	bool done = json_object_object_get_ex(answer, "ok", &ok) &&
		    json_object_get_boolean(ok);
	const char *message = text_of(answer, "message");
	const char *about = text_of(answer, "about");
	const char *kept = text_of(answer, "not-reset");
	const char *wrong = text_of(answer, "configuration");

	/* Numbers are for programs: they have no other form. */
	if (json || (done && text_of(answer, "restores")))
		puts(json_object_to_json_string_ext(answer,
						    JSON_C_TO_STRING_PLAIN));
	else if (done && !text_of(answer, "state"))
		puts(text_of(answer, "generation") ?
			     text_of(answer, "generation") :
			     "done");
	else if (done)
		printf("%s at generation %s%s%s%s%s\n",
		       text_of(answer, "state"), text_of(answer, "generation"),
		       about ? ": " : "", about ? about : "",
		       kept ? "; not reset: " : "", kept ? kept : "");
	else
		fprintf(stderr, "sysgenidctl: %s\n",
			message ? message : "the overseer gave no reason");
	if (!json && wrong)
		printf("the configuration was not taken: %s\n", wrong);
	return !fflush(stdout) && done ? PROTOCOL_DONE : PROTOCOL_FAILED;
}

/* What sysgenidctl has read already, and a program's arguments would show. */
static struct json_object *entropy(void)
{
	unsigned char bytes[PROTOCOL_ENTROPY_MAX];
	char hex[2 * sizeof(bytes) + 1] = "";
	size_t len = fread(bytes, 1, sizeof(bytes), stdin);

	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(hex);
}

static int request(const char *name, const char *flag, bool set, bool json)
{
	struct json_object *o, *answer;
	int fd = dial(), r;

	if (fd < 0)
		return complain_dial(fd);
	o = json_object_new_object();
	json_object_object_add(o, "request", json_object_new_string(name));
	json_object_object_add(o, "scope",
			       json_object_new_string(PROTOCOL_SCOPE));
	if (set)
		json_object_object_add(o, flag, json_object_new_boolean(true));
	if (!strcmp(name, "trigger"))
		json_object_object_add(o, "entropy", entropy());
	answer = ask(fd, o);
	json_object_put(o);
	if (answer && !is_our_version(answer)) {
		json_object_put(answer);
		return PROTOCOL_FAILED;
	}
	if (!answer) {
		fprintf(stderr,
			"sysgenidctl: the overseer ended before it answered; see %s\n",
			with_systemd() ? "\"journalctl -u sysgenid-overseer\"" :
					 "what it wrote to its standard error");
		return PROTOCOL_FAILED;
	}
	r = print_answer(answer, json);
	json_object_put(answer);
	return r;
}

static int run(int argc, char **argv, const char *name, const char *flag)
{
	const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ flag, no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, set = false;
	int c;

	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'f')
			set = true;
		else
			return PROTOCOL_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "sysgenidctl: %s: unexpected argument \"%s\"\n",
			name, argv[optind]);
		return PROTOCOL_USAGE;
	}
	return request(name, flag, set, json);
}

int main(int argc, char **argv)
{
	for (const struct protocol_request *r = protocol_requests; r->name;
	     r++) {
		if (argc && !strcmp(argv[0], r->name))
			return run(argc, argv, r->name,
				   r->type == PROTOCOL_BOOLEAN ? r->member :
								 NULL);
	}
	fputs("use sysgenidctl status, quiesce or resume\n", stderr);
	return PROTOCOL_USAGE;
}
