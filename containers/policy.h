/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_POLICY_H
#define CONTAINERS_POLICY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What containers may be and do: sysgenid-policy(5). Nothing here reads a file or
 * changes anything but its arguments. False or NULL: @why says what is not named,
 * or what is wrong with the policy.
 */
struct policy;

#define POLICY_MAX	     (1u << 20)
#define POLICY_CONTAINER_MAX 63

struct policy *policy_parse(const char *text, size_t len, char *why,
			    size_t size);
void policy_free(struct policy *p);
bool policy_inherits(const struct policy *p);
uint64_t policy_serial(const struct policy *p);

/* SHA-256 of the file, in hexadecimal. Lives as long as @p. */
const char *policy_digest(const struct policy *p);
/* For people. Lives as long as @p. */
const char *policy_text(const struct policy *p);

/*
 * The first container of the policy that fits, and NULL if none does. @spec then
 * has only the variables and the capabilities that it names. Each hook then has a
 * member "sha256".
 */
const char *policy_match_container(const struct policy *p,
				   struct json_object *spec, char *why,
				   size_t size);
/*
 * @container: a name that came from policy_match_container(). NULL: whether any
 * container of the policy would do.
 */
/* *@stdio: whether the process may have ours. */
bool policy_match_exec(const struct policy *p, const char *container,
		       struct json_object *process, bool *stdio, char *why,
		       size_t size);
/* @what: "shutdown", "pause", "update", "checkpoint", "restore", "stdio", "terminal". */
bool policy_allows(const struct policy *p, const char *container,
		   const char *what);
bool policy_allows_signal(const struct policy *p, const char *container,
			  int number);
/* @what: "ps", "events". */
bool policy_allows_query(const struct policy *p, const char *what);

/* A container of a policy that allows exactly @spec; of hooks "sha256" is missing. */
struct json_object *policy_draft(const char *name, struct json_object *spec);

#endif /* CONTAINERS_POLICY_H */
