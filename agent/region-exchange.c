// SPDX-License-Identifier: Apache-2.0
#include "agent/region-exchange.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include <errno.h>

enum { EXCHANGE_MAX_BYTES = 64 << 10 };

static void exchange_forget(struct region_client *c)
{
	free(TAKE_PTR(c->exchange_id));
	c->nonce_sent = c->durable_sent = false;
	c->confirmed = false; // a person compared this exchange's code, no later one
	c->code[0] = '\0';
	(void)file_remove(c->exchange_path); // in /run; a leftover is found out by the region's 404
}

void region_exchange_check_ca(struct region_client *c)
{
	if (!c->code[0] || memcmp(c->code_pin, c->hello.ca_pin, sizeof(c->code_pin)) == 0)
		return;
	exchange_forget(c);
	if (c->enrol != ENROL_REVOKED && c->enrol != ENROL_QUARANTINED)
		c->enrol = ENROL_NONE;
}

static char *post_body(struct region_client *c)
{
	uint8_t commitment[32];
	enrol_commitment(c->node_nonce, c->identity->spki, c->identity->n_spki, commitment);
	char *commitment_text AUTO_FREE = base64_encode(commitment, sizeof(commitment));
	char *facts AUTO_FREE = c->events.facts_json(c->events.user);
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "commitment", commitment_text);
	if (c->token)
		json_out_member(&out, "token", c->token);
	json_out_key(&out, "facts");
	json_out_raw(&out, facts ? facts : "{}");
	json_out_member(&out, "wgPublicKey", c->identity->mesh.current);
	json_out_member_bool(&out, "durable", c->durable);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static char *put_body(struct region_client *c)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	if (!c->nonce_sent) {
		char *nonce AUTO_FREE = base64_encode(c->node_nonce, sizeof(c->node_nonce));
		json_out_member(&out, "nodeNonce", nonce);
	} else {
		json_out_member_bool(&out, "durable", true);
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

int region_exchange_next(struct region_client *c, unsigned wait_sec, char **ret_method, char **ret_path, char **ret_body)
{
	*ret_body = NULL;
	if (!c->exchange_id) {
		crypto_random(c->node_nonce, sizeof(c->node_nonce));
		*ret_method = (char *)"POST";
		*ret_path = strdup("/v1/enrolments");
		*ret_body = post_body(c);
		if (c->enrol == ENROL_NONE)
			c->enrol = ENROL_ASKING;
		return *ret_path && *ret_body ? 0 : -ENOMEM;
	}
	if (!c->nonce_sent || (c->enrol == ENROL_RESERVED && c->durable && !c->durable_sent)) {
		*ret_method = (char *)"PUT";
		*ret_path = str_format("/v1/enrolments/%s", c->exchange_id);
		*ret_body = put_body(c);
		return *ret_path && *ret_body ? 0 : -ENOMEM;
	}
	// The first look of this start must not wait: the state is not known yet, only the exchange.
	bool known = c->enrol != ENROL_NONE && c->enrol != ENROL_ASKING && c->enrol != ENROL_REFUSED;
	*ret_method = (char *)"GET";
	*ret_path = str_format("/v1/enrolments/%s?waitSec=%u", c->exchange_id, known ? wait_sec : 0);
	return *ret_path ? 0 : -ENOMEM;
}

static void exchange_save(const struct region_client *c)
{
	char node[65], region[65];
	struct json_out out = { 0 };
	hex_encode(c->node_nonce, 32, node);
	hex_encode(c->region_nonce, 32, region);
	json_out_object_begin(&out);
	json_out_member(&out, "id", c->exchange_id);
	json_out_member(&out, "nodeNonce", node);
	json_out_member(&out, "regionNonce", region);
	json_out_member_bool(&out, "nonceSent", c->nonce_sent);
	json_out_member(&out, "tokenSentence", c->token_sentence);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	if (text)
		(void)file_write_volatile(c->exchange_path, text, strlen(text), 0600, NULL); // without it: a new exchange
}

void region_exchange_load(struct region_client *c)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const char *id, *node, *region;
	bool sent = false;
	if (json_load(c->exchange_path, EXCHANGE_MAX_BYTES, &document, NULL) < 0 ||
		value_string(value_find(document, "id"), "id", &id, NULL) < 0 ||
		value_string(value_find(document, "nodeNonce"), "nodeNonce", &node, NULL) < 0 ||
		value_string(value_find(document, "regionNonce"), "regionNonce", &region, NULL) < 0 ||
		value_bool(value_find(document, "nonceSent"), "nonceSent", &sent, NULL) < 0 ||
		hex_decode(node, c->node_nonce, 32) < 0 || hex_decode(region, c->region_nonce, 32) < 0)
		return;
	str_set(&c->exchange_id, id);
	str_set(&c->token_sentence, value_text(value_find(document, "tokenSentence")));
	c->nonce_sent = sent;
}

// The answer to POST: id, the region's nonce, its CA as a second look.
static int take_new(struct region_client *c, const struct value *document, struct diag *reterr)
{
	const char *id = NULL, *nonce = NULL, *ca = NULL;
	uint8_t *bytes AUTO_FREE = NULL;
	size_t n = 0;
	struct cert_facts facts CLEANUP(cert_facts_done) = { 0 };
	int r;
	if ((r = value_string(value_find(document, "id"), "id", &id, reterr)) < 0 ||
		(r = value_string(value_find(document, "regionNonce"), "regionNonce", &nonce, reterr)) < 0 ||
		(r = value_string(value_find(document, "ca"), "ca", &ca, reterr)) < 0 ||
		(r = cert_facts_from_pem(ca, &facts, reterr)) < 0)
		return r;
	if (strlen(id) > 128 || id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return diag_set(reterr, -EBADMSG, "id", "must be lower-case letters, digits and dashes");
	if (base64_decode(nonce, &bytes, &n) < 0 || n != 32)
		return diag_set(reterr, -EBADMSG, "regionNonce", "must be base64 of 32 bytes");
	if (memcmp(facts.spki_sha256, c->hello.ca_pin, 32) != 0)
		return diag_set(reterr, -EKEYREJECTED, "ca", "is another CA than the one of the hello");
	memcpy(c->region_nonce, bytes, 32);
	str_set(&c->exchange_id, id);
	str_set(&c->token_sentence, value_text(value_find(document, "tokenSentence")));
	c->nonce_sent = c->durable_sent = false;
	exchange_save(c);
	return 0;
}

static enum enrol_state state_from(const char *text)
{
	static const struct {
		const char *text;
		enum enrol_state state;
	} states[] = {
		{ "pending", ENROL_PENDING },   { "reserved", ENROL_RESERVED }, { "approved", ENROL_APPROVED },
		{ "denied", ENROL_DENIED },     { "closed", ENROL_CLOSED },     { "revoked", ENROL_REVOKED },
		{ "quarantined", ENROL_QUARANTINED },
	};
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		if (str_equal(states[i].text, text))
			return states[i].state;
	return ENROL_NONE;
}

static int take_certificate(struct region_client *c, const char *pem, struct diag *reterr)
{
	if (c->n_pins == 0 && !c->confirmed) {
		c->enrol = ENROL_UNCONFIRMED;
		return 0;
	}
	int r = c->events.on_admitted(reterr, c->events.user);
	if (r == 0)
		r = identity_set_certificate(c->identity, pem, reterr);
	if (r < 0)
		return r;
	c->enrol = ENROL_APPROVED;
	c->clients_stale = true;
	exchange_forget(c);
	c->events.on_certificate(c->events.user);
	return 0;
}

int region_exchange_answer(struct region_client *c, const char *json, size_t n, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const char *state_text = NULL;
	int r = json_parse(json, n, EXCHANGE_MAX_BYTES, &document, reterr);
	if (r < 0)
		return r;
	bool created = value_find(document, "regionNonce") != NULL;
	if (created && !c->exchange_id) {
		if ((r = take_new(c, document, reterr)) < 0)
			return r;
	} else if (!c->nonce_sent) {
		c->nonce_sent = true;
		exchange_save(c);
	} else if (c->enrol == ENROL_RESERVED && c->durable) {
		c->durable_sent = true;
	}
	if ((r = value_string(value_find(document, "state"), "state", &state_text, reterr)) < 0)
		return r;
	enum enrol_state state = state_from(state_text);
	if (state == ENROL_NONE)
		return diag_set(reterr, -EBADMSG, "state", "must be a known state, not \"%s\"", state_text);
	if (c->nonce_sent && !c->code[0]) {
		enrol_code(c->identity->spki, c->identity->n_spki, c->hello.ca_spki, c->hello.n_ca_spki, c->node_nonce,
			c->region_nonce, c->code);
		memcpy(c->code_pin, c->hello.ca_pin, sizeof(c->code_pin));
	}
	// Approved counts with the certificate in hand, waiting with the code on the screen.
	c->enrol = state == ENROL_APPROVED || !c->nonce_sent ? ENROL_ASKING : state;
	str_set(&c->enrol_sentence, value_text(value_find(document, "sentence")));
	str_set(&c->name, value_text(value_find(document, "name")));
	if (c->name)
		utf8_make_printable(c->name); // shown on terminals, and without a pin it is anybody's word
	const char *pem = value_text(value_find(document, "certificate"));
	if (state == ENROL_APPROVED && pem)
		return take_certificate(c, pem, reterr);
	if (state == ENROL_CLOSED)
		exchange_forget(c);
	return 0;
}

void region_exchange_refused(struct region_client *c, int status, const char *code, const char *problem)
{
	// The region no longer knows it, or it was made with a key that is no more: a new one.
	if (status == 404 || str_equal(code, "not-yours")) {
		exchange_forget(c);
		c->enrol = ENROL_NONE;
		return;
	}
	if (c->enrol == ENROL_REVOKED || c->enrol == ENROL_QUARANTINED)
		return; // already said
	if (status == 429 && c->enrol == ENROL_CLOSED)
		return; // the new code comes when the minute is over
	c->enrol = ENROL_REFUSED;
	str_set(&c->enrol_sentence, problem);
}
