// A kubeconfig: the current context's server, CA, client certificate and key, as data or as files beside it.
// Source: kubernetes.io "Organizing Cluster Access Using kubeconfig Files"; client-go tools/clientcmd/api/v1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

#define K3S_ADMIN_KUBECONFIG "/etc/rancher/k3s/k3s.yaml"
#define K3S_KUBELET_KUBECONFIG "/var/lib/rancher/k3s/agent/kubelet.kubeconfig"

enum { KUBECONFIG_MAX_BYTES = 1 << 20 };

struct kubeconfig {
	char *server; // https://...
	char *ca_pem, *ca_file;
	char *cert_pem, *cert_file;
	char *key_pem, *key_file; // wiped when freed
};
struct kubeconfig *kubeconfig_free(struct kubeconfig *kubeconfig);
DEFINE_CLEANUP(kubeconfig)
/* Parse. Of each pair exactly one is set: *_pem when the file carried base64 data, *_file when it named a file.
 * Tokens, exec plugins and insecure-skip-tls-verify are refused. */
int kubeconfig_parse(const char *text, size_t n, const char *name, struct kubeconfig **ret, struct diag *reterr);
// Parse @path and read the files it names (relative ones beside it): every *_pem is set. -ENOENT: not there yet.
int kubeconfig_load(const char *path, struct kubeconfig **ret, struct diag *reterr);
