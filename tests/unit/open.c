// SPDX-License-Identifier: MIT
/* What sysgenid_open() makes of each kind of driver, and what it leaves behind. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "fake.h"
#include "sandbox.h"
#include "suite.h"

static struct sysgenid *opened(void)
{
	struct sysgenid *g = NULL;

	ck_assert_int_eq(sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					     FAKE_FOLDER, 0),
			 0);
	ck_assert_ptr_nonnull(g);
	return g;
}

static void closed(struct sysgenid *g)
{
	errno = EXDEV;
	sysgenid_close(g);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert(fake_is_clean());
}

static void open_gives(int expected)
{
	struct sysgenid *g = (struct sysgenid *)&open_gives;

	ck_assert_int_eq(sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					     FAKE_FOLDER, 0),
			 expected);
	ck_assert_ptr_null(g);
	ck_assert(fake_is_clean());
}

static void assert_counter_mode(const struct sysgenid *g)
{
	const struct sysgenid_view *v = sysgenid_get_view(g);
	/* The page, as mapped by the library. */
	const char *page = (const char *)v->generation;

	ck_assert(!sysgenid_is_exact(g));
	ck_assert_ptr_eq(v->hardware_id, v->recorded_id);
	ck_assert_ptr_eq((const char *)v->hardware_id,
			 page + offsetof(struct sysgenid_page, no_id));
	ck_assert(!sysgenid_changed(v, fake.page->generation));
	ck_assert(sysgenid_changed(v, fake.page->generation + 1));
}

START_TEST(exact)
{
	struct sysgenid *g = opened();
	const struct sysgenid_view *v = sysgenid_get_view(g);

	ck_assert(sysgenid_is_exact(g));
	ck_assert(fake_writable(sysgenid_get_fd(g)));
	ck_assert_int_eq(fake.open_files, 2);
	ck_assert_int_eq(fake.mappings, 4);
	ck_assert(!sysgenid_changed(v, 5));
	fake.hardware_id[1]++;
	ck_assert(sysgenid_changed(v, 5));
	fake_publish();
	fake.record->id[1]++;
	ck_assert(sysgenid_changed(v, 5));
	ck_assert(!sysgenid_changed(v, 6));
	closed(g);
}
END_TEST

/* An ordinary user has no access to the VM generation id, and to vmclock has. */
START_TEST(exact_by_vmclock_without_access_to_the_id)
{
	const struct sysgenid_view *v;
	struct sysgenid_info info;
	struct sysgenid *g;

	fake.page->features |= SYSGENID_FEATURE_VMCLOCK_PAGE;
	fake.hw_open_errno = EACCES;
	g = opened();
	v = sysgenid_get_view(g);
	ck_assert(sysgenid_is_exact(g));
	ck_assert_int_eq(fake.mappings, 4);
	ck_assert_int_eq(sysgenid_get_info(g, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.handle & (SYSGENID_HANDLE_EXACT |
					 SYSGENID_HANDLE_VMCLOCK),
			  SYSGENID_HANDLE_EXACT | SYSGENID_HANDLE_VMCLOCK);
	ck_assert(!sysgenid_changed(v, 5));
	fake.hardware_id[1]++;
	ck_assert(!sysgenid_changed(v, 5));
	++*fake.counter;
	ck_assert(sysgenid_changed(v, 5));
	fake_publish();
	fake.clock_record->id[0]++;
	ck_assert(sysgenid_changed(v, 5));
	ck_assert(!sysgenid_changed(v, 6));
	closed(g);
}
END_TEST

START_TEST(id_is_preferred_to_vmclock)
{
	struct sysgenid_info info;
	struct sysgenid *g;

	fake.page->features |= SYSGENID_FEATURE_VMCLOCK_PAGE;
	g = opened();
	ck_assert_int_eq(sysgenid_get_info(g, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.handle & (SYSGENID_HANDLE_EXACT |
					 SYSGENID_HANDLE_VMCLOCK),
			  SYSGENID_HANDLE_EXACT);
	fake.hardware_id[1]++;
	ck_assert(sysgenid_changed(sysgenid_get_view(g), 5));
	closed(g);
}
END_TEST

START_TEST(page_of_vmclock_that_is_refused_leaves_the_counter)
{
	static const int refusals[] = { ENODEV, EBUSY, EOPNOTSUPP };
	struct sysgenid *g;

	fake.page->features |= SYSGENID_FEATURE_VMCLOCK_PAGE;
	fake.hw_open_errno = EACCES;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		fake.vmclock_errno = refusals[i];
		g = opened();
		assert_counter_mode(g);
		closed(g);
	}
	fake.vmclock_errno = ENOMEM;
	ck_assert_int_eq(sysgenid_open_paths(&g, "/dev/sysgenid",
					     "/dev/sysgenid-hw", FAKE_FOLDER,
					     0),
			 -ENOMEM);
	ck_assert(fake_is_clean());
	fake.vmclock_errno = 0;
	fake.clock_record->hw_offset = 0x6c;
	g = opened();
	assert_counter_mode(g);
	closed(g);
}
END_TEST

START_TEST(default_paths)
{
	struct sysgenid *g;

	ck_assert_int_eq(sysgenid_open(&g, 0), 0);
	ck_assert(sysgenid_is_exact(g));
	closed(g);
}
END_TEST

START_TEST(no_hardware_page)
{
	static const int errors[] = { ENOENT, EACCES, EPERM, ENODEV,
				      ENXIO,  EROFS,  EBUSY, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct sysgenid *g;

		fake.hw_open_errno = errors[i];
		g = opened();
		assert_counter_mode(g);
		ck_assert_int_eq(fake.mappings, 2);
		closed(g);
	}
}
END_TEST

/* Who may be exact is not made late for good by a moment without descriptors. */
START_TEST(hardware_page_without_descriptors_or_memory_is_a_failure)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM, EINTR, EIO };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		fake.hw_open_errno = errors[i];
		open_gives(-errors[i]);
	}
}
END_TEST

/* An offset beyond the page would be read far from it. */
START_TEST(senseless_record)
{
	static const struct {
		uint32_t offset, size;
		bool exact;
	} cases[] = {
		{ 0, 24, true },	   { 4080, 24, true },
		{ 4080, 64, true },	   { 4088, 24, false },
		{ 4096, 24, false },	   { 4, 24, false },
		{ 0xfffffff8, 24, false }, { 0, 23, false },
		{ 0, 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sysgenid *g;

		fake.record->hw_offset = cases[i].offset;
		fake.record->size = cases[i].size;
		g = opened();
		ck_assert_int_eq(sysgenid_is_exact(g), cases[i].exact);
		if (!cases[i].exact)
			assert_counter_mode(g);
		closed(g);
	}
}
END_TEST

START_TEST(read_only)
{
	static const int errors[] = { EACCES, EPERM, EROFS };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct sysgenid *g;

		fake.open_rw_errno = errors[i];
		g = opened();
		ck_assert(!fake_writable(sysgenid_get_fd(g)));
		ck_assert_int_eq(sysgenid_track(g, true), -EACCES);
		closed(g);
	}
	fake.open_rw_errno = EMFILE;
	open_gives(-EMFILE);
}
END_TEST

START_TEST(not_openable)
{
	static const struct {
		int error, expected;
	} cases[] = {
		{ ENOENT, -ENOENT }, { EACCES, -EACCES }, { EPERM, -EPERM },
		{ ENXIO, -ENODEV },  { ENODEV, -ENODEV }, { ENOMEM, -ENOMEM },
		{ EISDIR, -ENODEV }, { EMFILE, -EMFILE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake.open_errno = cases[i].error;
		open_gives(cases[i].expected);
	}
}
END_TEST

START_TEST(strangers)
{
	fake.not_char_device = true;
	open_gives(-ENODEV);
	fake.not_char_device = false;

	fake.stranger = true;
	fake.stranger_errno = ENOTTY;
	open_gives(-ENODEV);
	fake.stranger_errno = EINVAL;
	open_gives(-ENODEV);
	/* A sandbox that forbids ioctl(2) is no reason to blame the device. */
	fake.stranger_errno = EPERM;
	open_gives(-EPERM);
	fake.stranger = false;

	fake.ioctl_positive = 1;
	open_gives(-ENODEV);
	fake.ioctl_positive = 0;

	fake.page->magic++;
	open_gives(-ENODEV);
	fake.page->magic--;
	fake.page->size = 63;
	open_gives(-ENODEV);
}
END_TEST

static void become_old_driver(void)
{
	fake.old_driver = true;
	fake.page->magic = 0;
	fake.page->size = 0;
}

START_TEST(old_driver)
{
	struct sysgenid *g;
	unsigned int opens;

	become_old_driver();
	g = opened();
	assert_counter_mode(g);
	opens = fake.count[FAKE_OPEN];
	ck_assert_uint_eq(opens, 2);
	ck_assert(!fake_tracked(sysgenid_get_fd(g)));
	closed(g);
}
END_TEST

/*
 * Each call of an open fails once, in each kind of driver, also at the hardware
 * page.
 */
static void fail_everywhere(bool may_be_exact)
{
	unsigned int n, hardware = 0, other = 0;

	for (n = 1;; n++) {
		struct sysgenid *g = NULL;
		int r;

		fake.calls = 0;
		fake.failed = false;
		fake.fail_at = n;
		fake.fail_errno = EIO;
		r = sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					FAKE_FOLDER, 0);
		if (!fake.failed) {
			fake.fail_at = 0;
			ck_assert_int_eq(r, 0);
			closed(g);
			break;
		}
		if (fake.failed_at_hw)
			hardware++;
		else
			other++;
		if (fake.failed_call == FAKE_CALLOC)
			ck_assert_int_eq(r, -ENOMEM);
		else if (fake.old_driver && fake.failed_call == FAKE_IOCTL &&
			 r != -EIO)
			ck_assert_int_eq(r, -ENODEV);
		else
			ck_assert_int_eq(r, -EIO);
		ck_assert_ptr_null(g);
		/* What cannot be looked at is not closed either. */
		if (fake.failed_at_hw && fake.failed_call == FAKE_FSTAT &&
		    fake.open_files == 1)
			fake.open_files--;
		ck_assert(fake_is_clean());
	}
	fake.fail_at = 0;
	/* calloc, mmap, madvise, open, fstat, ioctl, open, fstat, mmap, fstat */
	ck_assert_uint_ge(other, 10);
	/* open, fstat, mmap, mmap, fstat */
	ck_assert_uint_eq(hardware, may_be_exact ? 5 : 0);
}

START_TEST(each_call_fails)
{
	fail_everywhere(true);
	fake.open_rw_errno = EACCES;
	fail_everywhere(true);
	fake.open_rw_errno = 0;
	become_old_driver();
	fail_everywhere(false);
}
END_TEST

START_TEST(many_handles)
{
	struct sysgenid *a = opened(), *b = opened();

	ck_assert_int_ne(sysgenid_get_fd(a), sysgenid_get_fd(b));
	sysgenid_close(a);
	ck_assert(!sysgenid_changed(sysgenid_get_view(b), 5));
	closed(b);
}
END_TEST

START_TEST(child)
{
	struct sysgenid *g;
	int status;
	pid_t pid;

	fake.pid = 0;
	g = opened();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		uint32_t generation;
		bool ok = !sysgenid_changed(sysgenid_get_view(g), 5) &&
			  sysgenid_changed(sysgenid_get_view(g), 4) &&
			  sysgenid_read(g, &generation) == -ECHILD;

		sysgenid_close(g);
		ok = ok && fake_is_clean();
		if (!sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					 FAKE_FOLDER, 0))
			ok = ok && !sysgenid_read(g, &generation);
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	closed(g);
}
END_TEST

/* Pid 1 of a pid namespace has a child that is pid 1 of another. */
START_TEST(child_with_the_same_pid)
{
	struct sysgenid *g;
	uint32_t generation;
	int status;
	pid_t pid;

	if (geteuid())
		return;
	fake.pid = 0;
	/* This process stays as it is: LeakSanitizer cannot clone after unshare(2). */
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(0);
		pid = fork();
		if (pid)
			_exit(waitpid(pid, &status, 0) == pid && !status ? 0 :
									   5);
		if (getpid() != 1 || unshare(CLONE_NEWPID))
			_exit(2);
		g = opened();
		pid = fork();
		if (!pid)
			_exit(getpid() == 1 && sysgenid_read(g, &generation) ==
						       -ECHILD ?
				      0 :
				      1);
		if (waitpid(pid, &status, 0) != pid || status)
			_exit(3);
		_exit(sysgenid_read(g, &generation) ? 4 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(before_linux_4_14_the_pid_tells)
{
	struct sysgenid *g;
	uint32_t generation;

	fake.no_wipe = true;
	g = opened();
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	fake_fork();
	ck_assert_int_eq(sysgenid_read(g, &generation), -ECHILD);
	closed(g);
}
END_TEST

START_TEST(fork_mark_can_be_recognised)
{
	struct sysgenid *g = opened();
	uint32_t generation;

	/* No system call but the question itself. */
	fake.pid++;
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_mem_eq(g->fork_mark, "SGIDFORK", 8);
	*g->fork_mark = 0;
	ck_assert_int_eq(sysgenid_read(g, &generation), -ECHILD);
	closed(g);
}
END_TEST

START_TEST(node_elsewhere)
{
	char path[PATH_MAX + 1];
	struct sysgenid *g;

	ck_assert_int_eq(sysgenid_open_at(&g, FAKE_PATH, 0), 0);
	/* FAKE_HW_PATH is that with "-hw". */
	ck_assert(sysgenid_is_exact(g));
	closed(g);
	ck_assert_int_eq(sysgenid_open_at(&g, "/nonexistent", 0), -ENOENT);
	ck_assert_ptr_null(g);
	ck_assert_int_eq(sysgenid_open_at(&g, "/dev/null", 0), -ENODEV);
	ck_assert_int_eq(sysgenid_open_at(&g, NULL, 0), -EINVAL);
	ck_assert_int_eq(sysgenid_open_at(NULL, FAKE_PATH, 0), -EINVAL);
	ck_assert_int_eq(sysgenid_open_at(&g, FAKE_PATH, SYSGENID_OPEN_SOFT),
			 -EINVAL);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	ck_assert_int_eq(sysgenid_open_at(&g, path, 0), -ENAMETOOLONG);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(library_is_of_the_headers_version)
{
	ck_assert_uint_eq(sysgenid_version(), LIBSYSGENID_VERSION);
}
END_TEST

START_TEST(sandboxed_child)
{
	struct sysgenid *g;

	if (is_instrumented())
		return;
	g = opened();
	check_in_sandbox(sysgenid_get_view(g));
	closed(g);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		exact,
		exact_by_vmclock_without_access_to_the_id,
		id_is_preferred_to_vmclock,
		page_of_vmclock_that_is_refused_leaves_the_counter,
		default_paths,
		no_hardware_page,
		senseless_record,
		read_only,
		not_openable,
		strangers,
		old_driver,
		hardware_page_without_descriptors_or_memory_is_a_failure,
		child_with_the_same_pid,
		before_linux_4_14_the_pid_tells,
		fork_mark_can_be_recognised,
		node_elsewhere,
		library_is_of_the_headers_version,
		child,
		many_handles,
		each_call_fails,
		sandboxed_child,
	};

	return RUN_TESTS("open", tests, fake_start);
}
