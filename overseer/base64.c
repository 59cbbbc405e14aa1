// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <string.h>

#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Of the last four characters alone. */
static size_t padding(const char *text, size_t len)
{
	if (!len || text[len - 1] != '=')
		return 0;
	return text[len - 2] == '=' ? 2 : 1;
}

ssize_t base64_decode(const char *text, size_t len, unsigned char *bytes,
		      size_t size)
{
	const size_t padded = len % 4 ? 0 : padding(text, len);
	const size_t count = len / 4 * 3 - padded;

	if (len % 4 || count > size)
		return -1;
	for (size_t i = 0, n = 0; i < len; i += 4) {
		uint32_t word = 0;

		for (size_t j = i; j < i + 4; j++) {
			const int d = j >= len - padded ? 0 : digit(text[j]);

			if (d < 0)
				return -1;
			word = word << 6 | (uint32_t)d;
		}
		for (unsigned int shift = 16; n < count && n < i / 4 * 3 + 3;
		     shift -= 8) {
			bytes[n++] = (unsigned char)(word >> shift);
			word &= (1u << shift) - 1;
		}
		if (n == count && word)
			return -1;
	}
	return (ssize_t)count;
}

void base64_encode(const unsigned char *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i += 3) {
		const size_t left = len - i;
		const uint32_t word =
			(uint32_t)bytes[i] << 16 |
			(left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(left > 2 ? bytes[i + 2] : 0);

		*text++ = digits[word >> 18];
		*text++ = digits[word >> 12 & 63];
		*text++ = left > 1 ? digits[word >> 6 & 63] : '=';
		*text++ = left > 2 ? digits[word & 63] : '=';
	}
	*text = 0;
}
