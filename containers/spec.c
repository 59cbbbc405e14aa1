// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hook.h"
#include "json.h"
#include "spec.h"

static bool make_absolute(struct json_object *o, const char *name,
			  const char *bundle)
{
	const char *path = json_text(o, name);
	char whole[PATH_MAX];

	if (!path)
		return false;
	if (*path == '/')
		return true;
	if (snprintf(whole, sizeof(whole), "%s/%s", bundle, path) >=
	    (int)sizeof(whole))
		return false;
	return !json_object_object_add(o, name, json_object_new_string(whole));
}

/* The source of other mounts is a name of the file system, tmpfs for example. */
static bool is_bind(struct json_object *mount)
{
	struct json_object *options =
		json_member(mount, "options", json_type_array);
	const char *type = json_text(mount, "type");

	if (type && !strcmp(type, "bind"))
		return true;
	for (size_t i = 0; options && i < json_object_array_length(options);
	     i++) {
		const char *option = json_object_get_string(
			json_object_array_get_idx(options, i));

		if (option &&
		    (!strcmp(option, "bind") || !strcmp(option, "rbind")))
			return true;
	}
	return false;
}

bool spec_make_absolute(struct json_object *spec, const char *bundle, char *why,
			size_t size)
{
	struct json_object *root = json_member(spec, "root", json_type_object);
	struct json_object *mounts =
		json_member(spec, "mounts", json_type_array);

	if (!root || !make_absolute(root, "path", bundle)) {
		snprintf(why, size, "config.json: root.path is missing");
		return false;
	}
	for (size_t i = 0; mounts && i < json_object_array_length(mounts);
	     i++) {
		struct json_object *mount =
			json_object_array_get_idx(mounts, i);

		if (is_bind(mount) && json_text(mount, "source") &&
		    !make_absolute(mount, "source", bundle)) {
			snprintf(
				why, size,
				"config.json: the source of a mount is too long");
			return false;
		}
	}
	return true;
}

/* The member, made if it is absent; NULL if it is something else. */
static struct json_object *member_made(struct json_object *o, const char *name,
				       enum json_type type)
{
	struct json_object *there;

	if (!o)
		return NULL;
	if (!json_object_object_get_ex(o, name, &there) || !there) {
		there = type == json_type_array ? json_object_new_array() :
						  json_object_new_object();
		if (!there || json_object_object_add(o, name, there))
			return NULL;
	}
	return json_object_is_type(there, type) ? there : NULL;
}

/* Whatever the engine calls by this path is not it. */
static void remove_device(struct json_object *devices, const char *path)
{
	for (size_t i = json_object_array_length(devices); i--;) {
		const char *other = json_text(
			json_object_array_get_idx(devices, i), "path");

		if (other && !strcmp(other, path))
			json_object_array_del_idx(devices, i, 1);
	}
}

static struct json_object *device_of(const struct stat *st)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("c"));
	json_object_object_add(o, "major",
			       json_object_new_int64(major(st->st_rdev)));
	json_object_object_add(o, "minor",
			       json_object_new_int64(minor(st->st_rdev)));
	return o;
}

bool spec_add_device(struct json_object *spec, const char *node, char *why,
		     size_t size)
{
	struct json_object *linux_part, *devices, *rules, *o;
	struct stat st;

	if (stat(node, &st)) {
		if (errno == ENOENT)
			return true;
		snprintf(why, size, "%s: %s", node, strerror(errno));
		return false;
	}
	if (!S_ISCHR(st.st_mode)) {
		snprintf(why, size, "%s is not a device", node);
		return false;
	}
	linux_part = member_made(spec, "linux", json_type_object);
	devices = member_made(linux_part, "devices", json_type_array);
	if (!devices) {
		snprintf(why, size,
			 "config.json: linux.devices is not an array");
		return false;
	}
	remove_device(devices, node);
	o = device_of(&st);
	json_object_object_add(o, "path", json_object_new_string(node));
	json_object_object_add(o, "fileMode",
			       json_object_new_int64(st.st_mode & 0777));
	json_object_object_add(o, "uid", json_object_new_int64(st.st_uid));
	json_object_object_add(o, "gid", json_object_new_int64(st.st_gid));
	json_object_array_add(devices, o);
	/* Without a rule everything is allowed, and the first would forbid the rest. */
	rules = json_member(json_member(linux_part, "resources",
					json_type_object),
			    "devices", json_type_array);
	if (!rules || !json_object_array_length(rules))
		return true;
	o = device_of(&st);
	json_object_object_add(o, "allow", json_object_new_boolean(true));
	json_object_object_add(o, "access", json_object_new_string("rw"));
	json_object_array_add(rules, o);
	return true;
}

/* sysgenid-runtime hook SHA256 PATH, and the words of the hook. */
static bool bind_hook(struct json_object *hook, const char *own)
{
	struct json_object *args = json_member(hook, "args", json_type_array),
			   *words = json_object_new_array();
	const char *digest = json_text(hook, "sha256"),
		   *path = json_text(hook, "path");

	if (!digest || !path) {
		json_object_put(words);
		return false;
	}
	json_object_array_add(words,
			      json_object_new_string("sysgenid-runtime"));
	json_object_array_add(words, json_object_new_string(HOOK_WORD));
	json_object_array_add(words, json_object_new_string(digest));
	json_object_array_add(words, json_object_new_string(path));
	if (!args || !json_object_array_length(args))
		json_object_array_add(words, json_object_new_string(path));
	for (size_t i = 0; args && i < json_object_array_length(args); i++)
		json_object_array_add(
			words,
			json_object_get(json_object_array_get_idx(args, i)));
	json_object_object_del(hook, "sha256");
	json_object_object_add(hook, "args", words);
	json_object_object_add(hook, "path", json_object_new_string(own));
	return true;
}

bool spec_bind_hooks(struct json_object *spec, char *why, size_t size)
{
	struct json_object *hooks =
		json_member(spec, "hooks", json_type_object);
	char own[PATH_MAX];
	ssize_t len = hooks ? readlink("/proc/self/exe", own, sizeof(own)) : 0;

	if (!hooks)
		return true;
	if (len <= 0 || len == sizeof(own)) {
		snprintf(why, size, "/proc/self/exe: %s", strerror(errno));
		return false;
	}
	own[len] = 0;
	json_object_object_foreach(hooks, stage, list) {
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			if (bind_hook(json_object_array_get_idx(list, i), own))
				continue;
			snprintf(why, size, "config.json: hooks.%s", stage);
			return false;
		}
	}
	return true;
}
