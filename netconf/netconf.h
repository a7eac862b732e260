// The network of one node: a netplan document becomes a plan, the plan becomes netlink messages and files for
// systemd-networkd. This header is all that agent/ needs. Nothing here knows regions, waits for DHCP or resolves names.
//
// What is ours: addresses with IFA_PROTO 72, routes with protocol 72, links with the alias "hearth", files
// 10-hearth-* in networkd's folder. Nothing else is ever removed: foreign links, kernel routes, DHCP's addresses,
// cni0, veth. What is already right is not touched. Sources: netplan's YAML reference, linux/rtnetlink.h,
// linux/wireguard.h, systemd.network(5).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include <net/if.h>
#include <systemd/sd-event.h>

struct network; // desired
struct plan;    // ordered changes

// --- desired ---

/* Decode and validate a netplan document (version 2; with or without the outer key `network:`).
 * -EINVAL: reterr.where is "line:column", the message names key, rule and value. */
int netconf_decode(const struct value *netplan, struct network **ret, struct diag *reterr);
// DHCPv4, DHCPv6 and router advertisements on every wired port; never on USB gadgets, BMC host interfaces, virtual links.
int netconf_default(struct network **ret);
/* Put @below_take under @network: links that no declaration of @network claims keep the declaration of @below_take.
 * For an assignment that says nothing about the uplink the seed (or the default) described. */
int netconf_layer(struct network *network, struct network *below_take);
bool netconf_has_tunnel(const struct network *network, const char *link); // a WireGuard link of that name
/* The link @link gets at most @mtu, whatever its declaration says: a path was found to carry no more. Without such a declaration
 * nothing happens. */
void netconf_limit_mtu(struct network *network, const char *link, uint32_t mtu);
struct network *network_free(struct network *network); // wipes keys
DEFINE_CLEANUP(network)

// --- plan and apply ---

struct netconf_options { // NULL instead of it: all defaults
	const char *networkd_folder; // NULL: /run/systemd/network
	const char *resolv_conf;     // NULL: /run/hearth/resolv.conf
	const char *run_folder;      // NULL: /run/hearth (marker of a reload that is still owed)
	bool without_networkd;       // write no files and tell nobody: bare namespaces, tests
	bool without_taking_over;    // what others made stays theirs, though it is declared
	bool without_waiting;        // for an address: who applies again when the monitor tells of it
	// What netconf_apply() is about to do, when that is anything; NULL: nobody wants to know.
	void (*on_plan)(const struct plan *plan, void *user);
	void *user;
};
/* Read the kernel once, compare, order. Loads the WireGuard key files the document names (-ENOENT etc. by name).
 * After a successful apply the next plan is empty. */
int netconf_plan(struct network *network, const struct netconf_options *options, struct plan **ret,
	struct diag *reterr);
size_t plan_n_changes(const struct plan *plan);
/* "taken over: 3 addresses, 1 link": what a person or netplan made, and is as it is declared, becomes Hearth's, so that a later
 * document can change it or leave it out. That is no change of the network. NULL: nothing (or out of memory); the caller frees. */
char *plan_taken_over(const struct plan *plan);
// Do that alone, with a plan that changes nothing; netconf_apply_plan() does it behind the changes.
int netconf_take_over(const struct plan *plan, struct diag *reterr);
char *plan_text(const struct plan *plan); // one sentence per line; NULL: out of memory; the caller frees
char *plan_json(const struct plan *plan); // [{"change", "link", "what", "dropsTraffic"}]
/* A sentence when a route is left out because of its source address, else NULL; borrowed. In vain: somebody else has that
 * address (or, on the way back, a route in its place), so that the route does not come by itself. */
const char *plan_waits_for(const struct plan *plan);
bool plan_waits_in_vain(const struct plan *plan);
bool plan_is_half(const struct plan *plan); // applied without waiting: what was there before is still there, too; apply again
struct plan *plan_free(struct plan *plan);
DEFINE_CLEANUP(plan)

/* Plan and do. Returns when the kernel has acknowledged everything and networkd was told; a lease comes later, by
 * itself. With an IPv6 route that has a source address (`from`) it waits for that address, 3 s at most, or not at all: then
 * nothing is taken away yet, and the next call does the rest (NETCONF_CHANGED_OURS). Idempotent: a link that is not there yet
 * is no error (see netconf_online), call again on a link event.
 * After a failure part of the plan may stand: call again to converge. @ret_n_changes may be NULL.
 * Declared WireGuard links without `peers` keep the peers they have (netconf_set_peers owns them). */
int netconf_apply(struct network *network, const struct netconf_options *options, size_t *ret_n_changes,
	struct diag *reterr);
/* The same with a plan that netconf_plan() has made of @network, before anything else was changed; plan_waits_for() says
 * afterwards what still waits. */
int netconf_apply_plan(struct network *network, struct plan *plan, const struct netconf_options *options,
	struct diag *reterr);
/* Only resolv.conf: declared servers, then those of networkd's leases. Cheap; call it now and then: routers name servers
 * without a change of the kernel's. 0 unchanged, 1 written, or negative. */
int netconf_update_resolv(const struct network *network, const struct netconf_options *options, struct diag *reterr);

// --- WireGuard peers ---

// MAX_PEERS: twice a segment of the mesh, as a peer whose key rotates is two.
enum { NETCONF_KEY_BYTES = 32, NETCONF_KEY_TEXT = 45, NETCONF_MAX_PEERS = 10000, NETCONF_MAX_ALLOWED = 64 };

struct netconf_peer { // everything borrowed for the call
	const char *public_key;         // base64
	const char *endpoint;           // "10.77.0.12:51820", "[2001:db8::1]:51820"; NULL: as it is
	const char *const *allowed_ips; // "10.66.0.12/32" ...
	size_t n_allowed_ips;
	uint16_t keepalive_sec;         // 0: none
	const char *preshared_key_file; // NULL: none
};
/* Make the peers of one WireGuard link exactly these. Compared with the kernel first: a peer that is right is not touched
 * and keeps its session, a changed one gets only what differs; an endpoint that roamed away is put back only when the
 * last handshake is older than 180 s.
 * Number of peers touched; -ENODEV no such WireGuard link; -EINVAL with reterr.where "peers[2].endpoint"; -EPERM. */
int netconf_set_peers(const char *link, const struct netconf_peer *peers, size_t n_peers, struct diag *reterr);

enum netconf_peer_what { // of one peer
	NETCONF_PEER_NEW = 1, // all of it; one that is there is brought up to it
	NETCONF_PEER_REMOVE = 2,
	NETCONF_PEER_ENDPOINT = 4,
	NETCONF_PEER_KEEPALIVE = 8,
	NETCONF_PEER_ALLOWED = 16, // exactly these ranges
};
struct netconf_peer_change {
	struct netconf_peer peer;
	unsigned what; // enum netconf_peer_what; NEW and REMOVE stand alone
};
/* The same for who knows what the link has because it set it: the changes are sent as they are, in order, nothing is read
 * first; one endpoint among 5,000 peers is one small message. A peer that somebody removed meanwhile is not brought back by
 * a change that is not NEW: netconf_peers_status() shows that it is missing.
 * 0; -ENODEV, -EINVAL, -EPERM as above. After a failure some may be done. */
int netconf_change_peers(const char *link, const struct netconf_peer_change *changes, size_t n, struct diag *reterr);

struct netconf_peer_status {
	char public_key[NETCONF_KEY_TEXT]; // base64
	char endpoint[64];                 // "" when none
	int64_t handshake_ago_sec;         // at this look, by the wall clock, which may have been set since; -1: never
	uint64_t handshake_mark;           // another one for each handshake; 0: never
	uint64_t rx_bytes, tx_bytes;
	size_t n_allowed_ips;
};
// The caller frees *ret. -ENODEV.
int netconf_peers_status(const char *link, struct netconf_peer_status **ret, size_t *ret_n, struct diag *reterr);

struct netconf_declared {
	const char *link; // netplan's id, borrowed
	bool of_peer;     // an allowed range of one of its WireGuard peers, else the network of an address
	char range[64];   // "10.77.0.12/24"
};
/* The ranges that @network declares, but those of @but_link (may be NULL) and default routes' (prefix 0). The caller frees
 * *ret, which may be NULL. -ENOMEM. */
int netconf_declared(const struct network *network, const char *but_link, struct netconf_declared **ret, size_t *ret_n);

// --- facts ---

struct netconf_address {
	char text[64]; // "10.0.2.15/24"
	bool permanent; // not from a lease or router advertisement
	bool global;    // not link-local, not host
};
struct netconf_link {
	int index;
	char name[IFNAMSIZ], kind[16]; // kind: "" for hardware, else "dummy", "veth", "wireguard" ...
	char mac[18], permanent_mac[18], driver[32]; // "" when there is none
	bool up, carrier;
	bool wired; // a real Ethernet port of this machine, no USB gadget or BMC host interface
	char master[IFNAMSIZ];    // the bond, bridge or VRF (or what else) that has it as a port; "": none
	char port_kind[16];       // what kind of port it is there: "bond", "bridge", "vrf"
	char parent[IFNAMSIZ];    // what it stands on: a VLAN's link; "": nothing of this namespace
	uint16_t vlan_id;         // kind "vlan"
	uint32_t mtu, speed_mbit; // speed 0: unknown
	struct netconf_address *addresses;
	size_t n_addresses;
};
struct netconf_links {
	struct netconf_link *links; // by index
	size_t n;
};
int netconf_links(struct netconf_links **ret, struct diag *reterr);
struct netconf_links *netconf_links_free(struct netconf_links *links);
DEFINE_CLEANUP(netconf_links)

/* How long ago the neighbour @address ("10.77.0.1") last answered (ARP, ND). -ENOENT: it never did, or is none. */
int netconf_neighbour_age(const char *address, uint64_t *ret_age_usec, struct diag *reterr);

/* Have the kernel ask the neighbour @address now. By itself it does not ask one again that answered less than about 15 to 45 s
 * ago, whatever is sent to it. -ENOENT as above: something has to be sent to it, then it is asked; else the kernel's errno. */
int netconf_neighbour_ask(const char *address, struct diag *reterr);

enum netconf_reach { // worst first
	NETCONF_MISSING,    // declared, but no such link
	NETCONF_DOWN,       // no carrier
	NETCONF_NO_LEASE,   // carrier, DHCP or RA wanted, no answer yet
	NETCONF_NO_ADDRESS, // carrier, nothing declared that would give an address
	NETCONF_ADDRESS,    // a global address, no default route through this link
	NETCONF_GATEWAY,    // a global address and a default route
};
struct netconf_online_link {
	char name[IFNAMSIZ]; // or the id of a declaration that fits no link
	enum netconf_reach reach;
	bool dhcp, optional, lease;   // dhcp: asked for; lease: networkd holds a DHCPv4 lease
	uint64_t since_usec;          // CLOCK_BOOTTIME of the first look that saw this reach
	char address[64], gateway[64]; // first global address with prefix; "" when none
};
struct netconf_online {
	struct netconf_online_link *links; // ports, and bonds, bridges and VLANs that ask for an address
	size_t n;
	bool has_address, has_gateway;
};
/* How far every declared link is by which others may be reached: see online.c. @previous (may be NULL) carries since_usec over; it is only read. */
int netconf_online(const struct network *network, const struct netconf_online *previous, uint64_t now_usec,
	struct netconf_online **ret, struct diag *reterr);
struct netconf_online *netconf_online_free(struct netconf_online *online);
DEFINE_CLEANUP(netconf_online)
/* What a person should read while the node waits for its link: "eth2 has carrier but no DHCP answer for 40 s; ask the
 * network team". Returns false (and "") when a link has an address and a default route. Pure. */
bool netconf_online_sentence(const struct netconf_online *online, uint64_t now_usec, char *buffer, size_t n_buffer);

// --- changes of the kernel ---

enum {
	NETCONF_CHANGED_LINK = 1,
	NETCONF_CHANGED_ADDRESS = 2,
	NETCONF_CHANGED_ROUTE = 4,
	NETCONF_CHANGED_RULE = 8,
	/* An address, a route or a rule of Hearth's went, or an address of its came or is usable now: netconf_apply() puts
	 * back what is wanted. */
	NETCONF_CHANGED_OURS = 16,
};
struct netconf_monitor;
/* @on_change runs from the event loop, once per burst (quiet for 50 ms, at most 500 ms late), with a mask of
 * NETCONF_CHANGED_*; everything when the kernel dropped messages. */
int netconf_monitor_new(sd_event *event, void (*on_change)(unsigned changed, void *user), void *user,
	struct netconf_monitor **ret);
struct netconf_monitor *netconf_monitor_free(struct netconf_monitor *monitor);
DEFINE_CLEANUP(netconf_monitor)
