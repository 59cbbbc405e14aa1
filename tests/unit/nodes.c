// SPDX-License-Identifier: MIT
/* sysgenid_open() on what is there and on what is not; nothing is faked. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "suite.h"

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void open_gives(const char *path, int expected)
{
	struct sysgenid *g = (struct sysgenid *)&open_gives;
	int before = open_files();

	ck_assert_int_eq(sysgenid_open_paths(&g, path, "/nonexistent",
					     "/nonexistent", 0),
			 expected);
	ck_assert_ptr_null(g);
	ck_assert_int_eq(open_files(), before);
}

START_TEST(no_device)
{
	struct sysgenid *g;

	open_gives("/nonexistent", -ENOENT);
	if (access(SYSGENID_DEVICE, F_OK)) {
		ck_assert_int_eq(sysgenid_open(&g, 0), -ENOENT);
		if (access(SYSGENID_SOFT_FOLDER, F_OK))
			ck_assert_int_eq(sysgenid_open(&g, SYSGENID_OPEN_SOFT),
					 -ENOENT);
	}
}
END_TEST

START_TEST(other_char_devices)
{
	open_gives("/dev/null", -ENODEV);
	open_gives("/dev/zero", -ENODEV);
	open_gives("/dev/full", -ENODEV);
	open_gives("/dev/urandom", -ENODEV);
}
END_TEST

START_TEST(not_a_device)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/sysgenid-XXXXXX", path[64];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	open_gives(folder, -ENODEV);

	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	close(fd);
	open_gives(path, -ENODEV);
	unlink(path);

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	open_gives(path, -ENODEV);
	unlink(path);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	open_gives(path, -ENODEV);
	close(fd);
	unlink(path);

	ck_assert_int_eq(symlink(path, path), 0);
	open_gives(path, -ELOOP);
	unlink(path);
	rmdir(folder);
}
END_TEST

START_TEST(unreadable)
{
	char path[] = "/tmp/sysgenid-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0), 0);
	close(fd);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	open_gives(path, -EACCES);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	unlink(path);
}
END_TEST

START_TEST(bad_arguments)
{
	struct sysgenid *g;

	ck_assert_int_eq(sysgenid_open(NULL, 0), -EINVAL);
	ck_assert_int_eq(sysgenid_open(NULL, SYSGENID_OPEN_SOFT), -EINVAL);
	for (unsigned int bit = 1; bit < 32; bit++)
		ck_assert_int_eq(sysgenid_open(&g, 1u << bit), -EINVAL);
}
END_TEST

START_TEST(null_handle)
{
	struct sysgenid_watcher entry;
	struct sysgenid_info info;
	unsigned int count = 1;
	uint32_t generation;
	uint64_t cursor = 0;

	errno = EXDEV;
	sysgenid_close(NULL);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(sysgenid_get_fd(NULL), -EINVAL);
	ck_assert_ptr_null(sysgenid_get_view(NULL));
	ck_assert(!sysgenid_is_exact(NULL));
	ck_assert_int_eq(sysgenid_read(NULL, &generation), -EINVAL);
	ck_assert_int_eq(sysgenid_wait(NULL, 0, 0, &generation), -EINVAL);
	ck_assert_int_eq(sysgenid_confirm(NULL, 0), -EINVAL);
	ck_assert_int_eq(sysgenid_track(NULL, true), -EINVAL);
	ck_assert_int_eq(sysgenid_declare(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(sysgenid_trigger(NULL, 0, "x", 1, &generation),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_wait_watchers(NULL, 0, 0, NULL, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_list_watchers(NULL, 0, &cursor, &entry,
						sizeof(entry), &count, NULL),
			 -EINVAL);
	ck_assert_int_eq(sysgenid_get_info(NULL, &info, sizeof(info)), -EINVAL);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		no_device,  other_char_devices, not_a_device,
		unreadable, bad_arguments,	null_handle,
	};

	return RUN_TESTS("nodes", tests, NULL);
}
