/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_SIGNATURE_H
#define CONTAINERS_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#ifndef SIGNATURE_KEY
#define SIGNATURE_KEY "/etc/sysgenid/policy.pub"
#endif
#ifndef SIGNATURE_COMMAND_LINE
#define SIGNATURE_COMMAND_LINE "/proc/cmdline"
#endif
/* On the kernel's command line; behind it the SHA-256 of the key's file. */
#define SIGNATURE_PARAMETER "sysgenid.policy_key=sha256:"

/*
 * Ed25519 over "sysgenid-policy-v1", a zero byte and the SHA-256 of @text.
 * The key is that of the image, and has the digest of the kernel's command line.
 * If one of the two is missing, the other counts. @key: a file in place of the
 * image's, where the image has none. False: @why says what is wrong.
 */
bool signature_is_good(const char *text, size_t len, const char *signature,
		       const char *key, char *why, size_t size);

#endif /* CONTAINERS_SIGNATURE_H */
