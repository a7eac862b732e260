// The documented K3s server flags as one table, which role accepts which key, and the region's overrides laid over
// them, then the node's own. Pure: what a flag does is K3s' business, writing them is config.h's.
// Source: PLATFORM-TECH-STACK "K3s Installation" (the documented flags); docs.k3s.io "k3s server" and "k3s agent" CLI
// reference (the keys each role knows).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum k3s_role { K3S_ROLE_FIRST_SERVER, K3S_ROLE_SERVER, K3S_ROLE_WORKER };
const char *k3s_role_text(enum k3s_role role); // "first server", "server", "worker"

/* hardened: the documented flags without those that are known to do harm or nothing (k3s_setting_advice() says why), and
 * with what upstream advises in their place. */
enum k3s_profile { K3S_PROFILE_DOCUMENTED, K3S_PROFILE_HARDENED };
const char *k3s_profile_text(enum k3s_profile profile); // "documented", "hardened"
int k3s_profile_parse(const char *text, enum k3s_profile *ret); // -EINVAL

// Who says so: the document, the profile, the cluster's overrides, this node's overrides.
enum k3s_origin { K3S_ORIGIN_DOCUMENTED, K3S_ORIGIN_PROFILE, K3S_ORIGIN_REGION, K3S_ORIGIN_NODE };
const char *k3s_origin_text(enum k3s_origin origin); // "documented", "profile", "region", "node"

// One documented flag: @value of @key, in the order of the document. List keys repeat.
struct k3s_flag {
	const char *key;    // "kubelet-arg"
	const char *value;  // "max-pods=50", "true"
	bool is_list;       // a YAML list in config.yaml
	bool first_only;    // cluster-init
	bool worker;        // k3s agent knows the key
	const char *source;
};
const struct k3s_flag *k3s_documented_flags(size_t *ret_n);

// What holds for one node: documented flags of its role with the region's overrides.
struct k3s_setting {
	char *key, *value;
	bool is_list;
	enum k3s_origin origin;
};
enum { K3S_MAX_SETTINGS = 128 };
struct k3s_settings {
	size_t n;
	struct k3s_setting items[K3S_MAX_SETTINGS]; // grouped by key
};
struct k3s_settings *k3s_settings_free(struct k3s_settings *settings);
DEFINE_CLEANUP(k3s_settings)

/* One sentence when this setting is known to do harm or nothing, else NULL. Static text. Source: facts of docs/k3s.md,
 * "Advice". */
const char *k3s_setting_advice(const struct k3s_setting *setting);

struct k3s_choice {
	enum k3s_role role;
	enum k3s_profile profile;
	const struct value *overrides;      // the cluster's (origin region), or NULL
	const struct value *node_overrides; // this node's (origin node), or NULL; they win
};
/* What holds by @choice, with the rules of k3s_settings_resolve(). Beyond them the node's own overrides must not have a key
 * that K3s wants to be equal on all servers, nor a key of servers on a worker: nobody else is meant by them. */
int k3s_settings_choose(const struct k3s_choice *choice, struct k3s_settings **ret, struct diag *reterr);
/* The settings of @role with the documented profile and no overrides of its own.
 *   overrides  object of the assignment (`k3s.overrides`) or NULL: key -> string, number, bool, list of those, or null
 *              to drop the key. In *-arg keys an item "name=value" replaces the documented item of that name and keeps
 *              the others; any other key is replaced as a whole.
 *              Overrides are the whole cluster's: what only a server knows is left out for a worker.
 * -EINVAL with a diag: no key of K3s (the nearest is named), a key that Hearth itself writes (node-ip, token-file ...), or
 * a wrong shape; -E2BIG more than K3S_MAX_SETTINGS. */
int k3s_settings_resolve(enum k3s_role role, const struct value *overrides, struct k3s_settings **ret,
	struct diag *reterr);
// "kubelet-arg=max-pods=60" of every setting whose origin is the region or the node, one per line ("" when none); caller frees.
char *k3s_settings_overrides_text(const struct k3s_settings *settings);
