// SPDX-License-Identifier: MIT
/* What stands on the command line. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sysgenidctl.h"

/* Decimal, or hexadecimal after 0x; a 0 before a number does not make it octal. */
bool parse_generation(const char *text, uint32_t *generation)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno ||
	    n > UINT32_MAX) {
		complain_usage("\"%s\" is not a number from 0 to %u", text,
			       UINT32_MAX);
		return false;
	}
	*generation = (uint32_t)n;
	return true;
}

/* Digits and at most one point: no sign, space, exponent or "inf", as strtod(3) has. */
static bool is_plain(const char *text)
{
	const char *point = strchr(text, '.');

	return text[strspn(text, "0123456789.")] == 0 &&
	       (!point || !strchr(point + 1, '.'));
}

bool parse_seconds(const char *text, int *timeout_ms)
{
	const double most = INT_MAX / 1000;
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (!is_plain(text) || end == text || *end || seconds > most) {
		complain_usage("\"%s\" is not a time from 0 to %.0f seconds",
			       text, most);
		return false;
	}
	*timeout_ms = (int)(seconds * 1000);
	/* 0 only looks. */
	if (*timeout_ms == 0 && seconds > 0)
		*timeout_ms = 1;
	return true;
}

bool no_operands(int argc, char **argv)
{
	if (optind == argc)
		return true;
	complain_usage("\"%s\" is too much", argv[optind]);
	return false;
}
