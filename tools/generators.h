/* SPDX-License-Identifier: MIT */
#ifndef GENERATORS_H
#define GENERATORS_H

#include <stdbool.h>

/* Random generators that live in the memory of a program, so that clones share their state. */
enum generator {
	GENERATOR_OPENSSL,
	GENERATOR_OWN_OPENSSL,
	GENERATOR_BORINGSSL,
	GENERATOR_GNUTLS,
	GENERATOR_LIBGCRYPT,
	GENERATOR_NSS,
	GENERATOR_MBEDTLS,
	GENERATOR_WOLFSSL,
	GENERATOR_LIBBSD,
	GENERATOR_JVM,
	GENERATOR_GO,
	GENERATOR_NODE,
	GENERATOR_PYTHON,
	GENERATOR_PERL,
	GENERATOR_RUBY,
	GENERATOR_PHP,
	GENERATOR_ERLANG,
	GENERATOR_REDIS,
	GENERATORS,
};

const char *generator_name(enum generator g);

struct generator_user {
	char pid[16];
	/* "" if it belongs to no service. */
	char unit[256];
	/* 1 << enum generator */
	unsigned int has;
	/* Has the node open, mapped, or a page file; not by way of the provider. */
	bool watches;
	bool has_provider;
};

typedef void generator_fn(void *user, const struct generator_user *u);

struct generators_unseen {
	/* Processes whose mappings cannot be read, and files whose contents cannot. */
	unsigned int processes, files;
};

/*
 * Each process but this one that has mapped any of them; @root is "" or, in tests,
 * a directory that stands for /. 0, or -errno if /proc cannot be listed.
 */
int generators_each(const char *root, generator_fn *fn, void *user,
		    struct generators_unseen *unseen);

/* What the file is linked with, or has in itself, as bits of enum generator; -errno. */
int generators_in_file(int fd);

#endif /* GENERATORS_H */
