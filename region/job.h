// Work inside the cluster that a healthy server's hearthd does against its own API: which server,
// and what is said of it. Pure; docs/contracts.md names the kinds and what done means.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/admission.h"
#include "region/store.h"

enum { JOB_SILENT_SEC = 60 }; // a server that is silent for longer loses its jobs to another one

#define JOB_FORGET_NODE "forget-node"
#define JOB_DRAIN "drain"
#define JOB_UNCORDON "uncordon"
#define JOB_ETCD_SNAPSHOT "etcd-snapshot" // on the server itself
#define JOB_ROTATE_TOKEN "rotate-token"	  // the same

/* The server that should do @job: the one that has it (@present, an index or SIZE_MAX) while that
 * is Ready and heard, else another such; SIZE_MAX: nobody can. Nobody drains or forgets itself, and
 * undoes its own cordon only when no other server can. A snapshot and another token are the named
 * server's own work, and nobody else's. */
size_t job_place(const struct job *job, const struct admission_server *servers, size_t n_servers,
	size_t present);
const char *job_state_name(int64_t state); // waiting, running, failed
