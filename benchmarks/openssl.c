// SPDX-License-Identifier: MIT
/*
 * What a draw costs with the provider and without. Three library contexts in one
 * process take turns in short rounds, so that whatever else the machine does hits
 * all alike. Times are those of the thread on its processor.
 *
 * usage: openssl STOCK.CNF PROVIDER.CNF THREADS BYTES
 * Prints OpenSSL's version, and "NAME NANOSECONDS RATIO", medians. NAME is stock; exact, which maps the
 * hardware page; or asking, which may not and makes a system call.
 *
 * With PLAYED the device is played here: its pages are ordinary memory, and its
 * ioctl(2) is one to /dev/zero, answered here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include <sysgenid.h>

#define ROUNDS	 1501
#define SUBJECTS 3
#define NOBODY	 65534
/* Some 100 microseconds. */
#define ROUND_BYTES 16384
#define ROUND_DRAWS 200

static const char *const names[SUBJECTS] = { "stock", "exact", "asking" };
static OSSL_LIB_CTX *contexts[SUBJECTS];
static size_t bytes;
static unsigned int draws;

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "%s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

#ifdef PLAYED
static int played_fd = -1, played_hw_fd = -1;
static bool hw_refused;

int open(const char *path, int flags, ...)
{
	static int (*real)(const char *path, int flags, ...);
	unsigned int mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(args, unsigned int);
	va_end(args);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "open");
	if (!strcmp(path, SYSGENID_DEVICE))
		return played_fd = real("/dev/zero", flags);
	if (strcmp(path, SYSGENID_HW_DEVICE))
		return real(path, flags, mode);
	if (hw_refused) {
		errno = EACCES;
		return -1;
	}
	return played_hw_fd = real("/dev/zero", flags);
}

int ioctl(int fd, unsigned long command, ...)
{
	static int (*real)(int fd, unsigned long command, ...);
	struct sysgenid_get_args *get;
	va_list args;
	int r;

	va_start(args, command);
	get = va_arg(args, void *);
	va_end(args);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ioctl");
	r = real(fd, command, get);
	if (command != SYSGENID_GET)
		return r;
	memset(get, 0, sizeof(*get));
	get->size = sizeof(*get);
	get->features = SYSGENID_FEATURE_CALLS;
	get->generation = 7;
	return 0;
}

/* After a page of the kernel's layout has been put together it is all there is to it. */
static void *played_page(off_t offset, bool hardware)
{
	char *p = (mmap)(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct sysgenid_page page = {
		.generation = 7,
		.magic = SYSGENID_PAGE_MAGIC,
		.size = sizeof(page),
	};
	const struct sysgenid_record record = { .size = sizeof(record) };

	if (p == MAP_FAILED)
		return p;
	if (!hardware)
		memcpy(p, &page, sizeof(page));
	else if (offset)
		memcpy(p, &record, sizeof(record));
	return p;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd,
	   off_t offset)
{
	static void *(*real)(void *at, size_t size, int protection, int flags,
			     int fd, off_t offset);

	if (fd >= 0 && (fd == played_fd || fd == played_hw_fd))
		return played_page(offset, fd == played_hw_fd);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mmap");
	return real(at, size, protection, flags, fd, offset);
}

/* What the library calls is one of these or the others, as it was built. */
extern __typeof__(open) open64 __attribute__((alias("open")));
extern __typeof__(mmap) mmap64 __attribute__((alias("mmap")));

static void may_map_hardware(bool may)
{
	hw_refused = !may;
}
#else
static void may_map_hardware(bool may)
{
	if (seteuid(may ? 0 : NOBODY))
		give_up("run this as root");
}
#endif

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void draw(OSSL_LIB_CTX *context, unsigned int n)
{
	unsigned char buffer[65536];

	while (n--) {
		if (RAND_bytes_ex(context, buffer, bytes, 0) != 1)
			give_up("nothing can be drawn");
	}
}

static void *measure(void *result)
{
	double(*times)[ROUNDS] = result;

	for (int i = 0; i < SUBJECTS; i++)
		draw(contexts[i], draws);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SUBJECTS; i++) {
			double start = now();

			draw(contexts[i], draws);
			times[i][round] = (now() - start) / draws;
		}
	}
	return NULL;
}

static OSSL_LIB_CTX *context(const char *config)
{
	OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();

	if (!c || !OSSL_LIB_CTX_load_config(c, config))
		give_up(config);
	/* Whatever is opened is opened now. */
	draw(c, 1);
	return c;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

int main(int argc, char **argv)
{
	static double times[64][SUBJECTS][ROUNDS], ratios[64 * ROUNDS];
	pthread_t threads[64];
	size_t n;

	if (argc != 5)
		return 2;
	n = strtoul(argv[3], NULL, 10);
	bytes = strtoul(argv[4], NULL, 10);
	if (!n || n > 64 || !bytes || bytes > 65536)
		return 2;
	draws = bytes < ROUND_BYTES / ROUND_DRAWS ?
			ROUND_DRAWS :
			(unsigned int)(ROUND_BYTES / bytes * 4);
	contexts[0] = context(argv[1]);
	contexts[1] = context(argv[2]);
	may_map_hardware(false);
	contexts[2] = context(argv[2]);
	may_map_hardware(true);
	for (size_t i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, measure, times[i]))
			give_up("no thread");
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	printf("%s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	for (int s = 0; s < SUBJECTS; s++) {
		double here[64];

		/* Each round beside the stock generator's of the same moment. */
		for (size_t i = 0; i < n; i++) {
			for (int r = 0; r < ROUNDS; r++)
				ratios[i * ROUNDS + (size_t)r] =
					times[i][s][r] / times[i][0][r];
		}
		for (size_t i = 0; i < n; i++) {
			static double copy[ROUNDS];

			memcpy(copy, times[i][s], sizeof(copy));
			here[i] = median(copy, ROUNDS);
		}
		printf("%s %.1f %.4f\n", names[s], median(here, n),
		       median(ratios, n * ROUNDS));
	}
	return 0;
}
