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

/* What the profile `hardened` says otherwise, in place of the documented item of the same name; value NULL: nothing in its
 * place. max-pods and the disabled parts stay. disable-kube-proxy is no part of it: without a Cilium that replaces
 * kube-proxy no Service would work, and which CNI comes is the bootstrap's business. */
static const struct {
	const char *key, *name, *value;
} hardened[] = {
	{"kube-controller-manager-arg", "node-monitor-period", NULL}, // 5s is the default
	{"kube-controller-manager-arg", "node-monitor-grace-period", "node-monitor-grace-period=50s"},
	{"kube-apiserver-arg", "default-watch-cache-size", NULL},
	{"etcd-arg", "quota-backend-bytes", "quota-backend-bytes=2147483648"},
};

static const struct {
	const char *key, *value, *advice;
} advices[] = {
	{"kube-controller-manager-arg", "node-monitor-grace-period=20s",
		"20s is shorter than a dead connection of a kubelet takes to be noticed (45 s): a node may be NotReady for "
		"nothing and lose its pods; upstream's default is 50s since 1.32"},
	{"kube-controller-manager-arg", "node-monitor-period=5s", "5s is the default: it changes nothing"},
	{"kube-apiserver-arg", "default-watch-cache-size=50",
		"does nothing since Kubernetes 1.19; a release that removes the flag would not start with it"},
	{"etcd-arg", "quota-backend-bytes=1073741824",
		"1 GiB is half of etcd's default: the cluster becomes read-only (NOSPACE) sooner"},
	{"kubelet-arg", "max-pods=50",
		"deprecated as a flag, though it works; the pods of the system, Cilium and Flux count, too"},
};

// K3s refuses a server that says otherwise than the others ("critical configuration value mismatch between servers").
static const char *const same_keys[] = {"cluster-dns", "cluster-domain", "disable", "disable-cloud-controller",
	"disable-helm-controller", "disable-kube-proxy", "disable-network-policy", "egress-selector-mode",
	"embedded-registry", "flannel-backend", "secrets-encryption", "supervisor-metrics", NULL};

// Keys a region may set, besides the documented ones: what `k3s server` and `k3s agent` know.
static const char *const server_keys[] = {"cluster-dns", "cluster-domain", "disable", "disable-cloud-controller",
	"disable-helm-controller", "disable-kube-proxy", "disable-network-policy", "egress-selector-mode",
	"embedded-registry", "etcd-arg", "etcd-disable-snapshots", "etcd-expose-metrics", "etcd-s3",
	"etcd-s3-config-secret", "etcd-snapshot-compress", "etcd-snapshot-dir", "etcd-snapshot-retention", "etcd-snapshot-schedule-cron", "flannel-backend", "helm-job-image",
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

const char *k3s_profile_text(enum k3s_profile profile)
{
	return profile == K3S_PROFILE_HARDENED ? "hardened" : "documented";
}

int k3s_profile_parse(const char *text, enum k3s_profile *ret)
{
	if (!str_equal(text, "documented") && !str_equal(text, "hardened"))
		return -EINVAL;
	*ret = str_equal(text, "hardened") ? K3S_PROFILE_HARDENED : K3S_PROFILE_DOCUMENTED;
	return 0;
}

const char *k3s_origin_text(enum k3s_origin origin)
{
	switch (origin) {
	case K3S_ORIGIN_DOCUMENTED:
		return "documented";
	case K3S_ORIGIN_PROFILE:
		return "profile";
	case K3S_ORIGIN_REGION:
		return "region";
	case K3S_ORIGIN_NODE:
		return "node";
	}
	return "unknown";
}

const char *k3s_setting_advice(const struct k3s_setting *setting)
{
	for (size_t i = 0; i < N_ELEMENTS(advices); i++)
		if (str_equal(setting->key, advices[i].key) && str_equal(setting->value, advices[i].value))
			return advices[i].advice;
	return NULL;
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
static int settings_override(struct k3s_settings *settings, const char *key, const char *value, enum k3s_origin origin,
	struct diag *reterr)
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
	r = settings_insert(settings, at, key, value, origin);
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
	enum k3s_origin origin, struct diag *reterr)
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
			r = settings_override(settings, key, text, origin, reterr);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (!scalar_text(value))
		return diag_set(reterr, -EINVAL, key, "must be a string, a number, a bool or a list of them");
	return settings_override(settings, key, scalar_text(value), origin, reterr);
}

static int documented_lay(struct k3s_settings *settings, enum k3s_role role)
{
	for (size_t i = 0; i < N_ELEMENTS(documented); i++) {
		const struct k3s_flag *flag = &documented[i];
		int r;

		if ((flag->first_only && role != K3S_ROLE_FIRST_SERVER) ||
			(role == K3S_ROLE_WORKER && !flag->worker))
			continue;
		r = settings_insert(settings, settings->n, flag->key, flag->value, K3S_ORIGIN_DOCUMENTED);
		if (r < 0)
			return r;
	}
	return 0;
}

// Only what the role has of the documented flags is replaced.
static int hardened_lay(struct k3s_settings *settings)
{
	for (size_t h = 0; h < N_ELEMENTS(hardened); h++)
		for (size_t i = 0; i < settings->n; i++) {
			int r = 0;

			if (!str_equal(settings->items[i].key, hardened[h].key) ||
				!arg_same_name(settings->items[i].value, hardened[h].name))
				continue;
			settings_remove(settings, i);
			if (hardened[h].value)
				r = settings_insert(settings, i, hardened[h].key, hardened[h].value, K3S_ORIGIN_PROFILE);
			if (r < 0)
				return r;
			break;
		}
	return 0;
}

// Of a node alone: what all servers must say alike, and what this node cannot know, would be a mistake.
static int node_key_check(enum k3s_role role, const char *key, struct diag *reterr)
{
	int r = key_check(role, key, reterr);

	if (r < 0)
		return r;
	if (r == 0)
		return diag_set(reterr, -EINVAL, key, "is a key of servers, this node is a worker");
	if (role != K3S_ROLE_WORKER && word_in(key, same_keys))
		return diag_set(reterr, -EINVAL, key,
			"must be the same on all servers: override it for the cluster, not for one node");
	return r;
}

static int overrides_lay(struct k3s_settings *settings, enum k3s_role role, const struct value *overrides,
	enum k3s_origin origin, struct diag *reterr)
{
	if (!overrides || overrides->type == VALUE_NULL)
		return 0;
	if (overrides->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, origin == K3S_ORIGIN_NODE ? "nodeOverrides" : "overrides",
			"must be an object of K3s keys");
	for (size_t i = 0; i < overrides->n; i++) {
		int r = origin == K3S_ORIGIN_NODE ? node_key_check(role, overrides->keys[i], reterr)
						  : key_check(role, overrides->keys[i], reterr);

		if (r > 0)
			r = override_lay(settings, overrides->keys[i], &overrides->items[i], origin, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

int k3s_settings_choose(const struct k3s_choice *choice, struct k3s_settings **ret, struct diag *reterr)
{
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = calloc(1, sizeof(*settings));
	int r;

	if (!settings)
		return -ENOMEM;
	r = documented_lay(settings, choice->role);
	if (r == 0 && choice->profile == K3S_PROFILE_HARDENED)
		r = hardened_lay(settings);
	if (r == 0)
		r = overrides_lay(settings, choice->role, choice->overrides, K3S_ORIGIN_REGION, reterr);
	if (r == 0)
		r = overrides_lay(settings, choice->role, choice->node_overrides, K3S_ORIGIN_NODE, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(settings);
	return 0;
}

int k3s_settings_resolve(enum k3s_role role, const struct value *overrides, struct k3s_settings **ret,
	struct diag *reterr)
{
	return k3s_settings_choose(&(struct k3s_choice){.role = role, .overrides = overrides}, ret, reterr);
}

char *k3s_settings_overrides_text(const struct k3s_settings *settings)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	for (size_t i = 0; i < settings->n; i++)
		if (settings->items[i].origin >= K3S_ORIGIN_REGION)
			fprintf(out, "%s=%s\n", settings->items[i].key, settings->items[i].value);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
