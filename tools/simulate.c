// SPDX-License-Identifier: MIT
/*
 * sysgenidctl simulate: a command in namespaces of its own, with a page file of
 * its own. Programs that open the library with SYSGENID_OPEN_SOFT see a clone
 * there, without a virtual machine and without root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "page.h"
#include "sysgenidctl.h"

#define RUN "/run"
/* In a simulation alone. Locked by who publishes. */
#define MARK SYSGENID_SOFT_FOLDER "/simulated"

static int refuse(int code, const char *why)
{
	fprintf(stderr, "sysgenidctl: simulate: %s\n", why);
	return code;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text), written;
	int r;

	if (fd < 0)
		return -errno;
	written = write(fd, text, (size_t)len);
	r = written == len ? 0 : written < 0 ? -errno : -EIO;
	close(fd);
	return r;
}

/* The caller is root in there, and owns what it makes under its own name. */
static int enter_namespaces(void)
{
	unsigned int uid = geteuid(), gid = getegid();
	char text[32];
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	/* Without this the kernel lets nobody but root map groups. */
	r = write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (!r)
		r = write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	if (!r)
		r = write_file("/proc/self/gid_map", text);
	if (!r && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		r = -errno;
	return r;
}

static int bind_file(const char *from, const char *to, bool is_dir)
{
	int fd;

	if (is_dir) {
		if (mkdir(to, 0755))
			return -errno;
	} else {
		fd = open(to, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL) ? -errno : 0;
}

/* Puts one entry of the /run of before, @dir, into the new one. */
static int keep_entry(int dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t len;
	int r;

	snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", dir, name);
	snprintf(to, sizeof(to), RUN "/%s", name);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		r = -errno;
	else if (S_ISLNK(st.st_mode)) {
		len = readlinkat(dir, name, target, sizeof(target) - 1);
		if (len < 0)
			return -errno;
		target[len] = '\0';
		r = symlink(target, to) ? -errno : 0;
	} else {
		r = bind_file(from, to, S_ISDIR(st.st_mode));
	}
	/* Gone meanwhile. */
	return r == -ENOENT ? 0 : r;
}

static int mount_tmpfs(const char *at)
{
	return mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") ?
		       -errno :
		       0;
}

/* Nobody but root can make a directory in /run: another /run, with all that was in there. */
static int replace_run(void)
{
	DIR *before = opendir(RUN);
	struct dirent *entry;
	int r;

	if (!before)
		return -errno;
	r = mount_tmpfs(RUN);
	while (!r) {
		errno = 0;
		entry = readdir(before);
		if (!entry) {
			r = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			r = keep_entry(dirfd(before), entry->d_name);
	}
	closedir(before);
	return r;
}

static int make_folder(void)
{
	struct stat st;

	if (!lstat(SYSGENID_SOFT_FOLDER, &st))
		return S_ISDIR(st.st_mode) ? mount_tmpfs(SYSGENID_SOFT_FOLDER) :
					     -ENOTDIR;
	return errno == ENOENT ? replace_run() : -errno;
}

static int make_mark(void)
{
	int fd = open(MARK, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* One at a time: a generation is read, and then stored. */
static int publish_alone(const struct page_file *f, uint32_t *generation)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(MARK, O_RDWR | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	while (fcntl(fd, F_OFD_SETLKW, &lock) && !r)
		r = errno == EINTR ? 0 : -errno;
	if (!r)
		*generation = page_publish(f);
	close(fd);
	return r;
}

static int make_clone(bool json)
{
	struct page_file f;
	uint32_t generation;
	int r;

	if (access(MARK, F_OK))
		return refuse(
			FAILED,
			"this is no simulation; --clone is for a program within \"sysgenidctl simulate -- COMMAND\"");
	r = page_attach(&f, SYSGENID_SOFT_FOLDER);
	if (!r) {
		r = publish_alone(&f, &generation);
		page_detach(&f);
	}
	if (r)
		return complain(r, "simulate: " SYSGENID_SOFT_FOLDER);
	printf(json ? "{\"generation\": %" PRIu32 "}\n" : "%" PRIu32 "\n",
	       generation);
	return flush_output();
}

static pid_t start(char **command, const sigset_t *mask)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, mask, NULL);
		execvp(command[0], command);
		fprintf(stderr, "sysgenidctl: simulate: %s: %s\n", command[0],
			strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	return pid;
}

/* Until the command ends: its status as a shell has it, or -errno. */
static int attend(pid_t pid, const struct page_file *f, int every_ms,
		  const sigset_t *signals)
{
	struct timespec every = { .tv_sec = every_ms / 1000,
				  .tv_nsec = every_ms % 1000 * 1000000L };
	uint32_t generation;

	for (;;) {
		int number =
			sigtimedwait(signals, NULL, every_ms ? &every : NULL);
		int late = number < 0 && errno == EAGAIN, status;
		pid_t ended = waitpid(pid, &status, WNOHANG);

		if (ended < 0)
			return -errno;
		if (ended)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
						     WEXITSTATUS(status);
		/* What a terminal sends the command gets as well. */
		if (number == SIGTERM || number == SIGHUP)
			kill(pid, number);
		if (late) {
			int r = publish_alone(f, &generation);

			if (r)
				complain(r, "simulate: " MARK);
		}
	}
}

static int run(char **command, int every_ms)
{
	static const int numbers[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT,
				       SIGQUIT };
	struct page_file f;
	sigset_t signals, before;
	pid_t pid;
	int r = page_create(&f, SYSGENID_SOFT_FOLDER);

	if (r)
		return complain(r, "simulate: " SYSGENID_SOFT_FOLDER);
	r = make_mark();
	if (!r) {
		sigemptyset(&signals);
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
			sigaddset(&signals, numbers[i]);
		sigprocmask(SIG_BLOCK, &signals, &before);
		pid = start(command, &before);
		r = pid < 0 ? -errno : attend(pid, &f, every_ms, &signals);
	}
	page_remove(&f);
	return r < 0 ? complain(r, "simulate") : r;
}

static int simulate(char **command, int every_ms)
{
	int r;

	if (!access(SYSGENID_DEVICE, F_OK))
		return refuse(
			FAILED,
			"there is " SYSGENID_DEVICE
			", which the command would use; clone this machine instead");
	r = enter_namespaces();
	if (r == -EPERM || r == -EACCES || r == -ENOSPC)
		return refuse(
			NOT_PERMITTED,
			"no user namespace for you: try it as root, or see the sysctls kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces");
	if (r)
		return complain(r, "simulate: user namespace");
	r = make_folder();
	if (r)
		return complain(r, "simulate: mounts on " RUN);
	return run(command, every_ms);
}

int cmd_simulate(int argc, char **argv)
{
	static const struct option options[] = {
		{ "clone", no_argument, NULL, 'c' },
		{ "every", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool clone = false, json = false;
	int c, every_ms = 0;

	/* The command's options are its own. */
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'c')
			clone = true;
		else if (c == 'j')
			json = true;
		else if (c != 'e' || !parse_seconds(optarg, &every_ms))
			return USAGE;
		else if (every_ms == 0)
			return complain_usage("--every: more than 0 is needed");
	}
	if (clone && every_ms)
		return complain_usage("--clone and --every exclude each other");
	if (clone)
		return no_operands(argc, argv) ? make_clone(json) : USAGE;
	if (json)
		return complain_usage("--json goes with --clone");
	if (optind == argc)
		return complain_usage("simulate: no command");
	return simulate(argv + optind, every_ms);
}
