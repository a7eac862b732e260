// The two listeners: HTTPS (TLS 1.3 only, client certificates asked for) with the route table, and
// plain HTTP for firmware. Long polls are suspended connections: no thread, no stack, a request
// struct each. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* Connections of one address, or of one IPv6 /64. A whole cluster may sit behind one NAT: 5,000
 * nodes (the most that a segment takes) with three connections each. That leaves a quarter of all
 * connections to everybody else, so that one host alone never shuts the others out. */
enum { HTTP_MAX_PER_ADDRESS = 15000 };

struct http_server_config {
	const char *listen, *boot_listen; // "ADDRESS:PORT"; boot_listen "none": not at all
	unsigned n_threads;		  // 0: one per processor, at most 8
	unsigned max_per_address;	  // the same at the HTTPS listener; 0: HTTP_MAX_PER_ADDRESS
	const struct route *routes;
	size_t n_routes;
	const struct route *boot_routes;
	size_t n_boot_routes;
};
struct http_server;
int http_server_start(struct region *region, const struct http_server_config *config,
	struct http_server **ret, struct diag *reterr);
struct http_server *http_server_stop(
	struct http_server *server); // answers those who wait with 503 first
// With the lock held: commit what is pending, then let answers and waiting requests go on.
void http_server_pump(struct http_server *server);
// Every quarter of a second: end long polls whose time is over.
void http_server_tick(struct http_server *server);
// Use the region's present server certificate from now on.
int http_server_restart(struct http_server *server, struct diag *reterr);
