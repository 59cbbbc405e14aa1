/* SPDX-License-Identifier: MIT */
/*
 * What the targets share: the input, taken apart byte by byte, and a kernel
 * (tests/unit/fake.c) that lies as the input says. What comes after the end of
 * the input is 0, and the kernel honest: everything ends.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* libFuzzer calls this, over and over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void input_begin(const uint8_t *data, size_t size);
uint8_t input_byte(void);
uint32_t input_word(void);
/* At most @size bytes; how many there were. */
size_t input_bytes(void *to, size_t size);
/* The rest up to a 0, as a string of its own, to be freed. */
char *input_text(void);
bool input_is_over(void);

/* From here on the kernel answers as the input says. */
void kernel_begin(void);
/* Everything was given back to it, or the program ends. */
void kernel_end(void);

/* A fact that is not one ends the program. */
#define MUST(fact)                                            \
	do {                                                  \
		if (!(fact))                                  \
			must_fail(#fact, __FILE__, __LINE__); \
	} while (0)
__attribute__((noreturn)) void must_fail(const char *fact, const char *file,
					 int line);

#endif /* TESTS_FUZZ_H */
