// config.yaml and registries.yaml as text. What goes in is decided by flags.c and the assignment.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/config.h"
#include <arpa/inet.h>
#include <errno.h>

static int text_check(const char *key, const char *text, struct diag *reterr)
{
	if (!text || !*text)
		return diag_set(reterr, -EINVAL, key, "is required");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return diag_set(reterr, -EINVAL, key, "must not hold control characters");
	return 0;
}

// A YAML double-quoted scalar; control characters were refused before.
static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

static void member(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s: ", key);
	quote(out, text);
	fputc('\n', out);
}

static int address_check(const char *key, const char *text, struct diag *reterr)
{
	uint8_t bytes[16];
	int r = text_check(key, text, reterr);

	if (r < 0)
		return r;
	if (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
		return diag_set(reterr, -EINVAL, key, "must be an IP address, not \"%s\"", text);
	return 0;
}

static int config_check(const struct k3s_config *config, struct diag *reterr)
{
	bool server = config->role != K3S_ROLE_WORKER;
	int r = text_check("node-name", config->node_name, reterr);

	if (r == 0)
		r = address_check("node-ip", config->node_ip, reterr);
	if (r == 0)
		r = text_check("token-file", config->token_file, reterr);
	if (r == 0)
		r = text_check("resolv-conf", config->resolv_conf, reterr);
	if (r < 0)
		return r;
	if (config->role == K3S_ROLE_FIRST_SERVER && config->server_url)
		return diag_set(reterr, -EINVAL, "server", "the first server joins nobody, not \"%s\"",
			config->server_url);
	if (config->role != K3S_ROLE_FIRST_SERVER) {
		r = text_check("server", config->server_url, reterr);
		if (r < 0)
			return r;
		if (!str_starts(config->server_url, "https://"))
			return diag_set(reterr, -EINVAL, "server", "must be an https:// URL, not \"%s\"",
				config->server_url);
	}
	if (server) {
		r = text_check("cluster-cidr", config->cluster_cidr, reterr);
		if (r == 0)
			r = text_check("service-cidr", config->service_cidr, reterr);
		if (r == 0)
			r = text_check("agent-token-file", config->agent_token_file, reterr);
		if (r == 0 && config->advertise_address)
			r = address_check("advertise-address", config->advertise_address, reterr);
	} else if (config->cluster_cidr || config->service_cidr || config->agent_token_file || config->tls_sans ||
		   config->advertise_address) {
		return diag_set(reterr, -EINVAL, "worker",
			"`k3s agent` knows no cluster-cidr, service-cidr, agent-token-file, tls-san, advertise-address");
	}
	return r;
}

static int labels_render(FILE *out, const struct value *labels, struct diag *reterr)
{
	if (!labels || labels->type == VALUE_NULL || (labels->type == VALUE_OBJECT && labels->n == 0))
		return 0;
	if (labels->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "node-label", "must be an object of strings");
	fputs("node-label:\n", out);
	for (size_t i = 0; i < labels->n; i++) {
		char *item AUTO_FREE = NULL;
		const char *text = value_text(&labels->items[i]);
		int r;

		if (!text)
			return diag_set(reterr, -EINVAL, "node-label", "%s: must be a string", labels->keys[i]);
		item = str_format("%s=%s", labels->keys[i], text);
		if (!item)
			return -ENOMEM;
		r = text_check("node-label", item, reterr);
		if (r < 0)
			return r;
		fputs("  - ", out);
		quote(out, item);
		fputc('\n', out);
	}
	return 0;
}

static bool is_bool(const char *text)
{
	return str_equal(text, "true") || str_equal(text, "false");
}

static void settings_render(FILE *out, const struct k3s_settings *settings)
{
	const char *open_key = NULL;

	for (size_t i = 0; i < settings->n; i++) {
		const struct k3s_setting *s = &settings->items[i];

		if (!s->is_list) {
			fprintf(out, "%s: ", s->key);
			if (is_bool(s->value))
				fputs(s->value, out);
			else
				quote(out, s->value);
			fputc('\n', out);
			continue;
		}
		if (!str_equal(open_key, s->key))
			fprintf(out, "%s:\n", s->key);
		open_key = s->key;
		fputs("  - ", out);
		quote(out, s->value);
		fputc('\n', out);
	}
}

static int config_write(FILE *out, const struct k3s_config *config, struct diag *reterr)
{
	bool server = config->role != K3S_ROLE_WORKER;
	int r;

	fprintf(out, "# Written by hearthd from the region's assignment (%s); do not edit.\n",
		k3s_role_text(config->role));
	member(out, "server", config->server_url);
	member(out, "token-file", config->token_file);
	member(out, "node-name", config->node_name);
	member(out, "node-ip", config->node_ip);
	member(out, "resolv-conf", config->resolv_conf);
	if (server) {
		member(out, "agent-token-file", config->agent_token_file);
		member(out, "advertise-address",
			config->advertise_address ? config->advertise_address : config->node_ip);
		member(out, "cluster-cidr", config->cluster_cidr);
		member(out, "service-cidr", config->service_cidr);
	}
	if (server && config->tls_sans && config->tls_sans[0]) {
		fputs("tls-san:\n", out);
		for (size_t i = 0; config->tls_sans[i]; i++) {
			r = text_check("tls-san", config->tls_sans[i], reterr);
			if (r < 0)
				return r;
			fputs("  - ", out);
			quote(out, config->tls_sans[i]);
			fputc('\n', out);
		}
	}
	r = labels_render(out, config->node_labels, reterr);
	if (r < 0)
		return r;
	settings_render(out, config->settings);
	return 0;
}

int k3s_config_render(const struct k3s_config *config, char **ret_yaml, struct diag *reterr)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	FILE *out;
	int r = config_check(config, reterr);

	if (r < 0)
		return r;
	out = open_memstream(&text, &n);
	if (!out)
		return -ENOMEM;
	r = config_write(out, config, reterr);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	*ret_yaml = TAKE_PTR(text);
	return 0;
}

// One registry: the region first, then what @more lists.
static int mirror_write(FILE *out, const char *name, const char *endpoint, const struct value *more, struct diag *reterr)
{
	int r = text_check("mirrors", name, reterr);

	if (r < 0)
		return r;
	fputs("  ", out);
	quote(out, name);
	fputs(":\n    endpoint:\n", out);
	if (endpoint) {
		fputs("      - ", out);
		quote(out, endpoint);
		fputc('\n', out);
	}
	for (size_t i = 0; more && more->type == VALUE_ARRAY && i < more->n; i++) {
		const char *url = value_text(&more->items[i]);

		r = text_check("mirrors", url, reterr);
		if (r < 0)
			return r;
		fputs("      - ", out);
		quote(out, url);
		fputc('\n', out);
	}
	return 0;
}

static int mirrors_write(FILE *out, const struct k3s_registries *registries, struct diag *reterr)
{
	const struct value *mirrors = registries->mirrors, *all = value_find(mirrors, "*");
	int r = 0;

	fputs("mirrors:\n", out);
	if (registries->endpoint || all)
		r = mirror_write(out, "*", registries->endpoint, all, reterr);
	for (size_t i = 0; r == 0 && mirrors && mirrors->type == VALUE_OBJECT && i < mirrors->n; i++)
		if (&mirrors->items[i] != all)
			r = mirror_write(out, mirrors->keys[i], registries->endpoint, &mirrors->items[i], reterr);
	return r;
}

static int config_host_write(FILE *out, const char *host, const char *username, const char *password, const char *ca_file,
	struct diag *reterr)
{
	int r = text_check("configs", host, reterr);

	if (r == 0 && username)
		r = text_check("username", username, reterr);
	if (r == 0 && username)
		r = text_check("password", password, reterr);
	if (r == 0 && ca_file)
		r = text_check("ca_file", ca_file, reterr);
	if (r < 0)
		return r;
	fputs("  ", out);
	quote(out, host);
	fputs(":\n", out);
	if (username) {
		fputs("    auth:\n      username: ", out);
		quote(out, username);
		fputs("\n      password: ", out);
		quote(out, password);
		fputc('\n', out);
	}
	if (ca_file) {
		fputs("    tls:\n      ca_file: ", out);
		quote(out, ca_file);
		fputc('\n', out);
	}
	if (!username && !ca_file)
		fputs("    {}\n", out);
	return 0;
}

// Hosts with a CA, then hosts with a login only; the region's own entry is not theirs to change.
static int configs_write(FILE *out, const struct k3s_registries *registries, struct diag *reterr)
{
	const struct value *const lists[] = {registries->configs, registries->logins};
	const char *region = registries->endpoint ? registries->endpoint + strlen("https://") : NULL;
	int r = 0;

	if (region)
		r = config_host_write(out, region, registries->username, registries->password, registries->ca_file, reterr);
	for (size_t l = 0; l < N_ELEMENTS(lists); l++)
		for (size_t i = 0; r == 0 && lists[l] && lists[l]->type == VALUE_OBJECT && i < lists[l]->n; i++) {
			const char *host = lists[l]->keys[i];
			const struct value *login = value_find(registries->logins, host);
			const char *ca = value_text(value_path(registries->configs, host, "caPem", NULL));
			char *ca_file AUTO_FREE = ca ? str_format("%s/%s.pem", registries->ca_folder, host) : NULL;

			if (str_equal(host, region) || (l == 1 && value_find(registries->configs, host)))
				continue;
			r = ca && !ca_file ? -ENOMEM
					   : config_host_write(out, host, value_text(value_find(login, "username")),
						     value_text(value_find(login, "password")), ca_file, reterr);
		}
	return r;
}

int k3s_registries_render(const struct k3s_registries *registries, char **ret_yaml, struct diag *reterr)
{
	char *text = NULL; // it holds passwords: wiped when it is not handed out
	size_t n = 0;
	FILE *out;
	int r;

	if (registries->endpoint && !str_starts(registries->endpoint, "https://"))
		return diag_set(reterr, -EINVAL, "endpoint", "must be an https:// URL, not \"%s\"", registries->endpoint);
	if (!registries->endpoint && !registries->mirrors && !registries->configs)
		return diag_set(reterr, -EINVAL, "endpoint", "is required when there are no mirrors");
	if (!registries->username != !registries->password)
		return diag_set(reterr, -EINVAL, "auth", "needs both a user name and a password");
	out = open_memstream(&text, &n);
	if (!out)
		return -ENOMEM;
	fputs("# Written by hearthd: images come from the region first.\n", out);
	r = mirrors_write(out, registries, reterr);
	if (r == 0) {
		fputs("configs:\n", out);
		r = configs_write(out, registries, reterr);
	}
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		if (text)
			explicit_bzero(text, n);
		free(text);
		return r;
	}
	*ret_yaml = text;
	return 0;
}
