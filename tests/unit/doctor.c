// SPDX-License-Identifier: MIT
/* sysgenidctl doctor: what it makes of texts that the kernel and systemd print. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../tools/doctor.h"
#include "suite.h"

static FILE *text(const char *t)
{
	FILE *f = fmemopen((char *)(uintptr_t)t, strlen(t), "r");

	ck_assert_ptr_nonnull(f);
	return f;
}

static char value(const char *config)
{
	FILE *f = text(config);
	char v = config_value(f, "CONFIG_VMGENID");

	fclose(f);
	return v;
}

START_TEST(config)
{
	ck_assert_int_eq(value("CONFIG_MODULES=y\nCONFIG_VMGENID=y\n"), 'y');
	ck_assert_int_eq(value("CONFIG_VMGENID=m\nCONFIG_MODULES=y\n"), 'm');
	ck_assert_int_eq(
		value("CONFIG_MODULES=y\n# CONFIG_VMGENID is not set\n"), 'n');
	/* Nothing is said about what depends on something that is off. */
	ck_assert_int_eq(value("CONFIG_MODULES=y\nCONFIG_VMGENIDS=y\n"), 'n');
	/* Cut off. */
	ck_assert_int_eq(value("CONFIG_64BIT=y\n"), 0);
}
END_TEST

static void check_unit(const char *shown, enum access expected)
{
	FILE *f = text(shown);
	struct unit u;

	ck_assert(next_unit(f, &u));
	ck_assert_str_eq(u.name, "a.service");
	ck_assert_int_eq(unit_access(&u), expected);
	ck_assert(!next_unit(f, &u));
	fclose(f);
}

#define UNIT "Id=a.service\nPrivateDevices=no\n"
#define PRIVATE "Id=a.service\nPrivateDevices=yes\n"

START_TEST(confinement)
{
	check_unit(UNIT "DevicePolicy=auto\n", OPEN);
	check_unit(UNIT "DevicePolicy=auto\nDeviceAllow=\n", OPEN);
	check_unit(PRIVATE "DevicePolicy=auto\n", HIDDEN);
	check_unit(PRIVATE "DeviceAllow=/dev/sysgenid rw\n", HIDDEN);
	check_unit(UNIT "DevicePolicy=closed\n", DENIED);
	check_unit(UNIT "DevicePolicy=strict\n", DENIED);
	check_unit(UNIT "DevicePolicy=closed\nDeviceAllow=/dev/sysgenid rw\n",
		   OPEN);
	check_unit(UNIT "DevicePolicy=strict\nDeviceAllow=/dev/null rw\n"
			"DeviceAllow=/dev/sysgenid r\n",
		   OPEN);
	check_unit(UNIT "DevicePolicy=strict\nDeviceAllow=/dev/sysgenid w\n",
		   DENIED);
	check_unit(UNIT "DevicePolicy=strict\nDeviceAllow=/dev/sysgenid-hw r\n",
		   DENIED);
	check_unit(UNIT "DevicePolicy=strict\nDeviceAllow=char-misc rw\n",
		   OPEN);
	check_unit(UNIT "DevicePolicy=strict\nDeviceAllow=/dev/sysgenid\n",
		   OPEN);
	/* An explicit list closes what "auto" leaves open. */
	check_unit(UNIT "DevicePolicy=auto\nDeviceAllow=char-rtc r\n", DENIED);
	check_unit(PRIVATE "DevicePolicy=auto\nDeviceAllow=/dev/sysgenid rw\n"
			   "BindPaths=/dev/sysgenid:/dev/sysgenid:rbind\n",
		   OPEN);
	check_unit(PRIVATE "BindReadOnlyPaths=/dev/sysgenid\n", DENIED);
	check_unit(PRIVATE "BindPaths=/dev/sysgenid-hw\n", HIDDEN);
}
END_TEST

START_TEST(several_units)
{
	FILE *f = text("MainPID=12\nId=a.service\nLoadState=loaded\n"
		       "ActiveState=active\n\n"
		       "\n"
		       "MainPID=0\nId=b.service\nLoadState=not-found\n"
		       "ActiveState=inactive\nPrivateDevices=yes\n");
	struct unit u;

	ck_assert(next_unit(f, &u));
	ck_assert_str_eq(u.name, "a.service");
	ck_assert_str_eq(u.pid, "12");
	ck_assert(u.found && u.runs && !u.private_devices);
	ck_assert(next_unit(f, &u));
	ck_assert_str_eq(u.name, "b.service");
	ck_assert(!u.found && !u.runs && u.private_devices);
	ck_assert(!next_unit(f, &u));
	fclose(f);
}
END_TEST

START_TEST(words)
{
	ck_assert(strstr(words_for_hw_page_error(EBUSY), "other data"));
	ck_assert(strstr(words_for_hw_page_error(ENODEV), "hw_page=off"));
	ck_assert(strstr(words_for_hw_page_error(EOPNOTSUPP), "encrypted"));
	ck_assert_str_eq(words_for_hw_page_error(EIO), strerror(EIO));
	ck_assert(ends_with("/dev/sysgenid", "/sysgenid"));
	ck_assert(!ends_with("/dev/sysgenid-hw", "/sysgenid"));
	ck_assert(!ends_with("id", "sysgenid"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = { config, confinement, several_units, words };

	return RUN_TESTS("doctor", tests, NULL);
}
