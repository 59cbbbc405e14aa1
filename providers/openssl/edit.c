// SPDX-License-Identifier: MIT
/*
 * What is added to openssl.cnf, at its end, between two lines by which it is
 * found again. OpenSSL reads a section that comes twice as one, so nothing that
 * is there has to be touched.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "config.h"
#include "drbg.h"

#define BEGIN \
	"# sysgenid: begin. \"sysgenidctl openssl disable\" takes this out.\n"
#define END "\n# sysgenid: end"
/* Where the file's last line had none. */
#define NEWLINE ", and the newline before the begin was not there"

/* The build says; by hand it may be left out. */
#ifndef MODULES
#define MODULES ""
#endif

static const char *find_block(const char *text)
{
	const char *begin = strstr(text, BEGIN);

	while (begin && begin != text && begin[-1] != '\n')
		begin = strstr(begin + 1, BEGIN);
	return begin;
}

bool config_is_enabled(const char *text)
{
	return find_block(text);
}

char *config_without_block(const char *text)
{
	const char *begin = find_block(text);
	const char *end = begin ? strstr(begin, END) : NULL;
	char *result;

	if (end) {
		end += strlen(END);
		if (!strncmp(end, NEWLINE, strlen(NEWLINE)) && begin > text) {
			end += strlen(NEWLINE);
			begin--;
		}
	}
	if (!end || *end != '\n') {
		complain(
			"the lines that sysgenid added are not whole any more; take them out by hand, they begin with: %.16s",
			BEGIN);
		return NULL;
	}
	if (asprintf(&result, "%.*s%s", (int)(begin - text), text, end + 1) < 0)
		return NULL;
	return result;
}

static const char *get(const CONF *conf, const char *section, const char *key)
{
	const char *value;

	ERR_set_mark();
	value = section ? NCONF_get_string(conf, section, key) : NULL;
	ERR_pop_to_mark();
	return value;
}

/* A key that is missing is looked for in the default section by OpenSSL. */
static const char *get_here(const CONF *conf, const char *section,
			    const char *key)
{
	STACK_OF(CONF_VALUE) *values =
		section ? NCONF_get_section(conf, section) : NULL;

	for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
		const CONF_VALUE *v = sk_CONF_VALUE_value(values, i);

		if (!strcmp(v->name, key))
			return v->value;
	}
	return NULL;
}

static bool is_yes(const char *value)
{
	return !strcmp(value, "1") || !strcasecmp(value, "yes") ||
	       !strcasecmp(value, "true") || !strcasecmp(value, "on");
}

struct block {
	FILE *out;
	bool ok;
};

static void key(struct block *b, const char *section, const char *name,
		const char *value)
{
	if (fprintf(b->out, "[ %s ]\n%s = %s\n", section, name, value) < 0)
		b->ok = false;
}

/* The section that this key names, which is added where there is none. */
static const char *section_of(struct block *b, const CONF *conf,
			      const char *section, const char *name,
			      const char *ours)
{
	const char *there = get_here(conf, section, name);

	if (there)
		return there;
	key(b, section, name, ours);
	return ours;
}

static const char *modules_folder(void)
{
	const char *folder = OPENSSL_info(OPENSSL_INFO_MODULES_DIR);

	return folder ? folder : "";
}

static bool add_providers(struct block *b, const CONF *conf, const char *init)
{
	const char *providers, *stock, *activate;

	providers =
		section_of(b, conf, init, "providers", "sysgenid_providers");
	if (get_here(conf, providers, "fips")) {
		complain(
			"the configuration has the fips provider, whose generator cannot be replaced; see sysgenid-openssl-provider(7)");
		return false;
	}
	/* As soon as one is named, the stock one does not come by itself. */
	stock = section_of(b, conf, providers, "default", "sysgenid_default");
	activate = get_here(conf, stock, "activate");
	if (activate && !is_yes(activate)) {
		complain(
			"[ %s ] says \"activate = %s\", but sysgenid's generator is made of the default provider's",
			stock, activate);
		return false;
	}
	if (!activate)
		key(b, stock, "activate", "1");
	key(b, providers, "sysgenid", "sysgenid_provider");
	/* From where OpenSSL does not look by itself, it has to be told. */
	if (*MODULES && strcmp(MODULES, modules_folder()))
		key(b, "sysgenid_provider", "module", MODULES "/sysgenid.so");
	key(b, "sysgenid_provider", "activate", "1");
	return true;
}

static bool add_random(struct block *b, const CONF *conf, const char *init)
{
	const char *random =
		section_of(b, conf, init, "random", "sysgenid_random");
	const char *there = get_here(conf, random, "random");

	if (there) {
		complain("[ %s ] says \"random = %s\" already", random, there);
		return false;
	}
	key(b, random, "random", DRBG_NAME);
	return true;
}

static bool write_block(struct block *b, const CONF *conf)
{
	const char *init = get(conf, "default", "openssl_conf");

	if (!init) {
		init = "sysgenid_init";
		key(b, "default", "openssl_conf", init);
	}
	return add_providers(b, conf, init) && add_random(b, conf, init);
}

char *config_with_block(const char *path, const char *text)
{
	CONF *conf = NCONF_new(NULL);
	struct block b = { .ok = false };
	char *result = NULL;
	size_t size;
	long line = 0;
	bool cut;

	if (!conf)
		return NULL;
	if (NCONF_load(conf, path, &line) <= 0) {
		complain("%s: OpenSSL cannot read line %ld", path, line);
		goto out;
	}
	b.out = open_memstream(&result, &size);
	if (!b.out)
		goto out;
	cut = *text && text[strlen(text) - 1] != '\n';
	b.ok = fprintf(b.out, "%s%s" BEGIN, text, cut ? "\n" : "") >= 0;
	if (!write_block(&b, conf) ||
	    fprintf(b.out, "%s%s\n", &END[1], cut ? NEWLINE : "") < 0)
		b.ok = false;
	if (fclose(b.out) || !b.ok) {
		free(result);
		result = NULL;
	}
out:
	NCONF_free(conf);
	return result;
}
