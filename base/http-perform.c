// One request on a private loop, for command-line programs.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "base/http.h"

#include <errno.h>

struct perform {
	struct http_result *result;
	bool is_done;
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user);
};

static const char *keep(struct http_result *result, size_t i, const char *text)
{
	result->owned[i] = text ? strdup(text) : NULL;
	if (text && !result->owned[i])
		result->response.error = -ENOMEM;
	return result->owned[i];
}

static void on_response(const struct http_response *response, void *user)
{
	struct perform *perform = user;
	struct http_result *result = perform->result;
	struct http_response *copy = &result->response;

	*copy = *response;
	char *body = malloc(response->n_body + 1);
	if (body)
		memcpy(body, response->body, response->n_body + 1);
	else
		copy->error = -ENOMEM;
	copy->body = result->owned[0] = body;
	copy->etag = keep(result, 1, response->etag);
	copy->content_type = keep(result, 2, response->content_type);
	copy->www_authenticate = keep(result, 3, response->www_authenticate);
	copy->docker_content_digest = keep(result, 4, response->docker_content_digest);
	copy->location = keep(result, 5, response->location);
	copy->retry_after = keep(result, 6, response->retry_after);
	copy->server_cert_pem = keep(result, 7, response->server_cert_pem);
	copy->link = keep(result, 8, response->link);
	perform->is_done = true;
}

static int on_progress(uint64_t n_done, uint64_t n_total, void *user)
{
	struct perform *perform = user;

	return perform->on_progress(n_done, n_total, NULL);
}

static int run(sd_event *event, const struct http_trust_config *config, const struct http_request *request,
	struct perform *perform)
{
	CLEANUP(http_client_freep) struct http_client *client = NULL;
	struct http_request own = *request;
	int r = http_client_new(event, config, &client);

	perform->on_progress = request->on_progress;
	if (own.on_progress)
		own.on_progress = on_progress; // with our user pointer there is none of the caller's
	if (r == 0)
		r = http_call_start(client, &own, on_response, perform, NULL);
	while (r >= 0 && !perform->is_done)
		r = sd_event_run(event, UINT64_MAX);
	return r < 0 ? r : 0;
}

int http_perform(const struct http_trust_config *config, const struct http_request *request, struct http_result *ret)
{
	struct perform perform = { .result = ret };
	sd_event *event = NULL;

	*ret = (struct http_result){ 0 };
	int r = sd_event_new(&event);
	if (r >= 0)
		r = run(event, config, request, &perform);
	sd_event_unref(event);
	if (r < 0)
		ret->response.error = diag_set(&ret->response.diag, r, request->url, "the request cannot be started: %s",
			strerror(-r));
	return ret->response.error;
}

void http_result_done(struct http_result *result)
{
	if (result->owned[0])
		crypto_wipe(result->owned[0], result->response.n_body);
	for (size_t i = 0; i < N_ELEMENTS(result->owned); i++)
		free(result->owned[i]);
	*result = (struct http_result){ 0 };
}
