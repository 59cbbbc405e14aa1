// SPDX-License-Identifier: MIT
/* Commands that come with other packages, as they need libraries that this tool does without. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../overseer/protocol.h"
#include "entropy.h"
#include "sysgenidctl.h"

static int delegate(const char *name, const char *program, const char *package,
		    char **argv)
{
	argv[0] = (char *)(uintptr_t)name;
	execv(program, argv);
	if (errno != ENOENT)
		return complain(-errno, program);
	fprintf(stderr,
		"sysgenidctl: %s: %s is not there; install the package %s\n",
		name, program, package);
	return FAILED;
}

int cmd_openssl(int argc, char **argv)
{
	(void)argc;
	return delegate("openssl", HELPERS "/openssl-config",
			"sysgenid-openssl-provider", argv);
}

static int overseer(const char *name, char **argv)
{
	return delegate(name, HELPERS "/overseer-client", "sysgenid-overseer",
			argv);
}

int cmd_status(int argc, char **argv)
{
	(void)argc;
	return overseer("status", argv);
}

int cmd_metrics(int argc, char **argv)
{
	(void)argc;
	return overseer("metrics", argv);
}

int cmd_quiesce(int argc, char **argv)
{
	(void)argc;
	return overseer("quiesce", argv);
}

int cmd_resume(int argc, char **argv)
{
	(void)argc;
	return overseer("resume", argv);
}

bool overseer_publishes(void)
{
	return access(SYSGENID_DEVICE, F_OK) && !access(PROTOCOL_SOCKET, F_OK);
}

/* By standard input: everybody can see the arguments of a program. */
int trigger_overseer(const struct entropy *e, bool json)
{
	char *argv[] = { NULL, json ? (char *)(uintptr_t) "--json" : NULL,
			 NULL };
	int ends[2];

	/* A pipe takes more than this without a reader. */
	if (pipe(ends) || write(ends[1], e->bytes, e->len) != (ssize_t)e->len ||
	    dup2(ends[0], STDIN_FILENO) < 0)
		return complain(-errno, "trigger");
	close(ends[0]);
	close(ends[1]);
	return overseer("trigger", argv);
}
