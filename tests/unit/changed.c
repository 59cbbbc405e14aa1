// SPDX-License-Identifier: MIT
/*
 * The truth table of the check, and that its exported twin is equal. Plain C,
 * so that it can be built for 32 bits where no test library is.
 */
#include <stdio.h>
#include <string.h>

#include <sysgenid.h>

/* twin.c: the symbol that other languages call. */
bool twin_of_changed(const struct sysgenid_view *v, uint32_t seen);

static struct {
	uint32_t generation;
	uint64_t hardware_id[2];
	uint64_t recorded_id[2];
	uint64_t no_id[2];
} memory;

static int failures, checks;

static void expect(const char *what, const struct sysgenid_view *v,
		   uint32_t seen, bool expected)
{
	checks++;
	if (sysgenid_changed(v, seen) != expected) {
		printf("%s: the inline says %d\n", what, !expected);
		failures++;
	}
	if (twin_of_changed(v, seen) != expected) {
		printf("%s: the twin says %d\n", what, !expected);
		failures++;
	}
}

int main(void)
{
	const struct sysgenid_view exact = {
		.generation = &memory.generation,
		.hardware_id = memory.hardware_id,
		.recorded_id = memory.recorded_id,
	};
	const struct sysgenid_view counter = {
		.generation = &memory.generation,
		.hardware_id = memory.no_id,
		.recorded_id = memory.no_id,
	};

	memory.generation = 0x80000001;
	memory.hardware_id[0] = memory.recorded_id[0] = 0x0123456789abcdef;
	memory.hardware_id[1] = memory.recorded_id[1] = 0xfedcba9876543210;
	expect("equal, exact", &exact, 0x80000001, false);
	expect("equal, counter", &counter, 0x80000001, false);

	for (unsigned int bit = 0; bit < 32; bit++) {
		uint32_t seen = memory.generation ^ UINT32_C(1) << bit;

		expect("generation, exact", &exact, seen, true);
		expect("generation, counter", &counter, seen, true);
	}
	for (unsigned int bit = 0; bit < 128; bit++) {
		uint64_t mask = UINT64_C(1) << bit % 64;

		memory.hardware_id[bit / 64] ^= mask;
		expect("hardware id", &exact, memory.generation, true);
		expect("hardware id, counter", &counter, memory.generation,
		       false);
		memory.recorded_id[bit / 64] ^= mask;
		expect("both ids", &exact, memory.generation, false);
		memory.hardware_id[bit / 64] ^= mask;
		expect("recorded id", &exact, memory.generation, true);
		memory.recorded_id[bit / 64] ^= mask;
	}
	/* What differs must not cancel out. */
	memory.hardware_id[0] ^= 0xff;
	memory.hardware_id[1] ^= 0xff;
	expect("both words", &exact, memory.generation, true);
	expect("both words and the generation", &exact,
	       memory.generation ^ 0xff, true);
	memory.hardware_id[1] ^= 0xff;
	expect("a word and the generation", &exact, memory.generation ^ 0xff,
	       true);
	memset(&memory, 0, sizeof(memory));
	expect("zero", &exact, 0, false);
	expect("zero and one", &exact, 1, true);
	memory.hardware_id[0] = UINT64_C(1) << 32;
	expect("a high half", &exact, 0, true);
	memory.hardware_id[0] = 0;
	memory.generation = UINT32_MAX;
	expect("last", &exact, UINT32_MAX, false);
	memory.generation++;
	expect("after the last", &exact, UINT32_MAX, true);

	printf("%d checks, %d failures\n", checks, failures);
	return failures || checks < 500;
}
