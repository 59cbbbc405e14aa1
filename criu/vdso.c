// SPDX-License-Identifier: MIT
/*
 * getrandom(3) of the vDSO keeps a key in memory of the program. The vDSO takes a new
 * one when the number of reseeds in the kernel is not the number in that memory. An
 * image may have any number. So the memory is cleared: the vDSO is made for memory
 * that the kernel drops at any time, also in the middle of a call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vdso.h"

/* States take some pages. Whatever is larger, and may be dropped, is another's cache. */
#define LARGEST (UINT64_C(16) << 20)

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && at[-1] == ' ' && (at[2] == ' ' || at[2] == '\n');
}

/*
 * MAP_DROPPABLE. CRIU before 4.2 does not know that flag. Its restore makes unreserved
 * private memory of it, which fork(2) wipes and core dumps leave out.
 */
static bool is_droppable(const char *flags, bool overcommits_never)
{
	if (has_flag(flags, "dp"))
		return true;
	return has_flag(flags, "wf") && has_flag(flags, "dd") &&
	       (overcommits_never || has_flag(flags, "nr"));
}

bool vdso_next_state(FILE *smaps, bool overcommits_never,
		     struct vdso_range *range)
{
	bool is_memory = false, found = false;
	uint64_t start, end, inode;
	char *line = NULL, kind[5];
	size_t size = 0;

	while (!found && getline(&line, &size, smaps) > 0) {
		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64,
			   &start, &end, kind, &inode) == 4) {
			range->start = start;
			range->end = end;
			is_memory = !inode && !strcmp(kind, "rw-p") &&
				    end - start <= LARGEST;
		} else if (is_memory && !strncmp(line, "VmFlags: ", 9)) {
			found = is_droppable(line, overcommits_never);
		}
	}
	free(line);
	return found;
}

/* Whoever cannot tell expects no flag. */
static bool overcommits_never(void)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
	char mode = '2';

	if (fd >= 0) {
		if (read(fd, &mode, 1) != 1)
			mode = '2';
		close(fd);
	}
	return mode == '2';
}

static int clear(int memory, const struct vdso_range *range)
{
	static const char zeros[4096];
	ssize_t n;

	for (uint64_t at = range->start; at < range->end; at += sizeof(zeros)) {
		n = pwrite(memory, zeros, sizeof(zeros), (off_t)at);
		if (n != sizeof(zeros))
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

int vdso_drop(pid_t pid)
{
	bool never = overcommits_never();
	struct vdso_range range;
	char path[32];
	int memory, r = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "re");
	if (!smaps)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = open(path, O_WRONLY | O_CLOEXEC);
	if (memory < 0)
		r = -errno;
	while (!r && vdso_next_state(smaps, never, &range))
		r = clear(memory, &range);
	/* ESRCH: it is a zombie, and has no memory. */
	if (!r && ferror(smaps) && errno != ESRCH)
		r = -EIO;
	if (memory >= 0)
		close(memory);
	fclose(smaps);
	return r;
}
