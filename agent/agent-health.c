// What cannot be read from the cluster: etcd and kubelet of this node while there is no Ready Node to read, and the dates of
// K3s' certificates.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/log.h"
#include "base/time.h"
#include "k3s/certificates.h"
#include "k3s/config.h"
#include "k3s/health.h"
#include <errno.h>

#define ETCD_HEALTH "http://127.0.0.1:2381/health"
#define KUBELET_HEALTH "http://127.0.0.1:10248/healthz"

enum { ASK_SEC = 2, TIMEOUT_SEC = 3, CERTIFICATES_SEC = 6 * 3600 };

struct agent_health {
	struct http_client *client;
	struct http_call *etcd_call, *kubelet_call;
	uint64_t asked_usec, certificates_usec;
	struct health_look etcd, kubelet;
	struct k3s_certificate soonest;
};

static int status_of(const struct http_response *response)
{
	return response->error < 0 ? 0 : response->status;
}

static void on_etcd(const struct http_response *response, void *user)
{
	struct agent *a = user;
	char sentence[HEALTH_SENTENCE_MAX];
	a->health->etcd_call = NULL;
	etcd_health_sentence(status_of(response), response->error < 0 ? NULL : response->body, sentence);
	health_look_take(&a->health->etcd, sentence);
	agent_kick(a);
}

static void on_kubelet(const struct http_response *response, void *user)
{
	struct agent *a = user;
	char sentence[HEALTH_SENTENCE_MAX];
	a->health->kubelet_call = NULL;
	kubelet_health_sentence(status_of(response), response->error < 0 ? NULL : response->body, sentence);
	health_look_take(&a->health->kubelet, sentence);
	agent_kick(a);
}

static void ask(struct agent *a, const char *url, http_callback_t on_response, struct http_call **call)
{
	struct http_request request = { .method = "GET", .url = url, .timeout_usec = TIMEOUT_SEC * USEC_PER_SEC,
		.max_body_bytes = 64 << 10 };
	if (!*call)
		(void)http_call_start(a->health->client, &request, on_response, a, call); // asked again soon
}

static void look_at_certificates(struct agent *a)
{
	struct agent_health *health = a->health;
	uint64_t now_usec = time_boot_usec();
	if (!agent_k3s_is_settled(a)) {
		health->certificates_usec = 0; // K3s renews them at its start
		return;
	}
	if (health->certificates_usec && now_usec - health->certificates_usec < CERTIFICATES_SEC * USEC_PER_SEC)
		return;
	health->certificates_usec = now_usec;
	if (k3s_certificate_soonest(root_path(a->options.root, K3S_DATA).text, &health->soonest) < 0)
		health->soonest = (struct k3s_certificate){ 0 };
}

void agent_health_act(struct agent *a, enum rung rung)
{
	if (a->options.without_network || !a->assignment || !a->assignment->has_k3s)
		return;
	if (!a->health && !(a->health = calloc(1, sizeof(*a->health))))
		return; // at the next tick
	struct agent_health *health = a->health;
	look_at_certificates(a);
	enum service_state state = a->k3s_service ? service_state(a->k3s_service) : SERVICE_UNKNOWN;
	if (rung < RUNG_K3S || rung > RUNG_NODE_READY || (state != SERVICE_ACTIVE && state != SERVICE_ACTIVATING)) {
		health->etcd = health->kubelet = (struct health_look){ 0 };
		if (!health->etcd_call && !health->kubelet_call)
			health->client = http_client_free(health->client); // a steady node keeps no memory for it
		return;
	}
	if (time_boot_usec() - health->asked_usec < ASK_SEC * USEC_PER_SEC)
		return;
	struct http_trust_config plain = { .trust = HTTP_TRUST_INSECURE_HOST_ALLOWED }; // loopback
	if (!health->client && http_client_new(a->event, &plain, &health->client) < 0)
		return;
	health->asked_usec = time_boot_usec();
	if (a->assignment->server)
		ask(a, ETCD_HEALTH, on_etcd, &health->etcd_call);
	ask(a, KUBELET_HEALTH, on_kubelet, &health->kubelet_call);
}

const char *agent_health_sentence(const struct agent *a)
{
	if (!a->health || !a->assignment)
		return NULL;
	return health_looks_sentence(a->assignment->server ? &a->health->etcd : NULL, &a->health->kubelet);
}

const char *agent_health_certificate(const struct agent *a, int64_t now_sec, char ret_date[static 32])
{
	if (!a->health || !a->health->soonest.name[0] ||
		a->health->soonest.not_after_sec - now_sec > K3S_CERTIFICATE_WARN_DAYS * INT64_C(86400))
		return NULL;
	(void)time_format_utc(a->health->soonest.not_after_sec, ret_date);
	return a->health->soonest.name;
}

void agent_health_done(struct agent *a)
{
	if (!a->health)
		return;
	http_call_cancel(a->health->etcd_call);
	http_call_cancel(a->health->kubelet_call);
	http_client_free(a->health->client);
	free(TAKE_PTR(a->health));
}
