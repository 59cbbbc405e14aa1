// SPDX-License-Identifier: MIT
/*
 * Behind "sysgenid-runtime policy": a program of its own, as the runtime does
 * without libcrypto. Its name is not in the arguments.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "json.h"
#include "policy.h"
#include "ready.h"
#include "records.h"
#include "signature.h"
#include "slot.h"

#ifndef SERIAL_PATH
#define SERIAL_PATH "/etc/sysgenid/policy.serial"
#endif

static char why[512];

static int usage(void)
{
	return fail(
		ERROR_BAD_REQUEST,
		"policy check FILE | set FILE SIGNATURE [--key KEY] | show | draft ID [--root DIRECTORY]");
}

/* The text is to be freed, and the policy too. */
static struct policy *read_policy(const char *path, char **text, size_t *len)
{
	struct policy *p = NULL;

	*text = json_slurp_at(AT_FDCWD, path, len, why, sizeof(why));
	if (*text)
		p = policy_parse(*text, *len, why, sizeof(why));
	if (!p)
		fail(ERROR_BAD_POLICY, "%s: %s", path, why);
	return p;
}

static int check(const char *path)
{
	size_t len;
	char *text;
	struct policy *p = read_policy(path, &text, &len);

	free(text);
	if (!p)
		return 1;
	printf("%s: good, serial %" PRIu64 "\n", path, policy_serial(p));
	policy_free(p);
	return 0;
}

/* The smallest serial that the image takes. */
static bool read_serial(uint64_t *serial)
{
	size_t len;
	char *text = json_slurp_at(AT_FDCWD, SERIAL_PATH, &len, why,
				   sizeof(why)),
	     *end;

	*serial = 0;
	if (!text && errno == ENOENT)
		return true;
	if (!text) {
		fail(ERROR_FAILED, "%s: %s", SERIAL_PATH, why);
		return false;
	}
	errno = 0;
	*serial = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !errno && (!*end || *end == '\n')) {
		free(text);
		return true;
	}
	free(text);
	fail(ERROR_FAILED, "%s: not a number", SERIAL_PATH);
	return false;
}

static int set(const char *path, const char *signature, const char *key)
{
	uint32_t generation, now;
	uint64_t least;
	size_t len;
	char *text;
	struct policy *p;
	int error;

	if (!ready_generation(&generation, why, sizeof(why)))
		return fail(ERROR_NOT_READY, "%s", why);
	p = read_policy(path, &text, &len);
	if (!p || !read_serial(&least))
		return 1;
	if (policy_serial(p) < least)
		return fail(ERROR_BAD_POLICY,
			    "%s: serial %" PRIu64
			    " is older than this machine takes: %" PRIu64,
			    path, policy_serial(p), least);
	if (!signature_is_good(text, len, signature, key, why, sizeof(why)))
		return fail(ERROR_BAD_POLICY, "%s: %s", path, why);
	/* What was verified is what is written: the file is not read again. */
	error = slot_set(generation, text, len);
	if (error == -EEXIST)
		return fail(ERROR_EXISTS,
			    "a policy is set already in generation %" PRIu32,
			    generation);
	if (error)
		return fail(ERROR_FAILED, "%s: %s", SLOT_DIRECTORY,
			    strerror(-error));
	if (!ready_generation(&now, why, sizeof(why)) || now != generation)
		return fail(
			ERROR_NOT_READY,
			"the machine was resumed as a clone meanwhile: set it again");
	free(text);
	policy_free(p);
	return 0;
}

static int show(void)
{
	uint32_t generation;
	struct policy *p;

	if (!ready_generation(&generation, why, sizeof(why)))
		return fail(ERROR_NOT_READY, "%s", why);
	p = slot_read(generation, why, sizeof(why));
	if (!p)
		return fail(ERROR_NOT_FOUND, "%s", why);
	puts(policy_text(p));
	policy_free(p);
	return fflush(stdout) ? fail(ERROR_FAILED, "stdout: %m") : 0;
}

/* Of the programs as they are now; without one the draft is no policy. */
static void add_digests(struct json_object *container)
{
	struct json_object *hooks =
		json_member(container, "hooks", json_type_object);
	char hex[SHA256_DIGEST_STRING_LENGTH];

	if (!hooks)
		return;
	json_object_object_foreach(hooks, stage, list) {
		(void)stage;
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *hook =
				json_object_array_get_idx(list, i);
			const char *path = json_text(hook, "path");

			if (path && SHA256File(path, hex))
				json_object_object_add(
					hook, "sha256",
					json_object_new_string(hex));
		}
	}
}

static int draft(const char *id, const char *root)
{
	const char *const roots[] = { "/run/crun", "/run/runc" };
	struct json_object *spec, *whole, *containers, *container;
	struct record r;
	int error = -ENOENT;

	if (root)
		error = record_find(&r, root, id);
	for (size_t i = 0; !root && error && i < 2; i++)
		error = record_find(&r, roots[i], id);
	if (error)
		return fail(ERROR_NOT_FOUND, "\"%s\": %s", id,
			    strerror(-error));
	spec = json_read_at(r.dir, RECORD_ENGINE, why, sizeof(why));
	if (!spec)
		return fail(ERROR_FAILED, "%s/%s: %s", r.path, RECORD_ENGINE,
			    why);
	whole = json_object_new_object();
	containers = json_object_new_array();
	json_object_object_add(whole, "version", json_object_new_int(1));
	json_object_object_add(whole, "serial", json_object_new_int(1));
	container = policy_draft(id, spec);
	add_digests(container);
	json_object_array_add(containers, container);
	json_object_object_add(whole, "containers", containers);
	puts(json_object_to_json_string_ext(
		whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			       JSON_C_TO_STRING_NOSLASHESCAPE));
	return fflush(stdout) ? fail(ERROR_FAILED, "stdout: %m") : 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "check") && argc == 3)
		return check(argv[2]);
	if (!strcmp(command, "set") && argc == 4)
		return set(argv[2], argv[3], NULL);
	if (!strcmp(command, "set") && argc == 6 && !strcmp(argv[4], "--key"))
		return set(argv[2], argv[3], argv[5]);
	if (!strcmp(command, "show") && argc == 2)
		return show();
	if (!strcmp(command, "draft") && argc == 3)
		return draft(argv[2], NULL);
	if (!strcmp(command, "draft") && argc == 5 &&
	    !strcmp(argv[3], "--root"))
		return draft(argv[2], argv[4]);
	return usage();
}
