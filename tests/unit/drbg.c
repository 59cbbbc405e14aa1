// SPDX-License-Identifier: MIT
/*
 * The provider's generator, on a device that is played here: when it draws
 * again, and that what it hands out is never from before.
 */
#define _GNU_SOURCE
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

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

struct handles *handles_new(void)
{
	return NULL;
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

void handle_put(struct handles *hs, struct handle *h)
{
	(void)hs;
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

static void *new_drbg(void)
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
	void *d = new (&provider, NULL, NULL);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(instantiate(d, 0, 0, NULL, 0, params), 1);
	return d;
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

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	device.exact = true;
	device.generation = 5;
	provider.libctx = OSSL_LIB_CTX_new();
	provider.stock_provider =
		OSSL_PROVIDER_load(provider.libctx, "default");
	ck_assert(stock_find(&provider.stock, provider.stock_provider));
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
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
