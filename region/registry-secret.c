// SPDX-License-Identifier: Apache-2.0
#include "region/registry-secret.h"

#include "base/log.h"

#include <errno.h>

static int get(struct region *region, const char *name, char **ret)
{
	char id[SECRET_NAME_MAX + 8];
	(void)snprintf(id, sizeof(id), "user/%s", name);
	return region_secret_get(region, id, ret);
}

// USER:PASSWORD in one line; the user has no colon, the password may.
static bool is_login(const char *text)
{
	const char *colon = strchr(text, ':');
	return colon && colon != text && colon[1] && !strpbrk(text, "\r\n") &&
	       strlen(text) <= LOGIN_MAX;
}

size_t secret_told_bytes(const char *text)
{
	struct json_out out = { 0 };
	CLEANUP(secret_text_free) char *told = NULL;
	json_out_string(&out, text);
	told = json_out_take(&out);
	return told ? strlen(told) : SIZE_MAX / 2; // nothing fits when memory ran out
}

// With what stands around user and password.
static size_t login_told_bytes(const char *host, const char *text)
{
	return strlen("\"\":{\"username\":,\"password\":\"\"},") + strlen(host) +
	       secret_told_bytes(text);
}

int user_secrets_check(
	struct region *region, const char *name, const char *text, struct diag *reterr)
{
	AUTO_FREE char *prefix = str_format("%s/user/", region->config->name);
	struct secret **secrets;
	size_t n, n_bytes = secret_told_bytes(text);
	int r = prefix ? store_secret_list(region->store, &secrets, &n) : -ENOMEM;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(secret_text_free) char *other = NULL;
		if (!str_starts(secrets[i]->id, prefix) ||
			str_equal(secrets[i]->id + strlen(prefix), name))
			continue;
		r = get(region, secrets[i]->id + strlen(prefix), &other);
		n_bytes += r < 0 ? 0 : secret_told_bytes(other);
	}
	secret_list_free(secrets, n);
	if (r >= 0 && n_bytes > USER_SECRETS_MAX)
		r = diag_set(reterr, -E2BIG, name,
			"all secrets of people together must be at most 512 KiB as JSON, which "
			"would be %zu bytes with this one",
			n_bytes);
	return r;
}

int registry_secrets_put(struct region *region, struct json_out *out)
{
	const struct config_registries *registries = &region->config->registries;
	size_t n_bytes = 2;
	int r = 0;
	json_out_key(out, "registries");
	json_out_object_begin(out);
	for (size_t i = 0; r >= 0 && i < registries->n_configs; i++) {
		const struct config_registry *registry = &registries->configs[i];
		CLEANUP(secret_text_free) char *text = NULL;
		if (!registry->secret)
			continue;
		r = get(region, registry->secret, &text);
		if (r == -ENOENT || (r >= 0 && !is_login(text))) {
			r = 0; // registry_secrets_warn() said so; the registry may let everybody in
			continue;
		}
		if (r < 0)
			break;
		n_bytes += login_told_bytes(registry->host, text);
		if (n_bytes > REGISTRY_LOGINS_MAX) { // no room: nodes would not keep it
			log_warning("registry %s: nodes have no login for it: all logins together "
				    "are at most 256 KiB",
				registry->host);
			n_bytes -= login_told_bytes(registry->host, text);
			continue;
		}
		char *colon = strchr(text, ':');
		*colon = '\0';
		json_out_key(out, registry->host);
		json_out_object_begin(out);
		json_out_member(out, "username", text);
		json_out_member(out, "password", colon + 1);
		json_out_object_end(out);
		*colon = ':'; // so that all of it is wiped
	}
	json_out_object_end(out);
	return r;
}

int registry_secret_check(const struct cluster_config *config, const char *name, const char *text,
	struct diag *reterr)
{
	for (size_t i = 0; i < config->registries.n_configs; i++)
		if (str_equal(config->registries.configs[i].secret, name) && !is_login(text))
			return diag_set(reterr, -EINVAL, name,
				"must be USER:PASSWORD in one line, at most 16 KiB: it is the "
				"login "
				"of registry %s",
				config->registries.configs[i].host);
	return 0;
}

void registry_secrets_warn(struct region *region)
{
	const struct config_registries *registries = &region->config->registries;
	for (size_t i = 0; i < registries->n_configs; i++) {
		CLEANUP(secret_text_free) char *text = NULL;
		const char *name = registries->configs[i].secret,
			   *host = registries->configs[i].host;
		int r = name ? get(region, name, &text) : 0;
		if (r == -ENOENT)
			log_warning("registry %s: nodes have no login for it until somebody sets "
				    "its secret: hearth-region secret set %s",
				host, name);
		else if (name && (r < 0 || !is_login(text)))
			log_warning("registry %s: secret %s is no USER:PASSWORD in one line, "
				    "at most 16 KiB; nodes have no login for it: hearth-region "
				    "secret set %s",
				host, name, name);
	}
}
