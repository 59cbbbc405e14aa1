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

/* One line on stderr; FAILED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* edit.c: the text of a configuration file with our block, or without. */
bool config_is_enabled(const char *text);
/* To be freed; NULL after a complaint. */
char *config_with_block(const char *path, const char *text);
char *config_without_block(const char *text);

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
