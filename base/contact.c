// The byte strings of first contact. Nothing is decided here; both sides must merely agree to the bit.
// SPDX-License-Identifier: Apache-2.0
#include "base/contact.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void hello_message(const uint8_t nonce[static 32], uint64_t time_msec, const uint8_t ca_sha256[static 32],
	const uint8_t server_sha256[static 32], uint8_t ret[static HELLO_MESSAGE_BYTES])
{
	static const char label[16] = "hearth-hello-v1"; // with its NUL
	uint64_t time_be = htobe64(time_msec);

	memcpy(ret, label, 16);
	memcpy(ret + 16, nonce, 32);
	memcpy(ret + 48, &time_be, 8);
	memcpy(ret + 56, ca_sha256, 32);
	memcpy(ret + 88, server_sha256, 32);
}

void enrol_commitment(const uint8_t node_nonce[static 32], const uint8_t *node_spki, size_t n_node_spki,
	uint8_t ret[static 32])
{
	static const char label[] = "hearth-commit-v1";
	const struct hash_part parts[] = {
		{ label, strlen(label) },
		{ node_nonce, NONCE_BYTES },
		{ node_spki, n_node_spki },
	};

	sha256_parts(parts, N_ELEMENTS(parts), ret);
}

void enrol_code(const uint8_t *node_spki, size_t n_node_spki, const uint8_t *ca_spki, size_t n_ca_spki,
	const uint8_t node_nonce[static 32], const uint8_t region_nonce[static 32], char ret[static CODE_TEXT])
{
	static const char label[] = "hearth-code-v1";
	const struct hash_part parts[] = {
		{ label, strlen(label) },
		{ node_spki, n_node_spki },
		{ ca_spki, n_ca_spki },
		{ node_nonce, NONCE_BYTES },
		{ region_nonce, NONCE_BYTES },
	};
	uint8_t hash[SHA256_BYTES];
	uint64_t bits = 0;

	sha256_parts(parts, N_ELEMENTS(parts), hash);
	for (size_t i = 0; i < 5; i++)
		bits = bits << 8 | hash[i];
	for (size_t i = 0; i < 8; i++)
		ret[i + (i >= 4)] = crockford[bits >> (35 - 5 * i) & 31];
	ret[4] = '-';
	ret[9] = '\0';
}

int enrol_code_normalise(const char *typed, char ret[static CODE_TEXT])
{
	char code[CODE_TEXT];
	size_t n = 0;

	for (; *typed; typed++) {
		int c = toupper((unsigned char)*typed);
		if (c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == 'I' || c == 'L')
			c = '1';
		else if (c == 'O')
			c = '0';
		if (n == 9 || !strchr(crockford, c))
			return -EINVAL;
		if (n == 4)
			code[n++] = '-';
		code[n++] = (char)c;
	}
	if (n != 9)
		return -EINVAL;
	code[n] = '\0';
	memcpy(ret, code, sizeof(code));
	return 0;
}
