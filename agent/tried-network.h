// The assigned network while it is on trial: it begins, is watched for its proof (network-trial.h decides), and stands or is
// undone. What is assigned, and what is below it, is agent-network.c's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-answers.h"
#include "agent/mesh-handshakes.h"
#include "netconf/netconf.h"

struct agent;

struct tried_network {
	bool on_trial;          // there is a journal of ours
	uint64_t applied_usec;  // != 0: waits for its proof; 0 while on trial: another network was assigned meanwhile
	uint64_t deadline_usec;
	char *undo_why;         // NULL, or it is being undone
	uint64_t undo_usec;     // since when
	char *undo_problem;     // NULL, or why that failed the last time
	bool is_half;           // what was before is still there, too
	bool region_was_silent; // before the trial
	char gateway[64], gateway_link[IFNAMSIZ]; // of before; "": none that answers
	struct mesh_handshakes handshakes; // since it was applied
	struct mesh_answers answers;       // to what was asked since then
};

// The gateway of now, while another network is to come: it may have to prove that one. False: none answers.
bool tried_network_look_at_gateway(struct agent *a, uint64_t now_usec);
/* Put @network_take, made of @document, on trial: the journal is written before the first change. -EWOULDBLOCK: come again; after
 * another failure it is undone, or, with undo_why set, will be. */
int tried_network_begin(struct agent *a, struct network *network_take, const char *document, struct diag *reterr);
void tried_network_is_set(struct agent *a, bool is_half); // more of it than before: what answered until now proves nothing
// At each tick: does it stand, or is it undone? One that stands without a trial is stored here, too, once the region was heard.
void tried_network_probe(struct agent *a);
/* Its trial is over before it could prove itself, which says nothing about it or about the one that comes now. False: it is not
 * undone yet, come again. */
bool tried_network_break_off(struct agent *a, const char *why);
bool tried_network_undo(struct agent *a); // go on with what is being undone; false as above
void tried_network_ended_by_person(struct agent *a); // who confirmed or undid it by hearth-net
void tried_network_keep(struct agent *a); // the assigned network is the confirmed one, without a trial
