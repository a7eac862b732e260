// Parsing kubeconfigs: the current context's cluster and user, nothing else.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/kubeconfig.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/yaml.h"
#include <errno.h>

struct kubeconfig *kubeconfig_free(struct kubeconfig *kubeconfig)
{
	if (!kubeconfig)
		return NULL;
	free(kubeconfig->server);
	free(kubeconfig->ca_pem);
	free(kubeconfig->ca_file);
	free(kubeconfig->cert_pem);
	free(kubeconfig->cert_file);
	if (kubeconfig->key_pem)
		crypto_wipe(kubeconfig->key_pem, strlen(kubeconfig->key_pem));
	free(kubeconfig->key_pem);
	free(kubeconfig->key_file);
	free(kubeconfig);
	return NULL;
}

// The @what of the entry called @name in a list of { name, WHAT: {...} }.
static const struct value *entry_find(const struct value *list, const char *name, const char *what)
{
	if (!list || list->type != VALUE_ARRAY || !name)
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		if (str_equal(value_text(value_find(&list->items[i], "name")), name))
			return value_find(&list->items[i], what);
	return NULL;
}

static int pem_take(const struct value *object, const char *name, const char *key, char **ret_pem, char **ret_file,
	struct diag *reterr)
{
	char *data_key AUTO_FREE = str_format("%s-data", key);
	const char *data, *file = value_text(value_find(object, key));
	uint8_t *bytes = NULL;
	size_t n = 0;

	if (!data_key)
		return -ENOMEM;
	data = value_text(value_find(object, data_key));
	if (data && *data) {
		if (base64_decode(data, &bytes, &n) < 0)
			return diag_set(reterr, -EINVAL, name, "%s must be base64", data_key);
		// PEM text: base64_decode() gives bytes, a NUL behind them makes them a string.
		*ret_pem = memchr(bytes, '\0', n) ? NULL : strndup((const char *)bytes, n);
		crypto_wipe(bytes, n);
		free(bytes);
		if (!*ret_pem)
			return diag_set(reterr, -EINVAL, name, "%s must be PEM text", data_key);
		return 0;
	}
	if (!file || !*file)
		return diag_set(reterr, -EINVAL, name, "needs %s-data or %s", key, key);
	*ret_file = strdup(file);
	return *ret_file ? 0 : -ENOMEM;
}

int kubeconfig_parse(const char *text, size_t n, const char *name, struct kubeconfig **ret, struct diag *reterr)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = calloc(1, sizeof(*config));
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *context, *cluster, *user, *insecure;
	const char *server;
	bool skip_verify = false;
	int r;

	if (!config)
		return -ENOMEM;
	r = yaml_parse(text, n, KUBECONFIG_MAX_BYTES, name, &document, reterr);
	if (r < 0)
		return r;
	if (document->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, name, "is no kubeconfig");
	context = entry_find(value_find(document, "contexts"), value_text(value_find(document, "current-context")),
		"context");
	if (!context)
		return diag_set(reterr, -EINVAL, name, "current-context names no context");
	cluster = entry_find(value_find(document, "clusters"), value_text(value_find(context, "cluster")), "cluster");
	user = entry_find(value_find(document, "users"), value_text(value_find(context, "user")), "user");
	if (!cluster || !user)
		return diag_set(reterr, -EINVAL, name, "the current context names no cluster or no user of this file");
	insecure = value_find(cluster, "insecure-skip-tls-verify");
	if (insecure && (value_bool(insecure, "insecure-skip-tls-verify", &skip_verify, NULL) < 0 || skip_verify))
		return diag_set(reterr, -EINVAL, name, "insecure-skip-tls-verify is not accepted");
	server = value_text(value_find(cluster, "server"));
	if (!server || !str_starts(server, "https://"))
		return diag_set(reterr, -EINVAL, name, "server must be an https:// URL");
	config->server = strdup(server);
	if (!config->server)
		return -ENOMEM;
	for (size_t i = strlen(config->server); i > 0 && config->server[i - 1] == '/'; i--)
		config->server[i - 1] = '\0';
	r = pem_take(cluster, name, "certificate-authority", &config->ca_pem, &config->ca_file, reterr);
	if (r == 0)
		r = pem_take(user, name, "client-certificate", &config->cert_pem, &config->cert_file, reterr);
	if (r == 0)
		r = pem_take(user, name, "client-key", &config->key_pem, &config->key_file, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(config);
	return 0;
}

static int pem_load(const char *beside, const char *file, char **pem, struct diag *reterr)
{
	char *path AUTO_FREE = NULL;
	const char *slash = strrchr(beside, '/');

	if (*pem)
		return 0;
	if (*file == '/' || !slash)
		path = strdup(file);
	else
		path = str_format("%.*s/%s", (int)(slash - beside), beside, file);
	if (!path)
		return -ENOMEM;
	return file_read(path, KUBECONFIG_MAX_BYTES, pem, NULL, reterr);
}

int kubeconfig_load(const char *path, struct kubeconfig **ret, struct diag *reterr)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	char *text = NULL;
	size_t n = 0;
	int r = file_read(path, KUBECONFIG_MAX_BYTES, &text, &n, reterr);

	if (r < 0)
		return r;
	r = kubeconfig_parse(text, n, path, &config, reterr);
	crypto_wipe(text, n);
	free(text);
	if (r == 0)
		r = pem_load(path, config->ca_file, &config->ca_pem, reterr);
	if (r == 0)
		r = pem_load(path, config->cert_file, &config->cert_pem, reterr);
	if (r == 0)
		r = pem_load(path, config->key_file, &config->key_pem, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(config);
	return 0;
}
