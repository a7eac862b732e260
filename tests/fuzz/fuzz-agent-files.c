// fuzzes: agent
// What the agent reads back from STATE and /run: region record, secrets, timeline, the picked VLAN, the refused network; and what the console shows of a
// status, and the seed of a kernel command line.
// SPDX-License-Identifier: Apache-2.0
#include "agent/refused-network.h"
#include "agent/screen.h"
#include "agent/seed-sources.h"
#include "agent/store.h"
#include "agent/timeline.h"
#include "agent/vlan-pick.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void show(const char *text, size_t n)
{
	struct value *status CLEANUP(value_freep) = NULL;
	struct timeline timeline = { 0 };
	if (json_parse(text, n, 0, &status, NULL) < 0)
		return;
	struct screen_said said = { 0 };
	char *lines AUTO_FREE = screen_lines(status, 0, &said), *again AUTO_FREE = screen_lines(status, 0, &said);
	screen_said_done(&said);
	char *board AUTO_FREE = screen_dashboard(status, 80, 40);
	size_t n_lines = 0;
	for (const char *c = lines; c && *c; c++)
		n_lines += *c == '\n';
	if ((lines && strpbrk(lines, "\r\033")) || (again && *again && n_lines <= SCREEN_SAID_WARNINGS))
		abort(); // nobody may write to the terminal through a status
	for (char key = '0'; key <= '9'; key++) {
		const char *mac = NULL;
		unsigned id = 0;
		if (screen_vlan_of(status, key, &mac, &id) && (!mac || id > 4094))
			abort();
	}
	timeline_from_value(&timeline, value_find(status, "timeline"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct region_record record = { 0 };
	struct secrets secrets = { 0 };
	char problem[SEED_PROBLEM_MAX];
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	if (!text)
		return 0;
	if (region_record_parse((const char *)bytes, n_bytes, &record, NULL) == 0 && !record.n_urls)
		abort();
	region_record_done(&record);
	if (secrets_parse((const char *)bytes, n_bytes, &secrets, NULL) == 0 && !secrets.agent_token)
		abort();
	secrets_done(&secrets);
	show((const char *)bytes, n_bytes);
	struct vlan_pick pick, again;
	char written[VLAN_PICK_TEXT];
	if (vlan_pick_parse((const char *)bytes, n_bytes, &pick) == 0) {
		vlan_pick_format(&pick, written);
		if (vlan_pick_parse(written, strlen(written), &again) < 0 || again.id != pick.id)
			abort();
	}
	struct refused_network refused, refused_again;
	if (refused_network_parse((const char *)bytes, n_bytes, &refused, NULL) == 0) {
		char *formatted AUTO_FREE = refused_network_format(&refused);
		if (formatted && refused_network_parse(formatted, strlen(formatted), &refused_again, NULL) == 0 &&
			refused_network_count(&refused_again, refused.sha256) != refused_network_count(&refused, refused.sha256))
			abort();
	}
	char *seed AUTO_FREE = seed_text_from_cmdline(text, problem);
	return 0;
}
