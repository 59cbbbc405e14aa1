// SPDX-License-Identifier: MIT
/*
 * openssl-config enable|disable|status: behind "sysgenidctl openssl". Apart
 * from it because it needs libcrypto, and comes with the provider.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>

#include "config.h"

#define LIBRARIES_MAX 32

int complain(const char *format, ...)
{
	va_list args;

	fputs("sysgenidctl: openssl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return FAILED;
}

static int complain_errno(const char *path)
{
	int code = errno == EACCES || errno == EPERM ? NOT_PERMITTED : FAILED;

	complain("%s: %s%s", path, strerror(errno),
		 code == NOT_PERMITTED ? "; try it as root" : "");
	return code;
}

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n = 0;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && st.st_size < INT_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text)
		n = read(fd, text, (size_t)st.st_size);
	close(fd);
	if (!text || n != st.st_size) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

static bool write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		left -= (size_t)n;
	}
	return !fsync(fd);
}

/* The new text beside the file, as the file is; its name in @aside. */
static int write_aside(const char *path, const char *text, char *aside,
		       size_t size)
{
	struct stat st;
	int fd;

	snprintf(aside, size, "%s.sysgenid-XXXXXX", path);
	fd = mkostemp(aside, O_CLOEXEC);
	if (fd < 0)
		return complain_errno(path);
	if (stat(path, &st) || fchown(fd, st.st_uid, st.st_gid) ||
	    fchmod(fd, st.st_mode & 07777) || !write_all(fd, text)) {
		int code = complain_errno(aside);

		close(fd);
		unlink(aside);
		return code;
	}
	close(fd);
	return DONE;
}

static int put_in_place(const char *aside, const char *path)
{
	char folder[PATH_MAX];
	int fd;

	if (rename(aside, path)) {
		int code = complain_errno(path);

		unlink(aside);
		return code;
	}
	snprintf(folder, sizeof(folder), "%s", path);
	fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return DONE;
}

/* Every program of the machine may come to draw nothing: so it is tried first. */
static int replace_if_all_draw(const char *path, const char *text)
{
	struct library found[LIBRARIES_MAX];
	char aside[PATH_MAX + 32];
	int n, failed = 0, code = write_aside(path, text, aside, sizeof(aside));

	if (code)
		return code;
	n = try_libraries(aside, found, LIBRARIES_MAX);
	for (int i = 0; i < n; i++) {
		if (found[i].draws)
			continue;
		complain("%s would draw nothing (%s)", found[i].path,
			 found[i].answer);
		failed++;
	}
	if (n <= 0 || failed) {
		unlink(aside);
		return complain("%s is left as it was", path);
	}
	return put_in_place(aside, path);
}

static int enable(const char *path, const char *text)
{
	char *next;
	int code;

	if (config_is_enabled(text)) {
		printf("%s names sysgenid's generator already\n", path);
		return DONE;
	}
	next = config_with_block(path, text);
	if (!next)
		return FAILED;
	code = replace_if_all_draw(path, next);
	free(next);
	if (!code)
		printf("%s names sysgenid's generator now; programs that run have to be restarted\n",
		       path);
	return code;
}

static int disable(const char *path, const char *text)
{
	char *next;
	int code;

	if (!config_is_enabled(text)) {
		printf("%s does not name sysgenid's generator\n", path);
		return DONE;
	}
	next = config_without_block(text);
	if (!next)
		return FAILED;
	code = replace_if_all_draw(path, next);
	free(next);
	if (!code)
		printf("%s is as it was before; programs that run keep their generator until they are restarted\n",
		       path);
	return code;
}

static void print_library(const struct library *l, bool json, bool first)
{
	if (json)
		printf("%s{\"path\": \"%s\", \"draws\": %s, \"sysgenid\": %s}",
		       first ? "" : ", ", l->path, l->draws ? "true" : "false",
		       l->ours ? "true" : "false");
	else
		printf("%s: %s%s\n", l->path,
		       l->draws ? "draws from " : "DRAWS NOTHING: ",
		       !l->draws || strcmp(l->answer, "-") ?
			       l->answer :
			       "a generator of OpenSSL 1.1, which sysgenid cannot replace");
}

static int status(const char *path, const char *text, bool json)
{
	struct library found[LIBRARIES_MAX];
	bool enabled = config_is_enabled(text), good = true;
	int n = try_libraries(path, found, LIBRARIES_MAX);

	if (n < 0)
		return FAILED;
	if (json)
		printf("{\"config\": \"%s\", \"enabled\": %s, \"libraries\": [",
		       path, enabled ? "true" : "false");
	else
		printf("%s: %s\n", path, enabled ? "enabled" : "disabled");
	for (int i = 0; i < n; i++) {
		good = good && found[i].draws;
		print_library(&found[i], json, !i);
	}
	if (json)
		puts("]}");
	return good ? DONE : FAILED;
}

static int usage(void)
{
	complain("enable, disable or status [--json], and [--config FILE]; see sysgenidctl(8)");
	return USAGE;
}

static int run(const char *command, const char *path, bool json)
{
	char *text = read_file(path);
	int code;

	if (!text)
		return complain_errno(path);
	if (!strcmp(command, "enable"))
		code = enable(path, text);
	else if (!strcmp(command, "disable"))
		code = disable(path, text);
	else if (!strcmp(command, "status"))
		code = status(path, text, json);
	else
		code = usage();
	free(text);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	char path[PATH_MAX], *named = NULL, *file;
	bool json = false;
	int c, code;

	while ((c = getopt_long(argc, argv, "c:j", options, NULL)) != -1) {
		if (c == 'c')
			named = optarg;
		else if (c == 'j')
			json = true;
		else
			return USAGE;
	}
	if (optind + 1 != argc)
		return usage();
	file = named ? named : CONF_get1_default_config_file();
	/* In place of the file, not of a link to it. */
	if (!file || !realpath(file, path))
		code = complain_errno(file ? file : "openssl.cnf");
	else
		code = run(argv[optind], path, json);
	if (!named)
		OPENSSL_free(file);
	return code;
}
