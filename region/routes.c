// The table of routes: who may ask for what (docs/region-api.yaml). What is not here does not
// exist. SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

/* Anybody with TLS may send FORM, anybody with a key of its own making FACTS: small, they come from
 * strangers. STATUS is kept per node: the mesh rows of 5,000 peers (the most that a segment takes)
 * with IPv6 endpoints are 760 KB, a server's podCidrsSeen of as many nodes 200 KB more; facts,
 * timeline and warnings are in the rest. */
enum { FORM = 4 << 10, FACTS = 32 << 10, SMALL = 64 << 10, STATUS = 1 << 20 };

const struct route api_routes[] = {
	{ "GET", "/healthz", PEER_ANY, 0, api_healthz, NULL },
	{ "GET", "/metrics", PEER_ANY, 0, api_metrics, NULL },
	{ "GET", "/v1/hello", PEER_ANY, 0, api_hello, NULL },
	{ "POST", "/v1/enrolments", PEER_KEY, FACTS, api_enrolment_post, NULL },
	{ "PUT", "/v1/enrolments/*", PEER_KEY, FORM, api_enrolment_put, NULL },
	{ "GET", "/v1/enrolments/*", PEER_KEY, 0, api_enrolment_get, NULL },
	{ "GET", "/v1/assignment", PEER_NODE, 0, api_assignment, NULL },
	{ "GET", "/v1/mesh", PEER_NODE, 0, api_mesh, NULL },
	{ "GET", "/v1/secrets", PEER_NODE, 0, api_secrets, NULL },
	{ "PUT", "/v1/status", PEER_NODE, STATUS, api_status, NULL },
	{ "POST", "/v1/renew", PEER_NODE_OR_EXPIRED, SMALL, api_renew, NULL },
	{ "PUT", "/v1/cluster", PEER_SERVER, SMALL * 4, api_cluster, NULL },
	{ "GET HEAD", "/v2/*", PEER_NODE_OR_PULL, 0, api_oci, NULL },
	{ "POST", "/v1/admin/*", PEER_ADMIN, SMALL, api_admin, NULL },
	{ "GET", "/", PEER_ANY, 0, api_page, NULL },
	{ "GET", "/page/*", PEER_ANY, 0, api_page, NULL },
	{ "POST", "/page/login", PEER_ANY, FORM, api_login, api_login_prepare },
	{ "POST", "/page/*", PEER_ANY, FORM, api_page_post, NULL },
};
const size_t n_api_routes = N_ELEMENTS(api_routes);

const struct route boot_routes[] = {
	{ "GET HEAD", "/boot/*", PEER_ANY, 0, api_boot, NULL },
};
const size_t n_boot_routes = N_ELEMENTS(boot_routes);
