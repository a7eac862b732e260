// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment.h"
#include "base/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ONE "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void whole_assignment_is_decoded(void **state)
{
	struct assignment *a CLEANUP(assignment_freep) = NULL;
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	struct diag diag = { 0 };
	assert_int_equal(file_read(TEST_SOURCE_DIR "/tests/fuzz/corpus/assignment/good.json", 1 << 20, &text, &n, &diag), 0);
	if (assignment_decode(text, n, &a, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_string_equal(a->node_name, "hzfsnr-k8s-1p");
	assert_true(a->server && a->has_k3s && a->k3s_first && a->cni_bridge && a->watch_pod_cidrs);
	assert_string_equal(a->mesh_link, "hearth0");
	assert_int_equal(a->n_pins, 1);
	assert_non_null(a->network);
	assert_null(a->k3s_server);
	assert_false(a->k3s_ever_ready || a->k3s_renew_kubeconfig); // an older region does not say
}

static void ever_ready_is_the_regions_word(void **state)
{
	static const char text[] = "{\"node\":{\"name\":\"n\"},\"role\":\"server\",\"cluster\":{\"name\":\"c\",\"podCidr\":"
				   "\"10.64.0.0/16\",\"serviceCidr\":\"10.65.0.0/16\"},\"k3s\":{\"first\":true,\"everReady\":true,"
				   "\"nodeIp\":\"10.66.0.11\"}}";
	struct assignment *a CLEANUP(assignment_freep) = NULL;
	struct diag diag = { 0 };
	if (assignment_decode(text, strlen(text), &a, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_true(a->k3s_first && a->k3s_ever_ready);
}

#define SERVER(more) "{\"node\":{\"name\":\"n\"},\"role\":\"server\"," more "}"
#define K3S(more)                                                                                                      \
	"{\"node\":{\"name\":\"n\"},\"role\":\"server\",\"cluster\":{\"name\":\"c\",\"podCidr\":\"10.64.0.0/16\",\"serviceCidr\":"    \
	"\"10.65.0.0/16\"},\"k3s\":{\"first\":true,\"nodeIp\":\"10.66.0.11\"," more "}}"
static void its_kubeconfig_is_asked_for_by_the_region(void **state)
{
	static const char text[] = K3S("\"renewKubeconfig\":true"), wrong[] = K3S("\"renewKubeconfig\":1");
	struct assignment *a CLEANUP(assignment_freep) = NULL, *none CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(text, strlen(text), &a, NULL), 0);
	assert_true(a->k3s_renew_kubeconfig);
	assert_true(assignment_decode(wrong, strlen(wrong), &none, NULL) < 0);
}

#define JOB "j-0123456789abcdef"

#define JOINER(more)                                                                                                   \
	"{\"node\":{\"name\":\"n\"},\"role\":\"server\",\"cluster\":{\"name\":\"c\",\"podCidr\":\"10.64.0.0/16\",\"serviceCidr\":"    \
	"\"10.65.0.0/16\"},\"k3s\":{\"server\":\"https://10.66.0.12:6443\",\"nodeIp\":\"10.66.0.11\"," more "}}"

static struct assignment *decode(const char *text)
{
	struct assignment *a = NULL;
	struct diag diag = { 0 };
	if (assignment_decode(text, strlen(text), &a, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return a;
}

static void parts_of_a_restore_are_decoded(void **state)
{
	struct assignment *stops CLEANUP(assignment_freep) = decode(SERVER("\"k3s\":null,\"waitingFor\":\"x\",\"stopK3s\":3"));
	struct assignment *restores CLEANUP(assignment_freep) =
		decode(K3S("\"restore\":{\"n\":4,\"snapshot\":\"hearth-1-s1-5\",\"begin\":true}"));
	struct assignment *joins CLEANUP(assignment_freep) = decode(JOINER("\"rejoin\":4,\"tokens\":2"));
	assert_int_equal(joins->k3s_tokens, 2);
	assert_int_equal(stops->stop_k3s, 3);
	assert_true(restores->restore_number == 4 && restores->restore_begin && str_equal(restores->restore_snapshot, "hearth-1-s1-5"));
	assert_true(joins->rejoin_number == 4 && !joins->restore_number && !joins->stop_k3s);
}

static void servers_profile_and_restart_are_decoded(void **state)
{
	static const char text[] = K3S("\"servers\":[{\"name\":\"n\",\"address\":\"10.66.0.11\"},{\"name\":\"s2\",\"address\":"
				       "\"10.66.0.12\"}],\"profile\":\"hardened\",\"nodeOverrides\":{\"v\":1},\"restart\":7");
	static const char plain[] = K3S("\"future\":1");
	struct assignment *a CLEANUP(assignment_freep) = NULL, *old CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(text, strlen(text), &a, NULL), 0);
	assert_int_equal(a->n_servers, 2);
	assert_string_equal(a->servers[1].name, "s2");
	assert_string_equal(a->servers[1].address, "10.66.0.12");
	assert_int_equal(a->k3s_profile, K3S_PROFILE_HARDENED);
	assert_int_equal(a->k3s_restart, 7);
	assert_non_null(value_find(a->node_overrides, "v"));
	assert_int_equal(assignment_decode(plain, strlen(plain), &old, NULL), 0); // of an older region
	assert_true(old->n_servers == 0 && old->k3s_profile == K3S_PROFILE_DOCUMENTED && old->k3s_restart == 0 && old->n_jobs == 0);
}

static void jobs_registries_and_proxy_are_decoded(void **state)
{
	static const char text[] = SERVER(
		"\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"forget-node\",\"node\":\"s2\",\"createdSec\":1795600800},{\"id\":\"j-0000000000000000\",\"kind\":"
		"\"defragment\",\"node\":\"s3\"}],\"registries\":{\"mirrors\":{\"*\":[\"https://m:5000\"]},\"configs\":{\"m:5000\":{"
		"\"caPem\":\"-----BEGIN CERTIFICATE-----\\n\",\"secret\":\"x\"}}},\"proxy\":{\"http\":\"http://p:3128\",\"https\":null,"
		"\"no\":\"a,b\"}");
	struct assignment *a CLEANUP(assignment_freep) = NULL;
	struct diag diag = { 0 };
	if (assignment_decode(text, strlen(text), &a, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(a->n_jobs, 2);
	assert_int_equal(a->jobs[0].kind, JOB_FORGET_NODE);
	assert_string_equal(a->jobs[0].node, "s2");
	assert_int_equal(a->jobs[0].created_sec, 1795600800);
	assert_int_equal(a->jobs[1].created_sec, 0); // of an older region
	assert_string_equal(a->jobs[1].unknown_kind, "defragment"); // of a newer region: the rest holds
	assert_non_null(value_find(a->registry_mirrors, "*"));
	assert_non_null(value_find(a->registry_configs, "m:5000"));
	assert_string_equal(a->proxy_http, "http://p:3128");
	assert_null(a->proxy_https);
}

static void wrong_assignment_is_refused_by_key(void **state)
{
	static const struct {
		const char *json, *where, *words;
	} rows[] = {
		{ "[]", "", "object" },
		{ "{}", "name", "missing" },
		{ "{\"node\":{\"name\":\"n\"}}", "role", "missing" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"king\"}", "role", "\"king\"" },
		{ "{\"node\":{\"name\":\"N 1\"},\"role\":\"worker\"}", "node.name", "lower case" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"cluster\":{\"name\":\"c\",\"podCidr\":\"10.0.0.0\"}}", "cluster.podCidr",
			"ADDRESS/BITS" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"region\":{\"urls\":[\"http://a\"]}}", "region.urls", "https://" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"mesh\":{\"link\":\"hearth0\",\"address\":\"x\"}}", "mesh.address",
			"IP address" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"k3s\":{\"nodeIp\":\"10.0.0.1\"}}", "k3s.server", "missing" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"k3s\":{\"first\":true,\"nodeIp\":\"10.0.0.1\"}}", "k3s.first",
			"joins nobody" },
		{ K3S("\"servers\":[{\"name\":\"s1\"}]"), "address", "missing" },
		{ K3S("\"servers\":[{\"name\":\"s1\",\"address\":\"s1\"}]"), "k3s.servers", "IP address" },
		{ K3S("\"servers\":[{\"name\":\"S 1\",\"address\":\"10.66.0.11\"}]"), "k3s.servers", "lower case" },
		{ K3S("\"servers\":[{\"name\":\"s1\",\"address\":\"10.66.0.11\"},{\"name\":\"s2\",\"address\":\"10.66.0.11\"}]"),
			"k3s.servers", "once" },
		{ K3S("\"servers\":[1,2,3,4,5,6,7,8,9,10]"), "servers", "at most 9" },
		{ K3S("\"profile\":\"fast\""), "k3s.profile", "documented or hardened, not \"fast\"" },
		{ K3S("\"nodeOverrides\":[]"), "nodeOverrides", "object" },
		{ K3S("\"restore\":{\"n\":4,\"snapshot\":\"../etc/passwd\"}"), "k3s.restore.snapshot", "name of a snapshot's file" },
		{ K3S("\"restore\":{\"n\":0,\"snapshot\":\"a\"}"), "k3s.restore.n", "0" },
		{ K3S("\"restore\":{\"n\":4,\"snapshot\":\"a\"},\"rejoin\":4"), "k3s.restore", "none of these" },
		{ K3S("\"tokens\":-1"), "k3s.tokens", "-1" },
		{ K3S("\"rejoin\":-1"), "k3s.rejoin", "-1" },
		{ JOINER("\"restore\":{\"n\":4,\"snapshot\":\"a\"}"), "k3s.restore", "k3s.first says which" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"stopK3s\":1}", "k3s.restore", "a worker does none" },
		{ K3S("\"restart\":-1"), "k3s.restart", "-1" },
		{ SERVER("\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"drain\",\"node\":\"n\",\"createdSec\":-1}]"), "jobs.createdSec", "0" },
		{ SERVER("\"jobs\":[{\"id\":\"j-1\",\"kind\":\"drain\",\"node\":\"n\"}]"), "jobs.id", "16 hex digits" },
		{ SERVER("\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"drain\",\"node\":\"a/b\"}]"), "jobs.node", "lower case" },
		{ SERVER("\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"drain\",\"node\":\"a\"},{\"id\":\"" JOB "\",\"kind\":\"drain\","
			"\"node\":\"b\"}]"), "jobs.id", "once" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"jobs\":[{}]}", "jobs", "server's" },
		{ SERVER("\"bootstrap\":{\"registry\":\"https://r\",\"repository\":\"a\",\"tag\":\"v1\"}"), "bootstrap.registry", "HOST or HOST:PORT" },
		{ SERVER("\"registries\":{\"mirrors\":{\"docker.io\":[\"ftp://m\"]}}"), "registries.mirrors", "https://" },
		{ SERVER("\"registries\":{\"mirrors\":{\"docker.io\":[]}}"), "registries.mirrors", "1-16" },
		{ SERVER("\"registries\":{\"mirrors\":{\"a/b\":[\"https://m\"]}}"), "registries.mirrors", "\"a/b\"" },
		{ SERVER("\"registries\":{\"configs\":{\"m\":{\"caPem\":\"x\"}}}"), "registries.configs", "PEM" },
		{ SERVER("\"registries\":{\"configs\":{\"../m\":{}}}"), "registries.configs", "hosts" },
		{ SERVER("\"proxy\":{\"http\":\"socks5://x\"}"), "proxy.http", "http://HOST:PORT" },
		{ SERVER("\"proxy\":{\"https\":\"http://x\\\"\\nA=b\"}"), "proxy.https", "http://HOST:PORT" },
		{ SERVER("\"proxy\":{\"no\":\"a b\"}"), "proxy.no", "commas" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"ntp\":[\"a\\nFallbackNTP=b\"]}", "ntp", "host names" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"ntp\":[\"\"]}", "ntp", "host names" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"bootstrap\":{\"repository\":\"a/b\",\"tag\":\".x\"}}", "bootstrap",
			"tag" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"bootstrap\":{\"repository\":\"a/b\",\"tag\":\"v1\",\"digest\":\"" ONE "\"}}",
			"bootstrap", "not both" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"bootstrap\":{\"repository\":\"a/b\",\"tag\":\"v1\",\"comeBackSec\":-1}}",
			"bootstrap.comeBackSec", "0" },
		{ "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"latest\"}}", "bootstrap",
			"sha256" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct assignment *a = NULL;
		struct diag diag = { 0 };
		assert_true(assignment_decode(rows[i].json, strlen(rows[i].json), &a, &diag) < 0);
		if (!strstr(diag_text(&diag), rows[i].words) || !strstr(diag_text(&diag), rows[i].where))
			fail_msg("row %zu: %s", i, diag_text(&diag));
	}
}

static void keys_of_a_newer_region_are_left_alone(void **state)
{
	static const char json[] = "{\"node\":{\"name\":\"n\",\"rack\":7},\"role\":\"worker\",\"future\":{\"a\":1}}";
	struct assignment *a CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(json, strlen(json), &a, NULL), 0);
	assert_false(a->has_k3s);
}

static void region_says_what_it_waits_for(void **state)
{
	static const char json[] = "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"k3s\":null,\"waitingFor\":\"no server yet\"}";
	struct assignment *a CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(json, strlen(json), &a, NULL), 0);
	assert_string_equal(a->k3s_waiting_for, "no server yet");
}

static struct assignment_changes changes_to(const struct assignment *old, const char *json)
{
	struct assignment *fresh CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(json, strlen(json), &fresh, NULL), 0);
	return assignment_compare(old, fresh);
}

#define HEAD "{\"generation\":\"e.2\",\"node\":{\"name\":\"n\"},\"role\":\"server\","
#define TWO "sha256:2222222222222222222222222222222222222222222222222222222222222222"

// A bootstrap that was mended at the region is another digest: the node has to notice while it still fails on the old one.
static void what_changed_is_found_part_by_part(void **state)
{
	static const char json[] = HEAD "\"network\":{\"version\":2},\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"" ONE "\"}}";
	struct assignment *old CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(json, strlen(json), &old, NULL), 0);
	struct assignment_changes c = assignment_compare(NULL, old);
	assert_true(c.network && c.k3s && c.bootstrap);
	c = changes_to(old, json);
	assert_false(c.network || c.k3s || c.bootstrap);
	c = changes_to(old, HEAD "\"network\":{\"version\":2},\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"" TWO "\"}}");
	assert_true(c.bootstrap && !c.network && !c.k3s);
	c = changes_to(old, HEAD "\"network\":{\"version\":2},\"bootstrap\":null}");
	assert_true(c.bootstrap && !c.network && !c.ntp);
	c = changes_to(old, HEAD "\"network\":{\"version\":2},\"ntp\":[\"10.0.0.1\",\"fd00::1\",\"ntp.example.org\"]}");
	assert_true(c.ntp);
	c = changes_to(old, HEAD "\"network\":{\"version\":2,\"ethernets\":{}},\"cluster\":{\"name\":\"c\"},"
		"\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"" ONE "\"}}");
	assert_true(c.network && c.k3s && !c.bootstrap && !c.role);
	c = changes_to(old, HEAD "\"network\":{\"version\":2},\"proxy\":{\"http\":\"http://p:1\"},"
		"\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"" ONE "\"}}");
	assert_true(c.k3s && !c.bootstrap && !c.role);
}

// The bootstrap is laid by a server under the node's name: another role or name is another one.
static void another_role_is_another_bootstrap(void **state)
{
	static const char json[] = HEAD "\"bootstrap\":{\"repository\":\"a/b\",\"digest\":\"" ONE "\"}}";
	struct assignment *old CLEANUP(assignment_freep) = NULL;
	assert_int_equal(assignment_decode(json, strlen(json), &old, NULL), 0);
	struct assignment_changes c = changes_to(old, "{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"bootstrap\":{\"repository\":"
						      "\"a/b\",\"digest\":\"" ONE "\"}}");
	assert_true(c.role && c.k3s && c.bootstrap && !c.network);
	assert_false(changes_to(old, json).role);
	assert_false(assignment_compare(NULL, old).role); // the first one changes nothing that runs
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_assignment_is_decoded),
		cmocka_unit_test(ever_ready_is_the_regions_word),
		cmocka_unit_test(its_kubeconfig_is_asked_for_by_the_region),
		cmocka_unit_test(wrong_assignment_is_refused_by_key),
		cmocka_unit_test(keys_of_a_newer_region_are_left_alone),
		cmocka_unit_test(region_says_what_it_waits_for),
		cmocka_unit_test(parts_of_a_restore_are_decoded),
		cmocka_unit_test(servers_profile_and_restart_are_decoded),
		cmocka_unit_test(jobs_registries_and_proxy_are_decoded),
		cmocka_unit_test(another_role_is_another_bootstrap),
		cmocka_unit_test(what_changed_is_found_part_by_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
