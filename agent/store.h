// What survives a reboot besides the identity: the region, the assignment, the mesh, the secrets (DESIGN 4). Checked
// files; a damaged one was set aside by base/file.h and counts as missing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment.h"
#include "agent/mesh-peers.h"

struct region_record {
	size_t n_urls, n_pins, n_signing_keys;
	char *urls[SEED_MAX_URLS];
	uint8_t pins[SEED_MAX_PINS][32];
	char *signing_keys[SEED_MAX_KEYS]; // of the seed's trust group
	char *ca_pem;       // of the last good hello
	char *proxy;        // the way to it, as a seed said last; NULL: none
	int64_t heard_msec; // the last time heard from the region: part of the clock's floor
};
void region_record_done(struct region_record *record);
// Add what is not there yet, as far as there is room; the own entries keep their place.
int region_record_add(struct region_record *record, const char *const *urls, size_t n_urls, const uint8_t (*pins)[32],
	size_t n_pins);
int region_record_set_keys(struct region_record *record, char *const *keys, size_t n_keys); // copied
int region_record_parse(const char *json, size_t n, struct region_record *ret, struct diag *reterr);
int region_record_load(const char *root, struct region_record *ret);
int region_record_save(const char *root, const struct region_record *record, struct diag *reterr);

int assignment_load(const char *root, struct assignment **ret);
int assignment_save(const char *root, const struct assignment *assignment, struct diag *reterr);
int mesh_peers_load(const char *root, struct mesh_peers *ret);
int mesh_peers_save(const char *root, const struct mesh_peers *peers, struct diag *reterr);

struct secrets { // wiped when done
	char *token, *agent_token, *pull_username, *pull_password;
	char *token_next; // servers, while the server token is rotated: the one that K3s may have by now; or NULL
	int64_t tokens;   // how often tokens were rotated when the region gave these; not stored
	char *registries; // JSON: { HOST: { "username", "password" } }, or NULL
};
void secrets_done(struct secrets *secrets);
/* The answer of GET /v1/secrets. Messages never hold a value. A login of a registry that cannot be one is left out, with
 * a line of log. -EINVAL. */
int secrets_parse(const char *json, size_t n, struct secrets *ret, struct diag *reterr);
int secrets_load(const char *root, struct secrets *ret);
int secrets_save(const char *root, const struct secrets *secrets, struct diag *reterr);
