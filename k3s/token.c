// Token forms and the CA hash. Where tokens are kept is the agent's business.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/token.h"
#include "base/time.h"
#include <errno.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
enum { MAX_CERTS = 16 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int secret_check(const char *secret, size_t n, struct diag *reterr)
{
	if (n == 0)
		return diag_set(reterr, -EINVAL, "token", "is empty");
	if (n >= K3S_TOKEN_MAX)
		return diag_set(reterr, -EINVAL, "token", "must be shorter than %d characters", K3S_TOKEN_MAX);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)secret[i] < 0x21 || (unsigned char)secret[i] > 0x7e)
			return diag_set(reterr, -EINVAL, "token", "must be printable ASCII without spaces");
	return 0;
}

static int token_parse_full(const char *text, size_t n, struct k3s_token *ret, struct diag *reterr)
{
	uint8_t hash[SHA256_BYTES];
	const char *user, *colon;
	size_t n_user, n_secret;
	int r;

	if (n < 3 + SHA256_HEX + 2 || memcmp(text + 3 + SHA256_HEX, "::", 2) != 0)
		return diag_set(reterr, -EINVAL, "token", "the full form is K10<64 hex digits>::<user>:<secret>");
	memcpy(ret->ca_hash, text + 3, SHA256_HEX);
	ret->ca_hash[SHA256_HEX] = '\0';
	if (hex_decode(ret->ca_hash, hash, SHA256_BYTES) < 0)
		return diag_set(reterr, -EINVAL, "token", "the CA hash must be 64 lower-case hex digits");
	user = text + 3 + SHA256_HEX + 2;
	colon = memchr(user, ':', n - (size_t)(user - text));
	if (!colon)
		return diag_set(reterr, -EINVAL, "token", "the full form is K10<64 hex digits>::<user>:<secret>");
	n_user = (size_t)(colon - user);
	if (n_user == 0 || n_user >= sizeof(ret->user))
		return diag_set(reterr, -EINVAL, "token", "the user must be 1-%zu characters", sizeof(ret->user) - 1);
	n_secret = n - (size_t)(colon + 1 - text);
	r = secret_check(colon + 1, n_secret, reterr);
	if (r < 0)
		return r;
	memcpy(ret->user, user, n_user);
	memcpy(ret->secret, colon + 1, n_secret);
	ret->has_ca_hash = true;
	return 0;
}

int k3s_token_parse(const char *text, struct k3s_token *ret, struct diag *reterr)
{
	struct k3s_token token = {0};
	size_t n = strlen(text);
	int r;

	while (n > 0 && is_space(text[n - 1]))
		n--;
	while (n > 0 && is_space(*text)) {
		text++;
		n--;
	}
	if (n > 3 && strncmp(text, "K10", 3) == 0) {
		r = token_parse_full(text, n, &token, reterr);
	} else {
		r = secret_check(text, n, reterr);
		if (r == 0)
			memcpy(token.secret, text, n);
	}
	if (r == 0)
		*ret = token;
	k3s_token_done(&token);
	return r;
}

char *k3s_token_format(const char *ca_hash, const char *user, const char *secret)
{
	if (!ca_hash)
		return strdup(secret);
	return str_format("K10%s::%s:%s", ca_hash, user, secret);
}

void k3s_token_done(struct k3s_token *token)
{
	crypto_wipe(token, sizeof(*token));
}

// The certificates of a bundle as single PEM texts; the number, or negative errno.
static int certs_split(const char *pem, size_t n, char *ret[static MAX_CERTS])
{
	const char *p = pem, *end = pem + n;
	int n_certs = 0;

	while ((p = memmem(p, (size_t)(end - p), BEGIN, strlen(BEGIN)))) {
		const char *q = memmem(p, (size_t)(end - p), END, strlen(END));

		if (!q)
			return -EINVAL;
		if (n_certs == MAX_CERTS)
			return -E2BIG;
		q += strlen(END);
		ret[n_certs] = str_format("%.*s\n", (int)(q - p), p);
		if (!ret[n_certs])
			return -ENOMEM;
		n_certs++;
		p = q;
	}
	return n_certs;
}

/* The root of the first certificate: follow who signed it until one signs itself. NULL when the chain does not end in
 * the bundle: K3s then hashes the whole file. */
static const char *root_find(char *const certs[], int n_certs)
{
	int at = 0;

	for (int steps = 0; steps < n_certs; steps++) {
		int issuer = -1;

		if (at > 0 && cert_verify(certs[at], certs[at], false, NULL) == 0)
			return certs[at];
		for (int i = 1; i < n_certs && issuer < 0; i++)
			if (i != at && cert_verify(certs[at], certs[i], false, NULL) == 0)
				issuer = i;
		if (issuer < 0)
			return NULL;
		at = issuer;
	}
	return NULL;
}

uint64_t k3s_token_patience_usec(unsigned n_changes)
{
	return (60 * USEC_PER_SEC) << (n_changes < 4 ? n_changes : 4);
}

int k3s_ca_hash(const char *pem, size_t n, char ret[static SHA256_HEX + 1], struct diag *reterr)
{
	char *certs[MAX_CERTS] = {0};
	uint8_t hash[SHA256_BYTES], *der AUTO_FREE = NULL;
	const char *root = NULL;
	size_t n_der = 0;
	int n_certs, r = 0;

	if (n > K3S_CA_MAX_BYTES)
		return diag_set(reterr, -E2BIG, "CA", "must be at most %d bytes", K3S_CA_MAX_BYTES);
	n_certs = certs_split(pem, n, certs);
	if (n_certs <= 0)
		r = diag_set(reterr, n_certs < 0 ? n_certs : -EINVAL, "CA", "holds no whole PEM certificate");
	for (int i = 0; r == 0 && i < n_certs; i++) {
		struct cert_facts facts = {0};

		r = cert_facts_from_pem(certs[i], &facts, NULL);
		if (r < 0)
			(void)diag_set(reterr, r, "CA", "certificate %d cannot be read", i + 1);
		cert_facts_done(&facts);
	}
	if (r == 0 && n_certs > 1)
		root = root_find(certs, n_certs);
	if (r == 0 && root) {
		r = cert_pem_to_der(root, &der, &n_der);
		if (r == 0)
			sha256(der, n_der, hash);
	} else if (r == 0) {
		sha256(pem, n, hash);
	}
	for (size_t i = 0; i < MAX_CERTS; i++)
		free(certs[i]);
	if (r < 0)
		return r;
	hex_encode(hash, sizeof(hash), ret);
	return 0;
}
