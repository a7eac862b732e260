// /v1/enrolments: the exchange of a node that wants to become one, by token or by a person who
// compares a code. SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "base/contact.h"
#include "region/body.h"
#include "region/enrol-token.h"
#include "region/enrol.h"
#include "region/key-rotation-run.h"

#include <arpa/inet.h>
#include <errno.h>

// Who shares a limit: one IPv4 address, one IPv6 /64.
static void remote_group(const char *remote, char ret[static 64])
{
	struct in6_addr v6;
	(void)snprintf(ret, 64, "%s", remote);
	if (!strchr(remote, ':') || inet_pton(AF_INET6, remote, &v6) != 1)
		return;
	memset(v6.s6_addr + 8, 0, 8);
	(void)inet_ntop(AF_INET6, &v6, ret, 64); // 64 bytes hold any address
}

static int value_json(const struct value *value, char **ret)
{
	struct json_out out = { 0 };
	json_out_value(&out, value);
	*ret = json_out_take(&out);
	return *ret ? 0 : -ENOMEM;
}

static bool has_open_connection(const struct region *region, const struct enrolment *enrolment)
{
	for (const struct request *request = region->waiting; request; request = request->next)
		if (str_equal(request->topic, enrolment->id))
			return true;
	return false;
}

// Drop the pending entry longest unheard when a table is full. -EAGAIN when none may go.
static int make_room(struct region *region, const char *group)
{
	struct enrolment **entries;
	int64_t n_all = 0, n_group = 0;
	size_t n;
	int r = store_enrolment_count(region->store, NULL, &n_all);
	if (r < 0 || (r = store_enrolment_count(region->store, group, &n_group)) < 0)
		return r;
	bool group_full = n_group >= region->config->max_pending_per_address;
	if (!group_full && n_all < region->config->max_pending)
		return 0;
	r = store_enrolment_list_unheard(region->store, group_full ? group : "", &entries, &n);
	if (r < 0)
		return r;
	r = -EAGAIN;
	for (size_t i = 0; i < n && r == -EAGAIN; i++)
		if (!has_open_connection(region, entries[i]))
			r = store_enrolment_remove(region->store, entries[i]->id);
	enrolment_list_free(entries, n);
	return r;
}

static int answer_post(
	struct region *region, struct request *request, const struct enrolment *enrolment)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "id", enrolment->id);
	json_out_member(&out, "state", enrolment_state_name(enrolment->state));
	json_out_member(&out, "regionNonce", enrolment->region_nonce);
	json_out_member(&out, "ca", region->ca_pem);
	if (enrolment->token_problem[0]) {
		json_out_member(&out, "tokenProblem", enrolment->token_problem);
		json_out_member(&out, "tokenSentence", enrolment->token_sentence);
	}
	json_out_object_end(&out);
	request->commit = true;
	return request_answer_json(request, 201, &out);
}

static int fill_enrolment(struct region *region, const struct request *request,
	const struct enrolment_body *body, struct enrolment *enrolment)
{
	CLEANUP(node_freep) struct node *replaced = NULL;
	AUTO_FREE char *nonce = NULL;
	uint8_t random[NONCE_BYTES];
	crypto_random(random, sizeof(random));
	nonce = base64_encode(random, sizeof(random));
	enrolment->spki = base64_encode(request->spki, request->n_spki);
	if (!nonce || !enrolment->spki || value_json(body->facts, &enrolment->facts) < 0)
		return -ENOMEM;
	int r = hardware_find(region, request->key, body->uuid, body->serial, &replaced);
	if (r < 0)
		return r;
	id_generate("e-", enrolment->id);
	(void)snprintf(enrolment->key, sizeof(enrolment->key), "%s", request->key);
	(void)snprintf(
		enrolment->commitment, sizeof(enrolment->commitment), "%s", body->commitment);
	(void)snprintf(enrolment->region_nonce, sizeof(enrolment->region_nonce), "%s", nonce);
	(void)snprintf(enrolment->wg_public, sizeof(enrolment->wg_public), "%s", body->wg_public);
	(void)snprintf(enrolment->uuid, sizeof(enrolment->uuid), "%s", body->uuid);
	(void)snprintf(enrolment->serial, sizeof(enrolment->serial), "%s", body->serial);
	(void)snprintf(enrolment->remote, sizeof(enrolment->remote), "%s", request->remote);
	(void)snprintf(enrolment->replaces, sizeof(enrolment->replaces), "%s",
		replaced ? replaced->id : "");
	remote_group(request->remote, enrolment->remote_group);
	enrolment->durable = body->durable;
	enrolment->unauthenticated = body->unauthenticated_boot;
	enrolment->created_sec = enrolment->heard_sec = region_now_sec(region);
	return 0;
}

static void answer_retry_after(struct request *request, int64_t wait_sec)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%lld", (long long)wait_sec);
	request_answer_header(request, "Retry-After", text);
}

/* A new WireGuard key of a node wakes the whole cluster, and the old one has to be remembered: one
 * change an interval, counted from the last one or from the approval. created_sec of the exchange
 * of a node is that time: an exchange that changes no key keeps the one of its predecessor. */
static int wg_change_refused(struct region *region, struct request *request,
	const struct enrolment *old, bool *ret_refused)
{
	int64_t interval_sec = region->config->code_interval_sec,
		wait_sec = old ? old->created_sec + interval_sec - region_now_sec(region) : 0;
	*ret_refused = wait_sec > 0;
	if (!*ret_refused)
		return 0;
	int r = request_answer_error(request, 429, "wg-key-interval",
		"a node changes its WireGuard key at most once in %lld s; ask again in %lld s",
		(long long)interval_sec, (long long)wait_sec);
	answer_retry_after(request, wait_sec);
	return r;
}

// A key that is a node already asks again: it keeps what it has, with its newest facts and
// WireGuard key.
static int post_again(struct region *region, struct request *request,
	const struct enrolment_body *body, struct enrolment *old, struct enrolment *enrolment)
{
	struct node *node = request->node;
	char holder[STORE_NAME_TEXT];
	bool changes = !str_equal(node->wg_public, body->wg_public), refused;
	if (node->quarantined)
		return request_answer_error(request, 409, "quarantined",
			"two machines speak with the key of this node; an administrator has to "
			"decide which one is right");
	int r = wg_key_holder(region, body->wg_public, node->key, "", holder);
	if (r < 0)
		return r;
	if (holder[0])
		return request_answer_error(
			request, 409, "wg-key-taken", "wgPublicKey is the key of another node");
	if (changes && ((r = wg_change_refused(region, request, old, &refused)) < 0 || refused))
		return r;
	if (old && !changes)
		enrolment->created_sec = old->created_sec;
	(void)snprintf(enrolment->node_id, sizeof(enrolment->node_id), "%s", node->id);
	enrolment->state = node->state == NODE_RESERVED ? ENROLMENT_RESERVED : ENROLMENT_APPROVED;
	enrolment->durable = node->durable;
	if (old)
		(void)snprintf(enrolment->token_hash, sizeof(enrolment->token_hash), "%s",
			old->token_hash);
	r = old ? store_enrolment_remove(region->store, old->id) : 0;
	if (r < 0 || (r = store_enrolment_put(region->store, enrolment)) < 0)
		return r;
	free(node->facts);
	if (!(node->facts = strdup(enrolment->facts)))
		return -ENOMEM;
	if (changes) {
		if ((r = region_mesh_remove(region, node->wg_public)) < 0)
			return r;
		(void)snprintf(node->wg_public, sizeof(node->wg_public), "%s", body->wg_public);
		if ((r = region_mesh_changed(region, node)) < 0 ||
			(r = key_rotation_key_changed(region, node)) < 0)
			return r;
	}
	if ((r = store_node_put(region->store, node)) < 0 ||
		(body->durable && (r = enrolment_durable(region, enrolment, node)) < 0 &&
			r != -EEXIST))
		return r;
	return answer_post(region, request, enrolment);
}

// A person's no counts for an hour, whatever the machine shows.
static bool denied_lately(const struct region *region, const struct enrolment *old)
{
	return old->state == ENROLMENT_DENIED &&
	       old->heard_sec + DENIED_SEC > region_now_sec(region);
}

static int post_refused(struct region *region, struct request *request, const struct enrolment *old,
	bool *ret_refused)
{
	int64_t now_sec = region_now_sec(region),
		wait_sec = old->code_sec + region->config->code_interval_sec - now_sec;
	*ret_refused = true;
	if (denied_lately(region, old))
		return request_answer_error(request, 403, "denied",
			"an administrator denied this machine; ask who runs the region");
	if (old->code_sec && wait_sec > 0) {
		int r = request_answer_error(request, 429, "code-interval",
			"a key gets one new code every %lld s; ask again in %lld s",
			(long long)region->config->code_interval_sec, (long long)wait_sec);
		answer_retry_after(request, wait_sec);
		return r;
	}
	*ret_refused = false;
	return 0;
}

int api_enrolment_post(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(enrolment_freep)
	struct enrolment *enrolment = calloc(1, sizeof(*enrolment)), *old = NULL;
	struct enrolment_body body;
	struct diag diag = { 0 };
	bool refused = false;
	int r = enrolment ? request_json(request, &document) : -ENOMEM;
	if (r < 0)
		return r;
	if (enrolment_body_decode(document, &body, &diag) < 0)
		return request_answer_error(request, 400, "bad-body", "%s", diag_text(&diag));
	if ((r = fill_enrolment(region, request, &body, enrolment)) < 0 ||
		((r = store_enrolment_by_key(region->store, request->key, &old)) < 0 &&
			r != -ENOENT))
		return r;
	if (request->node)
		return post_again(region, request, &body, old, enrolment);
	if (old && (!body.token || denied_lately(region, old)) &&
		((r = post_refused(region, request, old, &refused)) < 0 || refused))
		return r;
	if (old && (r = store_enrolment_remove(region->store, old->id)) < 0)
		return r;
	if (body.token && (r = enrolment_show_token(region, enrolment, body.token)) < 0)
		return r;
	if (enrolment->state == ENROLMENT_PENDING) {
		if (old && body.token &&
			((r = post_refused(region, request, old, &refused)) < 0 || refused))
			return r;
		if ((r = make_room(region, enrolment->remote_group)) == -EAGAIN)
			return request_answer_error(request, 503, "full",
				"too many machines wait for approval; ask again later");
		if (r < 0)
			return r;
		region_audit(region, enrolment->remote, "enrolment", enrolment->id,
			"pending, serial \"%s\"%s", enrolment->serial,
			enrolment->replaces[0] ? ", claims the hardware of a node" : "");
	}
	if ((r = store_enrolment_put(region->store, enrolment)) < 0)
		return r;
	return answer_post(region, request, enrolment);
}

// ---- the exchange afterwards

static int find_own(struct region *region, struct request *request, struct enrolment **ret)
{
	const char *id = request->path + strlen("/v1/enrolments/");
	int r = store_enrolment_by_id(region->store, id, ret);
	if (r == -ENOENT) {
		(void)request_answer_error(request, 404, "unknown-enrolment",
			"there is no such enrolment; enrol anew");
		return -EBADMSG;
	}
	if (r >= 0 && !str_equal((*ret)->key, request->key)) {
		(void)request_answer_error(request, 403, "not-yours",
			"only the key that made an enrolment may use it");
		return -EBADMSG;
	}
	return r;
}

static const char *state_sentence(const struct enrolment *enrolment)
{
	switch ((enum enrolment_state)enrolment->state) {
	case ENROLMENT_PENDING:
		return enrolment->node_nonce[0] ? "an administrator has to approve this machine by "
						  "the code on its screen"
						: "the node has to open its commitment";
	case ENROLMENT_RESERVED:
		return "approved by token; the node has to keep its key, then it says durable";
	case ENROLMENT_APPROVED:
		return "approved";
	case ENROLMENT_DENIED:
		return "an administrator denied this machine";
	case ENROLMENT_CLOSED:
		return "five wrong codes were typed for this machine; it starts a new exchange";
	}
	return "";
}

static int fresh_certificate(struct region *region, struct request *request, struct node *node)
{
	struct cert_facts facts;
	if (node->quarantined)
		return 0; // no renewal until a person decides
	if (node->certificate && cert_facts_from_pem(node->certificate, &facts, NULL) >= 0) {
		int64_t half_sec = (facts.not_after_sec - facts.not_before_sec) / 2;
		bool fresh = region_now_sec(region) >= facts.not_before_sec &&
			     facts.not_after_sec - region_now_sec(region) > half_sec;
		cert_facts_done(&facts);
		if (fresh)
			return 0;
	}
	int r = region_node_certificate(region, node, request->spki, request->n_spki, NULL);
	request->commit = true;
	return r < 0 ? r : store_node_put(region->store, node);
}

static int answer_state(
	struct region *region, struct request *request, const struct enrolment *enrolment)
{
	CLEANUP(node_freep) struct node *node = NULL;
	struct json_out out = { 0 };
	int r = 0;
	if (enrolment->node_id[0] &&
		(r = store_node_by_id(region->store, enrolment->node_id, &node)) >= 0)
		r = fresh_certificate(region, request, node);
	if (r < 0)
		return r;
	json_out_object_begin(&out);
	json_out_member(&out, "id", enrolment->id);
	json_out_member(&out, "state", enrolment_state_name(enrolment->state));
	json_out_member(&out, "sentence", state_sentence(enrolment));
	if (node) {
		json_out_member(&out, "certificate", node->certificate);
		json_out_member(&out, "nodeId", node->id);
		json_out_member(&out, "name", node->name);
	}
	json_out_object_end(&out);
	return request_answer_json(request, 200, &out);
}

// True when the nonce opens the commitment.
static bool opens_commitment(
	const struct request *request, const struct enrolment *enrolment, const char *nonce_text)
{
	AUTO_FREE uint8_t *nonce = NULL, *wanted = NULL;
	uint8_t given[SHA256_BYTES];
	size_t n_nonce, n_wanted;
	if (base64_decode(nonce_text, &nonce, &n_nonce) < 0 || n_nonce != NONCE_BYTES ||
		base64_decode(enrolment->commitment, &wanted, &n_wanted) < 0 ||
		n_wanted != SHA256_BYTES)
		return false;
	enrol_commitment(nonce, request->spki, request->n_spki, given);
	return crypto_equal(given, wanted, sizeof(given));
}

static int put_durable(struct region *region, struct request *request, struct enrolment *enrolment)
{
	CLEANUP(node_freep) struct node *node = NULL;
	enrolment->durable = 1;
	if (!enrolment->node_id[0])
		return store_enrolment_put(
			region->store, enrolment); // not approved yet: remembered for then
	int r = store_node_by_id(region->store, enrolment->node_id, &node);
	if (r >= 0)
		r = enrolment_durable(region, enrolment, node);
	if (r == -EEXIST) {
		(void)request_answer_error(request, 409, "token-used",
			"the reservation ran out and the token was used meanwhile");
		return -EBADMSG;
	}
	return r;
}

int api_enrolment_put(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
	struct enrolment_change change;
	struct diag diag = { 0 };
	int r = request_json(request, &document);
	if (r < 0)
		return r;
	if (enrolment_change_decode(document, &change, &diag) < 0)
		return request_answer_error(request, 400, "bad-body", "%s", diag_text(&diag));
	if ((r = find_own(region, request, &enrolment)) < 0)
		return r;
	enrolment->heard_sec = region_now_sec(region);
	if (change.node_nonce && !str_equal(change.node_nonce, enrolment->node_nonce)) {
		if (enrolment->node_nonce[0] ||
			!opens_commitment(request, enrolment, change.node_nonce))
			return request_answer_error(request, 400, "bad-commitment",
				"nodeNonce does not open the commitment of this enrolment");
		(void)snprintf(enrolment->node_nonce, sizeof(enrolment->node_nonce), "%s",
			change.node_nonce);
		enrolment->code_sec = enrolment->heard_sec;
	}
	if ((r = store_enrolment_put(region->store, enrolment)) < 0 ||
		(change.durable && (r = put_durable(region, request, enrolment)) < 0))
		return r;
	request->commit = true;
	return answer_state(region, request, enrolment);
}

// How long a poll of @enrolment may take; a token that it kept is tried again first.
static int look_again(struct region *region, struct request *request, struct enrolment *enrolment,
	int64_t *ret_wait_sec)
{
	*ret_wait_sec = MAX_WAIT_SEC;
	if (enrolment->state == ENROLMENT_RESERVED) { // well before its place counts as given up
		*ret_wait_sec = region->config->takeover_silence_sec / 2;
		if (*ret_wait_sec < 1)
			*ret_wait_sec = 1;
	}
	if (enrolment->state != ENROLMENT_PENDING || !enrolment->token_hash[0])
		return store_enrolment_put(region->store, enrolment);
	int64_t again_sec = 0;
	int r = store_mark(region->store);
	if (r < 0)
		return r;
	r = enrolment_retry_token(region, enrolment, &again_sec);
	int ended = r < 0 ? store_undo(region->store) : store_release(region->store);
	if (again_sec > 0 && again_sec < MAX_WAIT_SEC)
		*ret_wait_sec = again_sec;
	request->commit |= enrolment->state != ENROLMENT_PENDING;
	return r < 0 ? r : ended;
}

int api_enrolment_get(struct region *region, struct request *request)
{
	CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
	int64_t wait_sec;
	int r = find_own(region, request, &enrolment);
	if (r < 0)
		return r;
	const int64_t before = enrolment->state;
	if (!request_waited(request)) // the end of a wait is no sign of life
		enrolment->heard_sec = region_now_sec(region);
	if ((r = look_again(region, request, enrolment, &wait_sec)) < 0)
		return r;
	if (enrolment->state == before && // else it has just been admitted: that is the answer
		(before == ENROLMENT_PENDING || before == ENROLMENT_RESERVED) &&
		request_wait(request, enrolment->id, wait_sec))
		return 0;
	return answer_state(region, request, enrolment);
}
