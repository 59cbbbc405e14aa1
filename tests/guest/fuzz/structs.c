// SPDX-License-Identifier: MIT
/* ioctl: the commands with structs of any size at any address, and those without. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "fuzz.h"

enum { AT = 0x400, ENTRIES_AT = 0x2000, ENTROPY_AT = 0x1c00 };
/* Timeouts that are waited for. */
enum { SHORT_MS = 1, SHORT_NS = 200000 };

static uint32_t size_of(uint32_t raw, size_t known)
{
	uint32_t size = (uint32_t)known;

	switch (raw % 32) {
	case 1:
		return size - 1;
	case 2:
		return size + 8;
	case 3:
		return size + 1 + (raw >> 5) % 64;
	case 4:
		return PAGE;
	case 5:
		return PAGE + 1;
	case 6:
		return UINT32_MAX;
	case 7:
		return 0;
	case 8:
		return 4;
	case 9:
		return raw >> 5;
	default:
		return size;
	}
}

uint64_t place_struct(struct world *w, const struct op *op, void *s,
		      size_t known)
{
	unsigned char bytes[PAGE + 64] = { 0 };
	uint64_t at = place(w, op->a[1], AT);
	uint32_t size = size_of(op->a[2], known), tail = op->a[2] >> 16;

	*(uint32_t *)s = size;
	memcpy(bytes, s, known);
	/* Mostly zero, as from a program that is built with a later header. */
	if (tail % 4 == 3)
		bytes[known + (tail >> 2) % 64] = 0xff;
	put(w, at, bytes,
	    size < sizeof(bytes) ? (size < known ? known : size) :
				   sizeof(bytes));
	image_begin(w);
	return at;
}

long model_in(struct world *w, uint64_t at, void *s, size_t known, size_t least,
	      long *other)
{
	uint32_t size;

	memset(s, 0, known);
	if (!can_read(w, at, sizeof(size)))
		return -EFAULT;
	memcpy(&size, (void *)(uintptr_t)at, sizeof(size));
	if (size < least)
		return -EINVAL;
	if (size > PAGE)
		return -E2BIG;
	if (!can_read(w, at, size)) {
		*other = -E2BIG;
		return -EFAULT;
	}
	for (uint32_t i = (uint32_t)known; i < size; i++)
		if (((unsigned char *)(uintptr_t)at)[i])
			return -E2BIG;
	memcpy(s, (void *)(uintptr_t)at, size < known ? size : known);
	return 0;
}

long model_out(struct world *w, uint64_t at, void *s, size_t known)
{
	uint32_t *size = s;

	if (*size > known)
		*size = (uint32_t)known;
	if (!can_write(w, at, *size))
		return -EFAULT;
	image_put(w, at, s, *size);
	return 0;
}

long model_file(const struct slot *s)
{
	if (!s->file || s->file->path_only)
		return -EBADF;
	return s->file->node == HARDWARE ? -ENOTTY : 0;
}

bool is_other(const struct slot *s)
{
	return s->file && s->file->node == OTHER;
}

static unsigned long command(const struct op *op, unsigned long known)
{
	unsigned long size = (unsigned long)op->a[5] << _IOC_SIZESHIFT &
			     (unsigned long)_IOC_SIZEMASK << _IOC_SIZESHIFT;

	return op->a[5] % 8 ? known : known ^ size;
}

void compare(struct world *w, const struct op *op, unsigned long known,
	     uint64_t at, const char *name, long want, long other)
{
	struct slot *s = slot(w, op->a[0]);
	long got = CALL(w, SYS_ioctl, s->fd, command(op, known), at);

	EXPECT(w, got, name, want, other ? other : want);
	/* Who gets EFAULT may find a part of the answer. */
	if (want != -EFAULT)
		image_check(w);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The time of a generation is not known before it is seen once, and the same from then on. */
static void learn_time(struct world *w, uint64_t at)
{
	uint64_t time;

	memcpy(&time,
	       memory_at(w, at + offsetof(struct sysgenid_get_args, time)),
	       sizeof(time));
	if (!w->time_known) {
		if (time < w->time || time > now_ns())
			wrong(w, "the time is %llu, after %llu",
			      (unsigned long long)time,
			      (unsigned long long)w->time);
		w->time = time;
		w->time_known = true;
		memcpy(image_at(w,
				at + offsetof(struct sysgenid_get_args, time)),
		       &time, sizeof(time));
	}
}

/* Likewise the instance id. Callers with a struct of @size get less of it, or nothing. */
static void learn_instance(struct world *w, uint64_t at, uint32_t size)
{
	const size_t before = offsetof(struct sysgenid_get_args, instance_id);
	static const uint8_t none[SYSGENID_INSTANCE_SIZE];

	if (w->instance_known || size <= before)
		return;
	memcpy(image_at(w, at + before), memory_at(w, at + before),
	       size - before);
	if (size < before + sizeof(none))
		return;
	memcpy(w->instance_id, memory_at(w, at + before), sizeof(none));
	if (!memcmp(w->instance_id, none, sizeof(none)))
		wrong(w, "the instance id is zero");
	w->instance_known = true;
}

/* Whether the RNG will be reseeded once more is a matter of time. */
static void learn_pending(struct world *w, uint64_t at)
{
	uint64_t flags_at = at + offsetof(struct sysgenid_get_args, flags);
	uint32_t flags, expected;

	memcpy(&flags, memory_at(w, flags_at), sizeof(flags));
	memcpy(&expected, image_at(w, flags_at), sizeof(expected));
	expected |= flags & SYSGENID_GET_RESEED_PENDING;
	memcpy(image_at(w, flags_at), &expected, sizeof(expected));
}

/* slot, where, size; last the size in the command */
void op_get(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_get_args get = { .flags = op->a[3] };
	uint64_t at = place_struct(w, op, &get, sizeof(get));
	struct file *f = s->file;
	long other = 0, got, want = model_file(s);

	if (is_other(s))
		return;
	if (w->blind) {
		got = CALL(w, SYS_ioctl, s->fd, SYSGENID_GET, at);
		if (got == 0 && can_read(w, at, sizeof(get))) {
			memcpy(&get, (void *)(uintptr_t)at, sizeof(get));
			if ((int32_t)(get.generation - w->last_seen) < 0 ||
			    get.outdated > get.watchers)
				wrong(w,
				      "generation %u after %u, %u outdated of %u",
				      get.generation, w->last_seen,
				      get.outdated, get.watchers);
			w->last_seen = get.generation;
		}
		return;
	}
	if (!want)
		want = model_in(w, at, &get, sizeof(get),
				UP_TO(struct sysgenid_get_args, time), &other);
	if (!want) {
		get = (struct sysgenid_get_args){
			.size = get.size,
			.generation = w->generation,
			.flags = (f->tracked ? SYSGENID_GET_TRACKED : 0) |
				 (is_outdated(w, f) ? SYSGENID_GET_OUTDATED :
						      0) |
				 (f->unknown ? SYSGENID_GET_UNKNOWN : 0) |
				 (w->has_instance ? SYSGENID_GET_INSTANCE : 0) |
				 w->standing_flags,
			.source = w->source,
			.sources = w->sources,
			.confirmed = f->confirmed,
			.watchers = watchers(w),
			.outdated = outdated(w),
			.features = w->features,
			.time = w->time,
		};
		memcpy(get.instance_id, w->instance_id,
		       sizeof(get.instance_id));
		if (w->loose)
			check_counts(w);
		want = model_out(w, at, &get, sizeof(get));
	}
	got = CALL(w, SYS_ioctl, s->fd, command(op, SYSGENID_GET), at);
	EXPECT(w, got, "SYSGENID_GET", want, other ? other : want);
	if (!want) {
		learn_time(w, at);
		learn_instance(w, at, get.size);
		learn_pending(w, at);
	}
	if (want != -EFAULT)
		image_check(w);
}

static int64_t timeout(uint32_t raw)
{
	static const int64_t timeouts[] = {
		0, 0, 1, SHORT_NS, SHORT_NS, -1, INT64_MIN, INT64_MAX
	};

	return timeouts[raw % 8];
}

/* What is left of the time when a signal ends a wait. */
static void learn_left(struct world *w, uint64_t at, int64_t timeout_ns)
{
	const size_t offset = offsetof(struct sysgenid_wait_args, timeout_ns);
	int64_t left;

	memcpy(&left, memory_at(w, at + offset), sizeof(left));
	if (left < 0 || left > timeout_ns)
		wrong(w, "%lld ns are left of %lld", (long long)left,
		      (long long)timeout_ns);
	memcpy(image_at(w, at + offset), &left, sizeof(left));
}

/* slot, where, size, generation, timeout */
void op_wait(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_wait_args wait = { .generation = near(w, op->a[3]),
					   .timeout_ns = timeout(op->a[4]) };
	uint64_t at = place_struct(w, op, &wait, sizeof(wait));
	struct file *f = s->file;
	long other = 0, got, want = model_file(s);

	if (is_other(s))
		return;
	if (!want)
		want = model_in(w, at, &wait, sizeof(wait),
				UP_TO(struct sysgenid_wait_args, outdated),
				&other);
	if (!want) {
		if (w->loose)
			check_counts(w);
		wait.current_generation = w->generation;
		wait.outdated = outdated(w);
		if (wait.generation != w->generation) {
			want = -ESTALE;
		} else if (f->tracked && is_outdated(w, f)) {
			want = -EDEADLK;
		} else if (wait.outdated) {
			w->blocks = wait.timeout_ns < 0 ||
				    wait.timeout_ns > SHORT_NS;
			want = w->blocks ? -EINTR : -ETIME;
		}
		if (model_out(w, at, &wait, sizeof(wait)))
			want = -EFAULT;
	}
	got = CALL(w, SYS_ioctl, s->fd, command(op, SYSGENID_WAIT_GENERATION),
		   at);
	EXPECT(w, got, "SYSGENID_WAIT_GENERATION", want, other ? other : want);
	if (want == -EINTR && wait.timeout_ns > 0 && !w->blind)
		learn_left(w, at, wait.timeout_ns);
	if (want != -EFAULT)
		image_check(w);
}

/* The start of a process is not known before it is seen once. */
static void learn_start(struct world *w, struct file *f, uint64_t at)
{
	struct sysgenid_watcher e;

	memcpy(&e, memory_at(w, at), sizeof(e));
	if (!f->start_time)
		f->start_time = e.start_time;
	if (f->pid ? f->start_time != w->start_time : f->start_time > now_ns())
		wrong(w, "a watcher's start time is %llu",
		      (unsigned long long)e.start_time);
}

struct listed {
	struct file *file;
	uint64_t at;
	size_t size;
};

/* What is listed, in the order of the indexes. */
static struct file *next_watcher(struct world *w, uint64_t index, bool all)
{
	struct file *next = NULL;

	for (int i = 0; i < FILES; i++) {
		struct file *f = &w->files[i];

		if (f->refs && f->tracked && f->index >= index &&
		    (all || is_outdated(w, f)) &&
		    (!next || f->index < next->index))
			next = f;
	}
	return next;
}

/* Where a walk goes on, whether that file will be listed or not; 0 at the end. */
static uint64_t next_index(const struct world *w, uint64_t index)
{
	uint64_t next = 0;

	for (int i = 0; i < FILES; i++) {
		const struct file *f = &w->files[i];

		if (f->refs && f->node == GENERATION && f->index >= index &&
		    (!next || f->index < next))
			next = f->index;
	}
	return next;
}

static long model_entry(struct world *w, const struct sysgenid_list_args *list,
			uint64_t at, struct file *f)
{
	struct sysgenid_watcher e = {
		.pid = f->pid,
		.confirmed = f->confirmed,
		.start_time = f->start_time,
		.cgroup_id = w->cgroup_id,
		.flags = (is_outdated(w, f) ? SYSGENID_WATCHER_OUTDATED : 0) |
			 (f->unknown ? SYSGENID_WATCHER_UNKNOWN : 0),
		.comm = "fuzz",
	};

	if (!can_write(w, at, list->entry_size))
		return -EFAULT;
	image_put(w, at, &e, sizeof(e));
	if (!w->blind)
		memset(image_at(w, at) + sizeof(e), 0,
		       list->entry_size - sizeof(e));
	return 0;
}

static long model_list(struct world *w, struct sysgenid_list_args *list,
		       struct listed *listed, size_t *n)
{
	bool all = list->flags & SYSGENID_LIST_ALL;
	uint64_t index = list->cursor;
	long ret = 0;

	*n = 0;
	while (*n < list->count) {
		struct file *f = next_watcher(w, index, all);

		if (!f) {
			index = 0;
			break;
		}
		index = f->index + 1;
		listed[(*n)++] = (struct listed){ .file = f };
	}
	for (size_t i = 0; i < *n && !ret; i++) {
		listed[i].at = list->entries + i * list->entry_size;
		ret = model_entry(w, list, listed[i].at, listed[i].file);
	}
	list->cursor = index ? next_index(w, index) : 0;
	list->count = (uint32_t)*n;
	list->generation = w->generation;
	list->outdated = outdated(w);
	return ret;
}

static uint32_t count_of(uint32_t raw)
{
	static const uint32_t counts[] = {
		SYSGENID_LIST_MAX,     1,	  2, 3, 8, 0,
		SYSGENID_LIST_MAX + 1, UINT32_MAX
	};

	return raw % 24 < 16 ? counts[raw % 5] : counts[raw % 8];
}

static uint32_t entry_size_of(uint32_t raw)
{
	static const uint32_t sizes[] = { 48,	47,   49, 56,
					  4096, 4097, 0,  UINT32_MAX };

	return raw % 3 ? 48 : sizes[raw / 3 % 8];
}

static uint64_t cursor_of(const struct world *w, uint32_t raw)
{
	switch (raw % 8) {
	case 0:
		return lowest_index(w) + 3 - (raw >> 3) % 16;
	case 1:
		return (raw >> 3) % 2 ? UINT64_MAX - raw : (uint64_t)raw << 30;
	default:
		return 0;
	}
}

/* slot, where, size, entries (where and size), cursor and count and flags */
void op_list(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_list_args list = {
		.flags = op->a[5] % 16 == 15 ? op->a[5] :
					       op->a[5] & SYSGENID_LIST_ALL,
		.cursor = cursor_of(w, op->a[4]),
		.entries = place(w, op->a[3], ENTRIES_AT),
		.entry_size = entry_size_of(op->a[3] >> 16),
		.count = count_of(op->a[4] >> 16),
	};
	uint64_t at = place_struct(w, op, &list, sizeof(list)),
		 end = at + sizeof(list);
	struct listed listed[FILES];
	size_t n = 0;
	long other = 0, got, want = model_file(s);

	if (is_other(s) ||
	    (list.entries < end &&
	     at < list.entries + (uint64_t)list.entry_size * FILES))
		return;
	if (!want)
		want = model_in(w, at, &list, sizeof(list),
				UP_TO(struct sysgenid_list_args, outdated),
				&other);
	if (!want && (list.flags & ~(uint32_t)SYSGENID_LIST_ALL ||
		      !list.count || list.count > SYSGENID_LIST_MAX ||
		      list.entry_size < sizeof(struct sysgenid_watcher) ||
		      list.entry_size > PAGE))
		want = -EINVAL;
	if (!want) {
		if (w->loose)
			check_counts(w);
		want = model_list(w, &list, listed, &n);
		if (model_out(w, at, &list, sizeof(list)))
			want = -EFAULT;
	}
	got = CALL(w, SYS_ioctl, s->fd, SYSGENID_LIST_WATCHERS, at);
	EXPECT(w, got, "SYSGENID_LIST_WATCHERS", want, other ? other : want);
	if (want == -EFAULT || w->blind)
		return;
	if (!want) {
		for (size_t i = 0; i < n; i++) {
			learn_start(w, listed[i].file, listed[i].at);
			model_entry(w, &list, listed[i].at, listed[i].file);
		}
	}
	image_check(w);
}

static uint32_t next_above(const struct world *w, uint32_t least)
{
	uint32_t next = w->generation + 1;

	return least > next && least != w->generation ? least : next;
}

static uint32_t next_of_image(const struct world *w, uint32_t least)
{
	uint32_t ahead = least - w->generation;

	return least && ahead && ahead < 1U << 31 ? least : w->generation + 1;
}

/* slot, where, size, expected generation, entropy (where and length), flags and least */
void op_trigger(struct world *w, const struct op *op)
{
	static const uint32_t lengths[] = { 16,	 0,	     1,	 512,
					    513, UINT32_MAX, 32, 64 };
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_trigger_args trigger = {
		.flags = op->a[5] % 16 == 15 ? op->a[5] : 0,
		.expected = near(w, op->a[3]),
		.entropy = place(w, op->a[4], ENTROPY_AT),
		.entropy_len = lengths[(op->a[4] >> 16) % 8],
		.least = op->a[5] % 4 == 1 && !w->blind ?
				 near(w, op->a[5] >> 4) :
				 0,
		.reserved = op->a[5] % 32 == 31,
	};
	uint64_t at = place_struct(w, op, &trigger, sizeof(trigger));
	long other = 0, want = model_file(s);

	if (is_other(s))
		return;
	if (!want && !may_trigger(w))
		want = -EACCES;
	if (!want)
		want = model_in(w, at, &trigger, sizeof(trigger),
				UP_TO(struct sysgenid_trigger_args, published),
				&other);
	if (!want && (trigger.flags || trigger.reserved ||
		      trigger.entropy_len > SYSGENID_ENTROPY_MAX))
		want = -EINVAL;
	if (!want && !can_read(w, trigger.entropy, trigger.entropy_len))
		want = -EFAULT;
	if (!want && !can_write(w, at, sizeof(trigger)))
		want = -EFAULT;
	if (!want && (trigger.least == UINT32_MAX ||
		      (trigger.least > w->generation &&
		       trigger.least - w->generation >= 1U << 31)))
		want = -ERANGE;
	if (!want || want == -ERANGE) {
		trigger.published = !want && trigger.expected == w->generation;
		if (trigger.published && !w->blind) {
			publish(w, next_of_image(w, trigger.least),
				trigger.entropy_len);
			confirmed(w, s->file, false);
		}
		trigger.generation = w->generation;
		model_out(w, at, &trigger, sizeof(trigger));
	}
	compare(w, op, SYSGENID_TRIGGER, at, "SYSGENID_TRIGGER", want, other);
}

/* slot, where, size, generation, flags and reserved */
void op_declare(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_declare_args declare = {
		.flags = op->a[4] % 16 == 15 ?
				 op->a[4] :
				 op->a[4] & SYSGENID_DECLARE_UNKNOWN,
		.generation = near(w, op->a[3]),
		.reserved = op->a[4] % 16 == 13 ? op->a[4] : 0,
	};
	uint64_t at = place_struct(w, op, &declare, sizeof(declare));
	struct file *f = s->file;
	long other = 0, want = model_file(s);

	if (is_other(s))
		return;
	if (!want)
		want = model_in(w, at, &declare, sizeof(declare),
				UP_TO(struct sysgenid_declare_args, reserved),
				&other);
	if (!want && (declare.flags & ~(uint32_t)SYSGENID_DECLARE_UNKNOWN ||
		      declare.reserved))
		want = -EINVAL;
	if (!want && !f->fresh)
		want = -EBUSY;
	if (!want) {
		f->fresh = false;
		f->unknown = declare.flags;
		if (!f->unknown)
			f->confirmed = declare.generation;
		if (f->unknown || declare.generation != w->generation)
			f->confirmed_at = UINT64_MAX;
		else
			f->confirmed_at = w->published;
	}
	compare(w, op, SYSGENID_DECLARE, at, "SYSGENID_DECLARE", want, other);
}

/* slot, where, size, generation */
void op_confirm(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_confirm_args confirm = { .generation =
							 near(w, op->a[3]) };
	uint64_t at = place_struct(w, op, &confirm, sizeof(confirm));
	long other = 0, want = model_file(s);

	if (is_other(s))
		return;
	if (!want)
		want = model_in(w, at, &confirm, sizeof(confirm),
				UP_TO(struct sysgenid_confirm_args, generation),
				&other);
	if (!want && confirm.generation != w->generation)
		want = -ESTALE;
	if (!want)
		confirmed(w, s->file, true);
	compare(w, op, SYSGENID_CONFIRM, at, "SYSGENID_CONFIRM", want, other);
}

static unsigned int charged(const struct world *w)
{
	unsigned int n = 0;

	for (int i = 0; i < FILES; i++)
		n += w->files[i].refs && w->files[i].charged;
	return n;
}

/* slot, on or off */
void op_track(struct world *w, const struct op *op)
{
	static const uint64_t values[] = {
		1, 1, 1, 0, 2, UINT64_MAX, (uint64_t)1 << 32, 1
	};
	struct slot *s = slot(w, op->a[0]);
	uint64_t on = values[op->a[1] % 8];
	struct file *f = s->file;
	long got, want = model_file(s);

	if (is_other(s))
		return;
	if (w->loose && !w->blind)
		check_counts(w);
	if (!want && !f->writable)
		want = -EBADF;
	if (!want && on && !f->tracked && is_limited(w) &&
	    charged(w) >= w->limit)
		want = -EDQUOT;
	if (!want && on) {
		f->charged |= !f->tracked && is_limited(w);
		f->tracked = true;
		f->fresh = false;
		identify(w, f);
	} else if (!want) {
		f->tracked = f->charged = false;
	}
	got = CALL(w, SYS_ioctl, s->fd, SYSGENID_SET_WATCHER_TRACKING, on);
	EXPECT(w, got, "SYSGENID_SET_WATCHER_TRACKING", want);
}

/* slot, milliseconds */
void op_wait_watchers(struct world *w, const struct op *op)
{
	static const uint64_t limits[] = { 0,
					   SHORT_MS,
					   SHORT_MS,
					   INT64_MAX,
					   UINT64_MAX,
					   INT64_MAX / 1000000,
					   INT64_MAX / 1000000 + 1,
					   (uint64_t)1 << 32 };
	struct slot *s = slot(w, op->a[0]);
	uint64_t ms = limits[op->a[1] % 8];
	long got, want = model_file(s);

	if (is_other(s))
		return;
	if (w->loose && !w->blind)
		check_counts(w);
	if (!want && is_outdated(w, s->file))
		want = -EINTR;
	else if (!want && outdated(w)) {
		w->blocks = ms != SHORT_MS;
		want = w->blocks ? -EINTR : -ETIME;
	}
	got = CALL(w, SYS_ioctl, s->fd, SYSGENID_WAIT_WATCHERS, ms);
	EXPECT(w, got, "SYSGENID_WAIT_WATCHERS", want);
}

/* slot, how far */
void op_trigger_min(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint64_t least = 0;
	long got, want = model_file(s);

	if (is_other(s))
		return;
	switch (op->a[1] % 8) {
	case 0:
		least = (uint64_t)1 << 32 | op->a[2];
		break;
	case 1:
		least = w->blind ? 0 : near(w, op->a[2]);
		break;
	case 2:
		least = w->generation;
		break;
	}
	if (!want && !may_trigger(w))
		want = -EACCES;
	if (!want && least > UINT32_MAX)
		want = -EINVAL;
	if (!want && !w->blind)
		publish(w, next_above(w, (uint32_t)least), false);
	got = CALL(w, SYS_ioctl, s->fd, SYSGENID_TRIGGER_GEN_UPDATE, least);
	EXPECT(w, got, "SYSGENID_TRIGGER_GEN_UPDATE", want);
}

/* Does the kernel take it for one of its own, or is it one of ours? */
static bool is_known(uint32_t command)
{
	unsigned int number = _IOC_NR(command), type = _IOC_TYPE(command);

	if (type != SYSGENID_IOCTL)
		return type == 'T' || type == 'X' || type == 'f' ||
		       type == 0x94 || command < 4;
	if (_IOC_DIR(command) == _IOC_NONE)
		return !_IOC_SIZE(command) && number >= 1 && number <= 3;
	return number >= 0x10 && number <= 0x16;
}

/* slot, where, kind of command, number */
void op_any_ioctl(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint64_t at = place(w, op->a[1], AT);
	uint32_t command = op->a[3];
	long got, want = model_file(s);

	if (is_other(s))
		return;
	if (op->a[2] % 4)
		command = _IOC(op->a[2] >> 2 & 3, SYSGENID_IOCTL, op->a[3] % 32,
			       op->a[3] >> 8 & 0x1fff);
	if (is_known(command))
		return;
	image_begin(w);
	if (!want)
		want = -EINVAL;
	got = CALL(w, SYS_ioctl, s->fd, command, at);
	EXPECT(w, got, "ioctl", want);
	image_check(w);
}
