// SPDX-License-Identifier: Apache-2.0
#include "k3s/stage-waits.h"
#include <errno.h>

static int wait_parse(const char *text, const char *where, struct manifest_object *ret, struct diag *reterr)
{
	char api_version[128], kind[64], namespace[64], name[128];

	if (sscanf(text, " %127s %63s %63[^/ ]/%127s", api_version, kind, namespace, name) != 4)
		return diag_set(reterr, -EINVAL, where,
			STAGE_WAITS_FOR " must list \"APIVERSION KIND NAMESPACE/NAME\" with commas between, not \"%.100s\"", text);
	*ret = (struct manifest_object){.api_version = strdup(api_version), .kind = strdup(kind), .name = strdup(name),
		.namespace = strdup(namespace)};
	return ret->api_version && ret->kind && ret->name && ret->namespace ? 0 : -ENOMEM;
}

int stage_waits_parse(const struct manifest_object *object, struct manifest **ret, struct diag *reterr)
{
	const char *list = value_text(
		value_find(value_path(object->document, "metadata", "annotations", NULL), STAGE_WAITS_FOR));
	char *copy AUTO_FREE = strdup(list ? list : ""), *rest = copy;
	struct manifest *manifest CLEANUP(manifest_freep) = calloc(1, sizeof(*manifest));
	int r = copy && manifest ? 0 : -ENOMEM;

	*ret = NULL;
	if (r < 0 || !list)
		return r;
	manifest->objects = calloc(STAGE_MAX_WAITS, sizeof(*manifest->objects));
	if (!manifest->objects)
		return -ENOMEM;
	for (char *one; r == 0 && (one = strsep(&rest, ","));) {
		if (manifest->n == STAGE_MAX_WAITS)
			return diag_set(reterr, -E2BIG, object->name, STAGE_WAITS_FOR " may list %d objects", STAGE_MAX_WAITS);
		r = wait_parse(one, object->name, &manifest->objects[manifest->n], reterr);
		manifest->n++; // half of one is freed, too
	}
	if (r == 0)
		*ret = TAKE_PTR(manifest);
	return r;
}
