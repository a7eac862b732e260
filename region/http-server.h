// The two listeners: HTTPS (TLS 1.3 only, client certificates asked for) with the route table, and
// plain HTTP for firmware. Long polls are suspended connections: no thread, no stack, a request
// struct each. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

struct http_server_config {
	const char *listen, *boot_listen; // "ADDRESS:PORT"; boot_listen "none": not at all
	unsigned n_threads;		  // 0: one per processor, at most 8
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
