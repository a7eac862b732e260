// fuzzes: base
// Certificates, requests, keys and signatures from strangers, as DER and as PEM.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void check_facts(int r, struct cert_facts *facts, const struct diag *diag)
{
	if (r < 0) {
		if (!*diag->message)
			abort();
		return;
	}
	if (!facts->spki || facts->n_spki == 0)
		abort();
	cert_facts_done(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	AUTO_FREE char *text = strndup((const char *)bytes, n_bytes), *pem = NULL;
	AUTO_FREE uint8_t *spki = NULL, *decoded = NULL;
	CLEANUP(key_freep) struct key *key = NULL;
	struct cert_facts facts = { 0 };
	struct diag diag = { 0 };
	uint8_t pin[32];
	size_t n;

	if (!text)
		return 0;
	check_facts(cert_facts_from_der(bytes, n_bytes, &facts, &diag), &facts, &diag);
	check_facts(cert_facts_from_pem(text, &facts, &diag), &facts, &diag);
	if (cert_der_to_pem(bytes, n_bytes, &pem) == 0 && cert_verify(pem, text, false, &diag) == 0)
		abort(); // it would be its own DER and its own PEM
	(void)cert_verify(text, text, true, &diag); // both answers are fine
	(void)csr_spki(text, &spki, &n, &diag); // as above
	(void)key_from_pem(text, &key, &diag); // as above
	(void)public_key_pem_pin(text, pin); // as above
	(void)spki_verify(bytes, n_bytes, "x", 1, bytes, n_bytes); // as above
	(void)base64_decode(text, &decoded, &n); // as above
	return 0;
}
