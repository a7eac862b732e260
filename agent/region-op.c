// One question to the region: when it may be asked again, and what any answer to any question says of the region and of us.
// SPDX-License-Identifier: Apache-2.0
#include "agent/region-op.h"
#include "agent/region-exchange.h"
#include "base/json.h"
#include "base/time.h"
#include "base/timer.h"
#include <errno.h>

enum { BACKOFF_BASE_MSEC = 100, BACKOFF_CAP_SEC = 30 };

static int on_backoff_over(sd_event_source *source, uint64_t usec, void *user)
{
	struct region_op_state *op = user;
	op->waiting = false;
	region_client_kick(op->client);
	return 0;
}

void region_op_wait(struct region_op_state *op, uint64_t delay_usec)
{
	int r = timer_arm_new(op->client->event, &op->timer, delay_usec, 50 * USEC_PER_MSEC, on_backoff_over, op);
	op->waiting = r >= 0; // without a timer the next kick tries again
}

void region_op_failed(struct region_op_state *op, const char *problem, const char *retry_after)
{
	str_set(&op->problem, problem);
	uint64_t delay = time_backoff_usec(op->n_failures, BACKOFF_BASE_MSEC * USEC_PER_MSEC, BACKOFF_CAP_SEC * USEC_PER_SEC);
	if (op->n_failures < 16)
		op->n_failures++;
	if (retry_after) {
		long sec = strtol(retry_after, NULL, 10);
		if (sec > 0 && sec <= 3600)
			delay = (uint64_t)sec * USEC_PER_SEC;
	}
	region_op_wait(op, delay);
}

static void region_op_succeeded(struct region_op_state *op)
{
	op->n_failures = 0;
	str_set(&op->problem, NULL);
}

bool region_op_idle(const struct region_op_state *op)
{
	return !op->call && !op->waiting;
}

// The { "error", "code" } of a refusal. Texts live until value_free(*ret_document).
static void refusal_parse(const struct http_response *response, struct value **ret_document, const char **ret_code,
	const char **ret_error)
{
	*ret_code = "";
	*ret_error = "";
	if (json_parse(response->body, response->n_body, HELLO_MAX_BYTES, ret_document, NULL) < 0)
		return;
	const char *code = value_text(value_find(*ret_document, "code"));
	const char *error = value_text(value_find(*ret_document, "error"));
	*ret_code = code ? code : "";
	*ret_error = error ? error : "";
}

// No HTTP answer came.
static void on_no_answer(struct region_client *c, struct region_op_state *op, const struct http_response *response)
{
	str_set(&c->error, response->diag.message); // without the URL's query: the same words at every try
	c->error_url = op->url;
	c->contact = REGION_SILENT;
	if (response->error == -EKEYREJECTED)
		region_client_forget_hello(c); // another certificate, or our clock: a new hello tells
	region_client_url_failed(c, op->url);
	region_op_failed(op, c->error, NULL);
	region_client_changed(c);
}

static void on_refused_identity(struct region_client *c, const char *code, const char *error)
{
	if (str_equal(code, "revoked")) {
		c->enrol = ENROL_REVOKED;
	} else if (str_equal(code, "quarantined")) {
		c->enrol = ENROL_QUARANTINED;
	} else if (str_equal(code, "unknown-key") || str_equal(code, "foreign-certificate")) {
		identity_drop_certificate(c->identity); // a restored region: one approval takes us back
		c->clients_stale = true;
		c->enrol = ENROL_NONE;
	} else {
		return;
	}
	str_set(&c->enrol_sentence, error);
}

bool region_op_answered(struct region_op_state *op, const struct http_response *response)
{
	struct region_client *c = op->client;
	op->call = NULL;
	if (response->error < 0) {
		on_no_answer(c, op, response);
		return false;
	}
	if (op->op != REGION_OP_HELLO) // anybody may answer that; it counts when it was checked
		region_client_heard(c, time_boot_usec(), time_wall_msec());
	if (c->contact != REGION_FOUND && c->has_hello) {
		c->contact = REGION_FOUND;
		str_set(&c->error, NULL);
	}
	if (response->status / 100 == 2 || response->status == 304) {
		region_op_succeeded(op);
		return true;
	}
	struct value *document CLEANUP(value_freep) = NULL;
	const char *code, *error;
	refusal_parse(response, &document, &code, &error);
	char *problem AUTO_FREE = *error ? strdup(error) : str_format("HTTP status %d", response->status);
	if (response->status == 401 || response->status == 403 || response->status == 409)
		on_refused_identity(c, code, error);
	if (op->op == REGION_OP_ENROL)
		region_exchange_refused(c, response->status, code, problem);
	region_op_failed(op, problem, response->retry_after);
	region_client_changed(c);
	return false;
}
