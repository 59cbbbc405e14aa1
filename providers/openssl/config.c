// SPDX-License-Identifier: MIT
/*
 * openssl-config enable|disable|status|verify: behind "sysgenidctl openssl".
 * Apart from it because it needs libcrypto, and comes with the provider.
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

/* Whether each of them draws, with this configuration; a complaint for each that does not. */
static bool all_draw(const char *config)
{
	struct library found[LIBRARIES_MAX];
	int n = try_libraries(config, found, LIBRARIES_MAX), draw = 0;

	for (int i = 0; i < n; i++) {
		if (found[i].draws)
			draw++;
		else
			complain(
				"%s draws nothing with sysgenid's generator (%s)",
				found[i].path, found[i].answer);
	}
	return n > 0 && draw == n;
}

static int enable(const char *path, const char *text)
{
	char aside[PATH_MAX + 32], *next;
	int code;

	if (config_is_enabled(text)) {
		printf("%s names sysgenid's generator already\n", path);
		return DONE;
	}
	next = config_with_block(path, text);
	if (!next)
		return FAILED;
	code = write_aside(path, next, aside, sizeof(aside));
	free(next);
	if (code)
		return code;
	/* Every program of the machine may come to draw nothing: so it is tried first. */
	if (!all_draw(aside)) {
		unlink(aside);
		return complain("%s is left as it was", path);
	}
	code = put_in_place(aside, path);
	if (!code)
		printf("%s names sysgenid's generator now; programs that run have to be restarted\n",
		       path);
	return code;
}

/* Back to what was there before us, whatever that is good for. */
static int take_out(const char *path, const char *text)
{
	char aside[PATH_MAX + 32], *next = config_without_block(text);
	int code;

	if (!next)
		return FAILED;
	code = write_aside(path, next, aside, sizeof(aside));
	free(next);
	return code ? code : put_in_place(aside, path);
}

static int disable(const char *path, const char *text)
{
	int code;

	if (!config_is_enabled(text)) {
		printf("%s does not name sysgenid's generator\n", path);
		return DONE;
	}
	code = take_out(path, text);
	if (!code)
		printf("%s is as it was before; programs that run keep their generator until they are restarted\n",
		       path);
	return code;
}

/* For whoever installs a libcrypto, and does not know of us. */
static int verify(const char *path, const char *text)
{
	if (!config_is_enabled(text) || all_draw(path))
		return DONE;
	if (take_out(path, text))
		return FAILED;
	return complain(
		"DISABLED: %s is as it was before, and new programs are not protected; once all draw: sysgenidctl openssl enable",
		path);
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
	complain(
		"enable, disable, verify or status [--json], and [--config FILE]; see sysgenidctl(8)");
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
	else if (!strcmp(command, "verify"))
		code = verify(path, text);
	else
		code = usage();
	free(text);
	return code;
}

/* What is not there does not name us. */
static int no_file(const char *command, const char *path)
{
	if (errno == ENOENT &&
	    (!strcmp(command, "disable") || !strcmp(command, "verify")))
		return DONE;
	return complain_errno(path);
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
		code = no_file(argv[optind], file ? file : "openssl.cnf");
	else
		code = run(argv[optind], path, json);
	if (!named)
		OPENSSL_free(file);
	return code;
}
