// SPDX-License-Identifier: MIT
/* What is added to openssl.cnf, and that it comes out again without a trace. */
#define _GNU_SOURCE
#include <openssl/conf.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "../../providers/openssl/config.h"
#include "suite.h"

static char path[] = "/tmp/openssl-XXXXXX";
static char said[512];

int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	return FAILED;
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static char *enabled(const char *text)
{
	said[0] = 0;
	write_file(text);
	return config_with_block(path, text);
}

static const char *const good[] = {
	"",
	"openssl_conf = init\n[init]\n",
	"openssl_conf = init\n[init]\nproviders = p\n[p]\ndefault = d\n[d]\n",
	"openssl_conf = init\n[init]\nproviders = p\n[p]\ndefault = d\nlegacy = l\n[d]\nactivate = 1\n[l]\nactivate = 1\n",
	"openssl_conf = init\n[init]\nrandom = r\n[r]\ncipher = AES-256-CTR\n",
	"# no line end\nHOME = .",
};

START_TEST(in_and_out)
{
	char *with = enabled(good[_i]), *without;
	CONF *conf = NCONF_new(NULL);
	const char *init, *providers, *section;
	long line;

	ck_assert_msg(with, "%s", said);
	ck_assert(config_is_enabled(with));
	write_file(with);
	ck_assert_int_gt(NCONF_load(conf, path, &line), 0);
	init = NCONF_get_string(conf, "default", "openssl_conf");
	section = NCONF_get_string(conf, init, "random");
	ck_assert_str_eq(NCONF_get_string(conf, section, "random"),
			 "SYSGENID-DRBG");
	providers = NCONF_get_string(conf, init, "providers");
	for (const char *const *name =
		     (const char *[]){ "default", "sysgenid", NULL };
	     *name; name++) {
		section = NCONF_get_string(conf, providers, *name);
		ck_assert_str_eq(NCONF_get_string(conf, section, "activate"),
				 "1");
	}
	NCONF_free(conf);
	without = config_without_block(with);
	ck_assert(!config_is_enabled(without));
	ck_assert_str_eq(without, good[_i]);
	free(with);
	free(without);
}
END_TEST

static const struct bad {
	const char *text, *why;
} bad[] = {
	{ "openssl_conf = init\n[init]\nrandom = r\n[r]\nrandom = HASH-DRBG\n",
	  "HASH-DRBG" },
	{ "openssl_conf = init\n[init]\nproviders = p\n[p]\nfips = f\n",
	  "fips" },
	{ "openssl_conf = init\n[init]\nproviders = p\n[p]\ndefault = d\n[d]\nactivate = 0\n",
	  "activate = 0" },
	{ "a line that is none\n", "line 1" },
};

START_TEST(is_refused)
{
	ck_assert_ptr_null(enabled(bad[_i].text));
	ck_assert_msg(strstr(said, bad[_i].why), "%s", said);
}
END_TEST

START_TEST(half_of_it)
{
	char *with = enabled(good[1]);

	*strstr(with, "# sysgenid: end") = 0;
	ck_assert_ptr_null(config_without_block(with));
	ck_assert_msg(strstr(said, "by hand"), "%s", said);
	free(with);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("openssl.cnf");
	TCase *tcase = tcase_create("edit");
	SRunner *runner = srunner_create(suite);
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 2;
	close(fd);
	tcase_add_loop_test(tcase, in_and_out, 0,
			    (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(tcase, is_refused, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tcase, half_of_it);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
