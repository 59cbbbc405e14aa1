// SPDX-License-Identifier: MIT
/*
 * The provider's generator, on a device that is played here: when it draws
 * again, and that what it hands out is never from before.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "../../providers/openssl/drbg.h"
#include "suite.h"

static struct provider provider;

/* The device. */
static struct {
	bool absent, refused, unreadable, exact;
	uint32_t generation;
	/* Moves on after so many looks. */
	int looks_left;
	unsigned int looks, reads;
} device;

struct handle {
	int unused;
};

static struct handle the_handle;

static void look(void)
{
	device.looks++;
	if (device.looks_left && !--device.looks_left)
		device.generation++;
}

struct handles {
	int unused;
};

static struct handles the_handles;

struct handles *handles_new(void)
{
	return &the_handles;
}

void handles_free(struct handles *hs)
{
	(void)hs;
}

struct handle *handle_get(struct handles *hs, bool *absent)
{
	(void)hs;
	*absent = device.absent;
	return device.absent || device.refused ? NULL : &the_handle;
}

void handle_put(struct handle *h)
{
	(void)h;
}

bool handle_read(struct handles *hs, struct handle **h, uint32_t *generation)
{
	(void)hs;
	(void)h;
	device.reads++;
	*generation = device.generation;
	return !device.unreadable;
}

bool handle_changed(const struct handle *h, uint32_t seen)
{
	(void)h;
	look();
	return seen != device.generation;
}

bool handle_is_exact(const struct handle *h)
{
	(void)h;
	return device.exact;
}

bool handle_await(const struct handle *h, uint32_t *generation)
{
	(void)h;
	*generation = device.generation;
	return true;
}

static void (*function(int number))(void)
{
	const OSSL_DISPATCH *f = drbg_functions;

	while (f->function_id && f->function_id != number)
		f++;
	return f->function;
}

static unsigned int counter(void *d)
{
	/* At the stock generator: ours may reseed to answer. */
	OSSL_FUNC_rand_get_ctx_params_fn *get =
		(OSSL_FUNC_rand_get_ctx_params_fn *)function(
			OSSL_FUNC_RAND_GET_CTX_PARAMS);
	unsigned int value = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_COUNTER,
					  &value),
		OSSL_PARAM_construct_end(),
	};

	ck_assert_int_eq(get(d, params), 1);
	return value;
}

static void *new_child(void *parent, const OSSL_DISPATCH *calls)
{
	OSSL_FUNC_rand_newctx_fn *new =
		(OSSL_FUNC_rand_newctx_fn *)function(OSSL_FUNC_RAND_NEWCTX);
	OSSL_FUNC_rand_instantiate_fn *instantiate =
		(OSSL_FUNC_rand_instantiate_fn *)function(
			OSSL_FUNC_RAND_INSTANTIATE);
	char cipher[] = "AES-256-CTR", properties[] = "provider=nowhere";
	/* As OpenSSL 3.5 adds. */
	char ours[] = "sysgenid";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_PROPERTIES,
						 properties, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_PROV_PARAM_CORE_PROV_NAME,
						 ours, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, cipher,
						 0),
		OSSL_PARAM_construct_end(),
	};
	void *d = new (&provider, parent, calls);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(instantiate(d, 0, 0, NULL, 0, params), 1);
	return d;
}

static void *new_drbg(void)
{
	return new_child(NULL, NULL);
}

static void draw(void *d, unsigned char *bytes, size_t len)
{
	OSSL_FUNC_rand_generate_fn *generate =
		(OSSL_FUNC_rand_generate_fn *)function(OSSL_FUNC_RAND_GENERATE);

	ck_assert_int_eq(generate(d, bytes, len, 0, 0, NULL, 0), 1);
}

static void free_drbg(void *d)
{
	((OSSL_FUNC_rand_freectx_fn *)function(OSSL_FUNC_RAND_FREECTX))(d);
}

static struct stock honest;

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	device.exact = true;
	device.generation = 5;
	provider.libctx = OSSL_LIB_CTX_new();
	provider.stock = stock_new(provider.libctx);
	ck_assert_ptr_nonnull(provider.stock);
	honest = *provider.stock;
}

START_TEST(nothing_changes)
{
	unsigned char a[16], b[16];
	void *d = new_drbg();
	unsigned int before = counter(d), reads = device.reads;

	draw(d, a, sizeof(a));
	draw(d, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_uint_eq(counter(d), before);
	/* An exact check needs no system call. */
	ck_assert_uint_eq(device.reads, reads);
	free_drbg(d);
}
END_TEST

START_TEST(changed_before_a_draw)
{
	unsigned char bytes[16];
	void *d = new_drbg();
	unsigned int before = counter(d);

	device.generation++;
	draw(d, bytes, sizeof(bytes));
	device.looks_left = 0;
	ck_assert_uint_eq(counter(d), before + 1);
	draw(d, bytes, sizeof(bytes));
	ck_assert_uint_eq(counter(d), before + 1);
	free_drbg(d);
}
END_TEST

/* Of two draws alike, the one that is interrupted hands out other bytes, all of them. */
START_TEST(changed_in_the_middle)
{
	static unsigned char bytes[200000];
	void *d = new_drbg();
	unsigned int before = counter(d);

	memset(bytes, 0, sizeof(bytes));
	device.looks = 0;
	/* The first look is before the bytes are drawn. */
	device.looks_left = 2;
	draw(d, bytes, sizeof(bytes));
	ck_assert_uint_eq(counter(d), before + 1);
	ck_assert_uint_ge(device.looks, 4);
	free_drbg(d);
}
END_TEST

START_TEST(who_is_not_exact_asks_the_kernel)
{
	unsigned char bytes[16];
	void *d;
	unsigned int reads;

	device.exact = false;
	d = new_drbg();
	reads = device.reads;
	draw(d, bytes, sizeof(bytes));
	draw(d, bytes, sizeof(bytes));
	ck_assert_uint_eq(device.reads, reads + 2);
	free_drbg(d);
}
END_TEST

/* Bytes of the kernel in each draw, where nobody can be asked. */
START_TEST(blind)
{
	unsigned char bytes[16];
	unsigned int before;
	void *d;

	if (_i)
		device.refused = true;
	else
		device.unreadable = true;
	d = new_drbg();
	before = counter(d);
	draw(d, bytes, sizeof(bytes));
	draw(d, bytes, sizeof(bytes));
	ck_assert_uint_ge(counter(d), before + 2);
	free_drbg(d);
}
END_TEST

START_TEST(absent)
{
	unsigned char bytes[16];
	unsigned int before;
	void *d;

	device.absent = true;
	d = new_drbg();
	before = counter(d);
	draw(d, bytes, sizeof(bytes));
	ck_assert_uint_eq(counter(d), before);
	ck_assert_uint_eq(device.looks, 0);
	free_drbg(d);
}
END_TEST

START_TEST(generator_is_that_of_the_programs_context)
{
	ck_assert_ptr_nonnull(honest.borrowed);
	ck_assert_ptr_null(honest.own_libctx);
}
END_TEST

START_TEST(without_a_context_of_the_program_there_is_one_of_its_own)
{
	unsigned char a[16] = { 0 }, b[16] = { 0 };
	void *d;

	stock_free(provider.stock);
	provider.libctx = NULL;
	provider.stock = NULL;
	d = new_drbg();
	ck_assert_ptr_nonnull(provider.stock->own_provider);
	draw(d, a, sizeof(a));
	draw(d, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	free_drbg(d);
}
END_TEST

static OPENSSL_CORE_CTX *foreign_libctx(const OSSL_CORE_HANDLE *core)
{
	(void)core;
	ck_abort_msg("asked for a structure of unknown shape");
	return NULL;
}

/* A program with a libcrypto of its own: that function is not of ours. */
START_TEST(context_of_another_libcrypto_is_not_touched)
{
	const OSSL_DISPATCH in[] = {
		{ OSSL_FUNC_CORE_GET_LIBCTX, (void (*)(void))foreign_libctx },
		{ 0, NULL },
	};
	const OSSL_DISPATCH *out;
	struct provider *p;
	void *ctx;

	ck_assert_int_eq(OSSL_provider_init(NULL, in, &out, &ctx), 1);
	p = ctx;
	ck_assert_ptr_null(p->libctx);
	while (out->function_id != OSSL_FUNC_PROVIDER_TEARDOWN)
		out++;
	((OSSL_FUNC_provider_teardown_fn *)out->function)(ctx);
}
END_TEST

/* In one piece, or the first would be from before. */
START_TEST(a_large_request_is_one)
{
	OSSL_FUNC_rand_get_ctx_params_fn *get =
		(OSSL_FUNC_rand_get_ctx_params_fn *)function(
			OSSL_FUNC_RAND_GET_CTX_PARAMS);
	size_t max = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_RAND_PARAM_MAX_REQUEST, &max),
		OSSL_PARAM_construct_end(),
	};
	void *d = new_drbg();

	ck_assert_int_eq(get(d, params), 1);
	ck_assert_uint_ge(max, 1 << 30);
	free_drbg(d);
}
END_TEST

enum { PRIMARY, PUBLIC, PRIVATE, GENERATORS };
#define STEPS 6

/* In a process of its own: the generators of the default context stay what they are. */
static void draw_after_each_addition(unsigned int counters[STEPS][GENERATORS])
{
	static const char added[] = "what a program knows of its clone";
	unsigned char bytes[16];

	for (int step = 0; step < STEPS; step++) {
		EVP_RAND_CTX *primary = RAND_get0_primary(NULL);
		EVP_RAND_CTX *const generators[] = { primary,
						     RAND_get0_public(NULL),
						     RAND_get0_private(NULL) };

		switch (step) {
		case 1:
			RAND_add(added, sizeof(added), 0);
			break;
		case 2:
			RAND_seed(added, sizeof(added));
			break;
		case 3:
			ck_assert_int_eq(RAND_poll(), 1);
			break;
		case 4:
			ck_assert_int_eq(EVP_RAND_reseed(primary, 0, NULL, 0,
							 NULL, 0),
					 1);
			break;
		}
		/* In the last step nothing was added. */
		ck_assert_int_eq(RAND_bytes(bytes, sizeof(bytes)), 1);
		ck_assert_int_eq(RAND_priv_bytes(bytes, sizeof(bytes)), 1);
		for (int i = 0; i < GENERATORS; i++) {
			OSSL_PARAM params[] = {
				OSSL_PARAM_construct_uint(
					OSSL_DRBG_PARAM_RESEED_COUNTER,
					&counters[step][i]),
				OSSL_PARAM_construct_end(),
			};

			ck_assert_int_eq(EVP_RAND_CTX_get_params(generators[i],
								 params),
					 1);
		}
	}
}

static void stock_counters(unsigned int counters[STEPS][GENERATORS])
{
	const size_t size = sizeof(unsigned int[STEPS][GENERATORS]);
	int ends[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		draw_after_each_addition(counters);
		_exit(write(ends[1], counters, size) == (ssize_t)size ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(ends[0], counters, size), size);
}

static OSSL_PROVIDER *loaded[2];

static void make_ours_the_default(void)
{
	ck_assert_int_eq(OSSL_PROVIDER_add_builtin(NULL, "sysgenid",
						   OSSL_provider_init),
			 1);
	loaded[0] = OSSL_PROVIDER_load(NULL, "default");
	loaded[1] = OSSL_PROVIDER_load(NULL, "sysgenid");
	ck_assert_ptr_nonnull(loaded[0]);
	ck_assert_ptr_nonnull(loaded[1]);
	ck_assert_int_eq(RAND_set_DRBG_type(NULL, DRBG_NAME, NULL, NULL, NULL),
			 1);
}

START_TEST(what_is_added_reaches_each_generator_as_with_stock)
{
	unsigned int stock[STEPS][GENERATORS], ours[STEPS][GENERATORS];

	stock_counters(stock);
	make_ours_the_default();
	draw_after_each_addition(ours);
	/* From the first draws on, which the stock children begin with a reseed. */
	for (int step = 1; step < STEPS; step++) {
		for (int i = 0; i < GENERATORS; i++) {
			unsigned int moved = ours[step][i] - ours[0][i];

			ck_assert_msg(moved == stock[step][i] - stock[0][i],
				      "step %d, generator %d: %u, stock %u",
				      step, i, moved,
				      stock[step][i] - stock[0][i]);
		}
	}
	OSSL_PROVIDER_unload(loaded[1]);
	OSSL_PROVIDER_unload(loaded[0]);
}
END_TEST

/* What the stock generator is given with a reseed. */
static size_t reseeded_with, instantiated_with;

static int spy_reseed(void *ctx, int prediction_resistance,
		      const unsigned char *ent, size_t ent_len,
		      const unsigned char *adin, size_t adin_len)
{
	reseeded_with = adin_len;
	return honest.reseed(ctx, prediction_resistance, ent, ent_len, adin,
			     adin_len);
}

static int spy_instantiate(void *ctx, unsigned int strength,
			   int prediction_resistance, const unsigned char *pstr,
			   size_t pstr_len, const OSSL_PARAM params[])
{
	instantiated_with = pstr_len;
	return honest.instantiate(ctx, strength, prediction_resistance, pstr,
				  pstr_len, params);
}

static void add(void *d)
{
	OSSL_FUNC_rand_reseed_fn *reseed =
		(OSSL_FUNC_rand_reseed_fn *)function(OSSL_FUNC_RAND_RESEED);

	ck_assert_int_eq(reseed(d, 0, NULL, 0, (const unsigned char *)"x", 1),
			 1);
}

/* Bytes of the parent's, not the news alone: and to a grandchild, too. */
START_TEST(a_child_takes_bytes_of_the_parent_that_was_given_something)
{
	unsigned char bytes[16];
	void *parent, *child, *grandchild;

	provider.stock->reseed = spy_reseed;
	parent = new_drbg();
	child = new_child(parent, drbg_functions);
	grandchild = new_child(child, drbg_functions);
	draw(child, bytes, sizeof(bytes));
	draw(grandchild, bytes, sizeof(bytes));
	ck_assert_uint_eq(reseeded_with, 0);
	add(parent);
	draw(child, bytes, sizeof(bytes));
	ck_assert_uint_ge(reseeded_with, 32);
	reseeded_with = 0;
	draw(child, bytes, sizeof(bytes));
	ck_assert_uint_eq(reseeded_with, 0);
	/* The child has handed it on. */
	draw(grandchild, bytes, sizeof(bytes));
	ck_assert_uint_ge(reseeded_with, 32);
	add(child);
	reseeded_with = 0;
	draw(grandchild, bytes, sizeof(bytes));
	ck_assert_uint_ge(reseeded_with, 32);
	free_drbg(grandchild);
	free_drbg(child);
	free_drbg(parent);
}
END_TEST

START_TEST(a_child_that_comes_after_the_addition_takes_them_too)
{
	void *parent, *child;

	provider.stock->instantiate = spy_instantiate;
	parent = new_drbg();
	child = new_child(parent, drbg_functions);
	ck_assert_uint_eq(instantiated_with, 0);
	free_drbg(child);
	add(parent);
	child = new_child(parent, drbg_functions);
	ck_assert_uint_ge(instantiated_with, 32);
	free_drbg(child);
	free_drbg(parent);
}
END_TEST

/* A generator of somebody else is above ours. */
START_TEST(a_stock_parent_that_is_reseeded_is_heard)
{
	OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *stock = OSSL_PROVIDER_load(libctx, "default");
	const OSSL_DISPATCH *calls = NULL;
	unsigned char bytes[16];
	void *parent, *child;
	int no_cache;

	for (const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(
		     stock, OSSL_OP_RAND, &no_cache);
	     a->algorithm_names; a++) {
		if (strstr(a->algorithm_names, "CTR-DRBG"))
			calls = a->implementation;
	}
	ck_assert_ptr_nonnull(calls);
	parent = provider.stock->new (provider.stock->provctx, NULL, NULL);
	{
		char cipher[] = "AES-256-CTR";
		const OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER,
							 cipher, 0),
			OSSL_PARAM_construct_end(),
		};

		ck_assert_int_eq(provider.stock->instantiate(parent, 0, 0, NULL,
							     0, params),
				 1);
	}
	provider.stock->instantiate = spy_instantiate;
	child = new_child(parent, calls);
	ck_assert_uint_ge(instantiated_with, 32);
	provider.stock->reseed = spy_reseed;
	draw(child, bytes, sizeof(bytes));
	ck_assert_uint_eq(reseeded_with, 0);
	ck_assert_int_eq(spy_reseed(parent, 0, NULL, 0, NULL, 0), 1);
	draw(child, bytes, sizeof(bytes));
	ck_assert_uint_ge(reseeded_with, 32);
	free_drbg(child);
	provider.stock->free(parent);
	OSSL_PROVIDER_unload(stock);
	OSSL_LIB_CTX_free(libctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drbg");
	TCase *tcase = tcase_create("drbg");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, nothing_changes);
	tcase_add_test(tcase, changed_before_a_draw);
	tcase_add_test(tcase, changed_in_the_middle);
	tcase_add_test(tcase, who_is_not_exact_asks_the_kernel);
	tcase_add_loop_test(tcase, blind, 0, 2);
	tcase_add_test(tcase, absent);
	tcase_add_test(tcase, a_large_request_is_one);
	tcase_add_test(tcase, generator_is_that_of_the_programs_context);
	tcase_add_test(
		tcase,
		without_a_context_of_the_program_there_is_one_of_its_own);
	tcase_add_test(tcase, context_of_another_libcrypto_is_not_touched);
	tcase_add_test(
		tcase,
		a_child_takes_bytes_of_the_parent_that_was_given_something);
	tcase_add_test(tcase,
		       a_child_that_comes_after_the_addition_takes_them_too);
	tcase_add_test(tcase, a_stock_parent_that_is_reseeded_is_heard);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("default context");
	tcase_add_test(tcase,
		       what_is_added_reaches_each_generator_as_with_stock);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
