// SPDX-License-Identifier: MIT
/*
 * openssl-draw LIBCRYPTO: draws bytes with that library, as its programs would.
 * Prints the name of the generator they came from ("-" if the library is too old
 * to tell). Exit status 1 and a line on stderr if there are none.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int draw_fn(unsigned char *bytes, int n);
typedef void *public_fn(void *libctx);
typedef void *rand_fn(void *ctx);
typedef const char *name_fn(const void *rand);
typedef unsigned long error_fn(void);
typedef void describe_fn(unsigned long error, char *text, size_t size);

/* ISO C has no conversion from an object's pointer to a function's. */
static void find(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);

	memcpy(function, &address, sizeof(address));
}

static const char *why(void *library)
{
	static char text[256] = "no reason given";
	error_fn *error;
	describe_fn *describe;

	find(library, "ERR_get_error", &error);
	find(library, "ERR_error_string_n", &describe);
	if (error && describe)
		describe(error(), text, sizeof(text));
	return text;
}

static const char *generator(void *library)
{
	public_fn *get0_public;
	rand_fn *get0_rand;
	name_fn *get0_name;
	const char *name;
	void *ctx;

	find(library, "RAND_get0_public", &get0_public);
	find(library, "EVP_RAND_CTX_get0_rand", &get0_rand);
	find(library, "EVP_RAND_get0_name", &get0_name);
	if (!get0_public || !get0_rand || !get0_name)
		return "-";
	ctx = get0_public(NULL);
	name = ctx ? get0_name(get0_rand(ctx)) : NULL;
	return name ? name : "-";
}

int main(int argc, char **argv)
{
	unsigned char bytes[32];
	void *library;
	draw_fn *draw, *draw_private;

	if (argc != 2) {
		fputs("usage: openssl-draw LIBCRYPTO\n", stderr);
		return 2;
	}
	library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	find(library, "RAND_bytes", &draw);
	find(library, "RAND_priv_bytes", &draw_private);
	if (!draw || !draw_private) {
		fputs("no OpenSSL 1.1.1 or newer\n", stderr);
		return 1;
	}
	if (draw(bytes, sizeof(bytes)) != 1 ||
	    draw_private(bytes, sizeof(bytes)) != 1) {
		fprintf(stderr, "%s\n", why(library));
		return 1;
	}
	puts(generator(library));
	return 0;
}
