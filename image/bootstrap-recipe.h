// The recipe of a bootstrap (docs/bootstrap.md): which files of the user's become which stage. Checked here as a whole;
// the decoded tree stays what was written, and nothing is read or made.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "image/words.h"

enum { BOOTSTRAP_RECIPE_MAX_BYTES = 256 << 10, BOOTSTRAP_RECIPE_MAX_ITEMS = 256 };

struct bootstrap_recipe {
	struct value *document;                // owns what follows
	const struct value *crds;              // gatewayApi.crds: a text or a list of texts; these may all be NULL
	const char *chart, *cilium_manifests;  // at most one of them
	const struct value *cilium_values;     // an object
	bool cilium, override;                 // `cilium` is there; a value may contradict a documented one
	const struct value *l2_pool, *l2_interfaces, *devices; // lists of texts
	int64_t mtu;                           // of the network below Cilium; 0: by the cluster's choices
	const char *flux_install, *storage_manifests;
	const struct value *secrets, *variables, *kustomizations; // lists
	const struct value *git, *oci;         // objects, at most one
	const char *sync_name;                 // of the source and, without kustomizations, of the one there is
};
struct bootstrap_recipe *bootstrap_recipe_free(struct bootstrap_recipe *recipe);
DEFINE_CLEANUP(bootstrap_recipe)
/* 0; -EINVAL with @name:line:column, the key, the rule and the value; -E2BIG. */
int bootstrap_recipe_parse(const char *text, size_t n, const char *name, struct bootstrap_recipe **ret,
	struct diag *reterr);

// What a Kubernetes name may be (RFC 1123 subdomain, at most 63 of it), and "1h30m", "90s" as Flux takes them.
bool kube_name_valid(const char *name);
bool flux_duration_valid(const char *text);
