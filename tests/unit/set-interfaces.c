// SPDX-License-Identifier: MIT
/* The identity of an interface, in a network namespace of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "set-interfaces.h"

static struct request_interface wanted;

static void run(const char *command)
{
	ck_assert_msg(!system(command), "%s", command);
}

static const char *shown(const char *command)
{
	static char text[4096];
	FILE *f = popen(command, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	ck_assert_int_eq(pclose(f), 0);
	return text;
}

#define assert_shows(command, part) \
	ck_assert_msg(strstr(shown(command), part), "%s", shown(command))
#define assert_hides(command, part) \
	ck_assert_msg(!strstr(shown(command), part), "%s", shown(command))

static struct request_address address(const char *text, uint8_t prefix)
{
	struct request_address a = { .prefix = prefix };

	a.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(a.family, text, a.bytes), 1);
	return a;
}

static void want_address(const char *text, uint8_t prefix)
{
	wanted.has_addresses = 1;
	wanted.address[wanted.addresses++] = address(text, prefix);
}

static void want_route(const char *to, uint8_t prefix, const char *via,
		       uint32_t metric)
{
	struct request_route *r = &wanted.route[wanted.routes++];

	wanted.has_routes = 1;
	r->to = address(to, prefix);
	if (via)
		r->via = address(via, r->to.family == AF_INET ? 32 : 128);
	r->metric = metric;
}

static void want_mac(const char *bytes)
{
	wanted.has_mac = 1;
	memcpy(wanted.mac, bytes, 6);
}

static int set(void)
{
	char why[256] = "";
	const int r = set_interface(&wanted, why, sizeof(why));

	ck_assert_msg(!r == !why[0], "%d %s", r, why);
	if (r)
		fprintf(stderr, "%s\n", why);
	return r;
}

static void setup(void)
{
	ck_assert_int_eq(unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET :
					     CLONE_NEWNET),
			 0);
	run("ip link add e0 address 02:00:00:00:00:01 type veth peer name e1");
	run("ip link set e1 up && ip link set e0 up");
	run("ip address add 10.9.0.5/24 dev e0 && ip address add 2001:db8::5/64 dev e0 nodad");
	run("ip route add default via 10.9.0.1 dev e0");
	run("ip route add 192.0.2.0/24 dev e0 && ip route add 2001:db8:1::/48 via 2001:db8::1 dev e0");
	/* Of others. */
	run("ip address add 10.8.0.1/24 dev e1 && ip route add 198.51.100.0/24 via 10.8.0.2 dev e1");
	memset(&wanted, 0, sizeof(wanted));
	strcpy(wanted.name, "e0");
}

static void assert_others_stay(void)
{
	assert_shows("ip address show dev e1", "10.8.0.1/24");
	assert_shows("ip route", "198.51.100.0/24 via 10.8.0.2 dev e1");
}

#define A "ip address show dev e0"
#define R "ip route; ip -6 route"

START_TEST(absent_lists_leave_everything)
{
	char before[4096];

	snprintf(before, sizeof(before), "%s", shown(A "; " R));
	ck_assert_int_eq(set(), 0);
	ck_assert_str_eq(shown(A "; " R), before);
}
END_TEST

START_TEST(mac_address_takes_its_link_local_address_along)
{
	assert_shows(A, "fe80::ff:fe00:1/64");
	want_mac("\x02\0\0\0\0\x77");
	ck_assert_int_eq(set(), 0);
	assert_shows(A, "02:00:00:00:00:77");
	assert_shows(A, "fe80::ff:fe00:77/64");
	assert_hides(A, "fe80::ff:fe00:1/64");
	/* Nothing else. */
	assert_shows(A, "10.9.0.5/24");
	assert_shows(A, "2001:db8::5/64");
	assert_shows(R, "default via 10.9.0.1");
	assert_shows(R, "2001:db8:1::/48 via 2001:db8::1");
	assert_others_stay();
}
END_TEST

START_TEST(mac_address_that_is_there_changes_nothing)
{
	want_mac("\x02\0\0\0\0\x01");
	ck_assert_int_eq(set(), 0);
	assert_shows(A, "fe80::ff:fe00:1/64");
}
END_TEST

START_TEST(addresses_and_routes_are_those_of_the_list)
{
	/* In the net of the older one, which would take it along. */
	want_address("10.9.0.9", 24);
	want_address("10.9.0.10", 32);
	want_address("2001:db8::9", 64);
	/* The gateway before the route to it. */
	want_route("0.0.0.0", 0, "172.16.0.1", 0);
	want_route("172.16.0.1", 32, NULL, 0);
	want_route("203.0.113.0", 24, "10.9.0.2", 50);
	want_route("2001:db8:2::", 48, "2001:db8::2", 0);
	for (int i = 0; i < 2; i++) {
		/* Twice: what is there stays. */
		ck_assert_int_eq(set(), 0);
		assert_shows(A, "10.9.0.9/24 brd 10.9.0.255");
		assert_shows(A, "10.9.0.10/32");
		assert_shows(A, "2001:db8::9/64");
		assert_hides(A, "10.9.0.5");
		assert_hides(A, "2001:db8::5");
		assert_hides(A, "secondary");
		assert_shows(R, "default via 172.16.0.1");
		assert_shows(R, "172.16.0.1 dev e0 proto static scope link");
		assert_shows(
			R,
			"203.0.113.0/24 via 10.9.0.2 dev e0 proto static metric 50");
		assert_shows(R, "2001:db8:2::/48 via 2001:db8::2");
		assert_shows(R, "10.9.0.0/24 dev e0 proto kernel");
		assert_hides(R, "10.9.0.1 ");
		assert_hides(R, "192.0.2.0/24");
		assert_hides(R, "2001:db8:1::");
	}
	assert_others_stay();
}
END_TEST

START_TEST(empty_lists_leave_nothing_but_the_link)
{
	wanted.has_addresses = wanted.has_routes = 1;
	ck_assert_int_eq(set(), 0);
	assert_hides(A, "10.9.0");
	assert_hides(A, "2001:db8");
	assert_shows(A, "fe80::ff:fe00:1");
	assert_hides("ip route show dev e0; ip -6 route show dev e0", "via");
	assert_others_stay();
}
END_TEST

START_TEST(routes_of_another_metric_or_gateway_go)
{
	run("ip route add 203.0.113.0/24 via 10.9.0.2 dev e0 metric 7");
	run("ip route add 203.0.113.0/24 via 10.9.0.3 dev e0 metric 8");
	want_route("203.0.113.0", 24, "10.9.0.3", 7);
	ck_assert_int_eq(set(), 0);
	assert_shows(
		R, "203.0.113.0/24 via 10.9.0.3 dev e0 proto static metric 7");
	assert_hides(R, "10.9.0.2");
	assert_hides(R, "metric 8");
}
END_TEST

START_TEST(interface_that_is_down_is_brought_up)
{
	run("ip link set e0 down");
	want_mac("\x02\0\0\0\0\x77");
	want_address("10.9.0.9", 24);
	want_route("0.0.0.0", 0, "10.9.0.1", 0);
	ck_assert_int_eq(set(), 0);
	assert_shows(A, ",UP");
	assert_shows(A, "fe80::ff:fe00:77/64");
	assert_hides(A, "fe80::ff:fe00:1/64");
	assert_shows(R, "default via 10.9.0.1 dev e0");
}
END_TEST

/* VLANs, macvlans and some cards do not take one while they are up; here nothing does not. */
START_TEST(what_cannot_be_set_fails_by_its_name)
{
	char why[256];

	want_route("203.0.113.0", 24, "10.55.0.2", 0);
	ck_assert_int_eq(set_interface(&wanted, why, sizeof(why)),
			 -ENETUNREACH);
	ck_assert_str_eq(why, "e0: routes");
	wanted.has_routes = wanted.routes = 0;
	want_mac("\x01\0\0\0\0\x77");
	ck_assert_int_eq(set_interface(&wanted, why, sizeof(why)),
			 -EADDRNOTAVAIL);
	ck_assert_str_eq(why, "e0: MAC address");
	strcpy(wanted.name, "e7");
	ck_assert_int_eq(set_interface(&wanted, why, sizeof(why)), -ENODEV);
	ck_assert_str_eq(why, "e7");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("set-interfaces");
	TCase *tcase = tcase_create("interface");
	SRunner *runner;
	int failed;

	if (system("unshare -rn ip link add e0 type veth peer name e1")) {
		fprintf(stderr, "NOT TESTED: no interfaces can be made here\n");
		return 77;
	}
	runner = srunner_create(suite);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, absent_lists_leave_everything);
	tcase_add_test(tcase, mac_address_takes_its_link_local_address_along);
	tcase_add_test(tcase, mac_address_that_is_there_changes_nothing);
	tcase_add_test(tcase, addresses_and_routes_are_those_of_the_list);
	tcase_add_test(tcase, empty_lists_leave_nothing_but_the_link);
	tcase_add_test(tcase, routes_of_another_metric_or_gateway_go);
	tcase_add_test(tcase, interface_that_is_down_is_brought_up);
	tcase_add_test(tcase, what_cannot_be_set_fails_by_its_name);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
