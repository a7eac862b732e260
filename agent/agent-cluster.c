// This node inside its cluster: its Node object, the pod range and the bridge CNI, the hand-over of a first server, and the
// bootstrap.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "k3s/cni.h"
#include "k3s/config.h"
#include "k3s/token.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <sys/stat.h>

#define K3S_SERVER_CA K3S_DATA "/server/tls/server-ca.crt"
#define K3S_SERVER_TOKEN K3S_DATA "/server/token"
#define TRUSTED_FOLDER "/usr/lib/hearth/trusted"

enum { NODE_EVERY_SEC = 10, MESH_MTU_DEFAULT = 1420 };

// --- the Node object ---

/* A Node keeps what its kubelet said last, also while that is gone: after a start of K3s only what was reported since
 * counts. Both times are this machine's. */
static bool report_is_old(const struct agent *a)
{
	int64_t since_sec = a->k3s_restarted_wall_sec;
	return since_sec && a->node.heartbeat_sec && a->node.heartbeat_sec <= since_sec && time_wall_msec() / 1000 >= since_sec;
}

bool agent_node_is_ready(const struct agent *a)
{
	return a->has_node && a->node.ready && !a->k3s_restarting_usec && !report_is_old(a);
}

static void on_node(const struct kube_answer *answer, void *user)
{
	struct agent *a = user;
	struct diag diag = { 0 };
	struct node_readiness before = a->node;
	a->kube_asking_node = false;
	a->kube_took_usec = time_boot_usec() - a->kube_asked_usec;
	a->kube_stale |= answer->status == 401; // K3s renewed our certificate, or made its cluster anew
	if (answer->error == 0 && node_readiness_from(answer->object, &a->node, &diag) == 0) {
		a->has_node = true;
		if (!str_equal(before.pod_cidr, a->node.pod_cidr))
			a->conflist_written = false; // deleted and registered anew
		str_set(&a->node_problem, NULL);
		if (agent_node_is_ready(a) && !file_exists(root_path(a->options.root, STATE_WAS_READY).text))
			(void)file_save_checked(root_path(a->options.root, STATE_WAS_READY).text, "", 0, 0600, NULL); // next time
	} else if (answer->error == -ENOENT) {
		a->has_node = false;
		str_set(&a->node_problem, "the API server does not know it yet");
	} else {
		str_set(&a->node_problem, answer->diag ? diag_text(answer->diag) : diag_text(&diag));
		a->node.ready = false;
	}
	agent_kick(a);
}

static void on_nodes(const struct kube_answer *answer, void *user)
{
	struct agent *a = user;
	uint64_t now_usec = time_boot_usec();
	a->kube_asking_nodes = false;
	a->kube_nodes_took_usec = now_usec - a->kube_nodes_usec;
	if (answer->error < 0)
		return;
	size_t n;
	char *seen = node_list_pod_cidrs(answer->object, &n);
	if (!seen)
		return;
	a->kube_nodes_missing = n <= a->peers.n; // somebody of the mesh has no range yet (or is an admin, who never has)
	if (str_equal(seen, a->pod_cidrs_seen)) {
		free(seen);
		return;
	}
	a->nodes_news_usec = now_usec;
	free(a->pod_cidrs_seen);
	a->pod_cidrs_seen = seen;
	agent_kick(a);
}

static void keep_kube(struct agent *a)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	struct diag diag = { 0 };
	if (a->kube_stale)
		agent_cluster_done(a);
	if (a->kube)
		return;
	const char *path = a->assignment->server ? K3S_ADMIN_KUBECONFIG : K3S_KUBELET_KUBECONFIG;
	int r = kubeconfig_load(path, &config, &diag);
	if (r == 0)
		r = kube_new(a->event, config, &a->kube, &diag);
	if (r < 0)
		str_set(&a->node_problem, r == -ENOENT ? "K3s has not written its kubeconfig yet" : diag_text(&diag));
}

static void ask_kube(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	uint64_t every = agent_node_is_ready(a) ? NODE_EVERY_SEC * USEC_PER_SEC : USEC_PER_SEC * 9 / 10;
	if (every < a->kube_took_usec * 4) // an API server that is slow is not asked all the time
		every = a->kube_took_usec * 4 < NODE_EVERY_SEC * USEC_PER_SEC ? a->kube_took_usec * 4 : NODE_EVERY_SEC * USEC_PER_SEC;
	if (!a->kube_asking_node && now_usec - a->kube_asked_usec >= every) {
		char *path AUTO_FREE = kube_node_path(a->assignment->node_name);
		a->kube_asked_usec = now_usec;
		a->kube_asking_node = path && kube_get(a->kube, path, on_node, a) >= 0;
	}
	if (a->assignment->watch_pod_cidrs && !a->kube_asking_nodes &&
		now_usec - a->kube_nodes_usec >= node_list_pause_usec(now_usec - a->nodes_news_usec, a->kube_nodes_missing,
							a->kube_nodes_took_usec)) {
		a->kube_nodes_usec = now_usec;
		a->kube_asking_nodes = kube_get(a->kube, "/api/v1/nodes", on_nodes, a) >= 0;
	}
}

// --- bridge CNI ---

static unsigned mesh_mtu(const struct agent *a)
{
	for (size_t i = 0; a->links && i < a->links->n; i++)
		if (str_equal(a->links->links[i].name, a->assignment->mesh_link) && a->links->links[i].mtu >= 1280)
			return a->links->links[i].mtu;
	return MESH_MTU_DEFAULT;
}

static void keep_conflist(struct agent *a)
{
	char *text AUTO_FREE = NULL, *now AUTO_FREE = NULL;
	struct diag diag = { 0 };
	if (!a->assignment->cni_bridge || !a->has_node || !a->node.pod_cidr[0] || a->conflist_written)
		return;
	int r = cni_conflist_render(a->node.pod_cidr, a->assignment->pod_cidr, mesh_mtu(a), &text, &diag);
	if (r == 0)
		r = file_make_folders("/etc/cni/net.d", 0755);
	if (r == 0 && (file_read(CNI_CONFLIST_PATH, 64 << 10, &now, NULL, NULL) < 0 || !str_equal(now, text)))
		r = file_write_volatile(CNI_CONFLIST_PATH, text, strlen(text), 0644, &diag);
	str_set(&a->cluster_network_problem, r < 0 ? diag_text(&diag) : NULL);
	a->conflist_written = r == 0;
	if (r == 0)
		agent_kick(a);
}

// --- hand-over to the region ---

static char *hand_over_body(struct agent *a, bool ever_ready)
{
	char *ca AUTO_FREE = NULL, *kubeconfig = NULL, *token = NULL, hash[SHA256_HEX + 1];
	size_t n_ca = 0, n_kubeconfig = 0, n_token = 0;
	char *body = NULL;
	if (file_read(K3S_SERVER_CA, K3S_CA_MAX_BYTES, &ca, &n_ca, NULL) == 0 && k3s_ca_hash(ca, n_ca, hash, NULL) == 0 &&
		file_read(K3S_ADMIN_KUBECONFIG, KUBECONFIG_MAX_BYTES, &kubeconfig, &n_kubeconfig, NULL) == 0 &&
		file_read(K3S_SERVER_TOKEN, K3S_TOKEN_MAX, &token, &n_token, NULL) == 0) {
		struct json_out out = { 0 };
		char *endpoint AUTO_FREE = str_format(strchr(a->assignment->node_ip, ':') ? "https://[%s]:6443" : "https://%s:6443",
			a->assignment->node_ip);
		token[strcspn(token, "\n")] = '\0';
		json_out_object_begin(&out);
		json_out_member(&out, "caCert", ca);
		json_out_member(&out, "caHash", hash);
		json_out_key(&out, "endpoints");
		json_out_array_begin(&out);
		json_out_string(&out, endpoint);
		json_out_array_end(&out);
		json_out_member(&out, "kubeconfig", kubeconfig);
		json_out_member(&out, "serverToken", token);
		json_out_member_bool(&out, "everReady", ever_ready);
		json_out_object_end(&out);
		body = json_out_take(&out);
	}
	if (kubeconfig)
		crypto_wipe(kubeconfig, n_kubeconfig);
	if (token)
		crypto_wipe(token, n_token);
	free(kubeconfig);
	free(token);
	return body;
}

static void hand_over(struct agent *a)
{
	const struct hand_over_facts facts = {
		.first = a->assignment->k3s_first,
		.ever_ready = file_exists(root_path(a->options.root, STATE_WAS_READY).text),
		.renew = a->assignment->k3s_renew_kubeconfig,
	};
	if (a->from_seed)
		return;
	if (hand_over_withdraw(&a->hand_over, &facts))
		region_client_send_cluster(a->region, NULL);
	if (!hand_over_due(&a->hand_over, &facts))
		return;
	char *body = hand_over_body(a, facts.ever_ready);
	if (!body)
		return; // K3s has not written all of it yet
	region_client_send_cluster(a->region, body);
	hand_over_sent(&a->hand_over, &facts);
}

// --- bootstrap ---

struct key_list {
	size_t n;
	char *pem[COSIGN_MAX_KEYS];
};

static void key_list_done(struct key_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->pem[i]);
}

static void load_trusted(const struct agent *a, struct key_list *ret)
{
	struct root_path folder = root_path(a->options.root, TRUSTED_FOLDER);
	DIR *dir = opendir(folder.text);
	for (struct dirent *entry; dir && ret->n < COSIGN_MAX_KEYS && (entry = readdir(dir));) {
		char *path AUTO_FREE = str_format("%s/%s", folder.text, entry->d_name);
		if (path && fnmatch("*.pub", entry->d_name, 0) == 0 &&
			file_read(path, 16 << 10, &ret->pem[ret->n], NULL, NULL) == 0)
			ret->n++;
	}
	if (dir)
		(void)closedir(dir); // read only
}

/* Image keys are the outer limit, then the seed's trust group narrows, then the region. Without image keys the seed's
 * are the limit. */
static int allowed_keys(const struct agent *a, const struct key_list *trusted, const char *ret[static COSIGN_MAX_KEYS],
	struct diag *reterr)
{
	const struct assignment *as = a->assignment;
	const struct region_record *record = &a->region_record;
	const char *const *seed_keys = (const char *const *)record->signing_keys;
	const char *outer[COSIGN_MAX_KEYS];
	int n = trusted->n ? cosign_keys_narrow((const char *const *)trusted->pem, trusted->n, seed_keys, record->n_signing_keys,
				     outer, reterr)
			   : cosign_keys_narrow(seed_keys, record->n_signing_keys, NULL, 0, outer, reterr);
	if (n < 0)
		return n;
	return cosign_keys_narrow(outer, (size_t)n, as->signing_keys, as->n_signing_keys, ret, reterr);
}

static void on_bootstrap(const struct bootstrap_status *status, void *user)
{
	agent_kick(user);
}

static void keep_bootstrap(struct agent *a)
{
	const struct assignment *as = a->assignment;
	struct key_list trusted CLEANUP(key_list_done) = { 0 };
	const char *keys[COSIGN_MAX_KEYS];
	struct diag diag = { 0 };
	struct stage_extras *extras CLEANUP(stage_extras_freep) = NULL;
	struct bootstrap_sources sources CLEANUP(bootstrap_sources_done) = { 0 };
	bool has_artifact = as->has_bootstrap;
	if (a->bootstrap || !as->server || (has_artifact ? !as->bootstrap_registry && !a->content : !as->storage->wanted))
		return;
	load_trusted(a, &trusted);
	int n = has_artifact ? allowed_keys(a, &trusted, keys, &diag) : 0;
	if (n >= 0 && storage_render(as->storage->wanted ? &as->storage->cluster : NULL, &extras, &diag) < 0)
		n = -EINVAL;
	const struct oci_source region = { .client = a->content, .url = a->region ? region_client_url(a->region) : "",
		.repository = as->bootstrap_repository };
	bootstrap_clients_done(&a->bootstrap_clients);
	if (n >= 0 && has_artifact &&
		bootstrap_sources_make(a->event, as, &region, a->secrets.registries, &sources, &a->bootstrap_clients, &diag) < 0)
		n = -EINVAL;
	if (n < 0) {
		str_set(&a->bootstrap_problem, *diag.message ? diag_text(&diag) : "no memory");
		return;
	}
	struct bootstrap_config config = {
		.event = a->event,
		.kube = a->kube,
		.sources = sources.items,
		.n_sources = sources.n,
		.digest = has_artifact ? as->bootstrap_digest : NULL,
		.tag = has_artifact ? as->bootstrap_tag : NULL,
		.come_back_sec = as->bootstrap_come_back_sec,
		.extras = extras,
		.variables = as->variables,
		.secrets = a->user_secrets,
		.key_pems = keys,
		.n_keys = (size_t)n,
		.self = as->node_name,
		.on_changed = on_bootstrap,
		.user = a,
	};
	a->storage_stale = false;
	int r = bootstrap_new(&config, &a->bootstrap, &diag);
	str_set(&a->bootstrap_problem, r < 0 ? diag.message[0] ? diag_text(&diag) : strerror(-r) : NULL);
}

// --- Flux ---

static void on_flux(void *user)
{
	agent_kick(user);
}

// Only the server that lays the bootstrap asks: one question at a time for the whole cluster.
static void keep_flux(struct agent *a)
{
	const struct bootstrap_status *status = a->bootstrap ? bootstrap_status(a->bootstrap) : NULL;
	bool wanted = status && status->holder && status->phase >= BOOTSTRAP_WATCHING && status->stage >= STAGE_SYNC;
	if (!wanted)
		a->flux = flux_watch_free(a->flux);
	else if (!a->flux && flux_watch_new(a->event, a->kube, on_flux, a, &a->flux) < 0)
		log_warning("Flux cannot be watched: out of memory"); // tried again at the next tick
}

void agent_cluster_act(struct agent *a, enum rung rung)
{
	if (a->options.without_network || !a->assignment || !a->assignment->has_k3s || rung < RUNG_CLUSTER_NETWORK)
		return;
	keep_kube(a);
	if (!a->kube)
		return;
	ask_kube(a);
	keep_conflist(a);
	hand_over(a);
	keep_bootstrap(a);
	agent_storage_act(a);
	keep_flux(a);
}

void agent_cluster_done(struct agent *a)
{
	agent_jobs_pause(a);
	a->flux = flux_watch_free(a->flux);
	a->bootstrap = bootstrap_free(a->bootstrap);
	bootstrap_clients_done(&a->bootstrap_clients);
	a->storage_asking = false;
	a->kube = kube_free(a->kube);
	a->kube_stale = a->kube_asking_node = a->kube_asking_nodes = false;
}
