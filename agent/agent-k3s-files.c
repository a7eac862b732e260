// K3s' files: config.yaml, registries.yaml, tokens, environment. What they say is k3s/'s business; here the assignment, the
// secrets and the region's record become their input.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "k3s/config.h"
#include "k3s/proxy.h"
#include "k3s/token.h"
#include <errno.h>

#define K3S_TOKEN_FILE "/etc/rancher/k3s/token"
#define K3S_AGENT_TOKEN_FILE "/etc/rancher/k3s/agent-token"
#define REGION_CA_FILE "/run/hearth/region-ca.pem"
#define REGISTRY_CA_FOLDER "/run/hearth/registry-ca"
#define K3S_ENVIRONMENT_FILE "/run/hearth/k3s.env"

// 1 written, 0 the same already, negative errno.
static int write_if_changed(const struct agent *a, const char *path, const char *text, mode_t mode)
{
	char *now AUTO_FREE = NULL;
	size_t n = 0;
	struct root_path full = root_path(a->options.root, path);
	int r = file_read(full.text, 1 << 20, &now, &n, NULL);
	bool same = r >= 0 && str_equal(now, text);
	if (now)
		crypto_wipe(now, n);
	if (same)
		return 0;
	r = file_write_volatile(full.text, text, strlen(text), mode, NULL);
	return r < 0 ? r : 1;
}

static enum k3s_role role_of(const struct assignment *assignment)
{
	if (!assignment->server)
		return K3S_ROLE_WORKER;
	return assignment->k3s_first ? K3S_ROLE_FIRST_SERVER : K3S_ROLE_SERVER;
}

// --- config.yaml ---

// What a person asks of a setting: who says so, and whether it is known to do harm or nothing.
static char *settings_json(const struct k3s_settings *settings)
{
	struct json_out out = { 0 };
	json_out_array_begin(&out);
	for (size_t i = 0; i < settings->n; i++) {
		const char *advice = k3s_setting_advice(&settings->items[i]);
		json_out_object_begin(&out);
		json_out_member(&out, "key", settings->items[i].key);
		json_out_member(&out, "value", settings->items[i].value);
		json_out_member(&out, "origin", k3s_origin_text(settings->items[i].origin));
		if (advice)
			json_out_member(&out, "advice", advice);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	return json_out_take(&out);
}

// The same but for the line that says whom to join?
static bool same_but_server(const char *old, const char *fresh)
{
	while (*old || *fresh) {
		size_t n_old = strcspn(old, "\n"), n_fresh = strcspn(fresh, "\n");
		if (!(n_old == n_fresh && strncmp(old, fresh, n_old) == 0) &&
			!(str_starts(old, "server: ") && str_starts(fresh, "server: ")))
			return false;
		old += n_old + (old[n_old] == '\n');
		fresh += n_fresh + (fresh[n_fresh] == '\n');
	}
	return true;
}

static int write_config(struct agent *a, struct diag *reterr)
{
	const struct assignment *as = a->assignment;
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	char *yaml AUTO_FREE = NULL, *before AUTO_FREE = NULL;
	struct k3s_choice choice = { .role = role_of(as), .profile = as->k3s_profile, .overrides = as->overrides,
		.node_overrides = as->node_overrides };
	int r = k3s_settings_choose(&choice, &settings, reterr);
	if (r < 0)
		return r;
	struct k3s_config config = {
		.role = role_of(as),
		.settings = settings,
		.node_name = as->node_name,
		.node_ip = as->node_ip,
		.tls_sans = as->server ? as->tls_sans : NULL, // a worker knows none of these: an unknown key is fatal there
		.node_labels = as->labels,
		.cluster_cidr = as->server ? as->pod_cidr : NULL,
		.service_cidr = as->server ? as->service_cidr : NULL,
		.server_url = as->k3s_server,
		.token_file = as->server ? K3S_TOKEN_FILE : K3S_AGENT_TOKEN_FILE,
		.agent_token_file = as->server ? K3S_AGENT_TOKEN_FILE : NULL,
		.resolv_conf = "/run/hearth/resolv.conf",
	};
	if ((r = k3s_config_render(&config, &yaml, reterr)) < 0)
		return r;
	free(a->k3s_settings_json);
	a->k3s_settings_json = settings_json(settings);
	(void)file_read(root_path(a->options.root, K3S_CONFIG_PATH).text, 1 << 20, &before, NULL, NULL); // may be missing
	if (!(before && same_but_server(before, yaml)) && (r = agent_k3s_note_restart_due(a)) < 0)
		return diag_set(reterr, r, RUN_K3S_RESTART_DUE, "cannot be written: %s", strerror(-r));
	if ((r = write_if_changed(a, K3S_CONFIG_PATH, yaml, 0600)) <= 0)
		return r;
	return before && same_but_server(before, yaml) ? K3S_FILES_JOIN : K3S_FILES_CONFIG;
}

// --- tokens ---

/* Joiners get the full form: K3s compares its hash with the CA of whoever answers before the secret leaves the machine. With
 * the short form it would show the secret to anybody at that address. */
static int check_joiner_token(const char *text, struct diag *reterr)
{
	struct k3s_token token CLEANUP(k3s_token_done) = { 0 };
	int r = k3s_token_parse(text, &token, reterr);
	if (r < 0 || token.has_ca_hash)
		return r;
	return diag_set(reterr, -EKEYREJECTED, "",
		"the region gave this node a token without the hash of the cluster's CA; it is not used, because whoever answers "
		"at the join address would see it; the region gives the full one once the first server has handed over");
}

/* On servers the file says what workers have to show, so it holds the secret alone: the full form would become part of the
 * password. */
static int write_agent_token(struct agent *a, struct diag *reterr)
{
	struct k3s_token token CLEANUP(k3s_token_done) = { 0 };
	if (!a->assignment->server)
		return write_if_changed(a, K3S_AGENT_TOKEN_FILE, a->secrets.agent_token, 0600);
	int r = k3s_token_parse(a->secrets.agent_token, &token, reterr);
	return r < 0 ? r : write_if_changed(a, K3S_AGENT_TOKEN_FILE, token.secret, 0600);
}

static int write_tokens(struct agent *a, struct diag *reterr)
{
	bool server = a->assignment->server;
	a->k3s_token_next &= a->secrets.token_next != NULL;
	const char *token = a->k3s_token_next ? a->secrets.token_next : a->secrets.token;
	int r = 0, r_agent;
	if (server && !token)
		return diag_set(reterr, -ENOENT, "", "the region gave no server token");
	if (!a->assignment->k3s_first)
		r = check_joiner_token(server ? token : a->secrets.agent_token, reterr);
	if (r < 0)
		return r;
	r = server ? write_if_changed(a, K3S_TOKEN_FILE, token, 0600) : 0;
	r_agent = r < 0 ? r : write_agent_token(a, reterr);
	a->k3s_tokens_new |= r > 0 || r_agent > 0;
	return r_agent;
}

// --- registries.yaml ---

static int write_registry_cas(struct agent *a)
{
	const struct value *configs = a->assignment->registry_configs;
	int r = configs ? file_make_folders(root_path(a->options.root, REGISTRY_CA_FOLDER).text, 0755) : 0;
	for (size_t i = 0; r >= 0 && configs && i < configs->n; i++) {
		const char *pem = value_text(value_find(&configs->items[i], "caPem"));
		char *path AUTO_FREE = str_format("%s/%s.pem", REGISTRY_CA_FOLDER, configs->keys[i]); // a host, checked
		if (pem)
			r = path ? write_if_changed(a, path, pem, 0644) : -ENOMEM;
	}
	return r;
}

static int write_registries(struct agent *a, struct diag *reterr)
{
	const char *endpoint = a->region ? region_client_url(a->region) : "";
	bool with_region = !a->from_seed && a->region_record.ca_pem && *endpoint;
	struct value *logins CLEANUP(value_freep) = NULL;
	char *yaml = NULL;
	struct k3s_registries registries = {
		.endpoint = with_region ? endpoint : NULL,
		.username = with_region ? a->secrets.pull_username : NULL,
		.password = with_region ? a->secrets.pull_password : NULL,
		.ca_file = with_region ? REGION_CA_FILE : NULL,
		.mirrors = a->assignment->registry_mirrors,
		.configs = a->assignment->registry_configs,
		.ca_folder = REGISTRY_CA_FOLDER,
	};
	if (!with_region && !registries.mirrors && !registries.configs)
		return 0;
	if (a->secrets.registries && json_parse(a->secrets.registries, strlen(a->secrets.registries), 0, &logins, NULL) < 0)
		return diag_set(reterr, -EBADMSG, "registries", "the stored logins are damaged"); // no value in the message
	registries.logins = logins;
	int r = with_region ? write_if_changed(a, REGION_CA_FILE, a->region_record.ca_pem, 0644) : 0;
	if (r >= 0)
		r = write_registry_cas(a);
	if (r >= 0)
		r = k3s_registries_render(&registries, &yaml, reterr);
	if (r >= 0)
		r = write_if_changed(a, K3S_REGISTRIES_PATH, yaml, 0600);
	if (yaml)
		crypto_wipe(yaml, strlen(yaml));
	free(yaml);
	return r;
}

// --- environment ---

static char *environment(const struct agent *a)
{
	const struct assignment *as = a->assignment;
	const char *always[8 + ASSIGNMENT_MAX_SERVERS] = { 0 };
	char region[256] = "";
	size_t n = 0;
	const char *const mine[] = { as->mesh_cidr, as->pod_cidr, as->service_cidr, as->node_ip, as->api_address };
	for (size_t i = 0; i < N_ELEMENTS(mine); i++)
		if (mine[i])
			always[n++] = mine[i];
	for (size_t i = 0; i < as->n_servers; i++)
		always[n++] = as->servers[i].address;
	const char *way = agent_proxy(a); // to the region: then K3s has no other either
	if (!way && a->region && k3s_url_host(region_client_url(a->region), region, sizeof(region)) == 0)
		always[n++] = region;
	bool own = as->proxy_http || as->proxy_https;
	struct k3s_proxy proxy = { .http = own ? as->proxy_http : way, .https = own ? as->proxy_https : way, .no = as->proxy_no,
		.always = always };
	char *lines AUTO_FREE = k3s_proxy_environment(&proxy);
	return lines ? str_format("PATH=%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n%s", RUN_PAYLOAD, lines)
		     : NULL;
}

int agent_k3s_write_files(struct agent *a, struct diag *reterr)
{
	char *text AUTO_FREE = environment(a);
	int started = file_exists(root_path(a->options.root, RUN_K3S_STARTED).text), later = 0;
	int r = text ? file_make_folders(root_path(a->options.root, "/etc/rancher/k3s").text, 0755) : -ENOMEM;
	if (r >= 0)
		r = write_if_changed(a, K3S_ENVIRONMENT_FILE, text, 0600); // a proxy's URL may hold a password
	later |= r > 0;
	if (r >= 0)
		r = write_tokens(a, reterr);
	if (r >= 0)
		r = write_registries(a, reterr);
	later |= r > 0;
	if (r >= 0)
		r = write_config(a, reterr);
	if (r >= 0 && later && started && r < K3S_FILES_CONFIG)
		log_notice("registries or proxy changed: K3s takes them at its next start (hearth-region rollout restarts the "
			"nodes one by one)");
	if (r == 0 && a->k3s_tokens_new)
		r = K3S_FILES_JOIN;
	a->k3s_tokens_new &= r < 0;
	return r;
}
