// The ladder as a table of situations: each row is one machine in one sentence.
// SPDX-License-Identifier: Apache-2.0
#include "agent/ladder.h"
#include "agent/timeline.h"
#include "base/time.h"
#include "base/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint64_t now = 100 * USEC_PER_SEC;

// A machine on which everything holds; rows break one thing.
static struct facts steady(void)
{
	return (struct facts){
		.state_known = true, .durable = true, .has_seed = true, .seed_has_region = true, .seed_has_pin = true,
		.has_assignment = true, .n_wired = 2, .n_carrier = 2, .has_address = true, .contact = REGION_FOUND,
		.region_url = "https://r:7443", .clock_holds = true, .enrol = ENROL_APPROVED, .network = STEP_DONE,
		.mesh_wanted = true, .mesh_known = true, .mesh_up = true, .n_peers = 1, .n_fresh_peers = 1,
		.k3s_wanted = true, .payload = STEP_DONE, .has_secrets = true, .k3s = STEP_DONE, .k3s_first = true,
		.cni_bridge = true, .has_pod_cidr = true, .cluster_network = true, .node_registered = true, .node_ready = true,
		.bootstrap_wanted = true, .bootstrap_ours = true, .bootstrap = STEP_DONE,
	};
}

// A machine before its first enrolment, with a network and a region that answers.
static struct facts fresh(void)
{
	struct facts f = steady();
	f.has_assignment = false;
	f.enrol = ENROL_NONE;
	return f;
}

static void expect(const struct facts *facts, enum rung rung, const char *words)
{
	struct ladder_action action = ladder_step(facts, now);
	if (action.rung != rung)
		print_message("%s: %s\n", rung_name(action.rung), action.sentence);
	assert_string_equal(rung_name(action.rung), rung_name(rung));
	if (!strstr(action.sentence, words))
		print_message("no \"%s\" in: %s\n", words, action.sentence);
	assert_non_null(strstr(action.sentence, words));
}

static void expect_warning(const struct facts *facts, enum rung rung, const char *words)
{
	struct ladder_action action = ladder_step(facts, now);
	assert_string_equal(rung_name(action.rung), rung_name(rung));
	for (size_t i = 0; i < action.n_warnings; i++)
		if (strstr(action.warnings[i], words))
			return;
	fail_msg("no warning with \"%s\"", words);
}

static void steady_when_all_holds(void **state)
{
	struct facts f = steady();
	struct ladder_action action = ladder_step(&f, now);
	assert_int_equal(action.rung, RUNG_STEADY);
	assert_int_equal(action.n_warnings, 0);
}

static void seed_waits_for_state_then_for_a_seed(void **state)
{
	struct facts f = fresh();
	f.state_known = false;
	expect(&f, RUNG_SEED, "hearth-state");
	f.identity_problem = "No space left on device";
	expect(&f, RUNG_SEED, "keys cannot be kept: No space left on device");
	f = fresh();
	f.has_seed = f.seed_has_region = false;
	f.seed_looked = "iso, stick";
	expect(&f, RUNG_SEED, "looked at iso, stick");
	f.seed_problem = "iso:3:1: unknown key \"urlz\"";
	expect(&f, RUNG_SEED, "unknown key");
	f = fresh();
	f.seed_has_region = false;
	expect(&f, RUNG_SEED, "names no region");
}

static void link_names_the_port_and_who_can_help(void **state)
{
	struct facts f = fresh();
	f.n_wired = f.n_carrier = 0;
	expect(&f, RUNG_LINK, "no wired network port");
	f.n_wired = 2;
	expect(&f, RUNG_LINK, "none of 2 wired ports has carrier");
	f.n_carrier = 1;
	f.has_address = false;
	f.link_name = "eth2";
	f.link_since_usec = now - 41 * USEC_PER_SEC;
	expect(&f, RUNG_LINK, "eth2 has carrier but no address for 40 s (no DHCP answer); ask the network team");
	f.link_lldp = "sw12 port 7";
	expect(&f, RUNG_LINK, "sw12 port 7 by LLDP");
	f.link_problem = "seed.yaml:9:3: must be an address";
	expect(&f, RUNG_LINK, "first contact");
}

static void region_says_what_is_wrong_with_it(void **state)
{
	struct facts f = fresh();
	f.contact = REGION_TRYING;
	expect(&f, RUNG_REGION, "asking region https://r:7443");
	f.contact = REGION_SILENT;
	f.region_error = "TCP: Connection refused";
	expect(&f, RUNG_REGION, "does not answer: TCP: Connection refused");
	f.region_proxy = "p.example:3128";
	expect(&f, RUNG_REGION, "does not answer through the proxy p.example:3128: TCP: Connection refused");
	f.region_proxy = NULL;
	f.contact = REGION_WRONG_PIN;
	f.region_error = "its CA is sha256:aa, the pin says sha256:bb";
	expect(&f, RUNG_REGION, "wrong pin");
	f.contact = REGION_BAD_HELLO;
	f.region_error = "the hello is not signed by the server's key";
	expect(&f, RUNG_REGION, "not signed by the server's key");
}

static void silent_region_never_takes_a_working_node_down(void **state)
{
	struct facts f = steady();
	f.contact = REGION_SILENT;
	f.clock_holds = false;
	expect_warning(&f, RUNG_STEADY, "is silent");
	f.contact = REGION_WRONG_PIN;
	expect_warning(&f, RUNG_STEADY, "not believed");
	f = steady();
	f.enrol = ENROL_REVOKED;
	expect_warning(&f, RUNG_STEADY, "revoked");
	f.enrol = ENROL_QUARANTINED;
	expect_warning(&f, RUNG_STEADY, "quarantine");
}

static void clock_below_the_floor_waits(void **state)
{
	struct facts f = fresh();
	f.clock_holds = false;
	f.clock_problem = "the region says 1970, which is before 2026";
	expect(&f, RUNG_CLOCK, "reset --clock");
}

static void enrolment_has_a_sentence_for_each_state(void **state)
{
	static const struct {
		enum enrol_state enrol;
		const char *words;
	} rows[] = {
		{ ENROL_NONE, "asking the region for a place" },
		{ ENROL_ASKING, "asking the region for a place" },
		{ ENROL_REFUSED, "refuses the enrolment: because" },
		{ ENROL_PENDING, "with the code ABCD-EFGH" },
		{ ENROL_UNCONFIRMED, "hearthctl confirm" },
		{ ENROL_DENIED, "denied this machine: because" },
		{ ENROL_CLOSED, "five wrong codes" },
		{ ENROL_REVOKED, "revoked this machine's key" },
		{ ENROL_QUARANTINED, "quarantine" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct facts f = fresh();
		f.enrol = rows[i].enrol;
		f.code = "ABCD-EFGH";
		f.enrol_sentence = "because";
		expect(&f, RUNG_ENROLLED, rows[i].words);
	}
}

static void used_token_goes_on_as_a_pending_entry(void **state)
{
	struct facts f = fresh();
	f.enrol = ENROL_PENDING;
	f.code = "ABCD-EFGH";
	f.token_sentence = "the token was used by hzfsnr-k8s-1p yesterday";
	expect(&f, RUNG_ENROLLED, "the token was used by hzfsnr-k8s-1p yesterday; waiting for a person");
}

static void reserved_without_state_says_that_identity_cannot_be_kept(void **state)
{
	struct facts f = fresh();
	f.enrol = ENROL_RESERVED;
	f.durable = false;
	f.state_sentence = "/dev/vda holds a file system (ext4)";
	expect(&f, RUNG_ENROLLED, "cannot keep an identity: /dev/vda holds a file system (ext4)");
	f.durable = true;
	expect(&f, RUNG_ENROLLED, "the region is confirming it");
}

static void expired_certificate_is_renewed_before_anything_else(void **state)
{
	struct facts f = fresh();
	f.enrol = ENROL_APPROVED;
	f.cert_expired = true;
	expect(&f, RUNG_ENROLLED, "is being renewed");
	f = steady();
	f.renew_problem = "HTTP status 500";
	expect_warning(&f, RUNG_STEADY, "could not be renewed");
	f = steady();
	f.hand_over_problem = "this cluster has the CA with the hash aa, n runs one whose CA has the hash bb";
	expect_warning(&f, RUNG_STEADY, "n runs one whose CA has the hash bb");
}

static void assignment_waits_or_is_refused(void **state)
{
	struct facts f = fresh();
	f.enrol = ENROL_APPROVED;
	expect(&f, RUNG_ASSIGNMENT, "waiting for the region to assign");
	f.assignment_problem = "role: must be server or worker";
	expect(&f, RUNG_ASSIGNMENT, "must be server or worker");
	f = steady();
	f.assignment_problem = "role: must be server or worker";
	expect_warning(&f, RUNG_STEADY, "the old one stays");
}

static void network_and_mesh_wait(void **state)
{
	struct facts f = steady();
	f.network = STEP_RUNNING;
	expect(&f, RUNG_NETWORK, "setting up");
	f.network = STEP_FAILED;
	f.network_problem = "with it the region does not answer any more";
	expect(&f, RUNG_NETWORK, "does not hold: with it the region");
	f = steady();
	f.mesh_known = false;
	expect(&f, RUNG_MESH, "name the peers");
	f = steady();
	f.mesh_up = false;
	f.mesh_problem = "Operation not permitted";
	expect(&f, RUNG_MESH, "Operation not permitted");
	f = steady();
	f.mesh_needs_server = true;
	f.mesh_server = "10.77.0.12:51820";
	expect(&f, RUNG_MESH, "handshake sent to 10.77.0.12:51820, no answer: is that server up, and is UDP 51820 to it filtered?");
	f = steady();
	f.n_fresh_peers = 0;
	expect_warning(&f, RUNG_STEADY, "no peer of the mesh has answered");
	f.mesh_silent = "handshake sent to a at 192.0.2.7:51820, no answer: is UDP 51820 to it filtered?";
	expect_warning(&f, RUNG_STEADY, "handshake sent to a at 192.0.2.7:51820");
	f = steady();
	f.mesh_mtu = "the path to a at 192.0.2.7:51820 carries 1340 bytes through the mesh, not 1420";
	expect_warning(&f, RUNG_STEADY, "carries 1340 bytes through the mesh, not 1420");
	f = steady();
	f.mesh_refused = "peers: allowedIps of two peers must not overlap: 10.64.1.0/24 of b and 10.64.0.0/16 of a";
	expect_warning(&f, RUNG_STEADY, "refused, its peers stay as they were: peers: allowedIps of two peers must not overlap");
	f = steady();
	f.mesh_problem = "Operation not permitted";
	expect_warning(&f, RUNG_STEADY, "the peers of the mesh cannot be set: Operation not permitted");
}

static void k3s_waits_for_payload_secrets_and_unit(void **state)
{
	struct facts f = steady();
	f.payload = STEP_RUNNING;
	expect(&f, RUNG_K3S, "names a Kubernetes payload");
	f.payload_progress = "verifying it";
	expect(&f, RUNG_K3S, "verifying it");
	f.payload = STEP_FAILED;
	f.payload_problem = "its SHA-256 is another";
	expect(&f, RUNG_K3S, "its SHA-256 is another");
	f = steady();
	f.has_secrets = false;
	expect(&f, RUNG_K3S, "secrets from the region");
	f.durable = false;
	f.secrets_problem = "not durable";
	f.state_sentence = "no disk";
	expect(&f, RUNG_K3S, "provisional (no disk)");
	f = steady();
	f.k3s = STEP_RUNNING;
	expect(&f, RUNG_K3S, "first server");
	f.k3s_first = false;
	f.k3s_server = "https://10.66.0.11:6443";
	expect(&f, RUNG_K3S, "joining https://10.66.0.11:6443");
	f.k3s = STEP_FAILED;
	f.k3s_problem = "k3s.service: exited with status 1";
	expect(&f, RUNG_K3S, "exited with status 1");
	f.k3s = STEP_RUNNING;
	f.health = "etcd is not healthy: RAFT NO LEADER";
	expect(&f, RUNG_K3S, "s): etcd is not healthy: RAFT NO LEADER; is that server Ready?");
	f = steady();
	f.k3s_certificate = "agent/client-kubelet.crt";
	f.k3s_certificate_date = "2026-12-01T00:00:00Z";
	expect_warning(&f, RUNG_STEADY, "client-kubelet.crt expires on 2026-12-01T00:00:00Z");
	f = steady();
	f.k3s = STEP_RUNNING;
	f.k3s_restarts = true;
	expect(&f, RUNG_K3S, "K3s is being restarted");
	f = steady();
	f.k3s_waits_for_tokens = true;
	f.secrets_problem = "HTTP 500";
	expect_warning(&f, RUNG_STEADY, "have not come yet: HTTP 500; the region's admin");
	f = steady();
	f.k3s = STEP_IDLE;
	f.k3s_held = "K3s is stopped: the cluster is being restored from a snapshot";
	expect(&f, RUNG_K3S, "is being restored from a snapshot");
	f = steady();
	f.payload_next = "fetching it from the region, 40 %";
	expect_warning(&f, RUNG_STEADY, "still runs from the old one: fetching it from the region, 40 %");
	f = steady();
	f.k3s_wanted = false;
	f.k3s_waiting_for = "the first server has not handed over yet";
	expect(&f, RUNG_K3S, "has not handed over yet");
}

static void cluster_rungs_wait(void **state)
{
	struct facts f = steady();
	f.cluster_network = f.node_registered = false;
	expect(&f, RUNG_CLUSTER_NETWORK, "registered");
	f.health = "the kubelet does not answer yet";
	expect(&f, RUNG_CLUSTER_NETWORK, "registered: the kubelet does not answer yet");
	f.health = NULL;
	f.node_registered = true;
	expect(&f, RUNG_CLUSTER_NETWORK, "pod range");
	f.cni_bridge = false;
	expect(&f, RUNG_CLUSTER_NETWORK, "by the bootstrap, stage");
	f.bootstrap = STEP_FAILED;
	f.bootstrap_problem = "not signed";
	expect(&f, RUNG_CLUSTER_NETWORK, "the bootstrap is not applied: not signed");
	f.bootstrap = STEP_RUNNING;
	f.bootstrap_problem = NULL;
	f.bootstrap_ours = false;
	expect(&f, RUNG_CLUSTER_NETWORK, "a server lays it");
	f = steady();
	f.node_ready = false;
	f.node_problem = "KubeletNotReady: cni";
	expect(&f, RUNG_NODE_READY, "KubeletNotReady: cni");
	f = steady();
	f.etcd_learner = true; // Ready, but the cluster cannot do without the others yet
	f.etcd_message = "Node has not been promoted";
	expect(&f, RUNG_NODE_READY, "joining etcd as a learner: Node has not been promoted");
	f = steady();
	f.bootstrap = STEP_FAILED;
	f.bootstrap_problem = "signed, but by none of the keys";
	expect(&f, RUNG_BOOTSTRAP, "by none of the keys");
	f.bootstrap = STEP_RUNNING;
	f.bootstrap_stage = "30-flux";
	f.bootstrap_problem = NULL;
	expect(&f, RUNG_BOOTSTRAP, "laying the bootstrap, stage 30-flux");
	f.bootstrap_problem = "stage 30-flux: Deployment x: 0 of 1";
	expect(&f, RUNG_BOOTSTRAP, "laying the bootstrap: stage 30-flux: Deployment x: 0 of 1");
	f.bootstrap_ours = false;
	expect(&f, RUNG_BOOTSTRAP, "another server lays");
}

static void steady_needs_all_that_flux_reconciles(void **state)
{
	struct facts f = steady();
	f.flux_watched = true;
	expect(&f, RUNG_BOOTSTRAP, "Flux: asking the API whether everything it reconciles is ready");
	f.bootstrap = STEP_RUNNING; // then the stage says more
	f.bootstrap_problem = "stage 50-sync: Kustomization apps is not there yet";
	expect(&f, RUNG_BOOTSTRAP, "laying the bootstrap: stage 50-sync: Kustomization apps is not there yet");
	f.flux = STEP_RUNNING;
	f.flux_sentence = "Kustomization flux-system/apps is not ready for 4 min: kaputt";
	expect(&f, RUNG_BOOTSTRAP, "Flux: Kustomization flux-system/apps is not ready for 4 min: kaputt");
	f.bootstrap = STEP_DONE; // what the manifests hold is there, but not the platform
	expect(&f, RUNG_BOOTSTRAP, "Flux: Kustomization flux-system/apps is not ready for 4 min: kaputt");
	f.flux = STEP_FAILED;
	f.flux_sentence = "its objects cannot be read: HTTP 503";
	expect(&f, RUNG_BOOTSTRAP, "Flux: its objects cannot be read: HTTP 503");
	f.bootstrap = STEP_FAILED;
	f.bootstrap_problem = "not signed";
	expect(&f, RUNG_BOOTSTRAP, "the bootstrap is not applied: not signed");
	f.bootstrap = f.flux = STEP_DONE;
	expect(&f, RUNG_STEADY, "part of its cluster");
	f.flux_warning = "1 of 2 objects are suspended";
	expect_warning(&f, RUNG_STEADY, "Flux: 1 of 2 objects are suspended");
	f = steady();
	f.bootstrap_ours = false; // another server watches
	expect(&f, RUNG_STEADY, "part of its cluster");
}

static void assignment_in_the_seed_needs_no_region(void **state)
{
	struct facts f = steady();
	f.from_seed = true;
	f.contact = REGION_UNTRIED;
	f.enrol = ENROL_NONE;
	f.clock_holds = false;
	expect(&f, RUNG_STEADY, "part of its cluster");
}

static void confirmation_that_is_not_stored_is_a_warning(void **state)
{
	struct facts f = steady();
	f.confirm_problem = "/state/hearth/net/confirmed-network: No space left on device";
	struct ladder_action action = ladder_step(&f, 0);
	assert_int_equal(action.rung, RUNG_STEADY);
	assert_int_equal(action.n_warnings, 1);
	assert_non_null(strstr(action.warnings[0], "No space left on device"));
}

static void route_that_is_missing_is_a_warning(void **state)
{
	struct facts f = steady();
	f.network_missing = "eth0: route default via fe80::1 is left out: somebody else has its source address fd00::2";
	struct ladder_action action = ladder_step(&f, 0);
	assert_int_equal(action.rung, RUNG_STEADY);
	assert_int_equal(action.n_warnings, 1);
	assert_string_equal(action.warnings[0], "the network is set but for a route: eth0: route default via fe80::1 is left out: "
						"somebody else has its source address fd00::2");
}

static void network_that_is_not_the_usual_one_is_said(void **state)
{
	struct facts f = fresh();
	f.network_try = "the region was not reached with the one before";
	struct ladder_action action = ladder_step(&f, now);
	assert_int_equal(action.n_warnings, 1);
	assert_string_equal(action.warnings[0], "another network is tried: the region was not reached with the one before");
	f = steady();
	f.safe_network = true;
	expect(&f, RUNG_NETWORK, "press s at the console once more to go back");
	action = ladder_step(&f, now);
	assert_non_null(strstr(action.warnings[0], "safe network: DHCP on every wired port"));
}

static void trial_and_what_came_of_it_is_said(void **state)
{
	struct facts f = steady();
	f.network = STEP_RUNNING;
	f.contact = REGION_SILENT;
	f.network_proof = "the region";
	struct ladder_action action = ladder_step(&f, now);
	assert_string_equal(action.sentence, "the assigned network is on trial: the region has to answer through it, else it is undone");
	assert_int_equal(action.n_warnings, 0); // the silence is what the trial is about
	f.network = STEP_FAILED;
	f.network_proof = NULL;
	f.network_problem = "with it the region does not answer any more";
	f.network_below = "the last good one";
	expect(&f, RUNG_NETWORK, "does not hold: with it the region does not answer any more; meanwhile there is the last good one");
	expect(&f, RUNG_NETWORK, "the key s at the console gives the safe network");
}

// It has its mesh, so K3s starts over it after a reboot, too; who wants no K3s has nothing above the network to work on.
static void a_cluster_node_works_on_over_the_network_below(void **state)
{
	struct facts f = steady();
	f.network = STEP_FAILED;
	f.network_problem = "with it the region does not answer any more";
	f.network_below = "the last good one";
	f.network_below_serves = true;
	struct ladder_action action = ladder_step(&f, now);
	assert_int_equal(action.rung, RUNG_STEADY);
	assert_non_null(strstr(action.warnings[0], "does not hold: with it the region does not answer any more; meanwhile there is the last"));
	f.k3s = STEP_IDLE;
	expect(&f, RUNG_K3S, "K3s");
	f.mesh_up = false;
	expect(&f, RUNG_MESH, "");
	f.k3s_wanted = false;
	expect(&f, RUNG_NETWORK, "does not hold: with it the region does not answer any more");
}

static void undoing_that_fails_is_said(void **state)
{
	struct facts f = steady();
	f.network = STEP_RUNNING;
	f.network_proof = "the region";
	f.network_undo_why = "with it the region does not answer any more";
	f.network_undo_problem = "bond0: the kernel says no";
	expect(&f, RUNG_NETWORK, "cannot be undone yet: bond0: the kernel says no; it does not hold as with it the region");
	f.network_undo_why = f.network_undo_problem;
	expect(&f, RUNG_NETWORK, "cannot be undone yet: bond0: the kernel says no; this is tried again");
	f.network_undo_why = NULL; // of a hearthd before this one
	f.safe_network = true;
	expect(&f, RUNG_NETWORK, "cannot be undone yet: bond0: the kernel says no; this is tried again");
}

static void lowest_rung_wins(void **state)
{
	struct facts f = steady();
	f.node_ready = false;
	f.network = STEP_RUNNING;
	f.n_carrier = 0;
	expect(&f, RUNG_LINK, "carrier");
}

static void seed_of_another_region_is_shown_and_ignored(void **state)
{
	struct facts f = steady();
	f.seed_foreign = "stick";
	struct ladder_action action = ladder_step(&f, now);
	assert_int_equal(action.rung, RUNG_STEADY);
	assert_int_equal(action.n_warnings, 1);
	assert_non_null(strstr(action.warnings[0], "the seed of stick names another region"));
}

static void sentences_are_safe_on_a_terminal_and_whole_utf8(void **state)
{
	struct facts f = fresh();
	char name[2 * LADDER_SENTENCE_MAX + 2] = "";
	f.enrol = ENROL_DENIED;
	f.enrol_sentence = "no\033[2J\xc2\x9b" "31m\nhearth: other";
	struct ladder_action action = ladder_step(&f, now);
	assert_non_null(strstr(action.sentence, "no?[2J??31m?hearth: other"));
	for (size_t pad = 0; pad < 2; pad++) { // one of the two cuts an ä in two
		memset(name, 'a', pad);
		for (size_t i = pad; i + 2 < sizeof(name); i += 2)
			memcpy(name + i, "\xc3\xa4", 3);
		f.enrol_sentence = name;
		action = ladder_step(&f, now);
		assert_true(utf8_valid(action.sentence, strlen(action.sentence), NULL)); // D-Bus and the region take nothing else
	}
}

static void timeline_keeps_first_and_moves_last(void **state)
{
	struct timeline timeline = { 0 };
	assert_true(timeline_record(&timeline, RUNG_REGION, 10));
	assert_false(timeline_record(&timeline, RUNG_REGION, 20));
	assert_int_equal(timeline.first_usec[RUNG_LINK], 10);
	assert_int_equal(timeline.first_usec[RUNG_REGION], 0);
	assert_false(timeline_record(&timeline, RUNG_LINK, 30));
	assert_true(timeline_record(&timeline, RUNG_STEADY, 40));
	assert_int_equal(timeline.first_usec[RUNG_LINK], 10);
	assert_int_equal(timeline.last_usec[RUNG_LINK], 40);
	assert_int_equal(timeline.first_usec[RUNG_STEADY], 40);
}

static void timeline_survives_its_json(void **state)
{
	struct timeline before = { 0 }, after = { 0 };
	struct json_out out = { 0 };
	struct value *array CLEANUP(value_freep) = NULL;
	(void)timeline_record(&before, RUNG_MESH, 7);
	timeline_to_json(&before, &out);
	char *text AUTO_FREE = json_out_take(&out);
	assert_non_null(text);
	assert_int_equal(json_parse(text, strlen(text), 0, &array, NULL), 0);
	timeline_from_value(&after, array);
	assert_memory_equal(before.first_usec, after.first_usec, sizeof(before.first_usec));
	assert_memory_equal(before.last_usec, after.last_usec, sizeof(before.last_usec));
}

static void tries_are_remembered_once_and_survive_their_json(void **state)
{
	struct timeline before = { 0 }, after = { 0 };
	struct json_out out = { 0 };
	struct value *array CLEANUP(value_freep) = NULL;
	char text[32];
	timeline_note_try(&before, "seed", "it is the first that is there", 1);
	timeline_note_try(&before, "seed", "it is the first that is there", 2);
	assert_int_equal(before.n_tries, 1);
	assert_int_equal(before.tries[0].at_usec, 1);
	for (int i = 0; i < TIMELINE_MAX_TRIES; i++) {
		(void)snprintf(text, sizeof(text), "try %d", i);
		timeline_note_try(&before, "DHCP", text, 10 + (uint64_t)i);
	}
	assert_int_equal(before.n_tries, TIMELINE_MAX_TRIES); // the oldest is gone
	assert_string_equal(before.tries[0].text, "try 0");
	timeline_tries_to_json(&before, &out);
	char *json AUTO_FREE = json_out_take(&out);
	assert_non_null(json);
	assert_int_equal(json_parse(json, strlen(json), 0, &array, NULL), 0);
	timeline_tries_from_value(&after, array);
	assert_memory_equal(&before.tries, &after.tries, sizeof(before.tries));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_when_all_holds),
		cmocka_unit_test(seed_waits_for_state_then_for_a_seed),
		cmocka_unit_test(link_names_the_port_and_who_can_help),
		cmocka_unit_test(region_says_what_is_wrong_with_it),
		cmocka_unit_test(silent_region_never_takes_a_working_node_down),
		cmocka_unit_test(clock_below_the_floor_waits),
		cmocka_unit_test(enrolment_has_a_sentence_for_each_state),
		cmocka_unit_test(used_token_goes_on_as_a_pending_entry),
		cmocka_unit_test(reserved_without_state_says_that_identity_cannot_be_kept),
		cmocka_unit_test(expired_certificate_is_renewed_before_anything_else),
		cmocka_unit_test(assignment_waits_or_is_refused),
		cmocka_unit_test(network_and_mesh_wait),
		cmocka_unit_test(k3s_waits_for_payload_secrets_and_unit),
		cmocka_unit_test(cluster_rungs_wait),
		cmocka_unit_test(steady_needs_all_that_flux_reconciles),
		cmocka_unit_test(assignment_in_the_seed_needs_no_region),
		cmocka_unit_test(confirmation_that_is_not_stored_is_a_warning),
		cmocka_unit_test(route_that_is_missing_is_a_warning),
		cmocka_unit_test(network_that_is_not_the_usual_one_is_said),
		cmocka_unit_test(trial_and_what_came_of_it_is_said),
		cmocka_unit_test(a_cluster_node_works_on_over_the_network_below),
		cmocka_unit_test(undoing_that_fails_is_said),
		cmocka_unit_test(lowest_rung_wins),
		cmocka_unit_test(seed_of_another_region_is_shown_and_ignored),
		cmocka_unit_test(sentences_are_safe_on_a_terminal_and_whole_utf8),
		cmocka_unit_test(timeline_keeps_first_and_moves_last),
		cmocka_unit_test(timeline_survives_its_json),
		cmocka_unit_test(tries_are_remembered_once_and_survive_their_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
