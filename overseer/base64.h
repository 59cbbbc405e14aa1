/* SPDX-License-Identifier: MIT */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* RFC 4648, section 4. Bytes of the text for @n bytes, with the zero byte. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/*
 * The number of bytes, or -1: another character, no padding, bits behind the last byte,
 * or more than @size bytes.
 */
ssize_t base64_decode(const char *text, size_t len, unsigned char *bytes,
		      size_t size);
/* @text: BASE64_SIZE(@len) bytes. */
void base64_encode(const unsigned char *bytes, size_t len, char *text);

#endif /* BASE64_H */
