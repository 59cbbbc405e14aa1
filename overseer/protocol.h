/* SPDX-License-Identifier: MIT */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>

/*
 * The overseer's socket, for who answers and for who asks: a JSON object a line, one
 * answer for each request. sysgenid-overseer(8) describes them.
 */
#define PROTOCOL_SOCKET "/run/sysgenid/overseer.sock"

/*
 * Higher where an older client would misunderstand an answer. What is added is told
 * by "features" instead: the requests, and their members as REQUEST.MEMBER.
 */
#define PROTOCOL_VERSION 1

/* Bytes of a request with its line break. An answer may have any length. */
#define PROTOCOL_LINE_MAX 65536
/* Bytes of "entropy", before they are hexadecimal. */
#define PROTOCOL_ENTROPY_MAX 512

#define PROTOCOL_SCOPE "system"

enum protocol_type {
	PROTOCOL_NONE,
	PROTOCOL_BOOLEAN,
	PROTOCOL_STRING,
	/* Members of its own; request.h. */
	PROTOCOL_RESTORE,
};

/* @member: besides "request", "scope" and "version". */
struct protocol_request {
	const char *name;
	const char *member;
	enum protocol_type type;
	bool required;
};

/* The last one has no name. */
extern const struct protocol_request protocol_requests[];

/* A name that may be printed: at most 64 letters, digits, "_" and "-". */
bool protocol_is_plain(const char *name);

/* Exit codes of programs that ask, those of sysgenidctl(8). */
enum protocol_exit {
	PROTOCOL_DONE = 0,
	PROTOCOL_FAILED = 1,
	PROTOCOL_USAGE = 2,
	PROTOCOL_NOT_PERMITTED = 4,
};

#endif /* PROTOCOL_H */
