// SPDX-License-Identifier: MIT
/*
 * draws LIBRARY MODE FIFO: a program with the random generator of an unmodified BoringSSL.
 * Each line in FIFO is answered.
 *
 * With ask, by 16 bytes.
 *
 * With key, by a key that is kept in a page of its own, which a fork wipes.
 *
 * With loop, by nothing: the program draws without pause.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEN 16

static int (*draw)(unsigned char *bytes, size_t len);

static void say(const char *what, const unsigned char *bytes)
{
	printf("%s ", what);
	for (int i = 0; i < LEN; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
	fflush(stdout);
}

static unsigned char *keep_key(void)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *around = mmap(NULL, 3 * size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *key = mmap(around + size, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);

	if (key == MAP_FAILED || madvise(key, size, MADV_WIPEONFORK) ||
	    !draw(key, LEN))
		return NULL;
	return key;
}

int main(int argc, char **argv)
{
	unsigned char bytes[LEN], *key = NULL;
	void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW) : NULL;
	char line[64];
	FILE *f;

	if (!library) {
		fprintf(stderr, "%s\n", argc == 4 ? dlerror() : "usage");
		return 2;
	}
	*(void **)&draw = dlsym(library, "RAND_bytes");
	if (!draw || !draw(bytes, LEN))
		return 2;
	if (!strcmp(argv[2], "key"))
		key = keep_key();
	f = fopen(argv[3], "r+");
	if (!f || (!key && !strcmp(argv[2], "key")))
		return 2;
	puts("ready");
	fflush(stdout);
	while (!strcmp(argv[2], "loop"))
		draw(bytes, LEN);
	while (fgets(line, sizeof(line), f)) {
		if (!key)
			draw(bytes, LEN);
		say(argv[2], key ? key : bytes);
	}
	return 0;
}
