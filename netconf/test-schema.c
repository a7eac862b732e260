// The configurations of tests/netplan: each that netplan takes is taken, and means the same written down again; each of
// tests/netplan/refused is refused with the place and the words of its first line.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/yaml.h"
#include "netconf/network-text.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>

#define FOLDER TEST_SOURCE_DIR "/tests/netplan"

enum { MIN_TAKEN = 60, MIN_REFUSED = 60, MAX_FILES = 8 };

// --- reading ---

static bool is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int only_shown(const struct dirent *entry)
{
	return is_shown(entry);
}

static int add_file(struct network *network, const char *path, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	int error = yaml_load(path, 0, &document, reterr);
	return error < 0 ? error : network_decode(network, document, NULL, reterr);
}

// One file, or the files of a folder in the order of their names.
static int load(const char *path, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	struct dirent **entries = NULL;
	int error = 0, n = scandir(path, &entries, only_shown, alphasort);
	assert_non_null(network);
	if (n < 0)
		error = add_file(network, path, reterr);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *file = str_format("%s/%s", path, entries[i]->d_name);
		if (error == 0)
			error = add_file(network, file, reterr);
		free(entries[i]);
	}
	free(entries);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error == 0)
		*ret = TAKE_PTR(network);
	return error;
}

static struct network *taken(const char *name)
{
	AUTO_FREE char *path = str_format(FOLDER "/%s", name);
	struct network *network = NULL;
	struct diag diag = {0};
	if (load(path, &network, &diag) < 0)
		fail_msg("%s: %s", name, diag_text(&diag));
	return network;
}

static bool is_written_back_the_same(const struct network *network, const char *name)
{
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(network_freep) struct network *again = NULL;
	AUTO_FREE char *text = network_text(network), *text_again = NULL;
	struct diag diag = {0};
	if (text && yaml_parse(text, strlen(text), 0, name, &document, &diag) == 0 &&
		netconf_decode(document, &again, &diag) == 0)
		text_again = network_text(again);
	if (str_equal(text, text_again))
		return true;
	print_error("%s: %s\n%s\nbecame\n%s\n", name, diag_text(&diag), text, text_again ? text_again : "");
	return false;
}

static void every_configuration_of_netplan_is_taken(void **state)
{
	struct dirent **entries = NULL;
	size_t n_taken = 0, n_wrong = 0;
	int n = scandir(FOLDER, &entries, only_shown, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_format(FOLDER "/%s", entries[i]->d_name);
		CLEANUP(network_freep) struct network *network = NULL;
		struct diag diag = {0};
		bool is_refused = str_equal(entries[i]->d_name, "refused");
		if (!is_refused && load(path, &network, &diag) < 0)
			print_error("%s: %s\n", entries[i]->d_name, diag_text(&diag)), n_wrong++;
		else if (!is_refused && !is_written_back_the_same(network, entries[i]->d_name))
			n_wrong++;
		n_taken += !is_refused;
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(n_wrong, 0);
	assert_true(n_taken >= MIN_TAKEN);
}

// The first line of @path: "# 7:5 words of the message".
static void read_expectation(const char *path, char where[static 32], char words[static 256])
{
	char line[320] = "";
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	if (sscanf(line, "# %31s %255[^\n]", where, words) != 2)
		fail_msg("%s: the first line must be: # LINE:COLUMN WORDS", path);
}

static void every_refused_configuration_has_its_place_and_words(void **state)
{
	struct dirent **entries = NULL;
	size_t n_wrong = 0;
	int n = scandir(FOLDER "/refused", &entries, only_shown, alphasort);
	assert_true(n >= MIN_REFUSED);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_format(FOLDER "/refused/%s", entries[i]->d_name);
		CLEANUP(network_freep) struct network *network = NULL;
		struct diag diag = {0};
		char where[32] = "", words[256] = "";
		read_expectation(path, where, words);
		int error = load(path, &network, &diag);
		if (error != -EINVAL || !str_equal(diag.where, where) || !strstr(diag.message, words))
			print_error("%s: %d %s\n", entries[i]->d_name, error, diag_text(&diag)), n_wrong++;
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(n_wrong, 0);
}

// --- what some of them mean ---

static uint32_t option(enum link_option_kind kind, const struct link_options *options, const char *key)
{
	size_t at = (size_t)link_option_find(kind, key);
	if (!link_options_have(options, at))
		fail_msg("%s is not said", key);
	return options->value[at];
}

static bool has_option(enum link_option_kind kind, const struct link_options *options, const char *key)
{
	return link_options_have(options, (size_t)link_option_find(kind, key));
}

static void a_bond_has_the_kernels_numbers(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bond-active-backup.yaml");
	const struct declaration *bond = network_find(network, "bond0");
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "mode"), 1);
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "primary-reselect-policy"), 1);
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "fail-over-mac-policy"), 1);
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "up-delay"), 200);
	assert_string_equal(bond->primary, "eth1");
	assert_string_equal(network_find(network, "eth0")->master, "bond0");
	assert_null(bond->master);
}

static void a_bond_without_parameters_is_a_round_robin(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bond-plain.yaml");
	assert_int_equal(option(LINK_OPTION_BOND, &network_find(network, "bond0")->options, "mode"), 0);
}

static void delays_are_whole_intervals_as_the_kernel_shows_them(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bond-rounded-delays.yaml");
	const struct declaration *bond = network_find(network, "bond0");
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "up-delay"), 200);
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "down-delay"), 0);
}

static void options_of_other_modes_are_left_out_as_networkd_does(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bond-other-modes-options.yaml");
	const struct declaration *bond = network_find(network, "bond0");
	assert_false(has_option(LINK_OPTION_BOND, &bond->options, "lacp-rate"));
	assert_false(has_option(LINK_OPTION_BOND, &bond->options, "packets-per-member"));
	assert_true(has_option(LINK_OPTION_BOND, &bond->options, "mii-monitor-interval"));
}

static void a_bridge_counts_in_hundredths_and_gives_its_ports_their_options(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bridge-parameters.yaml");
	const struct declaration *bridge = network_find(network, "br0"), *port = network_find(network, "eth0");
	assert_int_equal(option(LINK_OPTION_BRIDGE, &bridge->options, "forward-delay"), 400);
	assert_int_equal(option(LINK_OPTION_BRIDGE, &bridge->options, "ageing-time"), 30000);
	assert_int_equal(option(LINK_OPTION_BRIDGE_PORT, &port->port_options, "path-cost"), 70);
	assert_int_equal(option(LINK_OPTION_BRIDGE_PORT, &port->port_options, "port-priority"), 14);
	assert_string_equal(port->master, "br0");
}

static void parameters_turn_stp_on_as_in_netplan(void **state)
{
	CLEANUP(network_freep) struct network *with = taken("bridge-parameters-alone-turn-stp-on.yaml");
	CLEANUP(network_freep) struct network *without = taken("bridge.yaml");
	const struct link_options *options = &network_find(with, "br0")->options;
	assert_int_equal(option(LINK_OPTION_BRIDGE, options, "stp"), 1);
	assert_int_equal(option(LINK_OPTION_BRIDGE, options, "forward-delay"), 200); // of 0 the kernel makes its least
	assert_false(has_option(LINK_OPTION_BRIDGE, &network_find(without, "br0")->options, "stp"));
}

static void times_have_units(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bridge-old-spelling-and-units.yaml");
	const struct link_options *options = &network_find(network, "br0")->options;
	assert_int_equal(option(LINK_OPTION_BRIDGE, options, "ageing-time"), 9000);
	assert_int_equal(option(LINK_OPTION_BRIDGE, options, "forward-delay"), 250);
}

static void a_port_says_its_own_options(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bridge-port-options.yaml");
	const struct link_options *options = &network_find(network, "eth0")->port_options;
	assert_int_equal(option(LINK_OPTION_BRIDGE_PORT, options, "hairpin"), 1);
	assert_int_equal(option(LINK_OPTION_BRIDGE_PORT, options, "port-mac-learning"), 0);
	assert_int_equal(option(LINK_OPTION_BRIDGE_PORT, options, "neigh-suppress"), 1);
}

static void routes_of_a_vrf_and_of_its_ports_are_in_its_table(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("vrf-routes-and-rules.yaml");
	CLEANUP(network_freep) struct network *beside = taken("vrf-main-table-beside.yaml");
	const struct declaration *vrf = network_find(network, "tenant"), *port = network_find(network, "eth0");
	assert_int_equal(vrf->n_routes, 2);
	assert_int_equal(vrf->routes[0].table, 1010);
	assert_int_equal(vrf->rules[0].table, 1010);
	assert_int_equal(port->routes[0].table, 1010);
	assert_int_equal(network_find(beside, "eth0")->routes[0].table, RT_TABLE_MAIN);
}

static void rules_have_what_the_kernel_shows(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("rules.yaml");
	const struct declaration *eth0 = network_find(network, "eth0");
	char text[RULE_TEXT];
	assert_int_equal(eth0->n_rules, 4);
	assert_string_equal(rule_format(&eth0->rules[0], text),
		"from 10.40.0.0/24 to 10.41.0.0/16 mark 7 table 140 priority 1000");
	assert_string_equal(rule_format(&eth0->rules[1], text), "from all to 10.42.0.0/16 tos 16 table 141 priority 1001");
	assert_string_equal(rule_format(&eth0->rules[2], text), "from 2001:db8:40::/64 table 140 priority 1002");
	assert_int_equal(eth0->rules[3].from.ip.family, AF_UNSPEC); // the kernel shows 0.0.0.0/0 as none
	assert_int_equal(eth0->rules[3].family, AF_INET);
}

static void what_is_said_twice_is_there_once(void **state)
{
	CLEANUP(network_freep) struct network *routes = taken("route-twice.yaml");
	CLEANUP(network_freep) struct network *rules = taken("rules-without-priority.yaml");
	assert_int_equal(routes->declarations[0].n_routes, 1);
	assert_int_equal(routes->declarations[0].n_addresses, 1);
	assert_int_equal(rules->declarations[0].n_rules, 1);
	assert_false(rules->declarations[0].rules[0].has_priority);
}

static void later_files_win_and_lists_grow_without_repeats(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("merge-scalars-and-lists");
	const struct declaration *eth0 = network_find(network, "eth0");
	assert_int_equal(network->n, 1);
	assert_false(eth0->dhcp4);
	assert_int_equal(eth0->mtu, 1500);
	assert_int_equal(eth0->n_addresses, 2);
	assert_int_equal(eth0->n_servers, 2);
	assert_int_equal(eth0->n_search, 2);
}

static void ports_of_several_files_come_together(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("merge-ports");
	const struct declaration *bond = network_find(network, "bond0");
	assert_int_equal(bond->n_ports, 2);
	assert_string_equal(bond->primary, "eth1");
	assert_int_equal(option(LINK_OPTION_BOND, &bond->options, "mode"), 1);
	assert_string_equal(network_find(network, "eth1")->master, "bond0");
}

static void a_match_of_several_files_comes_together(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("merge-match");
	const struct declaration *lan = network_find(network, "lan");
	char text[ROUTE_TEXT];
	assert_string_equal(lan->match_mac, "52:54:00:00:00:01");
	assert_int_equal(lan->n_match_drivers, 1);
	assert_string_equal(lan->match_drivers[0], "virtio_net");
	assert_string_equal(lan->set_name, "lan0");
	assert_int_equal(lan->n_routes, 1); // the last gateway4 is instead of the first
	assert_string_equal(route_format(&lan->routes[0], text), "0.0.0.0/0 via 10.132.0.254");
	assert_true(lan->has_link_local && !lan->link_local6);
}

static void routes_of_several_files_are_there_once(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("merge-routes-and-rules");
	assert_int_equal(network_find(network, "eth0")->n_routes, 2);
	assert_int_equal(network_find(network, "eth0")->n_rules, 1);
}

static void overrides_say_what_of_a_lease_is_used(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("dhcp-overrides.yaml");
	const struct dhcp_overrides *overrides = &network_find(network, "eth0")->dhcp4_overrides;
	assert_true(overrides->no_dns && overrides->no_ntp && overrides->no_hostname && overrides->no_send_hostname);
	assert_true(!overrides->no_mtu && !overrides->no_routes && overrides->has_metric);
	assert_int_equal(overrides->metric, 200);
	assert_string_equal(overrides->use_domains, "route");
	assert_string_equal(overrides->hostname, "rack1-node7");
}

static void words_and_quotes_are_netplans(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("words-of-yaml.yaml");
	const struct declaration *eth0 = network_find(network, "eth0");
	assert_int_equal(network->n, 1);
	assert_false(eth0->dhcp4);
	assert_true(eth0->has_accept_ra);
	assert_false(eth0->accept_ra);
	assert_int_equal(eth0->mtu, 1500);
}

static void what_says_nothing_is_taken(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("values-of-nothing.yaml");
	const struct declaration *eth0 = network_find(network, "eth0"), *eth1 = network_find(network, "eth1");
	assert_int_equal(eth0->n_search, 1); // resolv.conf has no domains that only say which server to ask
	assert_int_equal(eth0->n_addresses, 1);
	assert_int_equal(eth1->port_options.has, 0);
	assert_false(has_option(LINK_OPTION_BRIDGE, &network_find(network, "br0")->options, "hello-time"));
}

static void a_master_below_keeps_the_ports_that_nobody_above_takes(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("bridge.yaml"); // br0 of eth0
	struct network *below = taken("bond-plain.yaml");                      // bond0 of eth0 and eth1
	assert_int_equal(netconf_layer(network, below), 0);
	const struct declaration *bond = network_find(network, "bond0");
	assert_int_equal(bond->n_ports, 1);
	assert_string_equal(bond->ports[0], "eth1");
	assert_string_equal(network_find(network, "eth0")->master, "br0");
	assert_string_equal(network_find(network, "eth1")->master, "bond0");
}

// --- limits ---

static int decode_text(const char *text, size_t n, struct network **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	int error = yaml_parse(text, n, 0, "big.yaml", &document, reterr);
	return error < 0 ? error : netconf_decode(document, ret, reterr);
}

static char *many_routes(int n_routes, size_t *ret_n)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_n);
	assert_non_null(out);
	fprintf(out, "ethernets:\n eth0:\n  routes:\n");
	for (int i = 0; i < n_routes; i++)
		fprintf(out, "  - {to: %d.%d.%d.0/24, scope: link}\n", 11 + (i >> 16), i >> 8 & 255, i & 255);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void a_hundred_thousand_routes_are_refused_in_a_sentence(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	struct diag diag = {0};
	size_t n;
	AUTO_FREE char *text = many_routes(100000, &n);
	assert_int_equal(decode_text(text, n, &network, &diag), -EINVAL);
	assert_string_equal(diag.message, "ethernets.eth0.routes: at most 65536 routes on one link, not 100000");
}

static char *a_trunk_of(int n_vlans, size_t *ret_n)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_n);
	assert_non_null(out);
	fprintf(out, "ethernets: {eth0: {}}\nvlans:\n");
	for (int i = 1; i <= n_vlans; i++)
		fprintf(out, " v%d: {id: %d, link: eth0}\n", i, i);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void a_trunk_of_a_thousand_vlans_is_taken_and_more_are_refused_in_a_sentence(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL, *more = NULL;
	struct diag diag = {0};
	size_t n, n_more;
	AUTO_FREE char *text = a_trunk_of(NETWORK_MAX_DECLARATIONS - 1, &n);
	AUTO_FREE char *text_more = a_trunk_of(NETWORK_MAX_DECLARATIONS, &n_more);
	assert_int_equal(decode_text(text, n, &network, &diag), 0);
	assert_int_equal(network->n, NETWORK_MAX_DECLARATIONS);
	assert_int_equal(decode_text(text_more, n_more, &more, &diag), -EINVAL);
	assert_string_equal(diag_text(&diag), "1026:9: at most 1024 links can be declared");
}

static void a_file_of_ten_megabytes_is_refused_in_a_sentence(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	struct diag diag = {0};
	size_t n = 10 << 20;
	AUTO_FREE char *text = malloc(n);
	assert_non_null(text);
	memset(text, '#', n);
	assert_int_equal(decode_text(text, n, &network, &diag), -E2BIG);
	assert_non_null(strstr(diag.message, "4194304"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_configuration_of_netplan_is_taken),
		cmocka_unit_test(every_refused_configuration_has_its_place_and_words),
		cmocka_unit_test(a_bond_has_the_kernels_numbers),
		cmocka_unit_test(a_bond_without_parameters_is_a_round_robin),
		cmocka_unit_test(delays_are_whole_intervals_as_the_kernel_shows_them),
		cmocka_unit_test(options_of_other_modes_are_left_out_as_networkd_does),
		cmocka_unit_test(a_bridge_counts_in_hundredths_and_gives_its_ports_their_options),
		cmocka_unit_test(parameters_turn_stp_on_as_in_netplan),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(a_port_says_its_own_options),
		cmocka_unit_test(routes_of_a_vrf_and_of_its_ports_are_in_its_table),
		cmocka_unit_test(rules_have_what_the_kernel_shows),
		cmocka_unit_test(what_is_said_twice_is_there_once),
		cmocka_unit_test(later_files_win_and_lists_grow_without_repeats),
		cmocka_unit_test(ports_of_several_files_come_together),
		cmocka_unit_test(a_match_of_several_files_comes_together),
		cmocka_unit_test(routes_of_several_files_are_there_once),
		cmocka_unit_test(overrides_say_what_of_a_lease_is_used),
		cmocka_unit_test(words_and_quotes_are_netplans),
		cmocka_unit_test(what_says_nothing_is_taken),
		cmocka_unit_test(a_master_below_keeps_the_ports_that_nobody_above_takes),
		cmocka_unit_test(a_hundred_thousand_routes_are_refused_in_a_sentence),
		cmocka_unit_test(a_trunk_of_a_thousand_vlans_is_taken_and_more_are_refused_in_a_sentence),
		cmocka_unit_test(a_file_of_ten_megabytes_is_refused_in_a_sentence),
	};
	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
