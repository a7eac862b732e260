// Credentials of registries: a secret that cluster.yaml's registries name holds USER:PASSWORD, and
// every node that may have secrets gets those (docs/contracts.md, Secrets).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* Member "registries" of the open object: host -> username and password, of the registries whose
 * secret is set. 0; what reading a secret gave. */
int registry_secrets_put(struct region *region, struct json_out *out);
// Is @text what secret @name has to hold? -EINVAL with the rule and without the value.
int registry_secret_check(const struct cluster_config *config, const char *name, const char *text,
	struct diag *reterr);
// One line of log for every secret that cluster.yaml names and nobody has set.
void registry_secrets_warn(struct region *region);
