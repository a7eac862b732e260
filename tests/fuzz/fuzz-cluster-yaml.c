// fuzzes: region
// cluster.yaml from text to an assignment: whatever is accepted must also be assignable or refused
// with a sentence. SPDX-License-Identifier: Apache-2.0
#include "region/assign-extra.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
const char *__lsan_default_suppressions(void);

// libfyaml's own leak, see fuzz-yaml.c.
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static char facts[] =
		"{\"nics\":[{\"mac\":\"52:54:77:00:00:01\",\"addresses\":[\"192.0.2.1/24\"]}]}";
	CLEANUP(cluster_config_freep) struct cluster_config *config = NULL;
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE char *text = NULL, *made = NULL;
	struct diag diag = { 0 };
	if (cluster_config_parse(
		    (const char *)bytes, n_bytes, "cluster.yaml", NULL, &config, &diag) < 0)
		return 0;
	const struct cluster cluster = { .handed_over = 1, .first_server = "n-1" };
	static char status[] = "{\"volumes\":{\"vol0\":{\"path\":\"/var/lib/hearth/volumes/"
			       "vol0\",\"bytes\":1,\"ready\":true}}}";
	struct node first = { .id = "n-1",
		.name = "one",
		.number = 1,
		.is_server = 1,
		.facts = facts,
		.status = status };
	struct node *nodes[] = { &first };
	const struct node second = {
		.id = "n-2", .name = "two", .number = 2, .is_server = 1, .facts = facts
	};
	made = assign_volumes_made(config, nodes, N_ELEMENTS(nodes));
	const struct assignment_input input = { config, &cluster, &second, &first, "sha256:0",
		"e.1", made };
	if (assignment_build(&input, &text, &diag) < 0)
		return 0;
	if (json_parse(text, strlen(text), 0, &document, &diag) < 0)
		abort(); // what we write must be JSON
	return 0;
}
