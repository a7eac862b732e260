// The handlers of the node API and the two route tables.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

extern const struct route api_routes[];
extern const size_t n_api_routes;
extern const struct route boot_routes[];
extern const size_t n_boot_routes;

int api_healthz(struct region *region, struct request *request);
int api_metrics(struct region *region, struct request *request);
int api_hello(struct region *region, struct request *request);
int api_enrolment_post(struct region *region, struct request *request);
int api_enrolment_put(struct region *region, struct request *request);
int api_enrolment_get(struct region *region, struct request *request);
int api_assignment(struct region *region, struct request *request);
int api_mesh(struct region *region, struct request *request);
int api_secrets(struct region *region, struct request *request);
int api_status(struct region *region, struct request *request);
int api_renew(struct region *region, struct request *request);
int api_cluster(struct region *region, struct request *request);
int api_admin(struct region *region, struct request *request);
int api_oci(struct region *region, struct request *request);
int api_boot(struct region *region, struct request *request);
int api_page(struct region *region, struct request *request);
int api_page_post(struct region *region, struct request *request);
int api_login(struct region *region, struct request *request);
// The password is derived here, without the lock (route.h).
int api_login_prepare(struct region *region, struct request *request);

/* A node spoke: remember when and from where, and watch for clones by the boot id (DESIGN 5). False
 * when an answer (409 quarantined) was given. */
bool api_node_heard(struct region *region, struct request *request);
