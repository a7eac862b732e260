// Requests to one apiserver over one http client. What the answers mean is the callers' business.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/kube.h"
#include "base/json.h"
#include <errno.h>

enum { CALL_TIMEOUT_SEC = 15 };

struct kube_call {
	struct kube *kube;
	struct kube_call *next;
	struct http_call *http;
	kube_callback_t on_answer;
	void *user;
};

struct kube {
	char *server;
	struct http_client *client;
	struct kube_call *calls;
};

int kube_new(sd_event *event, const struct kubeconfig *kubeconfig, struct kube **ret, struct diag *reterr)
{
	struct kube *kube CLEANUP(kube_freep) = calloc(1, sizeof(*kube));
	int r;

	if (!kube)
		return -ENOMEM;
	if (!kubeconfig->ca_pem || !kubeconfig->cert_pem || !kubeconfig->key_pem)
		return diag_set(reterr, -EINVAL, "kubeconfig", "needs a CA, a client certificate and its key");
	kube->server = strdup(kubeconfig->server);
	if (!kube->server)
		return -ENOMEM;
	r = http_client_new(event,
		&(struct http_trust_config){.trust = HTTP_TRUST_CA, .ca_pem = kubeconfig->ca_pem,
			.client_cert_pem = kubeconfig->cert_pem, .client_key_pem = kubeconfig->key_pem},
		&kube->client);
	if (r < 0)
		return diag_set(reterr, r, kube->server, "no client can be made: %s", strerror(-r));
	*ret = TAKE_PTR(kube);
	return 0;
}

struct kube *kube_free(struct kube *kube)
{
	if (!kube)
		return NULL;
	while (kube->calls) {
		struct kube_call *call = kube->calls;

		kube->calls = call->next;
		http_call_cancel(call->http);
		free(call);
	}
	http_client_free(kube->client);
	free(kube->server);
	free(kube);
	return NULL;
}

void kube_forget(struct kube *kube, const void *user)
{
	struct kube_call **at = &kube->calls;

	while (*at) {
		struct kube_call *call = *at;

		if (call->user != user) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		http_call_cancel(call->http);
		free(call);
	}
}

static void call_unlink(struct kube_call *call)
{
	for (struct kube_call **at = &call->kube->calls; *at; at = &(*at)->next)
		if (*at == call) {
			*at = call->next;
			return;
		}
}

static int status_error(int status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
	case 429:
		return -EAGAIN;
	default:
		return status >= 500 ? -EAGAIN : -EINVAL;
	}
}

static void answer_read(const struct kube *kube, const struct http_response *response, struct value **ret_document,
	struct diag *diag, struct kube_answer *answer)
{
	const char *message;

	if (response->error < 0) {
		answer->error = response->error;
		(void)diag_set(diag, answer->error, "", "the Kubernetes API %s cannot be reached: %s", kube->server,
			diag_text(&response->diag));
		return;
	}
	answer->status = response->status;
	if (json_parse(response->body, response->n_body, 0, ret_document, NULL) < 0) {
		answer->error = response->status >= 200 && response->status < 300 ? -EBADMSG
										  : status_error(response->status);
		(void)diag_set(diag, answer->error, "", "the Kubernetes API %s answered HTTP %d without JSON", kube->server,
			response->status);
		return;
	}
	if (response->status >= 200 && response->status < 300) {
		answer->object = *ret_document;
		return;
	}
	answer->error = status_error(response->status);
	answer->refusal = *ret_document;
	message = value_text(value_find(*ret_document, "message"));
	(void)diag_set(diag, answer->error, "", "the Kubernetes API refuses (HTTP %d): %s", response->status,
		message ? message : "no message");
}

static void on_response(const struct http_response *response, void *user)
{
	struct kube_call *call = user;
	struct value *document CLEANUP(value_freep) = NULL;
	struct diag diag = {0};
	struct kube_answer answer = {0};
	kube_callback_t on_answer = call->on_answer;
	void *on_answer_user = call->user;

	answer_read(call->kube, response, &document, &diag, &answer);
	if (answer.error < 0)
		answer.diag = &diag;
	call_unlink(call);
	free(call);
	on_answer(&answer, on_answer_user);
}

static int call_start(struct kube *kube, const char *method, const char *path, const char *content_type,
	const char *body, kube_callback_t on_answer, void *user)
{
	char *url AUTO_FREE = str_format("%s%s", kube->server, path);
	char *type AUTO_FREE = content_type ? str_format("Content-Type: %s", content_type) : NULL;
	const char *const headers[] = {"Accept: application/json", type, NULL};
	struct kube_call *call;
	int r;

	if (!url || (content_type && !type))
		return -ENOMEM;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct kube_call){.kube = kube, .on_answer = on_answer, .user = user};
	r = http_call_start(kube->client,
		&(struct http_request){.method = method, .url = url, .headers = headers, .body = body,
			.n_body = body ? strlen(body) : 0, .timeout_usec = CALL_TIMEOUT_SEC * UINT64_C(1000000)},
		on_response, call, &call->http);
	if (r < 0) {
		free(call);
		return r;
	}
	call->next = kube->calls;
	kube->calls = call;
	return 0;
}

int kube_get(struct kube *kube, const char *path, kube_callback_t on_answer, void *user)
{
	return call_start(kube, "GET", path, NULL, NULL, on_answer, user);
}

int kube_apply(struct kube *kube, const char *path, const char *body, const char *manager, bool force,
	kube_callback_t on_answer, void *user)
{
	char *full AUTO_FREE = str_format("%s?fieldManager=%s&force=%s", path, manager, force ? "true" : "false");

	if (!full)
		return -ENOMEM;
	return call_start(kube, "PATCH", full, "application/apply-patch+yaml", body, on_answer, user);
}

int kube_request(struct kube *kube, const char *method, const char *path, const char *json, kube_callback_t on_answer,
	void *user)
{
	const char *type = str_equal(method, "PATCH") ? "application/merge-patch+json" : "application/json";

	return call_start(kube, method, path, json ? type : NULL, json, on_answer, user);
}

char *kube_node_path(const char *node)
{
	return str_format("/api/v1/nodes/%s", node);
}
