// SPDX-License-Identifier: MIT
/* A program that draws when it is told to: each line of input is a request, each draw a line of the answer. */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAWN 16

struct draw {
	/* As in docs/consumers.md. */
	const char *name;
	/* 0, or what the library says of a failure. */
	int (*draw)(unsigned char *to, size_t size);
};

static inline int answer(const struct draw *draws, size_t count)
{
	unsigned char bytes[DRAWN];
	int c;

	setvbuf(stdin, NULL, _IONBF, 0);
	while ((c = getchar()) != EOF) {
		if (c != '\n')
			continue;
		for (size_t i = 0; i < count; i++) {
			int r = draws[i].draw(bytes, sizeof(bytes));

			if (r) {
				fprintf(stderr, "%s: %d\n", draws[i].name, r);
				return EXIT_FAILURE;
			}
			printf("%s ", draws[i].name);
			for (size_t n = 0; n < sizeof(bytes); n++)
				printf("%02x", bytes[n]);
			putchar('\n');
		}
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}

#define ANSWER(draws) answer(draws, sizeof(draws) / sizeof((draws)[0]))

#endif
