// What an approved node asks: its assignment, the mesh, its secrets; what it tells: its status.
// Renewal. SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "base/log.h"
#include "base/time.h"
#include "region/assign-extra.h"
#include "region/body.h"
#include "region/hand-over.h"
#include "region/key-rotation-run.h"
#include "region/kubeconfig.h"
#include "region/membership.h"
#include "region/mesh-reach.h"
#include "region/pod-cidr.h"
#include "region/registry-secret.h"
#include "region/restore-run.h"
#include "region/rotation.h"
#include "region/settings.h"
#include "region/status-parts.h"

#include <errno.h>

enum { CLONE_HINTS = 2 };

// An older boot id that speaks after a newer one, twice: two machines have one key.
static void watch_for_clones(struct region *region, struct node *node, const char *boot_id)
{
	char older[sizeof(node->older_boot_ids)];
	if (!boot_id || strlen(boot_id) != 32 || str_equal(boot_id, node->boot_id))
		return;
	if (strstr(node->older_boot_ids, boot_id)) {
		if (++node->n_clone_hints >= CLONE_HINTS && !node->quarantined) {
			node->quarantined = 1;
			region_audit(region, "rules", "quarantine", node->name,
				"two machines speak with its key");
		}
		return;
	}
	(void)snprintf(older, sizeof(older), "%s %.98s", node->boot_id, node->older_boot_ids);
	(void)snprintf(node->older_boot_ids, sizeof(node->older_boot_ids), "%s", older);
	(void)snprintf(node->boot_id, sizeof(node->boot_id), "%s", boot_id);
}

static void keep_heard(struct region *region, struct node *node, const struct request *request)
{
	watch_for_clones(region, node, request_header(request, "Hearth-Boot-Id"));
	node->seen_sec = region_now_sec(region);
	(void)snprintf(node->remote, sizeof(node->remote), "%s", request->remote);
	int r = store_node_put(region->store, node);
	if (r < 0)
		log_error(
			"node %s: what was heard could not be kept: %s", node->name, strerror(-r));
}

bool api_node_heard(struct region *region, struct request *request)
{
	struct node *node = request->node;
	if (!request_waited(
		    request)) // a poll of a hearthd that has died since says nothing when it wakes
		keep_heard(region, node, request);
	if (!node->quarantined)
		return true;
	request->keep = true; // that it is quarantined, and when it was heard
	(void)request_answer_error(request, 409, "quarantined",
		"two machines speak with the key of this node; an administrator has to decide "
		"which one is right");
	return false;
}

// ---- assignment

// What the nodes' volumes are is a server's to know, and only where cluster.yaml names some.
static int volumes_made(struct region *region, const struct node *node, char **ret)
{
	struct node **nodes;
	size_t n;
	if (!node->is_server || region->config->storage.n_volumes == 0)
		return 0;
	int r = store_node_list(region->store, &nodes, &n);
	if (r < 0)
		return r;
	*ret = assign_volumes_made(region->config, nodes, n);
	node_list_free(nodes, n);
	return *ret ? 0 : -ENOMEM;
}

/* Is it @node that is to hand over a new kubeconfig? The stored one ends soon, or a server was revoked
 * that may have given it, and this is the one healthy server that is asked for another. */
static int renews_kubeconfig(struct region *region, const struct membership *membership,
	const struct node *node, bool *ret)
{
	CLEANUP(secret_text_free) char *stored = NULL;
	bool doubtful;
	if (membership_server(membership, node->id) == SIZE_MAX)
		return 0;
	int r = region_secret_get(region, "kubeconfig", &stored);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if ((r = region_secret_is_doubtful(region, "kubeconfig", &doubtful)) < 0)
		return r;
	if (!doubtful && !kubeconfig_ends_soon(stored, region_now_sec(region)))
		return 0;
	AUTO_FREE bool *end = calloc(membership->n_servers + 1, sizeof(*end));
	if (!end)
		return -ENOMEM;
	for (size_t i = 0; i < membership->n_servers; i++) {
		CLEANUP(value_freep) struct value *status = NULL;
		const char *text = membership->nodes[i]->status;
		if (text)
			(void)json_parse(text, strlen(text), 0, &status, NULL); // it was checked
		AUTO_FREE char *sentence = member_report_certificates(status);
		end[i] = sentence != NULL;
	}
	size_t by = hand_over_renewer(membership->servers, end, membership->n_servers,
		membership_server(membership, membership->cluster->first_server));
	*ret = by != SIZE_MAX && str_equal(membership->nodes[by]->id, node->id);
	return 0;
}

struct assignment {
	struct membership membership;
	bool renew_kubeconfig;
	struct member *member;
	struct node *joined_by; // when it is no server of the cluster any more
	char *waiting_for;
	struct restore *restore;
	struct value *settings;
	char *volumes_made;
	struct key_rotation *rotation; // of the node's WireGuard key, NULL: never any
};

static void assignment_done(struct assignment *assignment)
{
	membership_done(&assignment->membership);
	member_free(assignment->member);
	node_free(assignment->joined_by);
	free(assignment->waiting_for);
	restore_free(assignment->restore);
	value_free(assignment->settings);
	free(assignment->volumes_made);
	key_rotation_free(assignment->rotation);
}

// Who waits is shown the newest settings: the payload may come before its turn.
static int load_settings(
	struct region *region, const struct node *node, struct assignment *assignment)
{
	const struct member *member = assignment->member;
	AUTO_FREE char *newest = NULL;
	const char *text = member ? member->settings : NULL;
	if (!text || !text[0])
		text = newest = settings_newest(region->config, node->name);
	return text ? json_parse(text, strlen(text), 0, &assignment->settings, NULL) : -ENOMEM;
}

static int load_assignment(struct region *region, struct request *request, struct assignment *ret)
{
	bool changed = false;
	int r = membership_load(region, &ret->membership);
	if (r < 0 || (r = membership_settle(region, &ret->membership, request->node, &ret->member,
			      &ret->waiting_for, &changed)) < 0)
		return r;
	request->commit |= changed;
	if (ret->member && ret->member->server[0] &&
		membership_server(&ret->membership, ret->member->server) == SIZE_MAX)
		r = store_node_by_id(region->store, ret->member->server, &ret->joined_by);
	if (r < 0 && r != -ENOENT)
		return r;
	r = request->node->is_server ? restore_load(region, &ret->restore) : 0;
	if (r < 0 && r != -ENOENT)
		return r;
	r = store_key_rotation_get(region->store, request->node->id, &ret->rotation);
	if (r < 0 && r != -ENOENT)
		return r;
	if ((r = volumes_made(region, request->node, &ret->volumes_made)) < 0 ||
		(r = renews_kubeconfig(
			 region, &ret->membership, request->node, &ret->renew_kubeconfig)) < 0)
		return r;
	return load_settings(region, request->node, ret);
}

static int build_assignment(struct region *region, const struct node *node,
	const struct assignment *assignment, const char *generation, char **ret)
{
	const struct membership *membership = &assignment->membership;
	struct diag diag = { 0 };
	const struct assignment_input input = { .config = region->config,
		.cluster = membership->cluster,
		.node = node,
		.member = assignment->member,
		.waiting_for = assignment->waiting_for,
		.restore = assignment->restore,
		.rejoin = restore_rejoins(region, node),
		.tokens = rotation_number(region),
		.rotation = assignment->rotation,
		.settings = assignment->settings,
		.joined_by = assignment->joined_by,
		.servers = membership->nodes,
		.jobs = membership->jobs,
		.n_servers = membership->n_servers,
		.n_jobs = membership->n_jobs,
		.renew_kubeconfig = assignment->renew_kubeconfig,
		.ca_pin = region->ca_pin,
		.generation = generation,
		.volumes_made = assignment->volumes_made };
	int r = assignment_build(&input, ret, &diag);
	if (r < 0)
		log_error("assignment of %s: %s", node->name, diag_text(&diag));
	return r;
}

// The node's generation, new when the document is not what it was.
static int settle_generation(
	struct region *region, struct request *request, const struct assignment *assignment)
{
	struct node *node = request->node;
	AUTO_FREE char *text = NULL;
	uint8_t hash[SHA256_BYTES];
	char hex[SHA256_HEX + 1];
	int r = build_assignment(region, node, assignment, "", &text);
	if (r < 0)
		return r;
	sha256(text, strlen(text), hash);
	hex_encode(hash, sizeof(hash), hex);
	if (str_equal(hex, node->assignment_hash))
		return 0;
	node->assignment_generation = store_next_generation(region->store);
	if (node->assignment_generation < 0)
		return (int)node->assignment_generation;
	(void)snprintf(node->assignment_hash, sizeof(node->assignment_hash), "%s", hex);
	request->commit = true; // a generation never names two documents, not even after a crash
	return store_node_put(region->store, node);
}

static bool etag_matches(const char *header, const char *generation)
{
	size_t n = strlen(generation);
	if (!header)
		return false;
	if (str_starts(header, "W/"))
		header += 2;
	if (header[0] == '"')
		return strncmp(header + 1, generation, n) == 0 && header[n + 1] == '"' &&
		       !header[n + 2];
	return str_equal(header, generation);
}

int api_assignment(struct region *region, struct request *request)
{
	char generation[48], etag[52];
	AUTO_FREE char *text = NULL;
	CLEANUP(assignment_done) struct assignment assignment = { 0 };
	if (!api_node_heard(region, request))
		return 0;
	int r = load_assignment(region, request, &assignment);
	if (r < 0 || (r = settle_generation(region, request, &assignment)) < 0)
		return r;
	(void)snprintf(generation, sizeof(generation), "%s.%lld", region->epoch,
		(long long)request->node->assignment_generation);
	(void)snprintf(etag, sizeof(etag), "\"%s\"", generation);
	if (etag_matches(request_header(request, "If-None-Match"), generation)) {
		if (request_wait(request, "cluster", MAX_WAIT_SEC))
			return 0;
		r = request_answer_empty(request, 304);
	} else {
		r = build_assignment(region, request->node, &assignment, generation, &text);
		if (r >= 0) {
			size_t n = strlen(text);
			r = request_answer_bytes(
				request, 200, "application/json", TAKE_PTR(text), n);
		}
	}
	request_answer_header(request, "ETag", etag);
	return r;
}

// ---- secrets

static int put_k3s_token(struct region *region, const struct node *node,
	const struct cluster *cluster, const char *secret_name, const char *member,
	const char *user, struct json_out *out)
{
	CLEANUP(secret_text_free) char *secret = NULL, *full = NULL;
	int r = region_secret_get(region, secret_name, &secret);
	if (r < 0)
		return r;
	bool short_form = !cluster->handed_over || str_equal(cluster->first_server, node->id);
	full = short_form ? strdup(secret)
			  : str_format("K10%s::%s:%s", cluster->ca_hash, user, secret);
	json_out_member(out, member, full);
	return full ? 0 : -ENOMEM;
}

static int put_user_secrets(struct region *region, struct json_out *out)
{
	struct secret **secrets;
	char prefix[128];
	size_t n;
	int r = store_secret_list(region->store, &secrets, &n);
	if (r < 0)
		return r;
	(void)snprintf(prefix, sizeof(prefix), "%s/user/", region->config->name);
	json_out_key(out, "user");
	json_out_object_begin(out);
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(secret_text_free) char *text = NULL;
		if (!str_starts(secrets[i]->id, prefix))
			continue;
		r = region_secret_get(
			region, secrets[i]->id + strlen(region->config->name) + 1, &text);
		json_out_member(out, secrets[i]->id + strlen(prefix), text);
	}
	json_out_object_end(out);
	secret_list_free(secrets, n);
	return r;
}

int api_secrets(struct region *region, struct request *request)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	const struct node *node = request->node;
	struct json_out out = { 0 };
	if (!api_node_heard(region, request))
		return 0;
	if (!node->durable && (node->is_server || !region->config->diskless))
		return request_answer_error(request, 403, "not-durable",
			"secrets go to nodes that keep their key (durable) only");
	int r = region_cluster(region, &cluster);
	if (r < 0)
		return r;
	json_out_object_begin(&out);
	if (node->is_server)
		r = put_k3s_token(region, node, cluster, "token", "token", "server", &out);
	if (r >= 0)
		r = put_k3s_token(region, node, cluster, "agent-token", "agentToken", "node", &out);
	if (r >= 0 && node->is_server &&
		(r = put_k3s_token(region, node, cluster, "token-next", "tokenNext", "server", &out)) == -ENOENT)
		r = 0; // most of the time
	json_out_member_int(&out, "tokens", rotation_number(region));
	json_out_key(&out, "pull");
	json_out_object_begin(&out);
	json_out_member(&out, "username", region->pull_user);
	json_out_member(&out, "password", region->pull_password);
	json_out_object_end(&out);
	if (r >= 0)
		r = registry_secrets_put(region, &out);
	if (r >= 0 && node->is_server)
		r = put_user_secrets(region, &out);
	json_out_object_end(&out);
	if (r < 0) {
		json_out_done(&out);
		return r;
	}
	return request_answer_json(request, 200, &out);
}

// ---- status

// Is what @node reports its pod range, by the rule of pod-cidr.h? Then its peers learn it.
static int settle_pod_cidr(struct region *region, struct node *const *nodes, size_t n,
	struct node *node, bool *ret_changed)
{
	if (!node->reported_pod_cidr[0] || str_equal(node->reported_pod_cidr, node->pod_cidr) ||
		node->state == NODE_REVOKED)
		return 0;
	AUTO_FREE const char **seen = calloc(n + 1, sizeof(*seen));
	AUTO_FREE const char **others = calloc(n + 1, sizeof(*others));
	AUTO_FREE struct value **documents = calloc(n + 1, sizeof(struct value *));
	size_t n_seen = 0, n_others = 0;
	if (!seen || !others || !documents)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (nodes[i]->state == NODE_REVOKED)
			continue;
		if (!str_equal(nodes[i]->id, node->id) && nodes[i]->pod_cidr[0])
			others[n_others++] = nodes[i]->pod_cidr;
		if (nodes[i]->is_server && nodes[i]->status &&
			json_parse(nodes[i]->status, strlen(nodes[i]->status), 0, &documents[i],
				NULL) >= 0)
			seen[n_seen++] = value_text(
				value_path(documents[i], "podCidrsSeen", node->name, NULL));
	}
	enum pod_cidr_verdict verdict = pod_cidr_decide(
		&region->config->pod, node->reported_pod_cidr, seen, n_seen, others, n_others);
	for (size_t i = 0; i < n; i++)
		value_free(documents[i]);
	if (verdict != POD_CIDR_ACCEPTED) {
		if (verdict != POD_CIDR_UNCONFIRMED)
			log_warning("node %s: pod range %s %s", node->name, node->reported_pod_cidr,
				pod_cidr_phrase(verdict));
		return 0;
	}
	(void)snprintf(node->pod_cidr, sizeof(node->pod_cidr), "%s", node->reported_pod_cidr);
	int r = region_mesh_changed(region, node);
	if (r < 0 || (r = store_node_put(region->store, node)) < 0)
		return r;
	region_audit(region, "rules", "pod range", node->name, "%s", node->pod_cidr);
	*ret_changed = true;
	return 0;
}

static int settle_pod_cidrs(struct region *region, struct request *request, bool all)
{
	const struct node *own = request->node;
	struct node **nodes;
	bool changed = false;
	size_t n;
	if (!all &&
		(!own->reported_pod_cidr[0] || str_equal(own->reported_pod_cidr, own->pod_cidr)))
		return 0; // most of the time: no need to read every node's record
	int r = store_node_list(region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (all || str_equal(nodes[i]->id, request->node->id))
			r = settle_pod_cidr(region, nodes, n, nodes[i], &changed);
	node_list_free(nodes, n);
	request->commit |= changed;
	return r;
}

// New facts may change the node's own assignment (a NIC came) and where peers reach it.
static int take_facts(struct region *region, struct node *node, const struct value *facts)
{
	CLEANUP(value_freep) struct value *before = NULL;
	struct json_out out = { 0 };
	json_out_value(&out, facts);
	char *text = json_out_take(&out);
	if (!text)
		return -ENOMEM;
	if (str_equal(text, node->facts)) {
		free(text);
		return mesh_reach_settle(region, node, facts);
	}
	if (node->facts)
		(void)json_parse(node->facts, strlen(node->facts), 0, &before,
			NULL); // none before: as if empty
	bool same_nics = before && value_find(before, "nics") && value_find(facts, "nics") &&
			 value_equal(value_find(before, "nics"), value_find(facts, "nics"));
	free(node->facts);
	node->facts = text;
	if (!same_nics)
		region_wake(region, "cluster");
	return mesh_reach_settle(region, node, facts);
}

static int note_ready(struct region *region, struct node *node, bool ready)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	if (ready == (node->ready != 0))
		return 0;
	node->ready = ready;
	if (!ready)
		return 0;
	if (!node->ready_sec)
		node->ready_sec = region_now_sec(region);
	int r = region_cluster(region, &cluster);
	if (r < 0 || !str_equal(cluster->first_server, node->id) || !cluster->handed_over ||
		cluster->ever_ready)
		return r;
	cluster->ever_ready = 1;
	region_wake(region, "cluster"); // the first server's assignment says so
	region_audit(
		region, node->name, "cluster ready", cluster->name, "the first server is Ready");
	return store_cluster_put(region->store, cluster);
}

int api_status(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct node *node = request->node;
	struct status_body body;
	struct diag diag = { 0 };
	int r = request_json(request, &document);
	if (r < 0)
		return r;
	if (status_body_decode(document, &body, &diag) < 0)
		return request_answer_error(request, 400, "bad-body", "%s", diag_text(&diag));
	bool quarantined = node->quarantined;
	if (!api_node_heard(region, request) &&
		!quarantined) // the status of a quarantined node is still worth reading
		region_wake(region, "cluster");
	bool seen_changed = body.pod_cidrs_seen != NULL, was_ready = node->ready != 0;
	int keys_changed = 0;
	if (node->status) {
		CLEANUP(value_freep) struct value *old = NULL;
		const struct value *old_seen;
		if (seen_changed &&
			json_parse(node->status, strlen(node->status), 0, &old, NULL) >= 0 &&
			(old_seen = value_find(old, "podCidrsSeen")))
			seen_changed = !value_equal(old_seen, body.pod_cidrs_seen);
	}
	bool volumes_changed = status_volumes_changed(node->status, document);
	free(node->status);
	node->status = strdup(request->body);
	if (node->quarantined) // told to people, but it changes nothing
		return node->status ? store_node_put(region->store, node) : -ENOMEM;
	if (volumes_changed) // servers are told of them
		region_wake(region, "cluster");
	if (body.pod_cidr)
		(void)snprintf(node->reported_pod_cidr, sizeof(node->reported_pod_cidr), "%s",
			body.pod_cidr);
	if (!node->status || (body.facts && (r = take_facts(region, node, body.facts)) < 0) ||
		(r = note_ready(region, node, body.ready)) < 0 ||
		(r = keys_changed = key_rotation_report(region, node, document)) < 0 ||
		(r = store_node_put(region->store, node)) < 0 ||
		(r = mesh_reach_report(region, node, value_find(document, "mesh"))) < 0)
		return r < 0 ? r : -ENOMEM;
	if ((r = membership_report(region, node, was_ready, &body.report)) < 0 ||
		(r = settle_pod_cidrs(region, request, node->is_server && seen_changed)) < 0 ||
		(keys_changed && (r = key_rotation_step(region)) < 0))
		return r;
	return request->response ? 0 : request_answer_empty(request, 204);
}

// ---- renewal

int api_renew(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE uint8_t *spki = NULL;
	struct json_out out = { 0 };
	struct diag diag = { 0 };
	const char *csr;
	size_t n_spki;
	int r = request_json(request, &document);
	if (r < 0)
		return r;
	if (renew_body_decode(document, &csr, &diag) < 0 ||
		csr_spki(csr, &spki, &n_spki, &diag) < 0)
		return request_answer_error(request, 400, "bad-csr", "%s", diag_text(&diag));
	if (n_spki != request->n_spki || memcmp(spki, request->spki, n_spki) != 0)
		return request_answer_error(request, 403, "other-key",
			"a certificate is renewed for the same key only");
	if (!api_node_heard(region, request))
		return 0;
	if ((r = region_check_clock(region, &diag)) < 0)
		return request_answer_error(request, 503, "clock", "%s", diag_text(&diag));
	if ((r = region_node_certificate(region, request->node, spki, n_spki, &diag)) < 0 ||
		(r = store_node_put(region->store, request->node)) < 0)
		return r;
	region_audit(region, request->node->name, "renew", request->node->name, "%s",
		request->peer.in_date ? "certificate renewed"
				      : "certificate renewed after it had expired");
	json_out_object_begin(&out);
	json_out_member(&out, "certificate", request->node->certificate);
	json_out_object_end(&out);
	request->commit = true;
	return request_answer_json(request, 200, &out);
}
