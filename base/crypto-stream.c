// SHA-256 of what comes in pieces, by libcrypto, which libcurl brings anyway: mbedTLS has no use for a processor's SHA
// instructions, and a payload or an artifact is many megabytes. Apart from the rest: a program that hashes none of these
// does not load libcrypto.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

#include <openssl/evp.h>

struct sha256_stream {
	EVP_MD_CTX *hash;
};

struct sha256_stream *sha256_stream_new(void)
{
	struct sha256_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->hash = EVP_MD_CTX_new();
	if (!stream->hash || EVP_DigestInit_ex(stream->hash, EVP_sha256(), NULL) != 1)
		return sha256_stream_free(stream);
	return stream;
}

struct sha256_stream *sha256_stream_free(struct sha256_stream *stream)
{
	if (stream)
		EVP_MD_CTX_free(stream->hash);
	free(stream);
	return NULL;
}

void sha256_stream_add(struct sha256_stream *stream, const void *bytes, size_t n)
{
	(void)EVP_DigestUpdate(stream->hash, bytes, n); // fails only for a digest that is none or ended
}

void sha256_stream_end(struct sha256_stream *stream, uint8_t ret[static 32])
{
	(void)EVP_DigestFinal_ex(stream->hash, ret, NULL); // as above
}
