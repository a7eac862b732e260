// Names by the naming convention: dimensions with their codes, and the names composed of them.
// Pure; nothing is remembered here. Source: OpenOva naming convention of 2026-04-27.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { NAME_TEXT = 64 };

struct naming {
	char provider[33];     // long name: "hetzner"
	char provider_code[4]; // "hz"
	char provider_letter;
	char region[5]; // "fsn"
	char region_letter;
	char block[4]; // "rtz"
	char block_letter;
	char env[5]; // "prod"
	char env_letter;
	char app[17]; // "k8s"
};

/* Decode provider, region, buildingBlock, envType and app of cluster.yaml. A site of one's own
 * declares `provider: {name, code, letter}` and `region: {code, letter}`; what collides with the
 * convention is refused. */
int naming_decode(const struct value *config, struct naming *ret, struct diag *reterr);
void naming_cluster(const struct naming *naming, char ret[static NAME_TEXT]); // hz-fsn-rtz-prod
void naming_node(
	const struct naming *naming, unsigned number, char ret[static NAME_TEXT]); // hzfsnr-k8s-1p
void naming_location(const struct naming *naming, char ret[static 5]);		   // hfrp
// The number of a node name of this naming, or 0.
unsigned naming_node_number(const struct naming *naming, const char *name);
// The lowest number from 1 that is not in @used.
unsigned naming_lowest_free(const unsigned *used, size_t n_used);
