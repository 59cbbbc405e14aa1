// SPDX-License-Identifier: MIT
/* What stands on the command line. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>

#include "sysgenidctl.h"

bool parse_generation(const char *text, uint32_t *generation)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)text[0]) || *end || errno ||
	    n > UINT32_MAX) {
		complain_usage("\"%s\" is not a number from 0 to %u", text,
			       UINT32_MAX);
		return false;
	}
	*generation = (uint32_t)n;
	return true;
}

bool parse_seconds(const char *text, int *timeout_ms)
{
	const double most = INT_MAX / 1000;
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	/* Not a number compares as false. */
	if (end == text || *end || !(seconds >= 0 && seconds <= most)) {
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
