// Administrators and the site: tokens, seeds, kubeconfig, secrets, the bootstrap, the audit log.
// SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include "base/oci.h"
#include "base/time.h"
#include "region/kubeconfig.h"
#include "region/registry-secret.h"
#include "region/token.h"

#include <errno.h>

enum { DEFAULT_TOKEN_SEC = 86400, MAX_TOKEN_SEC = 366 * 86400, MAX_SECRET = 64 << 10 };

int token_make(struct region *region, const char *actor, const char *role, const char *node,
	int64_t count, int64_t ttl_sec, char ret[static 64], struct diag *reterr)
{
	char text[TOKEN_TEXT], when[32];
	struct token token = { .count = count, .created_sec = region_now_sec(region) };
	if (node[0] && naming_node_number(&region->config->naming, node) == 0)
		return diag_set(reterr, -EINVAL, "node",
			"must be a node name of cluster %s, not \"%s\"", region->config->name,
			node);
	token_generate(text);
	token_hash(text, token.hash);
	token.expires_sec = token.created_sec + ttl_sec;
	(void)snprintf(token.cluster, sizeof(token.cluster), "%s", region->config->name);
	(void)snprintf(token.role, sizeof(token.role), "%s", role);
	(void)snprintf(token.node, sizeof(token.node), "%s", node);
	int r = store_token_put(region->store, &token);
	if (r < 0)
		return r;
	(void)snprintf(ret, 64, "%s", text);
	crypto_wipe(text, sizeof(text));
	region_audit(region, actor, "token", token.cluster, "role %s, %lld use(s), until %s%s%s",
		role, (long long)count, time_format_utc(token.expires_sec, when),
		node[0] ? ", for " : "", node);
	return 0;
}

static int optional_int(const struct value *args, const char *key, int64_t fallback, int64_t min,
	int64_t max, int64_t *ret, struct diag *reterr)
{
	const struct value *value = value_find(args, key);
	*ret = fallback;
	return value ? value_int(value, key, min, max, ret, reterr) : 0;
}

int admin_token(const struct admin_request *request, struct diag *reterr)
{
	const char *role = value_text(value_find(request->args, "role")),
		   *node = value_text(value_find(request->args, "node"));
	int64_t count, ttl_sec;
	char text[64];
	int r = optional_int(request->args, "count", 1, 1, 10000, &count, reterr);
	if (r < 0 || (r = optional_int(request->args, "ttlSec", DEFAULT_TOKEN_SEC, 1, MAX_TOKEN_SEC,
			      &ttl_sec, reterr)) < 0)
		return r;
	role = role ? role : "worker";
	if (!str_equal(role, "server") && !str_equal(role, "worker"))
		return diag_set(
			reterr, -EINVAL, "role", "must be server or worker, not \"%s\"", role);
	if (node && count != 1)
		return diag_set(reterr, -EINVAL, "count", "a token bound to one node has one use");
	if ((r = token_make(request->region, request->actor, role, node ? node : "", count, ttl_sec,
		     text, reterr)) < 0)
		return r;
	json_out_member(request->out, "token", text);
	crypto_wipe(text, sizeof(text));
	return 0;
}

static bool has_san_for(const struct region *region, const char *url)
{
	char host[300], own[300];
	cluster_url_host(url, host, sizeof(host));
	if (str_equal(host, "127.0.0.1") || str_equal(host, "localhost"))
		return true;
	for (size_t i = 0; i < region->config->n_urls; i++) {
		cluster_url_host(region->config->urls[i], own, sizeof(own));
		if (strcasecmp(host, own) == 0)
			return true;
	}
	return false;
}

static void put_line(FILE *f, const char *key, const char *text)
{
	fprintf(f, "  %s: \"%s\"\n", key, text);
}

static void put_signing_keys(FILE *f, const struct cluster_config *config)
{
	if (config->n_signing_keys == 0)
		return;
	fputs("  signingKeys:\n", f);
	for (size_t i = 0; i < config->n_signing_keys; i++) {
		fputs("    - |\n", f);
		for (const char *line = config->signing_keys[i]; line && *line;) {
			int n = (int)strcspn(line, "\n");
			fprintf(f, "      %.*s\n", n, line);
			line += n + (line[n] == '\n');
		}
	}
}

int seed_text(const struct region *region, const struct value *urls, const char *token, char **ret,
	struct diag *reterr)
{
	const struct cluster_config *config = region->config;
	char *text = NULL;
	size_t n = 0, n_urls = urls ? urls->n : config->n_urls;
	for (size_t i = 0; urls && i < urls->n; i++) {
		const char *url = value_text(&urls->items[i]);
		char shown[VALUE_SHOWN_TEXT];
		if (!url || !str_starts(url, "https://") || strpbrk(url, "\"\\\n"))
			return diag_set(reterr, -EINVAL, "url",
				"must be https://HOST[:PORT], not %s", value_shown(&urls->items[i], shown));
		if (!has_san_for(region, url))
			return diag_set(reterr, -EINVAL, "url",
				"the region's certificate does not cover \"%s\": add it to urls in "
				"cluster.yaml and start the region again",
				url);
	}
	FILE *f = open_memstream(&text, &n);
	if (!f)
		return -ENOMEM;
	fputs("# Seed of a Hearth node (docs/seed.md)\nversion: 1\nregion:\n  urls:\n", f);
	for (size_t i = 0; i < n_urls; i++)
		fprintf(f, "    - \"%s\"\n", urls ? value_text(&urls->items[i]) : config->urls[i]);
	fprintf(f, "  pins:\n    - \"%s\"\n", region->ca_pin);
	if (token)
		put_line(f, "token", token);
	put_signing_keys(f, config);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

int admin_seed(const struct admin_request *request, struct diag *reterr)
{
	const struct value *urls = value_find(request->args, "urls"),
			   *with = value_find(request->args, "withToken");
	const char *role = value_text(value_find(request->args, "role"));
	CLEANUP(secret_text_free) char *text = NULL;
	char token[64] = "";
	int r = 0;
	if (with && with->type == VALUE_BOOL && with->boolean)
		r = token_make(request->region, request->actor, role ? role : "server", "", 1,
			DEFAULT_TOKEN_SEC, token, reterr);
	if (r >= 0)
		r = seed_text(request->region, urls && urls->n ? urls : NULL,
			token[0] ? token : NULL, &text, reterr);
	crypto_wipe(token, sizeof(token));
	if (r >= 0)
		json_out_member(request->out, "seed", text);
	return r;
}

static int choose_server(const struct region *region, const char *wanted,
	char ret[static KUBECONFIG_URL], struct diag *reterr)
{
	struct node **nodes;
	size_t n;
	int r = store_node_list(region->store, &nodes, &n);
	if (r < 0)
		return r;
	r = kubeconfig_server(region->config, nodes, n, wanted, ret, reterr);
	node_list_free(nodes, n);
	return r;
}

int admin_kubeconfig(const struct admin_request *request, struct diag *reterr)
{
	const char *name, *server = value_text(value_find(request->args, "server"));
	CLEANUP(secret_text_free) char *stored = NULL, *text = NULL;
	char url[KUBECONFIG_URL];
	int r = value_string(value_find(request->args, "cluster"), "cluster", &name, reterr);
	if (r < 0)
		return r;
	if (!str_equal(name, request->region->config->name))
		return diag_set(reterr, -ENOENT, name, "is no cluster of this region; it has %s",
			request->region->config->name);
	if ((r = choose_server(request->region, server, url, reterr)) < 0)
		return r;
	r = region_secret_get(request->region, "kubeconfig", &stored);
	if (r == -ENOENT)
		return diag_set(
			reterr, r, name, "the first server has not handed over the cluster yet");
	if (r < 0 || (r = kubeconfig_make(stored, name, url, &text, reterr)) < 0)
		return r;
	AUTO_FREE char *warning = kubeconfig_warning(stored, region_now_sec(request->region));
	json_out_member(request->out, "kubeconfig", text);
	if (warning)
		json_out_member(request->out, "warning", warning);
	region_audit(request->region, request->actor, "kubeconfig", name, "given out for %s", url);
	return 0;
}

int admin_secret_set(const struct admin_request *request, struct diag *reterr)
{
	const char *name, *text;
	char stored_name[80];
	int r = value_string(value_find(request->args, "name"), "name", &name, reterr);
	if (r < 0 ||
		(r = value_string(value_find(request->args, "value"), "value", &text, reterr)) < 0)
		return r;
	if (!secret_name_valid(name))
		return diag_set(reterr, -EINVAL, "name",
			"must be 1-63 of letters, digits, dash, dot, underscore, not \"%s\"", name);
	if (strlen(text) > MAX_SECRET)
		return diag_set(reterr, -E2BIG, name, "a secret is at most %d bytes", MAX_SECRET);
	if ((r = registry_secret_check(request->region->config, name, text, reterr)) < 0 ||
		(r = user_secrets_check(request->region, name, text, reterr)) < 0)
		return r;
	(void)snprintf(stored_name, sizeof(stored_name), "user/%s", name);
	if ((r = region_secret_put(request->region, stored_name, text)) < 0)
		return r;
	region_audit(
		request->region, request->actor, "secret set", name, "%zu bytes", strlen(text));
	json_out_member(request->out, "secret", name);
	return 0;
}

int admin_bootstrap_set(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	const char *digest;
	int r = value_string(value_find(request->args, "digest"), "digest", &digest, reterr);
	if (r < 0)
		return r;
	bool none = str_equal(digest, "none");
	if (!none && !oci_digest_valid(digest))
		return diag_set(reterr, -EINVAL, "digest",
			"must be sha256: and 64 hex digits, or none, not \"%s\"", digest);
	if ((r = region_cluster(request->region, &cluster)) < 0)
		return r;
	(void)snprintf(cluster->bootstrap_digest, sizeof(cluster->bootstrap_digest), "%s", none ? "" : digest);
	if ((r = store_cluster_put(request->region->store, cluster)) < 0)
		return r;
	region_wake(request->region, "cluster");
	region_audit(request->region, request->actor, "bootstrap set", cluster->name, "%s", digest);
	json_out_member(request->out, "bootstrap", digest);
	return 0;
}

int admin_audit(const struct admin_request *request, struct diag *reterr)
{
	struct audit **entries;
	int64_t max;
	size_t n;
	char when[32];
	int r = optional_int(request->args, "max", 100, 1, 100000, &max, reterr);
	if (r < 0 || (r = store_audit_list(request->region->store, max, &entries, &n)) < 0)
		return r;
	json_out_key(request->out, "audit");
	json_out_array_begin(request->out);
	for (size_t i = n; i-- > 0;) {
		json_out_object_begin(request->out);
		json_out_member(request->out, "time", time_format_utc(entries[i]->time_sec, when));
		json_out_member(request->out, "actor", entries[i]->actor);
		json_out_member(request->out, "action", entries[i]->action);
		json_out_member(request->out, "subject", entries[i]->subject);
		json_out_member(request->out, "detail", entries[i]->detail);
		json_out_object_end(request->out);
	}
	json_out_array_end(request->out);
	audit_list_free(entries, n);
	return 0;
}
