// SPDX-License-Identifier: MIT
/* sysgenidctl get: what the generation is, and what is known about it. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "sysgenidctl.h"

static const char *const source_names[] = {
	[SYSGENID_SOURCE_VMGENID] = "vmgenid",
	[SYSGENID_SOURCE_VMFORK] = "vmfork",
	[SYSGENID_SOURCE_SOFTWARE] = "software",
	[SYSGENID_SOURCE_VMCLOCK] = "vmclock",
};

static const char *const feature_names[] = { "calls", "truthful", "exact",
					     "gate", "vmclock-page" };

static const char *check_name(const struct sysgenid_info *info)
{
	if (!(info->handle & SYSGENID_HANDLE_EXACT))
		return "counter";
	return info->handle & SYSGENID_HANDLE_VMCLOCK ? "exact, by vmclock" :
							"exact";
}

/* Bit 0 of the sources is "none". */
static uint64_t named_sources(const struct sysgenid_info *info)
{
	return info->sources & ~(1u << SYSGENID_SOURCE_NONE);
}

static const char *boolean(bool b)
{
	return b ? "true" : "false";
}

/* @text: two digits a byte, and the end. */
static const char *instance(const struct sysgenid_info *info, char *text)
{
	if (!(info->flags & SYSGENID_GET_INSTANCE))
		return NULL;
	for (int i = 0; i < SYSGENID_INSTANCE_SIZE; i++)
		sprintf(text + 2 * i, "%02x", info->instance_id[i]);
	return text;
}

static void print_json(const struct sysgenid_info *info)
{
	char text[2 * SYSGENID_INSTANCE_SIZE + 1];
	const char *id = instance(info, text);

	printf("{\"generation\": %" PRIu32 ", \"source\": ", info->generation);
	print_json_string(source_name(info->source));
	printf(", \"time_ns\": %" PRIu64 ", \"sources\": ", info->time);
	print_json_names(named_sources(info), source_names,
			 ARRAY_SIZE(source_names));
	printf(", \"features\": ");
	print_json_names(info->features, feature_names,
			 ARRAY_SIZE(feature_names));
	printf(", \"exact\": %s, \"writable\": %s, \"old_driver\": %s",
	       boolean(info->handle & SYSGENID_HANDLE_EXACT),
	       boolean(info->handle & SYSGENID_HANDLE_WRITABLE),
	       boolean(info->handle & SYSGENID_HANDLE_OLD_DRIVER));
	printf(", \"exact_by_vmclock\": %s",
	       boolean(info->handle & SYSGENID_HANDLE_VMCLOCK));
	printf(", \"soft\": %s", boolean(info->handle & SYSGENID_HANDLE_SOFT));
	printf(", \"reseed_failed\": %s",
	       boolean(info->flags & SYSGENID_GET_RESEED_FAILED));
	printf(", \"reseed_pending\": %s",
	       boolean(info->flags & SYSGENID_GET_RESEED_PENDING));
	printf(", \"instance_id\": %s%s%s", id ? "\"" : "", id ? id : "null",
	       id ? "\"" : "");
	printf(", \"watchers\": %" PRIu32 ", \"outdated\": %" PRIu32 "}\n",
	       info->watchers, info->outdated);
}

static void print_text(const struct sysgenid_info *info)
{
	char text[2 * SYSGENID_INSTANCE_SIZE + 1];
	const char *id = instance(info, text);

	printf("generation  %" PRIu32 "\n", info->generation);
	if (info->handle & SYSGENID_HANDLE_OLD_DRIVER) {
		puts("driver      an older one, which tells no more");
		return;
	}
	printf("source      %s\n", source_name(info->source));
	if (info->time)
		printf("time        %" PRIu64 ".%03" PRIu64 " s after boot\n",
		       info->time / 1000000000, info->time / 1000000 % 1000);
	printf("sources     ");
	print_names(named_sources(info), source_names,
		    ARRAY_SIZE(source_names));
	printf("features    ");
	print_names(info->features, feature_names, ARRAY_SIZE(feature_names));
	printf("check       %s\n", check_name(info));
	if (info->handle & SYSGENID_HANDLE_SOFT) {
		puts("publisher   a program that keeps a page file; it promises less than the module");
		return;
	}
	printf("instance    %s\n",
	       id ? id : "none: nothing is known to differ in siblings");
	printf("watchers    %" PRIu32 ", of them outdated %" PRIu32 "\n",
	       info->watchers, info->outdated);
	if (info->flags & SYSGENID_GET_RESEED_FAILED)
		puts("reseed      FAILED: the kernel's random bytes may be those of another clone");
	else if (info->flags & SYSGENID_GET_RESEED_PENDING)
		puts("reseed      pending: one of the kernel's own may still undo it, and it will be repeated");
}

int cmd_get(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "soft", no_argument, NULL, 'S' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, soft = false, verbose = false;
	struct sysgenid_info info;
	struct sysgenid *g;
	int c, r;

	while ((c = getopt_long(argc, argv, "jSv", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'S')
			soft = true;
		else if (c == 'v')
			verbose = true;
		else
			return USAGE;
	}
	if (!no_operands(argc, argv))
		return USAGE;
	r = open_device(&g, soft);
	if (r)
		return r;
	r = sysgenid_get_info(g, &info, sizeof(info));
	sysgenid_close(g);
	if (r)
		return complain(r, "get");
	if (json)
		print_json(&info);
	else if (verbose)
		print_text(&info);
	else
		printf("%" PRIu32 "\n", info.generation);
	return flush_output();
}
