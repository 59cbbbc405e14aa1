/* SPDX-License-Identifier: MIT */
#ifndef GATE_FILE_H
#define GATE_FILE_H

#include <stdbool.h>

#include "state.h"

/* What the gate remembers, in a file. */
enum recalled gate_file_recall(struct situation *s);
/* False after a complaint. */
bool gate_file_store(const struct situation *s);
bool gate_file_remove(void);

#endif /* GATE_FILE_H */
