// fuzzes: netconf
// Bytes as the kernel's answers: a run of rtnetlink messages, whose network must show as YAML that parses; each message as
// the answer to a request that failed; and the same bytes as one WireGuard message.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "netconf/netlink-error.h"
#include "netconf/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void show_it(const struct kernel *kernel)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct diag diag = {0};
	AUTO_FREE char *text = show_text(kernel, NULL);
	if (text && strlen(text) <= YAML_MAX_BYTES && yaml_parse(text, strlen(text), 0, "show", &document, &diag) < 0) {
		fprintf(stderr, "%s\n%s", diag_text(&diag), text);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	CLEANUP(wireguard_device_done) struct wireguard_device device = {0};
	AUTO_FREE uint8_t *copy = malloc(n_bytes ? n_bytes : 1); // aligned, and exactly as long
	if (!kernel || !copy || n_bytes > 1 << 20)
		return 0;
	memcpy(copy, bytes, n_bytes);
	struct nlmsghdr *message = (struct nlmsghdr *)copy;
	for (int left = (int)n_bytes; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
		char words[128];
		(void)netlink_error_code(message);
		netlink_error_words(message, (struct nlmsghdr *)copy, words, sizeof(words));
		if (kernel_decode(kernel, message) < 0)
			break;
	}
	kernel_sort(kernel);
	for (size_t i = 0; i < kernel->n_links; i++) {
		size_t n;
		(void)kernel_link_is_wired(&kernel->links[i]);
		(void)kernel_addresses_of(kernel, kernel->links[i].index, &n);
	}
	show_it(kernel);
	if (wireguard_decode(&device, copy, n_bytes) == 0)
		peer_table_sort(&device.peers);
	return 0;
}
