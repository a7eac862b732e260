// The table of documented flags, the keys each role accepts, and laying overrides over them. Rendering is config.c's.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flags.h"
#include <errno.h>

#define SOURCE "PLATFORM-TECH-STACK, K3s Installation"

static const struct k3s_flag documented[] = {
	{"cluster-init", "true", false, true, false, SOURCE},
	{"disable", "traefik", true, false, false, SOURCE},
	{"disable", "servicelb", true, false, false, SOURCE},
	{"disable", "local-storage", true, false, false, SOURCE},
	{"flannel-backend", "none", false, false, false, SOURCE},
	{"disable-network-policy", "true", false, false, false, SOURCE},
	{"kube-controller-manager-arg", "node-monitor-period=5s", true, false, false, SOURCE},
	{"kube-controller-manager-arg", "node-monitor-grace-period=20s", true, false, false, SOURCE},
	{"kube-apiserver-arg", "default-watch-cache-size=50", true, false, false, SOURCE},
	{"etcd-arg", "quota-backend-bytes=1073741824", true, false, false, SOURCE},
	{"kubelet-arg", "max-pods=50", true, false, true, SOURCE},
};

// Keys a region may set, besides the documented ones: what `k3s server` and `k3s agent` know.
static const char *const server_keys[] = {"cluster-dns", "cluster-domain", "disable", "disable-cloud-controller",
	"disable-helm-controller", "disable-kube-proxy", "disable-network-policy", "egress-selector-mode",
	"embedded-registry", "etcd-arg", "etcd-disable-snapshots", "etcd-expose-metrics", "etcd-snapshot-compress",
	"etcd-snapshot-retention", "etcd-snapshot-schedule-cron", "flannel-backend", "helm-job-image",
	"kube-apiserver-arg", "kube-cloud-controller-manager-arg", "kube-controller-manager-arg",
	"kube-scheduler-arg", "secrets-encryption", "service-node-port-range", "supervisor-metrics",
	"system-default-registry", "write-kubeconfig-mode", NULL};
static const char *const agent_keys[] = {"debug", "disable-default-registry-endpoint", "enable-pprof",
	"kube-proxy-arg", "kubelet-arg", "lb-server-port", "node-external-ip", "node-taint", "nonroot-devices",
	"pause-image", "prefer-bundled-bin", "protect-kernel-defaults", "selinux", "snapshotter", "v", "vmodule",
	NULL};
static const char *const own_keys[] = {"advertise-address", "agent-token", "agent-token-file", "bind-address",
	"cluster-cidr", "cluster-init", "cluster-reset", "config", "data-dir", "https-listen-port", "node-ip",
	"node-label", "node-name", "private-registry", "resolv-conf", "server", "service-cidr", "tls-san", "token",
	"token-file", "with-node-id", "write-kubeconfig", NULL};

const char *k3s_role_text(enum k3s_role role)
{
	switch (role) {
	case K3S_ROLE_FIRST_SERVER:
		return "first server";
	case K3S_ROLE_SERVER:
		return "server";
	case K3S_ROLE_WORKER:
		return "worker";
	}
	return "unknown role";
}

const struct k3s_flag *k3s_documented_flags(size_t *ret_n)
{
	*ret_n = N_ELEMENTS(documented);
	return documented;
}

struct k3s_settings *k3s_settings_free(struct k3s_settings *settings)
{
	if (!settings)
		return NULL;
	for (size_t i = 0; i < settings->n; i++) {
		free(settings->items[i].key);
		free(settings->items[i].value);
	}
	free(settings);
	return NULL;
}

static bool word_in(const char *word, const char *const list[])
{
	for (size_t i = 0; list[i]; i++)
		if (str_equal(word, list[i]))
			return true;
	return false;
}

static bool key_is_component_arg(const char *key)
{
	size_t n = strlen(key);

	return n > 4 && str_equal(key + n - 4, "-arg");
}

static bool key_is_list(const char *key)
{
	return key_is_component_arg(key) || str_equal(key, "disable") || str_equal(key, "node-taint") ||
	       str_equal(key, "node-external-ip");
}

// "name=value" items are the same argument when their names are.
static bool arg_same_name(const char *a, const char *b)
{
	size_t n_a = strcspn(a, "="), n_b = strcspn(b, "=");

	return n_a == n_b && strncmp(a, b, n_a) == 0;
}

/* 1: @role takes the key; 0: it is a server's, and `k3s agent` would not start with it: overrides are the whole cluster's,
 * so a worker leaves it out. */
static int key_check(enum k3s_role role, const char *key, struct diag *reterr)
{
	const char *nearest;

	if (word_in(key, own_keys))
		return diag_set(reterr, -EINVAL, key, "is written by Hearth itself and cannot be overridden");
	if (word_in(key, agent_keys))
		return 1;
	if (word_in(key, server_keys))
		return role != K3S_ROLE_WORKER;
	nearest = value_nearest(key, agent_keys);
	if (!nearest)
		nearest = value_nearest(key, server_keys);
	if (nearest)
		return diag_set(reterr, -EINVAL, key, "is no key of K3s; did you mean %s?", nearest);
	return diag_set(reterr, -EINVAL, key, "is no key of K3s");
}

static int settings_insert(struct k3s_settings *settings, size_t at, const char *key, const char *value,
	enum k3s_origin origin)
{
	char *key_copy, *value_copy;

	if (settings->n == K3S_MAX_SETTINGS)
		return -E2BIG;
	key_copy = strdup(key);
	value_copy = strdup(value);
	if (!key_copy || !value_copy) {
		free(key_copy);
		free(value_copy);
		return -ENOMEM;
	}
	memmove(&settings->items[at + 1], &settings->items[at], (settings->n - at) * sizeof(settings->items[0]));
	settings->items[at] = (struct k3s_setting){
		.key = key_copy, .value = value_copy, .is_list = key_is_list(key), .origin = origin};
	settings->n++;
	return 0;
}

static void settings_remove(struct k3s_settings *settings, size_t at)
{
	free(settings->items[at].key);
	free(settings->items[at].value);
	settings->n--;
	memmove(&settings->items[at], &settings->items[at + 1], (settings->n - at) * sizeof(settings->items[0]));
}

// One overriding value: replaces the argument of its name, or goes behind the last setting of its key.
static int settings_override(struct k3s_settings *settings, const char *key, const char *value, struct diag *reterr)
{
	size_t at = settings->n;
	int r;

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return diag_set(reterr, -EINVAL, key, "must not hold control characters");
	for (size_t i = settings->n; i-- > 0;) {
		struct k3s_setting *s = &settings->items[i];

		if (!str_equal(s->key, key))
			continue;
		if (key_is_component_arg(key) && arg_same_name(s->value, value)) {
			settings_remove(settings, i);
			at = i;
			break;
		}
		if (at == settings->n)
			at = i + 1;
	}
	r = settings_insert(settings, at, key, value, K3S_ORIGIN_REGION);
	if (r == -E2BIG)
		return diag_set(reterr, r, key, "more than %d settings in all", K3S_MAX_SETTINGS);
	return r;
}

static void settings_drop_key(struct k3s_settings *settings, const char *key)
{
	for (size_t i = settings->n; i-- > 0;)
		if (str_equal(settings->items[i].key, key))
			settings_remove(settings, i);
}

static const char *scalar_text(const struct value *value)
{
	if (value->type == VALUE_STRING || value->type == VALUE_NUMBER || value->type == VALUE_BOOL)
		return value->text;
	return NULL;
}

static int override_lay(struct k3s_settings *settings, const char *key, const struct value *value,
	struct diag *reterr)
{
	if (value->type == VALUE_NULL) {
		settings_drop_key(settings, key);
		return 0;
	}
	if (!key_is_component_arg(key))
		settings_drop_key(settings, key);
	if (value->type == VALUE_ARRAY) {
		if (!key_is_list(key))
			return diag_set(reterr, -EINVAL, key, "must be one value, not a list");
		for (size_t i = 0; i < value->n; i++) {
			const char *text = scalar_text(&value->items[i]);
			int r;

			if (!text)
				return diag_set(reterr, -EINVAL, key, "item %zu must be a string", i + 1);
			r = settings_override(settings, key, text, reterr);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (!scalar_text(value))
		return diag_set(reterr, -EINVAL, key, "must be a string, a number, a bool or a list of them");
	return settings_override(settings, key, scalar_text(value), reterr);
}

int k3s_settings_resolve(enum k3s_role role, const struct value *overrides, struct k3s_settings **ret,
	struct diag *reterr)
{
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = calloc(1, sizeof(*settings));
	int r;

	if (!settings)
		return -ENOMEM;
	for (size_t i = 0; i < N_ELEMENTS(documented); i++) {
		const struct k3s_flag *flag = &documented[i];

		if ((flag->first_only && role != K3S_ROLE_FIRST_SERVER) ||
			(role == K3S_ROLE_WORKER && !flag->worker))
			continue;
		r = settings_insert(settings, settings->n, flag->key, flag->value, K3S_ORIGIN_DOCUMENTED);
		if (r < 0)
			return r;
	}
	if (overrides && overrides->type != VALUE_OBJECT && overrides->type != VALUE_NULL)
		return diag_set(reterr, -EINVAL, "overrides", "must be an object of K3s keys");
	for (size_t i = 0; overrides && overrides->type == VALUE_OBJECT && i < overrides->n; i++) {
		r = key_check(role, overrides->keys[i], reterr);
		if (r > 0)
			r = override_lay(settings, overrides->keys[i], &overrides->items[i], reterr);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(settings);
	return 0;
}

char *k3s_settings_overrides_text(const struct k3s_settings *settings)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	for (size_t i = 0; i < settings->n; i++)
		if (settings->items[i].origin == K3S_ORIGIN_REGION)
			fprintf(out, "%s=%s\n", settings->items[i].key, settings->items[i].value);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
