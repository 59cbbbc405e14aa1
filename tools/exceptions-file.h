/* SPDX-License-Identifier: MIT */
#ifndef EXCEPTIONS_FILE_H
#define EXCEPTIONS_FILE_H

#include "exceptions.h"

/* sysgenidctl(8) has the form of the file. False after a complaint, which names the line. */
bool exceptions_read(const char *path, struct exceptions *e);

#endif /* EXCEPTIONS_FILE_H */
