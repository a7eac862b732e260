// SPDX-License-Identifier: Apache-2.0
#include "region/assign-extra.h"

#include "region/status-parts.h"

// A server refuses an assignment with more (each is an object that it lays), or with smaller ones:
// no node's word may cost it that.
enum { MAX_VOLUMES_MADE = 256 };

static bool is_for(const struct config_volume *volume, const struct node *node)
{
	return !volume->node || str_equal(volume->node, node->name);
}

// ---- storage

static void put_own_volumes(
	const struct config_storage *storage, const struct node *node, struct json_out *out)
{
	json_out_key(out, "volumes");
	json_out_array_begin(out);
	for (size_t i = 0; i < storage->n_volumes; i++) {
		const struct config_volume *volume = &storage->volumes[i];
		if (!is_for(volume, node))
			continue;
		json_out_object_begin(out);
		json_out_member(out, "name", volume->name);
		json_out_member(out, "source", volume->serial ? "disk" : "state");
		if (volume->serial)
			json_out_member(out, "serial", volume->serial);
		else
			json_out_member_int(out, "bytes", volume->size_mib << 20);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void put_storage(const struct assignment_input *input, struct json_out *out)
{
	const struct config_storage *storage = &input->config->storage;
	json_out_key(out, "storage");
	if (str_equal(storage->kind, "none")) {
		json_out_null(out);
		return;
	}
	json_out_object_begin(out);
	json_out_member(out, "kind", storage->kind);
	json_out_member(out, "class", storage->class);
	put_own_volumes(storage, input->node, out);
	if (input->node->is_server) {
		json_out_key(out, "all");
		json_out_raw(out, input->volumes_made ? input->volumes_made : "[]");
	}
	json_out_object_end(out);
}

static void put_made(const struct cluster_config *config, const struct node *node,
	const struct value *volumes, struct json_out *out, size_t *n_put)
{
	for (size_t i = 0; i < config->storage.n_volumes && *n_put < MAX_VOLUMES_MADE; i++) {
		const struct config_volume *wanted = &config->storage.volumes[i];
		struct status_volume made;
		if (!is_for(wanted, node) || !status_volume_find(volumes, wanted->name, &made) ||
			!made.ready || made.n_bytes < (int64_t)VOLUME_MIN_MIB << 20)
			continue;
		++*n_put;
		json_out_object_begin(out);
		json_out_member(out, "node", node->name);
		json_out_member(out, "name", wanted->name);
		json_out_member(out, "path", made.path);
		json_out_member_int(out, "bytes", made.n_bytes);
		json_out_object_end(out);
	}
}

char *assign_volumes_made(const struct cluster_config *config, struct node *const *nodes, size_t n)
{
	struct json_out out = { 0 };
	size_t n_put = 0;
	json_out_array_begin(&out);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(value_freep) struct value *status = NULL;
		if (nodes[i]->state == NODE_REVOKED || nodes[i]->quarantined || !nodes[i]->status ||
			!strstr(nodes[i]->status, "\"volumes\""))
			continue;
		if (json_parse(nodes[i]->status, strlen(nodes[i]->status), 0, &status, NULL) >= 0)
			put_made(config, nodes[i], value_find(status, "volumes"), &out, &n_put);
	}
	json_out_array_end(&out);
	return json_out_take(&out);
}

// ---- proxy

// What is never asked through a proxy, whatever cluster.yaml says: the nodes, their pods and
// services, and the region.
static void print_own_no_proxy(const struct cluster_config *config, FILE *f)
{
	const struct cidr *ranges[] = { &config->mesh, &config->pod, &config->service,
		config->has_lan ? &config->lan : NULL };
	char text[300];
	fputs("localhost,127.0.0.0/8,::1", f);
	for (size_t i = 0; i < N_ELEMENTS(ranges); i++) {
		if (!ranges[i])
			continue;
		cidr_format(ranges[i], text);
		fprintf(f, ",%s", text);
	}
	fputs(",.svc,.cluster.local", f);
	for (size_t i = 0; i < config->n_urls; i++) {
		cluster_url_host(config->urls[i], text, sizeof(text));
		fprintf(f, ",%s", text);
	}
	for (size_t i = 0; i < config->proxy.n_no; i++)
		fprintf(f, ",%s", config->proxy.no[i]);
}

static void put_proxy(const struct cluster_config *config, struct json_out *out)
{
	AUTO_FREE char *no = NULL;
	size_t n = 0;
	json_out_key(out, "proxy");
	if (!config->proxy.http && !config->proxy.https) {
		json_out_null(out);
		return;
	}
	FILE *f = open_memstream(&no, &n);
	if (f)
		print_own_no_proxy(config, f);
	if (!f || fclose(f) != 0)
		out->failed = true;
	json_out_object_begin(out);
	json_out_member(out, "http", config->proxy.http);
	json_out_member(out, "https", config->proxy.https);
	json_out_member(out, "no", no);
	json_out_object_end(out);
}

// ---- registries

static void put_registries(const struct config_registries *registries, struct json_out *out)
{
	json_out_key(out, "registries");
	if (!registries->mirrors && registries->n_configs == 0) {
		json_out_null(out);
		return;
	}
	json_out_object_begin(out);
	json_out_key(out, "mirrors");
	if (registries->mirrors) {
		json_out_value(out, registries->mirrors);
	} else {
		json_out_object_begin(out);
		json_out_object_end(out);
	}
	json_out_key(out, "configs");
	json_out_object_begin(out);
	for (size_t i = 0; i < registries->n_configs; i++) {
		const struct config_registry *registry = &registries->configs[i];
		json_out_key(out, registry->host);
		json_out_object_begin(out);
		if (registry->ca_pem)
			json_out_member(out, "caPem", registry->ca_pem);
		if (registry->secret)
			json_out_member(out, "secret", registry->secret);
		json_out_object_end(out);
	}
	json_out_object_end(out);
	json_out_object_end(out);
}

void assign_put_extra(const struct assignment_input *input, struct json_out *out)
{
	put_storage(input, out);
	put_proxy(input->config, out);
	put_registries(&input->config->registries, out);
}
