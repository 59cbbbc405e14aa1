// SPDX-License-Identifier: MIT
/* Numbers and times of a command line, and texts that other programs print. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../tools/doctor.h"
#include "../../tools/sysgenidctl.h"
#include "fuzz.h"

static unsigned int complaints;

/* The linker puts it in the place of complain_usage(). */
int __wrap_complain_usage(const char *format, ...);

int __wrap_complain_usage(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	complaints++;
	return USAGE;
}

/* The value of a decimal number, or of one in hexadecimal after 0x, or -1. */
static int64_t number(const char *text)
{
	unsigned int base = 10;
	uint64_t n = 0;

	if (text[0] == '0' && (text[1] | 32) == 'x' &&
	    isxdigit((unsigned char)text[2])) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return -1;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		unsigned int digit =
			isdigit(c)  ? c - '0' :
			isxdigit(c) ? (unsigned int)tolower(c) - 'a' + 10 :
				      99;

		if (digit >= base)
			return -1;
		n = n * base + digit;
		if (n > UINT32_MAX)
			return -1;
	}
	return (int64_t)n;
}

static void generation(const char *text)
{
	int64_t want = number(text);
	uint32_t got = 0;
	bool ok = parse_generation(text, &got);

	MUST(ok == (want >= 0));
	MUST(!ok || got == (uint32_t)want);
}

static void seconds(const char *text)
{
	int ms = -7;
	char *end;

	if (!parse_seconds(text, &ms)) {
		MUST(complaints == 1 && ms == -7);
		return;
	}
	MUST(!complaints && ms >= 0 && ms <= INT_MAX);
	/* 0 is to look once, so nothing but 0 may become that. */
	MUST((ms == 0) == (strtod(text, &end) == 0));
	MUST(!*end);
	MUST(text[strspn(text, "0123456789.")] == 0);
}

static FILE *file_of(char *text)
{
	size_t len = strlen(text);
	FILE *f = fmemopen(text, len ? len : 1, "r");

	MUST(f);
	return f;
}

static void units(char *text)
{
	FILE *f = file_of(text);
	struct unit u;

	while (next_unit(f, &u)) {
		MUST(memchr(u.name, 0, sizeof(u.name)) && u.name[0]);
		MUST(memchr(u.pid, 0, sizeof(u.pid)));
		/* What is not confined can be opened. */
		if (!u.private_devices && !u.closed && !u.allows)
			MUST(unit_access(&u) == OPEN);
	}
	fclose(f);
}

static void config(char *text)
{
	FILE *f = file_of(text);

	config_value(f, "CONFIG_VMGENID");
	fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t which;
	char *text;

	input_begin(data, size);
	which = input_byte();
	text = input_text();
	complaints = 0;
	switch (which % 4) {
	case 0:
		generation(text);
		break;
	case 1:
		seconds(text);
		break;
	case 2:
		units(text);
		break;
	default:
		config(text);
	}
	free(text);
	return 0;
}
