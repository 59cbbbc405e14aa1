/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sysgenid.h>

#include "suite.h"

/*
 * Checks in a child under strict seccomp: any system call but that of the exit
 * would kill it. The page is at generation 5.
 */
static inline void check_in_sandbox(const struct sysgenid_view *v)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		bool ok = true;

		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			_exit(2);
		for (int i = 0; i < 1000; i++)
			ok = ok && !sysgenid_changed(v, 5) &&
			     sysgenid_changed(v, 6);
		syscall(SYS_exit, ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#endif /* SANDBOX_H */
