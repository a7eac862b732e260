// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment.h"
#include "agent/assignment-k3s.h"
#include "agent/assignment-read.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/oci.h"
#include <errno.h>
#include <net/if.h>

struct assignment *assignment_free(struct assignment *assignment)
{
	if (!assignment)
		return NULL;
	value_free(assignment->document);
	free(assignment->text);
	free(assignment->storage);
	free(assignment);
	return NULL;
}

static int decode_cluster(struct assignment *a, struct diag *reterr)
{
	const struct value *cluster = NULL;
	int r = read_object(a->document, "cluster", &cluster, reterr);
	if (r < 0 || !cluster)
		return r;
	if ((r = read_text(cluster, "name", true, &a->cluster_name, reterr)) < 0 ||
		(r = read_text(cluster, "podCidr", false, &a->pod_cidr, reterr)) < 0 ||
		(r = read_text(cluster, "serviceCidr", false, &a->service_cidr, reterr)) < 0 ||
		(r = read_text(cluster, "meshCidr", false, &a->mesh_cidr, reterr)) < 0 ||
		(r = read_text(cluster, "apiAddress", false, &a->api_address, reterr)) < 0)
		return r;
	if ((r = read_check_cidr(a->pod_cidr, "cluster.podCidr", reterr)) < 0 ||
		(r = read_check_cidr(a->service_cidr, "cluster.serviceCidr", reterr)) < 0 ||
		(r = read_check_cidr(a->mesh_cidr, "cluster.meshCidr", reterr)) < 0)
		return r;
	return read_check_address(a->api_address, "cluster.apiAddress", reterr);
}

static int decode_region(struct assignment *a, struct diag *reterr)
{
	const struct value *region = NULL;
	const char *pins[SEED_MAX_PINS] = { 0 };
	int r = read_object(a->document, "region", &region, reterr);
	if (r < 0 || !region)
		return r;
	if ((r = read_texts(region, "urls", SEED_MAX_URLS, a->urls, &a->n_urls, reterr)) < 0 ||
		(r = read_texts(region, "pins", SEED_MAX_PINS, pins, &a->n_pins, reterr)) < 0)
		return r;
	for (size_t i = 0; i < a->n_urls; i++)
		if (!str_starts(a->urls[i], "https://"))
			return diag_set(reterr, -EINVAL, "region.urls", "must start with https://, not \"%s\"", a->urls[i]);
	for (size_t i = 0; i < a->n_pins; i++)
		if (pin_parse(pins[i], a->pins[i]) < 0)
			return diag_set(reterr, -EINVAL, "region.pins", "must be sha256: and 64 hex digits, not \"%s\"", pins[i]);
	return 0;
}

static int decode_rotation(struct assignment *a, const struct value *mesh, struct diag *reterr)
{
	const struct value *rotation = NULL;
	int r = read_object(mesh, "rotation", &rotation, reterr);
	if (r < 0 || !rotation)
		return r;
	a->mesh_rotates = true;
	return read_text(rotation, "to", false, &a->mesh_rotate_to, reterr);
}

static int decode_mesh(struct assignment *a, struct diag *reterr)
{
	const struct value *mesh = NULL;
	int r = read_object(a->document, "mesh", &mesh, reterr);
	if (r < 0 || !mesh)
		return r;
	a->mesh_port = 51820;
	const struct value *port = value_find(mesh, "port");
	if ((r = read_text(mesh, "link", true, &a->mesh_link, reterr)) < 0 ||
		(r = read_text(mesh, "address", true, &a->mesh_address, reterr)) < 0 ||
		(!read_is_null(port) && (r = value_int(port, "mesh.port", 1, 65535, &a->mesh_port, reterr)) < 0) ||
		(r = read_text(mesh, "publicKey", false, &a->mesh_public_key, reterr)) < 0 ||
		(r = decode_rotation(a, mesh, reterr)) < 0)
		return r;
	if (strlen(a->mesh_link) >= IFNAMSIZ)
		return diag_set(reterr, -EINVAL, "mesh.link", "must be a link name, not \"%s\"", a->mesh_link);
	return read_check_address(a->mesh_address, "mesh.address", reterr);
}

static int decode_k3s(struct assignment *a, struct diag *reterr)
{
	const struct value *k3s = NULL;
	const char *cni = NULL;
	int r = read_object(a->document, "k3s", &k3s, reterr);
	if (r < 0)
		return r;
	if (!k3s && (r = assignment_decode_restore(a, NULL, reterr)) < 0)
		return r;
	if (!k3s)
		return read_text(a->document, "waitingFor", false, &a->k3s_waiting_for, reterr);
	a->has_k3s = true;
	if ((r = read_bool(k3s, "first", &a->k3s_first, reterr)) < 0 ||
		(r = read_bool(k3s, "everReady", &a->k3s_ever_ready, reterr)) < 0 ||
		(r = read_bool(k3s, "renewKubeconfig", &a->k3s_renew_kubeconfig, reterr)) < 0 ||
		(r = read_bool(k3s, "watchPodCidrs", &a->watch_pod_cidrs, reterr)) < 0 ||
		(r = read_text(k3s, "server", false, &a->k3s_server, reterr)) < 0 ||
		(r = read_text(k3s, "nodeIp", true, &a->node_ip, reterr)) < 0 ||
		(r = read_text(k3s, "cni", false, &cni, reterr)) < 0 ||
		(r = read_object(k3s, "labels", &a->labels, reterr)) < 0 ||
		(r = read_object(k3s, "overrides", &a->overrides, reterr)) < 0 ||
		(r = assignment_decode_servers(a, k3s, reterr)) < 0 ||
		(r = assignment_decode_restore(a, k3s, reterr)) < 0 ||
		(r = read_texts(k3s, "tlsSan", ASSIGNMENT_MAX_SANS, a->tls_sans, NULL, reterr)) < 0 ||
		(r = read_check_address(a->node_ip, "k3s.nodeIp", reterr)) < 0)
		return r;
	if (cni && !str_equal(cni, "bridge") && !str_equal(cni, "none"))
		return diag_set(reterr, -EINVAL, "k3s.cni", "must be bridge or none, not \"%s\"", cni);
	a->cni_bridge = str_equal(cni, "bridge");
	if (a->k3s_first && (!a->server || a->k3s_server))
		return diag_set(reterr, -EINVAL, "k3s.first", "the first server has role server and joins nobody");
	if (!a->k3s_first && !a->k3s_server)
		return diag_set(reterr, -EINVAL, "k3s.server", "is missing: only the first server joins nobody");
	if (a->k3s_server && !str_starts(a->k3s_server, "https://"))
		return diag_set(reterr, -EINVAL, "k3s.server", "must start with https://, not \"%s\"", a->k3s_server);
	if (!a->cluster_name || !a->pod_cidr || !a->service_cidr)
		return diag_set(reterr, -EINVAL, "cluster", "name, podCidr and serviceCidr are needed for k3s");
	return 0;
}

static int decode_digest(const struct value *object, const char *where, const char **ret_repository,
	const char **ret_digest, struct diag *reterr)
{
	int r = read_text(object, "repository", true, ret_repository, reterr);
	if (r == 0)
		r = read_text(object, "digest", true, ret_digest, reterr);
	if (r < 0)
		return r;
	if (!oci_name_valid(*ret_repository))
		return diag_set(reterr, -EINVAL, where, "repository must be an OCI name, not \"%s\"", *ret_repository);
	if (!oci_digest_valid(*ret_digest))
		return diag_set(reterr, -EINVAL, where, "digest must be sha256: and 64 hex digits, not \"%s\"", *ret_digest);
	return 0;
}

// By digest, or by a tag that nodes look up; and how long an artifact may get no further.
static int decode_bootstrap(const struct value *bootstrap, struct assignment *a, struct diag *reterr)
{
	const struct value *come_back = value_find(bootstrap, "comeBackSec");
	int64_t sec = ASSIGNMENT_COME_BACK_SEC;
	int r = read_text(bootstrap, "tag", false, &a->bootstrap_tag, reterr);

	if (r == 0)
		r = assignment_decode_bootstrap_registry(a, bootstrap, reterr);
	if (r == 0 && come_back && come_back->type != VALUE_NULL)
		r = value_int(come_back, "bootstrap.comeBackSec", 0, 7 * 24 * 3600, &sec, reterr);
	if (r < 0)
		return r;
	a->bootstrap_come_back_sec = (unsigned)sec;
	if (!a->bootstrap_tag)
		return decode_digest(bootstrap, "bootstrap", &a->bootstrap_repository, &a->bootstrap_digest, reterr);
	if ((r = read_text(bootstrap, "repository", true, &a->bootstrap_repository, reterr)) < 0)
		return r;
	if (!oci_name_valid(a->bootstrap_repository) || !oci_tag_valid(a->bootstrap_tag))
		return diag_set(reterr, -EINVAL, "bootstrap", "repository and tag must be as OCI has them, not \"%s:%s\"",
			a->bootstrap_repository, a->bootstrap_tag);
	if (value_find(bootstrap, "digest") && value_find(bootstrap, "digest")->type != VALUE_NULL)
		return diag_set(reterr, -EINVAL, "bootstrap", "has a digest or a tag, not both");
	return 0;
}

static int decode_artifacts(struct assignment *a, struct diag *reterr)
{
	const struct value *bootstrap = NULL, *payload = NULL;
	int r = read_object(a->document, "bootstrap", &bootstrap, reterr);
	if (r == 0)
		r = read_object(a->document, "payload", &payload, reterr);
	if (r == 0 && payload)
		r = decode_digest(payload, "payload", &a->payload_repository, &a->payload_digest, reterr);
	if (r < 0 || !bootstrap)
		return r;
	a->has_bootstrap = true;
	if ((r = decode_bootstrap(bootstrap, a, reterr)) < 0 ||
		(r = read_object(bootstrap, "variables", &a->variables, reterr)) < 0)
		return r;
	return read_texts(bootstrap, "signingKeys", SEED_MAX_KEYS, a->signing_keys, &a->n_signing_keys, reterr);
}

// They become words of a line of timesyncd's configuration.
static int decode_ntp(struct assignment *a, struct diag *reterr)
{
	int r = read_texts(a->document, "ntp", ASSIGNMENT_MAX_NTP, a->ntp, &a->n_ntp, reterr);
	for (size_t i = 0; r == 0 && i < a->n_ntp; i++) {
		size_t n = strspn(a->ntp[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:");
		if (n == 0 || n > 253 || a->ntp[i][n])
			r = diag_set(reterr, -EINVAL, "ntp", "must be host names or IP addresses, not \"%s\"", a->ntp[i]);
	}
	return r;
}

// Decodes a->document, which is set.
static int decode_document(struct assignment *a, struct diag *reterr)
{
	const char *role = NULL;
	int r;
	if (a->document->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "", "must be an object");
	const struct value *node = value_find(a->document, "node");
	if ((r = read_text(a->document, "generation", false, &a->generation, reterr)) < 0 ||
		(r = read_text(node, "id", false, &a->node_id, reterr)) < 0 ||
		(r = read_text(node, "name", true, &a->node_name, reterr)) < 0 ||
		(r = read_text(a->document, "role", true, &role, reterr)) < 0)
		return r;
	if (!str_equal(role, "server") && !str_equal(role, "worker"))
		return diag_set(reterr, -EINVAL, "role", "must be server or worker, not \"%s\"", role);
	a->server = str_equal(role, "server");
	if ((r = read_check_node_name(a->node_name, "node.name", reterr)) < 0 ||
		(r = assignment_decode_registries(a, reterr)) < 0 || (r = assignment_decode_proxy(a, reterr)) < 0 ||
		(r = assignment_decode_jobs(a, reterr)) < 0 || (r = decode_cluster(a, reterr)) < 0 || (r = decode_region(a, reterr)) < 0 ||
		(r = read_object(a->document, "network", &a->network, reterr)) < 0 || (r = decode_mesh(a, reterr)) < 0 ||
		(r = decode_k3s(a, reterr)) < 0 || (r = decode_ntp(a, reterr)) < 0)
		return r;
	if ((r = assignment_storage_decode(value_find(a->document, "storage"), a->server, a->storage, reterr)) < 0)
		return r;
	return decode_artifacts(a, reterr);
}

int assignment_decode(const char *text, size_t n, struct assignment **ret, struct diag *reterr)
{
	struct assignment *a CLEANUP(assignment_freep) = calloc(1, sizeof(*a));
	if (!a || !(a->storage = calloc(1, sizeof(*a->storage))))
		return -ENOMEM;
	int r = json_parse(text, n, ASSIGNMENT_MAX_BYTES, &a->document, reterr);
	if (r == 0)
		r = decode_document(a, reterr);
	if (r < 0)
		return r;
	if (!(a->text = strndup(text, n)))
		return -ENOMEM;
	*ret = TAKE_PTR(a);
	return 0;
}

int assignment_from_value(const struct value *object, struct assignment **ret, struct diag *reterr)
{
	struct json_out out = { 0 };
	json_out_value(&out, object);
	char *text AUTO_FREE = json_out_take(&out);
	return text ? assignment_decode(text, strlen(text), ret, reterr) : -ENOMEM;
}

static bool part_changed(const struct assignment *old, const struct assignment *fresh, const char *key)
{
	return !value_equal(value_find(old->document, key), value_find(fresh->document, key));
}

struct assignment_changes assignment_compare(const struct assignment *old, const struct assignment *fresh)
{
	if (!old)
		return (struct assignment_changes){ true, true, true, true, true, false };
	bool other_node = part_changed(old, fresh, "node") || part_changed(old, fresh, "role");
	return (struct assignment_changes){
		.network = part_changed(old, fresh, "network"),
		.k3s = part_changed(old, fresh, "k3s") || other_node || part_changed(old, fresh, "cluster") ||
		       part_changed(old, fresh, "registries") || part_changed(old, fresh, "proxy"),
		.bootstrap = part_changed(old, fresh, "bootstrap") || other_node || // it holds the node's name, and is a server's
			     (fresh->bootstrap_registry && (part_changed(old, fresh, "registries") || part_changed(old, fresh, "proxy"))),
		.storage = part_changed(old, fresh, "storage"),
		.ntp = part_changed(old, fresh, "ntp"),
		.role = other_node,
	};
}
