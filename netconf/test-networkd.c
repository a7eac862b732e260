// Files for systemd-networkd, resolv.conf, and the sentence for the person who waits.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-wants.h"

#include "base/file.h"
#include "base/time.h"
#include "base/yaml.h"
#include "netconf/networkd.h"
#include "netconf/online.h"
#include "netconf/resolv.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

static struct kernel *two_ports(void)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	kernel->links = calloc(2, sizeof(*kernel->links));
	kernel->addresses = calloc(4, sizeof(*kernel->addresses));
	kernel->routes = calloc(4, sizeof(*kernel->routes));
	for (int i = 0; i < 2; i++) {
		struct kernel_link *one = &kernel->links[kernel->n_links++];
		*one = (struct kernel_link){.index = i + 2, .type = ARPHRD_ETHER, .flags = IFF_UP, .carrier = true,
			.has_mac = true, .mac = {0x52, 0x54, 0, 0, 0, (uint8_t)(i + 2)}, .has_permanent_mac = true,
			.permanent_mac = {0x52, 0x54, 0, 0, 1, (uint8_t)(i + 2)}};
		(void)snprintf(one->name, sizeof(one->name), "eth%d", i);
	}
	return kernel;
}

static void render(const char *yaml, struct config_files *ret)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	CLEANUP(claims_done) struct claims claims = {0};
	struct diag diag = {0};
	assert_int_equal(claims_make(network, kernel, &claims, &diag), 0);
	assert_int_equal(networkd_render(network, &claims, NULL, ret), 0);
}

static const char *content(const struct config_files *files, const char *name)
{
	const struct config_file *file = config_files_find(files, name);
	if (!file)
		fail_msg("no file %s", name);
	return file->content;
}

static void a_dhcp_port_gets_all_that_keeps_networkd_off_the_rest(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  eth0: {dhcp4: true, optional: true, mtu: 1400}\n", &files);
	assert_int_equal(files.n, 2);
	assert_string_equal(content(&files, "10-hearth-eth0.network"),
		"# Hearth's, for eth0; static addresses and routes are not here.\n"
		"[Match]\nName=eth0\n\n"
		"[Link]\nMTUBytes=1400\nRequiredForOnline=no\n\n"
		"[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\nLLDP=yes\nEmitLLDP=no\n"
		"KeepMaster=yes\nKeepConfiguration=static\n\n"
		"[DHCPv4]\nClientIdentifier=mac\nRouteMetric=100\nUseMTU=yes\nUseHostname=no\nSendRelease=no\n\n"
		"[DHCPv6]\nDUIDType=link-layer\nUseHostname=no\nSendRelease=no\n");
	assert_string_equal(content(&files, "../networkd.conf.d/10-hearth.conf"),
		"[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\nManageForeignNextHops=no\n");
}

// None of them is a glob, a list or a comment for systemd.
static void unusual_names_are_written_as_they_are(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nbridges: {br+lan: {}}\nvlans: {\"v#5\": {id: 5, link: br+lan}}\n", &files);
	assert_non_null(strstr(content(&files, "10-hearth-br+lan.network"), "[Match]\nName=br+lan\n"));
	assert_non_null(strstr(content(&files, "10-hearth-v#5.network"), "[Match]\nName=v#5\n"));
	assert_non_null(strstr(content(&files, "10-hearth-all-virtual-links.link"), "OriginalName=br+lan v#5\n"));
}

static void an_mtu_is_taken_from_a_lease_unless_told_otherwise(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  eth0: {dhcp4: true, dhcp6: true}\n"
	       "  eth1: {dhcp4: true, dhcp4-overrides: {use-mtu: false}, dhcp6: true, dhcp6-overrides: {use-mtu: false}}\n",
		&files);
	const char *usual = content(&files, "10-hearth-eth0.network"), *other = content(&files, "10-hearth-eth1.network");
	assert_non_null(strstr(strstr(usual, "[DHCPv4]"), "\nUseMTU=yes\n"));
	assert_null(strstr(usual, "UseMTU=no")); // networkd takes that of advertisements by itself
	assert_non_null(strstr(strstr(other, "[DHCPv4]"), "\nUseMTU=no\n"));
	assert_non_null(strstr(other, "\n[IPv6AcceptRA]\nUseMTU=no\n"));
}

static void routes_of_routers_make_way_for_those_that_are_said(void **state)
{
	static const char said[] = "version: 2\nethernets:\n"
				   "  eth0: {addresses: ['fd00::2/64'], routes: [{to: %s, via: %s, metric: %u}]}\n"
				   "  eth1: {dhcp6: true}\n  eth2: {dhcp6: true, dhcp6-overrides: {route-metric: 7}}\n";
	static const struct {
		const char *to, *via;
		unsigned metric;
		bool make_way;
	} cases[] = {
		{"'::/0'", "'fd00::1'", 1024, true},
		{"'fd01::/64'", "'fd00::1'", 512, true},
		{"'::/0'", "'fd00::1'", 1023, false},
		{"'0.0.0.0/0'", "10.0.0.1", 1024, false},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(config_files_done) struct config_files files = {0};
		AUTO_FREE char *document = str_format(said, cases[i].to, cases[i].via, cases[i].metric);
		render(document, &files);
		bool make_way = strstr(content(&files, "10-hearth-eth1.network"), "\n[IPv6AcceptRA]\nRouteMetric=513:1025:2049\n");
		assert_int_equal(make_way, cases[i].make_way);
		assert_non_null(strstr(content(&files, "10-hearth-eth2.network"), "\n[IPv6AcceptRA]\nRouteMetric=7\n"));
	}
}

static void a_static_port_still_hears_lldp_but_asks_for_nothing(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  eth1: {addresses: [10.0.0.1/24], accept-ra: false, link-local: []}\n", &files);
	const char *text = content(&files, "10-hearth-eth1.network");
	assert_non_null(strstr(text, "\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=yes\n"));
	assert_null(strstr(text, "10.0.0.1"));
	assert_null(strstr(text, "MTUBytes"));
}

// networkd would take it back, with a warning.
static void what_cannot_be_had_is_not_asked_for(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  eth0: {dhcp4: true, dhcp6: true, accept-ra: true, link-local: [ipv4]}\n"
	       "  eth1: {activation-mode: manual, dhcp6: true}\n",
		&files);
	assert_non_null(strstr(content(&files, "10-hearth-eth0.network"),
		"[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv4\nIPv6AcceptRA=no\n"));
	const char *manual = content(&files, "10-hearth-eth1.network");
	assert_non_null(strstr(manual, "[Link]\nActivationPolicy=manual\nRequiredForOnline=no\n"));
	assert_non_null(strstr(manual, "[Network]\nDHCP=ipv6\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n"));
}

static void our_virtual_links_are_taken_from_networkd_and_udev(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\ntunnels:\n  hearth0: {mode: wireguard, key: /k}\ndummy-devices:\n  hearth-api: {}\n", &files);
	assert_non_null(strstr(content(&files, "10-hearth-hearth0.network"), "Name=hearth0\n\n[Link]\nUnmanaged=yes\n"));
	assert_string_equal(content(&files, "10-hearth-all-virtual-links.link"),
		"[Match]\nOriginalName=hearth-api hearth0\n\n[Link]\nNamePolicy=keep\nMACAddressPolicy=none\n");
}

static void dhcp_on_a_vlan_on_a_bond_in_a_vrf_fills_the_vrfs_table(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n"
	       "vlans: {v7: {id: 7, link: bond0, dhcp4: true, critical: true}}\nvrfs: {blue: {table: 100, interfaces: [v7]}}\n",
		&files);
	const char *vlan = content(&files, "10-hearth-v7.network"), *port = content(&files, "10-hearth-eth0.network");
	assert_non_null(strstr(vlan, "\nDHCP=ipv4\n"));
	assert_non_null(strstr(vlan, "\nKeepMaster=yes\nKeepConfiguration=yes\n"));
	assert_non_null(strstr(vlan, "\n[IPv6AcceptRA]\nRouteTable=100\n"));
	assert_non_null(strstr(strstr(vlan, "[DHCPv4]"), "\nRouteTable=100\n\n[DHCPv6]"));
	assert_non_null(strstr(port, "[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=yes\nEmitLLDP=no\n"
				     "KeepMaster=yes\n"));
	assert_null(strstr(port, "[DHCPv4]"));
	assert_non_null(strstr(content(&files, "10-hearth-blue.network"), "Unmanaged=yes"));
	assert_non_null(strstr(content(&files, "10-hearth-all-virtual-links.link"), "OriginalName=bond0 v7 blue\n"));
}

static void a_hostname_with_a_line_break_makes_no_line(void **state)
{
	CLEANUP(network_freep) struct network *network = wants("version: 2\nethernets: {eth0: {dhcp4: true}}\n");
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	CLEANUP(claims_done) struct claims claims = {0};
	CLEANUP(config_files_done) struct config_files files = {0}, good = {0};
	struct diag diag = {0};
	network->declarations[0].dhcp4_overrides.hostname = strdup("a\n[Match]");
	assert_int_equal(claims_make(network, kernel, &claims, &diag), 0);
	assert_int_equal(networkd_render(network, &claims, NULL, &files), 0);
	assert_null(strstr(content(&files, "10-hearth-eth0.network"), "Hostname=a"));
	str_set(&network->declarations[0].dhcp4_overrides.hostname, "a.example");
	assert_int_equal(networkd_render(network, &claims, NULL, &good), 0);
	assert_non_null(strstr(content(&good, "10-hearth-eth0.network"), "\nHostname=a.example\n"));
}

static void many_virtual_links_are_all_in_the_list(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	char yaml[8192];
	size_t n = (size_t)snprintf(yaml, sizeof(yaml), "version: 2\ndummy-devices:\n");
	for (unsigned i = 0; i < 200; i++)
		n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "  hearth-long-%03u: {}\n", i);
	render(yaml, &files);
	assert_non_null(strstr(content(&files, "10-hearth-all-virtual-links.link"), " hearth-long-199\n"));
}

static void a_card_that_is_pulled_keeps_its_files(void **state)
{
	CLEANUP(network_freep) struct network *network = wants("version: 2\nethernets:\n"
		"  lan: {match: {name: eth1}, set-name: lan0, dhcp4: true}\n"
		"  wan: {match: {macaddress: \"52:54:00:00:09:01\"}, set-name: wan0}\n"
		"  eth7: {dhcp6: true}\n  any: {match: {name: \"en*\"}, dhcp4: true}\n"
		"  one: {match: {name: eth8}, dhcp4: true}\n  vm: {match: {name: eth9, driver: virtio_net}, dhcp4: true}\n");
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	CLEANUP(claims_done) struct claims claims = {0}, without = {0};
	CLEANUP(config_files_done) struct config_files files = {0}, after = {0}, again = {0};
	assert_int_equal(claims_make(network, kernel, &claims, NULL), 0);
	assert_int_equal(networkd_render(network, &claims, NULL, &files), 0);
	kernel->n_links = 1;
	assert_int_equal(claims_make(network, kernel, &without, NULL), 0);
	assert_int_equal(networkd_render(network, &without, &files, &after), 0);
	assert_int_equal(after.n, files.n);
	for (size_t i = 0; i < files.n; i++)
		assert_string_equal(content(&after, files.files[i].name), files.files[i].content);
	assert_non_null(strstr(content(&after, "10-hearth-lan0.link"), "PermanentMACAddress=52:54:00:00:01:03\n"));
	assert_non_null(strstr(content(&after, "10-hearth-lan0.network"), "DHCP=ipv4\n"));
	assert_non_null(strstr(content(&after, "10-hearth-wan0.link"), "PermanentMACAddress=52:54:00:00:09:01\n"));
	assert_non_null(strstr(content(&after, "10-hearth-eth7.network"), "DHCP=ipv6\n"));
	assert_null(config_files_find(&after, "10-hearth-any.network"));
	assert_non_null(strstr(content(&after, "10-hearth-eth8.network"), "DHCP=ipv4\n"));
	assert_null(config_files_find(&after, "10-hearth-eth9.network")); // another card may have that name
	assert_int_equal(networkd_render(network, &without, NULL, &again), 0); // nothing tells its MAC
	assert_null(config_files_find(&again, "10-hearth-lan0.link"));
}

static void a_renamed_port_has_a_link_file_by_its_permanent_mac(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  lan: {match: {name: eth1}, set-name: lan0, dhcp4: true}\n", &files);
	assert_string_equal(content(&files, "10-hearth-lan0.link"),
		"[Match]\nPermanentMACAddress=52:54:00:00:01:03\n\n[Link]\nName=lan0\n");
	assert_non_null(strstr(content(&files, "10-hearth-lan0.network"), "Name=lan0\n"));
}

static void no_new_name_has_the_file_of_the_virtual_links(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	render("version: 2\nethernets:\n  lan: {match: {name: eth1}, set-name: virtual}\ndummy-devices: {hearth-api: {}}\n", &files);
	for (size_t i = 0; i < files.n; i++)
		assert_ptr_equal(config_files_find(&files, files.files[i].name), &files.files[i]);
}

static void files_come_back_as_they_were_written(void **state)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	char folder[] = "/tmp/hearth-test-networkd-XXXXXX";
	struct diag diag = {0};
	assert_non_null(mkdtemp(folder));
	AUTO_FREE char *inner = str_format("%s/network", folder);
	assert_int_equal(networkd_read(inner, &files, &diag), 0); // missing: none of ours
	assert_null(config_files_find(&files, "10-hearth-a.network"));
	config_files_done(&files);
	assert_int_equal(networkd_write(inner, "10-hearth-a.network", "x\n", &diag), 0);
	assert_int_equal(networkd_write(inner, "../" NETWORKD_CONF, "y\n", &diag), 0);
	assert_int_equal(networkd_write(inner, "50-other.network", "z\n", &diag), 0);
	assert_int_equal(networkd_read(inner, &files, &diag), 0);
	assert_int_equal(files.n, 2); // others' files are not seen
	assert_string_equal(content(&files, "10-hearth-a.network"), "x\n");
	assert_string_equal(content(&files, "../" NETWORKD_CONF), "y\n");
	assert_false(networkd_owes(folder));
	assert_int_equal(networkd_owe(folder, &diag), 0);
	assert_true(networkd_owes(folder));
	assert_int_equal(networkd_write(inner, "10-hearth-a.network", NULL, &diag), 0);
	config_files_done(&files);
	assert_int_equal(networkd_read(inner, &files, &diag), 0);
	assert_int_equal(files.n, 1);
	AUTO_FREE char *clean = str_format("rm -r %s", folder);
	assert_int_equal(system(clean), 0);
}

static void resolv_conf_has_declared_servers_before_those_of_leases(void **state)
{
	CLEANUP(network_freep) struct network *network =
		wants("version: 2\nethernets:\n  eth0: {nameservers: {addresses: [10.0.0.53], search: [a.example]}}\n");
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	CLEANUP(claims_done) struct claims claims = {0};
	struct resolv resolv = {0};
	struct diag diag = {0};
	kernel->links[0].index = kernel->links[1].index = 999999; // no such link: no state of networkd
	assert_int_equal(claims_make(network, kernel, &claims, &diag), 0);
	resolv_collect(&resolv, &claims);
	resolv_add_state(&resolv, "ADMIN_STATE=configured\nDNS=10.0.0.53 fe80::1%eth0 fe80::1%eth0#dns.example 2001:db8::53#dns.example 9.9.9.9\n"
				  "NTP=10.0.2.4\nDOMAINS=b.example a.example ~. x;y\n", "eth1");
	AUTO_FREE char *text = resolv_render(&resolv);
	assert_string_equal(text, "# Hearth's: declared name servers, then those of leases.\n"
				  "nameserver 10.0.0.53\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\n"
				  "search a.example b.example\n");
}

// A router that names itself: networkd has its servers without the link.
static void a_link_local_server_has_its_link_behind_it(void **state)
{
	struct resolv resolv = {0};
	resolv_add_state(&resolv, "DNS=fe80::1 fe80::1%eth1 fe80::2#dns.example 2001:db8::53\nDOMAINS=\n", "eth1");
	AUTO_FREE char *text = resolv_render(&resolv);
	assert_string_equal(text, "# Hearth's: declared name servers, then those of leases.\n"
				  "nameserver fe80::1%eth1\nnameserver fe80::2%eth1\nnameserver 2001:db8::53\n");
}

// --- online ---

static struct netconf_online *look(struct kernel *kernel, const struct netconf_online *previous, uint64_t now_usec)
{
	CLEANUP(network_freep) struct network *network = wants("version: 2\nethernets:\n  eth0: {dhcp4: true}\n");
	static const bool leases[4];
	struct netconf_online *online = NULL;
	struct diag diag = {0};
	kernel_sort(kernel);
	assert_int_equal(online_make(network, kernel, leases, previous, now_usec, &online, &diag), 0);
	return online;
}

static void the_sentence_says_how_long_dhcp_is_silent(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	char text[256];
	kernel->links[0].carrier = false;
	CLEANUP(netconf_online_freep) struct netconf_online *first = look(kernel, NULL, 5 * USEC_PER_SEC);
	assert_true(netconf_online_sentence(first, 8 * USEC_PER_SEC, text, sizeof(text)));
	assert_string_equal(text, "eth0 has no carrier for 3 s; check the cable and the switch port");
	kernel->links[0].carrier = true;
	CLEANUP(netconf_online_freep) struct netconf_online *second = look(kernel, first, 10 * USEC_PER_SEC);
	CLEANUP(netconf_online_freep) struct netconf_online *third = look(kernel, second, 30 * USEC_PER_SEC);
	assert_true(netconf_online_sentence(third, 50 * USEC_PER_SEC, text, sizeof(text)));
	assert_string_equal(text, "eth0 has carrier but no DHCP answer for 40 s; ask the network team");
}

static void an_address_and_a_gateway_are_online(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	char text[256];
	kernel->addresses[kernel->n_addresses++] = (struct kernel_address){.link_index = 2};
	assert_int_equal(address_parse("10.0.2.15/24", true, &kernel->addresses[0].address), 0);
	CLEANUP(netconf_online_freep) struct netconf_online *first = look(kernel, NULL, 0);
	assert_true(first->has_address && !first->has_gateway);
	assert_true(netconf_online_sentence(first, 0, text, sizeof(text)));
	assert_string_equal(text, "eth0 has address 10.0.2.15/24 but there is no default route; declare one, or let DHCP give one");
	kernel->routes[kernel->n_routes++] = (struct kernel_route){.link_index = 2,
		.route = {.destination.ip.family = AF_INET, .type = RTN_UNICAST, .gateway = {AF_INET, {10, 0, 2, 2}}}};
	CLEANUP(netconf_online_freep) struct netconf_online *second = look(kernel, first, 0);
	assert_true(second->has_gateway);
	assert_string_equal(second->links[0].gateway, "10.0.2.2");
	assert_false(netconf_online_sentence(second, 0, text, sizeof(text)));
}

// The links of @yaml that tell the story on a machine with eth0, eth1 and, with @has_bond, a bond0.
static void story_is(const char *yaml, bool has_bond, const char *wanted)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	CLEANUP(netconf_online_freep) struct netconf_online *online = NULL;
	static const bool leases[4];
	struct diag diag = {0};
	char text[256] = "";
	if (has_bond) {
		kernel->links = realloc(kernel->links, 3 * sizeof(*kernel->links));
		assert_non_null(kernel->links);
		kernel->links[kernel->n_links++] = (struct kernel_link){.index = 9, .name = "bond0", .kind = "bond",
			.flags = IFF_UP, .carrier = true};
	}
	kernel_sort(kernel);
	assert_int_equal(online_make(network, kernel, leases, NULL, 0, &online, &diag), 0);
	for (size_t i = 0; i < online->n; i++) {
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof(text) - n, "%s%s:%d", i ? " " : "", online->links[i].name, online->links[i].reach);
	}
	assert_string_equal(text, wanted);
}

static void the_link_that_asks_for_an_address_tells_the_story(void **state)
{
	static const char bond[] = "version: 2\nethernets: {eth0: {}, eth1: {}}\nbonds: {bond0: {interfaces: [eth0, eth1], dhcp4: true}}\n";
	static const char quiet[] = "version: 2\nethernets: {eth0: {}, eth1: {}}\nbonds: {bond0: {interfaces: [eth0, eth1]}}\n"
				    "vlans: {v7: {id: 7, link: bond0, dhcp4: true}}\n";
	story_is(bond, true, "bond0:2");
	story_is(bond, false, "bond0:0"); // to be made yet
	story_is(quiet, true, "bond0:0"); // the VLAN is missing, and what it waits for is named
	story_is("version: 2\nethernets: {eth0: {}, eth9: {}}\nvlans: {v7: {id: 7, link: eth9, addresses: [10.0.0.2/24]}, "
		 "v8: {id: 8, link: v7, accept-ra: true}}\n", false, "eth0:3 eth9:0 eth9:0");
	story_is("version: 2\nethernets: {eth0: {dhcp4: true}, eth1: {}}\nvlans: {v7: {id: 7, link: eth0}}\n"
		 "vrfs: {blue: {table: 9, interfaces: [eth1]}}\ndummy-devices: {d0: {addresses: [10.0.0.1/32]}}\n", false,
		"eth0:2 eth1:3"); // it asks though a VLAN is on it; a VRF's port carries its own traffic; a dummy none
	story_is("version: 2\nethernets: {eth0: {}, eth1: {}}\nbridges: {br0: {interfaces: [eth0]}}\n", false, "eth1:3");
}

static void a_link_local_address_is_not_online(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_ports();
	kernel->addresses[kernel->n_addresses++] = (struct kernel_address){.link_index = 2};
	assert_int_equal(address_parse("169.254.3.4/16", true, &kernel->addresses[0].address), 0);
	CLEANUP(netconf_online_freep) struct netconf_online *online = look(kernel, NULL, 0);
	assert_int_equal(online->links[0].reach, NETCONF_NO_LEASE);
}

static void a_port_that_is_missing_is_named(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	char text[256];
	CLEANUP(netconf_online_freep) struct netconf_online *online = look(kernel, NULL, 0);
	assert_true(netconf_online_sentence(online, 7 * USEC_PER_SEC, text, sizeof(text)));
	assert_string_equal(text, "no port fits \"eth0\" for 7 s; check match in the network settings, or the card and its driver");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dhcp_port_gets_all_that_keeps_networkd_off_the_rest),
		cmocka_unit_test(routes_of_routers_make_way_for_those_that_are_said),
		cmocka_unit_test(a_static_port_still_hears_lldp_but_asks_for_nothing),
		cmocka_unit_test(what_cannot_be_had_is_not_asked_for),
		cmocka_unit_test(unusual_names_are_written_as_they_are),
		cmocka_unit_test(an_mtu_is_taken_from_a_lease_unless_told_otherwise),
		cmocka_unit_test(our_virtual_links_are_taken_from_networkd_and_udev),
		cmocka_unit_test(dhcp_on_a_vlan_on_a_bond_in_a_vrf_fills_the_vrfs_table),
		cmocka_unit_test(a_hostname_with_a_line_break_makes_no_line),
		cmocka_unit_test(many_virtual_links_are_all_in_the_list),
		cmocka_unit_test(a_card_that_is_pulled_keeps_its_files),
		cmocka_unit_test(a_renamed_port_has_a_link_file_by_its_permanent_mac),
		cmocka_unit_test(no_new_name_has_the_file_of_the_virtual_links),
		cmocka_unit_test(files_come_back_as_they_were_written),
		cmocka_unit_test(resolv_conf_has_declared_servers_before_those_of_leases),
		cmocka_unit_test(a_link_local_server_has_its_link_behind_it),
		cmocka_unit_test(the_sentence_says_how_long_dhcp_is_silent),
		cmocka_unit_test(an_address_and_a_gateway_are_online),
		cmocka_unit_test(the_link_that_asks_for_an_address_tells_the_story),
		cmocka_unit_test(a_link_local_address_is_not_online),
		cmocka_unit_test(a_port_that_is_missing_is_named),
	};
	return cmocka_run_group_tests_name("networkd", tests, NULL, NULL);
}
