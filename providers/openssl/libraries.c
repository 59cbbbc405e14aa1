// SPDX-License-Identifier: MIT
/*
 * Every libcrypto of the system reads the same configuration, those of other
 * architectures and versions too, and one that does not find the provider draws
 * nothing any more. So each is tried, by a program of its architecture.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "drbg.h"

/* The helper of each architecture that the package is installed for. */
#ifndef DRAW_GLOB
#define DRAW_GLOB "/usr/lib/*/sysgenid/openssl-draw"
#endif

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

	if (!glob(DRAW_GLOB, 0, NULL, &g)) {
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
		if (config)
			setenv("OPENSSL_CONF", config, 1);
		else
			unsetenv("OPENSSL_CONF");
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
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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
		snprintf(l->answer, sizeof(l->answer),
			 "of an architecture that sysgenid-openssl-provider is not installed for");
		return;
	}
	l->draws = first_line_of(argv, config, l->answer, sizeof(l->answer)) == 0;
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

/* "	libcrypto.so.3 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcrypto.so.3" */
static bool path_of(char *line, char path[static PATH_MAX])
{
	char *arrow = strstr(line, " => ");

	if (!arrow || strncmp(line + strspn(line, " \t"), "libcrypto.so.", 13))
		return false;
	line[strcspn(line, "\n")] = 0;
	return realpath(arrow + 4, path);
}

int try_libraries(const char *config, struct library *found, int max)
{
	FILE *cache = popen("/sbin/ldconfig -p", "re");
	char line[1024], path[PATH_MAX];
	int n = 0;

	if (!cache)
		return complain("/sbin/ldconfig: %s", strerror(errno)), -1;
	while (n < max && fgets(line, sizeof(line), cache)) {
		if (!path_of(line, path) || is_known(found, n, path))
			continue;
		found[n] = (struct library){ .draws = false };
		if (strlen(path) >= sizeof(found[n].path))
			continue;
		strcpy(found[n].path, path);
		try(&found[n++], config);
	}
	if (pclose(cache))
		return complain("/sbin/ldconfig -p failed"), -1;
	return n;
}
