/* SPDX-License-Identifier: MIT */
/*
 * A conformance program for /dev/sysgenid, whoever implements it. Each case
 * runs in a process of its own, so that one that hangs or dies costs itself
 * only. Run it as root: it triggers generations.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sysgenid/abi.h>

struct test {
	const char *name; /* "W1 ..." for a weakness */
	void (*run)(void);
	bool addition; /* needs the commands 0x10 and above */
};

extern const struct test abi_tests[], addition_tests[], weakness_tests[];

/* An address where no memory is; not a constant, or the compiler warns. */
extern void *volatile const nowhere;

void uring_poll(void); /* uring.c */
/* visible.c */
void instance_id(void);
void attribute_is_polled(void);
void uevents(void);
/* gate.c */
void gate_states(void);
void gate_and_generations(void);
void gate_arguments(void);
void gate_permissions(void);

/* End the case. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format,
							  ...);
__attribute__((noreturn, format(printf, 1, 2))) void skip(const char *format,
							  ...);

void expect_value(long want, long got, const char *what, const char *file,
		  int line);
void expect_error(int want, long got, int error, const char *what,
		  const char *file, int line);

#define EXPECT(condition)                                                  \
	do {                                                               \
		if (!(condition))                                          \
			fail("%s:%d: not so: %s", __FILE_NAME__, __LINE__, \
			     #condition);                                  \
	} while (0)
#define EXPECT_EQ(want, call) \
	expect_value((long)(want), (long)(call), #call, __FILE_NAME__, __LINE__)
/* The call fails with this errno. */
#define EXPECT_ERR(error, call)                                        \
	do {                                                           \
		long got_ = (long)(call);                              \
		expect_error(error, got_, errno, #call, __FILE_NAME__, \
			     __LINE__);                                \
	} while (0)

/* Each of these ends the case if it cannot be done. */
int open_rw(void);
int open_ro(void);
const volatile uint32_t *map_counter(void);
uint32_t current_generation(void); /* without the additions */
void trigger(void);
void confirm(int fd); /* reads and writes back */
void track(int fd);
bool readable(int fd);
double seconds(void);
void sleep_ms(int ms);
bool has_additions(void);

/* Runs a function in a child; the parent's copy of everything stays as it is. */
int run_child(void (*run)(void *), void *arg); /* its exit status */
void drop_to(uid_t uid);		       /* no privileges, no way back */
/* In a child, in a user namespace made by @owner with that uid_map. */
void run_in_user_namespace(uid_t owner, const char *uid_map, void (*run)(void));

/* Calls of the additions, with sizes filled in. */
int get(int fd, struct sysgenid_get_args *get);
int wait_generation(int fd, uint32_t generation, int64_t timeout_ns,
		    struct sysgenid_wait_args *wait);

#endif /* CONFORMANCE_H */
