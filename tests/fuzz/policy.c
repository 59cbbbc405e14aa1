// SPDX-License-Identifier: MIT
/* A policy and a config.json, divided by a zero byte: parsed and matched. */
#include <string.h>

#include "../../containers/json.h"
#include "../../containers/policy.h"
#include "fuzz.h"

#define UNKNOWN "a member of the future"

static bool is_named(struct json_object *policy)
{
	struct json_object *containers =
		json_member(policy, "containers", json_type_array);

	for (size_t i = 0;
	     containers && i < json_object_array_length(containers); i++) {
		struct json_object *members =
			json_member(json_object_array_get_idx(containers, i),
				    "members", json_type_object);

		if (members &&
		    (json_object_object_get_ex(members, UNKNOWN, NULL) ||
		     json_object_object_get_ex(members, "any", NULL)))
			return true;
	}
	return false;
}

/* What a policy does not name in "members" denies, whatever else it allows. */
static void add_unknown(struct policy *p, struct json_object *spec)
{
	struct json_object *policy = json_tokener_parse(policy_text(p));
	char why[512];

	json_object_object_add(spec, UNKNOWN, json_object_new_int(1));
	MUST(!policy_match_container(p, spec, why, sizeof(why)) ||
	     is_named(policy));
	MUST(memchr(why, 0, sizeof(why)));
	json_object_put(policy);
}

/* Each hook that was let through has the digest of its rule, which is no member of it. */
static void take_digests(struct json_object *spec)
{
	struct json_object *hooks =
		json_member(spec, "hooks", json_type_object);

	if (!hooks)
		return;
	json_object_object_foreach(hooks, stage, list) {
		(void)stage;
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *hook =
				json_object_array_get_idx(list, i);
			const char *hex = json_text(hook, "sha256");

			MUST(hex && strlen(hex) == 64);
			json_object_object_del(hook, "sha256");
		}
	}
}

static void match(struct policy *p, struct json_object *spec)
{
	char why[512];
	bool stdio = false;
	const char *first = policy_match_container(p, spec, why, sizeof(why));

	MUST(memchr(why, 0, sizeof(why)));
	/* What is left after filtering fits the same container. */
	if (first) {
		take_digests(spec);
		MUST(policy_match_container(p, spec, why, sizeof(why)) ==
		     first);
		take_digests(spec);
	}
	policy_match_exec(p, NULL, spec, &stdio, why, sizeof(why));
	MUST(!policy_allows(p, "nobody of this name", "shutdown"));
	json_object_put(policy_draft("draft", spec));
	add_unknown(p, spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[512], *rules, *config;
	struct json_object *spec;
	struct policy *p;

	input_begin(data, size);
	rules = input_text();
	config = input_text();
	p = policy_parse(rules, strlen(rules), why, sizeof(why));
	spec = json_parse(config, strlen(config), why, sizeof(why));
	if (p && spec)
		match(p, spec);
	policy_free(p);
	json_object_put(spec);
	free(rules);
	free(config);
	return 0;
}
