// Credentials of registries: a secret that cluster.yaml's registries name holds USER:PASSWORD, and
// every node that may have secrets gets those (docs/contracts.md, Secrets).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* Member "registries" of the open object: host -> username and password, of the registries whose
 * secret is set, as long as there is room. 0; what reading a secret gave. */
int registry_secrets_put(struct region *region, struct json_out *out);
enum {
	LOGIN_MAX = 16 << 10,		 // a login, user and password together
	REGISTRY_LOGINS_MAX = 256 << 10, // all of them, as a node keeps them
	USER_SECRETS_MAX = 512 << 10 // all secrets of people, so that the answer stays below 1 MiB
};
size_t secret_told_bytes(const char *text); // as a JSON string, which is how nodes get it
/* May secret @name of people become @text, beside the others? -E2BIG with the rule and the size. */
int user_secrets_check(
	struct region *region, const char *name, const char *text, struct diag *reterr);
// Is @text what secret @name has to hold? -EINVAL with the rule and without the value.
int registry_secret_check(const struct cluster_config *config, const char *name, const char *text,
	struct diag *reterr);
// One line of log for every secret that cluster.yaml names and nobody has set.
void registry_secrets_warn(struct region *region);
