// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment-k3s.h"
#include "agent/assignment-read.h"
#include "k3s/restore.h"
#include "k3s/snapshots.h"
#include <errno.h>

enum { REGISTRIES_MAX = 64, REGISTRY_ENDPOINTS_MAX = 16 };

static int decode_server(const struct value *item, struct assignment_server *ret, struct diag *reterr)
{
	int r = item->type == VALUE_OBJECT ? 0 : diag_set(reterr, -EINVAL, "k3s.servers", "must be objects");
	if (r < 0 || (r = read_text(item, "name", true, &ret->name, reterr)) < 0 ||
		(r = read_text(item, "address", true, &ret->address, reterr)) < 0) {
		return r;
	}
	r = read_check_node_name(ret->name, "k3s.servers", reterr);
	return r < 0 ? r : read_check_address(ret->address, "k3s.servers", reterr);
}

int assignment_decode_servers(struct assignment *a, const struct value *k3s, struct diag *reterr)
{
	const struct value *list = NULL, *restart = value_find(k3s, "restart"), *tokens = value_find(k3s, "tokens");
	const char *profile = NULL;
	int r = read_list(k3s, "servers", ASSIGNMENT_MAX_SERVERS, &list, reterr);
	for (size_t i = 0; r == 0 && list && i < list->n; i++) {
		r = decode_server(&list->items[i], &a->servers[i], reterr);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (str_equal(a->servers[i].name, a->servers[j].name) || str_equal(a->servers[i].address, a->servers[j].address))
				r = diag_set(reterr, -EINVAL, "k3s.servers", "each name and address stands there once, not \"%s\" again",
					a->servers[i].name);
		a->n_servers += r == 0;
	}
	if (r < 0 || (r = read_text(k3s, "profile", false, &profile, reterr)) < 0 ||
		(r = read_object(k3s, "nodeOverrides", &a->node_overrides, reterr)) < 0)
		return r;
	if (profile && k3s_profile_parse(profile, &a->k3s_profile) < 0)
		return diag_set(reterr, -EINVAL, "k3s.profile", "must be documented or hardened, not \"%s\"", profile);
	if (!read_is_null(tokens) && (r = value_int(tokens, "k3s.tokens", 0, INT64_MAX, &a->k3s_tokens, reterr)) < 0)
		return r;
	return read_is_null(restart) ? 0 : value_int(restart, "k3s.restart", 0, INT64_MAX, &a->k3s_restart, reterr);
}

// ---- a restore of etcd

static int read_number(const struct value *object, const char *key, const char *what, int64_t *ret, struct diag *reterr)
{
	const struct value *number = value_find(object, key);
	return read_is_null(number) ? 0 : value_int(number, what, 1, RESTORE_MAX_NUMBER, ret, reterr);
}

int assignment_decode_restore(struct assignment *a, const struct value *k3s, struct diag *reterr)
{
	const struct value *restore = NULL;
	int r = read_number(a->document, "stopK3s", "stopK3s", &a->stop_k3s, reterr);
	if (r == 0 && k3s)
		r = read_number(k3s, "rejoin", "k3s.rejoin", &a->rejoin_number, reterr);
	if (r == 0 && k3s)
		r = read_object(k3s, "restore", &restore, reterr);
	if (r < 0)
		return r;
	if ((a->stop_k3s && a->has_k3s) || ((a->stop_k3s || a->rejoin_number || restore) && !a->server) || (a->rejoin_number && restore))
		return diag_set(reterr, -EINVAL, "k3s.restore", "a server restores, rejoins or stops; a worker does none of these");
	if (!restore)
		return 0;
	if ((r = read_text(restore, "snapshot", true, &a->restore_snapshot, reterr)) < 0 ||
		(r = read_bool(restore, "begin", &a->restore_begin, reterr)) < 0 ||
		(r = value_int(value_find(restore, "n"), "k3s.restore.n", 1, RESTORE_MAX_NUMBER, &a->restore_number, reterr)) < 0)
		return r;
	if (!a->k3s_first)
		return diag_set(reterr, -EINVAL, "k3s.restore", "is for the server that the others join, and k3s.first says which");
	return snapshot_name_valid(a->restore_snapshot) ? 0 : diag_set(reterr, -EINVAL, "k3s.restore.snapshot",
		"must be the name of a snapshot's file, not \"%s\"", a->restore_snapshot);
}

static bool is_job_id(const char *text)
{
	return str_starts(text, "j-") && strlen(text) == 18 && !text[2 + strspn(text + 2, "0123456789abcdef")];
}

static int decode_job(const struct value *item, struct assignment_job *ret, struct diag *reterr)
{
	const char *kind = NULL;
	const struct value *created = value_find(item, "createdSec");
	int r = item->type == VALUE_OBJECT ? 0 : diag_set(reterr, -EINVAL, "jobs", "must be objects");
	if (r < 0 || (r = read_text(item, "id", true, &ret->id, reterr)) < 0 ||
		(r = read_text(item, "kind", true, &kind, reterr)) < 0 ||
		(r = read_text(item, "node", true, &ret->node, reterr)) < 0 ||
		(!read_is_null(created) && (r = value_int(created, "jobs.createdSec", 0, INT64_MAX, &ret->created_sec, reterr)) < 0))
		return r;
	if (!is_job_id(ret->id))
		return diag_set(reterr, -EINVAL, "jobs.id", "must be j- and 16 hex digits, not \"%s\"", ret->id);
	if (job_kind_parse(kind, &ret->kind) < 0) {
		ret->unknown_kind = kind; // of a newer region: this job fails, the rest of the assignment holds
		return 0;
	}
	return read_check_node_name(ret->node, "jobs.node", reterr);
}

int assignment_decode_jobs(struct assignment *a, struct diag *reterr)
{
	const struct value *list = NULL;
	int r = read_list(a->document, "jobs", ASSIGNMENT_MAX_JOBS, &list, reterr);
	if (r == 0 && list && list->n && !a->server)
		return diag_set(reterr, -EINVAL, "jobs", "are a server's, this node is a worker");
	for (size_t i = 0; r == 0 && list && i < list->n; i++) {
		r = decode_job(&list->items[i], &a->jobs[i], reterr);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (str_equal(a->jobs[i].id, a->jobs[j].id))
				r = diag_set(reterr, -EINVAL, "jobs.id", "each stands there once, not \"%s\" again", a->jobs[i].id);
		a->n_jobs += r == 0;
	}
	return r;
}

// --- registries: they become keys and values of registries.yaml ---

static bool is_registry_host(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");
	return n > 0 && n <= 253 && !text[n];
}

static bool is_plain(const char *text) // no white space, no control characters, no quotes
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || *c == '"' || *c == '\\')
			return false;
	return *text != '\0';
}

static bool is_url(const char *text)
{
	const char *host = strstr(text, "://");
	return (str_starts(text, "https://") || str_starts(text, "http://")) && host[3] && host[3] != '/' && is_plain(text);
}

static int check_mirror(const char *name, const struct value *endpoints, struct diag *reterr)
{
	if (!str_equal(name, "*") && !is_registry_host(name))
		return diag_set(reterr, -EINVAL, "registries.mirrors", "must be named by registry hosts or \"*\", not \"%s\"", name);
	if (endpoints->type != VALUE_ARRAY || endpoints->n == 0 || endpoints->n > REGISTRY_ENDPOINTS_MAX)
		return diag_set(reterr, -EINVAL, "registries.mirrors", "%s must be a list of 1-%d URLs", name, REGISTRY_ENDPOINTS_MAX);
	for (size_t i = 0; i < endpoints->n; i++) {
		const char *url = value_text(&endpoints->items[i]);
		if (!url || !is_url(url))
			return diag_set(reterr, -EINVAL, "registries.mirrors", "%s must be https:// or http:// URLs, not \"%s\"", name,
				url ? url : "another type");
	}
	return 0;
}

static int check_config(const char *host, const struct value *config, struct diag *reterr)
{
	const char *ca = NULL, *secret = NULL;
	int r = 0;
	if (!is_registry_host(host))
		return diag_set(reterr, -EINVAL, "registries.configs", "must be named by registry hosts, not \"%s\"", host);
	if (config->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "registries.configs", "%s must be an object", host);
	if ((r = read_text(config, "caPem", false, &ca, reterr)) < 0 || (r = read_text(config, "secret", false, &secret, reterr)) < 0)
		return r;
	if (ca && !str_starts(ca, "-----BEGIN CERTIFICATE-----"))
		return diag_set(reterr, -EINVAL, "registries.configs", "caPem of %s must be certificates in PEM", host);
	return 0;
}

int assignment_decode_bootstrap_registry(struct assignment *a, const struct value *bootstrap, struct diag *reterr)
{
	int r = read_text(bootstrap, "registry", false, &a->bootstrap_registry, reterr);
	if (r == 0 && a->bootstrap_registry && !is_registry_host(a->bootstrap_registry))
		return diag_set(reterr, -EINVAL, "bootstrap.registry", "must be HOST or HOST:PORT, not \"%s\"", a->bootstrap_registry);
	return r;
}

int assignment_decode_registries(struct assignment *a, struct diag *reterr)
{
	const struct value *registries = NULL;
	int r = read_object(a->document, "registries", &registries, reterr);
	if (r < 0 || !registries)
		return r;
	if ((r = read_object(registries, "mirrors", &a->registry_mirrors, reterr)) < 0 ||
		(r = read_object(registries, "configs", &a->registry_configs, reterr)) < 0)
		return r;
	const struct value *mirrors = a->registry_mirrors, *configs = a->registry_configs;
	if ((mirrors && mirrors->n > REGISTRIES_MAX) || (configs && configs->n > REGISTRIES_MAX))
		return diag_set(reterr, -EINVAL, "registries", "must name at most %d mirrors and configs", REGISTRIES_MAX);
	for (size_t i = 0; r == 0 && mirrors && i < mirrors->n; i++)
		r = check_mirror(mirrors->keys[i], &mirrors->items[i], reterr);
	for (size_t i = 0; r == 0 && configs && i < configs->n; i++)
		r = check_config(configs->keys[i], &configs->items[i], reterr);
	return r;
}

// --- proxy: it becomes lines of an environment file ---

static int check_proxy(const char *url, const char *key, struct diag *reterr)
{
	// '%' and '$' mean something to systemd or a shell that reads the file
	if (url && (!is_url(url) || strpbrk(url, "'`$")))
		return diag_set(reterr, -EINVAL, key, "must be http://HOST:PORT or https://HOST:PORT (it is not shown here)");
	return 0;
}

int assignment_decode_proxy(struct assignment *a, struct diag *reterr)
{
	const struct value *proxy = NULL;
	int r = read_object(a->document, "proxy", &proxy, reterr);
	if (r < 0 || !proxy)
		return r;
	if ((r = read_text(proxy, "http", false, &a->proxy_http, reterr)) < 0 ||
		(r = read_text(proxy, "https", false, &a->proxy_https, reterr)) < 0 ||
		(r = read_text(proxy, "no", false, &a->proxy_no, reterr)) < 0 ||
		(r = check_proxy(a->proxy_http, "proxy.http", reterr)) < 0 ||
		(r = check_proxy(a->proxy_https, "proxy.https", reterr)) < 0)
		return r;
	if (a->proxy_no && (!is_plain(a->proxy_no) || strpbrk(a->proxy_no, "'`$")))
		return diag_set(reterr, -EINVAL, "proxy.no", "must be names and ranges with commas between, not \"%s\"", a->proxy_no);
	return 0;
}
