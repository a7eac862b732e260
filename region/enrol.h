// From an enrolment to a node: names, roles, tokens, replacement, revocation. What API and admin
// calls share. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

enum { MAX_WRONG_CODES = 5, DENIED_SEC = 3600 };

void id_generate(const char *prefix, char ret[static ID_TEXT]); // "e-" + 16 hex digits

struct admission {
	const char *actor; // for the audit log
	bool may_be_server;
	bool keeps_role;       // who replaces a server becomes one, whatever may_be_server says
	const char *node_name; // wished name, or "" for the lowest free number
	bool durable;
	bool by_token; // reserved until durable; a person's approval is for good
};
/* The number of a node: of the name @wished, else ("" or NULL) the lowest that is free. A revoked
 * server that is still in the mesh keeps its own from who did not ask for its name: being given it
 * ends its time there. *ret_n_servers: how many there are. Errors as of enrolment_admit(). */
int enrolment_place(struct region *region, const char *wished, int64_t *ret_number,
	size_t *ret_n_servers, struct diag *reterr);
/* Make @enrolment's key a node: name, number, role, certificate, place in the mesh; a replaced node
 * is revoked. -EEXIST the wished name or the WireGuard key is taken; -EINVAL it does not fit the
 * naming; -ERANGE no address left. */
int enrolment_admit(struct region *region, struct enrolment *enrolment,
	const struct admission *admission, struct diag *reterr);
// The node's key is kept across reboots now: burn its token, end the reservation. -EEXIST: the
// token is gone meanwhile.
int enrolment_durable(struct region *region, struct enrolment *enrolment, struct node *node);
/* End a node: its key, its place in the mesh, its part in the cluster (membership_leave()). */
int node_revoke(struct region *region, struct node *node, const char *actor, const char *why);
/* The name of a live node with another key that has this WireGuard key, or "". One key of the mesh
 * is one node: a second claim would turn the first one's packets away, and its end would end the
 * first. @leaving is the key of a node that would lose its place first and does not count; "":
 * none. */
int wg_key_holder(struct region *region, const char *wg_public, const char *key,
	const char *leaving, char ret[static STORE_NAME_TEXT]);
/* 0; -EEXIST with a sentence when another node has @enrolment's WireGuard key. */
int enrolment_check_wg_key(struct region *region, const struct enrolment *enrolment,
	const char *leaving, struct diag *reterr);
// A durable, unrevoked node with the same UUID or serial and another key, or NULL.
int hardware_find(struct region *region, const char *key, const char *uuid, const char *serial,
	struct node **ret);
/* The code of an opened exchange. -EAGAIN: the node has not opened it yet. */
int enrolment_code(
	const struct region *region, const struct enrolment *enrolment, char ret[static 10]);
const char *enrolment_state_name(int64_t state);
const char *node_state_name(int64_t state);
