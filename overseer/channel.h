/* SPDX-License-Identifier: MIT */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdint.h>

#include "protocol.h"
#include "request.h"

/*
 * Between the process that reads what clients send, which has no rights, and the one
 * that acts. A message is one structure of fixed size on a SOCK_SEQPACKET pair.
 */
enum channel_kind {
	CHANNEL_STATUS,
	CHANNEL_METRICS,
	/* @flag: until-resume. */
	CHANNEL_QUIESCE,
	/* @flag: force. */
	CHANNEL_RESUME,
	CHANNEL_TRIGGER,
	/* A struct channel_restore. */
	CHANNEL_RESTORE,
	/* Nobody waits for the answer to @id any more; not answered. */
	CHANNEL_FORGET,
	/* Answers a ping, which is an answer to nobody. */
	CHANNEL_ALIVE,
	CHANNEL_KINDS,
};

/* @id: chosen by who asks. @client: a process, or 0; @len: of @entropy. */
struct channel_request {
	uint64_t id;
	int32_t client;
	uint8_t kind, flag;
	uint16_t len;
	unsigned char entropy[PROTOCOL_ENTROPY_MAX];
};

struct channel_restore {
	struct channel_request head;
	struct request request;
};

enum channel_result {
	CHANNEL_DONE,
	/* @text: the whole answer, for a restore alone. */
	CHANNEL_RESTORED,
	CHANNEL_NOT_READY,
	CHANNEL_FAILED,
	/* To be answered by CHANNEL_ALIVE. */
	CHANNEL_PING,
	/* With a descriptor: a connection of the host, or its serial port instead of the last one. */
	CHANNEL_CONNECTION,
	CHANNEL_PORT,
	/* Whoever came from the host may not stay. */
	CHANNEL_CLOSE,
};

#define CHANNEL_TEXT 16384

/* @text: a JSON object for CHANNEL_DONE, else one line that says why. */
struct channel_answer {
	uint64_t id;
	uint32_t result;
	char text[CHANNEL_TEXT];
};

#endif /* CHANNEL_H */
