// SPDX-License-Identifier: MIT
/*
 * /run/sysgenid/containers/ROOT/ID. A directory appears there whole, by one
 * rename, and locked. Whoever finds one half-made and without a lock knows that
 * its maker has ended.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "records.h"

static const char *const progresses[] = {
	[PROGRESS_CREATING] = "creating",
	[PROGRESS_CREATED] = "created",
	[PROGRESS_STARTED] = "started",
};

static int make_directories(const char *path, mode_t mode)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof(copy), "%s/", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(copy, mode) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* The root as a name. Two ways to write one path give one name. */
static int name_of_root(const char *root, bool make, char *to, size_t size)
{
	char *real;
	size_t n = 0;
	int r = make ? make_directories(root, 0700) : 0;

	if (r)
		return r;
	real = realpath(root, NULL);
	if (!real)
		return -errno;
	for (const char *c = real; *c && n + 4 < size; c++) {
		if (isalnum((unsigned char)*c) || strchr("_+-", *c))
			to[n++] = *c;
		else
			n += (size_t)snprintf(to + n, size - n, "%%%02x",
					      (unsigned char)*c);
	}
	to[n] = 0;
	free(real);
	return n + 4 < size ? 0 : -ENAMETOOLONG;
}

static int directory_of_root(const char *root, bool make, char *to, size_t size)
{
	char name[NAME_MAX];
	int r = name_of_root(root, make, name, sizeof(name));

	if (r)
		return r;
	snprintf(to, size, "%s/%s", RECORDS_DIRECTORY, name);
	if (!make)
		return 0;
	/* /run/sysgenid is readable for all: it may hold a page file. */
	r = make_directories("/run/sysgenid", 0755);
	return r ? r : make_directories(to, 0700);
}

static void delete_directory(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(fd, e->d_name, 0);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	unlinkat(at, name, AT_REMOVEDIR);
}

static bool has_died(const char *pid)
{
	char *end;
	long number = strtol(pid, &end, 10);

	return number > 0 && !*end && kill((pid_t)number, 0) && errno == ESRCH;
}

void records_clean(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if ((!strncmp(e->d_name, RECORD_PID, strlen(RECORD_PID)) &&
		     has_died(e->d_name + strlen(RECORD_PID))) ||
		    (!strncmp(e->d_name, RECORD_PROCESS,
			      strlen(RECORD_PROCESS)) &&
		     has_died(e->d_name + strlen(RECORD_PROCESS))))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* Of processes that were killed between making or renaming one and the next step. */
static void delete_unfinished(const char *parent)
{
	DIR *d = opendir(parent);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (*e->d_name == '.' && has_died(e->d_name + 1))
			delete_directory(dirfd(d), e->d_name);
	}
	if (d)
		closedir(d);
}

int record_add(struct record *r, const char *root, const char *id)
{
	char parent[PATH_MAX / 2], unfinished[PATH_MAX];
	int error = directory_of_root(root, true, parent, sizeof(parent));

	r->dir = -1;
	if (error)
		return error;
	snprintf(r->path, sizeof(r->path), "%s/%s", parent, id);
	delete_unfinished(parent);
	snprintf(unfinished, sizeof(unfinished), "%s/.%d", parent,
		 (int)getpid());
	delete_directory(AT_FDCWD, unfinished);
	if (mkdir(unfinished, 0700))
		return -errno;
	r->dir = open(unfinished, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0 || flock(r->dir, LOCK_EX | LOCK_NB))
		error = -errno;
	if (!error)
		error = record_write(r);
	if (!error && renameat2(AT_FDCWD, unfinished, AT_FDCWD, r->path,
				RENAME_NOREPLACE))
		error = -errno;
	if (error) {
		delete_directory(AT_FDCWD, unfinished);
		record_close(r);
	}
	return error;
}

static int parse(struct record *r, struct json_object *o)
{
	const char *progress = json_text(o, "progress");
	const char *bundle = json_text(o, "bundle");
	const char *rule = json_text(o, "rule");
	/* An early version wrote neither. */
	const char *cgroup = json_text(o, "cgroup");
	const char *policy = json_text(o, "policy");
	struct json_object *number =
		json_member(o, "generation", json_type_int);
	size_t which = 0;

	while (which < 3 && (!progress || strcmp(progress, progresses[which])))
		which++;
	if (which == 3 || !number || !bundle || !rule ||
	    strlen(bundle) >= sizeof(r->bundle) ||
	    strlen(rule) >= sizeof(r->rule))
		return -EBADMSG;
	r->progress = (enum progress)which;
	r->generation = (uint32_t)json_object_get_int64(number);
	strcpy(r->bundle, bundle);
	strcpy(r->rule, rule);
	if (cgroup && strlen(cgroup) < sizeof(r->cgroup))
		strcpy(r->cgroup, cgroup);
	if (policy && strlen(policy) < sizeof(r->policy))
		strcpy(r->policy, policy);
	return 0;
}

int record_find(struct record *r, const char *root, const char *id)
{
	char parent[PATH_MAX / 2], why[256];
	struct json_object *o;
	int error = directory_of_root(root, false, parent, sizeof(parent));

	*r = (struct record){ .dir = -1 };
	if (error)
		return error;
	snprintf(r->path, sizeof(r->path), "%s/%s", parent, id);
	r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0)
		return -errno;
	o = json_read_at(r->dir, "record", why, sizeof(why));
	error = o ? parse(r, o) : -EBADMSG;
	json_object_put(o);
	/* Removed meanwhile: then it is not there. */
	if (error && access(r->path, F_OK))
		error = -ENOENT;
	if (error == -ENOENT)
		record_close(r);
	return error;
}

int record_write(const struct record *r)
{
	struct json_object *o = json_object_new_object();
	int error;

	json_object_object_add(o, "progress",
			       json_object_new_string(progresses[r->progress]));
	json_object_object_add(o, "generation",
			       json_object_new_int64(r->generation));
	json_object_object_add(o, "bundle", json_object_new_string(r->bundle));
	json_object_object_add(o, "rule", json_object_new_string(r->rule));
	json_object_object_add(o, "policy", json_object_new_string(r->policy));
	json_object_object_add(o, "cgroup", json_object_new_string(r->cgroup));
	error = json_write_at(r->dir, "record", o);
	json_object_put(o);
	return error;
}

bool record_is_abandoned(const struct record *r)
{
	return r->progress == PROGRESS_CREATING &&
	       !flock(r->dir, LOCK_EX | LOCK_NB);
}

int record_remove(struct record *r)
{
	char gone[sizeof(r->path) + 16];
	struct stat ours, there;
	int error = 0;

	if (r->dir < 0)
		return 0;
	/* Not one of the same name that was made meanwhile. */
	if (!fstat(r->dir, &ours) && !stat(r->path, &there) &&
	    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
		/* Others see it whole, or not at all. */
		snprintf(gone, sizeof(gone), "%.*s.%d",
			 (int)(strrchr(r->path, '/') + 1 - r->path), r->path,
			 (int)getpid());
		if (rename(r->path, gone))
			error = -errno;
		else
			delete_directory(AT_FDCWD, gone);
	}
	record_close(r);
	return error;
}

void record_close(struct record *r)
{
	if (r->dir >= 0)
		close(r->dir);
	r->dir = -1;
}
