// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "k3s/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;

	if (kubeconfig_parse((const char *)bytes, n_bytes, "fuzz", &config, NULL) < 0)
		return 0;
	// exactly one of each pair, and TLS
	if (strncmp(config->server, "https://", 8) != 0 || !config->ca_pem == !config->ca_file ||
		!config->cert_pem == !config->cert_file || !config->key_pem == !config->key_file)
		abort();
	return 0;
}
