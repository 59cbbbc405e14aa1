// SPDX-License-Identifier: MIT
/* A restore request: from its line to the structure, and what it may hold. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../containers/json.h"
#include "base64.h"
#include "request-parse.h"

#define NONCE	"AAECAwQFBgcICQoLDA0ODw=="
#define ENTROPY "//79/Pv6+fj39vX08/Lx8A=="

static struct request request;
static char why[256], line[70000];

static bool parse(const char *text)
{
	struct json_object *o;
	struct secret secret;
	bool ok;

	snprintf(line, sizeof(line), "%s", text);
	secret_take(&secret, line, strlen(line));
	o = json_parse(line, strlen(line), why, sizeof(why));
	ck_assert_msg(o != NULL, "%s: %s", text, why);
	ok = request_parse(&request, o, &secret, why, sizeof(why));
	secret_wipe(&secret);
	json_object_put(o);
	return ok;
}

/* @members: but for the request and the nonce. */
static bool parse_with(const char *members)
{
	static char text[sizeof(line)];

	snprintf(
		text, sizeof(text),
		"{\"version\": 1, \"request\": \"restore\", \"nonce\": \"" NONCE
		"\"%s%s}",
		*members ? ", " : "", members);
	return parse(text);
}

START_TEST(whole_request_becomes_the_structure)
{
	const struct request_interface *f = request.interface;
	size_t at = 0;

	ck_assert_msg(
		parse_with(
			"\"entropy\": \"" ENTROPY
			"\", \"realtime_ns\": 1795000000123456789, \"hostname\": \"clone-1.example\","
			"\"machine_id\": \"0123456789abcdef0123456789abcdef\", \"interfaces\": [{\"name\": \"eth0\","
			"\"mac\": \"02:00:00:00:00:0A\", \"addresses\": [\"192.0.2.7/24\", \"2001:db8::7/64\"],"
			"\"routes\": [{\"to\": \"default\", \"via\": \"192.0.2.1\", \"metric\": 100}, {\"to\": \"198.51.100.0/24\"},"
			"{\"to\": \"::/0\", \"via\": \"fe80::1\"}]}, {\"name\": \"eth1\", \"addresses\": []}],"
			"\"environment\": {\"ROLE\": \"a = b\", \"EMPTY\": \"\"}"),
		"%s", why);
	ck_assert_uint_eq(request.nonce_len, 16);
	ck_assert_uint_eq(request.nonce[15], 15);
	ck_assert_uint_eq(request.entropy_len, 16);
	ck_assert_uint_eq(request.entropy[0], 0xff);
	ck_assert_uint_eq(request.entropy[15], 0xf0);
	ck_assert_int_eq(request.realtime_ns, 1795000000123456789);
	ck_assert_str_eq(request.hostname, "clone-1.example");
	ck_assert_str_eq(request.machine_id,
			 "0123456789abcdef0123456789abcdef");
	ck_assert_uint_eq(request.interfaces, 2);
	ck_assert_str_eq(f->name, "eth0");
	ck_assert(f->has_mac && f->mac[5] == 10);
	ck_assert_uint_eq(f->addresses, 2);
	ck_assert(f->address[0].family == AF_INET &&
		  f->address[0].prefix == 24 && f->address[0].bytes[3] == 7);
	ck_assert(f->address[1].family == AF_INET6 &&
		  f->address[1].prefix == 64 && f->address[1].bytes[15] == 7);
	ck_assert_uint_eq(f->routes, 3);
	ck_assert(f->route[0].to.family == AF_INET && !f->route[0].to.prefix &&
		  f->route[0].via.bytes[3] == 1 && f->route[0].metric == 100);
	ck_assert(f->route[1].to.prefix == 24 && !f->route[1].via.family);
	ck_assert(f->route[2].to.family == AF_INET6);
	ck_assert(f[1].has_addresses && !f[1].addresses && !f[1].has_routes);
	ck_assert_str_eq(request_variable(&request, &at), "ROLE=a = b");
	ck_assert_str_eq(request_variable(&request, &at), "EMPTY=");
	ck_assert_ptr_null(request_variable(&request, &at));
}
END_TEST

START_TEST(nonce_alone_is_a_request)
{
	ck_assert_msg(parse_with(""), "%s", why);
	ck_assert(!request.entropy_len && !request.realtime_ns &&
		  !request.hostname[0] && !request.interfaces);
}
END_TEST

#define WITH_INTERFACE(members) \
	"\"interfaces\": [{\"name\": \"eth0\", " members "}]"
#define WITH_ROUTE(members) WITH_INTERFACE("\"routes\": [{" members "}]")

static const struct wrong {
	const char *members, *names;
} wrong[] = {
	{ "\"hostnme\": \"a\"", "there is no member \"hostnme\"" },
	{ "\"a b\": 1", "not a plain name" },
	{ "\"entropy\": \"AAAA\"", "\"entropy\"" },
	{ "\"entropy\": 7", "\"entropy\" is not a string" },
	{ "\"entropy\": \"" ENTROPY "x\"", "\"entropy\"" },
	{ "\"entropy\": \"//79/Pv6+fj39vX08/Lx8B==\"", "\"entropy\"" },
	{ "\"\\u0065ntropy\": \"" ENTROPY "\"", "no escapes" },
	{ "\"realtime_ns\": 0", "realtime_ns" },
	{ "\"realtime_ns\": -1", "realtime_ns" },
	{ "\"realtime_ns\": 1.5e18", "realtime_ns" },
	{ "\"realtime_ns\": 9223372036854775807", "realtime_ns" },
	{ "\"realtime_ns\": \"1795000000123456789\"", "realtime_ns" },
	{ "\"hostname\": \"\"", "hostname" },
	{ "\"hostname\": null", "hostname" },
	{ "\"hostname\": \"-a\"", "hostname" },
	{ "\"hostname\": \"a..b\"", "hostname" },
	{ "\"hostname\": \"a\\nb\"", "hostname" },
	{ "\"hostname\": \"a/b\"", "hostname" },
	{ "\"hostname\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
	  "hostname" },
	{ "\"machine_id\": \"0123456789ABCDEF0123456789abcdef\"",
	  "machine_id" },
	{ "\"machine_id\": \"00000000000000000000000000000000\"",
	  "machine_id" },
	{ "\"machine_id\": \"0123\"", "machine_id" },
	{ "\"interfaces\": {}", "interfaces" },
	{ "\"interfaces\": [1]", "number 1: an interface" },
	{ "\"interfaces\": [{}]", "number 1: \"name\" is missing" },
	{ "\"interfaces\": [{\"name\": \"eth0\"}, {\"name\": \"eth0\"}]",
	  "one name twice" },
	{ "\"interfaces\": [{\"name\": \"eth0\"}, {\"name\": \"lo\"}]",
	  "number 2: \"name\"" },
	{ "\"interfaces\": [{\"name\": \"../x\"}]", "number 1: \"name\"" },
	{ "\"interfaces\": [{\"name\": \"..\"}]", "number 1: \"name\"" },
	{ "\"interfaces\": [{\"name\": \"a b\"}]", "number 1: \"name\"" },
	{ "\"interfaces\": [{\"name\": \"sixteen-letters-\"}]",
	  "number 1: \"name\"" },
	{ "\"interfaces\": [{\"name\": \"a\"},{\"name\": \"b\"},{\"name\": \"c\"},{\"name\": \"d\"},"
	  "{\"name\": \"e\"},{\"name\": \"f\"},{\"name\": \"g\"},{\"name\": \"h\"},{\"name\": \"i\"}]",
	  "at most 8" },
	{ WITH_INTERFACE("\"mtu\": 1"),
	  "number 1: there is no member \"mtu\"" },
	{ WITH_INTERFACE("\"mac\": \"01:00:00:00:00:01\""), "\"mac\"" },
	{ WITH_INTERFACE("\"mac\": \"00:00:00:00:00:00\""), "\"mac\"" },
	{ WITH_INTERFACE("\"mac\": \"02-00-00-00-00-01\""), "\"mac\"" },
	{ WITH_INTERFACE("\"mac\": \"2:0:0:0:0:1\""), "\"mac\"" },
	{ WITH_INTERFACE("\"addresses\": [\"192.0.2.7\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"192.0.2.7/33\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"192.0.2.7/024\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"192.0.2.7/0\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"192.0.2/24\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"224.0.0.1/24\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"127.0.0.1/8\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"0.0.0.0/8\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"::1/128\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [\"ff02::1/64\"]"), "address" },
	{ WITH_INTERFACE("\"addresses\": [7]"), "address" },
	{ WITH_ROUTE("\"via\": \"192.0.2.1\""), "\"to\" is missing" },
	{ WITH_ROUTE("\"to\": \"default\""), "needs \"via\"" },
	{ WITH_ROUTE("\"to\": \"192.0.2.1/24\""), "routes" },
	{ WITH_ROUTE("\"to\": \"192.0.2.0/24\", \"via\": \"fe80::1\""),
	  "routes" },
	{ WITH_ROUTE("\"to\": \"192.0.2.0/24\", \"via\": \"192.0.2.1/24\""),
	  "\"via\"" },
	{ WITH_ROUTE("\"to\": \"default\", \"via\": \"0.0.0.0\""), "routes" },
	{ WITH_ROUTE("\"to\": \"192.0.2.0/24\", \"metric\": -1"), "metric" },
	{ WITH_ROUTE("\"to\": \"192.0.2.0/24\", \"metric\": 4294967296"),
	  "metric" },
	{ WITH_ROUTE("\"to\": \"192.0.2.0/24\", \"dev\": \"eth1\""),
	  "\"dev\"" },
	{ "\"environment\": []", "environment" },
	{ "\"environment\": {\"A\": 1}", "environment" },
	{ "\"environment\": {\"\": \"1\"}", "environment" },
	{ "\"environment\": {\"a\": \"1\"}", "environment" },
	{ "\"environment\": {\"A=B\": \"1\"}", "environment" },
	{ "\"environment\": {\"A\": \"1\\n2\"}", "environment" },
	{ "\"environment\": {\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\": \"\"}",
	  "environment" },
};

START_TEST(hostile_value_is_refused_by_the_name_of_its_member)
{
	static const struct request zeros;

	ck_assert_msg(!parse_with(wrong[_i].members), "%s", wrong[_i].members);
	ck_assert_msg(strstr(why, wrong[_i].names), "%s: %s", wrong[_i].members,
		      why);
	ck_assert(!memcmp(&request, &zeros, sizeof(zeros)));
}
END_TEST

/* json-c 0.18 refuses the line, and older ones make the largest number of it. */
START_TEST(number_of_more_than_64_bits_is_refused)
{
	struct secret secret = { .len = 0 };
	struct json_object *o;

	snprintf(
		line, sizeof(line),
		"{\"version\": 1, \"request\": \"restore\", \"nonce\": \"" NONCE
		"\", \"realtime_ns\": 99999999999999999999999}");
	o = json_parse(line, strlen(line), why, sizeof(why));
	ck_assert(!o || !request_parse(&request, o, &secret, why, sizeof(why)));
	ck_assert(why[0]);
	json_object_put(o);
}
END_TEST

START_TEST(nonce_has_sixteen_to_sixty_four_bytes)
{
	static const char head[] = "{\"request\": \"restore\", \"nonce\": \"";
	unsigned char bytes[65] = { 1 };
	char base64[BASE64_SIZE(65)], text[256];

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		base64_encode(bytes, n, base64);
		snprintf(text, sizeof(text), "%s%s\"}", head, base64);
		ck_assert_msg(parse(text) == (n >= 16 && n <= 64), "%zu", n);
	}
	ck_assert(!parse("{\"request\": \"restore\"}"));
	ck_assert_str_eq(why, "\"nonce\" is missing");
}
END_TEST

START_TEST(environment_has_four_kib_in_all)
{
	char members[5000], value[4096];

	for (size_t n = 4090; n < 4096; n++) {
		memset(value, 'v', n);
		value[n] = 0;
		snprintf(members, sizeof(members),
			 "\"environment\": {\"A\": \"%s\"}", value);
		/* The name, "=" and a zero byte count. */
		ck_assert_msg(parse_with(members) == (n + 3 <= 4096), "%zu", n);
	}
}
END_TEST

START_TEST(entropy_of_a_request_is_in_no_line)
{
	static const char *const texts[] = {
		"{\"nonce\": \"x\", \"entropy\": \"SECRET\"}",
		"{\"entropy\":\"SECRET\",\"request\":\"entropy\"}",
		"{\"a\": {\"entropy\": \"b\"}, \"request\": \"entropy\", \"entropy\" : \"SECRET",
		"{\"a\\\"\": [\"}\", {}], \"entropy\": \"SECRET\"",
		"{\"entropy\": \"SEC\\/RET\"}",
	};
	struct secret secret;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(line, sizeof(line), "%s", texts[i]);
		secret_take(&secret, line, strlen(line));
		ck_assert_msg(secret.present, "%s", texts[i]);
		ck_assert_uint_eq(strlen(line), strlen(texts[i]));
		ck_assert_msg(!strstr(line, "SEC") && !strstr(line, "RET"),
			      "%s", line);
		ck_assert_msg(!strncmp(secret.text, "SECRET", secret.len) ||
				      !strncmp(secret.text, "SEC/RET",
					       secret.len),
			      "%s", secret.text);
	}
	snprintf(line, sizeof(line),
		 "{\"a\": {\"entropy\": \"b\"}, \"b\": \"entropy\"}");
	secret_take(&secret, line, strlen(line));
	ck_assert(!secret.present);
	ck_assert_ptr_nonnull(strstr(line, "\"b\""));
}
END_TEST

START_TEST(longer_entropy_than_any_is_refused_and_taken)
{
	static char members[70000];
	const size_t n = 60000;

	memcpy(members, "\"entropy\": \"", 12);
	memset(members + 12, 'S', n);
	memcpy(members + 12 + n, "\"", 2);
	ck_assert(!parse_with(members));
	ck_assert_ptr_nonnull(strstr(why, "\"entropy\""));
	ck_assert_ptr_null(strstr(line, "SSSS"));
}
END_TEST

START_TEST(wiped_request_has_no_entropy)
{
	ck_assert(parse_with("\"entropy\": \"" ENTROPY "\""));
	request_wipe_entropy(&request);
	ck_assert(!request.entropy_len && !request.entropy[0] &&
		  !request.entropy[15] && request.nonce_len);
}
END_TEST

/* A process that somebody else controls may send any bytes. */
START_TEST(structure_of_any_bytes_is_refused_or_whole)
{
	unsigned char *bytes = (unsigned char *)&request;
	unsigned int state = 1, valid = 0;

	for (int i = 0; i < 1000; i++) {
		ck_assert(parse_with(
			"\"hostname\": \"a\", \"environment\": {\"A\": \"b\"}, " WITH_INTERFACE(
				"\"addresses\": [\"192.0.2.7/24\"]")));
		for (int j = 0; j < 3; j++) {
			state = state * 1103515245 + 12345;
			bytes[state / 65536 % sizeof(request)] =
				(unsigned char)(state >> 8);
		}
		valid += request_is_valid(&request, why, sizeof(why));
	}
	ck_assert_uint_gt(valid, 0);
	memset(&request, 0xff, sizeof(request));
	ck_assert(!request_is_valid(&request, why, sizeof(why)));
}
END_TEST

START_TEST(base64_is_that_of_the_standard)
{
	static const char *const texts[] = {
		"",	    "Zg==",	"Zm8=",	    "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", NULL
	};
	static const char *const bad[] = {
		"Z",	    "Zg",   "Zg=",  "Zh==",  "====", "=AAA", "Z===",
		"Zg==Zg==", "Zm9 ", "Zm9-", "Zm8\n", "Zm9=", NULL
	};
	unsigned char bytes[8];
	char text[BASE64_SIZE(6)];

	for (size_t n = 0; texts[n]; n++) {
		base64_encode((const unsigned char *)"foobar", n, text);
		ck_assert_str_eq(text, texts[n]);
		ck_assert_int_eq(base64_decode(text, strlen(text), bytes, n),
				 (ssize_t)n);
		ck_assert_mem_eq(bytes, "foobar", n);
		if (n)
			ck_assert_int_eq(base64_decode(text, strlen(text),
						       bytes, n - 1),
					 -1);
	}
	for (size_t i = 0; bad[i]; i++)
		ck_assert_msg(base64_decode(bad[i], strlen(bad[i]), bytes,
					    sizeof(bytes)) < 0,
			      "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("a restore request");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, whole_request_becomes_the_structure);
	tcase_add_test(tcase, nonce_alone_is_a_request);
	tcase_add_loop_test(tcase,
			    hostile_value_is_refused_by_the_name_of_its_member,
			    0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tcase, number_of_more_than_64_bits_is_refused);
	tcase_add_test(tcase, nonce_has_sixteen_to_sixty_four_bytes);
	tcase_add_test(tcase, environment_has_four_kib_in_all);
	tcase_add_test(tcase, entropy_of_a_request_is_in_no_line);
	tcase_add_test(tcase, longer_entropy_than_any_is_refused_and_taken);
	tcase_add_test(tcase, wiped_request_has_no_entropy);
	tcase_add_test(tcase, structure_of_any_bytes_is_refused_or_whole);
	tcase_add_test(tcase, base64_is_that_of_the_standard);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
