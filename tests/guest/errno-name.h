/* SPDX-License-Identifier: MIT */
/* The name of an errno: strerrorname_np(3), which only glibc has. */
#ifndef ERRNO_NAME_H
#define ERRNO_NAME_H

#include <errno.h>
#include <string.h>

static inline const char *errno_name(int error)
{
#ifdef __GLIBC__
	return strerrorname_np(error);
#else
#define ERRNO_NAME(name)    \
	{                   \
		name, #name \
	}
	static const struct {
		int error;
		const char *name;
	} names[] = {
		ERRNO_NAME(E2BIG),	 ERRNO_NAME(EACCES),
		ERRNO_NAME(EAGAIN),	 ERRNO_NAME(EBADF),
		ERRNO_NAME(EBUSY),	 ERRNO_NAME(ECANCELED),
		ERRNO_NAME(ECHILD),	 ERRNO_NAME(EDQUOT),
		ERRNO_NAME(EEXIST),	 ERRNO_NAME(EFAULT),
		ERRNO_NAME(EINPROGRESS), ERRNO_NAME(EINTR),
		ERRNO_NAME(EINVAL),	 ERRNO_NAME(EIO),
		ERRNO_NAME(EISDIR),	 ERRNO_NAME(EMFILE),
		ERRNO_NAME(EMSGSIZE),	 ERRNO_NAME(ENFILE),
		ERRNO_NAME(ENODATA),	 ERRNO_NAME(ENODEV),
		ERRNO_NAME(ENOENT),	 ERRNO_NAME(ENOMEM),
		ERRNO_NAME(ENOSPC),	 ERRNO_NAME(ENOSYS),
		ERRNO_NAME(ENOTTY),	 ERRNO_NAME(ENXIO),
		ERRNO_NAME(EOPNOTSUPP),	 ERRNO_NAME(EOVERFLOW),
		ERRNO_NAME(EPERM),	 ERRNO_NAME(EPIPE),
		ERRNO_NAME(EPROTO),	 ERRNO_NAME(ERANGE),
		ERRNO_NAME(EROFS),	 ERRNO_NAME(ESPIPE),
		ERRNO_NAME(ESRCH),	 ERRNO_NAME(ESTALE),
		ERRNO_NAME(ETIMEDOUT),	 ERRNO_NAME(EUSERS),
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].error == error)
			return names[i].name;
	return strerror(error);
#endif
}

#endif /* ERRNO_NAME_H */
