/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes, those of sysgenidctl(8). */
enum {
	DONE = 0,
	FAILED = 1,
	USAGE = 2,
	NOT_PERMITTED = 4,
};

/* The file that openssl.cnf includes. The build says where; by hand it may be left out. */
#ifndef INCLUDED
#define INCLUDED "/usr/share/sysgenid/openssl.cnf"
#endif

/* complain.c: one line on stderr; FAILED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* edit.c: the bytes of a configuration file, which may hold any. */
struct text {
	char *bytes;
	size_t len;
};

enum state {
	DISABLED,
	ENABLED,
	/* By the lines that an early version added to the end. */
	ENABLED_EARLY,
};

enum state config_state(const struct text *t);
/* Into @out, whose bytes are to be freed. False after a complaint. */
bool config_enable(const struct text *in, struct text *out);
bool config_disable(const struct text *in, struct text *out);

/* check.c: a complaint with the line if not. */
bool config_can_be_read(const char *path);
/* Whether the file, as it is, has our generator drawn from; a complaint if not. */
bool config_takes_effect(const char *path);

/* libraries.c: each libcrypto of the system draws bytes. */
struct library {
	char path[512];
	/* The name of its generator, or why it draws nothing. */
	char answer[512];
	bool draws;
	bool ours;
};

/* With this configuration. How many, from 1 to @max, or -1 after a complaint. */
int try_libraries(const char *config, struct library *found, int max);

#endif /* CONFIG_H */
