// SPDX-License-Identifier: MIT
/* What goes to standard output. */
#include <stdio.h>

#include "sysgenidctl.h"

const char *source_name(uint32_t source)
{
	switch (source) {
	case SYSGENID_SOURCE_NONE:
		return "none";
	case SYSGENID_SOURCE_VMGENID:
		return "vmgenid";
	case SYSGENID_SOURCE_VMFORK:
		return "vmfork";
	case SYSGENID_SOURCE_SOFTWARE:
		return "software";
	case SYSGENID_SOURCE_VMCLOCK:
		return "vmclock";
	default:
		return "unknown";
	}
}

/* A program may choose its name: any byte may stand in it. */
void print_json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void print_json_names(uint64_t mask, const char *const *names, unsigned int n)
{
	const char *comma = "";

	putchar('[');
	for (unsigned int i = 0; i < n; i++) {
		if (mask >> i & 1) {
			printf("%s\"%s\"", comma, names[i]);
			comma = ", ";
		}
	}
	putchar(']');
}

void print_names(uint64_t mask, const char *const *names, unsigned int n)
{
	bool any = false;

	for (unsigned int i = 0; i < n; i++) {
		if (mask >> i & 1) {
			printf("%s%s", any ? " " : "", names[i]);
			any = true;
		}
	}
	puts(any ? "" : "none");
}

int flush_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return DONE;
	fprintf(stderr, "sysgenidctl: cannot write to standard output\n");
	return FAILED;
}
