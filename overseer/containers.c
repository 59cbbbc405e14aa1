// SPDX-License-Identifier: MIT
/*
 * sysgenid-runtime writes a record of each container: containers/records.c. The
 * cgroup is the line of /proc/PID/cgroup.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cgroup.h"
#include "config.h"
#include "containers.h"
#include "freezing.h"
#include "log.h"

#ifndef RECORDS
#define RECORDS "/run/sysgenid/containers"
#endif

struct container {
	const char *id;
	/* Below CGROUP_ROOT. */
	char cgroup[PATH_MAX / 2];
};

/* 1: go on; else that is the result. */
typedef int container_fn(const struct container *c, void *arg);

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(o, name, &value) &&
			       json_object_is_type(value, json_type_string) ?
		       json_object_get_string(value) :
		       "";
}

/* Whoever makes one has it locked. */
static int wait_for_maker(int dir, const char *id)
{
	if (flock(dir, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK)
		return 0;
	log_error(
		"container \"%s\" was left half-made, and its cgroup is not known: delete it",
		id);
	return -ENODATA;
}

/* 1: it is known; 0: not yet; -errno after a complaint. */
static int find_cgroup(struct container *c, struct json_object *o, int dir)
{
	const char *line = text_of(o, "cgroup");

	if (!strcmp(text_of(o, "progress"), "creating"))
		return wait_for_maker(dir, c->id);
	if (strncmp(line, "0::/", 4) || !line[4] || strstr(line, "/../") ||
	    strlen(line) >= sizeof(c->cgroup)) {
		log_error(
			"the cgroup of container \"%s\" is not known, or not of cgroup v2: \"%s\"",
			c->id, line);
		return -ENODATA;
	}
	strcpy(c->cgroup, line + 3);
	return 1;
}

static int with_record(int dir, const char *id, container_fn *call, void *arg)
{
	struct container c = { .id = id };
	int fd = openat(dir, "record", O_RDONLY | O_CLOEXEC), r;
	struct json_object *o;

	/* Deleted meanwhile. */
	if (fd < 0 && errno == ENOENT)
		return 1;
	o = fd < 0 ? NULL : json_object_from_fd(fd);
	if (fd >= 0)
		close(fd);
	if (!o) {
		log_error("the record of container \"%s\" cannot be read", id);
		return -EBADMSG;
	}
	r = find_cgroup(&c, o, dir);
	json_object_put(o);
	return r > 0 ? call(&c, arg) : r;
}

/* For each directory in one: 1, or the first other result. A name with a dot is none of a container. */
static int each_directory(int parent, const char *name,
			  int (*call)(int dir, const char *name, void *arg),
			  void *arg)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 1;

	if (!d) {
		r = errno == ENOENT ? 1 : -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r > 0 && (errno = 0, e = readdir(d))) {
		int dir = *e->d_name == '.' ?
				  -1 :
				  openat(fd, e->d_name,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0) {
			r = call(dir, e->d_name, arg);
			close(dir);
		} else if (*e->d_name != '.' && errno != ENOENT) {
			r = -errno;
		}
	}
	if (r > 0 && errno)
		r = -errno;
	closedir(d);
	return r;
}

struct visit {
	container_fn *call;
	void *arg;
};

static int visit_container(int dir, const char *name, void *arg)
{
	const struct visit *v = arg;

	return with_record(dir, name, v->call, v->arg);
}

static int visit_root(int dir, const char *name, void *arg)
{
	(void)name;
	return each_directory(dir, ".", visit_container, arg);
}

/* 1: all of them; 0: one is being made; or the first result that is not 1. */
static int each_container(container_fn *call, void *arg)
{
	struct visit v = { call, arg };
	const int r = each_directory(AT_FDCWD, RECORDS, visit_root, &v);

	if (r < 0 && r != -ENODATA && r != -EBADMSG)
		log_error(RECORDS ": %s", strerror(-r));
	return r;
}

static void path_of(const struct container *c, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, CGROUP_ROOT "%s", c->cgroup);
}

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV;
}

static bool has_word(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!strcmp(words->word[i], word))
			return true;
	}
	return false;
}

/* 1, 0 or -errno: somebody has frozen it, not necessarily all of it yet. */
static int is_paused(const char *path)
{
	char file[PATH_MAX + 16], c = 0;
	int fd, r;

	snprintf(file, sizeof(file), "%s/cgroup.freeze", path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read(fd, &c, 1) < 0 ? -errno : c == '1';
	close(fd);
	return r;
}

struct freezing {
	struct words known;
	bool all;
};

static int freeze(const struct container *c, void *arg)
{
	struct freezing *f = arg;
	char path[PATH_MAX];
	int r = 0;

	path_of(c, path);
	/* One that its user has paused stays so afterwards. */
	if (!has_word(&f->known, c->cgroup)) {
		r = is_paused(path);
		if (!r && (!words_add(&f->known, c->cgroup) ||
			   !freezing_remember(&f->known)))
			return -ENOMEM;
	}
	if (r >= 0)
		r = cgroup_freeze(path);
	/* The container has ended. */
	if (is_gone(r))
		r = 1;
	if (r < 0) {
		log_error("container \"%s\" cannot be frozen: %s", c->id,
			  strerror(-r));
		return r;
	}
	f->all = f->all && r;
	return 1;
}

int containers_freeze(char *const unused[], char *why, size_t size)
{
	struct freezing f = { .all = true };
	int r = freezing_recall(&f.known) ? each_container(freeze, &f) : -EIO;

	(void)unused;
	snprintf(why, size, "%s",
		 r < 0 ? "see the journal" :
		 r     ? "processes of containers have not stopped yet" :
			 "a container is being made");
	words_free(&f.known);
	return r > 0 ? f.all : r;
}

struct safety {
	pid_t client;
	char *why;
	size_t size;
};

/* 1: not in it; 0 or -errno and why. */
static int is_outside(const struct container *c, pid_t pid, const char *what,
		      char *why, size_t size)
{
	char own[PATH_MAX], path[PATH_MAX];
	const int r = cgroup_of(pid, own, sizeof(own));
	size_t len;

	path_of(c, path);
	len = strlen(path);
	if (r) {
		snprintf(why, size, "it is not known where %s runs: %s", what,
			 strerror(-r));
		return r;
	}
	if (strncmp(own, path, len) || (own[len] && own[len] != '/'))
		return 1;
	snprintf(why, size, "%s runs in container \"%.128s\"", what, c->id);
	return 0;
}

static int is_safe(const struct container *c, void *arg)
{
	const struct safety *s = arg;
	int r = is_outside(c, 0, "the overseer", s->why, s->size);

	if (r > 0)
		r = is_outside(c, 1, "the first process", s->why, s->size);
	if (r > 0 && s->client)
		r = is_outside(c, s->client, "the program that asks", s->why,
			       s->size);
	/* 0 is for one that is being made. */
	return r ? r : -EPERM;
}

int containers_freezing_is_safe(pid_t client, char *why, size_t size)
{
	struct safety s = { client, why, size };
	int r;

	snprintf(why, size,
		 "freeze: containers cannot be listed; see the journal");
	r = each_container(is_safe, &s);
	/* Whoever makes one cannot have made the overseer. */
	return r >= 0 ? 1 : r == -EPERM ? 0 : r;
}

/* Whether the directory or one below it has this number: 1, 0 or -errno. */
static int has_cgroup(const char *path, uint64_t id)
{
	struct stat st;
	struct dirent *e;
	int r = 0;
	DIR *d;

	if (stat(path, &st))
		return is_gone(-errno) ? 0 : -errno;
	if (st.st_ino == id)
		return 1;
	d = opendir(path);
	if (!d)
		return is_gone(-errno) ? 0 : -errno;
	while (!r && (e = readdir(d))) {
		char below[PATH_MAX];

		if (e->d_type == DT_DIR && *e->d_name != '.')
			r = snprintf(below, sizeof(below), "%s/%s", path,
				     e->d_name) < (int)sizeof(below) ?
				    has_cgroup(below, id) :
				    -ENAMETOOLONG;
	}
	closedir(d);
	return r;
}

struct killing {
	uint64_t id;
	char *why;
	size_t size;
	bool killed;
};

static int kill_if_it_has(const struct container *c, void *arg)
{
	struct killing *k = arg;
	char path[PATH_MAX];
	int r;

	path_of(c, path);
	r = has_cgroup(path, k->id);
	if (!r)
		return 1;
	if (r > 0 &&
	    (is_outside(c, 0, "the overseer", k->why, k->size) <= 0 ||
	     is_outside(c, 1, "the first process", k->why, k->size) <= 0))
		return -EPERM;
	if (r > 0)
		r = cgroup_kill(path);
	if (r) {
		snprintf(
			k->why, k->size,
			"container \"%.128s\" cannot be killed: %s", c->id,
			r == -ENOENT ?
				"there is no cgroup.kill, which Linux 5.14 has" :
				strerror(-r));
		return r;
	}
	log_warning("killed container \"%s\", where a program has not adjusted",
		    c->id);
	k->killed = true;
	return 1;
}

int containers_kill(uint64_t cgroup_id, char *why, size_t size)
{
	struct killing k = { cgroup_id, why, size, false };
	int r;

	snprintf(why, size,
		 "the cgroup of a container is not known; see the journal");
	r = each_container(kill_if_it_has, &k);
	if (k.killed)
		return 1;
	/* The program may be in the one that is being made. */
	return r > 0 ? 0 : r ? r : -EBUSY;
}
