/* SPDX-License-Identifier: MIT */
#ifndef LOG_H
#define LOG_H

#include <syslog.h>

/* A line on stderr, with its priority as the journal takes it (sd-daemon(3)). */
void log_line(int priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)

#endif /* LOG_H */
