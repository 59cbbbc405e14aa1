// SPDX-License-Identifier: MIT
/* openssl-properties PROPERTIES: draws with these default properties, and prints the generator's name. */
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

int main(int argc, char **argv)
{
	unsigned char bytes[16];
	EVP_RAND_CTX *ctx;

	if (argc != 2)
		return 2;
	if ((*argv[1] && EVP_set_default_properties(NULL, argv[1]) != 1) ||
	    RAND_bytes(bytes, sizeof(bytes)) != 1 ||
	    RAND_priv_bytes(bytes, sizeof(bytes)) != 1) {
		ERR_print_errors_fp(stderr);
		return 1;
	}
	ctx = RAND_get0_public(NULL);
	puts(EVP_RAND_get0_name(EVP_RAND_CTX_get0_rand(ctx)));
	return 0;
}
