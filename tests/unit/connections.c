// SPDX-License-Identifier: MIT
/* Which TCP connections are destroyed, in a network namespace of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"

/* What is sent to 10.9.0.0/16 goes nowhere: a connection there stays at its first packet. */
static const char network[] =
	"ip link set lo up && ip address add 10.7.7.1/32 dev lo &&"
	"ip -6 address add fd07::1/128 dev lo nodad &&"
	"ip route add 10.9.0.0/16 dev lo && ip -6 route add fd09::/64 dev lo";

static struct sockaddr_in6 address(const char *text, in_port_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static int dial(const char *to, in_port_t port)
{
	struct sockaddr_in6 a = address(to, port);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		ck_assert_msg(errno == EINPROGRESS, "%s: %s", to,
			      strerror(errno));
	return fd;
}

static int error_of(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size),
			 0);
	return error;
}

START_TEST(connection_between_own_addresses_stays_and_others_end)
{
	static const char *const own[] = { "::1", "fd07::1", "::ffff:127.0.0.1",
					   "::ffff:10.7.7.1" };
	static const char *const others[] = { "fd09::1", "::ffff:10.9.0.1" };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), fds[4], ends[2];
	struct sockaddr_in6 any = address("::", 7070);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof(any)),
			 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	for (int i = 0; i < 4; i++)
		fds[i] = dial(own[i], 7070);
	for (int i = 0; i < 2; i++)
		ends[i] = dial(others[i], 7070);
	ck_assert_int_eq(connections_destroy(), 2);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(error_of(ends[i]) == ECONNABORTED, "%s",
			      others[i]);
	for (int i = 0; i < 4; i++) {
		ck_assert_msg(error_of(fds[i]) == 0, "%s", own[i]);
		ck_assert_msg(send(fds[i], "x", 1, MSG_NOSIGNAL) == 1, "%s",
			      own[i]);
		close(fds[i]);
	}
	close(ends[0]);
	close(ends[1]);
	close(listener);
}
END_TEST

/* This namespace is not the first one, so nothing tells. */
START_TEST(tls_that_cannot_be_looked_for_may_be_there)
{
	ck_assert_int_eq(connections_tls_is_there(), 1);
	ck_assert_int_eq(connections_destroy_tls(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connections");
	TCase *tcase = tcase_create("own addresses");
	SRunner *runner;
	int failed, r;

	if (unshare(CLONE_NEWNET) || system(network)) {
		fputs("NOT TESTED: no network namespace can be set up here\n",
		      stderr);
		return 77;
	}
	r = connections_prepare();
	if (r == -EOPNOTSUPP || r == -ENOENT) {
		fputs("NOT TESTED: this kernel lists no connections\n", stderr);
		return 77;
	}
	runner = srunner_create(suite);
	tcase_add_test(tcase,
		       connection_between_own_addresses_stays_and_others_end);
	tcase_add_test(tcase, tls_that_cannot_be_looked_for_may_be_there);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
