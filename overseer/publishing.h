/* SPDX-License-Identifier: MIT */
#ifndef PUBLISHING_H
#define PUBLISHING_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "config.h"

/* "publisher =": the overseer keeps the page file where there is no module. */
struct publishing;

typedef void published_fn(void *user);

/* @published: is called for each new generation. NULL after a complaint. */
struct publishing *publishing_new(sd_event *event, enum publisher_kind kind,
				  published_fn *published, void *user);
/* Bytes that differ in each clone; the new generation. */
uint32_t publishing_trigger(struct publishing *p, const void *bytes,
			    size_t len);
/* For good: who has the page mapped finds out. */
void publishing_end(struct publishing *p);

#endif /* PUBLISHING_H */
