// Payload, K3s' files and its unit. What K3s is told is k3s/'s business, when it is started is decided here.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "k3s/config.h"
#include "k3s/unpack.h"
#include <errno.h>

#define K3S_TOKEN_FILE "/etc/rancher/k3s/token"
#define K3S_AGENT_TOKEN_FILE "/etc/rancher/k3s/agent-token"
#define REGION_CA_FILE "/run/hearth/region-ca.pem"
#define K3S_ENVIRONMENT_FILE "/run/hearth/k3s.env"

enum { PAYLOAD_MAX_BYTES = 1 << 30, START_AGAIN_SEC = 5, HOPELESS_RESTARTS = 3 };

static void on_payload_changed(void *user)
{
	agent_kick(user);
}

// --- the client for content: the region's CA and our certificate ---

static void keep_content_client(struct agent *a)
{
	if (a->content_stale && a->content) {
		if (a->payload)
			payload_offer_region(a->payload, NULL, NULL, NULL);
		a->bootstrap = bootstrap_free(a->bootstrap);
		a->content = http_client_free(a->content);
	}
	a->content_stale = false;
	if (a->content || !a->identity || !a->identity->cert_pem || !a->region_record.ca_pem)
		return;
	struct http_trust_config config = {
		.trust = HTTP_TRUST_CA,
		.ca_pem = a->region_record.ca_pem,
		.client_cert_pem = a->identity->cert_pem,
		.client_key_pem = a->identity->key_pem,
	};
	if (http_client_new(a->event, &config, &a->content) < 0)
		log_warning("the client for the region's content cannot be made");
}

static void keep_payload(struct agent *a)
{
	const char *sha = a->image.payload_sha256;
	if (a->assignment && a->assignment->payload_digest)
		sha = a->assignment->payload_digest + strlen("sha256:");
	if (!*sha)
		return;
	if (a->payload && !str_equal(payload_sha256(a->payload), sha) && payload_state(a->payload) != STEP_DONE)
		a->payload = payload_free(a->payload);
	if (!a->payload) {
		uint64_t max = a->image.payload_bytes ? a->image.payload_bytes + (1 << 20) : PAYLOAD_MAX_BYTES;
		if (payload_new(a->event, a->options.root, sha, max, a->durable, on_payload_changed, a, &a->payload) < 0)
			return;
	}
	if (a->content && a->assignment && payload_state(a->payload) != STEP_DONE)
		payload_offer_region(a->payload, a->content, region_client_url(a->region),
			a->assignment->payload_repository ? a->assignment->payload_repository : "hearth/payload");
}

// --- files ---

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

static int write_config(struct agent *a, struct diag *reterr)
{
	const struct assignment *as = a->assignment;
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	char *yaml AUTO_FREE = NULL;
	int r = k3s_settings_resolve(role_of(as), as->overrides, &settings, reterr);
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
	r = k3s_config_render(&config, &yaml, reterr);
	return r < 0 ? r : write_if_changed(a, K3S_CONFIG_PATH, yaml, 0600);
}

static int write_registries(struct agent *a, struct diag *reterr)
{
	char *yaml = NULL;
	struct k3s_registries registries = {
		.endpoint = region_client_url(a->region),
		.username = a->secrets.pull_username,
		.password = a->secrets.pull_password,
		.ca_file = REGION_CA_FILE,
	};
	if (a->from_seed || !a->region_record.ca_pem || !registries.endpoint[0])
		return 0;
	int r = write_if_changed(a, REGION_CA_FILE, a->region_record.ca_pem, 0644);
	if (r >= 0)
		r = k3s_registries_render(&registries, &yaml, reterr);
	if (r >= 0)
		r = write_if_changed(a, K3S_REGISTRIES_PATH, yaml, 0600);
	if (yaml)
		crypto_wipe(yaml, strlen(yaml));
	free(yaml);
	return r;
}

static int write_tokens(struct agent *a, struct diag *reterr)
{
	if (a->assignment->server && !a->secrets.token)
		return diag_set(reterr, -ENOENT, "", "the region gave no server token");
	int r = a->assignment->server ? write_if_changed(a, K3S_TOKEN_FILE, a->secrets.token, 0600) : 0;
	return r < 0 ? r : write_if_changed(a, K3S_AGENT_TOKEN_FILE, a->secrets.agent_token, 0600);
}

// All files of K3s. Positive: config.yaml is another than before.
static int configure(struct agent *a, struct diag *reterr)
{
	char *environment AUTO_FREE = str_format("PATH=%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
		RUN_PAYLOAD);
	int r = environment ? file_make_folders(root_path(a->options.root, "/etc/rancher/k3s").text, 0755) : -ENOMEM;
	if (r >= 0)
		r = write_if_changed(a, K3S_ENVIRONMENT_FILE, environment, 0644);
	if (r >= 0)
		r = write_tokens(a, reterr);
	if (r >= 0)
		r = write_registries(a, reterr);
	return r < 0 ? r : write_config(a, reterr);
}

// --- unit ---

static void on_service_changed(struct service *service, void *user)
{
	agent_kick(user);
}

static void on_started(int error, const struct diag *diag, void *user)
{
	struct agent *a = user;
	str_set(&a->k3s_problem, error < 0 ? diag ? diag_text(diag) : strerror(-error) : NULL);
	agent_kick(a);
}

static void start_unit(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (a->k3s_start_asked && now_usec - a->k3s_since_usec < START_AGAIN_SEC * USEC_PER_SEC)
		return;
	// From here on the clock is only slewed in this boot.
	if (file_write_volatile(root_path(a->options.root, RUN_K3S_STARTED).text, "", 0, 0644, NULL) < 0)
		return;
	a->k3s_start_asked = true;
	a->k3s_since_usec = now_usec;
	int r = service_start(a->k3s_service, on_started, a);
	if (r < 0)
		str_set(&a->k3s_problem, strerror(-r));
}

/* A K3s that dies between creating its etcd and writing its bootstrap data never starts again. Only on a first server that
 * was never Ready, by this node's marker and by the region's record, is there nothing to lose: it is stopped, its data is
 * removed, and it starts from nothing. */
static void start_over_if_hopeless(struct agent *a)
{
	if (a->k3s_starts_over || !a->assignment->k3s_first || a->assignment->k3s_ever_ready ||
		service_n_restarts(a->k3s_service) < HOPELESS_RESTARTS ||
		file_exists(root_path(a->options.root, STATE_WAS_READY).text))
		return;
	log_warning("K3s failed %u times on this first server, which was never Ready: it starts over from nothing",
		service_n_restarts(a->k3s_service));
	a->k3s_starts_over = service_stop(a->k3s_service, on_started, a) >= 0;
}

static void remove_cluster_data(struct agent *a)
{
	int r = unpack_remove(root_path(a->options.root, K3S_DATA "/server").text);
	if (r < 0)
		log_warning("the data of the K3s that never came up cannot be removed: %s", strerror(-r));
	a->k3s_starts_over = false;
	a->k3s_start_asked = false;
	// The next one has another CA: the region and our own clients have to learn it.
	agent_cluster_done(a);
	a->kube_asking_node = a->kube_asking_nodes = a->has_node = false;
	a->handed_over = a->handed_over_ready = false;
}

static void keep_service(struct agent *a)
{
	sd_bus *bus = agent_bus_get(a->bus);
	if (!a->k3s_service && bus) {
		const char *unit = a->assignment->server ? K3S_UNIT_SERVER : K3S_UNIT_AGENT;
		if (service_new(bus, unit, on_service_changed, a, &a->k3s_service) < 0)
			return;
	}
	if (!a->k3s_service)
		return;
	switch (service_state(a->k3s_service)) {
	case SERVICE_INACTIVE:
	case SERVICE_FAILED:
		if (a->k3s_starts_over)
			remove_cluster_data(a);
		start_unit(a);
		break;
	case SERVICE_MISSING:
		str_set(&a->k3s_problem, "this image has no unit for K3s");
		break;
	case SERVICE_ACTIVATING:
		start_over_if_hopeless(a);
		break;
	case SERVICE_UNKNOWN:
	case SERVICE_ACTIVE:
	case SERVICE_DEACTIVATING:
		break;
	}
}

static void name_machine(const struct agent *a)
{
	char now[256] = "";
	if (a->options.root[0] || gethostname(now, sizeof(now) - 1) < 0 || str_equal(now, a->assignment->node_name))
		return;
	if (sethostname(a->assignment->node_name, strlen(a->assignment->node_name)) < 0)
		log_warning("the host name cannot be set: %s", strerror(errno));
}

void agent_k3s_act(struct agent *a, enum rung rung)
{
	struct diag diag = { 0 };
	if (a->options.without_network)
		return;
	keep_content_client(a);
	if (rung >= RUNG_REGION)
		keep_payload(a); // verifying takes seconds: while the network comes up
	if (!a->assignment)
		return;
	name_machine(a);
	if (!a->assignment->has_k3s || rung < RUNG_K3S || !a->has_secrets || !a->payload ||
		payload_state(a->payload) != STEP_DONE)
		return;
	bool restart = false;
	if (!a->k3s_configured) {
		int r = configure(a, &diag);
		if (r < 0) {
			str_set(&a->k3s_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
			return;
		}
		str_set(&a->k3s_problem, NULL);
		a->k3s_configured = true;
		restart = r > 0;
	}
	keep_service(a);
	if (restart && a->k3s_service && service_state(a->k3s_service) == SERVICE_ACTIVE)
		(void)service_restart(a->k3s_service, on_started, a); // on_started tells how it went
}

void agent_k3s_forget_bus(struct agent *a)
{
	a->k3s_service = service_free(a->k3s_service);
}

void agent_k3s_done(struct agent *a)
{
	a->k3s_service = service_free(a->k3s_service);
	a->payload = payload_free(a->payload);
	a->content = http_client_free(a->content);
}
