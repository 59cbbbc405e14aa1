/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_ROOT_H
#define DOCTOR_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A directory that stands for the root of a machine, with a /proc that is made of
 * files; and what doctor's examiners print.
 */
extern char root[64];

void root_make(void);
void root_remove(void);
/* The parents are made, too. */
void root_file(const char *path, const char *text);
void root_bytes(const char *path, const void *bytes, size_t len,
		unsigned int mode);
void root_link(const char *path, const char *target);
/* A process: /proc/PID/comm, cgroup and maps. */
void root_process(const char *pid, const char *comm, const char *cgroup,
		  const char *maps);

struct doctor;
typedef void examine_fn(struct doctor *d);
/* All that it prints; a line begins with the level. */
const char *printed_by(examine_fn *examine, struct doctor *d);

#define said(examine, d, text)                                              \
	do {                                                                \
		const char *out_ = printed_by(examine, d);                  \
		ck_assert_msg(strstr(out_, text), "no \"%s\" in: %s", text, \
			      out_);                                        \
	} while (0)
#define not_said(examine, d, text)                                        \
	do {                                                              \
		const char *out_ = printed_by(examine, d);                \
		ck_assert_msg(!strstr(out_, text), "\"%s\" in: %s", text, \
			      out_);                                      \
	} while (0)

#endif /* DOCTOR_ROOT_H */
