// SPDX-License-Identifier: MIT
/*
 * Behind "sysgenidctl status", "quiesce" and "resume", and "trigger" where there
 * is no device: requests to sysgenid-overseer. Its name is the request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Exit codes, those of sysgenidctl(8). */
enum {
	DONE = 0,
	FAILED = 1,
	USAGE = 2,
	NOT_PERMITTED = 4,
};

#ifndef OVERSEER_SOCKET
#define OVERSEER_SOCKET "/run/sysgenid/overseer.sock"
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

static int complain_dial(int error)
{
	if (error == -EACCES) {
		fputs("sysgenidctl: not permitted; try it as root\n", stderr);
		return NOT_PERMITTED;
	}
	if (error != -ENOENT && error != -ECONNREFUSED) {
		fprintf(stderr, "sysgenidctl: " OVERSEER_SOCKET ": %s\n",
			strerror(-error));
		return FAILED;
	}
	fputs("sysgenidctl: the overseer does not run; \"systemctl status sysgenid-overseer\" says why\n",
	      stderr);
	return FAILED;
}

/* The answer, to be put; NULL if there is none. */
static struct json_object *ask(int fd, struct json_object *request)
{
	char line[4096];
	struct json_object *answer = NULL;
	FILE *f = fdopen(fd, "r+");

	if (!f) {
		close(fd);
		return NULL;
	}
	fprintf(f, "%s\n",
		json_object_to_json_string_ext(request,
					       JSON_C_TO_STRING_PLAIN));
	if (!fflush(f) && fgets(line, sizeof(line), f))
		answer = json_tokener_parse(line);
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

static int print_answer(struct json_object *answer, bool json)
{
	struct json_object *ok;
	bool done = json_object_object_get_ex(answer, "ok", &ok) &&
		    json_object_get_boolean(ok);
	const char *about = text_of(answer, "about");

	if (json)
		puts(json_object_to_json_string_ext(answer,
						    JSON_C_TO_STRING_PLAIN));
	else if (done && !text_of(answer, "state"))
		puts(text_of(answer, "generation"));
	else if (done)
		printf("%s at generation %s%s%s\n", text_of(answer, "state"),
		       text_of(answer, "generation"), about ? ": " : "",
		       about ? about : "");
	else
		fprintf(stderr, "sysgenidctl: %s\n",
			text_of(answer, "message"));
	return !fflush(stdout) && done ? DONE : FAILED;
}

/* What sysgenidctl has read already, and a program's arguments would show. */
static struct json_object *entropy(void)
{
	unsigned char bytes[512];
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
	json_object_object_add(o, "scope", json_object_new_string("system"));
	if (set)
		json_object_object_add(o, flag, json_object_new_boolean(true));
	if (!strcmp(name, "trigger"))
		json_object_object_add(o, "entropy", entropy());
	answer = ask(fd, o);
	json_object_put(o);
	if (!answer) {
		fputs("sysgenidctl: the overseer ended before it answered; see \"journalctl -u sysgenid-overseer\"\n",
		      stderr);
		return FAILED;
	}
	r = print_answer(answer, json);
	json_object_put(answer);
	return r;
}

/* The one option that each has, besides --json. */
static const struct {
	const char *request, *flag;
} requests[] = {
	{ "status", NULL },
	{ "quiesce", "until-resume" },
	{ "resume", "force" },
	{ "trigger", NULL },
};

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
			return USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "sysgenidctl: %s: nobody knows \"%s\"\n", name,
			argv[optind]);
		return USAGE;
	}
	return request(name, flag, set, json);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (argc && !strcmp(argv[0], requests[i].request))
			return run(argc, argv, requests[i].request,
				   requests[i].flag);
	}
	fputs("use sysgenidctl status, quiesce or resume\n", stderr);
	return USAGE;
}
