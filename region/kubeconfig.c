// SPDX-License-Identifier: Apache-2.0
#include "region/kubeconfig.h"

#include "base/crypto.h"
#include "base/time.h"
#include "base/url.h"
#include "base/yaml.h"

#include <errno.h>

enum { MAX_NAMES = 3 * 16 + CONFIG_MAX_TEXTS + 4, NAME_SIZE = 256, MAX_STORED = 256 << 10 };
enum { SOON_SEC = 30 * 86400 };

struct names {
	size_t n;
	char texts[MAX_NAMES][NAME_SIZE];
};

static void add(struct names *names, const char *text)
{
	if (names->n < MAX_NAMES)
		(void)snprintf(names->texts[names->n++], NAME_SIZE, "%s", text);
}

static void add_address(struct names *names, int r, const struct cidr *address)
{
	char text[CIDR_TEXT];
	if (r < 0)
		return;
	cidr_format_address(address, text);
	add(names, text);
}

// As put_tls_sans() of assign.c, for every server.
static void collect(const struct cluster_config *config, struct node *const *servers,
	size_t n_servers, struct names *ret)
{
	char location[5];
	struct cidr address;
	int r = assign_api_address(config, &address);
	add_address(ret, r, &address);
	naming_location(&config->naming, location);
	AUTO_FREE char *dns = str_format("api.%s.%s", location, config->domain);
	add(ret, dns ? dns : config->domain);
	for (size_t i = 0; i < config->n_tls_sans; i++)
		add(ret, config->tls_sans[i]);
	for (size_t i = 0; i < n_servers; i++) {
		if (!servers[i]->is_server || servers[i]->state == NODE_REVOKED)
			continue;
		add(ret, servers[i]->name);
		r = assign_mesh_address(config, servers[i]->number, &address);
		add_address(ret, r, &address);
		r = assign_lan_address(config, servers[i]->number, &address);
		add_address(ret, r, &address);
	}
}

static bool is_loopback(const char *host)
{
	return str_equal(host, "127.0.0.1") || str_equal(host, "localhost");
}

static int refuse_name(const struct names *names, const char *host, struct diag *reterr)
{
	char list[600] = "";
	size_t n = 0;
	for (size_t i = 0; i < names->n && n < sizeof(list); i++)
		n += (size_t)snprintf(
			list + n, sizeof(list) - n, "%s%s", i ? ", " : "", names->texts[i]);
	return diag_set(reterr, -EINVAL, "server",
		"must be a name of the API server's certificate (more of them: k3s.tlsSan in "
		"cluster.yaml), which has %s, not \"%s\"",
		list, host);
}

int kubeconfig_server(const struct cluster_config *config, struct node *const *servers,
	size_t n_servers, const char *wanted, char ret[static KUBECONFIG_URL], struct diag *reterr)
{
	AUTO_FREE struct names *names = calloc(1, sizeof(*names));
	char host[280];
	if (!names)
		return -ENOMEM;
	collect(config, servers, n_servers, names);
	if (!wanted) {
		(void)snprintf(ret, KUBECONFIG_URL,
			strchr(names->texts[0], ':') ? "https://[%s]:%d" : "https://%s:%d",
			names->texts[0], API_PORT);
		return 0;
	}
	const char *rest = str_starts(wanted, "https://") ? wanted + strlen("https://") : wanted;
	if (!url_host_port_valid(rest, strlen(rest)))
		return diag_set(reterr, -EINVAL, "server",
			"must be HOST[:PORT] or https://HOST[:PORT], not \"%s\"", wanted);
	cluster_url_host(rest, host, sizeof(host));
	bool known = is_loopback(host);
	for (size_t i = 0; i < names->n && !known; i++)
		known = strcasecmp(names->texts[i], host) == 0;
	if (!known)
		return refuse_name(names, host, reterr);
	const char *end = *rest == '[' ? strchr(rest, ']') : rest;
	(void)snprintf(ret, KUBECONFIG_URL,
		end && strchr(end, ':') ? "https://%s" : "https://%s:%d", rest, API_PORT);
	return 0;
}

// ---- the file

static void wipe(struct value *value)
{
	if (value->text)
		crypto_wipe(value->text, strlen(value->text));
	for (size_t i = 0; i < value->n; i++)
		wipe(&value->items[i]);
}

// Member @member of the first entry of list @list.
static const struct value *first(const struct value *document, const char *list, const char *member)
{
	const struct value *entries = value_find(document, list);
	return entries && entries->type == VALUE_ARRAY && entries->n
		       ? value_find(&entries->items[0], member)
		       : NULL;
}

// Base64 or a token: it becomes a plain scalar of our file.
static const char *plain(const struct value *object, const char *key)
{
	const char *text = value_text(value_find(object, key));
	return text && *text &&
			       !text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=._:-")]
		       ? text
		       : NULL;
}

static int print(const struct value *document, const char *name, const char *server, FILE *f,
	struct diag *reterr)
{
	const struct value *user = first(document, "users", "user");
	const char *ca = plain(
			   first(document, "clusters", "cluster"), "certificate-authority-data"),
		   *certificate = plain(user, "client-certificate-data"),
		   *key = plain(user, "client-key-data"), *token = plain(user, "token");
	if (!ca || ((!certificate || !key) && !token))
		return diag_set(reterr, -EBADMSG, name,
			"what was handed over is no kubeconfig with a CA and the "
			"credentials of a client");
	fprintf(f,
		"apiVersion: v1\nkind: Config\nclusters:\n- name: %s\n  cluster:\n    server: %s\n"
		"    certificate-authority-data: %s\nusers:\n- name: %s-admin\n  user:\n",
		name, server, ca, name);
	if (certificate && key)
		fprintf(f, "    client-certificate-data: %s\n    client-key-data: %s\n",
			certificate, key);
	else
		fprintf(f, "    token: %s\n", token);
	fprintf(f,
		"contexts:\n- name: %s\n  context:\n    cluster: %s\n    user: %s-admin\n"
		"current-context: %s\n",
		name, name, name, name);
	return 0;
}

int kubeconfig_make(
	const char *stored, const char *name, const char *server, char **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	char *text = NULL;
	size_t n = 0;
	if (yaml_parse(stored, strlen(stored), MAX_STORED, "kubeconfig", &document, NULL) < 0)
		return diag_set(reterr, -EBADMSG, name, "what was handed over is no kubeconfig");
	FILE *f = open_memstream(&text, &n);
	int r = f ? print(document, name, server, f, reterr) : -ENOMEM;
	wipe(document);
	if (f && fclose(f) != 0 && r >= 0)
		r = -ENOMEM;
	if (r < 0) {
		free(text);
		return r;
	}
	*ret = text;
	return 0;
}

static int certificate_end(const struct value *document, int64_t *ret_sec)
{
	const char *base64 = plain(first(document, "users", "user"), "client-certificate-data");
	CLEANUP(cert_facts_done) struct cert_facts facts = { 0 };
	AUTO_FREE uint8_t *bytes = NULL;
	size_t n = 0;
	int r = base64 ? base64_decode(base64, &bytes, &n) : -ENOENT;
	if (r < 0)
		return r;
	AUTO_FREE char *pem = strndup((const char *)bytes, n);
	if (!pem)
		return -ENOMEM;
	r = cert_facts_from_pem(pem, &facts, NULL);
	if (r >= 0)
		*ret_sec = facts.not_after_sec;
	return r;
}

// 0; negative: there is none that can be read (a token has no end that we know of).
static int stored_end(const char *stored, int64_t *ret_sec)
{
	CLEANUP(value_freep) struct value *document = NULL;
	if (yaml_parse(stored, strlen(stored), MAX_STORED, "kubeconfig", &document, NULL) < 0)
		return -EBADMSG;
	int r = certificate_end(document, ret_sec);
	wipe(document);
	return r;
}

static bool is_ca(const char *base64, const char *ca_pem)
{
	AUTO_FREE uint8_t *bytes = NULL;
	size_t n = 0, n_pem = strlen(ca_pem);
	if (!base64 || base64_decode(base64, &bytes, &n) < 0)
		return false;
	while (n && bytes[n - 1] == '\n')
		n--;
	while (n_pem && ca_pem[n_pem - 1] == '\n')
		n_pem--;
	return n == n_pem && memcmp(bytes, ca_pem, n) == 0;
}

static int check(const struct value *document, const char *ca_pem, int64_t now_sec,
	struct diag *reterr)
{
	int64_t end_sec;
	if (!is_ca(plain(first(document, "clusters", "cluster"), "certificate-authority-data"),
		    ca_pem))
		return diag_set(reterr, -EINVAL, "kubeconfig",
			"its certificate-authority-data must be caCert");
	if (!plain(first(document, "users", "user"), "client-key-data") ||
		certificate_end(document, &end_sec) < 0)
		return diag_set(reterr, -EINVAL, "kubeconfig",
			"must have a client's certificate and key");
	if (end_sec - now_sec > KUBECONFIG_MAX_SEC)
		return diag_set(reterr, -EINVAL, "kubeconfig",
			"its client certificate must end within two years");
	return 0;
}

int kubeconfig_check(const char *given, const char *ca_pem, int64_t now_sec, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	if (yaml_parse(given, strlen(given), MAX_STORED, "kubeconfig", &document, NULL) < 0)
		return diag_set(reterr, -EINVAL, "kubeconfig", "must be a kubeconfig");
	int r = check(document, ca_pem, now_sec, reterr);
	wipe(document);
	return r;
}

bool kubeconfig_ends_soon(const char *stored, int64_t now_sec)
{
	int64_t end_sec;
	return stored_end(stored, &end_sec) < 0 || end_sec - now_sec <= SOON_SEC;
}

bool kubeconfig_is_newer(const char *given, const char *stored)
{
	int64_t given_sec, stored_sec;
	return stored_end(stored, &stored_sec) < 0 ||
	       (stored_end(given, &given_sec) >= 0 && given_sec > stored_sec);
}

char *kubeconfig_warning(const char *stored, int64_t now_sec)
{
	int64_t end_sec;
	char when[32];
	if (stored_end(stored, &end_sec) < 0 || end_sec - now_sec > SOON_SEC)
		return NULL;
	return str_format(
		"its client certificate %s on %s; a Ready server hands over a new one by itself "
		"when it has one that lasts longer: K3s makes it when it starts: "
		"hearth-region rollout start --restart",
		end_sec <= now_sec ? "ended" : "ends", time_format_utc(end_sec, when));
}
