// SPDX-License-Identifier: Apache-2.0
#include "region/peer-tls.h"

#include <gnutls/x509.h>

struct tls_peer *tls_peer_free(struct tls_peer *peer)
{
	if (!peer)
		return NULL;
	if (peer->has_certificate)
		cert_facts_done(&peer->facts);
	free(peer);
	return NULL;
}

void tls_peer_prepare(gnutls_session_t session)
{
	gnutls_certificate_send_x509_rdn_sequence(session, 1);
}

// Chain to our CA and made for clients; dates are the caller's business.
static bool chain_is_ours(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned status = 0;
	const unsigned dates = GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
		return false;
	return status == 0 || ((status & dates) && (status & ~(dates | GNUTLS_CERT_INVALID)) == 0);
}

static void look_at_key(struct tls_peer *peer, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	unsigned bits = 0, result = 1;
	if (gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0) {
		gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
		peer->is_p256 = gnutls_x509_crt_get_pk_algorithm(crt, &bits) == GNUTLS_PK_ECDSA &&
				gnutls_x509_crt_get_pk_ecc_raw(crt, &curve, NULL, NULL) >= 0 &&
				curve == GNUTLS_ECC_CURVE_SECP256R1;
		peer->self_signed =
			gnutls_x509_crt_check_issuer(crt, crt) &&
			gnutls_x509_crt_verify(crt, &crt, 1,
				GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_CA_SIGN,
				&result) >= 0 &&
			result == 0;
	}
	gnutls_x509_crt_deinit(crt);
}

void tls_peer_look(struct tls_peer *peer, gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	peer->looked = true;
	if (!chain || n == 0 ||
		cert_facts_from_der(chain[0].data, chain[0].size, &peer->facts, NULL) < 0)
		return; // none, or one that is no certificate: the same to us
	peer->has_certificate = true;
	hex_encode(peer->facts.spki_sha256, SHA256_BYTES, peer->key);
	look_at_key(peer, &chain[0]);
	peer->ours = !peer->facts.is_ca && peer->facts.client_auth && chain_is_ours(session);
}
