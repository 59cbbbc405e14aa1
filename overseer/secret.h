/* SPDX-License-Identifier: MIT */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* 512 bytes in hexadecimal. */
#define SECRET_MAX 1024

/*
 * The member "entropy" of a request. A parser would make copies that nobody can wipe:
 * the line loses the value before. @len: SECRET_MAX + 1 for one that is longer.
 */
struct secret {
	bool present;
	size_t len;
	char text[SECRET_MAX];
};

/* The line keeps as many letters A. */
void secret_take(struct secret *s, char *line, size_t len);
void secret_wipe(struct secret *s);

#endif /* SECRET_H */
