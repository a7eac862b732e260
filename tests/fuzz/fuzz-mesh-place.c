// fuzzes: region
// Where a node says that it is: the first line is the address that it comes from and then an endpoint that others see, the rest its
// facts. A place that was made is the same after it was stored, and every endpoint that is chosen from it is one.
// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-place.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void check(const struct cluster_config *config, const char *remote, const char *seen, const char *json)
{
	CLEANUP(value_freep) struct value *facts = NULL;
	struct mesh_place place, stored, nobody = { 0 };
	char text[MESH_PLACE_TEXT], again[MESH_PLACE_TEXT], endpoint[MESH_ENDPOINT_TEXT];
	(void)mesh_endpoint_is_usable(config, seen);
	(void)mesh_place_parse(config, json, &stored); // as if it were a stored place
	if (json_parse(json, strlen(json), 0, &facts, NULL) < 0)
		return;
	mesh_place_of(config, 2, facts, remote, &place);
	mesh_place_format(config, &place, text);
	if (mesh_place_parse(config, text, &stored) < 0)
		abort();
	mesh_place_format(config, &stored, again);
	if (!str_equal(text, again))
		abort();
	if (mesh_place_choose(&nobody, &stored, endpoint) && !mesh_endpoint_is_usable(config, endpoint))
		abort();
	(void)mesh_place_choose(&stored, &stored, endpoint);
	if (mesh_place_guess(&stored, &place, endpoint) && !mesh_place_has(&place, endpoint))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static struct cluster_config *config;
	static const char rules[] = "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, domain: example.org,"
				    "urls: ['https://10.0.2.2:7443'], lan: {prefix: 10.77.0.0/24, macPrefix: '52:54:77'}}";
	if (!config && cluster_config_parse(rules, strlen(rules), "fuzz", NULL, &config, NULL) < 0)
		abort();
	char *copy = calloc(1, n_bytes + 1), *rest = copy;
	memcpy(copy, bytes, n_bytes);
	const char *line = strsep(&rest, "\n");
	char *space = strchr(line, ' ');
	if (space)
		*space = '\0';
	check(config, line, space ? space + 1 : "", rest ? rest : "");
	free(copy);
	return 0;
}
