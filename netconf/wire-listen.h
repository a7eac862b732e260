// Listens on the wired ports for what tells of VLANs and of the switch (wire-sign.h), for a person at the console of a machine
// that does not find its region. Nothing is sent. Needs CAP_NET_RAW; the ports are promiscuous meanwhile, because cards drop
// frames of VLANs that nobody here has. Source: packet(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/netconf.h"
#include "netconf/wire-sign.h"

struct wire_seen {
	char link[IFNAMSIZ], mac[18]; // the port's permanent MAC where it has one
	struct wire_vlan vlan;
};
struct wire_place {
	char link[IFNAMSIZ], place[WIRE_PLACE_MAX + 1];
};

struct wire_listener;
/* @on_news runs from the event loop when something is seen for the first time. */
int wire_listener_new(sd_event *event, void (*on_news)(void *user), void *user, struct wire_listener **ret,
	struct diag *reterr);
struct wire_listener *wire_listener_free(struct wire_listener *listener); // the ports are as before
DEFINE_CLEANUP(wire_listener)
/* Listen on the wired ports of @links, and on no others: what was seen on one that is gone is forgotten. Those that are known
 * already cost nothing. NULL: on the same as before. */
void wire_listener_look(struct wire_listener *listener, const struct netconf_links *links);
/* At most WIRE_MAX_VLANS, those of LLDP first, then by port and number. Borrowed until the next event. */
const struct wire_seen *wire_listener_seen(const struct wire_listener *listener, size_t *ret_n);
// Where @link is plugged in, by LLDP; NULL: not known.
const char *wire_listener_place(const struct wire_listener *listener, const char *link);
// The table alone, for tests: what @sign tells of a port. True: it is news.
struct wire_table {
	size_t n, n_places;
	struct wire_seen seen[WIRE_MAX_VLANS];
	struct wire_place places[16]; // no machine of a rack has more ports that matter here
};
bool wire_table_take(struct wire_table *table, const char *link, const char *mac, const struct wire_sign *sign);
void wire_table_forget(struct wire_table *table, const char *link); // all that was seen on it
