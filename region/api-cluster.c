// PUT /v1/cluster: the first server hands over what others need to join, any server renews the
// administrator's kubeconfig. SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "region/body.h"
#include "region/hand-over.h"
#include "region/kubeconfig.h"
#include "region/membership.h"
#include "region/rotation.h"

#include <errno.h>

// What may not change once the cluster was ever Ready: its CA and its token.
static void identity_hash(const struct cluster_body *body, char ret[static SHA256_HEX + 1])
{
	uint8_t hash[SHA256_BYTES];
	struct sha256_stream *stream = sha256_stream_new();
	ret[0] = '\0';
	if (!stream)
		return;
	const char *texts[] = { body->ca_cert, body->ca_hash,
		body->server_token ? body->server_token : "" };
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		sha256_stream_add(stream, texts[i], strlen(texts[i]) + 1);
	sha256_stream_end(stream, hash);
	sha256_stream_free(stream);
	hex_encode(hash, sizeof(hash), ret);
}

static int replace_text(char **text, const char *with)
{
	char *copy = strdup(with);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

enum taken { TAKEN_NOTHING, TAKEN_SAME, TAKEN_ANOTHER };

static const char *taken_action(enum taken taken) // for the audit log
{
	return taken == TAKEN_SAME ? "kubeconfig confirmed" : "kubeconfig renewed";
}

/* One that does not outlast the stored one is no news: another server has renewed it. Of another CA
 * (@fresh) it is taken in any case, and after a revocation: who gave the stored one may be who was
 * revoked, and that it lasts long says nothing for it then. */
static int take_kubeconfig(
	struct region *region, const char *kubeconfig, bool fresh, enum taken *ret)
{
	CLEANUP(secret_text_free) char *stored = NULL;
	bool doubtful;
	int r = region_secret_is_doubtful(region, "kubeconfig", &doubtful);
	if (r < 0)
		return r;
	r = fresh ? -ENOENT : region_secret_get(region, "kubeconfig", &stored);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = TAKEN_NOTHING;
	if (stored && !doubtful && !kubeconfig_is_newer(kubeconfig, stored))
		return 0;
	*ret = stored && str_equal(stored, kubeconfig) ? TAKEN_SAME : TAKEN_ANOTHER;
	return region_secret_put(region, "kubeconfig", kubeconfig);
}

static int take_cluster(struct region *region, struct cluster *cluster,
	const struct cluster_body *body, const char *identity, bool same, bool *ret_news,
	enum taken *ret_taken)
{
	AUTO_FREE char *before = TAKE_PTR(cluster->endpoints);
	bool first_time = !cluster->handed_over, was_ready = cluster->ever_ready;
	bool other = !str_equal(cluster->identity_hash ? cluster->identity_hash : "", identity);
	struct json_out out = { 0 };
	*ret_taken = TAKEN_NOTHING;
	if (body->endpoints) {
		json_out_value(&out, body->endpoints);
	} else {
		json_out_array_begin(&out);
		json_out_array_end(&out);
	}
	cluster->endpoints = json_out_take(&out);
	if (!cluster->endpoints || replace_text(&cluster->ca_cert, body->ca_cert) < 0 ||
		replace_text(&cluster->ca_hash, body->ca_hash) < 0 ||
		replace_text(&cluster->identity_hash, identity) < 0)
		return -ENOMEM;
	cluster->handed_over = 1;
	cluster->ever_ready |= body->ever_ready;
	int r = take_kubeconfig(region, body->kubeconfig, !same, ret_taken);
	if (r >= 0 && body->server_token)
		r = region_secret_put(region, "server-token", body->server_token);
	*ret_news = first_time || other || *ret_taken != TAKEN_NOTHING ||
		    was_ready != (cluster->ever_ready != 0) ||
		    !str_equal(before ? before : "", cluster->endpoints);
	return r < 0 ? r : store_cluster_put(region->store, cluster);
}

// Whose word it is and what may change by it.
static int judge(struct region *region, const struct cluster *cluster, const struct node *node,
	const struct cluster_body *body, bool same, enum hand_over_verdict *ret,
	char **ret_sentence)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	int r = membership_load(region, &membership);
	if (r < 0)
		return r;
	size_t i = membership_server(&membership, node->id);
	const struct hand_over_question question = { .name = node->name,
		.first = str_equal(cluster->first_server, node->id),
		.server = i == SIZE_MAX ? NULL : &membership.servers[i],
		.handed_over = cluster->handed_over != 0,
		.ever_ready = cluster->ever_ready != 0,
		.known_ca_hash = cluster->ca_hash ? cluster->ca_hash : "",
		.ca_hash = body->ca_hash,
		.same = same };
	*ret = hand_over_decide(&question, ret_sentence);
	bool wants_sentence = *ret == HAND_OVER_REFUSED || *ret == HAND_OVER_DIFFERS;
	return wants_sentence && !*ret_sentence ? -ENOMEM : 0;
}

int api_cluster(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	AUTO_FREE char *sentence = NULL;
	const struct node *node = request->node;
	enum hand_over_verdict verdict;
	enum taken taken = TAKEN_NOTHING;
	struct cluster_body body;
	struct diag diag = { 0 };
	char identity[SHA256_HEX + 1];
	int r = request_json(request, &document);
	if (r < 0)
		return r;
	if (cluster_body_decode(document, &body, &diag) < 0 ||
		kubeconfig_check(body.kubeconfig, body.ca_cert, region_now_sec(region), &diag) < 0)
		return request_answer_error(request, 400, "bad-body", "%s", diag_text(&diag));
	if (!api_node_heard(region, request))
		return 0;
	if ((r = region_cluster(region, &cluster)) < 0)
		return r;
	identity_hash(&body, identity);
	// A token that this region made K3s rotate is no other cluster's.
	bool same = str_equal(cluster->identity_hash, identity) ||
		    (cluster->handed_over && str_equal(cluster->ca_hash, body.ca_hash) &&
			    rotation_knows(region, body.server_token));
	bool first_time = !cluster->handed_over;
	bool news = false;
	if ((r = judge(region, cluster, node, &body, same, &verdict, &sentence)) < 0)
		return r;
	switch (verdict) {
	case HAND_OVER_REFUSED:
		return request_answer_error(request, 403, "not-first-server", "%s", sentence);
	case HAND_OVER_DIFFERS:
		return request_answer_error(request, 409, "cluster-known", "%s", sentence);
	case HAND_OVER_KUBECONFIG:
		if ((r = take_kubeconfig(region, body.kubeconfig, false, &taken)) < 0)
			return r;
		news = taken != TAKEN_NOTHING;
		if (news)
			region_audit(region, node->name, taken_action(taken), cluster->name,
				"CA %.16s", body.ca_hash);
		break;
	case HAND_OVER_ALL:
		if ((r = take_cluster(
			     region, cluster, &body, identity, same, &news, &taken)) < 0)
			return r;
		if (first_time || !same || taken != TAKEN_NOTHING)
			region_audit(region, node->name,
				first_time ? "cluster" :
				same	   ? taken_action(taken) :
					     "cluster replaced",
				cluster->name, "CA %.16s", body.ca_hash);
		break;
	}
	if (news)
		region_wake(region, "cluster");
	request->commit = true;
	return request_answer_empty(request, 200);
}
