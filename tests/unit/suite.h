/* SPDX-License-Identifier: MIT */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

/* TSan and valgrind make system calls of their own. */
static inline bool is_instrumented(void)
{
	return getenv("TESTS_INSTRUMENTED") != NULL;
}

/* Runs the tests of one file; the exit code of the program. */
static inline int run_tests(const char *name, const TTest *const *tests,
			    size_t n, void (*setup)(void))
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	SRunner *runner;
	int failed;

	if (setup)
		tcase_add_checked_fixture(cases, setup, NULL);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN_TESTS(name, tests, setup) \
	run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]), setup)

#endif /* SUITE_H */
