// Administrators and machines: list, show, approve by code, deny, revoke, release from quarantine.
// SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include "base/contact.h"
#include "region/enrol.h"
#include "region/membership.h"
#include "region/status-parts.h"

#include <errno.h>

// What a machine's own words add to a list, which has room for 20,000 strangers (MAX_ANSWER of
// admin-socket.c). `show` has the whole of one node.
enum {
	MAX_SHOWN_TEXT = 128,
	MAX_SHOWN_MACS = 16,
	MAX_SHOWN_LLDP = 4,
	MAX_SHOWN_WARNINGS = 8,
	MAX_SHOWN_WARNING = 512,
	MAX_SHOWN_RUNGS = 32
};

static void put_clipped(struct json_out *out, const char *key, const char *text)
{
	char clipped[MAX_SHOWN_TEXT + 1];
	if (text)
		(void)snprintf(clipped, sizeof(clipped), "%s", text);
	json_out_member(out, key, text ? clipped : NULL);
}

static void put_lldp(struct json_out *out, const struct value *lldp)
{
	static const char *const keys[] = { "link", "system", "port" };
	json_out_key(out, "lldp");
	json_out_array_begin(out);
	for (size_t i = 0; lldp && lldp->type == VALUE_ARRAY && i < lldp->n && i < MAX_SHOWN_LLDP;
		i++) {
		json_out_object_begin(out);
		for (size_t k = 0; k < N_ELEMENTS(keys); k++)
			put_clipped(out, keys[k], value_text(value_find(&lldp->items[i], keys[k])));
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void put_warnings(
	struct json_out *out, const struct value *warnings, const char *certificates)
{
	char clipped[MAX_SHOWN_WARNING + 1];
	json_out_member(out, "certificateWarning", certificates);
	json_out_key(out, "warnings");
	json_out_array_begin(out);
	if (certificates)
		json_out_string(out, certificates);
	for (size_t i = 0; warnings && warnings->type == VALUE_ARRAY && i < warnings->n &&
			   i < MAX_SHOWN_WARNINGS;
		i++) {
		const char *text = value_text(&warnings->items[i]);
		(void)snprintf(clipped, sizeof(clipped), "%s", text ? text : "");
		json_out_string(out, clipped);
	}
	json_out_array_end(out);
}

static void put_timeline(struct json_out *out, const struct value *timeline)
{
	static const char *const times[] = { "firstUsec", "lastUsec" };
	json_out_key(out, "timeline");
	json_out_array_begin(out);
	for (size_t i = 0;
		timeline && timeline->type == VALUE_ARRAY && i < timeline->n && i < MAX_SHOWN_RUNGS;
		i++) {
		json_out_object_begin(out);
		put_clipped(out, "rung", value_text(value_find(&timeline->items[i], "rung")));
		for (size_t k = 0; k < N_ELEMENTS(times); k++) {
			int64_t usec;
			if (value_int(value_find(&timeline->items[i], times[k]), times[k], 0,
				    INT64_MAX, &usec, NULL) >= 0)
				json_out_member_int(out, times[k], usec);
		}
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void put_hardware(
	struct json_out *out, const char *facts_text, const char *uuid, const char *serial)
{
	CLEANUP(value_freep) struct value *facts = NULL;
	if (facts_text)
		(void)json_parse(facts_text, strlen(facts_text), 0, &facts,
			NULL); // stored facts were checked; none is fine
	json_out_member(out, "uuid", uuid);
	json_out_member(out, "serial", serial);
	put_clipped(out, "product", value_text(value_find(facts, "product")));
	put_lldp(out, value_find(facts, "lldp"));
	json_out_key(out, "macs");
	json_out_array_begin(out);
	const struct value *nics = value_find(facts, "nics");
	for (size_t i = 0; nics && i < nics->n && i < MAX_SHOWN_MACS; i++)
		json_out_string(out, value_text(value_find(&nics->items[i], "mac")));
	json_out_array_end(out);
}

static void put_node(
	struct region *region, struct json_out *out, const struct node *node, bool whole)
{
	CLEANUP(value_freep) struct value *status = NULL;
	if (node->status)
		(void)json_parse(node->status, strlen(node->status), 0, &status,
			NULL); // stored status was checked; none is fine
	AUTO_FREE char *certificates = member_report_certificates(status);
	json_out_object_begin(out);
	json_out_member(out, "kind", "node");
	json_out_member(out, "id", node->id);
	json_out_member(out, "name", node->name);
	json_out_member(
		out, "state", node->quarantined ? "quarantined" : node_state_name(node->state));
	json_out_member(out, "role", node->is_server ? "server" : "worker");
	json_out_member_bool(out, "durable", node->durable);
	json_out_member_bool(out, "ready", node->ready);
	put_hardware(out, node->facts, node->uuid, node->serial);
	json_out_member(out, "code", node->code);
	json_out_member(out, "podCidr", node->pod_cidr[0] ? node->pod_cidr : NULL);
	json_out_member(out, "remote", node->remote);
	json_out_member_int(out, "seenSec", node->seen_sec);
	json_out_member_int(out, "approvedSec", node->approved_sec);
	json_out_member(out, "phase", value_text(value_find(status, "phase")));
	json_out_member(out, "sentence", value_text(value_find(status, "sentence")));
	put_warnings(out, value_find(status, "warnings"), certificates);
	put_timeline(out, value_find(status, "timeline"));
	status_parts_put(status, out);
	if (whole) {
		json_out_key(out, "status");
		json_out_value(out, status);
		json_out_member(out, "wgPublicKey", node->wg_public);
		json_out_member(out, "keySha256", node->key);
		admin_put_member(region, node->id, out);
	}
	json_out_object_end(out);
}

static const char *enrolment_sentence(const struct enrolment *enrolment)
{
	if (enrolment->state == ENROLMENT_CLOSED)
		return "closed after five wrong codes; the machine starts a new exchange by itself";
	if (enrolment->state == ENROLMENT_DENIED)
		return "denied; it may ask again after an hour";
	return enrolment->token_problem[0] ? enrolment->token_sentence
					   : "waits for a person who types the code on its screen";
}

static void put_enrolment(
	struct json_out *out, const struct enrolment *enrolment, const char *replaces)
{
	json_out_object_begin(out);
	json_out_member(out, "kind", "enrolment");
	json_out_member(out, "id", enrolment->id);
	json_out_member(out, "name", NULL);
	json_out_member(out, "state", enrolment_state_name(enrolment->state));
	put_hardware(out, enrolment->facts, enrolment->uuid, enrolment->serial);
	json_out_member_bool(
		out, "hasCode", enrolment->node_nonce[0] != '\0'); // never the code itself
	json_out_member_int(out, "wrongCodes", enrolment->wrong_codes);
	json_out_member_bool(out, "unauthenticatedBoot", enrolment->unauthenticated);
	json_out_member(
		out, "tokenProblem", enrolment->token_problem[0] ? enrolment->token_problem : NULL);
	json_out_member(out, "sentence", enrolment_sentence(enrolment));
	if (enrolment->replaces[0])
		json_out_member(out, "replaces", replaces ? replaces : enrolment->replaces);
	json_out_member(out, "remote", enrolment->remote);
	json_out_member_int(out, "seenSec", enrolment->heard_sec);
	json_out_object_end(out);
}

static const char *node_name_of(struct node *const *nodes, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(nodes[i]->id, id))
			return nodes[i]->name;
	return NULL;
}

static int put_first_server(
	const struct admin_request *request, struct node *const *nodes, size_t n_nodes)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	int r = region_cluster(request->region, &cluster);
	if (r >= 0)
		json_out_member(request->out, "firstServer",
			node_name_of(nodes, n_nodes, cluster->first_server));
	return r;
}

int admin_list(const struct admin_request *request, struct diag *reterr)
{
	struct node **nodes;
	struct enrolment **entries;
	size_t n_nodes, n_entries;
	int r = store_node_list(request->region->store, &nodes, &n_nodes);
	if (r < 0)
		return r;
	json_out_member(request->out, "cluster", request->region->config->name);
	r = put_first_server(request, nodes, n_nodes);
	json_out_key(request->out, "nodes");
	json_out_array_begin(request->out);
	for (size_t i = 0; i < n_nodes; i++)
		put_node(request->region, request->out, nodes[i], false);
	json_out_array_end(request->out);
	if (r >= 0)
		r = store_enrolment_list(request->region->store, &entries, &n_entries);
	if (r >= 0) {
		json_out_key(request->out, "enrolments");
		json_out_array_begin(request->out);
		for (size_t i = 0; i < n_entries; i++)
			if (!entries[i]->node_id[0])
				put_enrolment(request->out, entries[i],
					node_name_of(nodes, n_nodes, entries[i]->replaces));
		json_out_array_end(request->out);
		enrolment_list_free(entries, n_entries);
	}
	node_list_free(nodes, n_nodes);
	return r < 0 ? r : admin_put_cluster(request);
}

static bool has_mac(const char *facts_text, const char *word)
{
	CLEANUP(value_freep) struct value *facts = NULL;
	if (!facts_text || json_parse(facts_text, strlen(facts_text), 0, &facts, NULL) < 0)
		return false;
	const struct value *nics = value_find(facts, "nics");
	for (size_t i = 0; nics && i < nics->n; i++) {
		const char *mac = value_text(value_find(&nics->items[i], "mac"));
		if (mac && strcasecmp(mac, word) == 0)
			return true;
	}
	return false;
}

static int wanted_machine(
	const struct admin_request *request, const char **ret, struct diag *reterr)
{
	return value_string(value_find(request->args, "node"), "node", ret, reterr);
}

int admin_find_node(
	struct region *region, const char *word, struct node **ret, struct diag *reterr)
{
	struct node **nodes;
	size_t n, n_found = 0;
	if (store_node_by_id(region->store, word, ret) >= 0)
		return 0; // a serial that looks like an id of another machine hides nothing
	int r = store_node_list(region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t pass = 0; pass < 2 && n_found == 0;
		pass++) // revoked ones only when nothing else fits
		for (size_t i = 0; i < n; i++) {
			const struct node *node = nodes[i];
			if ((node->state == NODE_REVOKED) != (pass == 1) ||
				!(str_equal(node->name, word) || str_equal(node->id, word) ||
					str_equal(node->serial, word) ||
					strcasecmp(node->uuid, word) == 0 ||
					has_mac(node->facts, word)))
				continue;
			if (n_found++ == 0) {
				r = store_node_by_id(region->store, node->id, ret);
				if (r < 0)
					*ret = NULL;
			}
		}
	node_list_free(nodes, n);
	if (n_found > 1) {
		*ret = node_free(*ret);
		return diag_set(reterr, -ENOTUNIQ, word,
			"names %zu nodes; name one by its id (hearth-region list)", n_found);
	}
	return n_found == 0 ? diag_set(reterr, -ENOENT, word, "is no node of this region") : r;
}

// The one machine waiting for approval that @word names: enrolment id, serial, UUID or MAC.
static int find_enrolment(
	struct region *region, const char *word, struct enrolment **ret, struct diag *reterr)
{
	struct enrolment **entries;
	size_t n, n_found = 0;
	if (store_enrolment_by_id(region->store, word, ret) >= 0) {
		if (!(*ret)->node_id[0])
			return 0;
		*ret = enrolment_free(*ret);
	}
	int r = store_enrolment_list(region->store, &entries, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct enrolment *entry = entries[i];
		if (entry->node_id[0] ||
			!(str_equal(entry->id, word) || str_equal(entry->serial, word) ||
				strcasecmp(entry->uuid, word) == 0 || has_mac(entry->facts, word)))
			continue;
		if (n_found++ == 0)
			*ret = TAKE_PTR(entries[i]);
	}
	for (size_t i = 0; i < n; i++)
		enrolment_free(entries[i]);
	free(entries);
	if (n_found > 1) {
		*ret = enrolment_free(*ret);
		return diag_set(reterr, -ENOTUNIQ, word,
			"%zu machines claim this; name one by its id (hearth-region list)",
			n_found);
	}
	return n_found == 0 ? diag_set(reterr, -ENOENT, word, "no such machine waits for approval")
			    : 0;
}

int admin_show(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
	const char *word;
	int r = wanted_machine(request, &word, reterr);
	if (r < 0)
		return r;
	r = admin_find_node(request->region, word, &node, reterr);
	if (r == -ENOENT && find_enrolment(request->region, word, &enrolment, NULL) >= 0)
		r = 0;
	if (r < 0)
		return r;
	json_out_key(request->out, "machine");
	if (node)
		put_node(request->region, request->out, node, true);
	else
		put_enrolment(request->out, enrolment, NULL);
	return 0;
}

// Count a wrong code; the fifth closes the entry. Always -EPERM, so that the count is kept.
static int wrong_code(
	const struct admin_request *request, struct enrolment *enrolment, struct diag *reterr)
{
	enrolment->wrong_codes++;
	bool closed = enrolment->wrong_codes >= MAX_WRONG_CODES;
	if (closed)
		enrolment->state = ENROLMENT_CLOSED;
	int r = store_enrolment_put(request->region->store, enrolment);
	if (r < 0)
		return r;
	if (closed)
		region_wake(request->region, enrolment->id);
	region_audit(request->region, request->actor, "wrong code", enrolment->id, "%lld of %d%s",
		(long long)enrolment->wrong_codes, MAX_WRONG_CODES,
		closed ? "; the entry is closed" : "");
	if (closed)
		return diag_set(reterr, -EPERM, "",
			"wrong code, for the fifth time: this entry is closed, the machine starts "
			"a new exchange");
	return diag_set(reterr, -EPERM, "",
		"wrong code (%lld of %d): compare with the machine's own screen",
		(long long)enrolment->wrong_codes, MAX_WRONG_CODES);
}

static int decode_may_be_server(const struct admin_request *request, bool *ret, struct diag *reterr)
{
	const char *role = value_text(value_find(request->args, "role"));
	*ret = str_equal(role, "server"); // a person says so, or it replaces one
	if (role && !str_equal(role, "server") && !str_equal(role, "worker"))
		return diag_set(
			reterr, -EINVAL, "role", "must be server or worker, not \"%s\"", role);
	return 0;
}

// Nobody joins a cluster without a server: say so while it is easy to mend.
static int put_server_hint(const struct admin_request *request)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	int r = region_cluster(request->region, &cluster);
	if (r >= 0 && !cluster->first_server[0])
		json_out_member(request->out, "hint",
			"the cluster has no server yet: approve one with --role server, or boot "
			"one with the "
			"seed that init made");
	return r;
}

int admin_approve(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	const char *word, *typed;
	char code[CODE_TEXT], wanted[CODE_TEXT];
	bool may_be_server;
	int r = wanted_machine(request, &word, reterr);
	if (r < 0 ||
		(r = value_string(value_find(request->args, "code"), "code", &typed, reterr)) < 0 ||
		(r = decode_may_be_server(request, &may_be_server, reterr)) < 0 ||
		(r = find_enrolment(request->region, word, &enrolment, reterr)) < 0)
		return r;
	if (enrolment->state != ENROLMENT_PENDING)
		return diag_set(reterr, -EINVAL, word, "is %s; it has to start a new exchange",
			enrolment_state_name(enrolment->state));
	if (enrolment_code(request->region, enrolment, wanted) < 0)
		return diag_set(reterr, -EAGAIN, word, "shows no code yet; wait for its screen");
	if (enrol_code_normalise(typed, code) < 0)
		return diag_set(reterr, -EINVAL, "code", "must be eight characters like 7K3M-9QXD");
	if (!crypto_equal(code, wanted, CODE_TEXT - 1))
		return wrong_code(request, enrolment, reterr);
	const struct admission admission = { .actor = request->actor,
		.may_be_server = may_be_server,
		.keeps_role = !value_find(request->args, "role"),
		.node_name = value_text(value_find(request->args, "name")),
		.durable = enrolment->durable };
	if ((r = enrolment_admit(request->region, enrolment, &admission, reterr)) < 0 ||
		(r = store_node_by_id(request->region->store, enrolment->node_id, &node)) < 0)
		return r;
	json_out_key(request->out, "machine");
	put_node(request->region, request->out, node, false);
	return put_server_hint(request);
}

int admin_deny(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
	const char *word;
	int r = wanted_machine(request, &word, reterr);
	if (r < 0 || (r = find_enrolment(request->region, word, &enrolment, reterr)) < 0)
		return r;
	enrolment->state = ENROLMENT_DENIED;
	enrolment->heard_sec = region_now_sec(request->region);
	if ((r = store_enrolment_put(request->region->store, enrolment)) < 0)
		return r;
	region_wake(request->region, enrolment->id);
	region_audit(request->region, request->actor, "deny", enrolment->id, "serial \"%s\"",
		enrolment->serial);
	json_out_member(request->out, "denied", enrolment->id);
	return 0;
}

int admin_revoke(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	const struct value *force_value = value_find(request->args, "force");
	const char *word;
	bool force = false;
	int r = wanted_machine(request, &word, reterr);
	if (r < 0 || (force_value && (r = value_bool(force_value, "force", &force, reterr)) < 0) ||
		(r = admin_find_node(request->region, word, &node, reterr)) < 0)
		return r;
	if (node->state == NODE_REVOKED)
		return diag_set(reterr, -EALREADY, node->name, "is revoked already");
	if (!force && (r = membership_may_leave(request->region, node, reterr)) < 0)
		return r;
	if ((r = node_revoke(request->region, node, request->actor,
		     force ? "decommissioned by force" : "decommissioned")) < 0)
		return r;
	json_out_member(request->out, "revoked", node->name);
	return 0;
}

int admin_release(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	const char *word;
	int r = wanted_machine(request, &word, reterr);
	if (r < 0 || (r = admin_find_node(request->region, word, &node, reterr)) < 0)
		return r;
	if (!node->quarantined)
		return diag_set(reterr, -EALREADY, node->name, "is not quarantined");
	node->quarantined = node->n_clone_hints = 0;
	node->older_boot_ids[0] = '\0';
	if ((r = store_node_put(request->region->store, node)) < 0)
		return r;
	region_audit(request->region, request->actor, "release", node->name, "out of quarantine");
	region_wake(request->region, "cluster");
	json_out_member(request->out, "released", node->name);
	return 0;
}
