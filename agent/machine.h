// What this machine is: serial, UUID, ports, disks, memory: the FACTS of an enrolment (docs/region-api.yaml).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/image-facts.h"
#include "netconf/netconf.h"

struct machine {
	char serial[64], uuid[64], product[64], vendor[64]; // "" when the firmware tells none
	uint64_t memory_bytes;
	unsigned n_cpus;
};
void machine_load(struct machine *ret);
/* The FACTS object; @links may be NULL, @mesh_candidates (mesh-candidates.h) too. The caller frees. */
char *machine_facts_json(const struct machine *machine, const struct image_facts *image,
	const struct netconf_links *links, const char *mesh_candidates);
// Private_Dirty and PSS of this process in KiB, from /proc/self/smaps_rollup; 0 when unknown.
void machine_own_memory(uint64_t *ret_private_dirty_kib, uint64_t *ret_pss_kib);
