// SPDX-License-Identifier: MIT
/* What is added to openssl.cnf, that it comes out again without a trace, and which files are refused. */
#define _GNU_SOURCE
#include <openssl/conf.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "../../providers/openssl/config.h"
#include "suite.h"

#define LINE ".include " INCLUDED "\n"

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

static void write_file(const struct text *t)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(t->bytes, 1, t->len, f), t->len);
	ck_assert_int_eq(fclose(f), 0);
}

#define TEXT(string)                                               \
	{                                                          \
		(char *)(uintptr_t)(string), sizeof(string "") - 1 \
	}

static void equal(const struct text *a, const struct text *b)
{
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_mem_eq(a->bytes, b->bytes, a->len);
}

static struct text enabled(const struct text *in)
{
	struct text out;

	said[0] = 0;
	ck_assert_msg(config_enable(in, &out), "%s", said);
	write_file(&out);
	return out;
}

static const struct text good[] = {
	TEXT(""),
	TEXT("openssl_conf = openssl_init\n[openssl_init]\n"),
	TEXT("openssl_conf = openssl_init\n[openssl_init]\nproviders = provider_sect\n"
	     "[provider_sect]\ndefault = default_sect\n[default_sect]\n# activate = 1\n"),
	TEXT("openssl_conf = openssl_init\n[openssl_init]\nproviders = provider_sect\nssl_conf = s\n"
	     "[provider_sect]\ndefault = d\nlegacy = l\n[d]\nactivate = 1\n[l]\nactivate = 1\n[s]\n"),
	TEXT("# no line end\nHOME = ."),
	TEXT("# a byte of 0: \0, and more\n"),
};

static const char *value_of(const CONF *conf, const char *section,
			    const char *key)
{
	const char *value = NCONF_get_string(conf, section, key);

	ck_assert_msg(value, "no %s in %s", key, section);
	return value;
}

START_TEST(line_is_in_effect_and_comes_out_without_a_trace)
{
	struct text with, without;
	CONF *conf = NCONF_new(NULL);
	const char *init, *providers;
	long line;

	ck_assert_int_eq(config_state(&good[_i]), DISABLED);
	with = enabled(&good[_i]);
	ck_assert_uint_eq(with.len, good[_i].len + strlen(LINE));
	ck_assert_int_eq(config_state(&with), ENABLED);
	ck_assert_msg(config_takes_effect(path), "%s", said);
	ck_assert_int_gt(NCONF_load(conf, path, &line), 0);
	init = value_of(conf, "default", "openssl_conf");
	ck_assert_str_eq(value_of(conf, value_of(conf, init, "random"),
				  "random"),
			 "SYSGENID-DRBG");
	providers = value_of(conf, init, "providers");
	for (const char *const *name =
		     (const char *[]){ "default", "sysgenid", NULL };
	     *name; name++)
		ck_assert_str_eq(value_of(conf,
					  value_of(conf, providers, *name),
					  "activate"),
				 "1");
	/* By its absolute path. */
	ck_assert_int_eq(*value_of(conf, value_of(conf, providers, "sysgenid"),
				   "module"),
			 '/');
	NCONF_free(conf);
	ck_assert(config_disable(&with, &without));
	ck_assert_int_eq(config_state(&without), DISABLED);
	equal(&without, &good[_i]);
	free(with.bytes);
	free(without.bytes);
}
END_TEST

/* Wherever the administrator has moved it to. */
START_TEST(line_is_found_in_the_middle)
{
	const struct text moved = TEXT("HOME = .\n" LINE "[ ca ]\n");
	const struct text rest = TEXT("HOME = .\n[ ca ]\n");
	const struct text none[] = {
		TEXT("# " LINE),
		TEXT("x" LINE),
		TEXT(".include " INCLUDED ".d\n"),
	};
	struct text out;

	ck_assert_int_eq(config_state(&moved), ENABLED);
	ck_assert(config_disable(&moved, &out));
	equal(&out, &rest);
	free(out.bytes);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_int_eq(config_state(&none[i]), DISABLED);
}
END_TEST

static const struct bad {
	struct text text;
	const char *why;
} bad[] = {
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nrandom = r\n[r]\nrandom = HASH-DRBG\n"),
	  "random = HASH-DRBG" },
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nrandom = r\n[r]\nseed = JITTER\n"),
	  "seed = JITTER" },
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nrandom = sysgenid_random\n[sysgenid_random]\nseed = OWN\n"),
	  "seed = OWN" },
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nrandom = r\n[r]\nrandom_provider = fips\n"),
	  "random_provider = fips" },
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nrandom = r\n[r]\ncipher = AES-128-CTR\n"),
	  "random = r" },
	{ TEXT("openssl_conf = init\n[init]\n"), "openssl_conf = init" },
	{ TEXT("openssl_conf = openssl_init\n[openssl_init]\nproviders = p\n[p]\n"),
	  "providers = p" },
	{ TEXT("[provider_sect]\nfips = f\n"), "fips" },
	{ TEXT("[default_sect]\nactivate = 0\n"), "activate = 0" },
	{ TEXT("[provider_sect]\ndefault = d\n[d]\n"), "lacks" },
};

START_TEST(line_that_is_none_is_named)
{
	const struct text t = TEXT("HOME = .\na line that is none\n");

	write_file(&t);
	ck_assert(!config_can_be_read(path));
	ck_assert_msg(strstr(said, "line 2"), "%s", said);
}
END_TEST

START_TEST(what_would_be_overridden_or_without_effect_is_refused)
{
	struct text with = enabled(&bad[_i].text);

	ck_assert(!config_takes_effect(path));
	ck_assert_msg(strstr(said, bad[_i].why), "%s", said);
	free(with.bytes);
}
END_TEST

#define BEGIN \
	"# sysgenid: begin. \"sysgenidctl openssl disable\" takes this out.\n"
#define BLOCK BEGIN "[ default ]\nopenssl_conf = sysgenid_init\n# sysgenid: end"

static const struct {
	struct text with, without;
} early[] = {
	{ TEXT("HOME = .\n" BLOCK "\n"), TEXT("HOME = .\n") },
	{ TEXT("HOME = .\n" BLOCK
	       ", and the newline before the begin was not there\n"),
	  TEXT("HOME = .") },
	{ TEXT(BLOCK "\n# added since\n"), TEXT("# added since\n") },
};

START_TEST(lines_of_an_early_version_are_renewed_and_taken_out)
{
	struct text out, again;

	ck_assert_int_eq(config_state(&early[_i].with), ENABLED_EARLY);
	ck_assert(config_disable(&early[_i].with, &out));
	equal(&out, &early[_i].without);
	free(out.bytes);
	out = enabled(&early[_i].with);
	ck_assert_int_eq(config_state(&out), ENABLED);
	ck_assert(config_disable(&out, &again));
	equal(&again, &early[_i].without);
	free(out.bytes);
	free(again.bytes);
}
END_TEST

START_TEST(half_of_an_early_versions_lines_is_left_alone)
{
	static const struct text halves[] = {
		TEXT("HOME = .\n" BEGIN "[ default ]\n"),
		TEXT(BLOCK),
		TEXT(BLOCK " of the world\n"),
	};
	struct text out;

	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		said[0] = 0;
		ck_assert(!config_disable(&halves[i], &out));
		ck_assert_msg(strstr(said, "by hand"), "%s", said);
		ck_assert(!config_enable(&halves[i], &out));
	}
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("openssl.cnf");
	TCase *tcase = tcase_create("edit");
	SRunner *runner = srunner_create(suite);
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 2;
	close(fd);
	tcase_add_loop_test(tcase,
			    line_is_in_effect_and_comes_out_without_a_trace, 0,
			    LENGTH(good));
	tcase_add_test(tcase, line_is_found_in_the_middle);
	tcase_add_test(tcase, line_that_is_none_is_named);
	tcase_add_loop_test(
		tcase, what_would_be_overridden_or_without_effect_is_refused, 0,
		LENGTH(bad));
	tcase_add_loop_test(tcase,
			    lines_of_an_early_version_are_renewed_and_taken_out,
			    0, LENGTH(early));
	tcase_add_test(tcase, half_of_an_early_versions_lines_is_left_alone);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
