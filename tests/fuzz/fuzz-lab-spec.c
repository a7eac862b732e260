// fuzzes: qemu
// SPDX-License-Identifier: Apache-2.0
#include "qemu/argv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

// Whatever a spec says, what is taken can be told to QEMU, written, and read again.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const struct lab_machine machine = {
		.folder = "/lab/n", .accel = "tcg", .cpu = "qemu64", .segment_port = 1, .ovmf_code = "/o"};
	struct lab_node **nodes, **again;
	size_t n, n_again;

	if (lab_spec_parse((const char *)bytes, n_bytes, "fuzz", &nodes, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct argv argv;
		if (lab_argv_render(nodes[i], &machine, &argv) < 0)
			abort();
		argv_done(&argv);
		AUTO_FREE char *text = lab_node_format(nodes[i]);
		AUTO_FREE char *spec = str_format("{\"version\":1,\"nodes\":[%s]}", text);
		if (lab_spec_parse(spec, strlen(spec), "again", &again, &n_again, NULL) == 0)
			lab_spec_done(again, n_again);
		else
			abort();
	}
	lab_spec_done(nodes, n);
	return 0;
}
