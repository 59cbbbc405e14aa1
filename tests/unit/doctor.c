// SPDX-License-Identifier: MIT
/* sysgenidctl doctor: what it makes of texts that the kernel and systemd print. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

#define UNIT	"Id=a.service\nPrivateDevices=no\n"
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

/* The name "Dkms" and the number 0x1234, as a signature and a certificate have them. */
#define ISSUER                                                                \
	0x30, 15, 0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 3, 12, 4, 'D', 'k', 'm', \
		's'
#define SERIAL 2, 2, 0x12, 0x34
#define KEY_ID \
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0xff
#define MARK "~Module signature appended~\n"

static const unsigned char certificate[] = {
	0x30,
	59,
	0x30,
	57,
	0xa0,
	3,
	2,
	1,
	2,
	SERIAL,
	0x30,
	0,
	ISSUER,
	/* Extension: the subject's key identifier. */
	6,
	3,
	0x55,
	0x1d,
	0x0e,
	4,
	22,
	4,
	20,
	KEY_ID,
};
static const unsigned char no_extension[] = {
	0x30, 30, 0x30, 28, 0xa0, 3, 2, 1, 2, SERIAL, 0x30, 0, ISSUER,
};
static const unsigned char by_issuer[] = {
	0x7f,
	'E',
	'L',
	'F',
	0x30,
	44,
	6,
	1,
	0,
	0xa0,
	39,
	0x30,
	37,
	2,
	1,
	1,
	0x31,
	0,
	0x30,
	0,
	0x31,
	28,
	0x30,
	26,
	2,
	1,
	1,
	0x30,
	21,
	ISSUER,
	SERIAL,
	/* struct module_signature, to be followed by the mark */
	0,
	0,
	2,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	46,
};
static const unsigned char by_key_id[] = {
	0x7f, 'E', 'L', 'F', 0x30, 43,	 6,  1,	     0,	 0xa0, 38,
	0x30, 36,  2,	1,   1,	   0x31, 0,  0x30,   0,	 0x31, 27,
	0x30, 25,  2,	1,   1,	   0x80, 20, KEY_ID, 0,	 0,    2,
	0,    0,   0,	0,   0,	   0,	 0,  0,	     45,
};

/* The same, but the name is that of an organization. */
#define COMPANY                                                            \
	0x30, 15, 0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 10, 12, 4, 'C', 0x1b, \
		'r', 'p'
static const unsigned char of_company[] = {
	0x30, 30, 0x30, 28, 0xa0, 3, 2, 1, 2, SERIAL, 0x30, 0, COMPANY,
};

static FILE *data(const void *start, size_t len)
{
	/* A copy of just this length, so that valgrind sees who reads on. */
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(start, 1, len, f), len);
	rewind(f);
	return f;
}

static enum signed_by module_with(const unsigned char *start, size_t len,
				  const char *end, struct key_id *id)
{
	unsigned char all[256];
	enum signed_by by;
	FILE *f;

	memcpy(all, start, len);
	memcpy(all + len, end, strlen(end));
	f = data(all, len + strlen(end));
	by = read_signature(f, id);
	fclose(f);
	return by;
}

static bool certificate_in(const unsigned char *start, size_t len,
			   struct key_id *id)
{
	FILE *f = data(start, len);
	bool ok = read_certificate(f, id);

	fclose(f);
	return ok;
}

static bool is_listed(const char *keys, const struct key_id *id)
{
	FILE *f = text(keys);
	bool is = kernel_has_key(f, id);

	fclose(f);
	return is;
}

#define KEYS "0b96787a I------  1 perm 1f010000  0  0 asymmetri "

START_TEST(signers)
{
	static const char hex_id[] = "000102030405060708090a0b0c0d0e0f101112ff";
	struct key_id signer, other, c;

	ck_assert_int_eq(module_with(by_issuer, sizeof(by_issuer), MARK,
				     &signer),
			 SOMEBODY);
	ck_assert_str_eq(signer.name, "Dkms");
	ck_assert_str_eq(signer.key, "");
	ck_assert_int_eq(module_with(by_key_id, sizeof(by_key_id), MARK,
				     &other),
			 SOMEBODY);
	ck_assert_str_eq(other.key, hex_id);
	ck_assert(certificate_in(certificate, sizeof(certificate), &c));
	ck_assert_str_eq(c.name, "Dkms");
	ck_assert_str_eq(c.key, hex_id);
	ck_assert(is_certificate_of(&c, &signer));
	ck_assert(is_certificate_of(&c, &other));
	c.id[c.len - 1]++;
	ck_assert(!is_certificate_of(&c, &signer));
	c.key[0] = 'f';
	ck_assert(!is_certificate_of(&c, &other));
	ck_assert(certificate_in(no_extension, sizeof(no_extension), &c));
	ck_assert_str_eq(c.key, "1234");
	ck_assert(is_certificate_of(&c, &signer));
	ck_assert(certificate_in(of_company, sizeof(of_company), &c));
	ck_assert_str_eq(c.name, "C?rp");
	ck_assert(!is_certificate_of(&c, &signer));
}
END_TEST

START_TEST(no_signer)
{
	struct key_id id;
	size_t len = sizeof(by_issuer);

	ck_assert_int_eq(module_with(by_issuer, len, "~Module signature?\n",
				     &id),
			 NOBODY);
	ck_assert_int_eq(module_with((const unsigned char *)"\37\213", 2,
				     MARK MARK, &id),
			 UNKNOWN);
	ck_assert_int_eq(module_with(by_issuer, 0, "", &id), UNKNOWN);
	/* Whatever is cut off or broken, nothing is read beyond it. */
	for (size_t i = 0; i < len; i++) {
		unsigned char broken[sizeof(by_issuer)];

		ck_assert_int_ne(module_with(by_issuer, i, MARK, &id),
				 SOMEBODY);
		ck_assert_int_ne(module_with(by_issuer, i, "", &id), SOMEBODY);
		memcpy(broken, by_issuer, len);
		for (int bit = 0; bit < 8; bit++) {
			broken[i] = (unsigned char)(by_issuer[i] ^ 1 << bit);
			module_with(broken, len, MARK, &id);
		}
	}
	for (size_t i = 0; i < sizeof(no_extension); i++)
		ck_assert(!certificate_in(no_extension, i, &id));
	for (size_t i = 0; i < sizeof(certificate); i++)
		ck_assert(!certificate_in(certificate, i, &id));
}
END_TEST

START_TEST(trusted_keys)
{
	struct key_id by_key = { .name = "Dkms", .key = "00ff" };
	struct key_id by_name = { .name = "Dkms" };
	struct key_id by_nothing = { .name = "" };

	ck_assert(is_listed(KEYS "Dkms: 00ff: X509.rsa 00ff []\n", &by_key));
	ck_assert(is_listed("x\n" KEYS
			    "An owner: Dkms: 00ff: X509.rsa 00ff []\n",
			    &by_key));
	ck_assert(!is_listed(KEYS "Dkms: 10ff: X509.rsa 10ff []\n", &by_key));
	ck_assert(is_listed(KEYS "Dkms: 10ff: X509.rsa 10ff []\n", &by_name));
	ck_assert(is_listed(KEYS "An owner: Dkms: 10ff: X509.rsa 10ff []\n",
			    &by_name));
	ck_assert(
		!is_listed(KEYS "My Dkm: 00ff: X509.rsa 00ff []\n", &by_name));
	ck_assert(!is_listed(KEYS ": 00ff: X509.rsa 00ff []\n", &by_nothing));
	ck_assert(!is_listed("02ac11 I 2 perm 0 0 0 blacklist Dkms: 00ff: \n",
			     &by_key));
}
END_TEST

static void headers_are(const char *release, const char *expected)
{
	char directory[] = "/tmp/sysgenid-XXXXXX", image[64], said[256];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(image, sizeof(image), "%s/linux-image-6.1.0-1-amd64",
		 directory);
	ck_assert_int_eq(mkdir(image, 0700), 0);
	headers_of(release, directory, said, sizeof(said));
	rmdir(image);
	rmdir(directory);
	ck_assert_msg(strstr(said, expected), "%s", said);
}

START_TEST(packaged_kernel_has_a_package_of_headers)
{
	headers_are("6.1.0-1-amd64", "apt install linux-headers-6.1.0-1-amd64");
}
END_TEST

START_TEST(custom_kernel_has_none)
{
	headers_are("6.1.0-1-mine", "/lib/modules/6.1.0-1-mine/build");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		packaged_kernel_has_a_package_of_headers,
		custom_kernel_has_none,
		config,
		confinement,
		several_units,
		words,
		signers,
		no_signer,
		trusted_keys,
	};

	return RUN_TESTS("doctor", tests, NULL);
}
