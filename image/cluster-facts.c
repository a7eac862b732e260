// SPDX-License-Identifier: Apache-2.0
#include "image/cluster-facts.h"
#include "base/yaml.h"

#include <errno.h>

void cluster_facts_done(struct cluster_facts *facts)
{
	words_done(&facts->variables);
}

static int volumes_read(const struct value *volumes, struct cluster_facts *facts, struct diag *reterr)
{
	bool all_sized = true;

	if (!volumes || volumes->type != VALUE_ARRAY)
		return 0;
	facts->n_volumes = volumes->n;
	for (size_t i = 0; i < volumes->n; i++) {
		const struct value *size = value_find(&volumes->items[i], "sizeMiB");
		int64_t mib = 0;
		int rc = size ? value_int(size, "sizeMiB", 1, INT64_MAX >> 21, &mib, reterr) : 0;
		if (rc < 0)
			return rc;
		all_sized = all_sized && size;
		if ((uint64_t)mib << 20 > facts->largest_bytes)
			facts->largest_bytes = (uint64_t)mib << 20;
	}
	if (!all_sized)
		facts->largest_bytes = 0; // a whole disk: how large it is nobody here knows
	return 0;
}

static int storage_read(const struct value *storage, struct cluster_facts *facts, struct diag *reterr)
{
	const char *kind = value_text(value_find(storage, "kind")), *class = value_text(value_find(storage, "class"));

	if (!kind || str_equal(kind, "none"))
		return 0;
	if (!str_equal(kind, "static") && !str_equal(kind, "local-path"))
		return diag_set(reterr, -EINVAL, "storage.kind", "must be static, local-path or none, not \"%.40s\"", kind);
	snprintf(facts->storage_kind, sizeof(facts->storage_kind), "%s", kind);
	snprintf(facts->storage_class, sizeof(facts->storage_class), "%s", class ? class : "hearth-local");
	return str_equal(kind, "static") ? volumes_read(value_find(storage, "volumes"), facts, reterr) : 0;
}

static int document_read(const struct value *document, struct cluster_facts *facts, struct diag *reterr)
{
	const struct value *servers = value_find(document, "servers");
	const struct value *variables = value_path(document, "bootstrap", "variables", NULL);
	int rc = servers ? value_int(servers, "servers", 1, 9, &facts->servers, reterr) : 0;

	facts->known = true;
	facts->over_lan = str_equal(value_text(value_path(document, "k3s", "over", NULL)), "lan");
	facts->own_cni = str_equal(value_text(value_path(document, "k3s", "cni", NULL)), "bridge");
	for (size_t i = 0; rc == 0 && variables && variables->type == VALUE_OBJECT && i < variables->n; i++)
		rc = words_add(&facts->variables, variables->keys[i]);
	return rc < 0 ? rc : storage_read(value_find(document, "storage"), facts, reterr);
}

int cluster_facts_load(const char *path, struct cluster_facts *ret, struct diag *reterr)
{
	// What the region always gives (docs/cluster.md).
	static const char *const always[] = { "SOVEREIGN_FQDN", "CLUSTER_NAME", "CLUSTER_API_ADDRESS", "CLUSTER_POD_CIDR",
		"CLUSTER_SERVICE_CIDR", NULL };
	CLEANUP(value_freep) struct value *document = NULL;
	int rc;

	*ret = (struct cluster_facts){ .servers = 1, .storage_kind = "none" };
	rc = words_add_many(&ret->variables, always);
	if (rc == 0 && path)
		rc = yaml_load(path, 1 << 20, &document, reterr);
	if (rc == 0 && path)
		rc = document_read(document, ret, reterr);
	if (rc < 0 && document && reterr)
		diag_prefix(reterr, path);
	return rc;
}
