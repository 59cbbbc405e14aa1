// SPDX-License-Identifier: MIT
/* The overseer's socket: requests, answers, and who is let in. The machine is played. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "acting.h"
#include "channel.h"
#include "control.h"
#include "log.h"
#include "protocol.h"

/* Those of control.c. */
#define CLIENTS_MAX 32
#define WAITING_MAX 16
#define FORCING_MAX 8

static struct {
	unsigned int waiting, forgotten, triggers, forced, looks, restores;
	struct request request;
	pid_t client;
	const char *error;
	answer_fn *answer;
	void *user;
} machine;

static char path[64];
static struct loop *event;
static struct control *control;
static struct acting *acting;
static int listener, pair[2];
static unsigned int lost;
static unsigned int complaints;

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
	complaints++;
}

struct json_object *machine_status(const struct machine *m)
{
	struct json_object *o = json_object_new_object();

	(void)m;
	json_object_object_add(o, "state", json_object_new_string("ready"));
	return o;
}

struct json_object *machine_metrics(struct machine *m)
{
	struct json_object *o = json_object_new_object();

	(void)m;
	json_object_object_add(o, "restores", json_object_new_int(7));
	return o;
}

static void wait_for_it(answer_fn *answer, void *user)
{
	machine.waiting++;
	machine.answer = answer;
	machine.user = user;
}

void machine_quiesce(struct machine *m, bool until_resume, pid_t client,
		     answer_fn *answer, void *user)
{
	(void)m;
	(void)until_resume;
	machine.client = client;
	wait_for_it(answer, user);
}

void machine_resume(struct machine *m, bool force, answer_fn *answer,
		    void *user)
{
	(void)m;
	machine.forced += force;
	wait_for_it(answer, user);
}

bool machine_trigger(struct machine *m, const void *bytes, size_t len,
		     uint32_t *generation, const char **error)
{
	(void)m;
	(void)bytes;
	(void)len;
	*error = machine.error;
	*generation = ++machine.triggers;
	return true;
}

void machine_restore(struct machine *m, const struct request *r,
		     answer_fn *answer, void *user)
{
	(void)m;
	machine.request = *r;
	machine.restores++;
	wait_for_it(answer, user);
}

void machine_look(struct machine *m)
{
	(void)m;
	machine.looks++;
}

void machine_forget(struct machine *m, const void *user)
{
	(void)m;
	(void)user;
	machine.forgotten++;
}

static void on_lost(void *user)
{
	(void)user;
	lost++;
}

static int listen_at(const char *where)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, where, sizeof(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	ck_assert_int_eq(listen(fd, CLIENTS_MAX), 0);
	return fd;
}

static void set_up(void)
{
	snprintf(path, sizeof(path), "/tmp/control-%d.sock", getpid());
	memset(&machine, 0, sizeof(machine));
	complaints = 0;
	event = loop_new();
	ck_assert_ptr_nonnull(event);
	listener = listen_at(path);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	lost = 0;
	acting = acting_new(event, NULL, pair[0], on_lost, NULL);
	control = control_new(event, listener, pair[1]);
	ck_assert_ptr_nonnull(control);
}

static void tear_down(void)
{
	control_free(control);
	acting_free(acting);
	close(pair[1]);
	close(listener);
	unlink(path);
	loop_free(event);
}

/* Until nothing is left to do at once; how often the loop went round. */
static unsigned int settle(void)
{
	unsigned int rounds = 0;

	while (rounds < 10000 && loop_run_once(event, 0) > 0)
		rounds++;
	return rounds;
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, sizeof(path));
	ck_assert_int_eq(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	settle();
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
	settle();
}

/* What came: "" for nothing yet, NULL for the end. */
static const char *heard(int fd)
{
	static char text[8192];
	ssize_t n;

	settle();
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return "";
	if (n <= 0)
		return NULL;
	text[n] = 0;
	return text;
}

static const char *ask(int fd, const char *line)
{
	say(fd, line, strlen(line));
	say(fd, "\n", 1);
	return heard(fd);
}

#define SYSTEM	", \"scope\": \"system\"}"
#define NONCE	"\"nonce\": \"AAECAwQFBgcICQoLDA0ODw==\""
#define RESTORE "{\"request\": \"restore\", " NONCE
#define STATUS	"{\"request\": \"status\"" SYSTEM
#define QUIESCE "{\"request\": \"quiesce\"" SYSTEM
#define FORCE	"{\"request\": \"resume\", \"force\": true" SYSTEM

static bool is_answered(int fd, const char *line)
{
	const char *text = ask(fd, line);

	return text && strstr(text, "\"ok\":true");
}

static const struct wrong {
	const char *line, *error, *names;
} wrong[] = {
	{ "{\"scope\": \"system\"}", "bad-request", "request" },
	{ "{\"request\": 1" SYSTEM, "bad-request", "request" },
	{ "{\"request\": null" SYSTEM, "bad-request", "request" },
	{ "{\"request\": \"open\"" SYSTEM, "bad-request",
	  "there is no \"request\" \"open\", but status, quiesce, resume, trigger, restore, metrics" },
	{ "{\"request\": \"a b\"" SYSTEM, "bad-request", "not a plain name" },
	{ "{\"request\": \"status\", \"version\": 2" SYSTEM, "bad-request",
	  "\"version\" is 1 here" },
	{ "{\"request\": \"status\", \"version\": \"1\"" SYSTEM, "bad-request",
	  "\"version\" is not a number" },
	{ "{\"request\": \"status\"}", "bad-scope", "scope" },
	{ "{\"request\": \"status\", \"scope\": \"pod\"}", "bad-scope",
	  "scope" },
	{ "{\"request\": \"status\", \"scope\": 7}", "bad-request", "scope" },
	{ "{\"request\": \"status\", \"force\": true" SYSTEM, "bad-request",
	  "force" },
	{ "{\"request\": \"quiesce\", \"force\": true" SYSTEM, "bad-request",
	  "force" },
	{ "{\"request\": \"quiesce\", \"until_resume\": true" SYSTEM,
	  "bad-request", "until_resume" },
	{ "{\"request\": \"quiesce\", \"until-resume\": 1" SYSTEM,
	  "bad-request", "until-resume" },
	{ "{\"request\": \"resume\", \"force\": \"yes\"" SYSTEM, "bad-request",
	  "force" },
	{ "{\"request\": \"resume\", \"force\": null" SYSTEM, "bad-request",
	  "force" },
	{ "{\"request\": \"trigger\"" SYSTEM, "bad-request", "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": \"\"" SYSTEM, "bad-request",
	  "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": 12" SYSTEM, "bad-request",
	  "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": null" SYSTEM, "bad-request",
	  "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": \"0\"" SYSTEM, "bad-request",
	  "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": \"FF\"" SYSTEM,
	  "bad-request", "entropy" },
	{ "{\"request\": \"trigger\", \"entropy\": \"00\", \"expected\": 3" SYSTEM,
	  "bad-request", "expected" },
	{ "{\"request\": \"status\", \"a \\\" name\": 1" SYSTEM, "bad-request",
	  "not a plain name" },
	{ RESTORE ", \"scope\": \"pod\"}", "bad-scope", "scope" },
	{ RESTORE ", \"entropy\": \"AAAA\"}", "bad-request", "entropy" },
	{ RESTORE ", \"force\": true}", "bad-request", "force" },
	{ RESTORE ", " NONCE "}", "bad-request", "twice" },
	{ STATUS " and more", "bad-request", "JSON" },
	{ "[1]", "bad-request", "JSON" },
	{ "open, please", "bad-request", "JSON" },
};

START_TEST(wrong_request_gets_an_error_that_names_the_member)
{
	const struct wrong *w = &wrong[_i];
	struct json_object *o, *member;
	const char *text;
	int fd = dial();

	text = ask(fd, w->line);
	ck_assert_ptr_nonnull(text);
	o = json_tokener_parse(text);
	ck_assert_msg(json_object_is_type(o, json_type_object), "%s", text);
	ck_assert(json_object_object_get_ex(o, "ok", &member));
	ck_assert_msg(!json_object_get_boolean(member), "%s", text);
	json_object_object_get_ex(o, "error", &member);
	ck_assert_str_eq(json_object_get_string(member), w->error);
	json_object_object_get_ex(o, "message", &member);
	ck_assert_msg(strstr(json_object_get_string(member), w->names), "%s",
		      text);
	json_object_put(o);
	ck_assert_uint_eq(machine.waiting + machine.triggers, 0);
	ck_assert(is_answered(fd, STATUS));
	close(fd);
}
END_TEST

START_TEST(text_after_a_zero_byte_is_refused)
{
	static const char line[] = STATUS "\0{\n";
	const char *text;
	int fd = dial();

	say(fd, line, sizeof(line) - 1);
	text = heard(fd);
	ck_assert_msg(text && strstr(text, "bad-request"), "%s", text);
	close(fd);
}
END_TEST

START_TEST(right_requests_are_taken)
{
	int fd = dial();

	ck_assert(is_answered(fd, STATUS));
	ck_assert(is_answered(
		fd, "{\"request\": \"trigger\", \"entropy\": \"00ff\"" SYSTEM));
	ck_assert_uint_eq(machine.triggers, 1);
	ck_assert_str_eq(
		ask(fd,
		    "{\"request\": \"quiesce\", \"until-resume\": true" SYSTEM),
		"");
	ck_assert_uint_eq(machine.waiting, 1);
	ck_assert_int_eq(machine.client, getpid());
	/* The next request waits for the first answer. */
	ck_assert_str_eq(ask(fd, STATUS), "");
	machine.answer(machine.user, ANSWER_DONE, NULL);
	ck_assert_ptr_nonnull(strstr(heard(fd), "\"ok\":true"));
	close(fd);
}
END_TEST

/* @text: an answer, taken apart. */
static void assert_versioned(const char *text)
{
	struct json_object *o = json_tokener_parse(text), *member;
	bool force = false;

	ck_assert_msg(json_object_is_type(o, json_type_object), "%s", text);
	ck_assert(json_object_object_get_ex(o, "version", &member));
	ck_assert_int_eq(json_object_get_int(member), PROTOCOL_VERSION);
	ck_assert(json_object_object_get_ex(o, "features", &member));
	for (size_t i = 0; i < json_object_array_length(member); i++)
		force |= !strcmp(json_object_get_string(
					 json_object_array_get_idx(member, i)),
				 "resume.force");
	ck_assert_msg(force, "%s", text);
	json_object_put(o);
}

START_TEST(every_answer_has_version_and_features)
{
	int fd = dial();

	assert_versioned(ask(fd, STATUS));
	assert_versioned(
		ask(fd, "{\"request\": \"status\", \"version\": 1" SYSTEM));
	assert_versioned(ask(fd, "nonsense"));
	assert_versioned(ask(
		fd, "{\"request\": \"trigger\", \"entropy\": \"00\"" SYSTEM));
	ck_assert_str_eq(ask(fd, QUIESCE), "");
	machine.answer(machine.user, ANSWER_NOT_READY, "not now");
	assert_versioned(heard(fd));
	close(fd);
}
END_TEST

/* A client from before there were versions reads 4095 bytes, and these members. */
START_TEST(answers_are_such_that_an_older_client_reads_them)
{
	const char *text;
	int fd = dial();

	text = ask(fd, "{\"request\":\"status\",\"scope\":\"system\"}");
	ck_assert_msg(text && strlen(text) < 3000 &&
			      strstr(text, "\"ok\":true") &&
			      strstr(text, "\"state\":\"ready\""),
		      "%s", text);
	text = ask(fd, "{\"request\":\"resume\",\"scope\":\"pod\"}");
	ck_assert_msg(text && strstr(text, "\"ok\":false") &&
			      strstr(text, "\"message\":"),
		      "%s", text);
	close(fd);
}
END_TEST

START_TEST(metrics_are_answered_at_once)
{
	const char *text;
	int fd = dial();

	text = ask(fd, "{\"request\": \"metrics\"" SYSTEM);
	ck_assert_msg(text && strstr(text, "\"restores\":7") &&
			      strstr(text, "\"ok\":true"),
		      "%s", text);
	ck_assert_uint_eq(machine.looks, 0);
	close(fd);
}
END_TEST

/* Before its event came, the state is that of the snapshot. */
START_TEST(status_reads_the_generation)
{
	int fd = dial();

	ck_assert(is_answered(fd, STATUS));
	ck_assert_uint_eq(machine.looks, 1);
	close(fd);
}
END_TEST

START_TEST(trigger_without_a_reseed_is_an_error)
{
	const char *text;
	int fd = dial();

	machine.error = "no reseed";
	text = ask(fd,
		   "{\"request\": \"trigger\", \"entropy\": \"00ff\"" SYSTEM);
	ck_assert_msg(strstr(text, "\"failed\"") && strstr(text, "no reseed") &&
			      strstr(text, "generation 1"),
		      "%s", text);
	close(fd);
}
END_TEST

START_TEST(status_and_force_pass_sixteen_waiting_clients)
{
	int waiting[WAITING_MAX], late, fd;

	for (int i = 0; i < WAITING_MAX; i++) {
		waiting[i] = dial();
		ck_assert_str_eq(ask(waiting[i], QUIESCE), "");
	}
	late = dial();
	ck_assert_ptr_nonnull(strstr(ask(late, QUIESCE), "\"busy\""));
	fd = dial();
	ck_assert(is_answered(fd, STATUS));
	ck_assert_str_eq(ask(fd, FORCE), "");
	ck_assert_uint_eq(machine.forced, 1);
	machine.answer(machine.user, ANSWER_DONE, NULL);
	ck_assert_ptr_nonnull(strstr(heard(fd), "\"ok\":true"));
	for (int i = 0; i < WAITING_MAX; i++)
		close(waiting[i]);
	close(late);
	close(fd);
}
END_TEST

START_TEST(status_passes_any_number_of_forcing_and_idle_clients)
{
	int fds[WAITING_MAX + FORCING_MAX + CLIENTS_MAX], n = 0, fd;

	for (int i = 0; i < WAITING_MAX + FORCING_MAX; i++) {
		fds[n] = dial();
		ck_assert_str_eq(
			ask(fds[n++], i < WAITING_MAX ? QUIESCE : FORCE), "");
	}
	for (int i = 0; i < CLIENTS_MAX; i++) {
		fds[n] = dial();
		say(fds[n++], "{", 1);
	}
	fd = dial();
	ck_assert_ptr_nonnull(strstr(ask(fd, FORCE), "\"busy\""));
	ck_assert(is_answered(fd, STATUS));
	/* Those that wait are still there; the oldest half line is not. */
	for (int i = 0; i < WAITING_MAX + FORCING_MAX; i++)
		ck_assert_str_eq(heard(fds[i]), "");
	ck_assert_ptr_null(heard(fds[WAITING_MAX + FORCING_MAX]));
	while (n--)
		close(fds[n]);
	close(fd);
}
END_TEST

START_TEST(waiting_client_that_ends_frees_its_place)
{
	for (int i = 0; i < 3 * WAITING_MAX; i++) {
		int fd = dial();

		ck_assert_str_eq(ask(fd, QUIESCE), "");
		close(fd);
		settle();
		ck_assert_uint_eq(machine.forgotten, (unsigned int)i + 1);
	}
}
END_TEST

START_TEST(waiting_client_that_shut_one_direction_gets_its_answer)
{
	int fd = dial();

	ck_assert_str_eq(ask(fd, QUIESCE), "");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert_uint_lt(settle(), 10);
	ck_assert_uint_eq(machine.forgotten, 0);
	machine.answer(machine.user, ANSWER_DONE, NULL);
	ck_assert_ptr_nonnull(strstr(heard(fd), "\"ok\":true"));
	ck_assert_ptr_null(heard(fd));
	close(fd);
}
END_TEST

/* The test's REQUEST_LIMIT is a fraction of a second. @error: of the last answer, or NULL. */
static bool ends(int fd, const char *error)
{
	struct timespec now, end;
	char last[512] = "";

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 20;
	do {
		const char *text;

		loop_run_once(event, 100000);
		text = heard(fd);
		if (!text)
			return error ? strstr(last, error) != NULL : !*last;
		if (*text)
			snprintf(last, sizeof(last), "%s", text);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	return false;
}

START_TEST(incomplete_request_ends_at_the_limit)
{
	int half = dial(), silent = dial(), waiting = dial();

	say(half, "{\"request\"", 10);
	ck_assert_str_eq(ask(waiting, QUIESCE), "");
	ck_assert(ends(half, "\"error\":\"timeout\""));
	ck_assert(ends(silent, NULL));
	/* A client that waits for the machine has no limit. */
	ck_assert_uint_eq(machine.forgotten, 0);
	ck_assert_str_eq(heard(waiting), "");
	close(half);
	close(silent);
	close(waiting);
}
END_TEST

START_TEST(client_that_reads_no_answers_is_hung_up)
{
	int size = 1, fd = dial();
	bool is_hung_up = false;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (int i = 0; i < 100000 && !is_hung_up; i++) {
		is_hung_up = send(fd, STATUS "\n", sizeof(STATUS),
				  MSG_NOSIGNAL) < 0 &&
			     errno == EPIPE;
		settle();
	}
	ck_assert(is_hung_up);
	close(fd);
}
END_TEST

/* What a parser that somebody else controls may send: all but the last are malformed. */
static const struct channel_request sent[] = {
	{ .kind = CHANNEL_KINDS },
	{ .kind = 255 },
	{ .kind = CHANNEL_RESUME, .flag = 2 },
	{ .kind = CHANNEL_QUIESCE, .client = -1 },
	{ .kind = CHANNEL_TRIGGER, .len = 0 },
	{ .kind = CHANNEL_TRIGGER, .len = PROTOCOL_ENTROPY_MAX + 1 },
	{ .kind = CHANNEL_TRIGGER, .len = 65535 },
	{ .kind = CHANNEL_STATUS, .len = 1 },
	{ .kind = CHANNEL_RESTORE },
	{ .kind = CHANNEL_FORGET, .id = 77 },
};
#define SENT (sizeof(sent) / sizeof(sent[0]))

START_TEST(malformed_structure_replaces_who_sent_it)
{
	const bool is_good = _i == (int)SENT - 1;

	ck_assert_int_eq(send(pair[1], &sent[_i], sizeof(sent[_i]), 0),
			 sizeof(sent[_i]));
	settle();
	ck_assert_uint_eq(lost > 0, !is_good);
	ck_assert_uint_eq(
		machine.waiting + machine.triggers + machine.forgotten, 0);
}
END_TEST

START_TEST(structure_of_another_size_replaces_who_sent_it)
{
	const struct channel_request r = { .kind = CHANNEL_RESUME, .flag = 1 };

	ck_assert_int_gt(send(pair[1], &r, sizeof(r) - (_i ? 1 : 512), 0), 0);
	settle();
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(machine.forced, 0);
}
END_TEST

START_TEST(who_reads_requests_is_pinged_and_forgotten_with_its_clients)
{
	int fd = dial();

	ck_assert(acting_ping(acting));
	settle();
	ck_assert(acting_ping(acting));
	/* The loop has not run, so nobody answered. */
	ck_assert(!acting_ping(acting));
	settle();
	ck_assert_str_eq(ask(fd, QUIESCE), "");
	ck_assert_uint_eq(machine.waiting, 1);
	acting_free(acting);
	acting = NULL;
	ck_assert_uint_eq(machine.forgotten, 1);
	close(fd);
}
END_TEST

/* A descriptor of the host's, which the acting process hands over. */
static int pass(bool is_port)
{
	int ends[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert(acting_pass(acting, ends[0], is_port));
	settle();
	close(ends[0]);
	return ends[1];
}

START_TEST(restore_gets_the_answer_of_the_machine_alone)
{
	const char *text;
	int fd = pass(_i);

	ck_assert_str_eq(ask(fd, RESTORE
			     ", \"entropy\": \"//79/Pv6+fj39vX08/Lx8A==\"}"),
			 "");
	ck_assert_uint_eq(machine.restores, 1);
	ck_assert_uint_eq(machine.request.entropy_len, 16);
	ck_assert_uint_eq(machine.request.entropy[15], 0xf0);
	machine.answer(machine.user, ANSWER_DONE, "{\"state\":\"ready\"}");
	ck_assert_str_eq(heard(fd), "{\"state\":\"ready\"}\n");
	text = ask(fd, RESTORE ", \"entropy\": \"AAAA\"}");
	ck_assert_msg(strstr(text, "\"AAECAwQFBgcICQoLDA0ODw==\"") &&
			      strstr(text, "\"bad-request\""),
		      "%s", text);
	ck_assert(is_answered(fd, STATUS));
	close(fd);
}
END_TEST

START_TEST(host_cannot_push_out_who_is_in_the_machine)
{
	int hosts[40], fd = dial(), n = 0;

	say(fd, "{", 1);
	while (n < 40) {
		hosts[n] = pass(false);
		say(hosts[n++], "{", 1);
	}
	ck_assert_ptr_null(heard(hosts[0]));
	ck_assert_str_eq(heard(hosts[n - 1]), "");
	ck_assert_str_eq(heard(fd), "");
	for (int i = n - 8; i < n; i++)
		ask(hosts[i], "}");
	for (int i = n - 8; i < n; i++)
		ask(hosts[i], RESTORE "}");
	/* Some wait, and there is a place for more. */
	ck_assert_uint_eq(machine.restores, 6);
	ck_assert(is_answered(hosts[n - 1], STATUS));
	ck_assert_str_eq(heard(fd), "");
	while (n--)
		close(hosts[n]);
	close(fd);
}
END_TEST

/* The configuration lets in nobody any more. */
START_TEST(hosts_are_hung_up_when_they_may_not_stay)
{
	int local = dial(), port = pass(true), host = pass(false);

	ck_assert_str_eq(ask(host, RESTORE "}"), "");
	ck_assert_str_eq(ask(local, QUIESCE), "");
	ck_assert(acting_pass(acting, -1, true));
	settle();
	ck_assert_ptr_null(heard(port));
	ck_assert_ptr_null(heard(host));
	ck_assert_uint_eq(machine.forgotten, 1);
	ck_assert_str_eq(heard(local), "");
	close(local);
	close(port);
	close(host);
}
END_TEST

START_TEST(line_of_a_megabyte_is_refused)
{
	static char megabyte[1 << 20];
	const char *text;
	size_t sent = 0;
	int fd = pass(_i);
	bool refused = false, hung_up = false;

	memset(megabyte, 'a', sizeof(megabyte));
	while (sent < sizeof(megabyte) && !hung_up) {
		ssize_t n = send(fd, megabyte, sizeof(megabyte) - sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		text = heard(fd);
		refused |= text && strstr(text, "too-long");
		hung_up = !text;
	}
	ck_assert(refused);
	ck_assert_int_eq(hung_up, !_i);
	/* A port cannot be hung up: the next line is one. */
	if (_i) {
		say(fd, "\n", 1);
		ck_assert(is_answered(fd, STATUS));
	}
	close(fd);
}
END_TEST

START_TEST(port_takes_the_next_line_after_half_of_one)
{
	int fd = pass(true);

	say(fd, "\n\n{\"request\": \"sta", 18);
	ck_assert_str_eq(heard(fd), "");
	ck_assert_ptr_nonnull(strstr(ask(fd, ""), "bad-request"));
	say(fd, "{\"request\"", 10);
	/* Half a line has its limit, and its rest is no line. */
	for (int i = 0; i < 20; i++)
		loop_run_once(event, 100000);
	ck_assert_ptr_nonnull(strstr(heard(fd), "\"timeout\""));
	say(fd, ": \"status\"}\n", 12);
	ck_assert_str_eq(heard(fd), "");
	ck_assert(is_answered(fd, STATUS));
	close(fd);
}
END_TEST

START_TEST(lines_that_come_at_once_are_answered_in_turn)
{
	int fd = pass(_i);

	say(fd, QUIESCE "\n" STATUS "\n", strlen(QUIESCE) + strlen(STATUS) + 2);
	ck_assert_str_eq(heard(fd), "");
	machine.answer(machine.user, ANSWER_NOT_READY, "not now");
	ck_assert_ptr_nonnull(strstr(heard(fd), "\"ok\":true"));
	close(fd);
}
END_TEST

/* A port without a host is hung up all the time, and a host that comes is heard. */
START_TEST(port_without_a_host_does_not_spin)
{
	int fd = pass(true);

	/* One that waits for an answer does not spin either. */
	if (_i)
		ck_assert_str_eq(ask(fd, QUIESCE), "");
	shutdown(fd, SHUT_WR);
	ck_assert_uint_lt(settle(), 10);
	ck_assert_uint_lt(settle(), 2);
	close(fd);
	ck_assert_uint_lt(settle(), 10);
	ck_assert_uint_lt(settle(), 2);
}
END_TEST

START_TEST(no_descriptors_left_does_not_spin)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct rlimit before, limit;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int spare = dup(fd);

	memcpy(address.sun_path, path, sizeof(path));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)spare + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_uint_lt(settle(), 10);
	ck_assert_uint_eq(complaints, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* The client is let in when there is a descriptor again. */
	ck_assert_int_eq(send(fd, STATUS "\n", sizeof(STATUS), 0),
			 sizeof(STATUS));
	for (int i = 0; i < 50 && !strcmp(heard(fd), ""); i++)
		loop_run_once(event, 100000);
	ck_assert(is_answered(fd, STATUS));
	close(spare);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("the socket");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
			    wrong_request_gets_an_error_that_names_the_member,
			    0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tcase, text_after_a_zero_byte_is_refused);
	tcase_add_test(tcase, right_requests_are_taken);
	tcase_add_test(tcase, every_answer_has_version_and_features);
	tcase_add_test(tcase, answers_are_such_that_an_older_client_reads_them);
	tcase_add_test(tcase, metrics_are_answered_at_once);
	tcase_add_test(tcase, status_reads_the_generation);
	tcase_add_test(tcase, trigger_without_a_reseed_is_an_error);
	tcase_add_test(tcase, status_and_force_pass_sixteen_waiting_clients);
	tcase_add_test(tcase,
		       status_passes_any_number_of_forcing_and_idle_clients);
	tcase_add_test(tcase, waiting_client_that_ends_frees_its_place);
	tcase_add_test(tcase,
		       waiting_client_that_shut_one_direction_gets_its_answer);
	tcase_add_test(tcase, incomplete_request_ends_at_the_limit);
	tcase_add_test(tcase, client_that_reads_no_answers_is_hung_up);
	tcase_add_test(tcase, no_descriptors_left_does_not_spin);
	tcase_add_loop_test(tcase, restore_gets_the_answer_of_the_machine_alone,
			    0, 2);
	tcase_add_test(tcase, host_cannot_push_out_who_is_in_the_machine);
	tcase_add_loop_test(tcase, line_of_a_megabyte_is_refused, 0, 2);
	tcase_add_test(tcase, hosts_are_hung_up_when_they_may_not_stay);
	tcase_add_test(tcase, port_takes_the_next_line_after_half_of_one);
	tcase_add_loop_test(tcase, lines_that_come_at_once_are_answered_in_turn,
			    0, 2);
	tcase_add_loop_test(tcase, port_without_a_host_does_not_spin, 0, 2);
	tcase_add_loop_test(tcase, malformed_structure_replaces_who_sent_it, 0,
			    SENT);
	tcase_add_loop_test(
		tcase, structure_of_another_size_replaces_who_sent_it, 0, 2);
	tcase_add_test(
		tcase,
		who_reads_requests_is_pinged_and_forgotten_with_its_clients);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
