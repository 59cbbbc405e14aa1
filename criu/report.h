/* SPDX-License-Identifier: MIT */
/* Sentences for the log of criu(8). */
#ifndef REPORT_H
#define REPORT_H

/* Of criu itself. Its criu-log.h includes a header that no package has. */
__attribute__((format(printf, 2, 3))) extern void
print_on_level(unsigned int level, const char *format, ...);

#define REPORT_ERROR   1
#define REPORT_WARNING 2
#define REPORT_INFO    3

#define report(level, format, ...) \
	print_on_level(level, "sysgenid: " format "\n", ##__VA_ARGS__)

#endif /* REPORT_H */
