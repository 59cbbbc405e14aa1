// SPDX-License-Identifier: MIT
/*
 * Every libcrypto of the system reads the same configuration, those of other
 * architectures and versions too. One that does not find the provider draws
 * nothing any more. So each is tried, by a program of its architecture.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "drbg.h"

/* The helper of each architecture that the package is installed for, wherever a distribution has its libraries. */
#ifndef PREFIX
#define PREFIX "/usr"
#endif
#define DRAW_GLOB PREFIX "/{lib,lib32,lib64,lib/*}/sysgenid/openssl-draw"
/* Looks at the libraries themselves: in the middle of an installation the cache is of before. */
#define LIST_LIBRARIES "LC_ALL=C /sbin/ldconfig -v -N -X 2>/dev/null"

/* Who waits for ever is not to have the administrator wait, too. */
#define TRY_SECONDS 60

struct machine {
	unsigned char class;
	Elf64_Half machine;
};

/* The first fields are the same for 32 and 64 bits. */
static bool machine_of(const char *path, struct machine *m)
{
	Elf32_Ehdr header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, &header, sizeof(header));
	close(fd);
	if (n != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG))
		return false;
	m->class = header.e_ident[EI_CLASS];
	m->machine = header.e_machine;
	return true;
}

static bool find_helper(const struct machine *wanted, char *path, size_t size)
{
	struct machine m;
	bool found = false;
	glob_t g;

	if (!glob(DRAW_GLOB, GLOB_BRACE, NULL, &g)) {
		for (size_t i = 0; i < g.gl_pathc && !found; i++) {
			found = machine_of(g.gl_pathv[i], &m) &&
				m.class == wanted->class &&
				m.machine == wanted->machine;
			if (found)
				snprintf(path, size, "%s", g.gl_pathv[i]);
		}
	}
	globfree(&g);
	return found;
}

/* What the command prints first, on stdout and stderr. */
static int first_line_of(char *const argv[], const char *config, char *line,
			 size_t size)
{
	int ends[2], status = -1;
	FILE *in;
	pid_t pid;

	line[0] = 0;
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		alarm(TRY_SECONDS);
		setenv("OPENSSL_CONF", config, 1);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execv(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	in = fdopen(ends[0], "re");
	if (in) {
		if (fgets(line, (int)size, in))
			line[strcspn(line, "\n")] = 0;
		fclose(in);
	} else {
		close(ends[0]);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	if (!line[0])
		snprintf(line, size,
			 "%s crashes with it, or has not drawn after %d s",
			 argv[0], TRY_SECONDS);
	return -1;
}

static void try(struct library *l, const char *config)
{
	char helper[512];
	char *argv[] = { helper, l->path, NULL };
	struct machine m;

	if (!machine_of(l->path, &m)) {
		snprintf(l->answer, sizeof(l->answer), "not readable");
		return;
	}
	if (!find_helper(&m, helper, sizeof(helper))) {
		snprintf(
			l->answer, sizeof(l->answer),
			"of an architecture that sysgenid-openssl-provider is not installed for");
		return;
	}
	l->draws = first_line_of(argv, config, l->answer, sizeof(l->answer)) ==
		   0;
	l->ours = l->draws && !strcmp(l->answer, DRBG_NAME);
}

static bool is_known(const struct library *found, int n, const char *path)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(found[i].path, path))
			return true;
	}
	return false;
}

/*
 * "/lib/x86_64-linux-gnu: (from ...)", kept in @directory, and below it
 * "	libcrypto.so.3 -> libcrypto.so.3"
 */
static bool path_of(char *line, char directory[static PATH_MAX],
		    char path[static PATH_MAX])
{
	char name[2 * PATH_MAX], *arrow;

	line[strcspn(line, "\n")] = 0;
	if (*line == '/') {
		snprintf(directory, PATH_MAX, "%.*s", (int)strcspn(line, ":"),
			 line);
		return false;
	}
	arrow = strstr(line, " -> ");
	if (!arrow || strncmp(line, "\tlibcrypto.so.", 14))
		return false;
	/* Links that are not up to date yet are said to be "(changed)". */
	snprintf(name, sizeof(name), "%s/%.*s", directory,
		 (int)strcspn(arrow + 4, " "), arrow + 4);
	return realpath(name, path);
}

int try_libraries(const char *config, struct library *found, int max)
{
	FILE *list = popen(LIST_LIBRARIES, "re");
	char line[PATH_MAX], directory[PATH_MAX] = "", path[PATH_MAX];
	int n = 0;

	if (!list)
		return complain("/sbin/ldconfig: %s", strerror(errno)), -1;
	while (n < max && fgets(line, sizeof(line), list)) {
		if (!path_of(line, directory, path) || is_known(found, n, path))
			continue;
		found[n] = (struct library){ .draws = false };
		if (strlen(path) >= sizeof(found[n].path))
			continue;
		strcpy(found[n].path, path);
		try(&found[n++], config);
	}
	/* What comes after the last that there is room for is not read. */
	if (pclose(list) && n < max)
		return complain("/sbin/ldconfig failed"), -1;
	if (!n)
		return complain("ldconfig knows no libcrypto"), -1;
	return n;
}
