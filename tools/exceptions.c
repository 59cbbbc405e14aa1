// SPDX-License-Identifier: MIT
/* The exceptions to the gate in the kernel: of sysgenidctl, and of the overseer. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exceptions.h"
#include "filter.h"

static bool refuse(struct exceptions *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(struct exceptions *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->why, sizeof(e->why), format, args);
	va_end(args);
	return false;
}

bool exceptions_add_device(struct exceptions *e, const char *name)
{
	const size_t len = strlen(name);

	if (e->device_count == SYSGENID_GATE_MAX)
		return refuse(e, "more than %d devices", SYSGENID_GATE_MAX);
	if (len >= IF_NAMESIZE || strpbrk(name, "/: \t") ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		return refuse(e, "\"%s\" is no name of a device", name);
	memcpy(e->devices[e->device_count++], name, len + 1);
	return true;
}

bool exceptions_add_mark(struct exceptions *e, const char *text)
{
	const bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	unsigned long long mark;
	char *end;

	if (e->mark_count == SYSGENID_GATE_MAX)
		return refuse(e, "more than %d marks", SYSGENID_GATE_MAX);
	errno = 0;
	mark = strtoull(text, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    mark > UINT32_MAX || !mark)
		return refuse(e, "\"%s\" is not a number from 1 to %u", text,
			      UINT32_MAX);
	e->marks[e->mark_count++] = (uint32_t)mark;
	return true;
}

/* Each by itself first: a joined one has no line to blame, and ")(" would join well. */
bool exceptions_add_filter(struct exceptions *e, const char *expression)
{
	struct sock_filter *program;
	char why[256], *joined;
	size_t len;

	if (e->filter)
		return refuse(e, "there is a bytecode already");
	/* For libpcap that is all packets. */
	if (!expression[strspn(expression, " \t")])
		return refuse(e, "there is no expression");
	if (!filter_compile(expression, &program, &len, why, sizeof(why)))
		return refuse(e, "%s", why);
	free(program);
	if (asprintf(&joined, "%s%s(%s)", e->filters ? e->filters : "",
		     e->filters ? " or " : "", expression) < 0)
		return refuse(e, "no memory");
	free(e->filters);
	e->filters = joined;
	return true;
}

/* "N,CODE JT JF K,...", as nfbpf_compile prints and iptables(8) takes. */
bool exceptions_add_bytecode(struct exceptions *e, const char *text)
{
	unsigned int n, code, jt, jf, k;
	int used;

	if (e->filter || e->filters)
		return refuse(e, "there is a filter already");
	if (sscanf(text, "%u%n", &n, &used) != 1 || !n || n > BPF_MAXINSNS)
		return refuse(e, "it does not begin with a number from 1 to %d",
			      BPF_MAXINSNS);
	e->filter = calloc(n, sizeof(*e->filter));
	if (!e->filter)
		return refuse(e, "no memory");
	for (text += used; e->filter_len < n; text += used) {
		if (sscanf(text, ",%u %u %u %u%n", &code, &jt, &jf, &k,
			   &used) != 4 ||
		    code > UINT16_MAX || jt > UINT8_MAX || jf > UINT8_MAX)
			return refuse(e, "instruction %u is none of BPF",
				      e->filter_len + 1);
		e->filter[e->filter_len++] =
			(struct sock_filter){ (uint16_t)code, (uint8_t)jt,
					      (uint8_t)jf, k };
	}
	if (strcmp(text, "") && strcmp(text, ","))
		return refuse(e, "more than %u instructions", n);
	return true;
}

bool exceptions_join_filters(struct exceptions *e)
{
	char why[256];
	size_t len;

	if (!e->filters)
		return true;
	if (!filter_compile(e->filters, &e->filter, &len, why, sizeof(why)))
		return refuse(e, "all filters together: %s", why);
	if (len > BPF_MAXINSNS)
		return refuse(
			e,
			"all filters together take %zu instructions of BPF, and %d are the most",
			len, BPF_MAXINSNS);
	e->filter_len = (uint32_t)len;
	return true;
}

void exceptions_free(struct exceptions *e)
{
	free(e->filter);
	free(e->filters);
	e->filter = NULL;
	e->filters = NULL;
}

void exceptions_put(const struct exceptions *e, struct sysgenid_gate_args *gate)
{
	gate->devices = (uintptr_t)e->devices;
	gate->device_count = e->device_count;
	gate->marks = (uintptr_t)e->marks;
	gate->mark_count = e->mark_count;
	gate->filter = (uintptr_t)e->filter;
	gate->filter_len = e->filter_len;
}
