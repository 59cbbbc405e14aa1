/* SPDX-License-Identifier: MIT */
#ifndef PARSER_H
#define PARSER_H

#include "loop.h"
#include "machine.h"

/*
 * The unix socket of protocol.h. A child without capabilities reads what clients
 * send and gives this process structures of fixed size; channel.h. One that ends or
 * hangs is replaced, and the machine stays as it is meanwhile.
 */
struct parser;

/* NULL after a complaint. */
struct parser *parser_new(struct loop *loop, struct machine *m,
			  const char *path);
void parser_free(struct parser *p);

#endif /* PARSER_H */
