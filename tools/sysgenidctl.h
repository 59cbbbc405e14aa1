/* SPDX-License-Identifier: MIT */
#ifndef SYSGENIDCTL_H
#define SYSGENIDCTL_H

#include <stdbool.h>
#include <stdint.h>

#include <sysgenid.h>

/* Programs behind some commands. The build says where; by hand it may be left out. */
#ifndef HELPERS
#define HELPERS "/usr/lib/sysgenid"
#endif

/* Exit codes; sysgenidctl(8) documents them. */
enum {
	DONE = 0,
	FAILED = 1,
	USAGE = 2,
	NO_DEVICE = 3,
	NOT_PERMITTED = 4,
	TIMED_OUT = 5,
	INCOMPLETE = 6,
};

int cmd_get(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_trigger(int argc, char **argv);
int cmd_reseed(int argc, char **argv);
int cmd_watchers(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_prepare(int argc, char **argv);
int cmd_openssl(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_quiesce(int argc, char **argv);
int cmd_resume(int argc, char **argv);

struct entropy;
/* delegate.c: whether an overseer makes the generations here; has it make one. */
bool overseer_publishes(void);
int trigger_overseer(const struct entropy *e, bool json);

/* complain.c: one line on stderr that says what to do; the exit code. */
int complain(int error, const char *what);
int complain_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* @soft: a page file will do. */
int open_device(struct sysgenid **g, bool soft);

/* parse.c: false after a complaint. */
bool parse_generation(const char *text, uint32_t *generation);
bool parse_seconds(const char *text, int *timeout_ms);
bool no_operands(int argc, char **argv);

/* print.c */
const char *source_name(uint32_t source);
void print_json_string(const char *text);
/* An array of the names of the bits that are set. */
void print_json_names(uint64_t mask, const char *const *names, unsigned int n);
void print_names(uint64_t mask, const char *const *names, unsigned int n);
/* Sends what was printed on its way; DONE, or FAILED after a complaint. */
int flush_output(void);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* SYSGENIDCTL_H */
