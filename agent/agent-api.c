// Where the stable API address leads: probes of the API servers, and the nftables rule that follows them. Which server it is
// decides k3s/api-servers.c. It works on its own timer, whatever rung waits and however silent the region is: a server whose
// K3s restarts needs another one just then.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"
#include "k3s/api-servers.h"
#include "k3s/cni.h"
#include "k3s/proxy.h"
#include "netconf/api-nat.h"
#include <errno.h>

struct api_probe {
	struct agent *agent;
	size_t at;
	struct http_call *call;
};

struct agent_api {
	bool has_servers, remembers;
	struct api_servers servers;
	struct api_probe probes[API_SERVERS_MAX];
	struct http_client *client; // with the node's own Kubernetes credentials
	bool client_stale;
	sd_event_source *timer;
	char remembered[64], remembered_pods[64]; // of the rule that a hearthd before us in this boot made
	char applied[160];                        // "ADDRESS PODS" of the rule in the kernel, "" none of ours yet
};

static struct agent_api *get(struct agent *a)
{
	if (!a->api)
		a->api = calloc(1, sizeof(*a->api)); // without it: at the next tick
	return a->api;
}

// --- whom to ask ---

static void remember(struct agent *a)
{
	struct agent_api *api = a->api;
	char *text AUTO_FREE = NULL;
	if (api->remembers)
		return;
	api->remembers = true;
	if (file_read(root_path(a->options.root, RUN_API_NAT).text, sizeof(api->applied) - 1, &text, NULL, NULL) < 0)
		return;
	size_t n = strcspn(text, " ");
	const char *pods = text[n] ? text + n + 1 : "";
	if (n >= sizeof(api->remembered) || strlen(pods) >= sizeof(api->remembered_pods))
		return;
	memcpy(api->remembered, text, n);
	(void)snprintf(api->remembered_pods, sizeof(api->remembered_pods), "%s", pods);
	(void)snprintf(api->applied, sizeof(api->applied), "%s", text); // the kernel has it still
}

static void cancel_probes(struct agent_api *api)
{
	for (size_t i = 0; i < API_SERVERS_MAX; i++) {
		http_call_cancel(api->probes[i].call);
		api->probes[i].call = NULL;
	}
}

// An older region names no servers: this node itself, or the one it joined.
static void take_servers(struct agent *a)
{
	const struct assignment *as = a->assignment;
	struct agent_api *api = a->api;
	struct api_servers_member members[API_SERVERS_MAX];
	char joined[64] = "";
	size_t n = 0;
	for (; n < as->n_servers && n < API_SERVERS_MAX; n++)
		members[n] = (struct api_servers_member){ as->servers[n].name, as->servers[n].address };
	if (n == 0 && as->server)
		members[n++] = (struct api_servers_member){ as->node_name, as->node_ip };
	else if (n == 0 && k3s_url_host(as->k3s_server, joined, sizeof(joined)) == 0)
		members[n++] = (struct api_servers_member){ "", joined };
	cancel_probes(api);
	api_servers_set(&api->servers, members, n, as->node_name, api->remembered[0] ? api->remembered : NULL);
	api->has_servers = true;
}

// --- the rule ---

static void apply_rule(struct agent *a)
{
	const struct assignment *as = a->assignment;
	struct agent_api *api = a->api;
	const struct api_server *target = api_servers_target(&api->servers);
	char key[sizeof(api->applied)], *chains AUTO_FREE = NULL;
	const char *pods = a->conflist_written ? a->node.pod_cidr : as->cni_bridge ? api->remembered_pods : "";
	struct diag diag = { 0 };
	if (!target || !as->api_address || !as->mesh_address)
		return;
	(void)snprintf(key, sizeof(key), "%s %s", target->address, pods); // both are short
	if (str_equal(key, api->applied))
		return;
	if (*pods && cni_masquerade_rules(pods, as->pod_cidr, as->mesh_cidr, &chains, &diag) < 0) {
		str_set(&a->cluster_network_problem, diag_text(&diag));
		return;
	}
	struct api_nat nat = { .api_address = as->api_address, .target_address = target->address,
		.mesh_address = as->node_ip, .more_chains = chains }; // of the net the servers are in: mesh or LAN
	if (api_nat_apply(&nat, &diag) < 0) {
		log_warning("the stable API address cannot be set up: %s", diag_text(&diag));
		return;
	}
	log_notice("the API address %s leads to %s%s%s", as->api_address, target->address, *target->name ? ", " : "", target->name);
	memcpy(api->applied, key, sizeof(key));
	// Without the note a hearthd that is restarted begins with its own server or any other, and moves once.
	(void)file_write_volatile(root_path(a->options.root, RUN_API_NAT).text, key, strlen(key), 0644, NULL);
}

// --- probes ---

static void make_client(struct agent *a)
{
	struct agent_api *api = a->api;
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	if (api->client_stale) {
		cancel_probes(api);
		api->client = http_client_free(api->client);
		api->client_stale = false;
	}
	if (api->client || kubeconfig_load(a->assignment->server ? K3S_ADMIN_KUBECONFIG : K3S_KUBELET_KUBECONFIG, &config, NULL) < 0)
		return; // K3s has not written it yet
	struct http_trust_config trust = { .trust = HTTP_TRUST_CA, .ca_pem = config->ca_pem, .client_cert_pem = config->cert_pem,
		.client_key_pem = config->key_pem };
	if (http_client_new(a->event, &trust, &api->client) < 0)
		log_warning("the client for probes of the API servers cannot be made"); // tried again at the next tick
}

static void arm(struct agent_api *api)
{
	uint64_t usec = api_servers_wait_sec(&api->servers) * USEC_PER_SEC;
	if (timer_arm(api->timer, usec) < 0)
		log_warning("the timer of the API servers' probes cannot be armed");
}

static void on_probed(const struct http_response *response, void *user)
{
	struct api_probe *probe = user;
	struct agent *a = probe->agent;
	struct agent_api *api = a->api;
	bool ready = response->error == 0 && response->status == 200;
	probe->call = NULL;
	// 401: K3s renewed our certificate, or made its cluster anew
	api->client_stale |= response->error == 0 && response->status == 401;
	unsigned before_sec = api_servers_wait_sec(&api->servers);
	if (api_servers_answer(&api->servers, probe->at, ready))
		apply_rule(a);
	if (api_servers_wait_sec(&api->servers) < before_sec)
		arm(api); // sooner
}

static void probe(struct agent *a, size_t at)
{
	struct agent_api *api = a->api;
	const char *address = api->servers.servers[at].address;
	if (api->probes[at].call)
		return;
	api->probes[at].agent = a;
	api->probes[at].at = at;
	char *url AUTO_FREE = str_format(strchr(address, ':') ? "https://[%s]:6443/readyz" : "https://%s:6443/readyz", address);
	uint64_t timeout_usec = api_servers_timeout_sec(&api->servers) * USEC_PER_SEC;
	struct http_request request = { .method = "GET", .url = url, .timeout_usec = timeout_usec,
		.connect_timeout_usec = timeout_usec, .max_body_bytes = 64 << 10 };
	if (url)
		(void)http_call_start(api->client, &request, on_probed, &api->probes[at], &api->probes[at].call); // next round
}

static int on_round(sd_event_source *source, uint64_t usec, void *user)
{
	struct agent *a = user;
	struct agent_api *api = a->api;
	if (a->assignment && api->has_servers) {
		make_client(a);
		for (size_t i = 0; api->client && i < api->servers.n; i++)
			if (api_servers_wants(&api->servers, i))
				probe(a, i);
	}
	arm(api);
	return 0;
}

void agent_api_act(struct agent *a)
{
	const struct assignment *as = a->assignment;
	if (a->options.without_network || !as || !as->has_k3s || !as->api_address || !as->mesh_address || !agent_network_has_mesh(a) ||
		!a->mesh_set || !get(a))
		return;
	remember(a);
	if (!a->api->has_servers)
		take_servers(a);
	apply_rule(a);
	if (!a->api->timer && sd_event_add_time_relative(a->event, &a->api->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC, on_round, a) < 0)
		log_warning("the timer of the API servers' probes cannot be made"); // at the next tick
	int enabled = SD_EVENT_ONESHOT;
	if (a->api->timer && sd_event_source_get_enabled(a->api->timer, &enabled) >= 0 && enabled == SD_EVENT_OFF)
		arm(a->api); // there was nothing to join for a while
}

void agent_api_forget(struct agent *a)
{
	if (!a->api)
		return;
	a->api->has_servers = false;
	a->api->client_stale = true;
	a->api->remembered[0] = '\0'; // the target of before stays by itself when it is still a member
	if (!(a->assignment && a->assignment->has_k3s) && a->api->timer)
		(void)sd_event_source_set_enabled(a->api->timer, SD_EVENT_OFF); // a live source
}

void agent_api_done(struct agent *a)
{
	if (!a->api)
		return;
	cancel_probes(a->api);
	http_client_free(a->api->client);
	sd_event_source_disable_unref(a->api->timer);
	free(TAKE_PTR(a->api));
}
