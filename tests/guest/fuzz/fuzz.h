/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer of /dev/sysgenid and /dev/sysgenid-hw that knows what every call has
 * to answer. Programs of a few operations each are made from a seed, or from
 * others that reached new code of the module (KCOV). A model of the interface
 * runs beside the module. Any difference is an error: in a result, a byte of
 * memory, a count.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <sysgenid/abi.h>

enum {
	PAGE = 4096,
	ARGUMENTS = 6,
	MAX_OPS = 32,
	SLOTS = 12,
	FILES = 64,
	MAPS = 6,
	IN_FLIGHT = 4,
	MAX_PROGRAMS = 2048,
};

/* Who makes the call. */
enum where { SELF, CHILD, THREAD, WHERES };

struct op {
	uint8_t code;
	uint8_t where;
	uint32_t a[ARGUMENTS];
};

struct program {
	unsigned int n;
	struct op ops[MAX_OPS];
};

/* Who runs the programs. */
enum persona { ROOT, USER, USER_NAMESPACE, ROOT_NAMESPACE, PERSONAS };

enum node { GENERATION, HARDWARE, OTHER };

/* An open file, as the model has it. */
struct file {
	unsigned int refs; /* descriptors, mappings, in flight; 0: not in use */
	enum node node;
	bool path_only, readable, writable, nonblock;
	bool tracked, unknown, fresh, charged;
	bool uring;	      /* io_uring may drop its last reference late */
	unsigned int watched; /* by the epoll set */
	uint32_t index;
	uint32_t confirmed;
	uint64_t confirmed_at; /* world.published; UINT64_MAX: never */
	pid_t pid; /* of who tracked or confirmed last; 0: it is dead */
	uint64_t start_time; /* of the same; 0: not seen yet */
};

struct slot {
	int fd; /* -1: none */
	struct file *file;
};

enum shows { SHOWS_COUNTER, SHOWS_HARDWARE, SHOWS_RECORD };

struct map {
	unsigned char *at; /* NULL: none */
	struct file *file;
	enum shows shows;
	bool readable;
};

/*
 * At @at is memory for arguments. The first pages may be read and written, the last
 * one may be read only, and nothing is behind. At @all is the same memory, all
 * writable. At @edge is the last writable page, with nothing behind it.
 */
enum { WRITABLE = 4 * PAGE, READABLE = 5 * PAGE };
struct memory {
	unsigned char *at, *edge, *all;
	unsigned char image[READABLE]; /* what has to be there after the call */
};

/* The gate, as the model has it. */
struct gate {
	bool armed, opening, was_open, triggers_pass;
	uint32_t flags, kernel_flags;
	uint32_t opened;    /* for which generation last */
	uint64_t opened_at; /* world.published */
	uint32_t devices, marks, filter_len;
};

/* All that a program deals with. In races every thread has one, and no model. */
struct world {
	bool blind;
	enum persona persona;
	bool open_to_all;   /* both nodes have mode 0666 */
	unsigned int limit; /* max_watchers_per_user */

	uint32_t generation;
	uint64_t published;
	bool time_known;
	uint64_t time;
	uint32_t source, sources;
	uint64_t features;
	uint32_t standing_flags;
	bool has_instance, instance_known;
	uint8_t instance_id[SYSGENID_INSTANCE_SIZE];
	int hw_error;
	bool closes_late; /* io_uring may hold a file that is closed */
	pid_t pid;
	uint64_t start_time, cgroup_id;
	struct gate gate;

	struct file files[FILES];
	struct slot slots[SLOTS];
	struct map maps[MAPS];
	struct memory memory;
	int sockets[2];
	struct file *in_flight[IN_FLIGHT];
	unsigned int flying;
	int inner, outer;   /* epoll sets, one in the other */
	bool inner_unknown; /* files are in it that the model knows nothing of */
	int ring;
	int helper; /* a socket of root's publisher */
	bool loose; /* a file that io_uring used is closed */

	enum where where;
	bool blocks; /* the next call is ended by a signal */
	const struct program *program;
	unsigned int at_op;
	uint64_t digest;
	uint32_t last_seen; /* in races */
};

/* What the processes share. */
struct shared {
	uint64_t operations, programs;
	uint64_t digest;
	unsigned int edges;
	uint64_t number; /* of the program that runs */
	struct program program;
	unsigned int at_op;
	long result; /* of a call in a child */
	unsigned int corpus_size, corpus_given;
	struct program corpus[MAX_PROGRAMS];
};
extern struct shared *shared;

/* main.c */
__attribute__((noreturn, format(printf, 2, 3))) void
wrong(const struct world *w, const char *format, ...);

/* race.c: several threads at once, on each other's files */
void race(struct world *worlds, unsigned int n, uint64_t seed);

/* program.c: where programs come from, and how they are written down */
struct random {
	uint64_t state;
};

uint32_t draw(struct random *r);
uint32_t below(struct random *r, uint32_t n);
uint64_t mixed(uint64_t a, uint64_t b);
void make_program(struct random *r, struct program *p);
void print_program(FILE *out, const struct program *p);
bool read_program(const char *path, struct program *p);
void add_to_corpus(const struct program *p);

/* memory.c */
void memory_open(struct memory *m);
void memory_close(struct memory *m);
uint64_t place(const struct world *w, uint32_t kind, size_t offset);
bool can_read(const struct world *w, uint64_t at, size_t len);
bool can_write(const struct world *w, uint64_t at, size_t len);
/* Into the memory, whatever can be read there only; what is nowhere is dropped. */
void put(struct world *w, uint64_t at, const void *data, size_t len);
void image_begin(struct world *w);
void image_put(struct world *w, uint64_t at, const void *data, size_t len);
/* What can be read there, once the call has written what is in the image by now. */
void image_get(struct world *w, uint64_t at, void *data, size_t len);
unsigned char *image_at(struct world *w, uint64_t at);
unsigned char *memory_at(struct world *w, uint64_t at);
void image_check(struct world *w);

/* model.c */
void world_learn(struct world *w);
void world_open(struct world *w);
void world_close(struct world *w);
struct file *file_new(struct world *w, enum node node);
void file_put(struct world *w, struct file *f);
bool is_outdated(const struct world *w, const struct file *f);
unsigned int watchers(const struct world *w);
unsigned int outdated(const struct world *w);
/* The lowest index that no open file has. Before an open: */
uint32_t lowest_index(const struct world *w);
void wait_for_closes(struct world *w);
/* @entropy: whether it brought some. */
void publish(struct world *w, uint32_t generation, bool entropy);
void confirmed(struct world *w, struct file *f, bool identify);
void identify(struct world *w, struct file *f);
bool may_open(const struct world *w, enum node node, bool for_writing);
bool may_trigger(const struct world *w);
bool is_limited(const struct world *w);
/* A value that is near something: a generation, or an end of the range. */
uint32_t near(const struct world *w, uint32_t raw);
void check_pages(struct world *w);
void check_counts(struct world *w);
/* How many files, mappings and watchers the module knows, when nobody has any. */
void check_nothing_is_left(struct world *w);
const char *text_of(const char *path, char *text, size_t size);

/* calls.c: makes a call as the operation says; the result or -errno */
long call6(struct world *w, long nr, long a, long b, long c, long d, long e,
	   long f);
#define CALL6(w, nr, a, b, c, d, e, f, ...)                                 \
	call6(w, nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
	      (long)(f))
#define CALL(w, ...) CALL6(w, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
void expect_any(struct world *w, long got, const long *want, size_t n,
		const char *what);
#define EXPECT(w, got, what, ...)                         \
	expect_any(w, got, (const long[]){ __VA_ARGS__ }, \
		   sizeof((const long[]){ __VA_ARGS__ }) / sizeof(long), what)
void set_slot(struct world *w, struct slot *s, long fd, struct file *f);
void clear_slot(struct world *w, struct slot *s);
struct slot *slot(struct world *w, uint32_t raw);
void interrupt_often(bool on);
/* No memory can be there, and the kernel may say so before it asks the driver. */
bool is_hopeless(uint64_t at, size_t len);
/* What sysgenid's read or write does, by whatever call; @blocks: it sleeps. */
long model_read(struct world *w, struct file *f, uint64_t at, size_t len,
		bool *blocks);
long model_write(struct world *w, struct file *f, uint64_t at, size_t len);

/* Operations. */
typedef void operation(struct world *w, const struct op *op);
operation op_open, op_reopen, op_duplicate, op_close, op_read, op_write,
	op_poll; /* calls.c */
operation op_get, op_wait, op_list, op_trigger, op_declare,
	op_confirm; /* structs.c */
operation op_track, op_wait_watchers, op_trigger_min, op_any_ioctl;
operation op_map, op_unmap, op_protect, op_remap, op_advise,
	op_poke; /* maps.c */
operation op_publish, op_fcntl, op_transfer, op_misc, op_sysfs, op_epoll,
	op_send, op_receive; /* others.c */
operation op_uring;	     /* uring.c */
operation op_gate;	     /* gate.c */

struct kind_of_op {
	const char *name;
	operation *run;
	unsigned int weight;
	bool local; /* changes the process itself: not for a child */
};
extern const struct kind_of_op kinds[];
extern const unsigned int kind_count;

/* structs.c: for the commands with structs */
#define UP_TO(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

bool is_other(const struct slot *s);
/* A struct for the module, with a size and something behind it. */
uint64_t place_struct(struct world *w, const struct op *op, void *s,
		      size_t known);
/*
 * The error of a command on this file before the module looks at its argument,
 * or 0. The size in the command does not count.
 */
long model_file(const struct slot *s);
/* What the module makes of it: an error, or 0 and the struct as it knows it. */
long model_in(struct world *w, uint64_t at, void *s, size_t known, size_t least,
	      long *other);
long model_out(struct world *w, uint64_t at, void *s, size_t known);
/* The model's answer is complete: make the call and compare. */
void compare(struct world *w, const struct op *op, unsigned long known,
	     uint64_t at, const char *name, long want, long other);

/* gate.c */
void gate_learn(struct world *w);
void gate_close(struct world *w);

/* uring.c: -1 without io_uring */
int uring_open(void);
void uring_close(int ring);

/* kcov.c */
bool kcov_open(void);
void kcov_begin(void);
/* Whether this program reached what none had before. */
bool kcov_end(void);

#endif /* FUZZ_H */
