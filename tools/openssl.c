// SPDX-License-Identifier: MIT
/* sysgenidctl openssl: by a program that comes with the provider, as it needs libcrypto. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sysgenidctl.h"

#ifndef OPENSSL_CONFIG
#define OPENSSL_CONFIG "/usr/lib/sysgenid/openssl-config"
#endif

int cmd_openssl(int argc, char **argv)
{
	(void)argc;
	execv(OPENSSL_CONFIG, argv);
	if (errno == ENOENT)
		fputs("sysgenidctl: openssl: the provider is not installed; install the package sysgenid-openssl-provider\n",
		      stderr);
	else
		complain(-errno, OPENSSL_CONFIG);
	return FAILED;
}
