/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The interface between sysgenid.ko and programs, in full.
 *
 * The system generation is a u32 that grows by one (0xffffffff is followed
 * by 0) each time this machine wakes as a clone of itself. Compare it with
 * "!=", never with "<".
 *
 * /dev/sysgenid (0644, or 0664 root:sysgenid by udev rule)
 *
 *   The calls of the SysGenID patches v6-v8 and of Amazon Linux behave as they
 *   do there, but for what is marked (*).
 *
 *   open(2)   The new open file is untracked and holds the current generation
 *             as confirmed (see SYSGENID_DECLARE). ENOMEM.
 *   read(2)   Sleeps until the current generation is one that this open file
 *             has not confirmed, then returns it: 4 bytes, native order. The
 *             same value is returned until it is confirmed. EAGAIN with
 *             O_NONBLOCK; EINVAL for 1-3 bytes; 0 for 0 bytes; EFAULT; EINTR.
 *   write(2)  Confirms: exactly 4 bytes, else ENOBUFS, that hold the current
 *             generation, else EINVAL. Returns 4. EFAULT; EBADF without
 *             write access. pread(2) and pwrite(2) do the same, whatever the
 *             offset.
 *   poll(2)   EPOLLIN | EPOLLRDNORM while the current generation is not
 *             confirmed. Never EPOLLOUT.
 *   mmap(2)   Offset 0, at most one page (else EINVAL), of struct
 *             sysgenid_page; or SYSGENID_VMCLOCK_PAGE. EPERM for
 *             PROT_WRITE, and for PROT_EXEC (*) but under READ_IMPLIES_EXEC,
 *             where execution is silently left out; mprotect(2) to either
 *             gives EACCES later.
 *   ioctl(2)  See the commands below. Unknown ones: EINVAL.
 *
 *   An open file is what dup(2), fork(2) and SCM_RIGHTS share, and it lives on
 *   in its mappings: a tracked one should not be mapped.
 *
 *   No call that started after the machine was resumed answers with the
 *   generation from before: each compares the hypervisor's id itself.
 *
 * /dev/sysgenid-hw (0440, root:sysgenid by udev rule)
 *
 *   mmap(2) only: MAP_SHARED, PROT_READ, one page (else EINVAL; EPERM for
 *   PROT_WRITE and PROT_EXEC as above). Offset 0: the page of guest memory in
 *   which the hypervisor keeps the VM generation id, changed before the first
 *   instruction after a resume. Offset one page: struct sysgenid_record. Open,
 *   and mmap of offset 0, give ENODEV where no such page is, EBUSY where the
 *   page holds other data too at that moment (the module parameter
 *   hw_page=force overrides), EOPNOTSUPP where guest memory is encrypted; ENOMEM.
 *
 *   "Unchanged" is: record.id equals the hardware id (all 16 bytes), and then
 *   page.generation equals the one seen, loaded in this order (record, hardware
 *   id, generation), because the module stores the generation before the record.
 */
#ifndef SYSGENID_ABI_H
#define SYSGENID_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SYSGENID_DEVICE	   "/dev/sysgenid"
#define SYSGENID_HW_DEVICE "/dev/sysgenid-hw"

/*
 * Offsets, in pages, for mmap(2) of /dev/sysgenid, MAP_SHARED, by everybody: of
 * the page of vmclock, and of a struct sysgenid_record. The id of that record is the
 * generation counter and the 8 zeros behind the counter. What is said of
 * /dev/sysgenid-hw above holds for this page, too; the module parameter vmclock_page=0
 * gives ENODEV. The page shows how the host's clock runs, and nothing of this machine.
 * EBUSY also where the page is not aligned, or is the device's only in part.
 */
#define SYSGENID_VMCLOCK_PAGE	2
#define SYSGENID_VMCLOCK_RECORD 3

/*
 * Sources: where a new generation came from; (1 << source) in masks. Software is
 * live where the module was told to do with triggers alone (software=1); beside
 * a hardware source triggers work too. The counter of vmclock is the same in all
 * clones of a snapshot: a generation from it brings no entropy, and has no instance
 * id. If both ids changed the source is vmgenid.
 */
#define SYSGENID_SOURCE_NONE	 0 /* none since the module was loaded */
#define SYSGENID_SOURCE_VMGENID	 1 /* VM generation id, of ACPI or a devicetree */
#define SYSGENID_SOURCE_VMFORK	 2 /* reserved; of no driver yet */
#define SYSGENID_SOURCE_SOFTWARE 3 /* a trigger */
#define SYSGENID_SOURCE_VMCLOCK	 4 /* the generation counter of vmclock */

/* Features. */
#define SYSGENID_FEATURE_CALLS	  0x1 /* commands 0x10 to 0x15 */
#define SYSGENID_FEATURE_TRUTHFUL 0x2 /* calls compare a hardware id */
#define SYSGENID_FEATURE_EXACT	  0x4 /* /dev/sysgenid-hw can be mapped */
#define SYSGENID_FEATURE_GATE	  0x8 /* SYSGENID_GATE */
/* /dev/sysgenid maps the page of vmclock */
#define SYSGENID_FEATURE_VMCLOCK_PAGE 0x10

#define SYSGENID_PAGE_MAGIC 0x44494753 /* "SGID" in memory, little endian */

/*
 * The instance id: 16 public bytes, made anew with each generation. Machines that
 * were cloned from one snapshot have different ones; a machine that was restored,
 * or moved, without a new generation keeps its own. Absent, and all zeros, where
 * nothing is known to differ: after a trigger without entropy, and where the
 * kernel's random generator could not be reseeded. Without a hardware source there
 * is none at first. A hash over fresh random bytes, the hardware id and the
 * generation: nothing can be learnt from it about these.
 */
#define SYSGENID_INSTANCE_SIZE 16
/* In sysgenid_page.flags: there is an instance id. */
#define SYSGENID_PAGE_INSTANCE 0x1

/*
 * The counter page. Beyond the first four bytes it is valid only if @magic is
 * right (older drivers have zeros there), and only up to @size bytes.
 *
 * @generation: the one word that counts; a load-acquire suffices.
 * @size: bytes of this layout that are valid, 80 at present.
 * @seq: odd while @generation, @time, @source, @flags and @instance_id change. For
 *	more than @generation alone read it, them, and it again; after 8 tries ask
 *	SYSGENID_GET.
 * @features: SYSGENID_FEATURE_*; constant while the module is loaded.
 * @source: SYSGENID_SOURCE_* of the last generation.
 * @time: when it was published, CLOCK_BOOTTIME nanoseconds of the initial time
 *	namespace; 0: none since the module was loaded.
 * @flags: SYSGENID_PAGE_*.
 * @no_id: zero for ever: stands for both ids where there is no hardware page.
 * @instance_id: valid if @flags says so.
 */
struct sysgenid_page {
	__u32 generation;
	__u32 magic;
	__u32 size;
	__u32 seq;
	__aligned_u64 features;
	__aligned_u64 time;
	__u32 source;
	__u32 flags;
	__u32 reserved[2];
	__aligned_u64 no_id[2];
	__u8 instance_id[SYSGENID_INSTANCE_SIZE];
};

/*
 * The record, at the start of the second page of /dev/sysgenid-hw.
 *
 * @id: the hardware id that the current generation belongs to.
 * @hw_offset: where the 16 bytes of the hardware id are in the hardware page.
 * @size: bytes of this layout that are valid, 24 at present.
 */
struct sysgenid_record {
	__aligned_u64 id[2];
	__u32 hw_offset;
	__u32 size;
};

#define SYSGENID_IOCTL 0xE4

/*
 * The three old commands take their argument by value.
 *
 * SYSGENID_SET_WATCHER_TRACKING: 1 makes the open file a tracked watcher, 0
 *	ends it. EBADF without write access (*); EDQUOT when this user, or all
 *	unprivileged users together, track too many (*); ENOMEM.
 * SYSGENID_WAIT_WATCHERS: sleeps until no tracked watcher is outdated; the
 *	argument is a timeout in milliseconds, 0 is none. ETIME at the timeout.
 *	EINTR when this open file itself has not confirmed the current
 *	generation (at entry or at the end), or on a signal. With a timeout it
 *	is EINTR under SA_RESTART, too (*). A process that was stopped or frozen
 *	waits on, and its time begins anew.
 * SYSGENID_TRIGGER_GEN_UPDATE: publishes max(argument, current + 1), unsigned
 *	(*). EACCES without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in the
 *	initial user namespace (*); EINVAL for more than 32 bits (*). The
 *	call brings no entropy: clones of one snapshot may go on to draw equal
 *	random bytes.
 */
#define SYSGENID_SET_WATCHER_TRACKING _IO(SYSGENID_IOCTL, 1)
#define SYSGENID_WAIT_WATCHERS	      _IO(SYSGENID_IOCTL, 2)
#define SYSGENID_TRIGGER_GEN_UPDATE   _IO(SYSGENID_IOCTL, 3)

/*
 * The others take a struct whose first member is its size as the caller knows
 * it. The module ignores the size in the command number. EINVAL for a struct that
 * is shorter than the first version. E2BIG for one that is longer than the module
 * knows, unless the rest is zero and all of it fits into a page. Where anything
 * comes back, @size does, too, as the part that the module filled in. Unknown flags and reserved
 * members that are not zero: EINVAL. Any of them: EFAULT.
 */

/* About the open file. */
#define SYSGENID_GET_TRACKED  0x1
#define SYSGENID_GET_OUTDATED 0x2
#define SYSGENID_GET_UNKNOWN  0x4 /* declared so, and not confirmed since */
/* About the system. */
#define SYSGENID_GET_RESEED_FAILED 0x8 /* kernel RNG could not be reseeded */
/*
 * A reseed of the kernel's own that was under way at the resume may still put back
 * the key from before. The RNG will be reseeded once more.
 */
#define SYSGENID_GET_RESEED_PENDING 0x10
#define SYSGENID_GET_INSTANCE	    0x20 /* there is an instance id */

/*
 * SYSGENID_GET: the current generation and what there is to know about it.
 * Never sleeps for a generation. All members but @size come back.
 *
 * @flags: SYSGENID_GET_*; outdated is told of an untracked open file, too.
 * @sources: mask of (1 << SYSGENID_SOURCE_*) that are live.
 * @confirmed: the generation that this open file confirmed or declared last.
 * @watchers, @outdated: tracked watchers, and how many of them are outdated.
 * @instance_id: of @generation, if SYSGENID_GET_INSTANCE is set.
 */
struct sysgenid_get_args {
	__u32 size;
	__u32 generation;
	__u32 flags;
	__u32 source;
	__u32 sources;
	__u32 confirmed;
	__u32 watchers;
	__u32 outdated;
	__aligned_u64 features;
	__aligned_u64 time;
	__u8 instance_id[SYSGENID_INSTANCE_SIZE];
};

/*
 * SYSGENID_WAIT_GENERATION: sleeps until no tracked watcher of @generation is
 * outdated. ESTALE if another generation is current, at entry or by then;
 * EDEADLK if this open file is itself tracked and outdated; ETIME at the
 * timeout. EINTR on a signal, under SA_RESTART, too. With all of these
 * @current_generation and @outdated come back. A process that was stopped or
 * frozen waits on.
 *
 * @generation: in: whose watchers.
 * @timeout_ns: in: nanoseconds; 0 looks and returns at once (ETIME if some are
 *	outdated), negative is no timeout. Out: what was left, if the wait was
 *	interrupted and had a timeout; else unchanged.
 * @current_generation: out: the current generation.
 * @outdated: out: how many watchers are outdated.
 */
struct sysgenid_wait_args {
	__u32 size;
	__u32 generation;
	__s64 timeout_ns;
	__u32 current_generation;
	__u32 outdated;
};

#define SYSGENID_LIST_MAX 256
/* In sysgenid_list_args.flags: tracked watchers that are not outdated, too. */
#define SYSGENID_LIST_ALL 0x1
/* In sysgenid_watcher.flags. */
#define SYSGENID_WATCHER_OUTDATED 0x1
#define SYSGENID_WATCHER_UNKNOWN  0x2

/*
 * A watcher in a list. Who it is was noted when it last was tracked or
 * confirmed.
 *
 * @pid: of the process, in the caller's pid namespace; 0 if the process is
 *	dead or not visible there.
 * @confirmed: the generation that it last confirmed or declared.
 * @start_time: of the process, CLOCK_BOOTTIME nanoseconds of the initial time
 *	namespace: with @pid, and whatever became of it, names one process.
 * @cgroup_id: of its cgroup (v2): the inode number of the cgroup's directory; 0 if
 *	the kernel has no cgroups.
 * @comm: the present name of the process, ends with a 0. Of a dead process: its
 *	name when it last was tracked or confirmed.
 */
struct sysgenid_watcher {
	__s32 pid;
	__u32 confirmed;
	__aligned_u64 start_time;
	__aligned_u64 cgroup_id;
	__u32 flags;
	__u32 reserved;
	char comm[16];
};

/*
 * SYSGENID_LIST_WATCHERS: tracked watchers that are outdated, or all. Who has
 * CAP_SYS_ADMIN in the initial user namespace gets them all. Others get only
 * processes that are visible in the caller's pid namespace, dead ones too. Of
 * these they get the ones that tracked or last confirmed with the caller's uid.
 * CAP_SYS_PTRACE in the initial user namespace lifts the limit to that uid, but
 * not the one to the pid namespace. EINVAL for a @count of 0 or more than
 * SYSGENID_LIST_MAX, or an @entry_size below the first version's. EINTR;
 * ENOMEM.
 *
 * Counts (@outdated here, those of SYSGENID_GET and SYSGENID_WAIT_GENERATION,
 * the attributes in sysfs) are of the whole machine for every caller.
 *
 * @flags: in: SYSGENID_LIST_*
 * @cursor: in: 0, or what the last call returned; out: where to go on, 0 at
 *	the end. Watchers that come or go meanwhile may be missed.
 * @entries: in: address of @count entries.
 * @entry_size: in: bytes from one entry to the next; the module fills in what
 *	it knows and clears the rest.
 * @count: in: entries there is room for; out: entries filled in. May be 0
 *	with a @cursor to go on from.
 * @generation: out: the generation the answer is about.
 * @outdated: out: outdated watchers in all, visible or not.
 */
struct sysgenid_list_args {
	__u32 size;
	__u32 flags;
	__aligned_u64 cursor;
	__aligned_u64 entries;
	__u32 entry_size;
	__u32 count;
	__u32 generation;
	__u32 outdated;
};

#define SYSGENID_ENTROPY_MAX 512

/*
 * SYSGENID_TRIGGER: does nothing unless the current generation is @expected. Then
 * it mixes the entropy into the kernel RNG, reseeds that, publishes the next
 * generation and confirms it for this open file. So an agent and the hardware that
 * report one restore make one generation. Permission as for
 * SYSGENID_TRIGGER_GEN_UPDATE. EINVAL for an @entropy_len above
 * SYSGENID_ENTROPY_MAX; ENOMEM. Without entropy clones of one snapshot may go on
 * to draw equal random bytes.
 *
 * Programs that are restored from an image, by CRIU for example, have seen a
 * generation of another time, or of another machine. Whoever restores them passes
 * that number + 1 as @least: else this machine may come to the number that they
 * have seen, and they notice nothing. ERANGE for a @least of 0xffffffff, and for
 * one that is 2^31 or more above the current generation. Then nothing is done, and
 * @generation comes back.
 *
 * @flags: in: 0.
 * @expected: in: the generation that the caller knows.
 * @generation: out: the current generation.
 * @entropy, @entropy_len: in: address and bytes of data that differ in each
 *	clone.
 * @published: out: 1 if this call made the generation.
 * @least: in: becomes the generation if less than 2^31 ahead, counted around the
 *	end of a u32. Else, and with 0, the next one comes.
 */
struct sysgenid_trigger_args {
	__u32 size;
	__u32 flags;
	__u32 expected;
	__u32 generation;
	__aligned_u64 entropy;
	__u32 entropy_len;
	__u32 published;
	__u32 least;
	__u32 reserved;
};

/* In sysgenid_declare_args.flags: @generation is not known, and not looked at. */
#define SYSGENID_DECLARE_UNKNOWN 0x1

/*
 * SYSGENID_DECLARE: what this program holds in memory is from @generation, not
 * from the moment of the open. Only on an open file that has not been tracked,
 * confirmed or declared before: EBUSY.
 */
struct sysgenid_declare_args {
	__u32 size;
	__u32 flags;
	__u32 generation;
	__u32 reserved;
};

/*
 * SYSGENID_CONFIRM: as write(2) of @generation, but ESTALE if it is not the
 * current one. Needs no write access: an open file without it is never tracked.
 * There, all that this does is to make read and poll wait for the next generation.
 */
struct sysgenid_confirm_args {
	__u32 size;
	__u32 generation;
};

/* In sysgenid_gate_args.operation. */
#define SYSGENID_GATE_GET    0
#define SYSGENID_GATE_ARM    1
#define SYSGENID_GATE_DISARM 2
#define SYSGENID_GATE_SHUT   3
#define SYSGENID_GATE_OPEN   4

/* In sysgenid_gate_args.flags, in and out. */
#define SYSGENID_GATE_WITHOUT_ID    0x1 /* arm where there is no hardware id, too */
#define SYSGENID_GATE_TRIGGERS_PASS 0x2 /* a generation from a trigger leaves it open */
/* In alone: open for @generation in the same step. */
#define SYSGENID_GATE_AT_ONCE 0x4
/* Out alone: what this kernel, or its administrator, has made of it. */
#define SYSGENID_GATE_IP_ONLY 0x100 /* of what leaves, only IP is dropped */
#define SYSGENID_GATE_OFF     0x200 /* the module parameter gate=off */

/* In sysgenid_gate_args.state. */
#define SYSGENID_GATE_DISARMED 0
#define SYSGENID_GATE_IS_SHUT  1
#define SYSGENID_GATE_IS_OPEN  2

/* In sysgenid_gate_args.reason: why it is shut. */
#define SYSGENID_GATE_WHY_NONE	     0 /* it is not */
#define SYSGENID_GATE_WHY_ARMED	     1 /* not opened since it was armed */
#define SYSGENID_GATE_WHY_CALL	     2 /* SYSGENID_GATE_SHUT */
#define SYSGENID_GATE_WHY_GENERATION 3 /* it was opened for another generation, or id */

/* Most devices, and most marks, that are exceptions. */
#define SYSGENID_GATE_MAX 32

/*
 * SYSGENID_GATE: the gate drops packets. While it is armed, each packet that enters
 * or leaves the machine passes only
 * - if the gate was opened for the hardware id that the machine has at that moment,
 *   and for the generation that is current; or
 * - if it is an exception.
 * So the gate is shut from the first instruction after a resume. The state
 * belongs to the kernel, not to the process that set it. docs/gate.md says what a
 * sender sees, and what passes all the same.
 *
 * EOPNOTSUPP on kernels without CONFIG_NETFILTER_INGRESS. All operations but
 * SYSGENID_GATE_GET: EACCES without CAP_NET_ADMIN and the right to trigger, in the
 * initial user namespace. All members but @size come back, with every error but
 * EINVAL, E2BIG, EACCES and EFAULT.
 *
 * SYSGENID_GATE_ARM: hooks every device. The gate is shut then. If it is armed
 *	already, it stays open or shut, and has new flags and exceptions: the flags
 *	hold from the next opening on. Armed, the module cannot be unloaded.
 *	EOPNOTSUPP without a hardware id, unless SYSGENID_GATE_WITHOUT_ID is set.
 *	EPERM with the module parameter gate=off. ESTALE with
 *	SYSGENID_GATE_AT_ONCE if @generation is not the current one. EINVAL for a
 *	name that no device can have, too many exceptions, or a filter that is none.
 *	ENOMEM.
 * SYSGENID_GATE_DISARM: takes the hooks away. What passes then is not looked at.
 * SYSGENID_GATE_SHUT: when it returns, no packet is on its way past the hooks
 *	that was let through before. What lies in a queue, or in a ring of a device,
 *	is sent. ENOTCONN if the gate is not armed.
 * SYSGENID_GATE_OPEN: opens for @generation. ESTALE if that is not the current one;
 *	ENOTCONN if the gate is not armed; ENOMEM.
 *
 * Exceptions come with SYSGENID_GATE_ARM, and are 0 with the others.
 *
 * @flags: in: of SYSGENID_GATE_ARM, else 0; out: SYSGENID_GATE_*.
 * @generation: in: see above; out: the current generation.
 * @devices: in: address of @device_count names of 16 bytes each, that end with a 0:
 *	devices of the initial network namespace whose packets pass.
 * @marks: in: address of @mark_count __u32: packets with one of these marks
 *	(SO_MARK) leave the initial network namespace. Since 5.17 CAP_NET_RAW is
 *	enough to set a mark.
 * @filter: in: address of @filter_len struct sock_filter: classic BPF, at most
 *	4096 instructions. The filter sees a packet from its IP header on, in and
 *	out, in every network namespace. Not 0: the packet passes.
 * @device_count, @mark_count, @filter_len: out: those that are in force.
 * @state, @reason: out: what the gate is, and why.
 * @opened: out: the generation that it was opened for last; 0 if it was not.
 * @hooked: out: devices that have hooks.
 * @dropped_in, @dropped_out: out: packets dropped since it was armed.
 *
 * ARP, and solicitations and advertisements of IPv6 neighbours, pass where there is
 * a filter, and in the initial network namespace where there are marks.
 */
struct sysgenid_gate_args {
	__u32 size;
	__u32 operation;
	__u32 flags;
	__u32 generation;
	__aligned_u64 devices;
	__aligned_u64 marks;
	__aligned_u64 filter;
	__u32 device_count;
	__u32 mark_count;
	__u32 filter_len;
	__u32 state;
	__u32 reason;
	__u32 opened;
	__u32 hooked;
	__u32 reserved;
	__aligned_u64 dropped_in;
	__aligned_u64 dropped_out;
};

#define SYSGENID_GET		 _IOWR(SYSGENID_IOCTL, 0x10, struct sysgenid_get_args)
#define SYSGENID_WAIT_GENERATION _IOWR(SYSGENID_IOCTL, 0x11, struct sysgenid_wait_args)
#define SYSGENID_LIST_WATCHERS	 _IOWR(SYSGENID_IOCTL, 0x12, struct sysgenid_list_args)
#define SYSGENID_TRIGGER	 _IOWR(SYSGENID_IOCTL, 0x13, struct sysgenid_trigger_args)
#define SYSGENID_DECLARE	 _IOW(SYSGENID_IOCTL, 0x14, struct sysgenid_declare_args)
#define SYSGENID_CONFIRM	 _IOW(SYSGENID_IOCTL, 0x15, struct sysgenid_confirm_args)
#define SYSGENID_GATE		 _IOWR(SYSGENID_IOCTL, 0x16, struct sysgenid_gate_args)

#endif /* SYSGENID_ABI_H */
