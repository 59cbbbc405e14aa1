// SPDX-License-Identifier: MIT
/*
 * cost: how far the time stamp counter goes in an interrupt of this program, and
 * in a getrandom(2) of 8 bytes. Prints "interrupt N getrandom N", medians of many.
 * With qemu -icount shift=0 these are instructions.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <x86intrin.h>

enum { INTERRUPTS = 401, DRAWS = 2001, WARM = 100, GAP = 200 };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

int main(void)
{
	static uint64_t interrupts[INTERRUPTS], draws[DRAWS];
	uint64_t last = __rdtsc(), now;
	char bytes[8];
	size_t i;

	for (i = 0; i < INTERRUPTS; last = now) {
		now = __rdtsc();
		if (now - last > GAP)
			interrupts[i++] = now - last;
	}
	for (i = 0; i < WARM + DRAWS; i++) {
		last = __rdtsc();
		if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
			return 1;
		draws[i < WARM ? 0 : i - WARM] = __rdtsc() - last;
	}
	printf("interrupt %llu getrandom %llu\n",
	       (unsigned long long)median(interrupts, INTERRUPTS),
	       (unsigned long long)median(draws, DRAWS));
	return 0;
}
