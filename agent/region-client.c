// Decides what to ask next from what is there already (drive()); every answer changes the state and drives again, from
// a deferred event, so that no HTTP client is freed under its own callback.
// SPDX-License-Identifier: Apache-2.0
#include "agent/region-client.h"
#include "agent/region-exchange.h"
#include "agent/region-op.h"
#include "base/json.h"
#include "base/time.h"
#include <errno.h>

enum {
	POLL_WAIT_SEC = 50, // below the idle timeouts of usual NAT boxes
	POLL_TIMEOUT_SEC = 75,
	STATUS_EVERY_MSEC = 1000,
	HELLO_AGAIN_SEC = 3600, // signed time to slew by; between two of them an oscillator drifts by a third of a second
};

void region_client_kick(struct region_client *c)
{
	if (c->kick)
		(void)sd_event_source_set_enabled(c->kick, SD_EVENT_ONESHOT); // cannot fail for a live source
}

void region_client_changed(struct region_client *c)
{
	c->events.on_change(c->events.user);
	region_client_kick(c);
}

void region_client_forget_hello(struct region_client *c)
{
	c->has_hello = false;
	hello_done(&c->hello);
	c->clients_stale = true;
}

static void wipe_text(char **field)
{
	if (*field)
		crypto_wipe(*field, strlen(*field));
	free(*field);
	*field = NULL;
}

// --- answers ---

int64_t region_client_wall_msec(const struct region_client *c, uint64_t now_usec, int64_t wall_msec)
{
	if (!c->has_hello)
		return wall_msec;
	return c->hello.region_msec + (int64_t)((now_usec - c->hello_ended_usec) / USEC_PER_MSEC);
}

void region_client_heard(struct region_client *c, uint64_t now_usec, int64_t wall_msec)
{
	c->heard_usec = now_usec;
	if (!c->has_hello)
		return;
	int64_t region_msec = region_client_wall_msec(c, now_usec, wall_msec);
	c->heard_msec = region_msec < wall_msec ? region_msec : wall_msec;
}

bool region_client_take_hello(struct region_client *c, const struct hello *fresh)
{
	struct hello old = c->hello;
	uint64_t old_ended_usec = c->hello_ended_usec;
	bool same_ca = c->has_hello && str_equal(old.ca_pem, fresh->ca_pem);
	c->hello = *fresh;
	c->hello_ended_usec = time_boot_usec();
	region_exchange_check_ca(c);
	bool accepted = c->events.on_hello(fresh->region_msec, c->events.user) >= 0;
	if (!accepted && same_ca) {
		hello_done(&c->hello);
		c->hello = old;
		c->hello_ended_usec = old_ended_usec;
		return false;
	}
	hello_done(&old);
	c->has_hello = accepted;
	c->clients_stale |= !same_ca;
	return accepted;
}

static void on_hello(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct diag diag = { 0 };
	if (!region_op_answered(op, response)) {
		if (c->has_hello)
			return; // only the time was asked for, everything else goes on
		c->contact = REGION_SILENT; // an HTTP error is no hello either
		str_set(&c->error, op->problem);
		c->error_url = op->url;
		return;
	}
	uint64_t round_trip = time_boot_usec() - c->hello_started_usec;
	struct hello hello;
	c->contact = hello_check(response->body, response->n_body, c->hello_nonce, (const uint8_t(*)[32])c->pins, c->n_pins,
		round_trip, &hello, &diag);
	if (c->contact != REGION_FOUND) {
		str_set(&c->error, diag_text(&diag));
		c->error_url = op->url;
		region_client_url_failed(c, op->url);
		region_op_failed(op, c->error, NULL);
		region_client_changed(c);
		return;
	}
	str_set(&c->error, NULL);
	if (region_client_take_hello(c, &hello))
		region_client_heard(c, time_boot_usec(), time_wall_msec());
	else
		region_op_failed(op, "the region's time is not acceptable", NULL);
	region_client_changed(c);
}

static void on_renewed(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct value *document CLEANUP(value_freep) = NULL;
	struct diag diag = { 0 };
	const char *pem = NULL;
	if (!region_op_answered(op, response))
		return;
	if (json_parse(response->body, response->n_body, HELLO_MAX_BYTES, &document, &diag) < 0 ||
		value_string(value_find(document, "certificate"), "certificate", &pem, &diag) < 0 ||
		identity_set_certificate(c->identity, pem, &diag) < 0) {
		region_op_failed(op, diag_text(&diag), NULL);
	} else {
		c->clients_stale = true;
		c->events.on_certificate(c->events.user);
	}
	region_client_changed(c);
}

static void on_assignment(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct diag diag = { 0 };
	if (!region_op_answered(op, response))
		return;
	c->enrol = ENROL_APPROVED;
	if (response->status == 200) {
		str_set(&c->etag, response->etag);
		c->assignment_refused =
			c->events.on_assignment(response->body, response->n_body, &diag, c->events.user) < 0;
		if (c->assignment_refused)
			region_op_failed(op, diag_text(&diag), NULL);
	}
	c->assignment_answered = true;
	region_client_changed(c);
}

static void on_mesh(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct value *document CLEANUP(value_freep) = NULL;
	struct diag diag = { 0 };
	if (!region_op_answered(op, response))
		return;
	if (response->status == 200) {
		if (c->events.on_mesh(response->body, response->n_body, &diag, c->events.user) < 0) {
			str_set(&c->mesh_since, NULL); // a delta that does not fit: ask for all
			region_op_failed(op, diag_text(&diag), NULL);
		} else if (json_parse(response->body, response->n_body, 0, &document, NULL) == 0) {
			str_set(&c->mesh_since, value_text(value_find(document, "generation")));
		}
	}
	region_client_changed(c);
}

static void on_secrets(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct diag diag = { 0 };
	if (!region_op_answered(op, response))
		return;
	if (c->events.on_secrets(response->body, response->n_body, &diag, c->events.user) < 0)
		region_op_failed(op, diag_text(&diag), NULL);
	else
		c->has_secrets = true;
	region_client_changed(c);
}

static void on_status(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	if (!region_op_answered(op, response))
		return;
	region_op_wait(op, STATUS_EVERY_MSEC * USEC_PER_MSEC); // debounce
	region_client_kick(op->client);
}

static void on_cluster(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	if (!region_op_answered(op, response))
		return;
	wipe_text(&op->client->cluster);
	op->client->cluster_accepted = true;
	region_client_changed(op->client);
}

// --- questions ---

static void start(struct region_op_state *op, struct http_client *http, const char *method, const char *path,
	const char *body, const char *etag, unsigned timeout_sec, http_callback_t on_response)
{
	struct region_client *c = op->client;
	char boot_id[64], *match AUTO_FREE = NULL;
	char *url AUTO_FREE = str_format("%s%s", region_client_url(c), path);
	op->url = c->url;
	(void)snprintf(boot_id, sizeof(boot_id), "Hearth-Boot-Id: %s", c->boot_id); // fixed length
	if (etag)
		match = str_format("If-None-Match: %s", etag);
	const char *headers[] = { boot_id, body ? "Content-Type: application/json" : match, body ? match : NULL, NULL };
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = headers,
		.body = body,
		.n_body = body ? strlen(body) : 0,
		.timeout_usec = timeout_sec * USEC_PER_SEC,
		.connect_timeout_usec = 5 * USEC_PER_SEC,
	};
	int r = url ? http_call_start(http, &request, on_response, op, &op->call) : -ENOMEM;
	if (r < 0)
		region_op_failed(op, strerror(-r), NULL);
}

static void start_hello(struct region_client *c)
{
	crypto_random(c->hello_nonce, sizeof(c->hello_nonce));
	char *nonce AUTO_FREE = base64url_encode(c->hello_nonce, sizeof(c->hello_nonce));
	char *path AUTO_FREE = nonce ? str_format("/v1/hello?nonce=%s", nonce) : NULL;
	if (!path)
		return;
	if (c->contact == REGION_UNTRIED)
		c->contact = REGION_TRYING;
	c->hello_started_usec = time_boot_usec();
	start(&c->ops[REGION_OP_HELLO], c->hello_client, "GET", path, NULL, NULL, HELLO_MAX_ROUND_TRIP_SEC, on_hello);
}

static void on_exchange(const struct http_response *response, void *user)
{
	struct region_op_state *op = user;
	struct region_client *c = op->client;
	struct diag diag = { 0 };
	if (!region_op_answered(op, response))
		return;
	if (region_exchange_answer(c, response->body, response->n_body, &diag) < 0) {
		c->enrol = ENROL_REFUSED;
		str_set(&c->enrol_sentence, diag_text(&diag));
		region_op_failed(op, c->enrol_sentence, NULL);
	} else if (c->enrol == ENROL_DENIED || c->enrol == ENROL_UNCONFIRMED || c->enrol == ENROL_CLOSED) {
		region_op_wait(op, 5 * USEC_PER_SEC); // only a person changes these; look again now and then
	}
	region_client_changed(c);
}

static void start_exchange(struct region_client *c)
{
	char *method = NULL, *path AUTO_FREE = NULL, *body = NULL;
	unsigned timeout_sec = 0;
	if (region_exchange_next(c, POLL_WAIT_SEC, &method, &path, &body) < 0) {
		region_op_wait(&c->ops[REGION_OP_ENROL], USEC_PER_SEC);
		return;
	}
	if (str_equal(method, "GET"))
		timeout_sec = POLL_TIMEOUT_SEC;
	start(&c->ops[REGION_OP_ENROL], c->key_client, method, path, body, NULL, timeout_sec, on_exchange);
	wipe_text(&body); // it may hold the token
}

static void start_renew(struct region_client *c)
{
	char *csr AUTO_FREE = NULL;
	struct json_out out = { 0 };
	if (key_csr_pem(c->identity->key, "hearth-node", &csr) < 0)
		return;
	json_out_object_begin(&out);
	json_out_member(&out, "csr", csr);
	json_out_object_end(&out);
	char *body AUTO_FREE = json_out_take(&out);
	if (body)
		start(&c->ops[REGION_OP_RENEW], c->node_client, "POST", "/v1/renew", body, NULL, 0, on_renewed);
}

static void start_polls(struct region_client *c)
{
	char path[192];
	if (region_op_idle(&c->ops[REGION_OP_ASSIGNMENT])) {
		// The first one is no long poll: that what STATE holds still stands is worth knowing at once.
		(void)snprintf(path, sizeof(path), "/v1/assignment?waitSec=%d",
			c->etag && c->assignment_answered ? POLL_WAIT_SEC : 0); // short
		if (!c->etag && c->enrol == ENROL_APPROVED && c->ops[REGION_OP_ASSIGNMENT].problem)
			(void)snprintf(path, sizeof(path), "/v1/assignment?waitSec=%d", POLL_WAIT_SEC); // short
		start(&c->ops[REGION_OP_ASSIGNMENT], c->node_client, "GET", path, NULL, c->etag, POLL_TIMEOUT_SEC, on_assignment);
	}
	if (c->wants_mesh && region_op_idle(&c->ops[REGION_OP_MESH])) {
		(void)snprintf(path, sizeof(path), "/v1/mesh?waitSec=%d%s%s", c->mesh_since ? POLL_WAIT_SEC : 0,
			c->mesh_since ? "&since=" : "", c->mesh_since ? c->mesh_since : ""); // generations are <= 63
		start(&c->ops[REGION_OP_MESH], c->node_client, "GET", path, NULL, NULL, POLL_TIMEOUT_SEC, on_mesh);
	}
}

static void start_rest(struct region_client *c)
{
	if (c->wants_secrets && !c->has_secrets && region_op_idle(&c->ops[REGION_OP_SECRETS]))
		start(&c->ops[REGION_OP_SECRETS], c->node_client, "GET", "/v1/secrets", NULL, NULL, 0, on_secrets);
	if (c->cluster && region_op_idle(&c->ops[REGION_OP_CLUSTER]))
		start(&c->ops[REGION_OP_CLUSTER], c->node_client, "PUT", "/v1/cluster", c->cluster, NULL, 0, on_cluster);
	if (c->status && region_op_idle(&c->ops[REGION_OP_STATUS])) {
		char *body AUTO_FREE = TAKE_PTR(c->status);
		start(&c->ops[REGION_OP_STATUS], c->node_client, "PUT", "/v1/status", body, NULL, 0, on_status);
	}
}

static void cancel_calls(struct region_client *c)
{
	for (int i = 0; i < N_REGION_OPS; i++) {
		http_call_cancel(c->ops[i].call);
		c->ops[i].call = NULL;
	}
}

static int make_clients(struct region_client *c)
{
	if (!c->clients_stale)
		return 0;
	cancel_calls(c);
	c->key_client = http_client_free(c->key_client);
	c->node_client = http_client_free(c->node_client);
	int r = 0;
	if (c->has_hello) {
		struct http_trust_config config = {
			.trust = HTTP_TRUST_CA,
			.ca_pem = c->hello.ca_pem,
			.client_cert_pem = c->identity->self_cert_pem,
			.client_key_pem = c->identity->key_pem,
			.proxy = c->proxy,
		};
		r = http_client_new(c->event, &config, &c->key_client);
		config.client_cert_pem = c->identity->cert_pem;
		if (r >= 0 && c->identity->cert_pem)
			r = http_client_new(c->event, &config, &c->node_client);
	}
	c->clients_stale = r < 0;
	return r;
}

static void drive(struct region_client *c)
{
	uint64_t now_usec = time_boot_usec();
	if (c->n_urls == 0 || !c->identity || make_clients(c) < 0)
		return;
	bool hello_is_old = c->node_client && now_usec - c->hello_ended_usec >= HELLO_AGAIN_SEC * USEC_PER_SEC;
	if ((!c->has_hello || hello_is_old) && region_op_idle(&c->ops[REGION_OP_HELLO]))
		start_hello(c);
	if (!c->has_hello)
		return;
	if (!c->node_client) {
		if (region_op_idle(&c->ops[REGION_OP_ENROL]))
			start_exchange(c);
		return;
	}
	int64_t now_sec = region_client_wall_msec(c, now_usec, time_wall_msec()) / 1000;
	if (identity_wants_renewal(c->identity, now_sec) && region_op_idle(&c->ops[REGION_OP_RENEW]))
		start_renew(c);
	if (identity_expired(c->identity, now_sec))
		return;
	start_polls(c);
	start_rest(c);
}

static int on_kick(sd_event_source *source, void *user)
{
	drive(user);
	return 0;
}

// --- the owner's side ---

int region_client_new(sd_event *event, const struct region_events *events, struct identity *identity, bool durable,
	const char *exchange_path, struct region_client **ret)
{
	struct region_client *c CLEANUP(region_client_freep) = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	uint8_t random[16];
	crypto_random(random, sizeof(random));
	hex_encode(random, sizeof(random), c->boot_id);
	c->event = sd_event_ref(event);
	c->events = *events;
	c->identity = identity;
	c->durable = durable;
	c->enrol = identity->cert_pem ? ENROL_APPROVED : ENROL_NONE;
	for (int i = 0; i < N_REGION_OPS; i++)
		c->ops[i] = (struct region_op_state){ .client = c, .op = i };
	if (!(c->exchange_path = strdup(exchange_path)))
		return -ENOMEM;
	struct http_trust_config nothing = { .trust = HTTP_TRUST_NOTHING };
	int r = http_client_new(event, &nothing, &c->hello_client);
	if (r >= 0)
		r = sd_event_add_defer(event, &c->kick, on_kick, c);
	if (r < 0)
		return r;
	region_exchange_load(c);
	*ret = TAKE_PTR(c);
	return 0;
}

struct region_client *region_client_free(struct region_client *c)
{
	if (!c)
		return NULL;
	cancel_calls(c);
	for (int i = 0; i < N_REGION_OPS; i++) {
		sd_event_source_disable_unref(c->ops[i].timer);
		free(c->ops[i].problem);
	}
	sd_event_source_disable_unref(c->kick);
	http_client_free(c->hello_client);
	http_client_free(c->key_client);
	http_client_free(c->node_client);
	hello_done(&c->hello);
	for (size_t i = 0; i < c->n_urls; i++)
		free(c->urls[i]);
	wipe_text(&c->token);
	wipe_text(&c->proxy);
	wipe_text(&c->cluster);
	free(c->error);
	free(c->enrol_sentence);
	free(c->token_sentence);
	free(c->name);
	free(c->exchange_path);
	free(c->exchange_id);
	free(c->etag);
	free(c->mesh_since);
	free(c->status);
	sd_event_unref(c->event);
	free(c);
	return NULL;
}

static bool same_region(const struct region_client *c, const char *const *urls, size_t n_urls,
	const uint8_t (*pins)[32], size_t n_pins)
{
	if (c->n_urls != n_urls || c->n_pins != n_pins)
		return false;
	for (size_t i = 0; i < n_urls; i++)
		if (!str_equal(c->urls[i], urls[i]))
			return false;
	return n_pins == 0 || memcmp(c->pins, pins, n_pins * 32) == 0;
}

int region_client_set_region(struct region_client *c, const char *const *urls, size_t n_urls, const uint8_t (*pins)[32],
	size_t n_pins, const char *token)
{
	if (n_urls > SEED_MAX_URLS || n_pins > SEED_MAX_PINS)
		return -EINVAL;
	wipe_text(&c->token);
	str_set(&c->token, n_pins ? token : NULL); // without a pin no token is ever sent
	if (same_region(c, urls, n_urls, pins, n_pins))
		return 0;
	for (size_t i = 0; i < c->n_urls; i++)
		free(c->urls[i]);
	c->n_urls = 0;
	for (size_t i = 0; i < n_urls; i++) {
		if (!(c->urls[i] = strdup(urls[i])))
			return -ENOMEM;
		c->n_urls = i + 1;
	}
	if (n_pins)
		memcpy(c->pins, pins, n_pins * 32);
	c->n_pins = n_pins;
	c->url = c->error_url = 0;
	c->contact = REGION_UNTRIED;
	c->assignment_answered = c->assignment_refused = false; // another one was asked
	cancel_calls(c);
	region_client_forget_hello(c);
	region_client_kick(c);
	return 0;
}

int region_client_set_proxy(struct region_client *c, const char *proxy)
{
	struct http_trust_config nothing = { .trust = HTTP_TRUST_NOTHING, .proxy = proxy };
	struct http_client *fresh = NULL;
	if (str_equal(c->proxy, proxy))
		return 0;
	char *copy = proxy ? strdup(proxy) : NULL;
	int r = proxy && !copy ? -ENOMEM : http_client_new(c->event, &nothing, &fresh);
	if (r < 0) {
		wipe_text(&copy);
		return r;
	}
	cancel_calls(c);
	http_client_free(c->hello_client);
	c->hello_client = fresh;
	wipe_text(&c->proxy);
	c->proxy = copy;
	c->clients_stale = true;
	region_client_hurry(c);
	return 0;
}

const char *region_client_url(const struct region_client *c)
{
	return c->n_urls ? c->urls[c->url % c->n_urls] : "";
}

void region_client_url_failed(struct region_client *c, size_t url)
{
	if (c->n_urls && c->url == url)
		c->url = (url + 1) % c->n_urls;
}

void region_client_set_known(struct region_client *c, const char *assignment_generation, const char *mesh_since)
{
	char *etag AUTO_FREE = assignment_generation ? str_format("\"%s\"", assignment_generation) : NULL;
	str_set(&c->etag, etag);
	str_set(&c->mesh_since, mesh_since);
}

void region_client_forget_assignment(struct region_client *c)
{
	str_set(&c->etag, NULL);
}

void region_client_want_mesh(struct region_client *c, bool wanted)
{
	if (wanted && !c->wants_mesh)
		region_client_kick(c);
	c->wants_mesh = wanted;
}

void region_client_want_secrets(struct region_client *c, bool wanted)
{
	if (wanted && !c->wants_secrets)
		region_client_kick(c);
	c->wants_secrets = wanted;
}

void region_client_forget_secrets(struct region_client *c)
{
	c->has_secrets = false;
	region_client_kick(c);
}

int region_client_confirm(struct region_client *c, const char *code)
{
	char typed[CODE_TEXT];
	if (!c->code[0] || enrol_code_normalise(code, typed) < 0 || !str_equal(typed, c->code))
		return -EINVAL;
	c->confirmed = true;
	region_client_hurry(c);
	return 0;
}

void region_client_send_status(struct region_client *c, char *json_take)
{
	free(c->status);
	c->status = json_take;
	region_client_kick(c);
}

void region_client_send_cluster(struct region_client *c, char *json_take)
{
	wipe_text(&c->cluster);
	c->cluster = json_take;
	c->cluster_accepted = false;
	str_set(&c->ops[REGION_OP_CLUSTER].problem, NULL); // that was said of another one
	region_client_kick(c);
}

void region_client_hurry(struct region_client *c)
{
	for (int i = 0; i < N_REGION_OPS; i++) {
		if (i == REGION_OP_STATUS)
			continue; // its wait is a debounce, not a backoff
		c->ops[i].n_failures = 0;
		if (c->ops[i].waiting && c->ops[i].timer)
			(void)sd_event_source_set_enabled(c->ops[i].timer, SD_EVENT_OFF); // live source
		c->ops[i].waiting = false;
	}
	region_client_kick(c);
}

void region_client_reconnect(struct region_client *c)
{
	// An enrolment that was sent may have been taken: the region gives out only one code a minute, so its answer counts.
	if (!c->ops[REGION_OP_ENROL].call) {
		cancel_calls(c);
		c->clients_stale = true; // their connections go with them
	}
	region_client_hurry(c);
}
