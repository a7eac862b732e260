// A small asynchronous Kubernetes API client: get, list, server-side apply, and a Lease. Client certificate only.
// Paths are the API's own ("/api/v1/nodes/x"). Source: kubernetes.io "Server-Side Apply", "Leases"; client-go
// tools/leaderelection for the rule when a Lease may be taken over.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http.h"
#include "base/value.h"
#include "k3s/kubeconfig.h"

struct kube;
/* @kubeconfig must have its *_pem (kubeconfig_load). Copied. @event borrowed. */
int kube_new(sd_event *event, const struct kubeconfig *kubeconfig, struct kube **ret, struct diag *reterr);
struct kube *kube_free(struct kube *kube); // cancels all calls, no callbacks
DEFINE_CLEANUP(kube)

struct kube_answer {
	int error;                  // 0; -ENOENT (404), -EACCES (401, 403), -EAGAIN (409, 429, 5xx), -EBADMSG (no JSON), or of the connection
	int status;                 // HTTP status, 0 without one
	const struct diag *diag;    // when error != 0: the apiserver's own message
	const struct value *object; // when error == 0; borrowed for the callback
	const struct value *refusal; // the Status object of a refusal, or NULL; as above
};
typedef void (*kube_callback_t)(const struct kube_answer *answer, void *user);

// Each starts one request; the callback runs once from the event loop, unless the client is freed before.
int kube_get(struct kube *kube, const char *path, kube_callback_t on_answer, void *user);
/* Server-side apply: PATCH @path with @body (JSON or YAML of one object), fieldManager @manager; @force takes over
 * fields of other managers. */
int kube_apply(struct kube *kube, const char *path, const char *body, const char *manager, bool force,
	kube_callback_t on_answer, void *user);
// POST (create), PUT (replace) and PATCH (JSON merge patch) of a JSON body; DELETE with or without one.
int kube_request(struct kube *kube, const char *method, const char *path, const char *json, kube_callback_t on_answer,
	void *user);
/* Cancel every call whose callback gets @user; no callbacks. For objects that go away while the client stays.
 * kube_free() must not be called from inside a callback: drop the client from the next event instead. */
void kube_forget(struct kube *kube, const void *user);
// "/api/v1/nodes/NAME"; caller frees.
char *kube_node_path(const char *node);
