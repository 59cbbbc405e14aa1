/* SPDX-License-Identifier: MIT */
#ifndef GATE_KERNEL_H
#define GATE_KERNEL_H

#include <stdbool.h>

#include "config.h"
#include "state.h"

/*
 * "gate = kernel": the module's gate, which shuts by itself at a new generation.
 * gate.h says more of each function.
 */
struct gate_kernel;

/* NULL after a complaint. */
struct gate_kernel *gate_kernel_new(const struct config *c);
/* The kernel's state stays. */
void gate_kernel_free(struct gate_kernel *k);

/*
 * What the kernel's state alone tells, for where there is no file: it was shut, or
 * opened for another generation.
 */
enum recalled gate_kernel_recall(struct gate_kernel *k, struct situation *s);
/*
 * What is so already is not done again. False, too, if the generation to open for is
 * not the current one any more.
 */
bool gate_kernel_set(struct gate_kernel *k, const struct situation *s);
/* With the exceptions that the kernel has, if it has any. */
bool gate_kernel_close_on_top(struct gate_kernel *k);
bool gate_kernel_remove(struct gate_kernel *k);

/* As gate_dropped(). */
bool gate_kernel_dropped(const struct gate_kernel *k, uint64_t *in,
			 uint64_t *out);

/* Has EPOLLPRI when a call has changed the gate, be it one of ours; -1: nobody tells. */
int gate_kernel_fd(const struct gate_kernel *k);
/* What somebody opened or disarmed is put right. What somebody shut stays so, which is said. */
bool gate_kernel_check(struct gate_kernel *k, const struct situation *s);

#endif /* GATE_KERNEL_H */
