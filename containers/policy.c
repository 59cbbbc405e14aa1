// SPDX-License-Identifier: MIT
/*
 * What a rule has checked is taken out of a copy of config.json. What is left in
 * the end has to be named in "members". So a member that is new to the
 * specification, or new to us, denies.
 */
#define _GNU_SOURCE
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "pattern.h"
#include "policy.h"
#include "signals.h"

struct policy {
	struct json_object *whole;
	struct json_object *containers;
	char digest[SHA256_DIGEST_STRING_LENGTH];
};

enum kind {
	KIND_BOOLEAN,
	KIND_NUMBER,
	KIND_STRING,
	KIND_NUMBERS,
	KIND_PATTERN,
	KIND_PATTERNS,
	KIND_MEMBERS,
	KIND_SIGNALS,
	KIND_USER,
	KIND_UMASK,
	KIND_CAPABILITIES,
	KIND_FILTER,
	KIND_QUERIES,
	KIND_CONTAINERS,
	KIND_EXECS,
	KIND_HOOKS,
	KIND_PATH,
	KIND_DIGEST,
	KIND_HOOK_LIST,
};

struct key {
	const char *name;
	enum kind kind;
};

static const struct key policy_keys[] = {
	{ "version", KIND_NUMBER },	   { "serial", KIND_NUMBER },
	{ "inherit", KIND_BOOLEAN },	   { "query", KIND_QUERIES },
	{ "containers", KIND_CONTAINERS }, { NULL, 0 },
};

static const struct key container_keys[] = {
	{ "name", KIND_STRING },
	{ "args", KIND_PATTERN },
	{ "cwd", KIND_PATTERN },
	{ "user", KIND_USER },
	{ "groups", KIND_NUMBERS },
	{ "umask", KIND_UMASK },
	{ "no-new-privileges", KIND_BOOLEAN },
	{ "env", KIND_PATTERNS },
	{ "caps", KIND_CAPABILITIES },
	{ "seccomp", KIND_FILTER },
	{ "mounts", KIND_PATTERNS },
	{ "devices", KIND_PATTERNS },
	{ "namespaces", KIND_PATTERNS },
	{ "hooks", KIND_HOOKS },
	{ "members", KIND_MEMBERS },
	{ "stdio", KIND_BOOLEAN },
	{ "terminal", KIND_BOOLEAN },
	{ "shutdown", KIND_BOOLEAN },
	{ "signals", KIND_SIGNALS },
	{ "pause", KIND_BOOLEAN },
	{ "update", KIND_BOOLEAN },
	{ "checkpoint", KIND_BOOLEAN },
	{ "restore", KIND_BOOLEAN },
	{ "exec", KIND_EXECS },
	{ NULL, 0 },
};

static const struct key exec_keys[] = {
	{ "args", KIND_PATTERN },     { "cwd", KIND_PATTERN },
	{ "user", KIND_USER },	      { "groups", KIND_NUMBERS },
	{ "umask", KIND_UMASK },      { "no-new-privileges", KIND_BOOLEAN },
	{ "env", KIND_PATTERNS },     { "caps", KIND_CAPABILITIES },
	{ "members", KIND_MEMBERS },  { "stdio", KIND_BOOLEAN },
	{ "terminal", KIND_BOOLEAN }, { NULL, 0 },
};

/* Not startContainer, whose program is the container's. */
static const struct key hooks_keys[] = {
	{ "prestart", KIND_HOOK_LIST },
	{ "createRuntime", KIND_HOOK_LIST },
	{ "createContainer", KIND_HOOK_LIST },
	{ "poststart", KIND_HOOK_LIST },
	{ "poststop", KIND_HOOK_LIST },
	{ NULL, 0 },
};

static const struct key hook_keys[] = {
	{ "path", KIND_PATH },	     { "sha256", KIND_DIGEST },
	{ "args", KIND_PATTERN },    { "env", KIND_PATTERN },
	{ "timeout", KIND_PATTERN }, { NULL, 0 },
};

static struct json_object *element(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static struct json_object *array_of(struct json_object *o, const char *name)
{
	return json_member(o, name, json_type_array);
}

static bool is_true(struct json_object *o, const char *name)
{
	struct json_object *value = json_member(o, name, json_type_boolean);

	return value && json_object_get_boolean(value);
}

/* --- parsing --- */

static bool keys_are_good(struct json_object *o, const struct key *keys,
			  struct reason *r);

static bool all_are(struct json_object *array, enum json_type type)
{
	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < length(array); i++) {
		if (!json_object_is_type(element(array, i), type))
			return false;
	}
	return true;
}

/* Whether all of @text from @from on, and something, is of the characters @of. */
static bool is_all(const char *text, size_t from, const char *of)
{
	return text[from] && !text[from + strspn(text + from, of)];
}

static bool is_signal(const char *text)
{
	return signal_number(text);
}

static bool is_user(const char *text)
{
	size_t uid = strspn(text, "0123456789");

	return uid && text[uid] == ':' && is_all(text, uid + 1, "0123456789");
}

static bool is_umask(const char *text)
{
	return strlen(text) == 4 && is_all(text, 0, "01234567");
}

static bool is_capability(const char *text)
{
	return !strncmp(text, "CAP_", 4) &&
	       is_all(text, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
}

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && is_all(text, 0, "0123456789abcdef");
}

static bool is_filter(const char *text)
{
	return !strcmp(text, "none") ||
	       (!strncmp(text, "sha256:", 7) && is_digest(text + 7));
}

static bool is_path(const char *text)
{
	return *text == '/';
}

static bool is_query(const char *text)
{
	return !strcmp(text, "ps") || !strcmp(text, "events");
}

static bool passes(struct json_object *value, bool (*check)(const char *))
{
	return json_object_is_type(value, json_type_string) &&
	       check(json_object_get_string(value));
}

static bool all_pass(struct json_object *array, bool (*check)(const char *))
{
	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < length(array); i++) {
		if (!passes(element(array, i), check))
			return false;
	}
	return true;
}

static bool all_have_keys(struct json_object *array, const struct key *keys,
			  struct reason *r)
{
	if (!all_are(array, json_type_object))
		return false;
	for (size_t i = 0; i < length(array); i++) {
		if (!keys_are_good(element(array, i), keys, r))
			return false;
	}
	return true;
}

static bool all_name(struct json_object *array, const char *key)
{
	for (size_t i = 0; i < length(array); i++) {
		if (!json_text(element(array, i), key))
			return false;
	}
	return true;
}

static bool is_of_kind(struct json_object *value, enum kind kind,
		       struct reason *r)
{
	switch (kind) {
	case KIND_BOOLEAN:
		return json_object_is_type(value, json_type_boolean);
	case KIND_NUMBER:
		return json_object_is_type(value, json_type_int) &&
		       json_object_get_int64(value) >= 0;
	case KIND_STRING:
		return json_object_is_type(value, json_type_string);
	case KIND_NUMBERS:
		return all_are(value, json_type_int);
	case KIND_PATTERN:
		return pattern_is_valid(value, r);
	case KIND_PATTERNS:
		return json_object_is_type(value, json_type_array) &&
		       pattern_is_valid(value, r);
	case KIND_MEMBERS:
		return json_object_is_type(value, json_type_object) &&
		       pattern_is_valid(value, r);
	case KIND_SIGNALS:
		return all_pass(value, is_signal);
	case KIND_USER:
		return passes(value, is_user);
	case KIND_UMASK:
		return passes(value, is_umask);
	case KIND_CAPABILITIES:
		return all_pass(value, is_capability);
	case KIND_FILTER:
		return passes(value, is_filter);
	case KIND_QUERIES:
		return all_pass(value, is_query);
	case KIND_CONTAINERS:
		return all_have_keys(value, container_keys, r);
	case KIND_EXECS:
		return all_have_keys(value, exec_keys, r);
	case KIND_HOOKS:
		return json_object_is_type(value, json_type_object) &&
		       keys_are_good(value, hooks_keys, r);
	case KIND_HOOK_LIST:
		return all_have_keys(value, hook_keys, r) &&
		       all_name(value, "path") && all_name(value, "sha256");
	case KIND_PATH:
		return passes(value, is_path);
	case KIND_DIGEST:
		return passes(value, is_digest);
	}
	return false;
}

static bool keys_are_good(struct json_object *o, const struct key *keys,
			  struct reason *r)
{
	json_object_object_foreach(o, name, value) {
		const struct key *k = keys;

		while (k->name && strcmp(k->name, name))
			k++;
		if (!k->name || !is_of_kind(value, k->kind, r))
			return pattern_blame(r, name);
	}
	return true;
}

/* A name is a file's part, and tells one container from the others. */
static bool names_are_good(struct json_object *containers)
{
	for (size_t i = 0; i < length(containers); i++) {
		const char *name = json_text(element(containers, i), "name");

		if (!name || !*name || strlen(name) > POLICY_CONTAINER_MAX)
			return false;
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(name,
				    json_text(element(containers, j), "name")))
				return false;
		}
	}
	return true;
}

static const char *check(struct json_object *whole, struct reason *r)
{
	struct json_object *version =
		json_member(whole, "version", json_type_int);

	if (!version || json_object_get_int64(version) != 1)
		return "\"version\" is not 1";
	if (!keys_are_good(whole, policy_keys, r))
		return r->text;
	if (!names_are_good(array_of(whole, "containers")))
		return "each container needs a name of its own, of 1 to 63 characters";
	return NULL;
}

struct policy *policy_parse(const char *text, size_t len, char *why,
			    size_t size)
{
	struct reason r = { "" };
	const char *wrong = NULL;
	struct policy *p;

	if (len > POLICY_MAX) {
		snprintf(why, size, "more than 1 MiB");
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		snprintf(why, size, "no memory");
		return NULL;
	}
	p->whole = json_parse(text, len, why, size);
	if (p->whole)
		wrong = check(p->whole, &r);
	if (p->whole && !wrong) {
		p->containers = array_of(p->whole, "containers");
		SHA256Data((const uint8_t *)text, len, p->digest);
		return p;
	}
	if (wrong)
		snprintf(why, size,
			 wrong == r.text ? "unknown or malformed: %s" : "%s",
			 wrong);
	policy_free(p);
	return NULL;
}

void policy_free(struct policy *p)
{
	if (p)
		json_object_put(p->whole);
	free(p);
}

bool policy_inherits(const struct policy *p)
{
	return is_true(p->whole, "inherit");
}

const char *policy_digest(const struct policy *p)
{
	return p->digest;
}

const char *policy_text(const struct policy *p)
{
	return json_object_to_json_string_ext(
		p->whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				  JSON_C_TO_STRING_NOSLASHESCAPE);
}

uint64_t policy_serial(const struct policy *p)
{
	struct json_object *serial =
		json_member(p->whole, "serial", json_type_int);

	return serial ? (uint64_t)json_object_get_int64(serial) : 0;
}

/* --- what is taken out of the copy --- */

/* Of the members that are looked up by name, one that runc would take for such a member. */
static bool names_fit(struct json_object *o, const char *const names[],
		      struct reason *r)
{
	if (!json_object_is_type(o, json_type_object))
		return true;
	json_object_object_foreach(o, member, unused) {
		(void)unused;
		for (size_t i = 0; names[i]; i++) {
			if (strcmp(member, names[i]) &&
			    !json_compare_names(member, names[i]))
				return pattern_blame(r, member);
		}
	}
	return true;
}

/* What says nothing is as good as absent. */
static bool is_empty(struct json_object *o)
{
	return !o ||
	       (json_object_is_type(o, json_type_object) &&
		!json_object_object_length(o)) ||
	       (json_object_is_type(o, json_type_array) && !length(o));
}

static void prune(struct json_object *o)
{
	struct json_object_iterator at, end;

	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, unused, inner) {
		(void)unused;
		prune(inner);
	}
	at = json_object_iter_begin(o);
	end = json_object_iter_end(o);
	while (!json_object_iter_equal(&at, &end)) {
		if (is_empty(json_object_iter_peek_value(&at))) {
			json_object_object_del(o,
					       json_object_iter_peek_name(&at));
			at = json_object_iter_begin(o);
		} else {
			json_object_iter_next(&at);
		}
	}
}

static bool member_fits(struct json_object *rule, const char *key,
			struct json_object *from, const char *member,
			struct reason *r)
{
	struct json_object *pattern, *value;

	if (!json_object_object_get_ex(rule, key, &pattern) ||
	    !json_object_object_get_ex(from, member, &value) ||
	    !pattern_fits(pattern, value, r))
		return pattern_blame(r, member);
	json_object_object_del(from, member);
	return true;
}

/* "UID:GID" */
static bool user_fits(struct json_object *rule, struct json_object *process,
		      struct reason *r)
{
	struct json_object *user =
		json_member(process, "user", json_type_object);
	struct json_object *uid = json_member(user, "uid", json_type_int);
	struct json_object *gid = json_member(user, "gid", json_type_int);
	struct json_object *mask, *groups;
	const char *want = json_text(rule, "user"),
		   *umask = json_text(rule, "umask");
	char text[64];

	/* An absent number is 0, as in Go and in crun. */
	snprintf(text, sizeof(text), "%lld:%lld",
		 uid ? (long long)json_object_get_int64(uid) : 0,
		 gid ? (long long)json_object_get_int64(gid) : 0);
	if (!want || strcmp(want, text))
		return pattern_blame(r, "user");
	mask = json_member(user, "umask", json_type_int);
	snprintf(text, sizeof(text), "%04llo",
		 mask ? (unsigned long long)json_object_get_int64(mask) : 0);
	if (!mask != !umask || (umask && strcmp(umask, text)))
		return pattern_blame(r, "user.umask");
	groups = array_of(rule, "groups");
	for (size_t i = 0; i < length(array_of(user, "additionalGids")); i++) {
		if (!groups ||
		    !pattern_fits_one(groups,
				      element(array_of(user, "additionalGids"),
					      i)))
			return pattern_blame(r, "user.additionalGids");
	}
	if (array_of(user, "additionalGids"))
		json_object_object_del(user, "additionalGids");
	if (uid)
		json_object_object_del(user, "uid");
	if (gid)
		json_object_object_del(user, "gid");
	if (mask)
		json_object_object_del(user, "umask");
	return true;
}

static bool flags_fit(struct json_object *rule, struct json_object *process,
		      struct reason *r)
{
	struct json_object *nnp;

	if (!json_object_object_get_ex(rule, "no-new-privileges", &nnp) ||
	    (bool)json_object_get_boolean(nnp) !=
		    is_true(process, "noNewPrivileges"))
		return pattern_blame(r, "noNewPrivileges");
	if (is_true(process, "terminal") &&
	    (!is_true(rule, "terminal") || !is_true(rule, "stdio")))
		return pattern_blame(r, "terminal");
	if (json_member(process, "noNewPrivileges", json_type_boolean))
		json_object_object_del(process, "noNewPrivileges");
	if (is_true(process, "terminal") &&
	    json_member(process, "consoleSize", json_type_object))
		json_object_object_del(process, "consoleSize");
	if (json_member(process, "terminal", json_type_boolean))
		json_object_object_del(process, "terminal");
	return true;
}

static const char *const capability_sets[] = { "bounding",    "effective",
					       "inheritable", "permitted",
					       "ambient",     NULL };

static void take_filtered(struct json_object *process)
{
	struct json_object *caps =
		json_member(process, "capabilities", json_type_object);

	if (array_of(process, "env"))
		json_object_object_del(process, "env");
	for (size_t i = 0; capability_sets[i]; i++) {
		if (array_of(caps, capability_sets[i]))
			json_object_object_del(caps, capability_sets[i]);
	}
}

/* What is left of @process is not looked at yet. */
static bool process_fits(struct json_object *rule, struct json_object *process,
			 struct reason *r)
{
	static const char *const names[] = { "args",
					     "cwd",
					     "user",
					     "env",
					     "capabilities",
					     "consoleSize",
					     "terminal",
					     "noNewPrivileges",
					     NULL };
	static const char *const of_user[] = { "uid", "gid", "umask",
					       "additionalGids", NULL };

	if (!names_fit(process, names, r) ||
	    !names_fit(json_member(process, "user", json_type_object), of_user,
		       r) ||
	    !names_fit(json_member(process, "capabilities", json_type_object),
		       capability_sets, r))
		return false;
	/* What is not an array or a string would stay, and "members" deny it. */
	if (!member_fits(rule, "args", process, "args", r) ||
	    !member_fits(rule, "cwd", process, "cwd", r) ||
	    !user_fits(rule, process, r) || !flags_fit(rule, process, r))
		return false;
	take_filtered(process);
	return true;
}

static bool each_fits(struct json_object *rule, const char *key,
		      struct json_object *from, struct reason *r)
{
	struct json_object *patterns = array_of(rule, key),
			   *values = array_of(from, key);

	for (size_t i = 0; i < length(values); i++) {
		if (!patterns ||
		    !pattern_fits_one(patterns, element(values, i)))
			return pattern_blame(r, key);
	}
	if (values)
		json_object_object_del(from, key);
	return true;
}

/* "pid": a new one. Each that the policy names is there: else it is the host's. */
static bool namespaces_fit(struct json_object *rule,
			   struct json_object *linux_part, struct reason *r)
{
	struct json_object *wanted = array_of(rule, "namespaces"),
			   *there = array_of(linux_part, "namespaces");
	bool met[64] = { false };

	if (!wanted || length(wanted) > 64)
		return pattern_blame(r, "namespaces");
	for (size_t i = 0; i < length(there); i++) {
		struct json_object *value = element(there, i);
		const char *type = json_text(value, "type");
		bool is_new = json_object_is_type(value, json_type_object) &&
			      json_object_object_length(value) == 1 && type;
		bool fits = false;

		for (size_t j = 0; j < length(wanted); j++) {
			struct json_object *pattern = element(wanted, j);
			struct reason unused = { "" };
			bool one =
				json_object_is_type(pattern, json_type_string) ?
					is_new &&
						!strcmp(json_object_get_string(
								pattern),
							type) :
					pattern_fits(pattern, value, &unused);

			fits = fits || one;
			met[j] = met[j] || one;
		}
		if (!fits)
			return pattern_blame(r, "namespaces");
	}
	for (size_t j = 0; j < length(wanted); j++) {
		if (!met[j])
			return pattern_blame(r, "namespaces");
	}
	if (there)
		json_object_object_del(linux_part, "namespaces");
	return true;
}

static void digest(struct json_object *o, char *hex)
{
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	SHA256Data((const uint8_t *)text, strlen(text), hex);
}

static bool seccomp_fits(struct json_object *rule,
			 struct json_object *linux_part, struct reason *r)
{
	const char *want = json_text(rule, "seccomp");
	char hex[SHA256_DIGEST_STRING_LENGTH];
	struct json_object *filter = NULL;

	if (linux_part)
		json_object_object_get_ex(linux_part, "seccomp", &filter);
	if (!want)
		return pattern_blame(r, "seccomp");
	if (is_empty(filter))
		return !strcmp(want, "none") || pattern_blame(r, "seccomp");
	/* Whoever listens there decides on each call. */
	if (json_object_object_get_ex(filter, "listenerPath", NULL))
		return pattern_blame(r, "seccomp.listenerPath");
	digest(filter, hex);
	if (strncmp(want, "sha256:", 7) || strcmp(want + 7, hex))
		return pattern_blame(r, "seccomp");
	json_object_object_del(linux_part, "seccomp");
	return true;
}

/* The digest that the rule names for it, which is no member of a hook; NULL: it does not fit. */
static const char *digest_of_hook(struct json_object *rules,
				  struct json_object *hook)
{
	for (size_t i = 0; i < length(rules); i++) {
		struct json_object *rule = element(rules, i),
				   *pattern = json_object_new_object();
		struct reason unused = { "" };
		bool fits;

		json_object_object_foreach(rule, name, value) {
			if (strcmp(name, "sha256"))
				json_object_object_add(pattern, name,
						       json_object_get(value));
		}
		fits = pattern_fits(pattern, hook, &unused);
		json_object_put(pattern);
		if (fits)
			return json_text(rule, "sha256");
	}
	return NULL;
}

/* @bind: adds the digests to the hooks, for whoever runs them to check. */
static bool hooks_fit(struct json_object *rule, struct json_object *spec,
		      bool bind, struct reason *r)
{
	struct json_object *hooks = NULL,
			   *rules =
				   json_member(rule, "hooks", json_type_object);

	json_object_object_get_ex(spec, "hooks", &hooks);
	if (!hooks)
		return true;
	if (!json_object_is_type(hooks, json_type_object))
		return pattern_blame(r, "hooks");
	json_object_object_foreach(hooks, stage, list) {
		if (!json_object_is_type(list, json_type_array))
			return pattern_blame(r, "hooks");
		for (size_t i = 0; i < length(list); i++) {
			const char *hex = digest_of_hook(array_of(rules, stage),
							 element(list, i));

			if (!hex)
				return pattern_blame(r, "hooks");
			if (bind)
				json_object_object_add(
					element(list, i), "sha256",
					json_object_new_string(hex));
		}
	}
	if (!bind)
		json_object_object_del(spec, "hooks");
	return true;
}

/* Members that no rule denies: the rootfs is what the engine says it is. */
static void take_known(struct json_object *spec)
{
	struct json_object *root = json_member(spec, "root", json_type_object);

	if (json_text(spec, "ociVersion"))
		json_object_object_del(spec, "ociVersion");
	if (json_text(root, "path"))
		json_object_object_del(root, "path");
}

static bool rest_fits(struct json_object *rule, struct json_object *rest,
		      struct reason *r)
{
	struct json_object *members = json_member(rule, "members",
						  json_type_object),
			   *none;
	bool fits;

	prune(rest);
	if (members)
		return pattern_fits(members, rest, r);
	none = json_object_new_object();
	fits = pattern_fits(none, rest, r);
	json_object_put(none);
	return fits;
}

static bool container_fits(struct json_object *rule, struct json_object *copy,
			   struct reason *r)
{
	static const char *const names[] = { "process", "linux", "mounts",
					     "hooks",	"root",	 NULL };
	static const char *const of_linux[] = { "devices", "namespaces",
						"seccomp", NULL };
	struct json_object *process =
		json_member(copy, "process", json_type_object);
	struct json_object *linux_part =
		json_member(copy, "linux", json_type_object);

	if (!names_fit(copy, names, r))
		return false;
	if (!names_fit(linux_part, of_linux, r))
		return pattern_blame(r, "linux");
	if (!process || !process_fits(rule, process, r))
		return pattern_blame(r, "process");
	if (!each_fits(rule, "mounts", copy, r))
		return false;
	if (!each_fits(rule, "devices", linux_part, r) ||
	    !namespaces_fit(rule, linux_part, r) ||
	    !seccomp_fits(rule, linux_part, r))
		return pattern_blame(r, "linux");
	if (!hooks_fit(rule, copy, false, r))
		return false;
	take_known(copy);
	return rest_fits(rule, copy, r);
}

static void keep_only(struct json_object *array, struct json_object *patterns)
{
	for (size_t i = length(array); i--;) {
		if (!patterns || !pattern_fits_one(patterns, element(array, i)))
			json_object_array_del_idx(array, i, 1);
	}
}

/* A process of exec that has no such member would have those of its container. */
static struct json_object *capabilities_of(struct json_object *process)
{
	struct json_object *caps = NULL;

	json_object_object_get_ex(process, "capabilities", &caps);
	if (caps)
		return caps;
	caps = json_object_new_object();
	for (size_t i = 0; capability_sets[i]; i++)
		json_object_object_add(caps, capability_sets[i],
				       json_object_new_array());
	json_object_object_add(process, "capabilities", caps);
	return caps;
}

static void filter_process(struct json_object *rule,
			   struct json_object *process)
{
	struct json_object *caps = capabilities_of(process);

	keep_only(array_of(process, "env"), array_of(rule, "env"));
	for (size_t i = 0; capability_sets[i]; i++)
		keep_only(array_of(caps, capability_sets[i]),
			  array_of(rule, "caps"));
}

static struct json_object *copy_of(struct json_object *o)
{
	struct json_object *copy = NULL;

	json_object_deep_copy(o, &copy, NULL);
	return copy;
}

static void add_text(char *to, size_t size, const char *name, const char *text)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "; %s: %s", name, text);
}

const char *policy_match_container(const struct policy *p,
				   struct json_object *spec, char *why,
				   size_t size)
{
	snprintf(why, size, "no container of the policy fits");
	for (size_t i = 0; i < length(p->containers); i++) {
		struct json_object *rule = element(p->containers, i);
		struct json_object *copy = copy_of(spec);
		struct reason r = { "" };
		bool fits = copy && container_fits(rule, copy, &r);

		json_object_put(copy);
		if (fits) {
			filter_process(rule, json_member(spec, "process",
							 json_type_object));
			hooks_fit(rule, spec, true, &r);
			return json_text(rule, "name");
		}
		add_text(why, size, json_text(rule, "name"), r.text);
	}
	return NULL;
}

/* --- what may be done --- */

/* From @i on, the next container of this name; NULL is every name. */
static struct json_object *next_container(const struct policy *p,
					  const char *name, size_t *i)
{
	while (*i < length(p->containers)) {
		struct json_object *rule = element(p->containers, (*i)++);

		if (!name || !strcmp(name, json_text(rule, "name")))
			return rule;
	}
	return NULL;
}

bool policy_match_exec(const struct policy *p, const char *container,
		       struct json_object *process, bool *stdio, char *why,
		       size_t size)
{
	struct json_object *rule;
	size_t i = 0;

	snprintf(why, size, "the policy names no such process");
	while ((rule = next_container(p, container, &i))) {
		struct json_object *execs = array_of(rule, "exec");

		for (size_t j = 0; j < length(execs); j++) {
			struct json_object *one = element(execs, j);
			struct json_object *copy = copy_of(process);
			struct reason r = { "" };
			bool fits = copy && process_fits(one, copy, &r) &&
				    rest_fits(one, copy, &r);

			json_object_put(copy);
			if (fits) {
				filter_process(one, process);
				*stdio = is_true(one, "stdio");
				return true;
			}
			add_text(why, size, json_text(rule, "name"), r.text);
		}
	}
	return false;
}

bool policy_allows(const struct policy *p, const char *container,
		   const char *what)
{
	struct json_object *rule;
	size_t i = 0;

	while ((rule = next_container(p, container, &i))) {
		if (is_true(rule, what))
			return true;
	}
	return false;
}

bool policy_allows_signal(const struct policy *p, const char *container,
			  int number)
{
	struct json_object *rule;
	size_t i = 0;

	if (signal_ends(number))
		return policy_allows(p, container, "shutdown");
	while ((rule = next_container(p, container, &i))) {
		struct json_object *names = array_of(rule, "signals");

		for (size_t j = 0; j < length(names); j++) {
			if (signal_number(json_object_get_string(
				    element(names, j))) == number)
				return true;
		}
	}
	return false;
}

bool policy_allows_query(const struct policy *p, const char *what)
{
	struct json_object *names = array_of(p->whole, "query");

	for (size_t i = 0; i < length(names); i++) {
		if (!strcmp(json_object_get_string(element(names, i)), what))
			return true;
	}
	return false;
}

/* --- drafts --- */

static void move(struct json_object *to, const char *key,
		 struct json_object *from, const char *member)
{
	struct json_object *value;

	if (from && json_object_object_get_ex(from, member, &value) && value)
		json_object_object_add(to, key, json_object_get(value));
}

static void draft_user(struct json_object *rule, struct json_object *user)
{
	struct json_object *uid = json_member(user, "uid", json_type_int);
	struct json_object *gid = json_member(user, "gid", json_type_int);
	struct json_object *mask = json_member(user, "umask", json_type_int);
	char text[64];

	snprintf(text, sizeof(text), "%lld:%lld",
		 uid ? (long long)json_object_get_int64(uid) : 0,
		 gid ? (long long)json_object_get_int64(gid) : 0);
	json_object_object_add(rule, "user", json_object_new_string(text));
	move(rule, "groups", user, "additionalGids");
	if (!mask)
		return;
	snprintf(text, sizeof(text), "%04llo",
		 (unsigned long long)json_object_get_int64(mask));
	json_object_object_add(rule, "umask", json_object_new_string(text));
}

/* A namespace with a path is named as it is, a new one by its type. */
static void draft_namespaces(struct json_object *rule,
			     struct json_object *linux_part)
{
	struct json_object *there = array_of(linux_part, "namespaces"),
			   *named = json_object_new_array();

	for (size_t i = 0; i < length(there); i++) {
		struct json_object *one = element(there, i);
		const char *type = json_text(one, "type");

		json_object_array_add(
			named, type && json_object_object_length(one) == 1 ?
				       json_object_new_string(type) :
				       json_object_get(one));
	}
	json_object_object_add(rule, "namespaces", named);
}

static void draft_seccomp(struct json_object *rule,
			  struct json_object *linux_part)
{
	struct json_object *filter =
		json_member(linux_part, "seccomp", json_type_object);
	char text[7 + SHA256_DIGEST_STRING_LENGTH] = "sha256:";

	if (filter)
		digest(filter, text + 7);
	json_object_object_add(rule, "seccomp",
			       json_object_new_string(filter ? text : "none"));
}

struct json_object *policy_draft(const char *name, struct json_object *spec)
{
	struct json_object *rule = json_object_new_object();
	struct json_object *process =
		json_member(spec, "process", json_type_object);
	struct json_object *linux_part =
		json_member(spec, "linux", json_type_object);
	struct json_object *copy = copy_of(spec);
	struct json_object *caps =
		json_member(process, "capabilities", json_type_object);
	struct reason unused = { "" };

	json_object_object_add(rule, "name", json_object_new_string(name));
	move(rule, "args", process, "args");
	move(rule, "cwd", process, "cwd");
	draft_user(rule, json_member(process, "user", json_type_object));
	json_object_object_add(
		rule, "no-new-privileges",
		json_object_new_boolean(is_true(process, "noNewPrivileges")));
	move(rule, "env", process, "env");
	move(rule, "caps", caps, "bounding");
	draft_seccomp(rule, linux_part);
	move(rule, "mounts", spec, "mounts");
	move(rule, "devices", linux_part, "devices");
	draft_namespaces(rule, linux_part);
	json_object_object_add(rule, "stdio", json_object_new_boolean(true));
	json_object_object_add(
		rule, "terminal",
		json_object_new_boolean(is_true(process, "terminal")));
	json_object_object_add(rule, "shutdown", json_object_new_boolean(true));
	move(rule, "hooks", spec, "hooks");
	/* Their digests are whoever's business who can read the programs. */
	json_object_object_del(copy, "hooks");
	/* The same code that checks says what is left over. */
	container_fits(rule, copy, &unused);
	json_object_object_add(rule, "members", copy);
	return rule;
}
