// SPDX-License-Identifier: MIT
/* What a restore request may hold. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "request.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

_Static_assert(REQUEST_NAME == IF_NAMESIZE, "the kernel's");

/* A text of at most @size bytes with its zero byte, and zeros behind. */
static bool is_text(const char *text, size_t size)
{
	const size_t len = strnlen(text, size);

	for (size_t i = len; i < size; i++) {
		if (text[i])
			return false;
	}
	return len < size;
}

static bool is_zero(const void *bytes, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++) {
		if (b[i])
			return false;
	}
	return true;
}

/* Labels as RFC 1123 has them. */
static bool is_hostname(const char *name)
{
	for (;;) {
		const size_t len = strspn(name, LOWER UPPER DIGITS "-");

		if (!len || len > 63 || *name == '-' || name[len - 1] == '-')
			return false;
		if (!name[len])
			return true;
		if (name[len] != '.')
			return false;
		name += len + 1;
	}
}

static bool is_machine_id(const char *id)
{
	return strspn(id, DIGITS "abcdef") == REQUEST_MACHINE_ID - 1 &&
	       strspn(id, "0") < REQUEST_MACHINE_ID - 1;
}

/* What the kernel takes; the loopback device is the machine's own. */
static bool is_interface_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") ||
	    !strcmp(name, "lo"))
		return false;
	for (; *name; name++) {
		if (*name <= ' ' || *name > '~' || strchr("/:%\"\\", *name))
			return false;
	}
	return true;
}

static size_t size_of(const struct request_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* Whether no bit behind the prefix is set. */
static bool is_prefix(const struct request_address *a)
{
	for (unsigned int bit = a->prefix; bit < size_of(a) * 8; bit++) {
		if (a->bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

static bool is_address(const struct request_address *a)
{
	return (a->family == AF_INET || a->family == AF_INET6) &&
	       a->prefix <= size_of(a) * 8 &&
	       is_zero(a->bytes + size_of(a), sizeof(a->bytes) - size_of(a));
}

/* One that a host on a network can have. */
static bool is_unicast(const struct request_address *a)
{
	struct in6_addr six;

	if (!is_address(a) || is_zero(a->bytes, sizeof(a->bytes)))
		return false;
	if (a->family == AF_INET)
		return a->bytes[0] && a->bytes[0] < 224 && a->bytes[0] != 127;
	memcpy(&six, a->bytes, sizeof(six));
	return !IN6_IS_ADDR_MULTICAST(&six) && !IN6_IS_ADDR_LOOPBACK(&six) &&
	       !IN6_IS_ADDR_V4MAPPED(&six);
}

static bool is_multicast(const struct request_address *a)
{
	return a->family == AF_INET ? a->bytes[0] >= 224 : a->bytes[0] == 0xff;
}

static bool is_route(const struct request_route *r)
{
	if (!is_address(&r->to) || !is_prefix(&r->to) ||
	    (is_multicast(&r->to) && r->to.prefix))
		return false;
	if (!r->via.family)
		return is_zero(&r->via, sizeof(r->via));
	return r->via.family == r->to.family && is_unicast(&r->via) &&
	       r->via.prefix == size_of(&r->via) * 8;
}

static bool fail(char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s", what);
	return false;
}

/* @n: where it is in the list. */
static bool fail_at(char *why, size_t size, unsigned int n, const char *what)
{
	snprintf(why, size, "\"interfaces\", number %u: %s", n + 1, what);
	return false;
}

static bool is_interface(const struct request_interface *f, unsigned int n,
			 char *why, size_t size)
{
	if (!is_text(f->name, sizeof(f->name)) || !is_interface_name(f->name))
		return fail_at(
			why, size, n,
			"\"name\" is 1 to 15 characters, not lo, without blank, /, : or %");
	if (f->has_mac > 1 || f->has_addresses > 1 || f->has_routes > 1 ||
	    f->addresses > REQUEST_ADDRESSES * f->has_addresses ||
	    f->routes > REQUEST_ROUTES * f->has_routes ||
	    (!f->has_mac && !is_zero(f->mac, sizeof(f->mac))))
		return fail_at(
			why, size, n,
			"at most 8 \"addresses\" and 8 \"routes\" are taken");
	if (f->has_mac && (f->mac[0] & 1 || is_zero(f->mac, sizeof(f->mac))))
		return fail_at(
			why, size, n,
			"\"mac\" is the address of one device, as 02:00:00:00:00:01");
	for (unsigned int i = 0; i < f->addresses; i++) {
		if (!is_unicast(&f->address[i]) || !f->address[i].prefix)
			return fail_at(
				why, size, n,
				"\"addresses\" has one that is no ADDRESS/PREFIX of a host");
	}
	for (unsigned int i = 0; i < f->routes; i++) {
		if (!is_route(&f->route[i]))
			return fail_at(
				why, size, n,
				"\"routes\" has one that is not {\"to\": \"default\" or PREFIX, \"via\": ADDRESS, \"metric\": NUMBER}");
	}
	return true;
}

static bool has_name_twice(const struct request *r)
{
	for (unsigned int i = 0; i < r->interfaces; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (!strcmp(r->interface[i].name, r->interface[j].name))
				return true;
		}
	}
	return false;
}

/* NAME=value. */
static bool is_variable(const char *text)
{
	const size_t len = strspn(text, UPPER DIGITS "_");

	return len && len <= REQUEST_VARIABLE && text[len] == '=' &&
	       !strchr(text, '\n');
}

static bool has_variable_twice(const struct request *r)
{
	const char *one, *other;
	size_t at = 0;

	while ((one = request_variable(r, &at))) {
		const size_t len = (size_t)(strchr(one, '=') - one) + 1;
		size_t next = at;

		while ((other = request_variable(r, &next))) {
			if (!strncmp(one, other, len))
				return true;
		}
	}
	return false;
}

static bool is_environment(const struct request *r)
{
	const char *text;
	size_t at = 0;

	if (r->environment_len > sizeof(r->environment) ||
	    (r->environment_len && r->environment[r->environment_len - 1]))
		return false;
	while ((text = request_variable(r, &at))) {
		if (!is_variable(text))
			return false;
	}
	return !has_variable_twice(r);
}

bool request_is_valid(const struct request *r, char *why, size_t size)
{
	if (r->nonce_len < REQUEST_NONCE_MIN ||
	    r->nonce_len > REQUEST_NONCE_MAX)
		return fail(why, size,
			    "\"nonce\" is 16 to 64 random bytes in base64");
	if (r->entropy_len && (r->entropy_len < REQUEST_ENTROPY_MIN ||
			       r->entropy_len > REQUEST_ENTROPY_MAX))
		return fail(why, size,
			    "\"entropy\" is 16 to 512 bytes in base64");
	if (r->realtime_ns && (r->realtime_ns < REQUEST_REALTIME_MIN ||
			       r->realtime_ns > REQUEST_REALTIME_MAX))
		return fail(
			why, size,
			"\"realtime_ns\" is nanoseconds since 1970, from the year 2000 to 2232");
	if (!is_text(r->hostname, sizeof(r->hostname)) ||
	    (r->hostname[0] && !is_hostname(r->hostname)))
		return fail(
			why, size,
			"\"hostname\" is at most 64 letters, digits, \"-\" and \".\"");
	if (!is_text(r->machine_id, sizeof(r->machine_id)) ||
	    (r->machine_id[0] && !is_machine_id(r->machine_id)))
		return fail(
			why, size,
			"\"machine_id\" is 32 lower-case hexadecimal digits, not all 0");
	if (r->interfaces > REQUEST_INTERFACES)
		return fail(why, size, "\"interfaces\" has at most 8");
	for (unsigned int i = 0; i < r->interfaces; i++) {
		if (!is_interface(&r->interface[i], i, why, size))
			return false;
	}
	if (has_name_twice(r))
		return fail(why, size, "\"interfaces\" has one name twice");
	if (!is_environment(r))
		return fail(
			why, size,
			"\"environment\" has names of 1 to 64 A-Z, 0-9 and _, values without newline, and 4096 bytes in all");
	return true;
}

bool request_has_nonce(const struct request *r, const unsigned char *nonce,
		       size_t len)
{
	return r->nonce_len == len && !memcmp(r->nonce, nonce, len);
}

const char *request_variable(const struct request *r, size_t *at)
{
	const char *text = r->environment + *at;

	if (*at >= r->environment_len)
		return NULL;
	*at += strlen(text) + 1;
	return text;
}

void request_wipe_entropy(struct request *r)
{
	explicit_bzero(r->entropy, sizeof(r->entropy));
	r->entropy_len = 0;
}

void request_wipe(struct request *r)
{
	explicit_bzero(r, sizeof(*r));
}
