// Which endpoint one node is given for another: each rule and their order, as rows of a table.
// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "region/test-config.h"

#define LAN "lan: {prefix: 10.77.0.0/24, macPrefix: '52:54:77'}"
#define NO_LAN "servers: 1"
#define AT(address, prefix)                                                                        \
	"{\"address\":\"" address "\",\"prefix\":" #prefix ",\"link\":\"eth0\",\"port\":51820}"
#define CANDIDATES(list) "{\"meshCandidates\":[" list "]}"
#define LAN_NIC "\"nics\":[{\"name\":\"eth1\",\"mac\":\"52:54:77:00:00:0B\",\"addresses\":[]}]"

struct side {
	const char *facts, *remote;
};

static void place(const struct cluster_config *config, int64_t number, const struct side *side,
	struct mesh_place *ret)
{
	CLEANUP(value_freep) struct value *facts = NULL;
	char text[MESH_PLACE_TEXT], again[MESH_PLACE_TEXT];
	struct mesh_place stored;
	assert_int_equal(json_parse(side->facts, strlen(side->facts), 0, &facts, NULL), 0);
	mesh_place_of(config, number, facts, side->remote, ret);
	mesh_place_format(config, ret, text);
	assert_int_equal(mesh_place_parse(config, text, &stored), 0);
	mesh_place_format(config, &stored, again);
	assert_string_equal(again, text); // what is stored is what was decided
	*ret = stored;
}

static void endpoints_are_chosen_by_pair(void **state)
{
	static const struct {
		const char *what, *config;
		struct side asker, peer;
		const char *expected; // NULL: none
	} rows[] = {
		{ "the template first", LAN, { "{" LAN_NIC "}", "127.0.0.1" },
			{ "{" LAN_NIC ",\"meshCandidates\":[" AT("192.0.2.7", 24) "]}",
				"192.0.2.7" },
			"10.77.0.12:51820" },
		{ "who has no NIC of the template is where it says", LAN, { "{" LAN_NIC "}", "" },
			{ CANDIDATES(AT("192.0.2.7", 24)), "192.0.2.7" }, "192.0.2.7:51820" },
		{ "a shared prefix before its own public address", NO_LAN,
			{ CANDIDATES(AT("10.1.0.5", 24)), "10.1.0.5" },
			{ CANDIDATES(AT("192.0.2.7", 24) "," AT("10.1.0.6", 24)), "192.0.2.7" },
			"10.1.0.6:51820" },
		{ "prefixes of another length are not the same", NO_LAN,
			{ CANDIDATES(AT("10.1.0.5", 16)), "10.1.0.5" },
			{ CANDIDATES(AT("192.0.2.7", 24) "," AT("10.1.0.6", 24)), "192.0.2.7" },
			"192.0.2.7:51820" },
		{ "a public address from behind NAT", NO_LAN,
			{ CANDIDATES(AT("192.168.1.5", 24)), "203.0.113.9" },
			{ CANDIDATES(AT("192.0.2.7", 24)), "192.0.2.7" }, "192.0.2.7:51820" },
		{ "behind NAT it has none", NO_LAN,
			{ CANDIDATES(AT("192.0.2.7", 24)), "192.0.2.7" },
			{ CANDIDATES(AT("192.168.1.5", 24)), "203.0.113.9" }, NULL },
		{ "the prefixes behind two NATs only look the same", NO_LAN,
			{ CANDIDATES(AT("192.168.1.5", 24)), "203.0.113.9" },
			{ CANDIDATES(AT("192.168.1.6", 24)), "203.0.113.10" }, NULL },
		{ "behind one NAT they are the same", NO_LAN,
			{ CANDIDATES(AT("192.168.1.5", 24)), "203.0.113.9" },
			{ CANDIDATES(AT("192.168.1.6", 24)), "203.0.113.9" }, "192.168.1.6:51820" },
		{ "behind one NAT another prefix is routed", NO_LAN,
			{ CANDIDATES(AT("192.168.1.5", 24)), "203.0.113.9" },
			{ CANDIDATES(AT("192.168.2.6", 24)), "203.0.113.9" }, "192.168.2.6:51820" },
		{ "the same private address twice is no shared prefix", NO_LAN,
			{ CANDIDATES(AT("192.168.1.5", 24)), "192.0.2.1" },
			{ CANDIDATES(AT("192.168.1.5", 24)), "192.0.2.2" }, NULL },
		{ "a private address that the region sees is its own", NO_LAN,
			{ CANDIDATES(AT("10.1.0.5", 24)), "10.1.0.5" },
			{ CANDIDATES(AT("10.2.0.6", 24)), "10.2.0.6" }, "10.2.0.6:51820" },
		{ "the other private address of that machine is not", NO_LAN,
			{ CANDIDATES(AT("10.1.0.5", 24)), "10.1.0.5" },
			{ CANDIDATES(AT("10.9.0.6", 24) "," AT("10.2.0.6", 24)), "10.2.0.6" },
			"10.2.0.6:51820" },
		{ "a proxy on the region's machine says nothing", NO_LAN,
			{ CANDIDATES(AT("10.1.0.5", 24)), "127.0.0.1" },
			{ CANDIDATES(AT("10.2.0.6", 24)), "127.0.0.1" }, "10.2.0.6:51820" },
		{ "the family that the asking node has", NO_LAN,
			{ CANDIDATES(AT("2001:db8::5", 64)), "2001:db8::5" },
			{ CANDIDATES(AT("192.0.2.7", 24) "," AT("2001:db8:1::6", 64)),
				"192.0.2.7" },
			"[2001:db8:1::6]:51820" },
		{ "no common family", NO_LAN, { CANDIDATES(AT("2001:db8::5", 64)), "2001:db8::5" },
			{ CANDIDATES(AT("192.0.2.7", 24)), "192.0.2.7" }, NULL },
		{ "who nothing is known of is given what is public", NO_LAN, { "{}", "" },
			{ CANDIDATES(AT("192.0.2.7", 24)), "192.0.2.7" }, "192.0.2.7:51820" },
		{ "a unique local address is private", NO_LAN,
			{ CANDIDATES(AT("2001:db8::5", 64)), "2001:db8::5" },
			{ CANDIDATES(AT("fd12::6", 64)), "2001:db8::9" }, NULL },
		{ "no candidates: uplinks of user mode, link-local, loopback, the cluster's ranges",
			NO_LAN, { "{}", "" },
			{ CANDIDATES(AT("10.0.2.15", 24) "," AT("169.254.1.1", 16) "," AT(
				  "fe80::1", 64) "," AT("127.0.0.1", 8) "," AT("10.66.0.12",
				  16) "," AT("10.64.1.1", 24) "," AT("10.65.0.1", 16)),
				"127.0.0.1" },
			NULL },
		{ "a port of its own", NO_LAN, { "{}", "" },
			{ "{\"meshCandidates\":[{\"address\":\"192.0.2.7\",\"prefix\":24,\"port\":"
			  "4500}]}",
				"" },
			"192.0.2.7:4500" },
		{ "broken candidates are none", NO_LAN, { "{}", "" },
			{ "{\"meshCandidates\":[{\"address\":\"192.0.2.7\",\"prefix\":33,\"port\":"
			  "1},"
			  "{\"address\":\"x\",\"prefix\":1,\"port\":1},{\"address\":\"192.0.2.8\","
			  "\"prefix\":24,\"port\":0},7,{\"address\":\"192.0.2.9\"}]}",
				"" },
			NULL },
		{ "an older node tells its NICs alone", NO_LAN, { "{}", "" },
			{ "{\"nics\":[{\"addresses\":[\"10.0.2.15/24\",\"fe80::1/"
			  "64\",\"2001:db8::7/"
			  "64\"]}]}",
				"127.0.0.1" },
			"[2001:db8::7]:51820" },
		{ "without anything there is none", NO_LAN, { "{}", "" }, { "{}", "" }, NULL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cluster_config *config = test_config(rows[i].config);
		struct mesh_place asker, peer;
		char endpoint[MESH_ENDPOINT_TEXT] = "";
		place(config, 1, &rows[i].asker, &asker);
		place(config, 2, &rows[i].peer, &peer);
		bool chosen = mesh_place_choose(&asker, &peer, endpoint);
		if (chosen != (rows[i].expected != NULL) ||
			(chosen && !str_equal(endpoint, rows[i].expected)))
			fail_msg("%s: \"%s\"", rows[i].what, endpoint);
		cluster_config_free(config);
	}
}

static void a_place_holds_for_the_rules_it_was_made_by(void **state)
{
	struct cluster_config *lan = test_config(LAN), *none = test_config(NO_LAN);
	struct mesh_place made, parsed;
	char text[MESH_PLACE_TEXT];
	place(lan, 1, &(struct side){ "{" LAN_NIC "}", "127.0.0.1" }, &made);
	mesh_place_format(lan, &made, text);
	assert_int_equal(mesh_place_parse(none, text, &parsed), -ESTALE);
	assert_int_equal(mesh_place_parse(lan, "", &parsed), -ESTALE);
	text[9] = 'x';
	assert_int_equal(mesh_place_parse(lan, text, &parsed), -EINVAL);
	cluster_config_free(lan);
	cluster_config_free(none);
}

static void more_candidates_than_a_place_holds(void **state)
{
	struct cluster_config *config = test_config(NO_LAN);
	AUTO_FREE char *facts = strdup("{\"meshCandidates\":[");
	struct mesh_place made;
	for (int i = 0; i < 40; i++) {
		char *more = str_format("%s%s{\"address\":\"2001:db8:1111:2222:3333:4444:5555:%x\","
					"\"prefix\":128,\"port\":65535}",
			facts, i ? "," : "", 0x6600 + i);
		free(facts);
		facts = more;
	}
	char *all = str_format("%s]}", facts);
	free(facts);
	facts = all;
	place(config, 1, &(struct side){ facts, "192.0.2.1" }, &made);
	assert_int_equal(made.n, MESH_PLACE_MAX);
	cluster_config_free(config);
}

static void only_endpoints_that_can_be_tried_are_passed_on(void **state)
{
	static const struct {
		const char *text;
		bool usable;
	} rows[] = { { "203.0.113.9:51820", true }, { "[2001:db8::1]:1", true },
		{ "192.168.1.1:51820", true }, { "203.0.113.9", false }, { "203.0.113.9:", false },
		{ "203.0.113.9:0", false }, { "203.0.113.9:65536", false },
		{ "203.0.113.9:51820x", false }, { "2001:db8::1:51820", false },
		{ "[203.0.113.9]:1", false }, { "[2001:db8::1:51820", false }, { "", false },
		{ ":1", false }, { "[]:1", false }, { "127.0.0.1:51820", false },
		{ "[fe80::1]:51820", false }, { "224.0.0.1:51820", false },
		{ "[::ffff:127.0.0.1]:51820", false }, { "10.66.0.11:51820", false },
		{ "10.64.1.1:51820", false }, { "name:51820", false } };
	struct cluster_config *config = test_config(NO_LAN);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (mesh_endpoint_is_usable(config, rows[i].text) != rows[i].usable)
			fail_msg("%s", rows[i].text);
	cluster_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_chosen_by_pair),
		cmocka_unit_test(a_place_holds_for_the_rules_it_was_made_by),
		cmocka_unit_test(more_candidates_than_a_place_holds),
		cmocka_unit_test(only_endpoints_that_can_be_tried_are_passed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
