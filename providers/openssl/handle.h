/* SPDX-License-Identifier: MIT */
#ifndef HANDLE_H
#define HANDLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The process's way to ask for the generation. All generators share one open
 * device. Each holds a reference to what it uses, so that a check never meets a
 * page that another thread has just given back.
 *
 * No lock: a child of a program with threads would wait for one for ever that
 * another thread held at the fork.
 */
struct handle;
struct handles;

struct handles *handles_new(void);
void handles_free(struct handles *hs);

/*
 * What the process has open, or opens now. NULL if nothing can be asked; then
 * *absent tells whether that is because there is no device, which is remembered.
 */
struct handle *handle_get(struct handles *hs, bool *absent);
void handle_put(struct handle *h);

/*
 * Truthful. On success the kernel's random generator is reseeded for
 * *generation. May replace *h: after a fork, or where the program has closed
 * our descriptor with its own. False if the device cannot be asked at all.
 */
bool handle_read(struct handles *hs, struct handle **h, uint32_t *generation);

/* By the mapped pages; no system call. False where there are none. */
bool handle_changed(const struct handle *h, uint32_t seen);
/* Whether handle_changed() is never late. */
bool handle_is_exact(const struct handle *h);
/*
 * Without asking: wait until the kernel has published what the hypervisor
 * changed. False if it does not.
 */
bool handle_await(const struct handle *h, uint32_t *generation);

#endif /* HANDLE_H */
