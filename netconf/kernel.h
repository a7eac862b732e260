// The actual network: links, addresses and routes as the kernel has them, read by one dump each. Decoding a message is
// pure and fuzzed. Sources: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, ethtool(8).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/link-options.h"
#include "netconf/netlink.h"
#include "netconf/route.h"
#include "netconf/rule.h"
#include "netconf/wireguard.h"
#include <net/if.h>

enum { HEARTH_PROTOCOL = 72 };   // in IFA_PROTO and rtm_protocol: this is ours
#define HEARTH_ALIAS "hearth"    // IFLA_IFALIAS of links we made

struct kernel_link {
	int index;
	char name[IFNAMSIZ], kind[16], alias[32], driver[32];
	char *other_names; // IFLA_ALT_IFNAME: one behind the other, an empty one at the end; NULL: none
	uint8_t mac[6], permanent_mac[6];
	uint8_t own_mac[6]; // of a bond's port, whose mac is the bond's: what it has again when it leaves
	bool has_mac, has_permanent_mac, has_own_mac, carrier, wireless;
	bool has_ra, takes_ra; // IPv6 is there; its accept_ra is not 0
	bool takes_ra_forwarding; // it is 2: also where the machine forwards
	bool asks_for_addresses;  // IF_READY: it had a carrier since it is up, so the kernel asks for a new IPv6 address and is done soon
	uint32_t flags, mtu; // flags: IFF_*
	uint16_t type;       // ARPHRD_*
	int master_index, parent_index; // IFLA_MASTER, IFLA_LINK in our own namespace; 0: none
	char port_kind[16];  // IFLA_INFO_SLAVE_KIND: "bond", "bridge", "vrf"; "": no port
	uint16_t vlan_id;    // kind vlan
	bool vlan_is_8021ad; // kind vlan of the other protocol: not ours
	uint32_t vrf_table;  // kind vrf
	struct link_options options, port_options; // kinds bond and bridge; of a bridge's port
	bool has_root; // kind bridge: another one is the root of its tree, whose timers it has; its own are not known: not in options
	int primary_index;   // kind bond; 0: none
	struct ip arp_targets[BOND_MAX_ARP_TARGETS];
	size_t n_arp_targets;
	struct wireguard_device wireguard;
};
struct kernel_address {
	int link_index;
	struct address address;
	uint8_t protocol, scope;
	uint32_t flags;  // IFA_F_*
	uint32_t metric; // of the route to its subnet, IFA_RT_PRIORITY; 0: usual
	bool has_peer;  // the other end of a point-to-point address differs: nothing we make
	bool has_more;  // a label, or a broadcast address that is not its subnet's last: left as they are
};
struct kernel_route {
	int link_index;     // 0: none, or several
	struct route route;
	uint8_t protocol;
	uint32_t position;    // in the kernel's own list: of those of one key it goes by the first
	bool has_other_shape; // several next hops, next hop objects, a type of service: nothing we make
	bool has_other_metrics; // an advertised MSS, a congestion control, an end, a realm ...: left as they are
};
struct kernel_rule {
	struct rule rule;     // has_priority is true
	uint32_t position;    // in the kernel's own list: the first that fits is used, and taken away
	uint8_t protocol;
	bool has_other_shape; // an action, a port, a user, an interface ...: nothing we make
};
struct kernel {
	struct kernel_link *links;         // sorted by index after kernel_sort()
	struct kernel_address *addresses;  // by link, address
	struct kernel_route *routes;       // by route_compare_key(), then as the kernel has them
	struct kernel_rule *rules;         // by rule_compare(), then as the kernel has them
	size_t n_links, n_addresses, n_routes, n_rules;
};
/* For sorting pointers to rules (const struct kernel_rule *, or what begins with one) as the kernel looks at them: of one family
 * and priority in its order. */
int kernel_compare_listed_rules(const void *a, const void *b);
struct kernel *kernel_free(struct kernel *kernel);
DEFINE_CLEANUP(kernel)

enum { KERNEL_LINKS = 1, KERNEL_ADDRESSES = 2, KERNEL_ROUTES = 4, KERNEL_RULES = 8 };
/* Read what @what names. Drivers come by ethtool; WireGuard devices are left to wireguard_get(). */
int kernel_read(unsigned what, struct kernel **ret, struct diag *reterr);
/* The WireGuard devices of all links of that kind. Without the right to read them (-EPERM) they stay absent; the others
 * are read all the same and the first failure is returned. */
int kernel_read_wireguard(struct kernel *kernel, struct diag *reterr);
/* Take one RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE or RTM_NEWRULE into @kernel. Skipped: other messages, cached routes, and
 * the local and multicast routes that the kernel makes itself. @message is inside memory of message->nlmsg_len bytes.
 * 0; -EBADMSG; -ENOMEM. */
int kernel_decode(struct kernel *kernel, const struct nlmsghdr *message);
void kernel_sort(struct kernel *kernel);
void kernel_drop_links(struct kernel *kernel); // forget all of them

struct kernel_link *kernel_link_by_name(const struct kernel *kernel, const char *name);
bool kernel_link_has_other_name(const struct kernel_link *link, const char *name);
struct kernel_link *kernel_link_by_index(const struct kernel *kernel, int index);
bool kernel_has_ports(const struct kernel *kernel, const struct kernel_link *master); // of a bond, a bridge, a VRF
// Addresses of one link in @kernel->addresses: index of the first, and how many.
size_t kernel_addresses_of(const struct kernel *kernel, int link_index, size_t *ret_n);
/* A real Ethernet port: hardware, not wireless, and not one of the USB functions by which BMCs and gadgets talk to the
 * machine they sit in. */
bool kernel_link_is_wired(const struct kernel_link *link);
