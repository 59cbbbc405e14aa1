// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "json.h"
#include "signature.h"

#define PREFIX	  "sysgenid-policy-v1" /* its zero byte is signed, too */
#define SIGNATURE 64
#define DIGEST	  32

static bool digest(const void *bytes, size_t len, unsigned char *to)
{
	unsigned int size = DIGEST;

	return EVP_Digest(bytes, len, to, &size, EVP_sha256(), NULL) == 1;
}

/* 1: it is there, 0: it is not, -1: nobody can tell. */
static int wanted_digest(char *hex, size_t size, char *why, size_t why_size)
{
	char line[8192], *word, *rest = line;
	int fd = open(SIGNATURE_COMMAND_LINE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	int found = 0;

	if (fd >= 0)
		close(fd);
	if (n < 0 || n == sizeof(line) - 1) {
		snprintf(why, why_size, "%s cannot be read",
			 SIGNATURE_COMMAND_LINE);
		return -1;
	}
	line[n] = 0;
	while ((word = strsep(&rest, " \n"))) {
		if (strncmp(word, SIGNATURE_PARAMETER,
			    strlen(SIGNATURE_PARAMETER)))
			continue;
		/* Whoever boots it twice means something that we do not know. */
		if (found++) {
			snprintf(why, why_size, "%s has two keys",
				 SIGNATURE_COMMAND_LINE);
			return -1;
		}
		snprintf(hex, size, "%s", word + strlen(SIGNATURE_PARAMETER));
	}
	return found;
}

static bool has_digest(const char *text, size_t len, const char *hex)
{
	unsigned char bytes[DIGEST];
	char ours[2 * DIGEST + 1];

	if (!digest(text, len, bytes))
		return false;
	for (size_t i = 0; i < DIGEST; i++)
		snprintf(ours + 2 * i, 3, "%02x", bytes[i]);
	return !strcasecmp(ours, hex);
}

/* The text of the one key that counts, to be freed. */
static char *find_key(const char *other, size_t *len, char *why, size_t size)
{
	char hex[2 * DIGEST + 2] = "";
	int wanted = wanted_digest(hex, sizeof(hex), why, size);
	bool in_image = !access(SIGNATURE_KEY, F_OK) || errno != ENOENT;
	char *text;

	if (wanted < 0)
		return NULL;
	if (!in_image && !wanted) {
		snprintf(
			why, size,
			"no key: there is neither %s nor %s on the kernel's command line",
			SIGNATURE_KEY, SIGNATURE_PARAMETER);
		return NULL;
	}
	if (!in_image && !other) {
		snprintf(why, size, "%s is missing; name the file with --key",
			 SIGNATURE_KEY);
		return NULL;
	}
	text = json_slurp_at(AT_FDCWD, in_image ? SIGNATURE_KEY : other, len,
			     why, size);
	if (text && wanted && !has_digest(text, *len, hex)) {
		snprintf(why, size,
			 "the key is not the one on the kernel's command line");
		free(text);
		return NULL;
	}
	return text;
}

static EVP_PKEY *read_key(const char *other, char *why, size_t size)
{
	size_t len;
	char *text = find_key(other, &len, why, size);
	BIO *bio = text ? BIO_new_mem_buf(text, (int)len) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_is_a(key, "ED25519")) {
		free(text);
		return key;
	}
	EVP_PKEY_free(key);
	if (text)
		snprintf(why, size,
			 "the key is not an Ed25519 public key in PEM");
	free(text);
	return NULL;
}

static bool verify(EVP_PKEY *key, const char *text, size_t len,
		   const char *signature)
{
	unsigned char message[sizeof(PREFIX) + DIGEST];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	memcpy(message, PREFIX, sizeof(PREFIX));
	good = context && digest(text, len, message + sizeof(PREFIX)) &&
	       EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(context, (const unsigned char *)signature,
				SIGNATURE, message, sizeof(message)) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

bool signature_is_good(const char *text, size_t len, const char *signature,
		       const char *key, char *why, size_t size)
{
	EVP_PKEY *public = read_key(key, why, size);
	char *bytes = NULL;
	size_t count;
	bool good = false;

	if (public)
		bytes = json_slurp_at(AT_FDCWD, signature, &count, why, size);
	if (bytes) {
		good = count == SIGNATURE && verify(public, text, len, bytes);
		if (!good)
			snprintf(why, size,
				 "%s is not a signature of it by this key",
				 signature);
	}
	free(bytes);
	EVP_PKEY_free(public);
	return good;
}
