// SPDX-License-Identifier: MIT
/* The library on the real module. Run it as root. (tests/unit has what needs no kernel.) */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sysgenid.h>

static struct sysgenid *open_handle(void)
{
	struct sysgenid *g;

	ck_assert_int_eq(sysgenid_open(&g, 0), 0);
	return g;
}

static uint32_t current(struct sysgenid *g)
{
	uint32_t generation;

	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	return generation;
}

static uint32_t trigger(struct sysgenid *g)
{
	uint32_t before = current(g), now;

	ck_assert_int_eq(sysgenid_trigger(g, before, "entropy", 7, &now), 0);
	ck_assert_uint_eq(now, before + 1);
	return now;
}

static bool readable(struct sysgenid *g)
{
	struct pollfd p = { .fd = sysgenid_get_fd(g), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static struct sysgenid_info info(struct sysgenid *g)
{
	struct sysgenid_info i;

	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	return i;
}

START_TEST(read_and_check)
{
	struct sysgenid *g = open_handle(), *other = open_handle();
	const struct sysgenid_view *view = sysgenid_get_view(g);
	uint32_t before = current(g), now;

	ck_assert(sysgenid_is_exact(g));
	ck_assert(!sysgenid_changed(view, before));
	ck_assert(sysgenid_changed(view, before + 1));
	now = trigger(other);
	ck_assert(sysgenid_changed(view, before));
	ck_assert(!sysgenid_changed(view, now));
	ck_assert_uint_eq(current(g), now);
	sysgenid_close(g);
	sysgenid_close(other);
}
END_TEST

static void *trigger_later(void *unused)
{
	struct sysgenid *g = open_handle();

	usleep(100000);
	trigger(g);
	sysgenid_close(g);
	return unused;
}

START_TEST(wait_for_it)
{
	struct sysgenid *g = open_handle();
	uint32_t before = current(g), now;
	pthread_t thread;

	ck_assert_int_eq(sysgenid_wait(g, before, 50, &now), -ETIMEDOUT);
	ck_assert_int_eq(sysgenid_wait(g, before + 1, -1, &now), 0);
	ck_assert_uint_eq(now, before);
	pthread_create(&thread, NULL, trigger_later, NULL);
	ck_assert_int_eq(sysgenid_wait(g, before, 5000, &now), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(now, before + 1);
	/* Waiting is not confirming, and works without it. */
	ck_assert(readable(g));
	ck_assert_int_eq(sysgenid_wait(g, now, 50, &before), -ETIMEDOUT);
	sysgenid_close(g);
}
END_TEST

START_TEST(confirm_and_descriptor)
{
	struct sysgenid *g = open_handle(), *other = open_handle();
	uint32_t now;

	ck_assert(!readable(g));
	now = trigger(other);
	ck_assert(readable(g));
	ck_assert_int_eq(sysgenid_confirm(g, now - 1), -ESTALE);
	ck_assert(readable(g));
	ck_assert_int_eq(sysgenid_confirm(g, now), 0);
	ck_assert(!readable(g));
	sysgenid_close(g);
	sysgenid_close(other);
}
END_TEST

START_TEST(watchers)
{
	struct sysgenid *g = open_handle(), *overseer = open_handle();
	struct sysgenid_watcher entry;
	uint32_t now, seen, outdated;
	unsigned int count = 1;
	uint64_t cursor = 0;

	ck_assert_int_eq(sysgenid_track(g, true), 0);
	ck_assert_uint_eq(info(overseer).watchers, 1);
	now = trigger(overseer);
	ck_assert_int_eq(sysgenid_wait_watchers(overseer, now - 1, 0, &seen,
						&outdated),
			 -ESTALE);
	ck_assert_uint_eq(seen, now);
	ck_assert_int_eq(sysgenid_wait_watchers(overseer, now, 0, &seen,
						&outdated),
			 -ETIMEDOUT);
	ck_assert_uint_eq(outdated, 1);
	ck_assert_int_eq(sysgenid_wait_watchers(g, now, 0, &seen, &outdated),
			 -EDEADLK);
	ck_assert_int_eq(sysgenid_list_watchers(overseer, 0, &cursor, &entry,
						sizeof(entry), &count, &seen),
			 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(entry.pid, getpid());
	ck_assert_int_eq(sysgenid_confirm(g, now), 0);
	ck_assert_int_eq(sysgenid_wait_watchers(overseer, now, -1, NULL, NULL),
			 0);
	/* The mapping is another open file's: a watcher ends with its handle. */
	sysgenid_close(g);
	ck_assert_uint_eq(info(overseer).watchers, 0);
	sysgenid_close(overseer);
}
END_TEST

START_TEST(trigger_expects)
{
	struct sysgenid *g = open_handle();
	uint32_t before = current(g), now;

	ck_assert_int_eq(sysgenid_trigger(g, before - 1, NULL, 0, &now),
			 -ESTALE);
	ck_assert_uint_eq(now, before);
	ck_assert_int_eq(sysgenid_trigger(g, before, NULL, 0, &now), 0);
	ck_assert_uint_eq(now, before + 1);
	sysgenid_close(g);
}
END_TEST

START_TEST(declare)
{
	struct sysgenid *g = open_handle();
	uint32_t now = current(g);

	ck_assert_int_eq(sysgenid_declare(g, now - 1, 0), 0);
	ck_assert(readable(g));
	ck_assert_int_eq(sysgenid_declare(g, now, 0), -EBUSY);
	sysgenid_close(g);
	g = open_handle();
	ck_assert_int_eq(sysgenid_declare(g, 0, SYSGENID_DECLARE_UNKNOWN), 0);
	ck_assert(info(g).flags & SYSGENID_GET_UNKNOWN);
	sysgenid_close(g);
}
END_TEST

START_TEST(child_after_fork)
{
	struct sysgenid *g = open_handle();
	uint32_t now = current(g), seen;
	pid_t child = fork();
	int status;

	if (!child) {
		bool good = sysgenid_read(g, &seen) == -ECHILD &&
			    !sysgenid_changed(sysgenid_get_view(g), now);

		sysgenid_close(g);
		_exit(!(good && !sysgenid_open(&g, 0) &&
			!sysgenid_read(g, &seen)));
	}
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(current(g), now);
	sysgenid_close(g);
}
END_TEST

START_TEST(ordinary_user)
{
	struct sysgenid *g;
	uint32_t now;

	ck_assert(!setgroups(0, NULL) && !setgid(65534) && !setuid(65534));
	g = open_handle();
	ck_assert(!sysgenid_is_exact(g));
	now = current(g);
	ck_assert(!sysgenid_changed(sysgenid_get_view(g), now));
	ck_assert_int_eq(sysgenid_track(g, true), -EACCES);
	ck_assert_int_eq(sysgenid_trigger(g, now, NULL, 0, &now), -EACCES);
	ck_assert_int_eq(sysgenid_confirm(g, now), 0);
	ck_assert_int_eq(sysgenid_confirm(g, now - 1), -ESTALE);
	ck_assert_int_eq(sysgenid_wait(g, now, 50, &now), -ETIMEDOUT);
	sysgenid_close(g);
}
END_TEST

enum { STORM = 2000 };

static void *count_generations(void *first)
{
	struct sysgenid *g = open_handle();
	uint32_t seen = *(uint32_t *)first, last = seen + STORM;

	while (seen != last)
		ck_assert_int_eq(sysgenid_wait(g, seen, 10000, &seen), 0);
	sysgenid_close(g);
	return NULL;
}

/* Two waiters, and generations as fast as they come: none is waited for in vain. */
START_TEST(no_wakeup_is_lost)
{
	struct sysgenid *g = open_handle();
	uint32_t first = current(g);
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count_generations, &first);
	for (i = 0; i < STORM; i++) {
		trigger(g);
		if (i % 7 == 0)
			usleep((useconds_t)(random() % 300));
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	sysgenid_close(g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("library");
	TCase *tcase = tcase_create("module");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, read_and_check);
	tcase_add_test(tcase, wait_for_it);
	tcase_add_test(tcase, confirm_and_descriptor);
	tcase_add_test(tcase, watchers);
	tcase_add_test(tcase, trigger_expects);
	tcase_add_test(tcase, declare);
	tcase_add_test(tcase, child_after_fork);
	tcase_add_test(tcase, ordinary_user);
	tcase_add_test(tcase, no_wakeup_is_lost);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
