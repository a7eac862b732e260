// Which assigned network did not hold, kept on STATE: a start does not try at once what was undone before it, nor for a third time
// what two starts of hearthd ended amid of. Pure.
//   { "sha256": of the network, "refusals": how often in a row, "unfinished": so many trials were cut off since, "reason": ... }
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { REFUSED_NETWORK_BYTES = 2048, REFUSED_NETWORK_REASON = 256 };
struct refused_network {
	char sha256[65]; // of the document, hex; "": none was refused
	unsigned refusals, unfinished;
	char reason[REFUSED_NETWORK_REASON];
};
int refused_network_parse(const char *json, size_t n, struct refused_network *ret, struct diag *reterr);
char *refused_network_format(const struct refused_network *refused); // NULL: no memory
void refused_network_digest(const char *document, char ret[static 65]);
// It was refused for @reason, the @refusals-th time in a row.
void refused_network_note(struct refused_network *refused, const char sha256[static 65], unsigned refusals, const char *reason);
// Its trial was cut off: hearthd was killed, or the power went.
void refused_network_note_unfinished(struct refused_network *refused, const char sha256[static 65]);
// As how many refusals it counts: one trial that was cut off says nothing of the network.
unsigned refused_network_count(const struct refused_network *refused, const char sha256[static 65]);
