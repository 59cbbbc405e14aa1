/* SPDX-License-Identifier: MIT */
#ifndef IMAGE_H
#define IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open file of one of the two nodes: sysgenid-ID.img. */
struct image_file {
	unsigned int flags; /* of open(2) */
	bool tracked;
	char path[PATH_MAX];
};

/* The whole tree: sysgenid.img. */
struct image_tree {
	bool complete; /* the dump came to its end */
	bool clients;
	uint32_t generation; /* no client has seen a later one */
};

/* Room for the text of either, with the 0 at its end. */
#define IMAGE_TEXT (PATH_MAX + 128)

/* The texts. Formatting returns the length; parsing whether it is such a text. */
int image_format_file(char *text, size_t size, const struct image_file *file);
bool image_parse_file(const char *text, struct image_file *file);
int image_format_tree(char *text, size_t size, const struct image_tree *tree);
bool image_parse_tree(const char *text, struct image_tree *tree);

/* In the directory @dir. 0 or -errno; -EBADMSG: not such a text. */
int image_write_file(int dir, int id, const struct image_file *file);
int image_read_file(int dir, int id, struct image_file *file);
int image_write_tree(int dir, const struct image_tree *tree);
int image_read_tree(int dir, struct image_tree *tree);

#endif /* IMAGE_H */
