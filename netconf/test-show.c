// What the kernel has becomes a document; the document decodes, and its plan against the same kernel is empty.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-by-hand.h"

#include "base/yaml.h"
#include "netconf/plan.h"
#include "netconf/show.h"

// --- a kernel by hand ---

static void goes_down(struct kernel_link *one)
{
	one->flags = 0;
	one->carrier = false;
}

// The address that the kernel gives every link with IPv6.
static void has_link_local(struct kernel *kernel, int link_index)
{
	has_address(kernel, link_index, "fe80::5054:ff:fe00:1/64", 0)->protocol = IFAPROT_KERNEL_LL;
}

static struct kernel_route *has_usual_route(struct kernel *kernel, int link_index, const char *to, const char *via,
	uint8_t protocol)
{
	return has_route(kernel, link_index, to, via, strchr(to, ':') ? 1024 : 0, protocol);
}

static struct kernel_rule *has_rule(struct kernel *kernel, const char *from, uint32_t table, uint32_t priority)
{
	struct kernel_rule *one = &kernel->rules[kernel->n_rules++];
	*one = (struct kernel_rule){.protocol = RTPROT_BOOT,
		.rule = {.family = AF_INET, .table = table, .priority = priority, .has_priority = true}};
	if (from)
		assert_int_equal(address_parse(from, true, &one->rule.from), 0);
	return one;
}

static void set_option(struct link_options *options, enum link_option_kind kind, const char *key, uint32_t value)
{
	int at = link_option_find(kind, key);
	assert_true(at >= 0);
	link_options_set(options, (size_t)at, value);
}

static struct kernel_link *has_bond(struct kernel *kernel, int index, const char *name)
{
	struct kernel_link *bond = has_link(kernel, index, name, "bond");
	set_option(&bond->options, LINK_OPTION_BOND, "mode", 4);
	set_option(&bond->options, LINK_OPTION_BOND, "mii-monitor-interval", 100);
	set_option(&bond->options, LINK_OPTION_BOND, "lacp-rate", 1);
	set_option(&bond->options, LINK_OPTION_BOND, "up-delay", 0);
	set_option(&bond->options, LINK_OPTION_BOND, "transmit-hash-policy", 1);
	bond->n_arp_targets = 0;
	return bond;
}

static struct kernel_link *has_port(struct kernel *kernel, int index, const char *name, int master, const char *kind)
{
	struct kernel_link *port = has_link(kernel, index, name, "");
	port->master_index = master;
	(void)snprintf(port->port_kind, sizeof(port->port_kind), "%s", kind);
	return port;
}

static struct kernel_link *has_vlan(struct kernel *kernel, int index, const char *name, int parent, uint16_t id)
{
	struct kernel_link *vlan = has_link(kernel, index, name, "vlan");
	vlan->parent_index = parent;
	vlan->vlan_id = id;
	const struct kernel_link *below = NULL;
	for (size_t i = 0; i < kernel->n_links; i++)
		below = kernel->links[i].index == parent ? &kernel->links[i] : below;
	if (below)
		memcpy(vlan->mac, below->mac, 6);
	return vlan;
}

static struct peer *has_peer(struct kernel_link *one, uint8_t key, const char *allowed)
{
	struct peer *peer = peer_table_add(&one->wireguard.peers);
	struct address address;
	assert_non_null(peer);
	memset(peer->public_key, key, PEER_KEY_BYTES);
	assert_int_equal(address_parse(allowed, true, &address), 0);
	assert_int_equal(peer_add_allowed(peer, &address), 0);
	return peer;
}

static struct kernel_link *has_wireguard(struct kernel *kernel, int index, const char *name)
{
	struct kernel_link *one = has_link(kernel, index, name, "wireguard");
	one->type = ARPHRD_NONE;
	one->has_mac = false;
	one->mtu = 1420;
	one->wireguard = (struct wireguard_device){.present = true, .link_index = index, .port = 51820};
	memset(one->wireguard.private_key, 0x50, PEER_KEY_BYTES);
	return one;
}

// --- round trip ---

// What network_load_keys() would read from the files that a person filled as the comments say.
static void give_keys(struct network *network, const struct kernel *kernel)
{
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *declaration = &network->declarations[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, declaration->id);
		if (declaration->kind != DECLARATION_WIREGUARD)
			continue;
		assert_non_null(one);
		memcpy(declaration->private_key, one->wireguard.private_key, PEER_KEY_BYTES);
		for (size_t j = 0; j < declaration->peers.n; j++) {
			struct peer *peer = &declaration->peers.peers[j];
			const struct peer *have = peer_table_find(&one->wireguard.peers, peer->public_key);
			assert_non_null(have);
			memcpy(peer->preshared_key, have->preshared_key, PEER_KEY_BYTES);
		}
	}
}

static void plan_is_empty(const char *text, const struct kernel *kernel)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	if (yaml_parse(text, strlen(text), 0, "show.yaml", &document, &diag) < 0 ||
		netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s\n%s", diag_text(&diag), text);
	give_keys(network, kernel);
	struct plan_input input = {.network = network, .kernel = kernel, .now_sec = 1000000};
	if (plan_make(&input, &plan, &diag) < 0)
		fail_msg("%s\n%s", diag_text(&diag), text);
	AUTO_FREE char *changes = plan_text(plan);
	if (!changes || changes[0])
		fail_msg("the plan is not empty:\n%s\n%s", changes, text);
}

#define HEAD                                                                                       \
	"# The network of this machine as its kernel has it.\n"                                    \
	"# Not the kernel's, so not here: name servers, and what DHCP brings.\n"
#define NETWORK "network:\n  version: 2\n  renderer: networkd\n"

static char *show(struct kernel *kernel)
{
	kernel_sort(kernel);
	for (size_t i = 0; i < kernel->n_links; i++)
		peer_table_sort(&kernel->links[i].wireguard.peers);
	char *text = show_text(kernel, NULL);
	assert_non_null(text);
	plan_is_empty(text, kernel);
	return text;
}

static void shows(struct kernel *kernel_take, const char *wanted)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	AUTO_FREE char *text = show(kernel);
	assert_string_equal(text, wanted);
}

static void shows_part(struct kernel *kernel_take, const char *part)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	AUTO_FREE char *text = show(kernel);
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void shows_not(struct kernel *kernel_take, const char *part)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	AUTO_FREE char *text = show(kernel);
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

// --- links ---

static void a_static_port_is_shown_whole(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *port = has_link(kernel, 2, "eth0", "");
	port->mtu = 9000;
	(void)snprintf(port->driver, sizeof(port->driver), "virtio_net");
	has_link_local(kernel, 2);
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_address(kernel, 2, "fd00::2/64", 0);
	has_usual_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", RTPROT_STATIC);
	has_usual_route(kernel, 2, "10.0.0.0/24", NULL, RTPROT_KERNEL);
	shows(kernel, HEAD NETWORK "  ethernets:\n"
				   "    eth0: # 52:54:00:00:00:02, virtio_net\n"
				   "      mtu: 9000\n"
				   "      accept-ra: false\n"
				   "      addresses:\n"
				   "      - 10.0.0.2/24\n"
				   "      - \"fd00::2/64\"\n"
				   "      routes:\n"
				   "      - to: default\n"
				   "        via: 10.0.0.1\n");
}

static void an_empty_kernel_is_a_document_too(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 1, "lo", "")->flags |= IFF_LOOPBACK;
	has_address(kernel, 1, "127.0.0.1/8", 0)->scope = RT_SCOPE_HOST;
	shows(kernel, HEAD NETWORK);
}

static void a_lease_is_dhcp4(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link_local(kernel, 2);
	has_address(kernel, 2, "10.0.2.15/24", 0)->flags = 0;
	has_usual_route(kernel, 2, "0.0.0.0/0", "10.0.2.2", RTPROT_DHCP);
	shows(kernel, HEAD NETWORK "  ethernets:\n"
				   "    eth0: # 52:54:00:00:00:02\n"
				   "      dhcp4: true\n"
				   "      accept-ra: false\n");
}

static void what_ipv6_brings_by_itself_is_told_apart(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	has_link_local(kernel, 2);
	has_link_local(kernel, 3);
	has_address(kernel, 2, "2001:db8::5/128", 0)->flags = 0; // DHCPv6
	has_usual_route(kernel, 2, "::/0", "fe80::1", RTPROT_RA);
	has_address(kernel, 3, "2001:db8:1::a/64", 0)->flags = 0;
	has_address(kernel, 3, "2001:db8:1::b/64", 0)->flags = IFA_F_TEMPORARY;
	shows(kernel, HEAD NETWORK "  ethernets:\n"
				   "    eth0: # 52:54:00:00:00:02\n"
				   "      dhcp6: true\n"
				   "    eth1: # 52:54:00:00:00:03\n"
				   "      ipv6-privacy: true\n");
}

static void a_port_without_link_local_addresses_keeps_none(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	shows_part(kernel, "      link-local: []\n");
	kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link_local(kernel, 2);
	has_address(kernel, 2, "169.254.7.7/16", 0);
	shows_part(kernel, "      link-local:\n      - ipv4\n      - ipv6\n");
}

static void a_bond_with_a_vlan_in_a_vrf_is_shown_whole(void **state)
{
	struct kernel *kernel = kernel_new();
	has_port(kernel, 2, "eth0", 5, "bond")->mtu = 9000;
	has_port(kernel, 3, "eth1", 5, "bond")->mtu = 9000;
	struct kernel_link *bond = has_bond(kernel, 5, "bond0");
	bond->mtu = 9000;
	memcpy(bond->mac, kernel->links[0].mac, 6);
	has_link_local(kernel, 5);
	struct kernel_link *vlan = has_vlan(kernel, 6, "bond0.100", 5, 100);
	vlan->mtu = 1500;
	vlan->master_index = 7;
	(void)snprintf(vlan->port_kind, sizeof(vlan->port_kind), "vrf");
	has_link_local(kernel, 6);
	has_address(kernel, 6, "10.1.0.2/24", 0);
	struct kernel_link *vrf = has_link(kernel, 7, "blue", "vrf");
	vrf->mtu = 65575;
	vrf->vrf_table = 1001;
	has_usual_route(kernel, 6, "0.0.0.0/0", "10.1.0.1", RTPROT_STATIC)->route.table = 1001;
	struct kernel_route *nowhere = has_usual_route(kernel, 0, "10.9.0.0/16", NULL, RTPROT_STATIC);
	nowhere->route.type = RTN_UNREACHABLE;
	nowhere->route.table = 1001;
	nowhere->route.scope = RT_SCOPE_UNIVERSE;
	shows(kernel, HEAD NETWORK "  ethernets:\n"
				   "    eth0: {} # 52:54:00:00:00:02\n"
				   "    eth1: {} # 52:54:00:00:00:03\n"
				   "  bonds:\n"
				   "    bond0:\n"
				   "      interfaces:\n"
				   "      - eth0\n"
				   "      - eth1\n"
				   "      parameters:\n"
				   "        mode: \"802.3ad\"\n"
				   "        lacp-rate: fast\n"
				   "        mii-monitor-interval: 100\n"
				   "        transmit-hash-policy: layer3+4\n"
				   "      mtu: 9000\n"
				   "      accept-ra: false\n"
				   "  vlans:\n"
				   "    bond0.100:\n"
				   "      id: 100\n"
				   "      link: bond0\n"
				   "      mtu: 1500\n"
				   "      accept-ra: false\n"
				   "      addresses:\n"
				   "      - 10.1.0.2/24\n"
				   "      routes:\n"
				   "      - to: default\n"
				   "        via: 10.1.0.1\n"
				   "        table: 1001\n"
				   "  vrfs:\n"
				   "    blue:\n"
				   "      table: 1001\n"
				   "      interfaces:\n"
				   "      - bond0.100\n"
				   "      routes:\n"
				   "      - to: 10.9.0.0/16\n"
				   "        table: 1001\n"
				   "        type: unreachable\n");
}

static void an_active_backup_bond_has_primary_and_targets(void **state)
{
	struct kernel *kernel = kernel_new();
	has_port(kernel, 2, "eth0", 5, "bond");
	has_port(kernel, 3, "eth1", 5, "bond");
	struct kernel_link *bond = has_link(kernel, 5, "bond0", "bond");
	set_option(&bond->options, LINK_OPTION_BOND, "mode", 1);
	set_option(&bond->options, LINK_OPTION_BOND, "arp-interval", 250);
	memcpy(bond->mac, kernel->links[1].mac, 6);
	bond->primary_index = 3;
	bond->n_arp_targets = 1;
	assert_int_equal(ip_parse("10.0.0.1", &bond->arp_targets[0]), 0);
	shows_part(kernel, "      interfaces:\n"
			   "      - eth1\n" // whose MAC it has
			   "      - eth0\n"
			   "      parameters:\n"
			   "        mode: active-backup\n"
			   "        arp-interval: 250\n"
			   "        arp-ip-targets:\n"
			   "        - 10.0.0.1\n"
			   "        primary: eth1\n");
}

// A VLAN as a port shows the bond's MAC, which is a card's.
static void a_bond_lists_the_card_first_whose_mac_it_has(void **state)
{
	struct kernel *kernel = kernel_new();
	has_port(kernel, 2, "eth0", 0, "");
	struct kernel_link *vlan = has_vlan(kernel, 3, "eth0.5", 2, 5);
	vlan->master_index = 6;
	(void)snprintf(vlan->port_kind, sizeof(vlan->port_kind), "bond");
	struct kernel_link *card = has_port(kernel, 4, "eth1", 6, "bond"), *bond = has_bond(kernel, 6, "bond0");
	card->has_permanent_mac = true;
	memcpy(card->permanent_mac, card->mac, 6);
	memcpy(bond->mac, card->mac, 6);
	memcpy(kernel->links[1].mac, card->mac, 6);
	shows_part(kernel, "      interfaces:\n      - eth1\n      - eth0.5\n");
}

static void a_bridge_has_its_options_and_those_of_its_ports(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *bridge = has_link(kernel, 5, "br0", "bridge");
	set_option(&bridge->options, LINK_OPTION_BRIDGE, "stp", 0);
	set_option(&bridge->options, LINK_OPTION_BRIDGE, "forward-delay", 400);
	set_option(&bridge->options, LINK_OPTION_BRIDGE, "priority", 32768);
	struct kernel_link *port = has_port(kernel, 2, "eth0", 5, "bridge");
	memcpy(bridge->mac, port->mac, 6);
	set_option(&port->port_options, LINK_OPTION_BRIDGE_PORT, "path-cost", 77);
	set_option(&port->port_options, LINK_OPTION_BRIDGE_PORT, "port-priority", 32);
	set_option(&port->port_options, LINK_OPTION_BRIDGE_PORT, "hairpin", 1);
	set_option(&port->port_options, LINK_OPTION_BRIDGE_PORT, "port-mac-learning", 1);
	struct kernel_link *guest = has_link(kernel, 9, "vnet0", "tun"); // of a virtual machine
	guest->master_index = 5;
	(void)snprintf(guest->port_kind, sizeof(guest->port_kind), "bridge");
	has_link_local(kernel, 5);
	shows(kernel, HEAD "# Left out: vnet0 (tun): its kind is not supported\n" NETWORK
			   "  ethernets:\n"
			   "    eth0: # 52:54:00:00:00:02\n"
			   "      hairpin: true\n"
			   "  bridges:\n"
			   "    br0:\n"
			   "      interfaces:\n"
			   "      - eth0\n"
			   "      parameters:\n"
			   "        stp: false\n"
			   "        forward-delay: 4\n"
			   "        path-cost:\n"
			   "          eth0: 77\n"
			   "      accept-ra: false\n");
}

static void a_tunnel_names_its_key_files_and_no_key(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *tunnel = has_wireguard(kernel, 4, "wg0");
	tunnel->wireguard.mark = 7;
	struct peer *peer = has_peer(tunnel, 1, "10.66.0.0/24");
	peer->keepalive_sec = 25;
	peer->endpoint_port = 51820;
	assert_int_equal(ip_parse("2001:db8::9", &peer->endpoint), 0);
	memset(has_peer(tunnel, 2, "10.66.1.0/24")->preshared_key, 0x53, PEER_KEY_BYTES);
	has_address(kernel, 4, "10.66.0.1/16", 0);
	shows(kernel, HEAD NETWORK
		"  tunnels:\n"
		"    wg0: # its private key has to be put into /etc/wireguard/wg0.key, preshared keys into the files of "
		"`shared`\n"
		"      mode: wireguard\n"
		"      key: /etc/wireguard/wg0.key\n"
		"      port: 51820\n"
		"      mark: 7\n"
		"      peers:\n"
		"      - keys:\n"
		"          public: \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n"
		"        endpoint: \"[2001:db8::9]:51820\"\n"
		"        keepalive: 25\n"
		"        allowed-ips:\n"
		"        - 10.66.0.0/24\n"
		"      - keys:\n"
		"          public: \"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"\n"
		"          shared: /etc/wireguard/wg0-peer-2.psk\n"
		"        allowed-ips:\n"
		"        - 10.66.1.0/24\n"
		"      addresses:\n"
		"      - 10.66.0.1/16\n");
}

static void a_tunnel_that_cannot_be_read_is_left_out(void **state)
{
	struct kernel *kernel = kernel_new();
	has_wireguard(kernel, 4, "wg0")->wireguard.present = false;
	memset(has_wireguard(kernel, 5, "wg1")->wireguard.private_key, 0, PEER_KEY_BYTES);
	shows(kernel, HEAD "# Left out: wg0 (wireguard): its settings cannot be read; only root may\n"
			   "# Left out: wg1 (wireguard): it has no private key\n" NETWORK);
}

static void links_of_containers_are_left_out_and_named(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link_local(kernel, 2);
	has_link(kernel, 3, "cilium_net", "veth");
	has_link(kernel, 4, "cni0", "bridge");
	has_link(kernel, 5, "br-0123456789ab", "bridge");
	has_link(kernel, 6, "lxdbr0", "bridge");
	has_link(kernel, 7, "veth1", "veth")->master_index = 6;
	for (int i = 8; i < 20; i++) {
		char name[IFNAMSIZ];
		(void)snprintf(name, sizeof(name), "lxc%d", i);
		has_link(kernel, i, name, "veth");
	}
	has_link(kernel, 20, "cilium_vxlan", "vxlan");
	has_link(kernel, 21, "gre0", "gre");
	has_address(kernel, 4, "10.42.0.1/24", 0);
	has_usual_route(kernel, 4, "10.43.0.0/24", NULL, RTPROT_STATIC);
	shows(kernel, HEAD
		"# Left out: cilium_net (veth), cni0 (bridge), br-0123456789ab (bridge), lxdbr0 (bridge), veth1 (veth), lxc8 "
		"(veth) and 12 more: made for containers or virtual machines\n"
		"# Left out: gre0 (gre): its kind is not supported\n"
		"# Left out: routes over links that are left out: 1\n" NETWORK
		"  ethernets:\n"
		"    eth0: # 52:54:00:00:00:02\n"
		"      accept-ra: false\n");
}

static void our_own_links_are_shown_whatever_their_name(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *ours = has_link(kernel, 4, "docker-hosts", "bridge");
	(void)snprintf(ours->alias, sizeof(ours->alias), HEARTH_ALIAS);
	has_link_local(kernel, 4);
	shows_part(kernel, "  bridges:\n    docker-hosts:\n      interfaces: []\n");
}

static void a_link_that_is_down_stays_down(void **state)
{
	struct kernel *kernel = kernel_new();
	goes_down(has_link(kernel, 2, "eth0", ""));
	goes_down(has_link(kernel, 3, "eth1", ""));
	has_address(kernel, 3, "10.0.0.2/24", 0);
	goes_down(has_link(kernel, 4, "dummy0", "dummy"));
	shows(kernel, HEAD "# Left out: eth0: down, and without settings\n" NETWORK
			   "  ethernets:\n"
			   "    eth1: # 52:54:00:00:00:03\n"
			   "      activation-mode: manual\n"
			   "      addresses:\n"
			   "      - 10.0.0.2/24\n"
			   "  dummy-devices:\n"
			   "    dummy0:\n"
			   "      activation-mode: manual\n");
}

static void what_stands_on_a_link_that_is_left_out_is_left_out(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "team0", "team");
	has_vlan(kernel, 3, "team0.5", 2, 5);
	has_vlan(kernel, 4, "team0.5.6", 3, 6);
	has_port(kernel, 5, "eth0", 2, "team");
	has_vlan(kernel, 6, "provider", 5, 7)->vlan_is_8021ad = true;
	has_vlan(kernel, 7, "elsewhere", 0, 7);
	has_link(kernel, 8, "wlan0", "")->wireless = true;
	has_link(kernel, 9, "ib0", "")->type = ARPHRD_INFINIBAND;
	(void)snprintf(has_link(kernel, 10, "enx1", "")->driver, 32, "cdc_ether");
	shows(kernel, HEAD
		"# Left out: team0 (team): its kind is not supported\n"
		"# Left out: team0.5 (vlan), team0.5.6 (vlan): the link it stands on is left out\n"
		"# Left out: eth0: a port of a link that is left out\n"
		"# Left out: provider (vlan): its protocol is 802.1ad, netplan has 802.1Q only\n"
		"# Left out: elsewhere (vlan): the link it stands on is in another network namespace\n"
		"# Left out: wlan0: Wi-Fi is not supported\n"
		"# Left out: ib0: not an Ethernet link\n"
		"# Left out: enx1: a USB function of a BMC or a gadget, without settings\n" NETWORK);
}

static void a_mac_that_somebody_gave_is_shown(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *port = has_link(kernel, 2, "eth0", "");
	port->has_permanent_mac = true;
	memcpy(port->permanent_mac, "\x52\x54\x00\xaa\xbb\xcc", 6);
	shows_part(kernel, "    eth0: # 52:54:00:aa:bb:cc\n      macaddress: \"52:54:00:00:00:02\"\n");
	kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	memcpy(has_vlan(kernel, 3, "v5", 2, 5)->mac, "\x02\x00\x00\x00\x00\x05", 6);
	shows_part(kernel, "      macaddress: \"02:00:00:00:00:05\"\n");
	kernel = kernel_new();
	port = has_port(kernel, 2, "eth0", 5, "bond");
	port->has_permanent_mac = true;
	memcpy(port->permanent_mac, "\x52\x54\x00\xaa\xbb\xcc", 6);
	memcpy(has_bond(kernel, 5, "bond0")->mac, port->mac, 6); // the bond's, which its port shows, too
	shows_part(kernel, "      macaddress: \"52:54:00:00:00:02\"\n");
	kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_vlan(kernel, 3, "v5", 2, 5);
	shows_not(kernel, "macaddress");
}

static void an_address_of_the_loopback_is_a_declaration_of_lo(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *lo = has_link(kernel, 1, "lo", "");
	lo->flags |= IFF_LOOPBACK;
	lo->type = ARPHRD_LOOPBACK;
	lo->mtu = 65536;
	has_address(kernel, 1, "127.0.0.1/8", 0)->scope = RT_SCOPE_HOST;
	has_address(kernel, 1, "192.0.2.1/32", 0);
	shows(kernel, HEAD NETWORK "  ethernets:\n"
				   "    lo:\n"
				   "      addresses:\n"
				   "      - 192.0.2.1/32\n");
}

static void what_a_driver_calls_itself_cannot_break_the_document(void **state)
{
	struct kernel *kernel = kernel_new();
	(void)snprintf(has_link(kernel, 2, "eth0", "")->driver, 32, "x\nmtu: 1\n\x1b[31m\xff");
	shows_part(kernel, "    eth0: # 52:54:00:00:00:02, x?mtu: 1??[31m?\n");
}

static void names_that_look_like_something_else_stay_texts(void **state)
{
	static const char *const names[] = {"on", "true", "null", "1e3", "0x10", "007", "_", "-a", "12.5", "a.b", "br+lan", "v#5", "#x",
		"a&b", "{x}", "~", "x,y", "-", "=", "!no", "a:b", "a*b", "a%d"};
	struct kernel *kernel = kernel_new();
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		char text[ADDRESS_TEXT];
		if (!link_name_valid(names[i]))
			continue;
		has_link(kernel, (int)i + 2, names[i], "");
		(void)snprintf(text, sizeof(text), "10.%zu.0.2/24", i);
		has_address(kernel, (int)i + 2, text, 0);
	}
	assert_true(kernel->n_links > 5);
	shows_part(kernel, "    \"on\": # ");
}

static void an_address_of_a_far_end_is_named_and_left_out(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.1/32", 0)->has_peer = true;
	shows_part(kernel, "# eth0: address 10.0.0.1/32 is left out: netplan has no address of the far end\n");
}

// --- routes and rules ---

static void routes_of_others_are_counted(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.1", RTPROT_BIRD);
	has_usual_route(kernel, 2, "10.2.0.0/16", "10.0.0.1", RTPROT_STATIC)->has_other_shape = true;
	has_usual_route(kernel, 2, "10.3.0.0/16", NULL, RTPROT_STATIC)->route.scope = RT_SCOPE_UNIVERSE;
	has_usual_route(kernel, 99, "10.4.0.0/16", NULL, RTPROT_BOOT);
	has_usual_route(kernel, 2, "10.5.0.0/16", "10.0.0.1", RTPROT_BOOT)->has_other_metrics = true;
	has_usual_route(kernel, 2, "fd00::/8", "fe80::1", RTPROT_BOOT);
	has_usual_route(kernel, 2, "fd00::/8", "fe80::2", RTPROT_BOOT);
	CLEANUP(kernel_freep) struct kernel *held = kernel;
	AUTO_FREE char *text = show(held);
	assert_non_null(strstr(text, "# Left out: routes of routing programs: 1\n"));
	assert_non_null(strstr(text, "netplan has no words for (several next hops, a scope, a type): 2\n"));
	assert_non_null(strstr(text, "# Left out: routes over links that are left out: 1\n"));
	assert_non_null(strstr(text, "# Left out: routes with destination, table and metric of another: 1\n"));
	assert_non_null(strstr(text, "# Routes with metrics that are not shown (an advertised MSS ...): 1\n"));
	assert_non_null(strstr(text, "to: 10.5.0.0/16"));
}

// Else the plan of what is shown would take ours away.
static void of_two_routes_with_one_key_ours_is_shown(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.1", RTPROT_BOOT);
	has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.3", RTPROT_STATIC)->position = 1;
	has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.4", HEARTH_PROTOCOL)->position = 2;
	has_usual_route(kernel, 2, "10.2.0.0/16", "10.0.0.1", RTPROT_BOOT);
	has_usual_route(kernel, 2, "10.2.0.0/16", "10.0.0.3", RTPROT_STATIC)->position = 1;
	shows_part(kernel, "      routes:\n"
			   "      - to: 10.1.0.0/16\n"
			   "        via: 10.0.0.4\n"
			   "      - to: 10.2.0.0/16\n"
			   "        via: 10.0.0.1\n");
}

static void everything_a_route_can_say_comes_back(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	struct kernel_route *route = has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.1", RTPROT_STATIC);
	route->route.metric = 50;
	route->route.table = 77;
	route->route.on_link = true;
	route->route.mtu = 1400;
	route->route.cwnd = 20;
	route->route.rwnd = 30;
	assert_int_equal(ip_parse("10.0.0.2", &route->route.source), 0);
	route = has_usual_route(kernel, 2, "fd00::/8", NULL, RTPROT_STATIC);
	route->route.metric = 5;
	route = has_usual_route(kernel, 2, "10.4.0.0/16", NULL, RTPROT_STATIC);
	route->route.type = RTN_LOCAL;
	route->route.scope = RT_SCOPE_HOST;
	route->route.table = RT_TABLE_LOCAL;
	has_usual_route(kernel, 2, "10.2.0.0/16", NULL, RTPROT_STATIC);
	route = has_usual_route(kernel, 0, "10.3.0.0/16", NULL, HEARTH_PROTOCOL);
	route->route.type = RTN_BLACKHOLE;
	route->route.scope = RT_SCOPE_UNIVERSE;
	shows_part(kernel, "      routes:\n"
			   "      - to: 10.1.0.0/16\n"
			   "        via: 10.0.0.1\n"
			   "        from: 10.0.0.2\n"
			   "        metric: 50\n"
			   "        table: 77\n"
			   "        on-link: true\n"
			   "        mtu: 1400\n"
			   "        congestion-window: 20\n"
			   "        advertised-receive-window: 30\n"
			   "      - to: 10.2.0.0/16\n"
			   "      - to: 10.3.0.0/16\n"
			   "        type: blackhole\n"
			   "      - to: \"fd00::/8\"\n"
			   "        metric: 5\n"
			   "      - to: 10.4.0.0/16\n"
			   "        type: local\n");
}

static void a_route_of_a_vrfs_port_may_be_in_another_table(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *vrf = has_link(kernel, 7, "blue", "vrf");
	vrf->vrf_table = 1001;
	vrf->mtu = 65575;
	has_port(kernel, 2, "eth0", 7, "vrf");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_usual_route(kernel, 2, "10.1.0.0/16", "10.0.0.1", RTPROT_STATIC);
	has_usual_route(kernel, 2, "10.2.0.0/16", "10.0.0.1", RTPROT_STATIC)->route.table = 1001;
	shows_part(kernel, "      - to: 10.1.0.0/16\n"
			   "        via: 10.0.0.1\n"
			   "        table: 254\n"
			   "      - to: 10.2.0.0/16\n"
			   "        via: 10.0.0.1\n"
			   "        table: 1001\n");
}

static void rules_stand_beside_the_routes_they_lead_to(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_address(kernel, 3, "10.1.0.2/24", 0);
	has_usual_route(kernel, 3, "0.0.0.0/0", "10.1.0.1", RTPROT_STATIC)->route.table = 100;
	has_rule(kernel, NULL, RT_TABLE_MAIN, 32766)->protocol = RTPROT_KERNEL;
	has_rule(kernel, "10.1.0.0/24", 100, 50);
	struct kernel_rule *rule = has_rule(kernel, NULL, 200, 60);
	rule->rule.mark = 3;
	rule->rule.tos = 16;
	rule = has_rule(kernel, NULL, 100, 70);
	rule->rule.family = AF_INET6;
	has_rule(kernel, "10.2.0.0/24", 100, 80)->has_other_shape = true;
	has_rule(kernel, "10.3.0.0/24", 100, 90)->protocol = RTPROT_ZEBRA;
	shows(kernel, HEAD
		"# Left out: rules of programs: 1\n"
		"# Left out: rules that netplan has no words for (a link, ports, a user, another action): 1\n" NETWORK
		"  ethernets:\n"
		"    eth0: # 52:54:00:00:00:02\n"
		"      link-local: []\n"
		"      addresses:\n"
		"      - 10.0.0.2/24\n"
		"      routing-policy:\n"
		"      - from: 0.0.0.0/0\n"
		"        table: 200\n"
		"        priority: 60\n"
		"        mark: 3\n"
		"        type-of-service: 16\n"
		"    eth1: # 52:54:00:00:00:03\n"
		"      link-local: []\n"
		"      addresses:\n"
		"      - 10.1.0.2/24\n"
		"      routes:\n"
		"      - to: default\n"
		"        via: 10.1.0.1\n"
		"        table: 100\n"
		"      routing-policy:\n"
		"      - from: 10.1.0.0/24\n"
		"        table: 100\n"
		"        priority: 50\n"
		"      - from: \"::/0\"\n"
		"        table: 100\n"
		"        priority: 70\n");
}

static void a_thousand_addresses_and_five_thousand_routes_come_back(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	char text[ADDRESS_TEXT];
	has_link(kernel, 2, "eth0", "");
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "10.1.%d.%d/16", i >> 8, i & 255);
		has_address(kernel, 2, text, 0);
	}
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "10.%d.%d.0/24", 100 + (i >> 8), i & 255);
		has_usual_route(kernel, 2, text, "10.1.0.1", RTPROT_STATIC);
	}
	AUTO_FREE char *document = show(kernel);
	assert_non_null(strstr(document, "10.1.3.231/16"));
}

// --- any kernel ---

static uint32_t random_state;

static uint32_t pick(uint32_t n) // 0 to n - 1, the same in every run
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void stand_on(struct kernel_link *vlan, const struct kernel_link *below)
{
	if (below == vlan || str_equal(below->kind, "wireguard") || str_equal(below->kind, "vrf"))
		return; // these have no VLANs: it stands on a link of another namespace
	vlan->parent_index = below->index;
	vlan->mtu = below->mtu;
}

static void has_random_link(struct kernel *kernel, int index)
{
	static const char *const kinds[] = {"", "", "", "bond", "bridge", "vlan", "vrf", "dummy", "wireguard", "veth", "gre"};
	char name[IFNAMSIZ], text[ADDRESS_TEXT];
	const char *kind = kinds[pick(N_ELEMENTS(kinds))];
	(void)snprintf(name, sizeof(name), "%s%d", kind[0] ? kind : "eth", index);
	struct kernel_link *one = str_equal(kind, "bond") ? has_bond(kernel, index, name)
				  : str_equal(kind, "wireguard") ? has_wireguard(kernel, index, name)
								 : has_link(kernel, index, name, kind);
	if (pick(3) == 0 && !str_equal(kind, "vlan"))
		one->mtu = 1280 + pick(8000);
	if (pick(6) == 0)
		goes_down(one);
	// what Hearth makes is always shown; a VLAN on nothing, a veth and a tunnel are not
	bool can_be_ours = !str_equal(kind, "vlan") && !str_equal(kind, "veth") && !str_equal(kind, "gre");
	if (can_be_ours && kind[0] && pick(4) == 0)
		(void)snprintf(one->alias, sizeof(one->alias), HEARTH_ALIAS);
	one->vrf_table = 1000 + (uint32_t)index;
	one->vlan_id = pick(8) ? (uint16_t)(100 + index) : 0;
	if (str_equal(kind, "vlan"))
		stand_on(one, &kernel->links[pick((uint32_t)kernel->n_links)]);
	if (str_equal(kind, "bridge"))
		set_option(&one->options, LINK_OPTION_BRIDGE, "stp", pick(2));
	if (pick(2) == 0 && !str_equal(kind, "vrf")) {
		(void)snprintf(text, sizeof(text), "10.%d.0.%u/24", index, 1 + pick(200));
		has_address(kernel, index, text, 0)->flags = pick(3) ? IFA_F_PERMANENT : 0;
		(void)snprintf(text, sizeof(text), "172.16.%d.0/24", index);
		if (one->flags & IFF_UP) // the kernel takes the routes of a link that goes down
			has_usual_route(kernel, index, text, NULL, can_be_ours && pick(2) ? HEARTH_PROTOCOL : RTPROT_STATIC)->route.metric = pick(3);
	}
	if (pick(2) == 0)
		has_link_local(kernel, index);
	if (pick(5) == 0)
		has_rule(kernel, "10.0.0.0/8", 100 + pick(5), 1000 + (uint32_t)index);
}

// A port goes to one of the masters that come after it, so that there is no circle.
static void give_masters(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i], *master = &kernel->links[pick((uint32_t)kernel->n_links)];
		bool can_have = str_equal(master->kind, "bond") || str_equal(master->kind, "bridge") ||
				str_equal(master->kind, "vrf");
		bool can_be = !one->kind[0] || (str_equal(one->kind, "vlan") && !str_equal(master->kind, "bond"));
		if (master <= one || !can_have || !can_be || (one->kind[0] && one->parent_index >= master->index))
			continue;
		one->master_index = master->index;
		memcpy(one->port_kind, master->kind, sizeof(one->port_kind));
	}
}

static void whatever_the_kernel_has_its_document_changes_nothing(void **state)
{
	for (uint32_t seed = 0; seed < 500; seed++) {
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
		random_state = seed;
		int n = 1 + (int)pick(12);
		for (int i = 0; i < n; i++)
			has_random_link(kernel, i + 2);
		give_masters(kernel);
		AUTO_FREE char *text = show(kernel);
		assert_non_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_static_port_is_shown_whole),
		cmocka_unit_test(an_empty_kernel_is_a_document_too),
		cmocka_unit_test(a_lease_is_dhcp4),
		cmocka_unit_test(what_ipv6_brings_by_itself_is_told_apart),
		cmocka_unit_test(a_port_without_link_local_addresses_keeps_none),
		cmocka_unit_test(a_bond_with_a_vlan_in_a_vrf_is_shown_whole),
		cmocka_unit_test(an_active_backup_bond_has_primary_and_targets),
		cmocka_unit_test(a_bond_lists_the_card_first_whose_mac_it_has),
		cmocka_unit_test(a_bridge_has_its_options_and_those_of_its_ports),
		cmocka_unit_test(a_tunnel_names_its_key_files_and_no_key),
		cmocka_unit_test(a_tunnel_that_cannot_be_read_is_left_out),
		cmocka_unit_test(links_of_containers_are_left_out_and_named),
		cmocka_unit_test(our_own_links_are_shown_whatever_their_name),
		cmocka_unit_test(a_link_that_is_down_stays_down),
		cmocka_unit_test(what_stands_on_a_link_that_is_left_out_is_left_out),
		cmocka_unit_test(a_mac_that_somebody_gave_is_shown),
		cmocka_unit_test(an_address_of_the_loopback_is_a_declaration_of_lo),
		cmocka_unit_test(what_a_driver_calls_itself_cannot_break_the_document),
		cmocka_unit_test(names_that_look_like_something_else_stay_texts),
		cmocka_unit_test(an_address_of_a_far_end_is_named_and_left_out),
		cmocka_unit_test(routes_of_others_are_counted),
		cmocka_unit_test(of_two_routes_with_one_key_ours_is_shown),
		cmocka_unit_test(everything_a_route_can_say_comes_back),
		cmocka_unit_test(a_route_of_a_vrfs_port_may_be_in_another_table),
		cmocka_unit_test(rules_stand_beside_the_routes_they_lead_to),
		cmocka_unit_test(a_thousand_addresses_and_five_thousand_routes_come_back),
		cmocka_unit_test(whatever_the_kernel_has_its_document_changes_nothing),
	};
	return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
