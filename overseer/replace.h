/* SPDX-License-Identifier: MIT */
#ifndef REPLACE_H
#define REPLACE_H

/*
 * A file, or the one line of a file, in its place at once; a disk is not waited for. Owner and mode stay, as
 * does a link; into the file itself where the file is mounted. 0 or -errno.
 */
int replace_file(const char *path, const char *text);
int replace_line(const char *path, const char *line);

#endif /* REPLACE_H */
