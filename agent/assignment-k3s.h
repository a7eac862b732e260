// The parts of an assignment that say how this node's K3s stands among others: servers, profile, overrides, restarts,
// jobs, registries, proxy. Called by assignment.c alone; each key may be absent, as in assignments of an older region.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment.h"

int assignment_decode_servers(struct assignment *assignment, const struct value *k3s, struct diag *reterr);
int assignment_decode_restore(struct assignment *a, const struct value *k3s, struct diag *reterr); // also stopK3s; @k3s may be NULL
int assignment_decode_jobs(struct assignment *assignment, struct diag *reterr);
int assignment_decode_registries(struct assignment *assignment, struct diag *reterr);
// `registry` of @bootstrap: a host, or absent.
int assignment_decode_bootstrap_registry(struct assignment *assignment, const struct value *bootstrap, struct diag *reterr);
int assignment_decode_proxy(struct assignment *assignment, struct diag *reterr);
