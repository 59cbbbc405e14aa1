// SPDX-License-Identifier: MIT
/*
 * What OpenSSL makes of the file and of what it includes. The included file
 * uses the names of sections that OpenSSL's own openssl.cnf has. A file with
 * other names, or with a generator, is the administrator's to change.
 */
#include <string.h>
#include <strings.h>

#include <openssl/conf.h>

#include "config.h"
#include "drbg.h"

/* The names in openssl.cnf.in. */
#define INIT	  "openssl_init"
#define PROVIDERS "provider_sect"
#define RANDOM	  "sysgenid_random"

/* A key that is missing is looked for in the default section by OpenSSL. */
static const char *get_here(const CONF *conf, const char *section,
			    const char *key)
{
	STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, section);

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

/* Whether [ @section ] has @key name the section that the included file adds to. */
static bool names(const CONF *conf, const char *section, const char *key,
		  const char *ours)
{
	const char *there = get_here(conf, section, key);

	if (there && !strcmp(there, ours))
		return true;
	if (there)
		complain(
			"[ %s ] says \"%s = %s\", but %s adds to [ %s ]; rename the section",
			section, key, there, INCLUDED, ours);
	else
		complain("%s cannot be read", INCLUDED);
	return false;
}

static bool check_providers(const CONF *conf)
{
	const char *stock, *activate;

	if (get_here(conf, PROVIDERS, "fips")) {
		complain(
			"the configuration has the fips provider, whose generator cannot be replaced; see sysgenid-openssl-provider(7)");
		return false;
	}
	stock = get_here(conf, PROVIDERS, "default");
	activate = stock ? get_here(conf, stock, "activate") : NULL;
	if (!activate || !is_yes(activate)) {
		complain(
			"[ %s ] %s \"activate = %s\", but sysgenid's generator is made of the default provider's",
			stock ? stock : PROVIDERS, activate ? "says" : "lacks",
			activate ? activate : "1");
		return false;
	}
	return true;
}

/* A generator, or a source of seeds, that somebody has chosen is not overridden. */
static bool check_random(const CONF *conf)
{
	static const char *const keys[] = { "seed", "random_provider",
					    "random" };
	const char *section = get_here(conf, INIT, "random"), *value;

	for (size_t i = 0; section && i < sizeof(keys) / sizeof(keys[0]); i++) {
		value = get_here(conf, section, keys[i]);
		if (value && strcmp(value, DRBG_NAME)) {
			complain("[ %s ] says \"%s = %s\" already", section,
				 keys[i], value);
			return false;
		}
	}
	return names(conf, INIT, "random", RANDOM);
}

/* The number is of lines of the file and of what it includes before. */
static CONF *load(const char *path)
{
	CONF *conf = NCONF_new(NULL);
	long line = 0;

	if (conf && NCONF_load(conf, path, &line) > 0)
		return conf;
	complain("%s: OpenSSL cannot read line %ld", path, line);
	NCONF_free(conf);
	return NULL;
}

bool config_can_be_read(const char *path)
{
	CONF *conf = load(path);

	NCONF_free(conf);
	return conf;
}

bool config_takes_effect(const char *path)
{
	CONF *conf = load(path);
	bool ok = conf && names(conf, "default", "openssl_conf", INIT) &&
		  names(conf, INIT, "providers", PROVIDERS) &&
		  check_providers(conf) && check_random(conf);

	NCONF_free(conf);
	return ok;
}
