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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>

#include "config.h"

#define LIBRARIES_MAX 32

static int complain_errno(const char *path)
{
	int code = errno == EACCES || errno == EPERM ? NOT_PERMITTED : FAILED;

	complain("%s: %s%s", path, strerror(errno),
		 code == NOT_PERMITTED ? "; try it as root" : "");
	return code;
}

static bool read_file(const char *path, struct text *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;

	*t = (struct text){ NULL, 0 };
	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size < INT_MAX)
		t->bytes = malloc((size_t)st.st_size + 1);
	if (t->bytes)
		n = read(fd, t->bytes, (size_t)st.st_size);
	close(fd);
	if (n < 0 || n != st.st_size) {
		free(t->bytes);
		return false;
	}
	t->len = (size_t)n;
	return true;
}

static bool write_all(int fd, const struct text *t)
{
	const char *at = t->bytes;
	size_t left = t->len;

	while (left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		left -= (size_t)n;
	}
	return !fsync(fd);
}

static bool copy_attribute(const char *path, int fd, const char *name)
{
	ssize_t n = getxattr(path, name, NULL, 0);
	char *value = n < 0 ? NULL : malloc((size_t)n + 1);
	bool ok;

	if (value)
		n = getxattr(path, name, value, (size_t)n);
	ok = value && n >= 0 && !fsetxattr(fd, name, value, (size_t)n, 0);
	free(value);
	return ok;
}

/* ACLs, labels, and what else hangs on a file. */
static bool copy_attributes(const char *path, int fd)
{
	ssize_t n = listxattr(path, NULL, 0);
	char *names;
	bool ok;

	if (n < 0)
		return errno == ENOTSUP;
	if (!n)
		return true;
	names = malloc((size_t)n);
	if (names)
		n = listxattr(path, names, (size_t)n);
	ok = names && n >= 0;
	for (char *name = names; ok && name < names + n;
	     name += strlen(name) + 1)
		ok = copy_attribute(path, fd, name);
	free(names);
	return ok;
}

/* The new text beside the file, as the file is; its name in @aside. */
static int write_aside(const char *path, const struct text *t, char *aside,
		       size_t size)
{
	struct stat st;
	int fd;

	snprintf(aside, size, "%s.sysgenid-XXXXXX", path);
	fd = mkostemp(aside, O_CLOEXEC);
	if (fd < 0)
		return complain_errno(path);
	if (stat(path, &st) || fchown(fd, st.st_uid, st.st_gid) ||
	    fchmod(fd, st.st_mode & 07777) || !copy_attributes(path, fd) ||
	    !write_all(fd, t)) {
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
static bool all_draw(const char *config, bool *ours)
{
	struct library found[LIBRARIES_MAX];
	int n = try_libraries(config, found, LIBRARIES_MAX), draw = 0;

	*ours = false;
	for (int i = 0; i < n; i++) {
		*ours |= found[i].ours;
		if (found[i].draws)
			draw++;
		else
			complain(
				"%s draws nothing with sysgenid's generator (%s)",
				found[i].path, found[i].answer);
	}
	return n > 0 && draw == n;
}

/* Every program of the machine may come to draw nothing: so it is tried first. */
static bool is_good(const char *config)
{
	bool ours;

	if (!config_takes_effect(config) || !all_draw(config, &ours))
		return false;
	if (!ours)
		complain("no libcrypto draws from sysgenid's generator then");
	return ours;
}

static int enable(const char *path, const struct text *t)
{
	char aside[PATH_MAX + 32];
	struct text next;
	int code;

	if (config_state(t) == ENABLED) {
		printf("%s includes sysgenid's generator already\n", path);
		return DONE;
	}
	if (!config_can_be_read(path) || !config_enable(t, &next))
		return FAILED;
	code = write_aside(path, &next, aside, sizeof(aside));
	free(next.bytes);
	if (code)
		return code;
	if (!is_good(aside)) {
		unlink(aside);
		return complain("%s is left as it was", path);
	}
	code = put_in_place(aside, path);
	if (!code)
		printf("%s includes sysgenid's generator now; programs that run have to be restarted\n",
		       path);
	return code;
}

static int disable(const char *path, const struct text *t)
{
	char aside[PATH_MAX + 32];
	struct text next;
	int code;

	if (config_state(t) == DISABLED) {
		printf("%s does not include sysgenid's generator\n", path);
		return DONE;
	}
	if (!config_disable(t, &next))
		return FAILED;
	code = write_aside(path, &next, aside, sizeof(aside));
	free(next.bytes);
	if (!code)
		code = put_in_place(aside, path);
	if (!code)
		printf("%s is as it was before; programs that run keep their generator until they are restarted\n",
		       path);
	return code;
}

/* For whoever installs a libcrypto, and does not know of us: it says, and edits nothing. */
static int verify(const char *path, const struct text *t)
{
	enum state state = config_state(t);
	bool ours;

	if (state == DISABLED)
		return DONE;
	if (state == ENABLED_EARLY)
		return complain(
			"%s has lines of an early version, without which this package must not be removed; to renew them: sysgenidctl openssl enable",
			path);
	if (all_draw(path, &ours))
		return DONE;
	return complain(
		"%s includes sysgenid's generator: programs of such a libcrypto have no random bytes; to go back to OpenSSL's: sysgenidctl openssl disable",
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

static int status(const char *path, const struct text *t, bool json)
{
	struct library found[LIBRARIES_MAX];
	bool enabled = config_state(t) != DISABLED, good = true;
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
	struct text t;
	int code;

	if (!read_file(path, &t))
		return complain_errno(path);
	if (!strcmp(command, "enable"))
		code = enable(path, &t);
	else if (!strcmp(command, "disable"))
		code = disable(path, &t);
	else if (!strcmp(command, "status"))
		code = status(path, &t, json);
	else if (!strcmp(command, "verify"))
		code = verify(path, &t);
	else
		code = usage();
	free(t.bytes);
	return code;
}

/* What is not there does not include us. */
static int no_file(const char *command, const char *path)
{
	if (errno == ENOENT &&
	    (!strcmp(command, "disable") || !strcmp(command, "verify")))
		return DONE;
	return complain_errno(path);
}

/* Who is told nothing must not take it for a success. */
static int flush_output(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	complain("the output cannot be written: %s", strerror(errno));
	return code ? code : FAILED;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "sysgenidctl: openssl";
	char path[PATH_MAX], *named = NULL, *file;
	bool json = false;
	int c, code;

	/* By which getopt complains. */
	if (argc)
		argv[0] = name;
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
	/* What others will have is not the caller's OPENSSL_MODULES or LD_LIBRARY_PATH. */
	clearenv();
	/* In place of the file, not of a link to it. */
	if (!file || !realpath(file, path))
		code = no_file(argv[optind], file ? file : "openssl.cnf");
	else
		code = run(argv[optind], path, json);
	if (!named)
		OPENSSL_free(file);
	return flush_output(code);
}
