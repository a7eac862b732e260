// fuzzes: region
// cluster.yaml from text to an assignment: whatever is accepted must also be assignable or refused
// with a sentence. SPDX-License-Identifier: Apache-2.0
#include "region/assign-extra.h"
#include "region/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

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
	const struct member member = { .server = "n-1" };
	AUTO_FREE char *settings_text = settings_newest(config, second.name);
	CLEANUP(value_freep) struct value *settings = NULL;
	if (!settings_text || json_parse(settings_text, strlen(settings_text), 0, &settings, NULL) < 0)
		abort(); // it is kept and read again
	const struct assignment_input input = { .config = config,
		.cluster = &cluster,
		.node = &second,
		.member = &member,
		.settings = settings,
		.servers = nodes,
		.n_servers = 1,
		.ca_pin = "sha256:0",
		.generation = "e.1",
		.volumes_made = made };
	if (assignment_build(&input, &text, &diag) < 0)
		return 0;
	if (json_parse(text, strlen(text), 0, &document, &diag) < 0)
		abort(); // what we write must be JSON
	return 0;
}
