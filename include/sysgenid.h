/* SPDX-License-Identifier: MIT */
/*
 * libsysgenid: learn that this machine has woken as a clone of itself.
 *
 * A function that returns int gives 0, or -errno. NULL where a pointer is
 * needed is -EINVAL. libsysgenid(3) has the rules for threads and fork(2).
 */
#ifndef SYSGENID_H
#define SYSGENID_H

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#include <sysgenid/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Stands before every inline function. lib/inline-twins.c defines it otherwise,
 * and so exports a real symbol of each for languages that cannot inline C.
 * C++20 modules cannot export what is static.
 */
#ifndef SYSGENID_INLINE
#if defined(__cplusplus) && __cplusplus >= 202002L
#define SYSGENID_INLINE inline
#else
#define SYSGENID_INLINE static inline
#endif
#endif

/*
 * The version of this header, and sysgenid_version() that of the library that
 * the program runs with: 0x00MMmmpp. libsysgenid(3) says what is kept in 0.x.
 */
#define LIBSYSGENID_VERSION_MAJOR 0
#define LIBSYSGENID_VERSION_MINOR 2
#define LIBSYSGENID_VERSION_PATCH 0
#define LIBSYSGENID_VERSION                          \
	((uint32_t)LIBSYSGENID_VERSION_MAJOR << 16 | \
	 LIBSYSGENID_VERSION_MINOR << 8 | LIBSYSGENID_VERSION_PATCH)
uint32_t sysgenid_version(void);

struct sysgenid;

/*
 * Each handle has a private page that is marked MADV_WIPEONFORK, and is zero in
 * a child. The page begins with these 8 bytes: "SGIDFORK" in memory, little
 * endian. A tool that copies processes can clear the bytes in the copy. Calls in
 * the copy then give -ECHILD, and the program opens a handle anew.
 */
#define SYSGENID_FORK_MAGIC ((uint64_t)0x4b524f46 << 32 | 0x44494753)

/*
 * Pages of the kernel's, which nobody can write to. The pages stay where they
 * are, in children too, until sysgenid_close(). Each id has 16 bytes.
 * Either it is the VM generation id, or the counter of vmclock with 8 zeros behind.
 * Without access to either page both name the same zeros.
 */
struct sysgenid_view {
	const uint32_t *generation;
	const uint64_t *hardware_id;
	const uint64_t *recorded_id;
};

/* In sysgenid_info.handle. */
#define SYSGENID_HANDLE_EXACT	   (1u << 0) /* see sysgenid_is_exact() */
#define SYSGENID_HANDLE_WRITABLE   (1u << 1) /* may be tracked */
#define SYSGENID_HANDLE_OLD_DRIVER (1u << 2) /* a SysGenID v6-v8 driver */
#define SYSGENID_HANDLE_SOFT	   (1u << 3) /* a publisher's page file */
#define SYSGENID_HANDLE_VMCLOCK	   (1u << 4) /* exact by vmclock's counter */

/*
 * The members have the meaning of those of struct sysgenid_get_args. With an old
 * driver only @generation and @handle are known, and the others 0. With a page
 * file there are no watchers, and nothing is confirmed.
 */
struct sysgenid_info {
	uint64_t features;
	uint64_t time;
	uint32_t generation;
	uint32_t flags;
	uint32_t source;
	uint32_t sources;
	uint32_t confirmed;
	uint32_t watchers;
	uint32_t outdated;
	uint32_t handle;
	uint8_t instance_id[SYSGENID_INSTANCE_SIZE];
};

/*
 * For sysgenid_open(): where there is no device, the page file of a publisher
 * will do, which promises less. Never exact; sysgenid_read() knows what the
 * publisher was told; sysgenid_wait() looks every 10 ms; what takes a driver is
 * -EOPNOTSUPP. Calls that make a system call are -EOWNERDEAD without a living
 * publisher.
 */
#define SYSGENID_OPEN_SOFT (1u << 0)

/*
 * The page file: a struct sysgenid_page on tmpfs. The file and its directory are
 * root's, and nobody else can write to them. A publisher holds a write lock
 * (F_OFD_SETLK) while it keeps the file up to date, and takes the lock before the
 * file gets this name.
 */
#define SYSGENID_SOFT_FOLDER "/run/sysgenid"
#define SYSGENID_SOFT_PAGE   "page"

/*
 * Opens /dev/sysgenid, and /dev/sysgenid-hw where that is permitted. @flags:
 * 0, or SYSGENID_OPEN_SOFT. Fails with -ENOENT: no such device. Fails with
 * -ENODEV: not a sysgenid device, or the page file is not to be trusted or has
 * no publisher.
 */
int sysgenid_open(struct sysgenid **out, unsigned int flags);
/*
 * The same with another node, @path, in a container or for a test. The node of
 * the hardware page is @path with "-hw" behind. @flags: 0.
 */
int sysgenid_open_at(struct sysgenid **out, const char *path,
		     unsigned int flags);
/*
 * Keeps errno; does nothing for NULL. A descriptor of the handle whose number
 * the program has closed, and opened another file by, stays open.
 */
void sysgenid_close(struct sysgenid *g);

/*
 * Readable while the current generation is not confirmed. The descriptor belongs
 * to the handle: do not close it, and do not read from it. After such a close the
 * number may mean another file, and the calls give -EBADF. Then close the handle,
 * and open another. Gives -EOPNOTSUPP with a page file: nothing could wake who polls the
 * descriptor.
 */
int sysgenid_get_fd(const struct sysgenid *g);
/* NULL for NULL. May be copied; the pages live as long as the handle. */
const struct sysgenid_view *sysgenid_get_view(const struct sysgenid *g);
/*
 * Whether sysgenid_changed() sees a resume from the first instruction on. If
 * not, it sees it once the kernel has handled it, some milliseconds late.
 *
 * With SYSGENID_HANDLE_VMCLOCK in sysgenid_info.handle it sees the resumes that
 * raise the generation counter of vmclock, and else those that change the VM
 * generation id. If only the other one changes, "no" may be stale until the
 * kernel has handled the resume.
 */
bool sysgenid_is_exact(const struct sysgenid *g);

/* The current generation; true at once after a resume, and never sleeps. */
int sysgenid_read(struct sysgenid *g, uint32_t *generation);
/*
 * Sleeps until the current generation is not @seen, and returns it. A
 * @timeout_ms of 0 only looks, a negative one is none. -ETIMEDOUT; -EINTR.
 */
int sysgenid_wait(struct sysgenid *g, uint32_t seen, int timeout_ms,
		  uint32_t *generation);
/* "I have adjusted to @generation." -ESTALE: another one is current. */
int sysgenid_confirm(struct sysgenid *g, uint32_t generation);
/* Asks to be waited for by sysgenid_wait_watchers(), or no longer. */
int sysgenid_track(struct sysgenid *g, bool on);
/*
 * "What I hold in memory is from @generation", not from the moment of the open.
 * @flags: 0, or SYSGENID_DECLARE_UNKNOWN if that is unknown.
 */
int sysgenid_declare(struct sysgenid *g, uint32_t generation,
		     unsigned int flags);

/*
 * If the current generation is @expected, mixes @entropy into the kernel's
 * random generator and publishes the next one; else -ESTALE. Either way
 * @generation is the one that is current then.
 */
int sysgenid_trigger(struct sysgenid *g, uint32_t expected, const void *entropy,
		     size_t entropy_len, uint32_t *generation);
/*
 * As sysgenid_trigger(), but the generation becomes @least if the next one would
 * be below. Programs restored from an image have seen @least - 1. The errors:
 * -ERANGE: @least is 0xffffffff, or 2^31 or more above the current generation.
 * -E2BIG: the driver cannot take it.
 */
int sysgenid_trigger_least(struct sysgenid *g, uint32_t expected,
			   uint32_t least, const void *entropy,
			   size_t entropy_len, uint32_t *generation);
/*
 * Sleeps until every tracked watcher has confirmed @generation. A @timeout_ns
 * of 0 only looks, a negative one is none. With 0, -ESTALE (another generation
 * is current), -EDEADLK (this handle is itself outdated) and -ETIMEDOUT, too,
 * @current and @outdated (each may be NULL) come back.
 */
int sysgenid_wait_watchers(struct sysgenid *g, uint32_t generation,
			   int64_t timeout_ns, uint32_t *current,
			   uint32_t *outdated);
/*
 * Tracked watchers that are outdated, or with SYSGENID_LIST_ALL all of them.
 * The @cursor is 0 at first, and 0 again when there are no more. The @count is
 * the room in @entries, then how many came. The @entry_size is
 * sizeof(*entries). The @generation, the one that the answer is about, may be
 * NULL.
 */
int sysgenid_list_watchers(struct sysgenid *g, unsigned int flags,
			   uint64_t *cursor, struct sysgenid_watcher *entries,
			   size_t entry_size, unsigned int *count,
			   uint32_t *generation);
/*
 * SYSGENID_GATE, see there: @gate is its structure, in and out, but for the size,
 * which is filled in here. With an error, too, what the gate is comes back where the
 * kernel says so. -EINVAL: a driver without a gate, too.
 */
int sysgenid_gate(struct sysgenid *g, struct sysgenid_gate_args *gate);
/* @size is sizeof(*info). */
int sysgenid_get_info(struct sysgenid *g, struct sysgenid_info *info,
		      size_t size);

/*
 * Whether the generation may be another than @seen, which came from one of the
 * calls above. "No" means: no resume lies between that call and this one. "Yes"
 * means: undo, ask sysgenid_read(), and do it again. In counter mode the "no"
 * may be stale until the kernel has handled the resume: see
 * sysgenid_is_exact().
 *
 * The order of the loads is the point. The module stores the generation, then
 * (smp_wmb in publish) the record of the id it belongs to. Whoever loads a
 * word of the new record, and after it (acquire) the generation, gets the new
 * generation. Whoever loads the old record, and after it (acquire) the hardware
 * id of a resumed machine, finds that they differ.
 *
 * The fences bind the compiler alone: what the caller did before stays before,
 * and what it does next stays behind. The processor needs none, as a machine is
 * stopped between two instructions of each of its processors.
 */
SYSGENID_INLINE bool sysgenid_changed(const struct sysgenid_view *v,
				      uint32_t seen)
{
#if __SIZEOF_LONG__ >= 8
	const uint64_t *r = v->recorded_id;
	const uint64_t *h = v->hardware_id;
	uint64_t recorded[2], hardware[2], differs;
#else
	/* 8-byte loads may need locks here. Halves do as well: any one tells. */
	typedef uint32_t __attribute__((__may_alias__)) half;
	const half *r = (const half *)v->recorded_id;
	const half *h = (const half *)v->hardware_id;
	uint32_t recorded[4], hardware[4], differs;
#endif
	const uint32_t *g = v->generation;
	uint32_t generation;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	recorded[0] = __atomic_load_n(&r[0], __ATOMIC_ACQUIRE);
	recorded[1] = __atomic_load_n(&r[1], __ATOMIC_ACQUIRE);
#if __SIZEOF_LONG__ < 8
	recorded[2] = __atomic_load_n(&r[2], __ATOMIC_ACQUIRE);
	recorded[3] = __atomic_load_n(&r[3], __ATOMIC_ACQUIRE);
#endif
	hardware[0] = __atomic_load_n(&h[0], __ATOMIC_ACQUIRE);
	hardware[1] = __atomic_load_n(&h[1], __ATOMIC_ACQUIRE);
#if __SIZEOF_LONG__ < 8
	hardware[2] = __atomic_load_n(&h[2], __ATOMIC_ACQUIRE);
	hardware[3] = __atomic_load_n(&h[3], __ATOMIC_ACQUIRE);
#endif
	generation = __atomic_load_n(g, __ATOMIC_ACQUIRE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);

	differs = (recorded[0] ^ hardware[0]) | (recorded[1] ^ hardware[1]);
#if __SIZEOF_LONG__ < 8
	differs |= (recorded[2] ^ hardware[2]) | (recorded[3] ^ hardware[3]);
#endif
	return (differs | (generation ^ seen)) != 0;
}

#ifdef __cplusplus
}
#endif

#endif /* SYSGENID_H */
