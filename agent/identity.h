// Who this node is: its P-256 key, the region's certificate for it, and its WireGuard keys, in STATE (DESIGN 5). The key
// is durable on disk before anybody hears of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-keys.h"
#include "base/crypto.h"

struct identity {
	char *folder;
	struct key *key;
	char *key_pem;       // wiped when freed
	char *self_cert_pem; // self-signed, for the enrolment connection: proof of possession
	char *cert_pem;      // the region's certificate, NULL: none yet
	int64_t cert_from_sec, cert_to_sec;
	uint8_t *spki;
	size_t n_spki;
	struct mesh_keys mesh;
};
/* Load the keys from @folder, or make and save them there (0600). A damaged key file is set aside by base/file.h and a
 * new key is made: the region then sees a replacement. A file that is whole but holds no key that we know, or that cannot
 * be read now, is left alone. 0 or -errno. */
int identity_open(const char *folder, struct identity **ret, struct diag *reterr);
struct identity *identity_free(struct identity *identity);
DEFINE_CLEANUP(identity)
/* Take a certificate: it must be for our key and a client certificate. Saved before it counts.
 * -EKEYREJECTED with the reason. After a failure the old one stays, with its dates. */
int identity_set_certificate(struct identity *identity, const char *pem, struct diag *reterr);
// Forget the certificate (the region no longer knows it).
void identity_drop_certificate(struct identity *identity);
// Two thirds of the life have passed, or the end.
bool identity_wants_renewal(const struct identity *identity, int64_t now_sec);
bool identity_expired(const struct identity *identity, int64_t now_sec);
