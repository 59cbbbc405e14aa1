// SPDX-License-Identifier: MIT
/*
 * Which code of the module a program reaches, where the kernel can tell (KCOV,
 * in a debug kernel's module). An edge is a pair of places that follow each other.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum { WORDS = 1 << 17, SEEN = 1 << 16 };

static int kcov = -1;
static uint64_t *words;
static uint64_t first, end; /* of the module */
static unsigned char *seen; /* of all processes */

static void find_module(void)
{
	FILE *f = fopen("/proc/modules", "re");
	unsigned long long size, at;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "sysgenid %llu %*s %*s %*s 0x%llx", &size,
			   &at) == 2) {
			first = at;
			end = at + size;
		}
	}
	if (f)
		fclose(f);
}

/* As root; it then serves one process after the other. */
bool kcov_open(void)
{
	kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov < 0)
		return false;
	find_module();
	if (!first || ioctl(kcov, KCOV_INIT_TRACE, WORDS))
		wrong(NULL, "KCOV cannot be used: %s", strerror(errno));
	words = mmap(NULL, WORDS * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_SHARED, kcov, 0);
	seen = mmap(NULL, SEEN, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED || seen == MAP_FAILED)
		wrong(NULL, "cannot map memory of KCOV: %s", strerror(errno));
	return true;
}

void kcov_begin(void)
{
	if (kcov < 0)
		return;
	__atomic_store_n(&words[0], 0, __ATOMIC_RELAXED);
	if (ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC))
		wrong(NULL, "KCOV_ENABLE: %s", strerror(errno));
}

bool kcov_end(void)
{
	unsigned int before = shared->edges;
	uint64_t n, last = 0;

	if (kcov < 0)
		return false;
	n = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	if (ioctl(kcov, KCOV_DISABLE, 0))
		wrong(NULL, "KCOV_DISABLE: %s", strerror(errno));
	for (uint64_t i = 1; i <= n && i < WORDS; i++) {
		uint64_t at = words[i];

		if (at < first || at >= end)
			continue;
		at -= first;
		if (!seen[mixed(at, last) % SEEN]) {
			seen[mixed(at, last) % SEEN] = 1;
			shared->edges++;
		}
		last = at;
	}
	return shared->edges > before;
}
