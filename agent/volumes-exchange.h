// What hearthd and hearth-volumes tell each other in /run/hearth: volumes-wanted.json and volumes.json (docs/contracts.md).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment.h"
#include "agent/volume-disk.h"

enum { VOLUMES_MAX_BYTES = 256 << 10, VOLUMES_MAX = ASSIGNMENT_MAX_VOLUMES + VOLUME_MAX_KEPT };
_Static_assert(VOLUMES_MAX <= 64, "the region refuses a status with more (docs/contracts.md)");

struct volumes_wanted {
	struct value *document; // owned; the rest is borrowed from it
	const char *cluster, *node;
	bool durable;
	size_t n;
	struct volume_wish wishes[ASSIGNMENT_MAX_VOLUMES];
};
void volumes_wanted_done(struct volumes_wanted *wanted);
char *volumes_wanted_format(const struct assignment *assignment, bool durable); // caller frees
int volumes_wanted_parse(const char *text, size_t n, struct volumes_wanted *ret, struct diag *reterr);

struct volumes_answer { // of hearth-volumes
	struct value *document; // owned
	const struct value *volumes; // object: what the status says; borrowed
	unsigned n_waiting;  // that are not ready
	char sentence[VOLUME_SENTENCE_MAX]; // of the first that has one
	unsigned n_sentences;
};
void volumes_answer_done(struct volumes_answer *answer);
/* The answer to @wanted_text. -ENOENT: it answers something else. -EINVAL. */
int volumes_answer_parse(const char *text, size_t n, const char *wanted_text, struct volumes_answer *ret, struct diag *reterr);
char *volumes_answer_format(const char *wanted_text, const struct volume_wish *wishes, const struct volume_result *results,
	size_t n); // caller frees
