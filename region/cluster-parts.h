// Parts of cluster.yaml that have a grammar of their own: storage, proxy, registries and what
// single nodes are told otherwise. Pure but for the CA files of registries. Every refusal has the
// line, the rule and the value. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/naming.h"

enum {
	CONFIG_MAX_VOLUMES = 64,
	CONFIG_MAX_NODE_VOLUMES = 16, // as many as a node takes in an assignment
	VOLUME_NAME_MAX = 40,	      // the same
	VOLUME_MIN_MIB = 16,	      // the same: an ext4 with a journal
	CONFIG_MAX_REGISTRIES = 64,   // as many as a node takes in an assignment
	CONFIG_MAX_ENDPOINTS = 16,
	CONFIG_MAX_NO_PROXY = 64,
	SECRET_NAME_MAX = 63
};

struct config_volume {
	const char
		*name; // DNS label of at most VOLUME_NAME_MAX: it becomes part of a Kubernetes name
	const char *serial; // of a whole disk; NULL: a share of STATE
	const char *node;   // the only node that gets it; NULL: every node
	int64_t size_mib;   // of a share of STATE
};

struct config_storage {
	const char *kind; // "static", "local-path", "none"
	const char *class;
	size_t n_volumes;
	struct config_volume volumes[CONFIG_MAX_VOLUMES];
};

struct config_proxy {
	const char *http, *https; // http://HOST:PORT, without credentials; may be NULL
	size_t n_no;
	const char *no[CONFIG_MAX_NO_PROXY]; // names, addresses and ranges, as written
};

struct config_registry {
	const char *host;    // HOST[:PORT]
	const char *secret;  // name of a secret that holds USER:PASSWORD, or NULL
	const char *ca_file; // as written, or NULL
	char *ca_pem;	     // owned
};

struct config_registries {
	const struct value *mirrors; // object: registry or "*" -> URLs; may be NULL
	size_t n_configs;
	struct config_registry configs[CONFIG_MAX_REGISTRIES];
};
void config_registries_done(struct config_registries *registries);

// Each: @part is the value of that key, NULL or null when absent; texts are borrowed from it.
// -EINVAL with the diag.
int config_storage_decode(const struct value *part, const struct naming *naming,
	struct config_storage *ret, struct diag *reterr);
int config_proxy_decode(const struct value *part, struct config_proxy *ret, struct diag *reterr);
// @folder: where CA files are looked for; NULL: they are not read. Also what file_read() gave.
int config_registries_decode(const struct value *part, const char *folder,
	struct config_registries *ret, struct diag *reterr);
int config_k3s_nodes_decode(const struct value *k3s, const struct naming *naming,
	const char **ret_profile, const struct value **ret_overrides, struct diag *reterr);

// -EINVAL: "LINE:COLUMN: @what: the rule", by the place of @value (NULL: none).
int config_refuse(const struct value *value, const char *what, struct diag *reterr, const char *format, ...) PRINTF_LIKE(4, 5);
// Whether @name is a node's name by the naming of the cluster: 0 or -EINVAL, which names key @what and the place of @at.
int config_node_name_check(const struct naming *naming, const char *name, const struct value *at, const char *what,
	struct diag *reterr);

bool secret_name_valid(const char *name);
bool dns_label_valid(const char *text); // 1-63 of a-z 0-9 -, no dash at either end
