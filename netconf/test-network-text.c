// A network written as YAML decodes to the same network again, whatever its texts are.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/yaml.h"
#include "netconf/network-text.h"

#include <dirent.h>

static struct network *decodes(const char *yaml)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct network *network = NULL;
	struct diag diag = {0};
	if (yaml_parse(yaml, strlen(yaml), 0, "n.yaml", &document, &diag) < 0 ||
		netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s\n%s", diag_text(&diag), yaml);
	return network;
}

static char *text_of(const char *yaml)
{
	CLEANUP(network_freep) struct network *network = decodes(yaml);
	char *text = network_text(network);
	assert_non_null(text);
	return text;
}

// @yaml is written as @wanted, and that is written as itself.
static void is_written(const char *yaml, const char *wanted)
{
	AUTO_FREE char *once = text_of(yaml);
	assert_string_equal(once, wanted);
	AUTO_FREE char *twice = text_of(once);
	assert_string_equal(twice, wanted);
}

#define HEAD "network:\n  version: 2\n  renderer: networkd\n"

static void an_empty_network_has_its_head(void **state)
{
	is_written("network: {version: 2}\n", HEAD);
}

static void a_port_is_written_whole(void **state)
{
	static const char whole[] = HEAD "  ethernets:\n"
					 "    lan:\n"
					 "      match:\n"
					 "        name: \"en*\"\n"
					 "        macaddress: \"52:54:00:00:00:01\"\n"
					 "        driver:\n"
					 "        - e1000e\n"
					 "        - \"ixgbe*\"\n"
					 "      set-name: lan0\n"
					 "      macaddress: \"02:00:00:00:00:01\"\n"
					 "      mtu: 9000\n"
					 "      ipv6-mtu: 1500\n"
					 "      activation-mode: manual\n"
					 "      optional: true\n"
					 "      critical: true\n"
					 "      ignore-carrier: true\n"
					 "      dhcp4: true\n"
					 "      dhcp4-overrides:\n"
					 "        use-dns: false\n"
					 "        use-ntp: false\n"
					 "        use-hostname: false\n"
					 "        send-hostname: false\n"
					 "        use-mtu: false\n"
					 "        use-routes: false\n"
					 "        hostname: node-1\n"
					 "        use-domains: route\n"
					 "        route-metric: 300\n"
					 "      dhcp6: true\n"
					 "      accept-ra: false\n"
					 "      ipv6-privacy: true\n"
					 "      link-local:\n"
					 "      - ipv4\n"
					 "      - ipv6\n"
					 "      addresses:\n"
					 "      - 10.0.0.2/24\n"
					 "      - \"fd00::2/64\"\n"
					 "      nameservers:\n"
					 "        search:\n"
					 "        - example.org\n"
					 "        - \"7.example\"\n"
					 "        addresses:\n"
					 "        - 10.0.0.53\n"
					 "        - \"fd00::53\"\n";
	is_written(whole, whole);
}

static void a_port_without_settings_is_an_empty_mapping(void **state)
{
	is_written("network: {version: 2, ethernets: {eth0: {}}}\n", HEAD "  ethernets:\n    eth0: {}\n");
}

static void routes_and_rules_say_only_what_is_not_usual(void **state)
{
	is_written("network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [10.0.0.2/24]\n      routes:\n"
		   "      - {to: default, via: 10.0.0.1, metric: 0, table: 254, type: unicast, scope: global}\n"
		   "      - {to: 10.1.0.0/16, scope: link}\n"
		   "      - {to: 10.2.0.0/16, via: 10.0.0.1, on-link: true, from: 10.0.0.2, mtu: 1400, scope: link}\n"
		   "      - {to: 'fd00::/8', via: 'fd00::1', metric: 1024}\n"
		   "      routing-policy:\n"
		   "      - {from: 10.0.0.0/24, table: 100, priority: 50, mark: 3, type-of-service: 16}\n"
		   "      - {from: 0.0.0.0/0, table: 101}\n"
		   "      - {to: 'fd00::/8', table: 102}\n",
		HEAD "  ethernets:\n"
		     "    eth0:\n"
		     "      addresses:\n"
		     "      - 10.0.0.2/24\n"
		     "      routes:\n"
		     "      - to: default\n"
		     "        via: 10.0.0.1\n"
		     "      - to: 10.1.0.0/16\n"
		     "      - to: 10.2.0.0/16\n"
		     "        via: 10.0.0.1\n"
		     "        from: 10.0.0.2\n"
		     "        on-link: true\n"
		     "        scope: link\n"
		     "        mtu: 1400\n"
		     "      - to: \"fd00::/8\"\n"
		     "        via: \"fd00::1\"\n"
		     "      routing-policy:\n"
		     "      - from: 10.0.0.0/24\n"
		     "        table: 100\n"
		     "        priority: 50\n"
		     "        mark: 3\n"
		     "        type-of-service: 16\n"
		     "      - from: 0.0.0.0/0\n"
		     "        table: 101\n"
		     "      - to: \"fd00::/8\"\n"
		     "        table: 102\n");
}

static void what_is_made_of_others_is_written_whole(void **state)
{
	static const char whole[] = HEAD "  ethernets:\n"
					 "    eth0: {}\n"
					 "    eth1: {}\n"
					 "    eth2:\n"
					 "      hairpin: true\n"
					 "      port-mac-learning: false\n"
					 "  dummy-devices:\n"
					 "    dummy0: {}\n"
					 "  tunnels:\n"
					 "    wg0:\n"
					 "      mode: wireguard\n"
					 "      key: /etc/wg0.key\n"
					 "      port: 51820\n"
					 "      mark: 9\n"
					 "      peers:\n"
					 "      - keys:\n"
					 "          public: \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n"
					 "          shared: /etc/wg0.psk\n"
					 "        endpoint: \"[2001:db8::9]:51820\"\n"
					 "        keepalive: 25\n"
					 "        allowed-ips:\n"
					 "        - 10.66.0.0/16\n"
					 "        - \"fd00::/8\"\n"
					 "  bonds:\n"
					 "    bond0:\n"
					 "      interfaces:\n"
					 "      - eth0\n"
					 "      - eth1\n"
					 "      parameters:\n"
					 "        mode: active-backup\n"
					 "        mii-monitor-interval: 100\n"
					 "        primary: eth1\n"
					 "  bridges:\n"
					 "    br0:\n"
					 "      interfaces:\n"
					 "      - eth2\n"
					 "      parameters:\n"
					 "        stp: false\n"
					 "        path-cost:\n"
					 "          eth2: 50\n"
					 "  vlans:\n"
					 "    bond0.7:\n"
					 "      id: 7\n"
					 "      link: bond0\n"
					 "  vrfs:\n"
					 "    blue:\n"
					 "      table: 1001\n"
					 "      interfaces:\n"
					 "      - bond0.7\n";
	is_written(whole, whole);
}

static void texts_are_quoted_so_that_they_stay_texts(void **state)
{
	static const char *const texts[] = {"a\"b\\c", "# no comment", "a: b", "- x", "*", "&a", "!t", "%x", "@x", "`x`",
		"{}", "[a]", " a ", "a\tb\nc", "\x01\x7f", "\u00e9\u2028\U0001f525", "yes", "~", "1_000", "0o17", "1:30",
		".inf", "=", "<<", "'", "|", ">"};
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct network network = {0};
		struct declaration declaration = {.kind = DECLARATION_ETHERNET, .id = (char *)"eth0", .has_match = true,
			.match_name = (char *)texts[i]};
		CLEANUP(value_freep) struct value *document = NULL;
		struct diag diag = {0};
		network.declarations = &declaration;
		network.n = 1;
		AUTO_FREE char *text = network_text(&network);
		assert_non_null(text);
		for (const char *c = text; *c; c++)
			assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
		if (yaml_parse(text, strlen(text), 0, "n.yaml", &document, &diag) < 0)
			fail_msg("%s\n%s", diag_text(&diag), text);
		const struct value *name =
			value_path(document, "network", "ethernets", "eth0", "match", "name", NULL);
		assert_non_null(name);
		assert_int_equal(name->type, VALUE_STRING);
		assert_string_equal(name->text, texts[i]);
	}
}

static void what_is_no_text_becomes_the_sign_for_that(void **state)
{
	struct network network = {0};
	struct declaration declaration = {.kind = DECLARATION_ETHERNET, .id = (char *)"eth0", .has_match = true,
		.match_name = (char *)"a\xff\xc3z"};
	network.declarations = &declaration;
	network.n = 1;
	AUTO_FREE char *text = network_text(&network);
	assert_non_null(text);
	assert_non_null(strstr(text, "name: \"a\\ufffd\\ufffdz\"\n"));
}

static void the_default_network_says_what_its_match_means(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	assert_int_equal(netconf_default(&network), 0);
	AUTO_FREE char *text = network_text(network);
	assert_non_null(text);
	assert_non_null(strstr(text, "# match here means every wired port, and no USB gadget\n"));
	CLEANUP(network_freep) struct network *again = decodes(text);
	assert_int_equal(again->n, 1);
	assert_true(again->declarations[0].dhcp4);
}

// All that tests/netplan/ has to show that a document is taken.
static void every_configuration_comes_back(void **state)
{
	DIR *folder = opendir(TEST_SOURCE_DIR "/tests/netplan");
	size_t n = 0;
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		CLEANUP(value_freep) struct value *document = NULL;
		CLEANUP(network_freep) struct network *network = NULL;
		struct diag diag = {0};
		if (!str_equal(strrchr(entry->d_name, '.'), ".yaml"))
			continue;
		AUTO_FREE char *path = str_format("%s/tests/netplan/%s", TEST_SOURCE_DIR, entry->d_name);
		if (yaml_load(path, 0, &document, &diag) < 0 || netconf_decode(document, &network, &diag) < 0)
			fail_msg("%s: %s", entry->d_name, diag_text(&diag));
		AUTO_FREE char *once = network_text(network);
		AUTO_FREE char *twice = text_of(once);
		assert_string_equal(once, twice);
		n++;
	}
	closedir(folder);
	assert_true(n >= 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_network_has_its_head),
		cmocka_unit_test(a_port_is_written_whole),
		cmocka_unit_test(a_port_without_settings_is_an_empty_mapping),
		cmocka_unit_test(routes_and_rules_say_only_what_is_not_usual),
		cmocka_unit_test(what_is_made_of_others_is_written_whole),
		cmocka_unit_test(texts_are_quoted_so_that_they_stay_texts),
		cmocka_unit_test(what_is_no_text_becomes_the_sign_for_that),
		cmocka_unit_test(every_configuration_comes_back),
		cmocka_unit_test(the_default_network_says_what_its_match_means),
	};
	return cmocka_run_group_tests_name("network-text", tests, NULL, NULL);
}
