// SPDX-License-Identifier: MIT
/* sysgenid-runtime: what is changed in config.json, and which JSON is taken. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "json.h"
#include "signals.h"
#include "spec.h"
#include "suite.h"

static struct json_object *parsed(const char *text)
{
	char why[256];
	struct json_object *o =
		json_parse(text, strlen(text), why, sizeof(why));

	ck_assert_msg(o != NULL, "%s", why);
	return o;
}

static void expect_spec(struct json_object *o, const char *text)
{
	struct json_object *want = parsed(text);

	ck_assert_msg(json_object_equal(o, want), "%s",
		      json_object_to_json_string(o));
	json_object_put(want);
	json_object_put(o);
}

START_TEST(device_is_created_and_allowed)
{
	struct json_object *o = parsed(
		"{\"linux\":{\"resources\":{\"devices\":[{\"allow\":false}]}}}");
	char why[256];

	ck_assert(spec_add_device(o, "/dev/null", why, sizeof(why)));
	expect_spec(
		o,
		"{\"linux\":{\"resources\":{\"devices\":[{\"allow\":false},"
		"{\"type\":\"c\",\"major\":1,\"minor\":3,\"allow\":true,\"access\":\"rw\"}]},"
		"\"devices\":[{\"type\":\"c\",\"major\":1,\"minor\":3,\"path\":\"/dev/null\","
		"\"fileMode\":438,\"uid\":0,\"gid\":0}]}}");
}
END_TEST

START_TEST(device_of_the_engine_by_that_name_is_replaced)
{
	struct json_object *o = parsed(
		"{\"linux\":{\"devices\":[{\"path\":\"/dev/null\",\"major\":9},{\"path\":\"/dev/x\"}]}}");
	struct json_object *devices;
	char why[256];

	ck_assert(spec_add_device(o, "/dev/null", why, sizeof(why)));
	devices = json_member(json_member(o, "linux", json_type_object),
			      "devices", json_type_array);
	ck_assert_uint_eq(json_object_array_length(devices), 2);
	ck_assert_str_eq(json_text(json_object_array_get_idx(devices, 0),
				   "path"),
			 "/dev/x");
	/* No rules: all is allowed, and one rule would forbid the rest. */
	ck_assert(!json_object_object_get_ex(
		json_member(o, "linux", json_type_object), "resources", NULL));
	json_object_put(o);
}
END_TEST

START_TEST(device_that_is_not_there_is_left_out)
{
	struct json_object *o = parsed("{}");
	char why[256];

	ck_assert(spec_add_device(o, "/nonexistent", why, sizeof(why)));
	expect_spec(o, "{}");
}
END_TEST

START_TEST(device_that_is_none_is_an_error)
{
	struct json_object *o = parsed("{}"), *wrong;
	char why[256];

	ck_assert(!spec_add_device(o, "/tmp", why, sizeof(why)));
	ck_assert(!spec_add_device(o, "/dev/null/x", why, sizeof(why)));
	wrong = parsed("{\"linux\":{\"devices\":{}}}");
	ck_assert(!spec_add_device(wrong, "/dev/null", why, sizeof(why)));
	json_object_put(wrong);
	json_object_put(o);
}
END_TEST

START_TEST(paths_become_absolute_where_they_are_paths)
{
	struct json_object *o = parsed(
		"{\"root\":{\"path\":\"r\"},\"mounts\":["
		"{\"type\":\"bind\",\"source\":\"a\"},"
		"{\"type\":\"none\",\"source\":\"b\",\"options\":[\"ro\",\"rbind\"]},"
		"{\"type\":\"tmpfs\",\"source\":\"c\"},"
		"{\"type\":\"bind\",\"source\":\"/d\"}]}");
	char why[256];

	ck_assert(spec_make_absolute(o, "/x", why, sizeof(why)));
	expect_spec(
		o,
		"{\"root\":{\"path\":\"/x/r\"},\"mounts\":["
		"{\"type\":\"bind\",\"source\":\"/x/a\"},"
		"{\"type\":\"none\",\"source\":\"/x/b\",\"options\":[\"ro\",\"rbind\"]},"
		"{\"type\":\"tmpfs\",\"source\":\"c\"},"
		"{\"type\":\"bind\",\"source\":\"/d\"}]}");
}
END_TEST

START_TEST(spec_without_a_root_is_an_error)
{
	static const char *const bad[] = { "{}", "{\"root\":{}}",
					   "{\"root\":{\"path\":7}}",
					   "{\"root\":[]}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct json_object *o = parsed(bad[i]);
		char why[256];

		ck_assert(!spec_make_absolute(o, "/x", why, sizeof(why)));
		json_object_put(o);
	}
}
END_TEST

START_TEST(member_that_stands_twice_is_an_error)
{
	static const char *const bad[] = {
		"{\"a\":1,\"a\":1}",
		"{\"a\":1,\"\\u0061\":1}",
		"{\"x\":[{\"a\":{\"b\":1,\"b\":2}}]}",
		"{\":\":1,\":\":1}",
		"{\"a\\\"\":1,\"a\\\"\":1}",
	};
	static const char *const good[] = {
		"{\"a\":\":\",\"b\":\"\\\":\",\"c\":\"\\\\\"}",
		"{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"A\":1}]}",
		"{\"a\":1,\"A1\":1,\"aa\":1,\"\":1,\"\xc3\xa4\":1,\"\xc3\x84\":1}",
	};
	char why[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(!json_parse(bad[i], strlen(bad[i]), why,
					  sizeof(why)),
			      "%s", bad[i]);
		ck_assert_str_eq(why, "a member stands twice in one object");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		json_object_put(parsed(good[i]));
}
END_TEST

/* For Go, and so for runc, they are one. */
START_TEST(members_that_differ_in_case_are_an_error)
{
	static const char *const bad[] = {
		"{\"ab\":1,\"ac\":1,\"aB\":null}",
		"{\"x\":[{\"mask\":1,\"ma\xc5\xbf"
		"K\":[]}]}",
		"{\"k\":1,\"\\u212a\":1}",
	};
	char why[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(!json_parse(bad[i], strlen(bad[i]), why,
					  sizeof(why)),
			      "%s", bad[i]);
		ck_assert_str_eq(
			why, "two members of one object differ only in case");
	}
}
END_TEST

/* Files of proc and sysfs have another size than they say, as one that is written to meanwhile. */
START_TEST(file_that_changes_while_it_is_read_is_an_error)
{
	static const char *const changing[] = { "/proc/self/status",
						"/sys/kernel/uevent_seqnum" };
	char why[256];
	size_t len;

	ck_assert(
		!json_slurp_at(AT_FDCWD, changing[0], &len, why, sizeof(why)));
	ck_assert_str_eq(why, "the file changed while it was read");
	/* Build roots of packages have no sysfs. */
	if (access(changing[1], F_OK))
		return;
	ck_assert(
		!json_slurp_at(AT_FDCWD, changing[1], &len, why, sizeof(why)));
	ck_assert_str_eq(why, "the file changed while it was read");
}
END_TEST

START_TEST(cgroup_of_our_own_is_none)
{
	char line[1024] = "x";

	cgroups_find(getpid(), line, sizeof(line));
	ck_assert_str_eq(line, "");
	/* No process, and none that there can be. */
	strcpy(line, "x");
	cgroups_find(0, line, sizeof(line));
	ck_assert_str_eq(line, "");
	strcpy(line, "x");
	cgroups_find(INT_MAX, line, sizeof(line));
	ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(signals_have_names_and_numbers)
{
	ck_assert_int_eq(signal_number("TERM"), 15);
	ck_assert_int_eq(signal_number("SIGTERM"), 15);
	ck_assert_int_eq(signal_number("sigterm"), 15);
	ck_assert_int_eq(signal_number("15"), 15);
	ck_assert_int_eq(signal_number("64"), 64);
	ck_assert_int_eq(signal_number("65"), 0);
	ck_assert_int_eq(signal_number("0"), 0);
	ck_assert_int_eq(signal_number("-9"), 0);
	ck_assert_int_eq(signal_number("9 "), 0);
	ck_assert_int_eq(signal_number("4294967305"), 0);
	ck_assert_int_eq(signal_number("SIGSIGTERM"), 0);
	ck_assert_int_eq(signal_number(""), 0);
	for (int i = 1; i <= 64; i++)
		ck_assert_int_eq(signal_ends(i), i == 2 || i == 3 || i == 9 ||
							 i == 15 || i == 19);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		device_is_created_and_allowed,
		device_of_the_engine_by_that_name_is_replaced,
		device_that_is_not_there_is_left_out,
		device_that_is_none_is_an_error,
		paths_become_absolute_where_they_are_paths,
		spec_without_a_root_is_an_error,
		member_that_stands_twice_is_an_error,
		members_that_differ_in_case_are_an_error,
		file_that_changes_while_it_is_read_is_an_error,
		cgroup_of_our_own_is_none,
		signals_have_names_and_numbers,
	};

	return RUN_TESTS("containers", tests, NULL);
}
