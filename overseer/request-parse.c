// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "protocol.h"
#include "request-parse.h"

/* @within: what all messages begin with. */
struct parsing {
	const struct secret *secret;
	char *why;
	size_t size;
	char within[48];
};

typedef bool take_fn(struct parsing *p, struct json_object *value, void *to);

/* @take: NULL: read by somebody else. */
struct member {
	const char *name;
	enum json_type type;
	bool required;
	take_fn *take;
};

static bool __attribute__((format(printf, 2, 3)))
fail(struct parsing *p, const char *format, ...)
{
	const int n = snprintf(p->why, p->size, "%s", p->within);
	va_list args;

	va_start(args, format);
	vsnprintf(p->why + n, p->size - (size_t)n, format, args);
	va_end(args);
	return false;
}

static const char *name_of(enum json_type type)
{
	switch (type) {
	case json_type_string:
		return "a string";
	case json_type_int:
		return "a whole number";
	case json_type_array:
		return "an array";
	default:
		return "an object";
	}
}

static const struct member *find(const struct member *list, const char *name)
{
	while (list->name && strcmp(list->name, name))
		list++;
	return list->name ? list : NULL;
}

/* Each member of @o is one of the list, which ends with a NULL. */
static bool take_members(struct parsing *p, struct json_object *o,
			 const struct member *list, void *to)
{
	json_object_object_foreach(o, name, value) {
		const struct member *m = find(list, name);

		if (!m)
			return fail(p, "there is no member \"%s\"",
				    protocol_is_plain(name) ?
					    name :
					    "(not a plain name)");
		if (!json_object_is_type(value, m->type))
			return fail(p, "\"%s\" is not %s", name,
				    name_of(m->type));
		if (m->take && !m->take(p, value, to))
			return false;
	}
	for (const struct member *m = list; m->name; m++) {
		if (m->required && !json_object_object_get_ex(o, m->name, NULL))
			return fail(p, "\"%s\" is missing", m->name);
	}
	return true;
}

static bool take_text(struct parsing *p, struct json_object *value,
		      const char *name, char *to, size_t size)
{
	const char *text = json_object_get_string(value);
	const size_t len = strlen(text);

	if (!len || len >= size)
		return fail(p, "\"%s\" has 1 to %zu characters", name,
			    size - 1);
	memcpy(to, text, len);
	return true;
}

/* ---- addresses ---- */

static uint8_t bits_of(const struct request_address *a)
{
	return a->family == AF_INET ? 32 : 128;
}

static bool read_address(const char *text, struct request_address *a)
{
	a->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	a->prefix = bits_of(a);
	return inet_pton(a->family, text, a->bytes) == 1;
}

/* ADDRESS/PREFIX. */
static bool read_prefix(const char *text, struct request_address *a)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	size_t len;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (!read_address(address, a))
		return false;
	slash++;
	len = strspn(slash, "0123456789");
	if (!len || len > 3 || slash[len] || (*slash == '0' && len > 1))
		return false;
	if (strtoul(slash, NULL, 10) > bits_of(a))
		return false;
	a->prefix = (uint8_t)strtoul(slash, NULL, 10);
	return true;
}

/* ---- a route ---- */

static bool take_to(struct parsing *p, struct json_object *value, void *to)
{
	struct request_route *r = to;
	const char *text = json_object_get_string(value);

	/* The family of "default" is that of "via". */
	if (!strcmp(text, "default"))
		return true;
	return read_prefix(text, &r->to) ||
	       fail(p, "\"to\" of a route is \"default\" or ADDRESS/PREFIX");
}

static bool take_via(struct parsing *p, struct json_object *value, void *to)
{
	struct request_route *r = to;

	return read_address(json_object_get_string(value), &r->via) ||
	       fail(p, "\"via\" of a route is an address");
}

static bool take_metric(struct parsing *p, struct json_object *value, void *to)
{
	struct request_route *r = to;
	const int64_t metric = json_object_get_int64(value);

	if (metric < 0 || metric > UINT32_MAX)
		return fail(p, "\"metric\" is 0 to 4294967295");
	r->metric = (uint32_t)metric;
	return true;
}

static const struct member of_route[] = {
	{ "to", json_type_string, true, take_to },
	{ "via", json_type_string, false, take_via },
	{ "metric", json_type_int, false, take_metric },
	{ .name = NULL },
};

static bool take_route(struct parsing *p, struct json_object *value,
		       struct request_route *r)
{
	if (!json_object_is_type(value, json_type_object))
		return fail(p, "a route is an object");
	if (!take_members(p, value, of_route, r))
		return false;
	if (r->to.family)
		return true;
	if (!r->via.family)
		return fail(p, "a default route needs \"via\"");
	r->to.family = r->via.family;
	return true;
}

/* ---- an interface ---- */

static bool take_name(struct parsing *p, struct json_object *value, void *to)
{
	struct request_interface *f = to;

	return take_text(p, value, "name", f->name, sizeof(f->name));
}

static bool take_mac(struct parsing *p, struct json_object *value, void *to)
{
	struct request_interface *f = to;
	const char *text = json_object_get_string(value);
	bool ok = strlen(text) == 3 * sizeof(f->mac) - 1;

	for (size_t i = 0; ok && text[i]; i++)
		ok = i % 3 == 2 ? text[i] == ':' :
				  isxdigit((unsigned char)text[i]);
	if (!ok)
		return fail(p, "\"mac\" is written as 02:00:00:00:00:01");
	for (size_t i = 0; i < sizeof(f->mac); i++)
		f->mac[i] = (unsigned char)strtoul(text + 3 * i, NULL, 16);
	f->has_mac = 1;
	return true;
}

static bool take_addresses(struct parsing *p, struct json_object *value,
			   void *to)
{
	struct request_interface *f = to;
	const size_t count = json_object_array_length(value);

	if (count > REQUEST_ADDRESSES)
		return fail(p, "at most 8 \"addresses\" are taken");
	f->has_addresses = 1;
	f->addresses = (uint8_t)count;
	for (size_t i = 0; i < count; i++) {
		struct json_object *each = json_object_array_get_idx(value, i);

		if (!json_object_is_type(each, json_type_string) ||
		    !read_prefix(json_object_get_string(each), &f->address[i]))
			return fail(p,
				    "an address is written as ADDRESS/PREFIX");
	}
	return true;
}

static bool take_routes(struct parsing *p, struct json_object *value, void *to)
{
	struct request_interface *f = to;
	const size_t count = json_object_array_length(value);

	if (count > REQUEST_ROUTES)
		return fail(p, "at most 8 \"routes\" are taken");
	f->has_routes = 1;
	f->routes = (uint8_t)count;
	for (size_t i = 0; i < count; i++) {
		if (!take_route(p, json_object_array_get_idx(value, i),
				&f->route[i]))
			return false;
	}
	return true;
}

static const struct member of_interface[] = {
	{ "name", json_type_string, true, take_name },
	{ "mac", json_type_string, false, take_mac },
	{ "addresses", json_type_array, false, take_addresses },
	{ "routes", json_type_array, false, take_routes },
	{ .name = NULL },
};

/* ---- the request ---- */

static bool take_nonce(struct parsing *p, struct json_object *value, void *to)
{
	struct request *r = to;
	const char *text = json_object_get_string(value);
	const ssize_t n =
		base64_decode(text, strlen(text), r->nonce, sizeof(r->nonce));

	if (n < REQUEST_NONCE_MIN)
		return fail(p, "\"nonce\" is 16 to 64 random bytes in base64");
	r->nonce_len = (uint16_t)n;
	return true;
}

/* @value: what is left of it in the line. */
static bool take_entropy(struct parsing *p, struct json_object *value, void *to)
{
	const struct secret *s = p->secret;
	struct request *r = to;
	ssize_t n = -1;

	(void)value;
	if (!s->present)
		return fail(p, "the name \"entropy\" has no escapes");
	if (s->len <= sizeof(s->text))
		n = base64_decode(s->text, s->len, r->entropy,
				  sizeof(r->entropy));
	if (n < REQUEST_ENTROPY_MIN)
		return fail(p, "\"entropy\" is 16 to 512 bytes in base64");
	r->entropy_len = (uint16_t)n;
	return true;
}

static bool take_realtime(struct parsing *p, struct json_object *value,
			  void *to)
{
	struct request *r = to;

	r->realtime_ns = json_object_get_int64(value);
	return r->realtime_ns ||
	       fail(p, "\"realtime_ns\" is nanoseconds since 1970");
}

static bool take_hostname(struct parsing *p, struct json_object *value,
			  void *to)
{
	struct request *r = to;

	return take_text(p, value, "hostname", r->hostname,
			 sizeof(r->hostname));
}

static bool take_machine_id(struct parsing *p, struct json_object *value,
			    void *to)
{
	struct request *r = to;

	return take_text(p, value, "machine_id", r->machine_id,
			 sizeof(r->machine_id));
}

static bool take_interfaces(struct parsing *p, struct json_object *value,
			    void *to)
{
	struct request *r = to;
	const size_t count = json_object_array_length(value);

	if (count > REQUEST_INTERFACES)
		return fail(p, "\"interfaces\" has at most 8");
	r->interfaces = (uint8_t)count;
	for (size_t i = 0; i < count; i++) {
		struct json_object *each = json_object_array_get_idx(value, i);

		snprintf(p->within, sizeof(p->within),
			 "\"interfaces\", number %zu: ", i + 1);
		if (!json_object_is_type(each, json_type_object))
			return fail(p, "an interface is an object");
		if (!take_members(p, each, of_interface, &r->interface[i]))
			return false;
	}
	p->within[0] = 0;
	return true;
}

static bool take_environment(struct parsing *p, struct json_object *value,
			     void *to)
{
	struct request *r = to;
	size_t len = 0;

	json_object_object_foreach(value, name, each) {
		const size_t left = sizeof(r->environment) - len;
		int n;

		/* What stands behind the first one is the value. */
		if (!json_object_is_type(each, json_type_string) ||
		    strchr(name, '='))
			return fail(p, "\"environment\" is names with strings");
		n = snprintf(r->environment + len, left, "%s=%s", name,
			     json_object_get_string(each));
		if ((size_t)n >= left)
			return fail(p,
				    "\"environment\" has at most 4096 bytes");
		len += (size_t)n + 1;
	}
	r->environment_len = (uint16_t)len;
	return true;
}

static const struct member of_request[] = {
	{ "version", json_type_int, false, NULL },
	{ "request", json_type_string, true, NULL },
	{ "scope", json_type_string, false, NULL },
	{ "nonce", json_type_string, true, take_nonce },
	{ "entropy", json_type_string, false, take_entropy },
	{ "realtime_ns", json_type_int, false, take_realtime },
	{ "hostname", json_type_string, false, take_hostname },
	{ "machine_id", json_type_string, false, take_machine_id },
	{ "interfaces", json_type_array, false, take_interfaces },
	{ "environment", json_type_object, false, take_environment },
	{ .name = NULL },
};

bool request_parse(struct request *r, struct json_object *o,
		   const struct secret *secret, char *why, size_t size)
{
	struct parsing p = { .secret = secret, .why = why, .size = size };

	memset(r, 0, sizeof(*r));
	if (take_members(&p, o, of_request, r) &&
	    request_is_valid(r, why, size))
		return true;
	request_wipe(r);
	return false;
}
