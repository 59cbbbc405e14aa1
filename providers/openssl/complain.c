// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>

#include "config.h"

int complain(const char *format, ...)
{
	va_list args;

	fputs("sysgenidctl: openssl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return FAILED;
}
