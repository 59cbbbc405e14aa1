// SPDX-License-Identifier: MIT
/* Mappings: of what may be mapped and what may not, and what is done to them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

static struct map *map_of(struct world *w, uint32_t raw)
{
	return &w->maps[raw % MAPS];
}

static void drop(struct world *w, struct map *map)
{
	if (!map->at)
		return;
	if (munmap(map->at, PAGE))
		wrong(w, "munmap: %s", strerror(errno));
	file_put(w, map->file);
	map->at = NULL;
}

static void check_failed(struct world *w, const char *what, long got)
{
	static const int errors[] = { EACCES, EAGAIN,	  EBADF,     EEXIST,
				      EFAULT, EINVAL,	  ENODEV,    ENOMEM,
				      ENXIO,  EOPNOTSUPP, EOVERFLOW, EPERM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (got == -errors[i])
			return;
	wrong(w, "%s gives %#lx, where it has to fail", what, got);
}

/* Old programs whose reads are executions are not among ours. */
static bool may_map(const struct file *f, size_t len, int prot, int flags,
		    uint64_t offset)
{
	bool shared = (flags & MAP_TYPE) == MAP_SHARED ||
		      (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;

	if (!f || f->path_only || !f->readable || !len || len > PAGE ||
	    prot & (PROT_WRITE | PROT_EXEC))
		return false;
	return f->node == GENERATION ? !offset :
				       shared && (!offset || offset == PAGE);
}

/* map, slot, how long, protection, flags, offset */
void op_map(struct world *w, const struct op *op)
{
	static const size_t lengths[] = {
		PAGE,	  PAGE,		  PAGE,	    4,	      1,
		0,	  PAGE + 1,	  2 * PAGE, 1u << 30, (size_t)1 << 46,
		SIZE_MAX, SIZE_MAX - PAGE
	};
	static const int protections[] = { PROT_READ,  PROT_READ,
					   PROT_READ,  PROT_NONE,
					   PROT_WRITE, PROT_READ | PROT_WRITE,
					   PROT_EXEC,  PROT_READ | PROT_EXEC };
	static const int flags_of[] = { MAP_SHARED,
					MAP_SHARED,
					MAP_SHARED,
					MAP_PRIVATE,
					MAP_SHARED_VALIDATE,
					MAP_SHARED | MAP_POPULATE,
					MAP_SHARED | MAP_LOCKED,
					MAP_PRIVATE | MAP_POPULATE };
	static const uint64_t offsets[] = { 0,
					    0,
					    0,
					    PAGE,
					    PAGE,
					    2 * PAGE,
					    1,
					    0x7ffffffffffff000,
					    -(uint64_t)PAGE };
	struct slot *s = slot(w, op->a[1]);
	struct map *map = map_of(w, op->a[0]);
	size_t len = lengths[op->a[2] % 12];
	int prot = protections[op->a[3] % 8], flags = flags_of[op->a[4] % 8];
	uint64_t offset = offsets[op->a[5] % 9];
	long got;

	if (s->file && s->file->node == OTHER)
		return;
	drop(w, map);
	got = CALL(w, SYS_mmap, NULL, len, prot, flags, s->fd, offset);
	if (w->blind) {
		/* Of whatever was there. */
		if (got > 0 && len <= PAGE)
			munmap((void *)got, PAGE);
		return;
	}
	if (!may_map(s->file, len, prot, flags, offset)) {
		check_failed(w, "mmap", got);
		return;
	}
	/* What is locked in memory is limited. */
	if (flags & MAP_LOCKED && got == -EAGAIN)
		return;
	EXPECT(w, got < 0 ? got : 0, "mmap", 0);
	map->at = (void *)got;
	map->file = s->file;
	map->file->refs++;
	map->readable = prot & PROT_READ;
	map->shows = s->file->node == GENERATION ? SHOWS_COUNTER :
		     offset			 ? SHOWS_RECORD :
						   SHOWS_HARDWARE;
}

void op_unmap(struct world *w, const struct op *op)
{
	drop(w, map_of(w, op->a[0]));
}

/* map, protection */
void op_protect(struct world *w, const struct op *op)
{
	static const int protections[] = { PROT_NONE,  PROT_READ,
					   PROT_WRITE, PROT_READ | PROT_WRITE,
					   PROT_EXEC,  PROT_READ | PROT_EXEC };
	struct map *map = map_of(w, op->a[0]);
	int prot = protections[op->a[1] % 6];
	bool refused = prot & (PROT_WRITE | PROT_EXEC);
	long got;

	if (!map->at)
		return;
	got = CALL(w, SYS_mprotect, map->at, PAGE, prot);
	EXPECT(w, got, "mprotect", refused ? -EACCES : 0);
	if (!refused)
		map->readable = prot & PROT_READ;
}

/* map, old length, new length, flags */
void op_remap(struct world *w, const struct op *op)
{
	static const size_t lengths[] = { PAGE, PAGE,	  2 * PAGE,
					  0,	1u << 30, SIZE_MAX };
	/* To give back more than there is would take away what follows. */
	size_t before = op->a[1] % 4 ? PAGE : 0, after = lengths[op->a[2] % 6];
	static const int flags_of[] = { MREMAP_MAYMOVE, 0,
					MREMAP_MAYMOVE | MREMAP_FIXED,
					MREMAP_MAYMOVE | MREMAP_DONTUNMAP };
	struct map *map = map_of(w, op->a[0]);
	int flags = flags_of[op->a[3] % 4];
	void *to = NULL;
	long got;

	if (!map->at)
		return;
	if (flags & MREMAP_FIXED) {
		to = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
		if (after > PAGE)
			after = PAGE;
	}
	got = CALL(w, SYS_mremap, map->at, before, after, flags, to);
	if (before != PAGE || after != PAGE || flags & MREMAP_DONTUNMAP) {
		check_failed(w, "mremap", got);
		/* Fails half way: what was at the new place is gone, and nothing else. */
		if (to)
			munmap(to, PAGE);
		return;
	}
	EXPECT(w, got < 0 ? got : 0, "mremap", 0);
	map->at = (void *)got;
}

/* map, advice */
void op_advise(struct world *w, const struct op *op)
{
	/* None that takes pages away from the machine, or mappings from a child. */
	static const int advice[] = { MADV_DONTNEED,
				      MADV_REMOVE,
				      MADV_FREE,
				      MADV_WILLNEED,
				      MADV_COLD,
				      MADV_PAGEOUT,
				      MADV_HUGEPAGE,
				      MADV_MERGEABLE,
				      MADV_DONTDUMP,
				      MADV_DODUMP,
				      MADV_WIPEONFORK,
				      22 /* POPULATE_READ */,
				      23 /* POPULATE_WRITE */,
				      24 /* DONTNEED_LOCKED */,
				      25,
				      1000,
				      -1 };
	struct map *map = map_of(w, op->a[0]);
	unsigned char there;
	long got;

	if (!map->at)
		return;
	switch (op->a[1] % 20) {
	case 17:
		got = CALL(w, SYS_msync, map->at, PAGE, op->a[2] % 8);
		break;
	case 18:
		got = CALL(w, SYS_mincore, map->at, PAGE, &there);
		break;
	case 19:
		got = CALL(w, op->a[2] % 2 ? SYS_mlock : SYS_munlock, map->at,
			   PAGE);
		break;
	default:
		got = CALL(w, SYS_madvise, map->at, PAGE,
			   advice[op->a[1] % 17]);
		if (advice[op->a[1] % 17] == 23 && got >= 0)
			wrong(w, "MADV_POPULATE_WRITE gives %ld", got);
	}
	(void)got;
}

/* Writes to a mapping by ways that do not ask for its protection. */
void op_poke(struct world *w, const struct op *op)
{
	struct map *map = map_of(w, op->a[0]);
	struct iovec local = { w->memory.at + 0x100, 16 }, remote;
	int fd, ends[2];
	long got;

	if (!map->at)
		return;
	remote = (struct iovec){ map->at, 16 };
	switch (op->a[1] % 5) {
	case 0:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return;
		got = CALL(w, SYS_pwrite64, fd, w->memory.at, 16, map->at);
		close(fd);
		break;
	case 1:
		fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		CALL(w, SYS_pread64, fd, w->memory.at + 0x100, 16, map->at);
		close(fd);
		return;
	case 2:
		got = CALL(w, SYS_process_vm_writev, w->pid, &local, 1, &remote,
			   1, 0);
		break;
	case 3:
		CALL(w, SYS_process_vm_readv, w->pid, &local, 1, &remote, 1, 0);
		return;
	default:
		/* The page outlives the mapping, in a pipe. */
		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
			return;
		CALL(w, SYS_vmsplice, ends[1], &remote, 1, op->a[2] % 16);
		if (op->a[2] % 3 == 0)
			drop(w, map);
		CALL(w, SYS_read, ends[0], w->memory.at + 0x100, 16);
		close(ends[0]);
		close(ends[1]);
		return;
	}
	if (got >= 0)
		wrong(w, "a write to a mapped page succeeds: %ld", got);
}
