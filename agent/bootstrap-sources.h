// Where the bootstrap is pulled from: the region, or a registry that cluster.yaml names, behind its mirrors. Which places, in
// which order and with what is pure; each place of a registry has a client of its own, as its CA may be its own.
// Source: containerd's hosts and K3s' registries.yaml for mirrors (an entry of the host, else "*"; a path is a prefix).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment.h"
#include "k3s/bootstrap.h"

struct bootstrap_place { // one place of a registry
	char *url;                       // without /v2 at its end
	const char *ca_pem;              // borrowed of the assignment; NULL: the system's CAs
	const char *username, *password; // borrowed of @logins; NULL: none
	const char *proxy;               // borrowed of the assignment; NULL: none
	bool plain;                      // http://
};
/* The places of @assignment->bootstrap_registry in the order in which they are asked: mirrors, then the registry. @logins:
 * object HOST: { username, password }, or NULL. At most BOOTSTRAP_MAX_SOURCES; how many, or -ENOMEM. */
int bootstrap_places(const struct assignment *assignment, const struct value *logins,
	struct bootstrap_place ret[static BOOTSTRAP_MAX_SOURCES]);
void bootstrap_places_done(struct bootstrap_place *places, size_t n);

struct bootstrap_sources { // for bootstrap_new(), which copies all but the clients
	size_t n;
	struct oci_source items[BOOTSTRAP_MAX_SOURCES];
	struct bootstrap_place places[BOOTSTRAP_MAX_SOURCES];
	struct value *logins;
};
void bootstrap_sources_done(struct bootstrap_sources *sources); // the clients stay
struct bootstrap_clients { // of a registry's places; to outlive the bootstrap that uses them
	struct http_client *of[BOOTSTRAP_MAX_SOURCES];
};
void bootstrap_clients_done(struct bootstrap_clients *clients);
/* @region: used when no registry is named. @registries: the stored logins (JSON) or NULL. @ret borrows of @assignment,
 * @region and @ret_clients (zeroed at first; to be freed in any case). -EBADMSG: the logins are damaged; -ENOMEM. */
int bootstrap_sources_make(sd_event *event, const struct assignment *assignment, const struct oci_source *region,
	const char *registries, struct bootstrap_sources *ret, struct bootstrap_clients *ret_clients, struct diag *reterr);
