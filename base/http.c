// libcurl's multi interface on sd-event: one client, its calls, and who may free what while a callback runs. What one
// transfer is told lives in http-call.c, what came of it (errors to errno and sentences) in http-error.c.
// SPDX-License-Identifier: Apache-2.0
#include "base/http-call.h"
#include "base/time.h"
#include "base/timer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

enum { MAX_IDLE_CONNECTIONS = 4 };

struct watch { // a socket of libcurl's; a call's connection, or the waking pipe of its resolver
	struct http_client *client;
	sd_event_source *source;
};

static void finish_calls(struct http_client *client);

// libcurl and callbacks of users run between enter and leave; what must not be freed under them is freed by leave.
static void client_enter(struct http_client *client)
{
	client->n_entered++;
}

static void client_destroy(struct http_client *client);

static void client_leave(struct http_client *client)
{
	if (--client->n_entered == 0 && client->is_dead)
		client_destroy(client);
}

static void drive(struct http_client *client, curl_socket_t fd, int what)
{
	int n_running;

	client_enter(client);
	client->in_curl = true;
	(void)curl_multi_socket_action(client->multi, fd, what, &n_running); // its calls report by themselves
	client->in_curl = false;
	finish_calls(client);
	client_leave(client);
}

static int on_socket_event(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct watch *watch = user;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	drive(watch->client, fd, what);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	drive(user, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static void watch_free(struct watch *watch)
{
	if (watch)
		sd_event_source_disable_unref(watch->source);
	free(watch);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct http_client *client = user;
	struct watch *watch = socket_user;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	if (what == CURL_POLL_REMOVE) {
		watch_free(watch);
		return 0;
	}
	if (watch)
		return sd_event_source_set_io_events(watch->source, events) < 0 ? -1 : 0;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -1;
	watch->client = client;
	if (sd_event_add_io(client->event, &watch->source, fd, events, on_socket_event, watch) < 0 ||
		curl_multi_assign(client->multi, fd, watch) != CURLM_OK) {
		watch_free(watch);
		return -1;
	}
	return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_msec, void *user)
{
	struct http_client *client = user;

	if (timeout_msec < 0)
		return sd_event_source_set_enabled(client->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	return timer_arm(client->timer, (uint64_t)timeout_msec * USEC_PER_MSEC) < 0 ? -1 : 0;
}

static void call_unlink(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->previous)
		call->previous->next = call->next;
	else
		client->calls = call->next;
	if (call->next)
		call->next->previous = call->previous;
}

static void call_discard(struct http_call *call)
{
	if (call->is_added)
		(void)curl_multi_remove_handle(call->client->multi, call->easy); // fails only inside libcurl's callbacks
	call_unlink(call);
	http_call_free(call);
}

static void finish_call(struct http_call *call, CURLcode code)
{
	struct http_client *client = call->client;

	(void)curl_multi_remove_handle(client->multi, call->easy); // we are outside libcurl's callbacks
	call->is_added = false;
	if (!call->is_cancelled && http_call_redirect(call, code)) {
		if (curl_multi_add_handle(client->multi, call->easy) == CURLM_OK) {
			call->is_added = true;
			return;
		}
		code = CURLE_OUT_OF_MEMORY;
	}
	if (!call->is_cancelled) {
		struct http_response response;
		http_call_result(call, code, &response);
		call->in_callback = true;
		call->on_response(&response, call->user);
	}
	call_discard(call);
}

static void finish_calls(struct http_client *client)
{
	CURLMsg *message;
	struct http_call *call;
	int n_left;

	while ((message = curl_multi_info_read(client->multi, &n_left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result; // the message does not survive what follows
		if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK)
			finish_call(call, code);
	}
}

static void client_destroy(struct http_client *client)
{
	for (struct http_call *call = client->calls, *next; call; call = next) {
		next = call->next;
		call_discard(call);
	}
	if (client->multi)
		(void)curl_multi_cleanup(client->multi); // closes idle connections, which removes their watches
	sd_event_source_disable_unref(client->timer);
	sd_event_unref(client->event);
	http_trust_done(&client->trust);
	free(client);
}

struct http_client *http_client_free(struct http_client *client)
{
	if (!client)
		return NULL;
	client->is_dead = true;
	for (struct http_call *call = client->calls; call; call = call->next)
		call->is_cancelled = true;
	if (client->n_entered == 0)
		client_destroy(client);
	return NULL;
}

int http_client_new(sd_event *event, const struct http_trust_config *config, struct http_client **ret)
{
	static bool is_initialised;
	CLEANUP(http_client_freep) struct http_client *client = NULL;

	if (!is_initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	is_initialised = true;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	int r = http_trust_copy(config, &client->trust);
	if (r < 0)
		return r;
	client->event = sd_event_ref(event);
	client->multi = curl_multi_init();
	if (!client->multi)
		return -ENOMEM;
	r = sd_event_add_time(event, &client->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, client);
	if (r < 0)
		return r;
	if ((r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF)) < 0)
		return r;
	if (curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
		curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
		curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
		curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK ||
		curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)MAX_IDLE_CONNECTIONS) != CURLM_OK)
		return -ENOMEM;
	*ret = TAKE_PTR(client);
	return 0;
}

int http_call_start(struct http_client *client, const struct http_request *request, http_callback_t on_response,
	void *user, struct http_call **ret)
{
	struct http_call *call;

	if (client->is_dead)
		return -ESHUTDOWN;
	int r = http_call_new(client, request, &call);
	if (r < 0)
		return r;
	call->on_response = on_response;
	call->user = user;
	call->next = client->calls;
	if (call->next)
		call->next->previous = call;
	client->calls = call;
	// Nothing runs in here: libcurl only asks for a timer of 0 ms.
	if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
		call_discard(call);
		return -ENOMEM;
	}
	call->is_added = true;
	if (ret)
		*ret = call;
	return 0;
}

void http_call_cancel(struct http_call *call)
{
	if (!call || call->in_callback) // it ends by itself
		return;
	call->is_cancelled = true;
	if (!call->client->in_curl)
		call_discard(call);
}
