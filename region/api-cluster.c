// PUT /v1/cluster: the first server hands over what others need to join.
// SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "region/body.h"

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

static int take_cluster(struct region *region, struct cluster *cluster,
	const struct cluster_body *body, const char *identity)
{
	struct json_out out = { 0 };
	if (body->endpoints) {
		json_out_value(&out, body->endpoints);
	} else {
		json_out_array_begin(&out);
		json_out_array_end(&out);
	}
	free(cluster->endpoints);
	cluster->endpoints = json_out_take(&out);
	if (!cluster->endpoints || replace_text(&cluster->ca_cert, body->ca_cert) < 0 ||
		replace_text(&cluster->ca_hash, body->ca_hash) < 0 ||
		replace_text(&cluster->identity_hash, identity) < 0)
		return -ENOMEM;
	cluster->handed_over = 1;
	cluster->ever_ready |= body->ever_ready;
	int r = region_secret_put(region, "kubeconfig", body->kubeconfig);
	if (r >= 0 && body->server_token)
		r = region_secret_put(region, "server-token", body->server_token);
	return r < 0 ? r : store_cluster_put(region->store, cluster);
}

int api_cluster(struct region *region, struct request *request)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	struct cluster_body body;
	struct diag diag = { 0 };
	char identity[SHA256_HEX + 1];
	int r = request_json(request, &document);
	if (r < 0)
		return r;
	if (cluster_body_decode(document, &body, &diag) < 0)
		return request_answer_error(request, 400, "bad-body", "%s", diag_text(&diag));
	if (!api_node_heard(region, request))
		return 0;
	if ((r = region_cluster(region, &cluster)) < 0)
		return r;
	identity_hash(&body, identity);
	bool same = str_equal(cluster->identity_hash, identity), first_time = !cluster->handed_over;
	if (!first_time && !same && cluster->ever_ready)
		return request_answer_error(request, 409, "cluster-known",
			"this cluster was Ready with another CA; its CA changes only by a job of "
			"the region");
	if ((r = take_cluster(region, cluster, &body, identity)) < 0)
		return r;
	if (first_time || !same)
		region_audit(region, request->node->name,
			first_time ? "cluster" : "cluster replaced", cluster->name, "CA %.16s",
			body.ca_hash);
	region_wake(region, "cluster");
	request->commit = true;
	return request_answer_empty(request, 200);
}
