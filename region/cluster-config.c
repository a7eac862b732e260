// SPDX-License-Identifier: Apache-2.0
#include "region/cluster-config.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/oci.h"
#include "base/url.h"
#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>

enum { CONFIG_MAX_BYTES = 256 << 10, CONFIG_MAX_SERVERS = 9 };

const char cluster_config_defaults[] =
	"# A lab cluster: nodes on user-mode uplinks reach the region at 10.0.2.2 (docs/cluster.md "
	"explains every key).\n"
	"provider: hetzner\n"
	"region: fsn\n"
	"buildingBlock: rtz\n"
	"envType: prod\n"
	"app: k8s\n"
	"domain: example.org\n"
	"urls: [\"https://10.0.2.2:7443\", \"https://127.0.0.1:7443\"]\n"
	"ranges: {mesh: 10.66.0.0/16, pod: 10.64.0.0/16, service: 10.65.0.0/16}\n"
	"lan: {prefix: 10.77.0.0/24, macPrefix: \"52:54:77\"}\n"
	"servers: 1\n"
	"k3s: {over: mesh, cni: bridge}\n";

struct cluster_config *cluster_config_free(struct cluster_config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_signing_keys; i++)
		free(config->signing_keys[i]);
	config_registries_done(&config->registries);
	value_free(config->document);
	free(config);
	return NULL;
}

void cluster_url_host(const char *url, char *ret, size_t n_ret)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	size_t n = *host == '[' ? strcspn(++host, "]") : strcspn(host, ":/");
	(void)snprintf(ret, n_ret, "%.*s", (int)n, host);
}

static bool is_host(const char *host)
{
	if (!*host || strlen(host) > 253)
		return false;
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-:_", *c))
			return false;
	return true;
}

static int check_url(const char *url, const char *where, struct diag *reterr)
{
	char host[300];
	if (!str_starts(url, "https://") || strlen(url) > 280)
		return diag_set(
			reterr, -EINVAL, where, "must be https://HOST[:PORT], not \"%s\"", url);
	if (url[8] == '[' && !strchr(url, ']'))
		return diag_set(
			reterr, -EINVAL, where, "an IPv6 address ends with ], not \"%s\"", url);
	cluster_url_host(url, host, sizeof(host));
	const char *rest = url + 8;
	rest += *rest == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":/");
	if (!is_host(host) || (*rest && *rest != ':'))
		return diag_set(reterr, -EINVAL, where,
			"must be https://HOST[:PORT] without a path, not \"%s\"", url);
	if (*rest == ':') {
		size_t n = strspn(rest + 1, "0123456789");
		long port = n <= 5 ? strtol(rest + 1, NULL, 10) : 0;
		if (n == 0 || rest[1 + n] || port < 1 || port > 65535)
			return diag_set(reterr, -EINVAL, where,
				"the port must be 1-65535, not \"%s\"", url);
	}
	return 0;
}

static int decode_texts(const struct value *list, const char *what, size_t max, const char **ret,
	size_t *ret_n, struct diag *reterr)
{
	if (!list)
		return 0;
	if (list->type != VALUE_ARRAY)
		return diag_set(reterr, -EINVAL, what, "must be a list");
	if (list->n > max)
		return diag_set(
			reterr, -EINVAL, what, "takes at most %zu entries, not %zu", max, list->n);
	for (size_t i = 0; i < list->n; i++) {
		int r = value_string(&list->items[i], what, &ret[i], reterr);
		if (r < 0)
			return r;
	}
	*ret_n = list->n;
	return 0;
}

static int decode_optional_text(const struct value *object, const char *key, const char *what,
	const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	return !value || value->type == VALUE_NULL ? 0 : value_string(value, what, ret, reterr);
}

static int decode_urls(struct cluster_config *config, struct diag *reterr)
{
	int r = decode_texts(value_find(config->document, "urls"), "urls", CONFIG_MAX_URLS,
		config->urls, &config->n_urls, reterr);
	if (r < 0)
		return r;
	if (config->n_urls == 0)
		return diag_set(reterr, -EINVAL, "urls",
			"must name at least one https:// address under which nodes reach the "
			"region");
	for (size_t i = 0; i < config->n_urls; i++)
		if ((r = check_url(config->urls[i], "urls", reterr)) < 0)
			return r;
	return 0;
}

static int decode_ranges(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "mesh", "pod", "service", "lan", NULL };
	struct {
		const char *key, *what, *fallback;
		struct cidr *cidr;
	} ranges[] = { { "mesh", "ranges.mesh", "10.66.0.0/16", &config->mesh },
		{ "pod", "ranges.pod", "10.64.0.0/16", &config->pod },
		{ "service", "ranges.service", "10.65.0.0/16", &config->service } };
	const struct value *object = value_find(config->document, "ranges");
	int r = object ? value_only_keys(object, "ranges", keys, reterr) : 0;
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(ranges); i++) {
		const char *text = ranges[i].fallback;
		r = decode_optional_text(object, ranges[i].key, ranges[i].what, &text, reterr);
		if (r >= 0)
			r = cidr_parse(text, ranges[i].what, true, ranges[i].cidr, reterr);
	}
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(ranges); i++)
		for (size_t j = 0; j < i; j++)
			if (cidr_overlaps(ranges[i].cidr, ranges[j].cidr))
				return diag_set(reterr, -EINVAL, ranges[i].what,
					"must not overlap %s", ranges[j].what);
	if (r >= 0 && config->mesh.length > (config->mesh.family == 2 ? 28u : 112u))
		return diag_set(reterr, -EINVAL, "ranges.mesh",
			"is too small for a cluster: at least a /28 (IPv6: /112)");
	return r;
}

static bool is_mac_prefix(const char *text)
{
	size_t n = strlen(text);
	if (n < 2 || n > 17 || n % 3 != 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

static int decode_lan(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "prefix", "macPrefix", NULL };
	const struct value *lan = value_find(config->document, "lan");
	const char *prefix = value_text(value_path(config->document, "ranges", "lan", NULL)),
		   *mac = NULL;
	if ((!lan || lan->type == VALUE_NULL) && !prefix)
		return 0;
	int r = lan ? value_only_keys(lan, "lan", keys, reterr) : 0;
	if (r < 0 || (r = decode_optional_text(lan, "prefix", "lan.prefix", &prefix, reterr)) < 0 ||
		(r = cidr_parse(prefix, "lan.prefix", true, &config->lan, reterr)) < 0 ||
		(r = value_string(value_find(lan, "macPrefix"), "lan.macPrefix", &mac, reterr)) < 0)
		return r;
	if (!is_mac_prefix(mac))
		return diag_set(reterr, -EINVAL, "lan.macPrefix",
			"must be the first bytes of a MAC like 52:54:77, not \"%s\"", mac);
	for (size_t i = 0; mac[i]; i++)
		config->lan_mac_prefix[i] = (char)tolower((unsigned char)mac[i]);
	if (cidr_overlaps(&config->lan, &config->mesh) ||
		cidr_overlaps(&config->lan, &config->pod) ||
		cidr_overlaps(&config->lan, &config->service))
		return diag_set(reterr, -EINVAL, "lan.prefix",
			"must not overlap the ranges of mesh, pods or services");
	config->has_lan = true;
	return 0;
}

static int decode_k3s(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "over", "cni", "overrides", "tlsSan", "profile",
		"nodeOverrides", NULL };
	const struct value *k3s = value_find(config->document, "k3s");
	const char *over = "mesh";
	config->cni = "none";
	config->k3s_profile = "documented";
	if (!k3s)
		return 0;
	int r = value_only_keys(k3s, "k3s", keys, reterr);
	if (r < 0 || (r = decode_optional_text(k3s, "over", "k3s.over", &over, reterr)) < 0 ||
		(r = decode_optional_text(k3s, "cni", "k3s.cni", &config->cni, reterr)) < 0 ||
		(r = decode_texts(value_find(k3s, "tlsSan"), "k3s.tlsSan", CONFIG_MAX_TEXTS,
			 config->tls_sans, &config->n_tls_sans, reterr)) < 0)
		return r;
	if (!str_equal(over, "mesh") && !str_equal(over, "lan"))
		return diag_set(
			reterr, -EINVAL, "k3s.over", "must be mesh or lan, not \"%s\"", over);
	config->over_lan = str_equal(over, "lan");
	if (config->over_lan && !config->has_lan)
		return diag_set(
			reterr, -EINVAL, "k3s.over", "lan needs lan.prefix and lan.macPrefix");
	if (!str_equal(config->cni, "bridge") && !str_equal(config->cni, "none"))
		return diag_set(reterr, -EINVAL, "k3s.cni", "must be bridge or none, not \"%s\"",
			config->cni);
	config->overrides = value_find(k3s, "overrides");
	if (config->overrides && config->overrides->type != VALUE_OBJECT)
		return diag_set(
			reterr, -EINVAL, "k3s.overrides", "must map K3s arguments to values");
	return config_k3s_nodes_decode(
		k3s, &config->naming, &config->k3s_profile, &config->node_overrides, reterr);
}

// Storage, proxy, registries.
static int decode_parts(struct cluster_config *config, const char *folder, struct diag *reterr)
{
	int r = config_storage_decode(
		value_find(config->document, "storage"), &config->naming, &config->storage, reterr);
	if (r < 0 || (r = config_proxy_decode(
			      value_find(config->document, "proxy"), &config->proxy, reterr)) < 0)
		return r;
	return config_registries_decode(
		value_find(config->document, "registries"), folder, &config->registries, reterr);
}

static int decode_artifact(const struct value *object, const char *what, const char *const keys[],
	const char **ret_repository, const char **ret_digest, struct diag *reterr)
{
	if (!object || object->type == VALUE_NULL)
		return 0;
	int r = value_only_keys(object, what, keys, reterr);
	if (r < 0 ||
		(r = value_string(value_find(object, "repository"), what, ret_repository, reterr)) <
			0 ||
		(r = decode_optional_text(object, "digest", what, ret_digest, reterr)) < 0)
		return r;
	if (!oci_name_valid(*ret_repository))
		return diag_set(reterr, -EINVAL, what,
			"repository must be an OCI name like hearth/bootstrap, not \"%s\"",
			*ret_repository);
	if (*ret_digest && !oci_digest_valid(*ret_digest))
		return diag_set(reterr, -EINVAL, what,
			"digest must be sha256: and 64 hex digits, not \"%s\"", *ret_digest);
	return 0;
}

static int decode_bootstrap_policy(
	const struct value *bootstrap, struct cluster_config *config, struct diag *reterr)
{
	const struct value *come_back = value_find(bootstrap, "comeBackSec");
	int r;
	config->bootstrap_come_back_sec = -1;
	if ((r = decode_optional_text(
		     bootstrap, "tag", "bootstrap", &config->bootstrap_tag, reterr)) < 0 ||
		(r = decode_optional_text(bootstrap, "registry", "bootstrap",
			 &config->bootstrap_registry, reterr)) < 0)
		return r;
	if (config->bootstrap_registry &&
		!url_host_port_valid(config->bootstrap_registry, strlen(config->bootstrap_registry)))
		return diag_set(reterr, -EINVAL, "bootstrap",
			"registry must be HOST or HOST:PORT, not \"%s\"", config->bootstrap_registry);
	if (config->bootstrap_tag && config->bootstrap_digest)
		return diag_set(reterr, -EINVAL, "bootstrap", "has a digest or a tag, not both");
	if (config->bootstrap_tag && !oci_tag_valid(config->bootstrap_tag))
		return diag_set(reterr, -EINVAL, "bootstrap", "tag must be an OCI tag, not \"%s\"",
			config->bootstrap_tag);
	if (!come_back)
		return 0;
	return value_int(come_back, "bootstrap.comeBackSec", 0, 7 * 24 * 3600,
		&config->bootstrap_come_back_sec, reterr);
}

static int decode_artifacts(struct cluster_config *config, struct diag *reterr)
{
	static const char *const bootstrap_keys[] = { "registry", "repository", "digest", "tag",
		"comeBackSec", "variables", NULL };
	static const char *const payload_keys[] = { "repository", "digest", NULL };
	const struct value *bootstrap = value_find(config->document, "bootstrap");
	int r = decode_artifact(bootstrap, "bootstrap", bootstrap_keys,
		&config->bootstrap_repository, &config->bootstrap_digest, reterr);
	if (r < 0 || (r = decode_artifact(value_find(config->document, "payload"), "payload",
			      payload_keys, &config->payload_repository, &config->payload_digest,
			      reterr)) < 0)
		return r;
	if ((r = decode_bootstrap_policy(bootstrap, config, reterr)) < 0)
		return r;
	config->bootstrap_variables = value_find(bootstrap, "variables");
	if (!config->bootstrap_variables)
		return 0;
	if (config->bootstrap_variables->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "bootstrap.variables", "must map names to texts");
	for (size_t i = 0; i < config->bootstrap_variables->n; i++)
		if (!value_text(&config->bootstrap_variables->items[i]))
			return diag_set(reterr, -EINVAL, "bootstrap.variables", "%s must be a text",
				config->bootstrap_variables->keys[i]);
	return 0;
}

static int decode_signing_keys(
	struct cluster_config *config, const char *folder, struct diag *reterr)
{
	int r = decode_texts(value_find(config->document, "signingKeys"), "signingKeys",
		CONFIG_MAX_KEYS, config->signing_key_files, &config->n_signing_keys, reterr);
	for (size_t i = 0; r >= 0 && i < config->n_signing_keys; i++) {
		const char *file = config->signing_key_files[i];
		AUTO_FREE char *path = NULL;
		uint8_t pin[SHA256_BYTES];
		if (str_starts(file, "-----BEGIN ")) {
			config->signing_keys[i] = strdup(file);
		} else if (folder) {
			path = file[0] == '/' ? strdup(file) : str_format("%s/%s", folder, file);
			r = path ? file_read(path, 16 << 10, &config->signing_keys[i], NULL, reterr)
				 : -ENOMEM;
		} else {
			continue;
		}
		if (r >= 0 && !config->signing_keys[i])
			r = -ENOMEM;
		if (r >= 0 && public_key_pem_pin(config->signing_keys[i], pin) < 0)
			r = diag_set(reterr, -EINVAL, "signingKeys",
				"entry %zu must be a P-256 public key (PEM) or a file with one",
				i + 1);
	}
	return r;
}

static int decode_enrolment(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "codeIntervalSec", "maxPending", "maxPendingPerAddress",
		"tokenReserveSec", "takeoverSilenceSec", "diskless", NULL };
	struct {
		const char *key;
		int64_t fallback, min, max, *ret;
	} numbers[] = { { "codeIntervalSec", 60, 0, 3600, &config->code_interval_sec },
		{ "maxPending", 20000, 1, 1000000, &config->max_pending },
		{ "maxPendingPerAddress", 2000, 1, 1000000, &config->max_pending_per_address },
		{ "tokenReserveSec", 3600, 1, 3600, &config->token_reserve_sec },
		{ "takeoverSilenceSec", 120, 0, 3600, &config->takeover_silence_sec } };
	const struct value *object = value_find(config->document, "enrolment");
	int r = object ? value_only_keys(object, "enrolment", keys, reterr) : 0;
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(numbers); i++) {
		const struct value *value = value_find(object, numbers[i].key);
		*numbers[i].ret = numbers[i].fallback;
		if (value)
			r = value_int(value, numbers[i].key, numbers[i].min, numbers[i].max,
				numbers[i].ret, reterr);
	}
	const char *diskless = "refuse";
	if (r >= 0)
		r = decode_optional_text(
			object, "diskless", "enrolment.diskless", &diskless, reterr);
	if (r >= 0 && !str_equal(diskless, "refuse") && !str_equal(diskless, "allow"))
		return diag_set(reterr, -EINVAL, "enrolment.diskless",
			"must be allow or refuse, not \"%s\"", diskless);
	config->diskless = str_equal(diskless, "allow");
	return r;
}

static int decode_mesh_keys(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "giveUpSec", NULL };
	const struct value *object = value_find(config->document, "meshKeys"), *sec = value_find(object, "giveUpSec");
	int r = object ? value_only_keys(object, "meshKeys", keys, reterr) : 0;
	config->mesh_key_give_up_sec = 600;
	return r < 0 || !sec ? r : value_int(sec, "meshKeys.giveUpSec", 1, 7 * 24 * 3600,
					     &config->mesh_key_give_up_sec, reterr);
}

// A node refuses a whole assignment with any other word: it becomes part of a line of
// configuration.
static int decode_ntp(struct cluster_config *config, struct diag *reterr)
{
	int r = decode_texts(value_find(config->document, "ntp"), "ntp", CONFIG_MAX_TEXTS,
		config->ntp, &config->n_ntp, reterr);
	for (size_t i = 0; r == 0 && i < config->n_ntp; i++)
		if (!is_host(config->ntp[i]) || strchr(config->ntp[i], '_'))
			r = diag_set(reterr, -EINVAL, "ntp",
				"must be host names or IP addresses, not \"%s\"", config->ntp[i]);
	return r;
}

static int decode_top(struct cluster_config *config, struct diag *reterr)
{
	static const char *const keys[] = { "provider", "region", "buildingBlock", "envType", "app",
		"domain", "urls", "ranges", "lan", "network", "nodeNetworks", "servers", "k3s", "bootstrap", "payload",
		"signingKeys", "ntp", "enrolment", "meshKeys", "storage", "proxy", "registries", NULL };
	if (!config->document || config->document->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "", "must be a map of keys");
	int r = value_only_keys(config->document, "cluster.yaml", keys, reterr);
	if (r < 0 || (r = naming_decode(config->document, &config->naming, reterr)) < 0 ||
		(r = value_string(value_find(config->document, "domain"), "domain", &config->domain,
			 reterr)) < 0)
		return r;
	if (!is_host(config->domain) || strchr(config->domain, ':'))
		return diag_set(reterr, -EINVAL, "domain", "must be a DNS domain, not \"%s\"",
			config->domain);
	naming_cluster(&config->naming, config->name);
	config->n_servers = 1;
	const struct value *servers = value_find(config->document, "servers");
	if (servers && (r = value_int(servers, "servers", 1, CONFIG_MAX_SERVERS, &config->n_servers,
				reterr)) < 0)
		return r;
	return decode_ntp(config, reterr);
}

int cluster_config_parse(const char *text, size_t n, const char *name, const char *folder,
	struct cluster_config **ret, struct diag *reterr)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	int r = yaml_parse(text, n, CONFIG_MAX_BYTES, name, &config->document, reterr);
	if (r < 0)
		return r;
	if ((r = decode_top(config, reterr)) < 0 || (r = decode_urls(config, reterr)) < 0 ||
		(r = decode_ranges(config, reterr)) < 0 || (r = decode_lan(config, reterr)) < 0 ||
		(r = config_networks_decode(config->document, &config->naming, &config->networks, reterr)) < 0 ||
		(r = decode_k3s(config, reterr)) < 0 ||
		(r = decode_artifacts(config, reterr)) < 0 ||
		(r = decode_signing_keys(config, folder, reterr)) < 0 ||
		(r = decode_parts(config, folder, reterr)) < 0 ||
		(r = decode_enrolment(config, reterr)) < 0 || (r = decode_mesh_keys(config, reterr)) < 0) {
		if (reterr)
			diag_prefix(reterr, name);
		return r;
	}
	*ret = TAKE_PTR(config);
	return 0;
}
