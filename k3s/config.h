// /etc/rancher/k3s/config.yaml and registries.yaml as text. Pure; the caller writes the files (0600).
// Source: docs.k3s.io "Configuration File", "Private Registry Configuration".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/flags.h"

#define K3S_CONFIG_PATH "/etc/rancher/k3s/config.yaml"
#define K3S_REGISTRIES_PATH "/etc/rancher/k3s/registries.yaml"
#define K3S_DATA "/var/lib/rancher/k3s"

struct k3s_config {
	enum k3s_role role;
	const struct k3s_settings *settings;
	const char *node_name, *node_ip;     // required
	const char *advertise_address;       // servers; NULL: node_ip
	const char *const *tls_sans;         // servers; NULL-terminated or NULL
	const struct value *node_labels;     // object of strings or NULL
	const char *cluster_cidr, *service_cidr; // servers, required
	const char *server_url;              // https://HOST:6443; required unless first server, where it must be NULL
	const char *token_file;              // servers: the server token; workers: the agent token; required
	const char *agent_token_file;        // servers only, required there
	const char *resolv_conf;             // required: without it K3s falls back to 8.8.8.8
};
/* -EINVAL with a diag whose where is the key. Caller frees *ret_yaml. */
int k3s_config_render(const struct k3s_config *config, char **ret_yaml, struct diag *reterr);

struct k3s_registries {
	const char *endpoint;            // of the region, first for every registry: https://HOST:PORT, without /v2; NULL: none
	const char *username, *password; // for it; may be NULL
	const char *ca_file;             // PEM file of the region's CA; may be NULL
	// More of them; checked by the assignment's decoder.
	const struct value *mirrors; // object: registry or "*" -> list of URLs, tried after the region; may be NULL
	const struct value *configs; // object: host -> { caPem }; may be NULL
	const struct value *logins;  // object: host -> { username, password }; may be NULL
	const char *ca_folder;       // caPem of HOST stands in CA_FOLDER/HOST.pem
};
// The text holds the password: write it 0600. Caller wipes and frees.
int k3s_registries_render(const struct k3s_registries *registries, char **ret_yaml, struct diag *reterr);
