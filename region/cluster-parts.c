// SPDX-License-Identifier: Apache-2.0
#include "region/cluster-parts.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/url.h"

#include <errno.h>
#include <stdarg.h>

// MAX_SIZE_MIB: 16 TiB, more than any STATE.
enum {
	MAX_SIZE_MIB = 16 << 20,
	MAX_SERIAL = 63,
	MAX_CA = 64 << 10,
	MAX_CA_ALL = 256 << 10 /* an assignment is at most 1 MiB */
};

int config_refuse(
	const struct value *value, const char *what, struct diag *reterr, const char *format, ...)
{
	char where[32], rule[512];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(rule, sizeof(rule), format, arguments); // a longer one is cut
	va_end(arguments);
	(void)snprintf(where, sizeof(where), "%u:%u", value ? value->line : 0,
		value ? value->column : 0); // always fits
	return diag_set(reterr, -EINVAL, value ? where : "", "%s: %s", what, rule);
}

static bool is_absent(const struct value *value)
{
	return !value || value->type == VALUE_NULL;
}

bool dns_label_valid(const char *text)
{
	size_t n = strlen(text);
	return n > 0 && n <= 63 && text[0] != '-' && text[n - 1] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

bool secret_name_valid(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= SECRET_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       n;
}

static int optional_text(const struct value *object, const char *key, const char *what,
	const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	return is_absent(value) ? 0 : value_string(value, what, ret, reterr);
}

int config_node_name_check(const struct naming *naming, const char *name, const struct value *at,
	const char *what, struct diag *reterr)
{
	char example[NAME_TEXT];
	if (naming_node_number(naming, name) > 0)
		return 0;
	naming_node(naming, 1, example);
	return config_refuse(at, what, reterr,
		"must name nodes by the naming of this cluster, like %s, not \"%s\"", example,
		name);
}

// ---- storage

static int decode_volume(const struct value *item, const struct naming *naming,
	struct config_volume *ret, struct diag *reterr)
{
	static const char *const keys[] = { "name", "source", "sizeMiB", "serial", "node", NULL };
	const struct value *size = value_find(item, "sizeMiB"),
			   *serial = value_find(item, "serial"), *node = value_find(item, "node");
	const char *source;
	int r = value_only_keys(item, "storage.volumes", keys, reterr);
	if (r < 0 ||
		(r = value_string(value_find(item, "name"), "storage.volumes.name", &ret->name,
			 reterr)) < 0 ||
		(r = value_string(value_find(item, "source"), "storage.volumes.source", &source,
			 reterr)) < 0 ||
		(r = optional_text(item, "node", "storage.volumes.node", &ret->node, reterr)) < 0)
		return r;
	if (!dns_label_valid(ret->name) || strlen(ret->name) > VOLUME_NAME_MAX)
		return config_refuse(value_find(item, "name"), "storage.volumes.name", reterr,
			"must be a DNS label (1-%d of a-z, 0-9 and -, no - at either end), not "
			"\"%s\"",
			VOLUME_NAME_MAX, ret->name);
	if (ret->node &&
		(r = config_node_name_check(naming, ret->node, node, "storage.volumes.node", reterr)) < 0)
		return r;
	if (str_equal(source, "state")) {
		if (serial)
			return config_refuse(serial, "storage.volumes.serial", reterr,
				"belongs to source disk; a share of STATE has sizeMiB");
		return value_int(size, "storage.volumes.sizeMiB", VOLUME_MIN_MIB, MAX_SIZE_MIB,
			&ret->size_mib, reterr);
	}
	if (!str_equal(source, "disk"))
		return config_refuse(value_find(item, "source"), "storage.volumes.source", reterr,
			"must be state or disk, not \"%s\"", source);
	if (size)
		return config_refuse(size, "storage.volumes.sizeMiB", reterr,
			"belongs to source state; a disk is taken whole, by its serial");
	if ((r = value_string(serial, "storage.volumes.serial", &ret->serial, reterr)) < 0)
		return r;
	size_t n = strlen(ret->serial);
	if (n == 0 || n > MAX_SERIAL ||
		strspn(ret->serial, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.:+ ") != n)
		return config_refuse(serial, "storage.volumes.serial", reterr,
			"must be 1-%d of letters, digits, space and -_.:+, not \"%s\"", MAX_SERIAL,
			ret->serial);
	return 0;
}

// On one and the same node?
static bool meet(const struct config_volume *a, const struct config_volume *b)
{
	return !a->node || !b->node || str_equal(a->node, b->node);
}

static int check_volume_new(const struct config_storage *storage,
	const struct config_volume *volume, const struct value *item, struct diag *reterr)
{
	for (size_t i = 0; i < storage->n_volumes; i++) {
		const struct config_volume *other = &storage->volumes[i];
		if (volume->serial && str_equal(volume->serial, other->serial))
			return config_refuse(value_find(item, "serial"), "storage.volumes.serial", reterr,
				"a disk is one volume; \"%s\" is %s already", volume->serial,
				other->name);
		if (str_equal(volume->name, other->name) && meet(volume, other))
			return config_refuse(value_find(item, "name"), "storage.volumes.name", reterr,
				"stands once for a node, \"%s\" is there already", volume->name);
	}
	return 0;
}

// What the node of @volume would have to make, or every node when it names none.
static size_t n_volumes_beside(
	const struct config_storage *storage, const struct config_volume *volume)
{
	size_t n = 0;
	for (size_t i = 0; i < storage->n_volumes; i++)
		n += !storage->volumes[i].node || str_equal(storage->volumes[i].node, volume->node);
	return n;
}

static int decode_volumes(const struct value *list, const struct naming *naming,
	struct config_storage *ret, struct diag *reterr)
{
	if (list->type != VALUE_ARRAY || list->n == 0 || list->n > CONFIG_MAX_VOLUMES)
		return config_refuse(list, "storage.volumes", reterr, "must be a list of 1-%d volumes",
			CONFIG_MAX_VOLUMES);
	for (size_t i = 0; i < list->n; i++) {
		struct config_volume volume = { 0 };
		int r = decode_volume(&list->items[i], naming, &volume, reterr);
		if (r < 0 || (r = check_volume_new(ret, &volume, &list->items[i], reterr)) < 0)
			return r;
		ret->volumes[ret->n_volumes++] = volume;
	}
	for (size_t i = 0; i < ret->n_volumes; i++)
		if (n_volumes_beside(ret, &ret->volumes[i]) > CONFIG_MAX_NODE_VOLUMES)
			return config_refuse(&list->items[i], "storage.volumes", reterr,
				"one node makes at most %d, not %zu", CONFIG_MAX_NODE_VOLUMES,
				n_volumes_beside(ret, &ret->volumes[i]));
	return 0;
}

int config_storage_decode(const struct value *part, const struct naming *naming,
	struct config_storage *ret, struct diag *reterr)
{
	static const char *const keys[] = { "kind", "class", "volumes", NULL };
	const struct value *kind = value_find(part, "kind"), *class = value_find(part, "class"),
			   *volumes = value_find(part, "volumes");
	*ret = (struct config_storage){ .kind = "none", .class = "hearth-local" };
	if (is_absent(part))
		return 0;
	int r = value_only_keys(part, "storage", keys, reterr);
	if (r < 0 || (r = value_string(kind, "storage.kind", &ret->kind, reterr)) < 0 ||
		(r = optional_text(part, "class", "storage.class", &ret->class, reterr)) < 0)
		return r;
	if (!str_equal(ret->kind, "static") && !str_equal(ret->kind, "local-path") &&
		!str_equal(ret->kind, "none"))
		return config_refuse(kind, "storage.kind", reterr,
			"must be static, local-path or none, not \"%s\"", ret->kind);
	if (!dns_label_valid(ret->class))
		return config_refuse(class, "storage.class", reterr,
			"must be the name of a StorageClass (1-63 of a-z, 0-9 and -), not \"%s\"",
			ret->class);
	if (!str_equal(ret->kind, "static"))
		return is_absent(volumes)
			       ? 0
			       : config_refuse(volumes, "storage.volumes", reterr,
					 "belong to kind static, not to kind %s", ret->kind);
	if (is_absent(volumes))
		return config_refuse(part, "storage.volumes", reterr,
			"is missing; kind static needs a list of 1-%d volumes", CONFIG_MAX_VOLUMES);
	return decode_volumes(volumes, naming, ret, reterr);
}

// ---- proxy

static int check_proxy_url(
	const struct value *value, const char *what, const char *url, struct diag *reterr)
{
	if (!url)
		return 0;
	const char *host = strstr(url, "://");
	if (strchr(url, '@')) // shown without its value: it may hold a password
		return config_refuse(value, what, reterr,
			"must be http://HOST:PORT without a user and password: assignments hold "
			"no secrets");
	if (!host || (!str_starts(url, "http://") && !str_starts(url, "https://")))
		return config_refuse(value, what, reterr,
			"must be http://HOST:PORT or https://HOST:PORT, not \"%s\"", url);
	host += 3;
	size_t n = strlen(host);
	n -= n > 0 && host[n - 1] == '/';
	if (!url_host_port_valid(host, n))
		return config_refuse(value, what, reterr,
			"must be http://HOST:PORT or https://HOST:PORT, not \"%s\"", url);
	return 0;
}

int config_proxy_decode(const struct value *part, struct config_proxy *ret, struct diag *reterr)
{
	static const char *const keys[] = { "http", "https", "no", NULL };
	const struct value *no = value_find(part, "no");
	*ret = (struct config_proxy){ 0 };
	if (is_absent(part))
		return 0;
	int r = value_only_keys(part, "proxy", keys, reterr);
	if (r < 0 || (r = optional_text(part, "http", "proxy.http", &ret->http, reterr)) < 0 ||
		(r = optional_text(part, "https", "proxy.https", &ret->https, reterr)) < 0 ||
		(r = check_proxy_url(value_find(part, "http"), "proxy.http", ret->http, reterr)) <
			0 ||
		(r = check_proxy_url(
			 value_find(part, "https"), "proxy.https", ret->https, reterr)) < 0)
		return r;
	if (!ret->http && !ret->https)
		return config_refuse(part, "proxy", reterr, "needs http or https, or both");
	if (is_absent(no))
		return 0;
	if (no->type != VALUE_ARRAY || no->n > CONFIG_MAX_NO_PROXY)
		return config_refuse(no, "proxy.no", reterr, "must be a list of at most %d entries",
			CONFIG_MAX_NO_PROXY);
	for (size_t i = 0; i < no->n; i++) {
		const char *text = NULL;
		if ((r = value_string(&no->items[i], "proxy.no", &text, reterr)) < 0)
			return r;
		size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789.-:/_");
		if (n == 0 || n > 253 || text[n])
			return config_refuse(&no->items[i], "proxy.no", reterr,
				"must be names, .domains, addresses or ranges, not \"%s\"", text);
		ret->no[ret->n_no++] = text;
	}
	return 0;
}

// ---- registries

void config_registries_done(struct config_registries *registries)
{
	for (size_t i = 0; i < registries->n_configs; i++)
		free(registries->configs[i].ca_pem);
}

static bool is_registry(const char *text)
{
	return url_host_port_valid(text, strlen(text));
}

// https://HOST[:PORT][/PATH]; containerd takes a path as the mirror's own prefix.
static bool is_endpoint(const char *url)
{
	const char *host = strstr(url, "://");
	if (!host || (!str_starts(url, "https://") && !str_starts(url, "http://")))
		return false;
	host += 3;
	size_t n_host = strcspn(host, "/"), n_path = strlen(host + n_host);
	return url_host_port_valid(host, n_host) && n_path <= 200 &&
	       strspn(host + n_host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-/") == n_path;
}

static int check_mirrors(const struct value *mirrors, struct diag *reterr)
{
	if (mirrors->type != VALUE_OBJECT || mirrors->n > CONFIG_MAX_REGISTRIES)
		return config_refuse(mirrors, "registries.mirrors", reterr,
			"must map at most %d registries to lists of URLs", CONFIG_MAX_REGISTRIES);
	for (size_t i = 0; i < mirrors->n; i++) {
		const struct value *urls = &mirrors->items[i];
		if (!str_equal(mirrors->keys[i], "*") && !is_registry(mirrors->keys[i]))
			return config_refuse(urls, "registries.mirrors", reterr,
				"must name registries as HOST[:PORT] or \"*\", not \"%s\"",
				mirrors->keys[i]);
		if (urls->type != VALUE_ARRAY || urls->n == 0 || urls->n > CONFIG_MAX_ENDPOINTS)
			return config_refuse(urls, "registries.mirrors", reterr,
				"%s must be a list of 1-%d URLs", mirrors->keys[i],
				CONFIG_MAX_ENDPOINTS);
		for (size_t j = 0; j < urls->n; j++) {
			const char *url = value_text(&urls->items[j]);
			if (url && strchr(url, '@')) // without its value: see check_proxy_url()
				return config_refuse(&urls->items[j], "registries.mirrors", reterr,
					"%s: an URL holds no user and password; name a secret in "
					"registries.configs",
					mirrors->keys[i]);
			if (!url || !is_endpoint(url))
				return config_refuse(&urls->items[j], "registries.mirrors", reterr,
					"%s: must be https://HOST[:PORT][/PATH] or http://, not "
					"\"%s\"",
					mirrors->keys[i], url ? url : "another type");
		}
	}
	return 0;
}

static int read_ca(const char *folder, const struct value *at, struct config_registry *ret,
	struct diag *reterr)
{
	AUTO_FREE char *path = NULL;
	struct cert_facts facts;
	struct diag why = { 0 };
	if (str_starts(ret->ca_file, "-----BEGIN ")) {
		ret->ca_pem = strdup(ret->ca_file);
	} else if (folder) {
		path = ret->ca_file[0] == '/' ? strdup(ret->ca_file)
					      : str_format("%s/%s", folder, ret->ca_file);
		int r = path ? file_read(path, MAX_CA, &ret->ca_pem, NULL, reterr) : -ENOMEM;
		if (r < 0)
			return r;
	} else {
		return 0;
	}
	if (!ret->ca_pem)
		return -ENOMEM;
	if (!str_starts(ret->ca_pem, "-----BEGIN CERTIFICATE-----") ||
		cert_facts_from_pem(ret->ca_pem, &facts, &why) < 0)
		return config_refuse(at, "registries.configs", reterr,
			"ca of %s must be a PEM certificate or a file with one%s%s", ret->host,
			why.message[0] ? ": " : "", why.message);
	cert_facts_done(&facts);
	return 0;
}

static int decode_registry(const char *host, const struct value *config, const char *folder,
	struct config_registry *ret, struct diag *reterr)
{
	static const char *const keys[] = { "ca", "secret", NULL };
	ret->host = host;
	if (!is_registry(host))
		return config_refuse(config, "registries.configs", reterr,
			"must name registries as HOST[:PORT], not \"%s\"", host);
	int r = value_only_keys(config, "registries.configs", keys, reterr);
	if (r < 0 ||
		(r = optional_text(config, "secret", "registries.configs.secret", &ret->secret,
			 reterr)) < 0 ||
		(r = optional_text(config, "ca", "registries.configs.ca", &ret->ca_file, reterr)) <
			0)
		return r;
	if (ret->secret && !secret_name_valid(ret->secret))
		return config_refuse(value_find(config, "secret"), "registries.configs.secret", reterr,
			"must be the NAME of `hearth-region secret set NAME` (1-63 of letters, "
			"digits, dash, dot, underscore), not \"%s\"",
			ret->secret);
	return ret->ca_file ? read_ca(folder, value_find(config, "ca"), ret, reterr) : 0;
}

int config_registries_decode(const struct value *part, const char *folder,
	struct config_registries *ret, struct diag *reterr)
{
	static const char *const keys[] = { "mirrors", "configs", NULL };
	const struct value *configs = value_find(part, "configs");
	*ret = (struct config_registries){ 0 };
	if (is_absent(part))
		return 0;
	int r = value_only_keys(part, "registries", keys, reterr);
	if (r < 0)
		return r;
	if (!is_absent(value_find(part, "mirrors")))
		ret->mirrors = value_find(part, "mirrors");
	if (ret->mirrors && (r = check_mirrors(ret->mirrors, reterr)) < 0)
		return r;
	if (is_absent(configs))
		return 0;
	if (configs->type != VALUE_OBJECT || configs->n > CONFIG_MAX_REGISTRIES)
		return config_refuse(configs, "registries.configs", reterr,
			"must map at most %d registries to what they need", CONFIG_MAX_REGISTRIES);
	for (size_t i = 0, n_ca = 0; r >= 0 && i < configs->n; i++) {
		struct config_registry *registry = &ret->configs[ret->n_configs++];
		r = decode_registry(configs->keys[i], &configs->items[i], folder, registry, reterr);
		n_ca += registry->ca_pem ? strlen(registry->ca_pem) : 0;
		if (r >= 0 && n_ca > MAX_CA_ALL)
			return config_refuse(configs, "registries.configs", reterr,
				"the CAs of all registries are at most %d bytes, not %zu",
				MAX_CA_ALL, n_ca);
	}
	return r;
}

// ---- k3s

int config_k3s_nodes_decode(const struct value *k3s, const struct naming *naming,
	const char **ret_profile, const struct value **ret_overrides, struct diag *reterr)
{
	const struct value *overrides = value_find(k3s, "nodeOverrides");
	*ret_profile = "documented";
	*ret_overrides = NULL;
	int r = optional_text(k3s, "profile", "k3s.profile", ret_profile, reterr);
	if (r < 0)
		return r;
	if (!str_equal(*ret_profile, "documented") && !str_equal(*ret_profile, "hardened"))
		return config_refuse(value_find(k3s, "profile"), "k3s.profile", reterr,
			"must be documented or hardened, not \"%s\"", *ret_profile);
	if (is_absent(overrides))
		return 0;
	if (overrides->type != VALUE_OBJECT)
		return config_refuse(overrides, "k3s.nodeOverrides", reterr,
			"must map node names to K3s arguments");
	for (size_t i = 0; i < overrides->n; i++) {
		const struct value *own = &overrides->items[i];
		if ((r = config_node_name_check(
			     naming, overrides->keys[i], own, "k3s.nodeOverrides", reterr)) < 0)
			return r;
		if (own->type != VALUE_OBJECT)
			return config_refuse(own, "k3s.nodeOverrides", reterr,
				"%s must map K3s arguments to values", overrides->keys[i]);
	}
	*ret_overrides = overrides;
	return 0;
}
