/* SPDX-License-Identifier: MIT */
/*
 * A kernel that fits in a test: the linker (--wrap) sends the library's system
 * calls here. The fake keeps the promises of <sysgenid/abi.h>, counts what is
 * open, and fails when told to.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sysgenid.h>

#define FAKE_PATH	    "/fake/sysgenid"
#define FAKE_HW_PATH	    "/fake/sysgenid-hw"
#define FAKE_HW_OFFSET	    72
#define FAKE_COUNTER_OFFSET 0x68
#define FAKE_FOLDER	    "/fake/run"

enum fake_call {
	FAKE_OPEN,
	FAKE_OPENAT,
	FAKE_FSTAT,
	FAKE_FSTATFS,
	FAKE_FCNTL,
	FAKE_IOCTL,
	FAKE_MMAP,
	FAKE_MADVISE,
	FAKE_POLL,
	FAKE_WRITE,
	FAKE_CALLOC,
	FAKE_CALLS,
};

struct fake {
	/* What the kernel is like. */
	bool on;
	bool old_driver;
	bool stranger; /* answers ioctl(2) with stranger_errno */
	int stranger_errno;
	int open_errno;	   /* of any open of the node */
	int open_rw_errno; /* of an open for writing */
	int hw_open_errno;
	/* Of a mapping of the page of vmclock. */
	int vmclock_errno;
	bool not_char_device;
	bool pollable;	    /* descriptors are readable as a module's are */
	bool no_wipe;	    /* older than Linux 4.14 */
	int ioctl_positive; /* what a broken driver might return */
	uint32_t trigger_size; /* of the struct that an earlier driver knows, or 0 */
	int capable_errno; /* of a trigger, and of the gate */
	uint32_t watchers; /* of others, in lists and counts */
	uint32_t outdated;

	/* The page file and its directory: an open gives the errno, if any. */
	struct fake_file {
		int open_errno;
		unsigned int mode;
		unsigned int uid;
	} folder, file;
	int64_t file_size;
	long file_system;
	long other_file_systems; /* of real files; 0: what they are */
	bool no_publisher;

	/* What it holds. */
	struct sysgenid_page *page;
	uint64_t *hardware_id;
	struct sysgenid_record *record;
	/* The counter of vmclock, and its record. */
	uint64_t *counter;
	struct sysgenid_record *clock_record;
	int64_t now_ns;
	int pid;
	struct sysgenid_get_args about;
	unsigned char entropy[SYSGENID_ENTROPY_MAX];
	uint32_t entropy_len;
	struct sysgenid_wait_args waited; /* as it came in */
	struct sysgenid_gate_args gate;	  /* likewise */
	uint32_t gate_state; /* while it is not open for another generation */
	uint32_t gate_opened;
	uint32_t gate_flags;
	/* How many devices, marks and instructions it was armed with. */
	uint32_t gate_devices, gate_marks, gate_filter;
	bool gate_without_id;	   /* there is no hardware id */
	bool gate_off;		   /* the module parameter */
	unsigned int gate_changes; /* operations but GET that were done */
	struct sysgenid_declare_args declared;

	/* Called before each call, when the call would otherwise be done. */
	void (*before)(enum fake_call call);
	/* Called when poll would sleep; true: a signal came. */
	bool (*asleep)(int timeout_ms);

	/* For malformed answers: whether a call fails, and with what errno; */
	bool (*refuse)(enum fake_call call, int *error);
	/* what becomes of the answer of one that does not. */
	void (*spoil)(enum fake_call call, void *answer, size_t size);

	/* The call with this number (from 1) fails, if any. */
	unsigned int fail_at;
	int fail_errno;
	bool failed;
	bool failed_at_hw;
	enum fake_call failed_call;

	/* What was done. */
	unsigned int calls;
	unsigned int count[FAKE_CALLS];
	int open_files;
	int last_fd; /* the number that the last open gave */
	int mappings;
	int allocations;
};

extern struct fake fake;

/* A current module, exact, at generation 5. */
void fake_start(void);
/* Gives back what fake_start() took, for who starts it very often. */
void fake_end(void);
void fake_publish(void);
/* This process is a child from now on: with another pid, and marked pages are zero. */
void fake_fork(void);
/* The state of the open file. */
uint32_t fake_confirmed(int fd);
bool fake_tracked(int fd);
bool fake_writable(int fd);
/* The program has closed the library's number, and opened a real file by it. */
void fake_replace(int fd, int by);
/* The same with a device that answers 0 to any ioctl(2). */
void fake_replace_by_yes_man(int fd);
/* All files, mappings and memory given back. */
bool fake_is_clean(void);

#endif /* FAKE_H */
