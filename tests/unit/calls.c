// SPDX-License-Identifier: MIT
/* Each call: what it asks of the driver, and what it makes of the answer. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "../../lib/internal.h"
#include "each-call.h"
#include "fake.h"
#include "suite.h"

static struct sysgenid *g;

static void reopen(void)
{
	sysgenid_close(g);
	ck_assert_int_eq(sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					     FAKE_FOLDER, 0),
			 0);
}

static void setup(void)
{
	fake_start();
	g = NULL;
	reopen();
}

static void become_old_driver(void)
{
	fake.old_driver = true;
	fake.page->magic = 0;
	fake.page->size = 0;
	reopen();
}

START_TEST(read_is_truthful)
{
	uint32_t generation = 77;

	ck_assert_int_eq(sysgenid_read(g, NULL), -EINVAL);
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	fake.page->generation = UINT32_MAX;
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, UINT32_MAX);
	fake_publish();
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, 0);
}
END_TEST

START_TEST(confirm_asks_by_ioctl)
{
	fake_publish();
	ck_assert_int_eq(sysgenid_confirm(g, 5), -ESTALE);
	ck_assert_uint_eq(fake_confirmed(sysgenid_get_fd(g)), 5);
	ck_assert_int_eq(sysgenid_confirm(g, 6), 0);
	ck_assert_uint_eq(fake_confirmed(sysgenid_get_fd(g)), 6);
	/* Which another file, by mistake, would not take for data. */
	ck_assert_uint_eq(fake.count[FAKE_WRITE], 0);
}
END_TEST

START_TEST(confirm_without_write_access)
{
	fake.open_rw_errno = EACCES;
	reopen();
	fake_publish();
	ck_assert_int_eq(sysgenid_confirm(g, 5), -ESTALE);
	ck_assert_int_eq(sysgenid_confirm(g, 6), 0);
	ck_assert_uint_eq(fake_confirmed(sysgenid_get_fd(g)), 6);
	ck_assert_uint_eq(fake.count[FAKE_WRITE], 0);
}
END_TEST

START_TEST(track)
{
	ck_assert_int_eq(sysgenid_track(g, true), 0);
	ck_assert(fake_tracked(sysgenid_get_fd(g)));
	ck_assert_int_eq(sysgenid_track(g, false), 0);
	ck_assert(!fake_tracked(sysgenid_get_fd(g)));
}
END_TEST

START_TEST(declare)
{
	ck_assert_int_eq(sysgenid_declare(g, 3, 1u << 31), -EINVAL);
	ck_assert_int_eq(sysgenid_declare(g, 3, SYSGENID_DECLARE_UNKNOWN), 0);
	ck_assert_uint_eq(fake.declared.size, sizeof(fake.declared));
	ck_assert_uint_eq(fake.declared.generation, 3);
	ck_assert_uint_eq(fake.declared.flags, SYSGENID_DECLARE_UNKNOWN);
	ck_assert_int_eq(sysgenid_declare(g, 3, 0), -EBUSY);
}
END_TEST

START_TEST(trigger)
{
	unsigned char entropy[SYSGENID_ENTROPY_MAX + 1] = "what differs";
	uint32_t generation = 77;

	ck_assert_int_eq(sysgenid_trigger(g, 5, "x", 1, NULL), -EINVAL);
	ck_assert_int_eq(sysgenid_trigger(g, 5, NULL, 1, &generation), -EINVAL);
	ck_assert_int_eq(sysgenid_trigger(g, 5, entropy, sizeof(entropy),
					  &generation),
			 -EINVAL);
	if (sizeof(size_t) > 4) {
		size_t wraps = (size_t)UINT32_MAX + 2;

		ck_assert_int_eq(sysgenid_trigger(g, 5, entropy, wraps,
						  &generation),
				 -EINVAL);
	}
	ck_assert_uint_eq(generation, 77);

	ck_assert_int_eq(sysgenid_trigger(g, 4, entropy, 12, &generation),
			 -ESTALE);
	ck_assert_uint_eq(generation, 5);
	ck_assert_uint_eq(fake.entropy_len, 0);

	ck_assert_int_eq(sysgenid_trigger(g, 5, entropy, 12, &generation), 0);
	ck_assert_uint_eq(generation, 6);
	ck_assert_uint_eq(fake.entropy_len, 12);
	ck_assert_mem_eq(fake.entropy, entropy, 12);
	ck_assert_uint_eq(fake_confirmed(sysgenid_get_fd(g)), 6);

	ck_assert_int_eq(sysgenid_trigger(g, 6, entropy, SYSGENID_ENTROPY_MAX,
					  &generation),
			 0);
	ck_assert_uint_eq(fake.entropy_len, SYSGENID_ENTROPY_MAX);
	ck_assert_int_eq(sysgenid_trigger(g, 7, NULL, 0, &generation), 0);

	fake.capable_errno = EACCES;
	ck_assert_int_eq(sysgenid_trigger(g, 8, NULL, 0, &generation), -EACCES);
}
END_TEST

START_TEST(trigger_least)
{
	uint32_t generation = 77;

	ck_assert_int_eq(sysgenid_trigger_least(g, 4, 9, "x", 1, &generation),
			 -ESTALE);
	ck_assert_uint_eq(generation, 5);
	ck_assert_int_eq(sysgenid_trigger_least(g, 5, UINT32_MAX, "x", 1,
						&generation),
			 -ERANGE);
	ck_assert_int_eq(sysgenid_trigger_least(g, 5, 9, "x", 1, &generation),
			 0);
	ck_assert_uint_eq(generation, 9);
	ck_assert_int_eq(sysgenid_trigger_least(g, 9, 4, "x", 1, &generation),
			 0);
	ck_assert_uint_eq(generation, 10);

	/* A driver from before. */
	fake.trigger_size = 32;
	ck_assert_int_eq(sysgenid_trigger_least(g, 10, 20, "x", 1, &generation),
			 -E2BIG);
	ck_assert_int_eq(sysgenid_trigger(g, 10, "x", 1, &generation), 0);
}
END_TEST

START_TEST(wait_watchers)
{
	uint32_t current = 0, outdated = 77;

	ck_assert_int_eq(sysgenid_wait_watchers(g, 5, -1, NULL, NULL), 0);
	ck_assert_int_eq(fake.waited.timeout_ns, -1);
	ck_assert_uint_eq(fake.waited.generation, 5);
	ck_assert_uint_eq(fake.waited.size, sizeof(fake.waited));

	ck_assert_int_eq(sysgenid_wait_watchers(g, 4, 0, &current, &outdated),
			 -ESTALE);
	ck_assert_uint_eq(current, 5);
	ck_assert_uint_eq(outdated, 0);

	fake.outdated = 2;
	ck_assert_int_eq(sysgenid_wait_watchers(g, 5, INT64_MAX, &current,
						&outdated),
			 -ETIMEDOUT);
	ck_assert_int_eq(fake.waited.timeout_ns, INT64_MAX);
	ck_assert_uint_eq(outdated, 2);
}
END_TEST

START_TEST(gate)
{
	struct sysgenid_gate_args arg = { .operation = SYSGENID_GATE_OPEN };

	ck_assert_int_eq(sysgenid_gate(g, NULL), -EINVAL);
	ck_assert_int_eq(sysgenid_gate(g, &arg), -ENOTCONN);
	ck_assert_uint_eq(fake.gate.size, sizeof(arg));
	arg = (struct sysgenid_gate_args){ .operation = SYSGENID_GATE_ARM,
					   .mark_count = 1 };
	ck_assert_int_eq(sysgenid_gate(g, &arg), 0);
	ck_assert_uint_eq(fake.gate.mark_count, 1);
	ck_assert_uint_eq(arg.state, SYSGENID_GATE_IS_SHUT);
	arg = (struct sysgenid_gate_args){ .operation = SYSGENID_GATE_OPEN,
					   .generation = 6 };
	ck_assert_int_eq(sysgenid_gate(g, &arg), -ESTALE);
	ck_assert_uint_eq(arg.generation, 5);
	arg.operation = SYSGENID_GATE_OPEN;
	ck_assert_int_eq(sysgenid_gate(g, &arg), 0);
	ck_assert_uint_eq(arg.state, SYSGENID_GATE_IS_OPEN);
}
END_TEST

START_TEST(list_watchers)
{
	/* As a program built with a later header would have it. */
	struct {
		struct sysgenid_watcher known;
		uint64_t later;
	} entries[4];
	struct sysgenid_watcher w[SYSGENID_LIST_MAX + 1];
	uint64_t cursor = 0;
	uint32_t generation = 0;
	unsigned int count = 4;

	fake.watchers = 6;
	fake.outdated = 1;
	memset(entries, 0xff, sizeof(entries));
	ck_assert_int_eq(sysgenid_list_watchers(g, SYSGENID_LIST_ALL, &cursor,
						&entries[0].known,
						sizeof(entries[0]), &count,
						&generation),
			 0);
	ck_assert_uint_eq(generation, 5);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(cursor, 4);
	ck_assert_int_eq(entries[3].known.pid, 1003);
	ck_assert_uint_eq(entries[3].later, 0);
	ck_assert_uint_eq(entries[0].known.flags, SYSGENID_WATCHER_OUTDATED);
	ck_assert_int_eq(sysgenid_list_watchers(g, SYSGENID_LIST_ALL, &cursor,
						&entries[0].known,
						sizeof(entries[0]), &count,
						NULL),
			 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(cursor, 0);

	/* Room for more than the driver gives at a time is no mistake. */
	count = SYSGENID_LIST_MAX + 1;
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, w, sizeof(*w),
						&count, NULL),
			 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(cursor, 0);
}
END_TEST

START_TEST(list_watchers_refuses)
{
	struct sysgenid_watcher w;
	uint64_t cursor = 0;
	unsigned int count = 1;

	ck_assert_int_eq(sysgenid_list_watchers(g, 0, NULL, &w, sizeof(w),
						&count, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, NULL, sizeof(w),
						&count, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w, sizeof(w),
						NULL, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_list_watchers(g, 1u << 31, &cursor, &w,
						sizeof(w), &count, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w,
						sizeof(w) - 1, &count, NULL),
			 -EINVAL);
	if (sizeof(size_t) > 4)
		ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w,
							(size_t)UINT32_MAX + 1 +
								sizeof(w),
							&count, NULL),
				 -EINVAL);
	count = 0;
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w, sizeof(w),
						&count, NULL),
			 -EINVAL);
}
END_TEST

static void many(enum fake_call call, void *answer, size_t size)
{
	if (call == FAKE_IOCTL && size == sizeof(struct sysgenid_list_args))
		((struct sysgenid_list_args *)answer)->count = 3;
}

static void endless(enum fake_call call, void *answer, size_t size)
{
	if (call == FAKE_IOCTL && size == sizeof(struct sysgenid_watcher))
		memset(answer, 'x', size);
}

/* No program is led past its entries, or past a name. */
START_TEST(list_watchers_of_a_liar)
{
	struct sysgenid_watcher w[2];
	unsigned int count = 2;
	uint64_t cursor = 0;

	fake.outdated = 2;
	fake.spoil = many;
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, w, sizeof(*w),
						&count, NULL),
			 -EIO);
	ck_assert_uint_eq(count, 2);
	fake.outdated = 1;
	fake.spoil = endless;
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, w, sizeof(*w),
						&count, NULL),
			 0);
	ck_assert_uint_eq(strlen(w[0].comm), sizeof(w[0].comm) - 1);
}
END_TEST

START_TEST(info)
{
	struct {
		struct sysgenid_info known;
		uint64_t later;
	} later;
	struct sysgenid_info i;
	uint32_t half[sizeof(i) / 4 / 2 + 1];

	fake.about.features = 7;
	fake.about.time = 1234567890123;
	fake.about.source = SYSGENID_SOURCE_VMGENID;
	fake.about.sources = 1 << SYSGENID_SOURCE_VMGENID;
	fake.about.flags = SYSGENID_GET_RESEED_FAILED | SYSGENID_GET_INSTANCE;
	memcpy(fake.about.instance_id, "0123456789abcdef", 16);
	fake.watchers = 3;
	fake.outdated = 2;
	ck_assert_int_eq(sysgenid_get_info(g, NULL, sizeof(i)), -EINVAL);
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.generation, 5);
	ck_assert_uint_eq(i.confirmed, 5);
	ck_assert_uint_eq(i.features, 7);
	ck_assert_uint_eq(i.time, 1234567890123);
	ck_assert_uint_eq(i.source, SYSGENID_SOURCE_VMGENID);
	ck_assert_uint_eq(i.sources, 1 << SYSGENID_SOURCE_VMGENID);
	ck_assert_uint_eq(i.flags,
			  SYSGENID_GET_RESEED_FAILED | SYSGENID_GET_INSTANCE);
	ck_assert_mem_eq(i.instance_id, "0123456789abcdef", 16);
	ck_assert_uint_eq(i.watchers, 3);
	ck_assert_uint_eq(i.outdated, 2);
	ck_assert_uint_eq(i.handle,
			  SYSGENID_HANDLE_EXACT | SYSGENID_HANDLE_WRITABLE);

	memset(&later, 0xff, sizeof(later));
	ck_assert_int_eq(sysgenid_get_info(g, &later.known, sizeof(later)), 0);
	ck_assert_mem_eq(&later.known, &i, sizeof(i));
	ck_assert_uint_eq(later.later, 0);

	memset(half, 0xff, sizeof(half));
	ck_assert_int_eq(sysgenid_get_info(g, (void *)half, sizeof(i) / 2), 0);
	ck_assert_mem_eq(half, &i, sizeof(i) / 2);
	ck_assert_uint_eq(half[sizeof(i) / 4 / 2], UINT32_MAX);
}
END_TEST

START_TEST(old_driver)
{
	struct sysgenid_watcher w;
	struct sysgenid_info i;
	unsigned int count = 1;
	uint32_t generation;
	uint64_t cursor = 0;

	become_old_driver();
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	fake_publish();
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, 6);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -ESTALE);
	ck_assert_int_eq(sysgenid_confirm(g, 6), 0);
	ck_assert_int_eq(sysgenid_track(g, true), 0);
	ck_assert(fake_tracked(sysgenid_get_fd(g)));

	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.generation, 6);
	ck_assert_uint_eq(i.features, 0);
	ck_assert_uint_eq(i.handle, SYSGENID_HANDLE_OLD_DRIVER |
					    SYSGENID_HANDLE_WRITABLE);

	ck_assert_int_eq(sysgenid_declare(g, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_trigger(g, 6, NULL, 0, &generation),
			 -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_wait_watchers(g, 6, 0, NULL, NULL),
			 -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w, sizeof(w),
						&count, NULL),
			 -EOPNOTSUPP);

	fake.open_rw_errno = EACCES;
	reopen();
	ck_assert_int_eq(sysgenid_confirm(g, 6), -EACCES);
	ck_assert_int_eq(sysgenid_track(g, true), -EACCES);
}
END_TEST

/* The child shares the parent's open file, and must leave it alone. */
START_TEST(child)
{
	unsigned int calls = fake.calls;

	fake_fork();
	for (int which = 0; which < EACH_CALL; which++)
		ck_assert_int_eq(each_call(g, which), -ECHILD);
	ck_assert_uint_eq(fake.calls, calls);
	ck_assert(!sysgenid_changed(sysgenid_get_view(g), 5));
	sysgenid_close(g);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(each_call_fails)
{
	unsigned int failures = 0;

	for (int which = 0; which < EACH_CALL; which++) {
		for (unsigned int n = 1;; n++) {
			int r;

			fake.calls = 0;
			fake.failed = false;
			fake.fail_at = n;
			fake.fail_errno = EIO;
			r = each_call(g, which);
			if (!fake.failed)
				break;
			failures++;
			ck_assert_int_eq(r, -EIO);
		}
		/* A trigger that went through has changed it. */
		fake.page->generation = 5;
		fake.fail_at = 0;
		reopen();
	}
	/*
	 * read and get_info: one. wait: read, fstat and confirm, poll, read. The
	 * others: fstat and the command.
	 */
	ck_assert_uint_eq(failures, 2 + 5 + 8 * 2);
	sysgenid_close(g);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(impossible_answers)
{
	fake.ioctl_positive = 1;
	for (int which = 0; which < EACH_CALL; which++)
		ck_assert_int_eq(each_call(g, which), -ENODEV);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		read_is_truthful,
		confirm_asks_by_ioctl,
		confirm_without_write_access,
		track,
		declare,
		trigger,
		trigger_least,
		wait_watchers,
		gate,
		list_watchers,
		list_watchers_refuses,
		list_watchers_of_a_liar,
		info,
		old_driver,
		child,
		each_call_fails,
		impossible_answers,
	};

	return RUN_TESTS("calls", tests, setup);
}
