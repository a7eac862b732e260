// fuzzes: agent
// An assignment decides what a node becomes; it comes over an authenticated channel, but from STATE too.
// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct assignment *assignment CLEANUP(assignment_freep) = NULL;
	struct diag diag = { 0 };
	if (assignment_decode((const char *)bytes, n_bytes, &assignment, &diag) < 0)
		return 0;
	if (!assignment->node_name || (assignment->has_k3s && !assignment->node_ip))
		abort();
	return 0;
}
