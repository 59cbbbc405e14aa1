// SPDX-License-Identifier: MIT
/* sysgenid-runtime: an OCI runtime that asks first, and then has crun or runc do it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "errors.h"
#include "hook.h"
#include "operations.h"
#include "settings.h"

/* A program of its own: this one does without libcrypto. */
#ifndef RUNTIME_POLICY
#define RUNTIME_POLICY "/usr/lib/sysgenid/runtime-policy"
#endif

int main(int argc, char **argv)
{
	static struct settings settings;
	static struct arguments arguments;
	const char *format, *wrong;
	char why[512];

	if (argc > 1 && !strcmp(argv[1], "policy")) {
		execv(RUNTIME_POLICY, argv + 1);
		return fail(ERROR_FAILED, "%s: %m", RUNTIME_POLICY);
	}
	/* In a container's config.json that we have written. */
	if (argc > 1 && !strcmp(argv[1], HOOK_WORD))
		return hook_run(argv + 2);
	wrong = arguments_parse(&arguments, argc, argv, why, sizeof(why));
	format = arguments_value(&arguments, "log-format");
	errors_log(arguments_value(&arguments, "log"),
		   format && !strcmp(format, "json"));
	if (wrong)
		return fail(ERROR_BAD_REQUEST, "%s", wrong);
	if (!settings_read(&settings, SETTINGS_PATH, why, sizeof(why)))
		return fail(ERROR_FAILED, "%s", why);
	return operate(&settings, &arguments);
}
