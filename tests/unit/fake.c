// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define PAGE   4096
#define MAX_FD 64

/* The linker makes these names. */
int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *st);
int __real_fstatfs(int fd, struct statfs *fs);
int __real_fcntl(int fd, int command, ...);
int __real_ioctl(int fd, unsigned long command, ...);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *addr, size_t len);
int __real_madvise(void *addr, size_t len, int advice);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_close(int fd);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
pid_t __real_getpid(void);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);

struct fake fake;

static struct open_file {
	bool used;
	bool hw;
	/* Took the number of one of the library's; says yes to all. */
	bool stranger;
	/* The page file or its directory. */
	const struct fake_file *soft;
	bool writable;
	bool tracked;
	bool declared;
	uint32_t confirmed;
} files[MAX_FD];

static int counter_memory = -1, hw_memory = -1, vmclock_memory = -1;
static void *handles[16];
static void *marked[16];
/* What the library has mapped. */
static void *mapped[32];

static void *memory(int *fd, size_t pages)
{
	void *p;

	*fd = memfd_create("fake", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)(pages * PAGE)))
		abort();
	p = __real_mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			*fd, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

void fake_start(void)
{
	char *hw, *clock;

	memset(&fake, 0, sizeof(fake));
	memset(files, 0, sizeof(files));
	fake.page = memory(&counter_memory, 1);
	hw = memory(&hw_memory, 2);
	fake.hardware_id = (uint64_t *)(void *)(hw + FAKE_HW_OFFSET);
	fake.record = (struct sysgenid_record *)(void *)(hw + PAGE);
	clock = memory(&vmclock_memory, 2);
	fake.counter = (uint64_t *)(void *)(clock + FAKE_COUNTER_OFFSET);
	fake.clock_record = (struct sysgenid_record *)(void *)(clock + PAGE);

	fake.about.features = SYSGENID_FEATURE_CALLS;
	fake.page->generation = 5;
	fake.page->magic = SYSGENID_PAGE_MAGIC;
	fake.page->size = sizeof(*fake.page);
	fake.hardware_id[0] = fake.record->id[0] = 0x1111111111111111;
	fake.hardware_id[1] = fake.record->id[1] = 0x2222222222222222;
	fake.record->hw_offset = FAKE_HW_OFFSET;
	fake.record->size = sizeof(*fake.record);
	*fake.counter = fake.clock_record->id[0] = 3;
	fake.clock_record->hw_offset = FAKE_COUNTER_OFFSET;
	fake.clock_record->size = sizeof(*fake.clock_record);
	fake.folder = (struct fake_file){ .open_errno = ENOENT,
					  .mode = S_IFDIR | 0755 };
	fake.file = (struct fake_file){ .mode = S_IFREG | 0644 };
	fake.file_size = PAGE;
	fake.file_system = TMPFS_MAGIC;
	fake.pid = 100;
	fake.on = true;
}

void fake_end(void)
{
	fake.on = false;
	for (int fd = 0; fd < MAX_FD; fd++) {
		if (files[fd].used)
			__real_close(fd);
	}
	__real_munmap(fake.page, PAGE);
	__real_munmap((char *)fake.record - PAGE, 2 * PAGE);
	__real_close(counter_memory);
	__real_munmap((char *)fake.clock_record - PAGE, 2 * PAGE);
	__real_close(hw_memory);
	__real_close(vmclock_memory);
}

void fake_publish(void)
{
	fake.page->generation++;
	for (int fd = 0; fake.pollable && fd < MAX_FD; fd++) {
		if (files[fd].used && eventfd_write(fd, 1))
			abort();
	}
}

void fake_fork(void)
{
	fake.pid++;
	for (size_t i = 0; i < sizeof(marked) / sizeof(*marked); i++) {
		if (marked[i])
			memset(marked[i], 0, PAGE);
	}
}

uint32_t fake_confirmed(int fd)
{
	return files[fd].confirmed;
}

bool fake_tracked(int fd)
{
	return files[fd].tracked;
}

bool fake_writable(int fd)
{
	return files[fd].writable;
}

void fake_replace(int fd, int by)
{
	files[fd].used = false;
	fake.open_files--;
	if (dup2(by, fd) != fd)
		abort();
}

void fake_replace_by_yes_man(int fd)
{
	files[fd] = (struct open_file){ .used = true, .stranger = true };
}

bool fake_is_clean(void)
{
	return !fake.open_files && !fake.mappings && !fake.allocations;
}

static struct open_file *file(int fd)
{
	if (!fake.on || fd < 0 || fd >= MAX_FD || !files[fd].used)
		return NULL;
	return &files[fd];
}

/* True if this is the call that has to fail; errno is set. */
static bool fails(enum fake_call call, bool hw)
{
	if (fake.before)
		fake.before(call);
	fake.count[call]++;
	if (fake.refuse && fake.refuse(call, &errno))
		return true;
	if (++fake.calls != fake.fail_at)
		return false;
	fake.failed = true;
	fake.failed_at_hw = hw;
	fake.failed_call = call;
	errno = fake.fail_errno;
	return true;
}

static void answer(enum fake_call call, void *p, size_t size)
{
	if (fake.spoil)
		fake.spoil(call, p, size);
}

static int error(int e)
{
	errno = e;
	return -1;
}

static void want_flags(int flags, int wanted)
{
	if ((flags & wanted) != wanted) {
		fprintf(stderr, "fake: opened with flags %#o\n", flags);
		abort();
	}
}

static int new_file(struct open_file file)
{
	int fd = fake.pollable ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) :
				 __real_open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd >= MAX_FD)
		abort();
	files[fd] = file;
	fake.last_fd = fd;
	fake.open_files++;
	return fd;
}

static int open_fake(bool hw, int flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	if (fails(FAKE_OPEN, hw))
		return -1;
	want_flags(flags, O_CLOEXEC | O_NONBLOCK);
	if (hw ? fake.hw_open_errno : fake.open_errno)
		return error(hw ? fake.hw_open_errno : fake.open_errno);
	if (writes && fake.open_rw_errno)
		return error(fake.open_rw_errno);
	return new_file((struct open_file){
		.used = true,
		.hw = hw,
		.writable = writes,
		.confirmed = fake.page->generation,
	});
}

static int open_soft(enum fake_call call, const struct fake_file *soft,
		     int flags)
{
	if (fails(call, false))
		return -1;
	want_flags(flags, O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if ((flags & O_ACCMODE) != O_RDONLY)
		abort();
	if (soft->open_errno)
		return error(soft->open_errno);
	return new_file((struct open_file){ .used = true, .soft = soft });
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (fake.on && !strcmp(path, FAKE_PATH))
		return open_fake(false, flags);
	if (fake.on && !strcmp(path, FAKE_HW_PATH))
		return open_fake(true, flags);
	if (fake.on && !strncmp(path, "/dev/sysgenid", 13))
		return open_fake(path[13] == '-', flags);
	if (fake.on &&
	    (!strcmp(path, FAKE_FOLDER) || !strcmp(path, SYSGENID_SOFT_FOLDER)))
		return open_soft(FAKE_OPEN, &fake.folder, flags);
	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = (mode_t)va_arg(args, unsigned int);
		va_end(args);
	}
	return __real_open(path, flags, mode);
}

int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (file(dir)) {
		if (file(dir)->soft != &fake.folder ||
		    strcmp(path, SYSGENID_SOFT_PAGE))
			abort();
		return open_soft(FAKE_OPENAT, &fake.file, flags);
	}
	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = (mode_t)va_arg(args, unsigned int);
		va_end(args);
	}
	return __real_openat(dir, path, flags, mode);
}

int __wrap_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int r;

	if (!file(fd)) {
		r = __real_fstatfs(fd, fs);
		if (fake.other_file_systems)
			fs->f_type =
				(__typeof__(fs->f_type))fake.other_file_systems;
		return r;
	}
	if (fails(FAKE_FSTATFS, false))
		return -1;
	memset(fs, 0, sizeof(*fs));
	fs->f_type = (__typeof__(fs->f_type))fake.file_system;
	answer(FAKE_FSTATFS, fs, sizeof(*fs));
	return 0;
}

/* Which lock is in the way of the one that is asked for? */
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	struct flock *lock;
	va_list args;

	va_start(args, command);
	lock = va_arg(args, void *);
	va_end(args);
	if (!file(fd) || command == F_GETFD)
		return __real_fcntl(fd, command, lock);
	if (fails(FAKE_FCNTL, false))
		return -1;
	/* Nothing else disturbs nobody, and nothing else cannot be forged. */
	if (file(fd)->soft != &fake.file || command != F_OFD_GETLK ||
	    lock->l_type != F_RDLCK || lock->l_start || lock->l_len ||
	    lock->l_pid)
		abort();
	lock->l_type = fake.no_publisher ? F_UNLCK : F_WRLCK;
	answer(FAKE_FCNTL, lock, sizeof(*lock));
	return 0;
}

int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
	struct open_file *f = file(fd);

	if (!f)
		return __real_fstat(fd, st);
	if (fails(FAKE_FSTAT, f->hw))
		return -1;
	memset(st, 0, sizeof(*st));
	st->st_dev = 5;
	st->st_ino = f->stranger ? 9 : f->hw ? 2 : 1;
	if (f->soft) {
		st->st_ino = f->soft == &fake.file ? 3 : 4;
		st->st_mode = f->soft->mode;
		st->st_uid = f->soft->uid;
		st->st_size = (off_t)fake.file_size;
	} else {
		st->st_mode = fake.not_char_device ? S_IFREG : S_IFCHR;
	}
	answer(FAKE_FSTAT, st, sizeof(*st));
	return 0;
}

static int do_get(struct open_file *f, struct sysgenid_get_args *get)
{
	*get = fake.about;
	get->size = sizeof(*get);
	get->generation = fake.page->generation;
	get->confirmed = f->confirmed;
	get->watchers = fake.watchers;
	get->outdated = fake.outdated;
	answer(FAKE_IOCTL, get, sizeof(*get));
	return 0;
}

/* Another generation is EINVAL for write(2), ESTALE for the command. */
static int do_confirm(struct open_file *f, uint32_t generation, int other)
{
	eventfd_t count;

	if (generation != fake.page->generation)
		return error(other);
	f->confirmed = generation;
	if (fake.pollable)
		eventfd_read((int)(f - files), &count);
	return 0;
}

static int do_wait(struct sysgenid_wait_args *wait)
{
	fake.waited = *wait;
	wait->current_generation = fake.page->generation;
	wait->outdated = fake.outdated;
	answer(FAKE_IOCTL, wait, sizeof(*wait));
	if (wait->generation != fake.page->generation)
		return error(ESTALE);
	return fake.outdated ? error(ETIME) : 0;
}

static int do_list(struct sysgenid_list_args *list)
{
	uint32_t all = list->flags & SYSGENID_LIST_ALL ? fake.watchers :
							 fake.outdated;
	uint32_t n = 0;

	if (list->flags & ~(uint32_t)SYSGENID_LIST_ALL)
		return error(EINVAL);
	if (!list->count || list->count > SYSGENID_LIST_MAX ||
	    list->entry_size < sizeof(struct sysgenid_watcher))
		return error(EINVAL);
	while (n < list->count && list->cursor < all) {
		char *at = (char *)(uintptr_t)list->entries +
			   (size_t)n * list->entry_size;
		struct sysgenid_watcher w = {
			.pid = (int)list->cursor + 1000,
			.confirmed = fake.page->generation,
			.comm = "na\"m\033",
		};

		if (list->cursor < fake.outdated) {
			w.flags = SYSGENID_WATCHER_OUTDATED;
			w.confirmed--;
		}
		memset(at, 0, list->entry_size);
		memcpy(at, &w, sizeof(w));
		list->cursor++;
		n++;
	}
	if (list->cursor >= all)
		list->cursor = 0;
	list->count = n;
	list->generation = fake.page->generation;
	list->outdated = fake.outdated;
	answer(FAKE_IOCTL, (void *)(uintptr_t)list->entries,
	       (size_t)n * list->entry_size);
	answer(FAKE_IOCTL, list, sizeof(*list));
	return 0;
}

static int do_trigger(struct open_file *f,
		      struct sysgenid_trigger_args *trigger)
{
	if (fake.capable_errno)
		return error(fake.capable_errno);
	if (trigger->entropy_len > SYSGENID_ENTROPY_MAX)
		return error(EINVAL);
	if (fake.trigger_size && trigger->size > fake.trigger_size &&
	    trigger->least)
		return error(E2BIG);
	if (trigger->least == UINT32_MAX)
		return error(ERANGE);
	trigger->published = trigger->expected == fake.page->generation;
	if (trigger->published) {
		if (trigger->entropy_len)
			memcpy(fake.entropy,
			       (void *)(uintptr_t)trigger->entropy,
			       trigger->entropy_len);
		fake.entropy_len = trigger->entropy_len;
		if (trigger->least > fake.page->generation + 1)
			fake.page->generation = trigger->least - 1;
		fake_publish();
		f->confirmed = fake.page->generation;
	}
	trigger->generation = fake.page->generation;
	answer(FAKE_IOCTL, trigger, sizeof(*trigger));
	return 0;
}

static int do_track(struct open_file *f, uintptr_t on)
{
	if (on > 1)
		return error(EINVAL);
	if (!fake.old_driver && !f->writable)
		return error(EBADF);
	f->tracked = on;
	return 0;
}

static int do_declare(struct open_file *f,
		      const struct sysgenid_declare_args *d)
{
	if (d->flags & ~(uint32_t)SYSGENID_DECLARE_UNKNOWN)
		return error(EINVAL);
	if (f->declared || f->tracked)
		return error(EBUSY);
	f->declared = true;
	fake.declared = *d;
	return 0;
}

static int arm_gate(const struct sysgenid_gate_args *gate)
{
	const bool at_once = gate->flags & SYSGENID_GATE_AT_ONCE;

	if (fake.gate_off)
		return EPERM;
	if (fake.gate_without_id && !(gate->flags & SYSGENID_GATE_WITHOUT_ID))
		return EOPNOTSUPP;
	if (at_once && gate->generation != fake.page->generation)
		return ESTALE;
	fake.gate_flags = gate->flags & ~(uint32_t)SYSGENID_GATE_AT_ONCE;
	fake.gate_devices = gate->device_count;
	fake.gate_marks = gate->mark_count;
	fake.gate_filter = gate->filter_len;
	if (at_once) {
		fake.gate_state = SYSGENID_GATE_IS_OPEN;
		fake.gate_opened = gate->generation;
	} else if (fake.gate_state == SYSGENID_GATE_DISARMED) {
		fake.gate_state = SYSGENID_GATE_IS_SHUT;
	}
	return 0;
}

static int change_gate(const struct sysgenid_gate_args *gate)
{
	const uint32_t operation = gate->operation;

	if (operation == SYSGENID_GATE_ARM)
		return arm_gate(gate);
	if (operation == SYSGENID_GATE_DISARM) {
		fake.gate_state = SYSGENID_GATE_DISARMED;
		fake.gate_opened = 0;
		return 0;
	}
	if (fake.gate_state == SYSGENID_GATE_DISARMED)
		return ENOTCONN;
	if (operation == SYSGENID_GATE_SHUT) {
		fake.gate_state = SYSGENID_GATE_IS_SHUT;
		return 0;
	}
	if (gate->generation != fake.page->generation)
		return ESTALE;
	fake.gate_state = SYSGENID_GATE_IS_OPEN;
	fake.gate_opened = gate->generation;
	return 0;
}

static void tell_gate(struct sysgenid_gate_args *gate)
{
	gate->flags = fake.gate_flags;
	gate->device_count = fake.gate_devices;
	gate->mark_count = fake.gate_marks;
	gate->filter_len = fake.gate_filter;
	gate->state = fake.gate_state;
	gate->opened = fake.gate_opened;
	gate->generation = fake.page->generation;
	gate->reason = SYSGENID_GATE_WHY_NONE;
	if (gate->state == SYSGENID_GATE_IS_SHUT)
		gate->reason = gate->opened ? SYSGENID_GATE_WHY_CALL :
					      SYSGENID_GATE_WHY_ARMED;
	if (gate->state != SYSGENID_GATE_IS_OPEN ||
	    gate->opened == gate->generation)
		return;
	gate->state = SYSGENID_GATE_IS_SHUT;
	gate->reason = SYSGENID_GATE_WHY_GENERATION;
}

static int do_gate(struct sysgenid_gate_args *gate)
{
	const bool changes = gate->operation != SYSGENID_GATE_GET;
	int r = 0;

	fake.gate = *gate;
	if (changes && fake.capable_errno)
		return error(fake.capable_errno);
	if (changes) {
		fake.gate_changes++;
		r = change_gate(gate);
	}
	tell_gate(gate);
	answer(FAKE_IOCTL, gate, sizeof(*gate));
	return r ? error(r) : 0;
}

int __wrap_ioctl(int fd, unsigned long command, ...);
int __wrap_ioctl(int fd, unsigned long command, ...)
{
	struct open_file *f = file(fd);
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (!f)
		return __real_ioctl(fd, command, arg);
	if (fails(FAKE_IOCTL, f->hw))
		return -1;
	if (f->stranger)
		return 0;
	if (fake.stranger)
		return error(fake.stranger_errno);
	if (fake.ioctl_positive)
		return fake.ioctl_positive;
	if (command == SYSGENID_SET_WATCHER_TRACKING)
		return do_track(f, (uintptr_t)arg);
	if (fake.old_driver)
		return error(EINVAL);
	switch (command) {
	case SYSGENID_GET:
		return do_get(f, arg);
	case SYSGENID_WAIT_GENERATION:
		return do_wait(arg);
	case SYSGENID_LIST_WATCHERS:
		return do_list(arg);
	case SYSGENID_TRIGGER:
		return do_trigger(f, arg);
	case SYSGENID_DECLARE:
		return do_declare(f, arg);
	case SYSGENID_CONFIRM:
		return do_confirm(
			f, ((struct sysgenid_confirm_args *)arg)->generation,
			ESTALE);
	case SYSGENID_GATE:
		return do_gate(arg);
	default:
		return error(EINVAL);
	}
}

static void replace_mapping(const void *from, void *to)
{
	for (size_t i = 0; i < sizeof(mapped) / sizeof(*mapped); i++) {
		if (mapped[i] == from) {
			mapped[i] = to;
			return;
		}
	}
	abort();
}

static bool is_mapped(const void *addr)
{
	for (size_t i = 0; i < sizeof(mapped) / sizeof(*mapped); i++) {
		if (mapped[i] == addr)
			return true;
	}
	return false;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	struct open_file *f = file(fd);
	bool is_vmclock = f && !f->hw && !f->soft &&
			  (offset == SYSGENID_VMCLOCK_PAGE * PAGE ||
			   offset == SYSGENID_VMCLOCK_RECORD * PAGE);
	void *p;

	if (fake.on && flags & MAP_ANONYMOUS) {
		if (fails(FAKE_MMAP, false))
			return MAP_FAILED;
		p = __real_mmap(addr, len, prot, flags, fd, offset);
		if (p == MAP_FAILED)
			abort();
		fake.mappings++;
		replace_mapping(NULL, p);
		return p;
	}
	if (!f)
		return __real_mmap(addr, len, prot, flags, fd, offset);
	if (fails(FAKE_MMAP, f->hw))
		return MAP_FAILED;
	if (prot != PROT_READ || flags != MAP_SHARED || len != PAGE ||
	    (!f->hw && offset && !is_vmclock)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	if (is_vmclock && fake.vmclock_errno) {
		errno = fake.vmclock_errno;
		return MAP_FAILED;
	}
	if (is_vmclock)
		p = __real_mmap(addr, len, prot, flags, vmclock_memory,
				offset - SYSGENID_VMCLOCK_PAGE * PAGE);
	else
		p = __real_mmap(addr, len, prot, flags,
				f->hw ? hw_memory : counter_memory, offset);
	if (p == MAP_FAILED)
		abort();
	fake.mappings++;
	replace_mapping(NULL, p);
	return p;
}

int __wrap_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice)
{
	if (!fake.on)
		return __real_madvise(addr, len, advice);
	if (fails(FAKE_MADVISE, false))
		return -1;
	if (advice != MADV_WIPEONFORK)
		abort();
	if (fake.no_wipe)
		return error(EINVAL);
	for (size_t i = 0; i < sizeof(marked) / sizeof(*marked); i++) {
		if (!marked[i]) {
			marked[i] = addr;
			return __real_madvise(addr, len, advice);
		}
	}
	abort();
}

int __wrap_munmap(void *addr, size_t len);
int __wrap_munmap(void *addr, size_t len)
{
	for (size_t i = 0; i < sizeof(marked) / sizeof(*marked); i++) {
		if (marked[i] == addr)
			marked[i] = NULL;
	}
#ifndef __GLIBC__
	/* In a static program free(3) of musl comes here, too. */
	if (!is_mapped(addr))
		return __real_munmap(addr, len);
#endif
	if (is_mapped(addr))
		replace_mapping(addr, NULL);
	if (fake.on)
		fake.mappings--;
	return __real_munmap(addr, len);
}

static bool readable(int fd)
{
	return files[fd].confirmed != fake.page->generation;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (!fake.on || (n && !file(fds->fd)))
		return __real_poll(fds, n, timeout);
	if (fails(FAKE_POLL, false))
		return -1;
	fds->revents = 0;
	if (!n || !readable(fds->fd)) {
		if (fake.asleep && fake.asleep(timeout))
			return error(EINTR);
		if (timeout < 0 && (!n || !readable(fds->fd))) {
			fprintf(stderr, "fake: poll would sleep for ever\n");
			abort();
		}
		if (!n || !readable(fds->fd)) {
			fake.now_ns += (int64_t)timeout * 1000000;
			return 0;
		}
	}
	fds->revents = POLLIN;
	answer(FAKE_POLL, fds, sizeof(*fds));
	return 1;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	struct open_file *f = file(fd);
	uint32_t generation;
	ssize_t written;

	if (!f)
		return __real_write(fd, buf, len);
	if (fails(FAKE_WRITE, f->hw))
		return -1;
	if (!f->writable)
		return error(EBADF);
	if (len != sizeof(generation))
		return error(ENOBUFS);
	memcpy(&generation, buf, sizeof(generation));
	if (do_confirm(f, generation, EINVAL))
		return -1;
	written = (ssize_t)len;
	answer(FAKE_WRITE, &written, 1);
	return written;
}

int __wrap_close(int fd);
int __wrap_close(int fd)
{
	struct open_file *f = file(fd);

	if (f) {
		f->used = false;
		fake.open_files--;
		/* As an interrupted close(2) does, which closes all the same. */
		__real_close(fd);
		return error(EINTR);
	}
	return __real_close(fd);
}

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	void *p;

	if (!fake.on)
		return __real_calloc(n, size);
	if (fails(FAKE_CALLOC, false))
		return NULL;
	p = __real_calloc(n, size);
	for (size_t i = 0; i < sizeof(handles) / sizeof(*handles); i++) {
		void *none = NULL;

		/* Tests of threads allocate, too. */
		if (__atomic_compare_exchange_n(&handles[i], &none, p, false,
						__ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			__atomic_add_fetch(&fake.allocations, 1,
					   __ATOMIC_RELAXED);
			return p;
		}
	}
	abort();
}

void __wrap_free(void *p);
void __wrap_free(void *p)
{
	for (size_t i = 0; p && i < sizeof(handles) / sizeof(*handles); i++) {
		void *mine = p;

		if (__atomic_compare_exchange_n(&handles[i], &mine, NULL, false,
						__ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			__atomic_sub_fetch(&fake.allocations, 1,
					   __ATOMIC_RELAXED);
	}
	__real_free(p);
}

pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
	return fake.on && fake.pid ? fake.pid : __real_getpid();
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (!fake.on)
		return __real_clock_gettime(clock, ts);
	ts->tv_sec = fake.now_ns / 1000000000;
	ts->tv_nsec = fake.now_ns % 1000000000;
	/* Time never stands still. */
	fake.now_ns++;
	return 0;
}

/* What the calls are named where off_t is made 64 bits wide. */
int __wrap_open64(const char *path, int flags, ...)
	__attribute__((alias("__wrap_open")));
int __wrap_openat64(int dir, const char *path, int flags, ...)
	__attribute__((alias("__wrap_openat")));
int __wrap_fstatfs64(int fd, struct statfs *fs)
	__attribute__((alias("__wrap_fstatfs")));
int __wrap_fcntl64(int fd, int command, ...)
	__attribute__((alias("__wrap_fcntl")));
int __wrap_fstat64(int fd, struct stat *st)
	__attribute__((alias("__wrap_fstat")));
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd,
		    off_t offset) __attribute__((alias("__wrap_mmap")));
