// SPDX-License-Identifier: MIT
/*
 * openssl-start DRAWS BYTES: a program that reads openssl.cnf, makes one digest,
 * and draws so often so many bytes. benchmarks/openssl-start counts its
 * instructions.
 */
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

int main(int argc, char **argv)
{
	static unsigned char bytes[1 << 20];
	unsigned int len;
	int size;

	if (argc != 3)
		return 2;
	size = atoi(argv[2]);
	if (size < 0 || (size_t)size > sizeof(bytes) ||
	    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 ||
	    EVP_Digest("", 0, bytes, &len, EVP_sha256(), NULL) != 1)
		return 1;
	for (int i = atoi(argv[1]); i > 0; i--) {
		if (RAND_bytes(bytes, size) != 1)
			return 1;
	}
	return 0;
}
