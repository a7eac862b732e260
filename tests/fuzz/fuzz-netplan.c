// fuzzes: netconf
// A netplan document from anywhere: decoded, validated, written back (which must mean the same), matched against a small
// kernel, planned and rendered.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "netconf/network-text.h"
#include "netconf/plan.h"

#include <linux/if_arp.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void write_back(const struct network *network)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(network_freep) struct network *again = NULL;
	AUTO_FREE char *text = network_text(network), *text_again = NULL;
	if (!text)
		abort();
	if (yaml_parse(text, strlen(text), 8 << 20, "again", &document, NULL) == 0 &&
		netconf_decode(document, &again, NULL) == 0)
		text_again = network_text(again);
	if (!str_equal(text, text_again))
		abort(); // what was taken is not what was written
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct kernel_link links[] = {
		{.index = 1, .name = "lo", .type = ARPHRD_LOOPBACK},
		{.index = 2, .name = "eth0", .type = ARPHRD_ETHER, .has_mac = true, .mac = {0x52, 0x54, 0, 0, 0, 1}},
		{.index = 3, .name = "hearth0", .kind = "wireguard", .type = ARPHRD_NONE},
	};
	struct kernel kernel = {.links = links, .n_links = N_ELEMENTS(links)};
	static const struct config_files none;
	struct diag diag = {0};
	if (yaml_parse((const char *)bytes, n_bytes, 1 << 20, "fuzz", &document, &diag) < 0 ||
		netconf_decode(document, &network, &diag) < 0) {
		if (!diag.message[0])
			abort(); // refused without a reason
		return 0;
	}
	write_back(network);
	struct plan_input input = {.network = network, .kernel = &kernel, .has_files = true, .files = &none};
	if (plan_make(&input, &plan, &diag) == 0) {
		free(plan_text(plan));
		free(plan_json(plan));
	}
	return 0;
}
