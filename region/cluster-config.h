// cluster.yaml (docs/cluster.md): the choices of one cluster, decoded and checked as a whole. What
// the region decides from them is assign.h's business. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/cidr.h"
#include "region/cluster-parts.h"
#include "region/node-network.h"

enum { CONFIG_MAX_URLS = 8, CONFIG_MAX_KEYS = 8, CONFIG_MAX_TEXTS = 16 };

struct cluster_config {
	struct naming naming;
	char name[NAME_TEXT]; // hz-fsn-rtz-prod
	const char *domain;
	size_t n_urls, n_ntp, n_tls_sans, n_signing_keys;
	const char *urls[CONFIG_MAX_URLS]; // https://host[:port]
	const char *ntp[CONFIG_MAX_TEXTS];
	const char *tls_sans[CONFIG_MAX_TEXTS];
	char *signing_keys[CONFIG_MAX_KEYS];		// PEM
	const char *signing_key_files[CONFIG_MAX_KEYS]; // as written
	struct cidr mesh, pod, service;
	bool has_lan;
	struct cidr lan;
	char lan_mac_prefix[18]; // lower case
	struct config_networks networks;
	int64_t n_servers;
	bool over_lan;
	const char *cni;		    // "bridge" or "none"
	const struct value *overrides;	    // of K3s arguments; may be NULL
	const char *k3s_profile;	    // "documented" or "hardened"
	const struct value *node_overrides; // object: node name -> K3s arguments; may be NULL
	struct config_storage storage;
	struct config_proxy proxy;
	struct config_registries registries;
	const char *bootstrap_registry; // HOST[:PORT]; NULL: this region
	const char *bootstrap_repository, *bootstrap_digest, *bootstrap_tag; // digest or tag, or neither
	int64_t bootstrap_come_back_sec; // -1: not given
	const struct value *bootstrap_variables;
	const char *payload_repository, *payload_digest; // may be NULL
	bool diskless;					 // workers without STATE get secrets
	int64_t mesh_key_give_up_sec;
	int64_t code_interval_sec, max_pending, max_pending_per_address, token_reserve_sec,
		takeover_silence_sec;
	struct value *document; // owns every borrowed text above
};
struct cluster_config *cluster_config_free(struct cluster_config *config);
DEFINE_CLEANUP(cluster_config)

/* Decode and check. Signing keys and CAs that are files are read from @folder (NULL: not read,
 * their PEM stays NULL). 0; -EINVAL with line, key, rule and value in @reterr; or what reading a
 * key file gave. */
int cluster_config_parse(const char *text, size_t n, const char *name, const char *folder,
	struct cluster_config **ret, struct diag *reterr);
// What `--cluster-config defaults` stands for: a lab cluster, as cluster.yaml text.
extern const char cluster_config_defaults[];
// Host part of an URL of the configuration, without brackets and port.
void cluster_url_host(const char *url, char *ret, size_t n_ret);
