// SPDX-License-Identifier: MIT
/* What a policy allows: each rule once allowed and once denied. */
#define _GNU_SOURCE
#include <json-c/json_pointer.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "policy.h"
#include "suite.h"

/* The digest is that of {"defaultAction":"SCMP_ACT_ALLOW"}, by sha256sum(1). */
#define DIGEST \
	"1e91071efd3cec07b4e3e6cb9e0405055162ec9674f62869fe7f1564d5dce24f"

static const char base_policy[] =
	"{\"version\":1,\"serial\":7,\"inherit\":true,\"query\":[\"ps\"],\"containers\":[{"
	"\"name\":\"web\",\"args\":[\"/bin/x\",{\"re\":\"-[ab]\"}],\"cwd\":\"/\","
	"\"user\":\"1:2\",\"groups\":[5,6],\"umask\":\"0022\",\"no-new-privileges\":true,"
	"\"env\":[\"A=1\",{\"re\":\"P=.*\"}],\"caps\":[\"CAP_KILL\"],"
	"\"seccomp\":\"sha256:" DIGEST "\","
	"\"mounts\":[{\"destination\":\"/d\",\"source\":{\"re\":\"/s(/.*)?\"},\"options\":[\"ro\"]}],"
	"\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,\"minor\":229}],"
	"\"namespaces\":[\"pid\",{\"type\":\"network\",\"path\":{\"re\":\"/run/netns/.+\"}}],"
	"\"members\":{\"hostname\":\"h\",\"root\":{\"readonly\":true},"
	"\"linux\":{\"resources\":{\"pids\":{\"limit\":{\"any\":true}}},\"maskedPaths\":[\"/proc/kcore\"]},"
	"\"annotations\":{\"optional\":{\"a\":\"b\"}},"
	"\"process\":{\"rlimits\":{\"each\":[{\"type\":\"RLIMIT_CORE\",\"hard\":0,\"soft\":0}]}}},"
	"\"stdio\":true,\"terminal\":true,\"shutdown\":true,\"signals\":[\"HUP\",\"10\"],\"pause\":true,"
	"\"exec\":[{\"args\":[\"/bin/kill\",\"1\"],\"cwd\":\"/\",\"user\":\"0:0\",\"no-new-privileges\":false,"
	"\"env\":[],\"caps\":[],\"stdio\":false}]},"
	"{\"name\":\"other\",\"args\":[\"/bin/y\"]}]}";

static const char base_spec[] =
	"{\"ociVersion\":\"1.0.2\",\"hostname\":\"h\",\"root\":{\"path\":\"/r\",\"readonly\":true},"
	"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":1},"
	"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[6]},"
	"\"args\":[\"/bin/x\",\"-b\"],\"cwd\":\"/\",\"env\":[\"A=1\",\"P=2\",\"S=3\",\"A=11\"],"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_SYS_ADMIN\"],\"effective\":[\"CAP_SYS_ADMIN\"],\"ambient\":[\"CAP_KILL\"]},"
	"\"noNewPrivileges\":true,\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":0,\"soft\":0}]},"
	"\"mounts\":[{\"destination\":\"/d\",\"source\":\"/s/x\",\"options\":[\"ro\"]}],"
	"\"hooks\":{\"prestart\":[]},\"annotations\":{},"
	"\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/run/netns/a\"},{\"type\":\"pid\"}],"
	"\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,\"minor\":229}],"
	"\"resources\":{\"pids\":{\"limit\":9},\"devices\":[]},\"maskedPaths\":[\"/proc/kcore\"],"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}";

static const char base_exec[] =
	"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/kill\",\"1\"],\"cwd\":\"/\","
	"\"env\":[\"X=1\"],\"capabilities\":{\"bounding\":[\"CAP_KILL\"]}}";

/* A change of the policy or of config.json; @value NULL removes. */
struct edit {
	bool policy;
	const char *path, *value;
	/* What the denial names; NULL: it is allowed. */
	const char *denied;
};

#define ALLOWED NULL
#define RULE	"/containers/0/"

static const struct edit edits[] = {
	/* Each key of the policy: what it does not name is denied. */
	{ true, RULE "args", NULL, "process.args" },
	{ true, RULE "cwd", NULL, "process.cwd" },
	{ true, RULE "user", NULL, "process.user" },
	{ true, RULE "groups", NULL, "process.user.additionalGids" },
	{ true, RULE "umask", NULL, "process.user.umask" },
	{ true, RULE "no-new-privileges", NULL, "process.noNewPrivileges" },
	{ true, RULE "env", NULL, ALLOWED },
	{ true, RULE "caps", NULL, ALLOWED },
	{ true, RULE "seccomp", NULL, "linux.seccomp" },
	{ true, RULE "mounts", NULL, "mounts" },
	{ true, RULE "devices", NULL, "linux.devices" },
	{ true, RULE "namespaces", NULL, "linux.namespaces" },
	{ true, RULE "stdio", NULL, "process.terminal" },
	{ true, RULE "terminal", NULL, "process.terminal" },
	{ true, RULE "members", NULL, "hostname" },
	{ true, RULE "members/hostname", NULL, "hostname" },
	{ true, RULE "members/root", NULL, "root" },
	{ true, RULE "members/linux/resources", NULL, "linux.resources" },
	{ true, RULE "members/process", NULL, "process" },
	{ true, RULE "members/annotations", NULL, ALLOWED },
	{ true, RULE "exec", NULL, ALLOWED },
	/* Each member of config.json, otherwise than the policy has it. */
	{ false, "/process/args/1", "\"-a\"", ALLOWED },
	{ false, "/process/args/1", "\"-c\"", "process.args" },
	{ false, "/process/args/1", "\"-ab\"", "process.args" },
	{ false, "/process/args/1", "\"x-a\"", "process.args" },
	{ false, "/process/args/1", "\"-a\\n\"", "process.args" },
	{ false, "/process/args/-", "\"-a\"", "process.args" },
	{ false, "/process/args", "[\"/bin/x\"]", "process.args" },
	{ false, "/process/args", "\"/bin/x\"", "process.args" },
	{ false, "/process/args", NULL, "process.args" },
	{ false, "/process/cwd", "\"/x\"", "process.cwd" },
	{ false, "/process/user/uid", "2", "process.user" },
	{ false, "/process/user/uid", NULL, "process.user" },
	{ false, "/process/user/gid", "1", "process.user" },
	{ false, "/process/user/uid", "\"1\"", "process.user" },
	{ false, "/process/user/username", "\"root\"", "process.user" },
	{ false, "/process/user/umask", "2", "process.user.umask" },
	{ false, "/process/user/umask", NULL, "process.user.umask" },
	{ false, "/process/user/additionalGids", "[5]", ALLOWED },
	{ false, "/process/user/additionalGids", "[5,7]", "additionalGids" },
	{ false, "/process/user/additionalGids", NULL, ALLOWED },
	{ false, "/process/noNewPrivileges", "false", "noNewPrivileges" },
	{ false, "/process/noNewPrivileges", NULL, "noNewPrivileges" },
	{ false, "/process/terminal", "false", "process.consoleSize" },
	{ false, "/process/terminal", "1", "process" },
	{ false, "/process/env", "{}", ALLOWED },
	{ false, "/process/env", "{\"S\":\"1\"}", "process.env" },
	{ false, "/process/capabilities/new", "[\"CAP_KILL\"]",
	  "process.capabilities" },
	{ false, "/process/oomScoreAdj", "-1000", "process.oomScoreAdj" },
	{ false, "/process/apparmorProfile", "\"unconfined\"",
	  "process.apparmorProfile" },
	{ false, "/process/rlimits/0/hard", "1", "process.rlimits" },
	{ false, "/process/rlimits", "[]", "process" },
	{ false, "/process", NULL, "process" },
	{ false, "/root/readonly", "false", "root.readonly" },
	{ false, "/root/readonly", NULL, "root" },
	{ false, "/hostname", "\"i\"", "hostname" },
	{ false, "/domainname", "\"i\"", "domainname" },
	{ false, "/annotations", "{\"a\":\"b\"}", ALLOWED },
	{ false, "/annotations", "{\"a\":\"c\"}", "annotations.a" },
	{ false, "/annotations", "{\"b\":\"b\"}", "annotations.b" },
	{ false, "/hooks/prestart", "[{\"path\":\"/bin/true\"}]", "hooks" },
	{ false, "/hooks/new", "[{\"path\":\"/bin/true\"}]", "hooks" },
	{ false, "/hooks", "\"x\"", "hooks" },
	{ false, "/mounts/0/source", "\"/s\"", ALLOWED },
	{ false, "/mounts/0/source", "\"/sx\"", "mounts" },
	{ false, "/mounts/0/options", "[]", "mounts" },
	{ false, "/mounts/0/options", "[\"ro\",\"suid\"]", "mounts" },
	{ false, "/mounts/0/uidMappings", "[{\"size\":1}]", "mounts" },
	{ false, "/mounts/-", "{\"destination\":\"/e\"}", "mounts" },
	{ false, "/mounts", "[]", ALLOWED },
	{ false, "/mounts", "{\"0\":1}", "mounts" },
	{ false, "/linux/devices/0/major", "8", "linux.devices" },
	{ false, "/linux/devices/0/fileMode", "511", "linux.devices" },
	{ false, "/linux/devices", "[]", ALLOWED },
	{ false, "/linux/namespaces/1", "{\"type\":\"ipc\"}",
	  "linux.namespaces" },
	{ false, "/linux/namespaces/1",
	  "{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}",
	  "linux.namespaces" },
	{ false, "/linux/namespaces/0/path", "\"/proc/1/ns/net\"",
	  "linux.namespaces" },
	{ false, "/linux/namespaces", "[{\"type\":\"pid\"}]",
	  "linux.namespaces" },
	{ false, "/linux/namespaces", NULL, "linux.namespaces" },
	{ false, "/linux/seccomp/defaultAction", "\"SCMP_ACT_LOG\"",
	  "linux.seccomp" },
	{ false, "/linux/seccomp/listenerPath", "\"/x\"",
	  "linux.seccomp.listenerPath" },
	{ false, "/linux/seccomp", NULL, "linux.seccomp" },
	{ false, "/linux/resources/pids/limit", "100", ALLOWED },
	{ false, "/linux/resources/devices", "[{\"allow\":true}]",
	  "linux.resources.devices" },
	{ false, "/linux/resources/pids", NULL, "linux.resources" },
	{ false, "/linux/maskedPaths", "[]", "linux.maskedPaths" },
	{ false, "/linux/readonlyPaths", "[\"/proc\"]", "linux.readonlyPaths" },
	{ false, "/linux/sysctl", "{\"kernel.x\":\"1\"}", "linux.sysctl" },
	{ false, "/linux/uidMappings", "[{\"size\":1}]", "linux.uidMappings" },
	{ false, "/linux/gidMappings", "[{\"size\":1}]", "linux.gidMappings" },
	{ false, "/linux/personality", "{\"domain\":\"LINUX32\"}",
	  "linux.personality" },
	{ false, "/linux/cgroupsPath", "\"/x\"", "linux.cgroupsPath" },
	{ false, "/linux/rootfsPropagation", "\"shared\"",
	  "linux.rootfsPropagation" },
	{ false, "/linux/aMemberOfTheFuture", "0", "aMemberOfTheFuture" },
	{ false, "/vm", "{\"a\":1}", "vm" },
	/* runc takes these for others. */
	{ false, "/Process", "{}", "Process" },
	{ false, "/HOOKS", "null", "HOOKS" },
	{ false, "/process/noNewprivileges", "null", "noNewprivileges" },
	{ false, "/process/capabilities/Bounding", "[]", "Bounding" },
	{ false, "/process/user/UID", "null", "UID" },
	{ false, "/linux/nameSpaces", "[]", "linux.nameSpaces" },
	{ false,
	  "/linux/\xc5\xbf"
	  "eccomp",
	  "null", "eccomp" },
	{ false, "/linux", NULL, "linux" },
};

static struct json_object *parsed(const char *text)
{
	char why[256];
	struct json_object *o =
		json_parse(text, strlen(text), why, sizeof(why));

	ck_assert_msg(o != NULL, "%s", why);
	return o;
}

static void apply(struct json_object *o, const struct edit *e)
{
	struct json_object *parent = o, *value;
	char path[128];
	char *name;

	if (e->value) {
		value = json_tokener_parse(e->value);
		ck_assert_msg(!json_pointer_set(&o, e->path, value), "%s",
			      e->path);
		return;
	}
	snprintf(path, sizeof(path), "%s", e->path);
	name = strrchr(path, '/');
	*name++ = 0;
	ck_assert(!*path || !json_pointer_get(o, path, &parent));
	json_object_object_del(parent, name);
}

static struct policy *policy_of(const char *text)
{
	char why[512];
	struct policy *p = policy_parse(text, strlen(text), why, sizeof(why));

	ck_assert_msg(p != NULL, "%s", why);
	return p;
}

START_TEST(each_member_is_allowed_once_and_denied_once)
{
	const struct edit *e = &edits[_i];
	struct json_object *rules = parsed(base_policy),
			   *spec = parsed(base_spec);
	struct policy *p;
	char why[1024];
	const char *name;

	apply(e->policy ? rules : spec, e);
	p = policy_of(json_object_to_json_string(rules));
	name = policy_match_container(p, spec, why, sizeof(why));
	if (e->denied) {
		ck_assert_msg(!name, "%s %s", e->path, e->value);
		/* The first container that is named is "web". */
		ck_assert_msg(strstr(why, "web: ") && strstr(why, e->denied) &&
				      strstr(why, e->denied) <
					      strstr(why, "other: "),
			      "%s %s: %s", e->path, e->value, why);
	} else {
		ck_assert_msg(name && !strcmp(name, "web"), "%s %s: %s",
			      e->path, e->value, why);
	}
	policy_free(p);
	json_object_put(rules);
	json_object_put(spec);
}
END_TEST

START_TEST(hook_is_denied_even_if_its_member_is_named)
{
	static const struct edit name = { true, RULE "members/hooks",
					  "{\"any\":true}", NULL };
	static const struct edit other = { true, RULE "members/Hooks",
					   "{\"any\":true}", NULL };
	static const char *const paths[] = { "/hooks", "/Hooks" };
	const struct edit hook = { false, paths[_i],
				   "{\"poststop\":[{\"path\":\"/x\"}]}", NULL };
	struct json_object *rules = parsed(base_policy),
			   *spec = parsed(base_spec);
	struct policy *p;
	char why[1024], text[32];

	apply(rules, _i ? &other : &name);
	json_object_object_del(spec, "hooks");
	apply(spec, &hook);
	p = policy_of(json_object_to_json_string(rules));
	ck_assert(!policy_match_container(p, spec, why, sizeof(why)));
	snprintf(text, sizeof(text), "web: %s", paths[_i] + 1);
	ck_assert_msg(strstr(why, text) != NULL, "%s", why);
	policy_free(p);
	json_object_put(rules);
	json_object_put(spec);
}
END_TEST

/* What is in the policy and in config.json, and whether they fit. */
START_TEST(hooks_are_allowed_by_path_and_digest)
{
	static const char hex[] = DIGEST;
	static const struct {
		const char *rule, *hook;
		bool fits;
	} cases[] = {
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  "{\"poststop\":[{\"path\":\"/x\"}]}", true },
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  "{\"poststop\":[{\"path\":\"/x\"},{\"path\":\"/y\"}]}",
		  false },
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  "{\"prestart\":[{\"path\":\"/x\"}]}", false },
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  "{\"poststop\":[{\"path\":\"/x\",\"args\":[\"x\",\"y\"]}]}",
		  false },
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST
		  "\"}]}",
		  false },
		{ "{\"poststop\":[{\"path\":\"/x\",\"sha256\":\"" DIGEST "\","
		  "\"args\":[\"x\",{\"re\":\"y+\"}],\"timeout\":{\"any\":true}}]}",
		  "{\"poststop\":[{\"path\":\"/x\",\"args\":[\"x\",\"yy\"],\"timeout\":3}]}",
		  true },
	};
	struct edit rule = { true, RULE "hooks", cases[_i].rule, NULL };
	struct edit hook = { false, "/hooks", cases[_i].hook, NULL };
	struct json_object *rules = parsed(base_policy),
			   *spec = parsed(base_spec);
	struct policy *p;
	char why[1024];
	bool fits;

	apply(rules, &rule);
	apply(spec, &hook);
	p = policy_of(json_object_to_json_string(rules));
	fits = policy_match_container(p, spec, why, sizeof(why));
	ck_assert_msg(fits == cases[_i].fits, "%s: %s", cases[_i].hook, why);
	if (fits)
		ck_assert_msg(strstr(json_object_to_json_string(spec), hex) !=
				      NULL,
			      "the hook has no digest");
	policy_free(p);
	json_object_put(rules);
	json_object_put(spec);
}
END_TEST

START_TEST(variables_and_capabilities_are_filtered)
{
	struct json_object *spec = parsed(base_spec), *process, *caps;
	struct policy *p = policy_of(base_policy);
	char why[1024];

	ck_assert_str_eq(policy_match_container(p, spec, why, sizeof(why)),
			 "web");
	process = json_member(spec, "process", json_type_object);
	caps = json_member(process, "capabilities", json_type_object);
	ck_assert_str_eq(json_object_to_json_string_ext(
				 json_member(process, "env", json_type_array),
				 0),
			 "[\"A=1\",\"P=2\"]");
	ck_assert_str_eq(
		json_object_to_json_string_ext(caps, 0),
		"{\"bounding\":[\"CAP_KILL\"],\"effective\":[],\"ambient\":[\"CAP_KILL\"]}");
	policy_free(p);
	json_object_put(spec);
}
END_TEST

START_TEST(exec_has_a_list_of_its_own)
{
	static const struct edit changes[] = {
		{ false, "/cwd", "\"/\"", ALLOWED },
		{ false, "/cwd", "\"/x\"", "cwd" },
		{ false, "/args/1", "\"2\"", "args" },
		{ false, "/user/uid", "1", "user" },
		{ false, "/terminal", "true", "terminal" },
		{ false, "/noNewPrivileges", "true", "noNewPrivileges" },
		{ false, "/selinuxLabel", "\"x\"", "selinuxLabel" },
		{ false, "/capabilities/x", "1", "capabilities" },
	};
	struct policy *p = policy_of(base_policy);

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct json_object *process = parsed(base_exec);
		char why[1024] = "";
		bool stdio = true, fits;

		apply(process, &changes[i]);
		fits = policy_match_exec(p, "web", process, &stdio, why,
					 sizeof(why));
		ck_assert_msg(fits == !changes[i].denied, "%s: %s",
			      changes[i].path, why);
		ck_assert_msg(fits || strstr(why, changes[i].denied), "%s",
			      why);
		ck_assert(!fits || !stdio);
		ck_assert(!policy_match_exec(p, "other", process, &stdio, why,
					     sizeof(why)));
		ck_assert(policy_match_exec(p, NULL, process, &stdio, why,
					    sizeof(why)) == fits);
		json_object_put(process);
	}
	policy_free(p);
}
END_TEST

/* crun and runc would give it those of the container. */
START_TEST(exec_without_capabilities_has_none)
{
	static const char *const none[] = { NULL, "null" };
	struct policy *p = policy_of(base_policy);

	for (size_t i = 0; i < 2; i++) {
		const struct edit e = { false, "/capabilities", none[i], NULL };
		struct json_object *process = parsed(base_exec);
		char why[1024] = "";
		bool stdio;

		apply(process, &e);
		ck_assert_msg(policy_match_exec(p, "web", process, &stdio, why,
						sizeof(why)),
			      "%s", why);
		ck_assert_str_eq(
			json_object_to_json_string_ext(
				json_member(process, "capabilities",
					    json_type_object),
				0),
			"{\"bounding\":[],\"effective\":[],\"inheritable\":[],"
			"\"permitted\":[],\"ambient\":[]}");
		json_object_put(process);
	}
	policy_free(p);
}
END_TEST

START_TEST(signals_and_queries_are_denied_unless_named)
{
	struct policy *p = policy_of(base_policy);

	for (int i = 1; i <= 64; i++) {
		bool ends = i == 15 || i == 9 || i == 19 || i == 3 || i == 2;

		ck_assert_int_eq(policy_allows_signal(p, "web", i),
				 ends || i == 1 || i == 10);
		ck_assert(!policy_allows_signal(p, "other", i));
		ck_assert(!policy_allows_signal(p, "nobody", i));
		ck_assert_int_eq(policy_allows_signal(p, NULL, i),
				 ends || i == 1 || i == 10);
	}
	ck_assert(policy_allows_query(p, "ps"));
	ck_assert(!policy_allows_query(p, "events"));
	ck_assert(policy_allows(p, "web", "pause"));
	ck_assert(!policy_allows(p, "other", "pause"));
	ck_assert(!policy_allows(p, "web", "update"));
	ck_assert(!policy_allows(p, "web", "checkpoint"));
	ck_assert(policy_inherits(p));
	ck_assert_uint_eq(policy_serial(p), 7);
	policy_free(p);
	p = policy_of("{\"version\":1}");
	ck_assert(!policy_inherits(p));
	ck_assert_uint_eq(policy_serial(p), 0);
	ck_assert(!policy_allows_query(p, "ps"));
	policy_free(p);
}
END_TEST

START_TEST(each_operation_is_allowed_where_it_alone_is_named)
{
	static const char *const operations[] = { "shutdown", "pause",
						  "update",   "checkpoint",
						  "restore",  "stdio",
						  "terminal" };
	const size_t count = sizeof(operations) / sizeof(*operations);

	for (size_t i = 0; i < 2 * count; i++) {
		bool named = i < count;
		struct policy *p;
		char text[128];

		snprintf(
			text, sizeof(text),
			"{\"version\":1,\"containers\":[{\"name\":\"a\",\"%s\":%s}]}",
			operations[i % count], named ? "true" : "false");
		p = policy_of(text);
		for (size_t j = 0; j < count; j++)
			ck_assert_int_eq(policy_allows(p, "a", operations[j]),
					 named && j == i);
		ck_assert_int_eq(policy_allows_signal(p, "a", 15), named && !i);
		policy_free(p);
	}
	for (int which = 0; which < 2; which++) {
		const char *const queries[] = { "ps", "events" };
		struct policy *p;
		char text[64];

		snprintf(text, sizeof(text),
			 "{\"version\":1,\"query\":[\"%s\"]}", queries[which]);
		p = policy_of(text);
		ck_assert(policy_allows_query(p, queries[which]));
		ck_assert(!policy_allows_query(p, queries[!which]));
		policy_free(p);
	}
}
END_TEST

START_TEST(malformed_policy_is_refused_as_a_whole)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"version\":2}",
		"{\"version\":\"1\"}",
		"{\"version\":1,\"new\":1}",
		"{\"version\":1,\"version\":1}",
		"{\"version\":1,\"serial\":-1}",
		"{\"version\":1,\"inherit\":\"yes\"}",
		"{\"version\":1,\"inherit\":null}",
		"{\"version\":1,\"query\":\"ps\"}",
		"{\"version\":1,\"containers\":{}}",
		"{\"version\":1,\"containers\":[1]}",
		"{\"version\":1,\"containers\":[{}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"rootfs\":\"verity:x\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"arg\":[]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"hooks\":[]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"hooks\":{\"startContainer\":[]}}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"hooks\":{\"poststop\":[{\"path\":\"/x\"}]}}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"hooks\":{\"poststop\":[{\"sha256\":\"" DIGEST
		"\"}]}}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"hooks\":{\"poststop\":[{\"path\":\"x\",\"sha256\":\"" DIGEST
		"\"}]}}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"args\":[{\"re\":\"(\"}]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"args\":[{\"re\":7}]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"args\":[{\"re\":\"x\",\"y\":1}]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"cwd\":{\"any\":false}}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"signals\":[\"FOO\"]}]}",
		"{\"version\":1,\"query\":[\"state\"]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"user\":\"root\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"user\":\"0\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"user\":\"0:\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"user\":\"0:0:\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"user\":\":0\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"umask\":\"022\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"umask\":\"0088\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"umask\":\"00222\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"caps\":[\"KILL\"]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"caps\":[\"CAP_\"]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"caps\":[\"CAP_KILL \"]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"seccomp\":\"sha256:12\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"seccomp\":\"None\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"seccomp\":\"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"exec\":[{\"shutdown\":true}]}]}",
		"{\"version\":1,\"containers\":[{\"name\":\"a\",\"members\":[]}]}",
		"{\"version\":1}x",
		"{\"version\":1",
	};
	char why[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!policy_parse(bad[i], strlen(bad[i]), why,
					    sizeof(why)),
			      "%s", bad[i]);
}
END_TEST

START_TEST(expression_that_closes_a_parenthesis_is_still_anchored)
{
	struct json_object *rules = parsed(base_policy),
			   *spec = parsed(base_spec);
	const struct edit change = { true, RULE "cwd", "{\"re\":\"a)|(b\"}",
				     NULL };
	struct policy *p;
	char why[1024];

	apply(rules, &change);
	p = policy_parse(json_object_to_json_string(rules),
			 strlen(json_object_to_json_string(rules)), why,
			 sizeof(why));
	if (p) {
		json_object_object_add(json_member(spec, "process",
						   json_type_object),
				       "cwd", json_object_new_string("a/etc"));
		ck_assert(!policy_match_container(p, spec, why, sizeof(why)));
	}
	policy_free(p);
	json_object_put(rules);
	json_object_put(spec);
}
END_TEST

START_TEST(draft_allows_what_it_was_made_from)
{
	struct json_object *spec = parsed(base_spec),
			   *whole = json_object_new_object(),
			   *containers = json_object_new_array();
	struct policy *p;
	char why[1024];

	json_object_array_add(containers, policy_draft("d", spec));
	json_object_object_add(whole, "version", json_object_new_int(1));
	json_object_object_add(whole, "containers", containers);
	p = policy_of(json_object_to_json_string(whole));
	ck_assert_msg(policy_match_container(p, spec, why, sizeof(why)) != NULL,
		      "%s", why);
	ck_assert_str_eq(json_object_to_json_string(json_object_array_get_idx(
				 json_member(json_member(spec, "process",
							 json_type_object),
					     "env", json_type_array),
				 3)),
			 "\"A=11\"");
	policy_free(p);
	json_object_put(whole);
	json_object_put(spec);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *cases = tcase_create("policy");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(cases, each_member_is_allowed_once_and_denied_once,
			    0, (int)(sizeof(edits) / sizeof(*edits)));
	tcase_add_loop_test(cases, hook_is_denied_even_if_its_member_is_named,
			    0, 2);
	tcase_add_test(cases, exec_without_capabilities_has_none);
	tcase_add_loop_test(cases, hooks_are_allowed_by_path_and_digest, 0, 6);
	tcase_add_test(cases, variables_and_capabilities_are_filtered);
	tcase_add_test(cases, exec_has_a_list_of_its_own);
	tcase_add_test(cases, signals_and_queries_are_denied_unless_named);
	tcase_add_test(cases,
		       each_operation_is_allowed_where_it_alone_is_named);
	tcase_add_test(cases, malformed_policy_is_refused_as_a_whole);
	tcase_add_test(cases,
		       expression_that_closes_a_parenthesis_is_still_anchored);
	tcase_add_test(cases, draft_allows_what_it_was_made_from);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
