// SPDX-License-Identifier: MIT
/* What the plugin adds to a directory of images: texts, of a line for each value. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

#define FILE_FORMAT "sysgenid file 1\nflags %u\ntracked %u\npath "
#define TREE_FORMAT \
	"sysgenid tree 1\ncomplete %u\nclients %u\ngeneration %" PRIu32 "\n"

int image_format_file(char *text, size_t size, const struct image_file *file)
{
	return snprintf(text, size, FILE_FORMAT "%s\n", file->flags,
			file->tracked, file->path);
}

/* What sscanf(3) takes may be written in other ways: only the one is accepted. */
static bool is_same(const char *text, const char *again, int len)
{
	return len > 0 && len < IMAGE_TEXT && !strcmp(text, again);
}

bool image_parse_file(const char *text, struct image_file *file)
{
	char again[IMAGE_TEXT];
	unsigned int tracked;
	size_t len;
	int n = 0;

	if (sscanf(text, FILE_FORMAT "%n", &file->flags, &tracked, &n) != 2 ||
	    !n || tracked > 1)
		return false;
	len = strcspn(text + n, "\n");
	if (!len || len >= sizeof(file->path) || text[n] != '/')
		return false;
	file->tracked = tracked;
	memcpy(file->path, text + n, len);
	file->path[len] = 0;
	return is_same(text, again,
		       image_format_file(again, sizeof(again), file));
}

int image_format_tree(char *text, size_t size, const struct image_tree *tree)
{
	return snprintf(text, size, TREE_FORMAT, tree->complete, tree->clients,
			tree->generation);
}

bool image_parse_tree(const char *text, struct image_tree *tree)
{
	unsigned int complete, clients;
	char again[IMAGE_TEXT];

	if (sscanf(text, TREE_FORMAT, &complete, &clients, &tree->generation) !=
		    3 ||
	    complete > 1 || clients > 1)
		return false;
	tree->complete = complete;
	tree->clients = clients;
	return is_same(text, again,
		       image_format_tree(again, sizeof(again), tree));
}

static int write_text(int dir, const char *name, const char *text, int len)
{
	int fd, r = 0;

	if (len < 0 || len >= IMAGE_TEXT)
		return -ENAMETOOLONG;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len)
		r = -EIO;
	if (close(fd) && !r)
		r = -errno;
	return r;
}

static int read_text(int dir, const char *name, char text[IMAGE_TEXT])
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, IMAGE_TEXT);
	if (len < 0)
		r = -errno;
	else if (len == IMAGE_TEXT || memchr(text, 0, (size_t)len))
		r = -EBADMSG;
	else
		text[len] = 0;
	close(fd);
	return r;
}

static void name_file(char name[32], int id)
{
	snprintf(name, 32, "sysgenid-%d.img", id);
}

int image_write_file(int dir, int id, const struct image_file *file)
{
	char text[IMAGE_TEXT], name[32];

	name_file(name, id);
	return write_text(dir, name, text,
			  image_format_file(text, sizeof(text), file));
}

int image_read_file(int dir, int id, struct image_file *file)
{
	char text[IMAGE_TEXT], name[32];
	int r;

	name_file(name, id);
	r = read_text(dir, name, text);
	if (!r && !image_parse_file(text, file))
		r = -EBADMSG;
	return r;
}

int image_write_tree(int dir, const struct image_tree *tree)
{
	char text[IMAGE_TEXT];

	return write_text(dir, "sysgenid.img", text,
			  image_format_tree(text, sizeof(text), tree));
}

int image_read_tree(int dir, struct image_tree *tree)
{
	char text[IMAGE_TEXT];
	int r = read_text(dir, "sysgenid.img", text);

	if (!r && !image_parse_tree(text, tree))
		r = -EBADMSG;
	return r;
}
