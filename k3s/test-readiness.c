// Node objects as kubelet and the control plane write them.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/time.h"
#include "k3s/readiness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

#define NODE(spec, conditions)                                                                     \
	"{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"labels\":{\"openova.io/region\":\"fsn\"}},\"spec\":{" spec      \
	"},\"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"n1\"},{\"type\":\"InternalIP\",\"address\":"      \
	"\"10.66.0.11\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1.34.3\"},\"conditions\":[" conditions "]}}"

static void a_ready_node_is_ready(void **state)
{
	struct value *node CLEANUP(value_freep) = json(NODE("\"podCIDR\":\"10.64.1.0/24\"",
		"{\"type\":\"MemoryPressure\",\"status\":\"False\"},{\"type\":\"Ready\",\"status\":\"True\"}"));
	struct node_readiness got;

	assert_int_equal(node_readiness_from(node, &got, NULL), 0);
	assert_true(got.ready);
	assert_string_equal(got.sentence, "");
	assert_string_equal(got.pod_cidr, "10.64.1.0/24");
	assert_string_equal(got.internal_ip, "10.66.0.11");
	assert_string_equal(got.kubelet_version, "v1.34.3");
	assert_false(got.unschedulable);
}

// As K3s writes it to the Nodes of its servers.
static void etcd_says_who_votes(void **state)
{
	static const char learner[] = "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"annotations\":{\"etcd.k3s.cattle.io/"
		"node-name\":\"n1-4ac1\"}},\"status\":{\"conditions\":[{\"type\":\"EtcdIsVoter\",\"status\":\"False\",\"reason\":"
		"\"MemberIsLearner\",\"message\":\"Node has not been promoted to voting member of the etcd cluster\"},"
		"{\"type\":\"Ready\",\"status\":\"True\",\"lastHeartbeatTime\":\"2026-11-25T10:00:00Z\"}]}}";
	struct value *node CLEANUP(value_freep) = json(learner);
	struct value *voter CLEANUP(value_freep) = json(NODE("", "{\"type\":\"EtcdIsVoter\",\"status\":\"True\"}"));
	struct value *worker CLEANUP(value_freep) = json(NODE("", ""));
	struct node_readiness got;

	assert_int_equal(node_readiness_from(node, &got, NULL), 0);
	assert_true(got.has_etcd && !got.etcd_voter && got.ready);
	assert_string_equal(got.etcd_name, "n1-4ac1");
	assert_non_null(strstr(got.etcd_message, "has not been promoted"));
	assert_int_equal(got.heartbeat_sec, 1795600800);
	assert_int_equal(node_readiness_from(voter, &got, NULL), 0);
	assert_true(got.has_etcd && got.etcd_voter);
	assert_int_equal(node_readiness_from(worker, &got, NULL), 0);
	assert_false(got.has_etcd);
	assert_int_equal(got.heartbeat_sec, 0);
}

static void what_is_missing_is_said(void **state)
{
	static const struct {
		const char *node, *says;
		bool network;
	} rows[] = {
		{NODE("", ""), "has not reported its state yet", false},
		{NODE("", "{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"KubeletNotReady\",\"message\":"
			  "\"container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
			  "message:Network plugin returns error: cni plugin not initialized\"}"),
			"n1 has no cluster network yet", true},
		{NODE("", "{\"type\":\"Ready\",\"status\":\"Unknown\",\"message\":\"Kubelet stopped posting node status.\"}"),
			"has stopped reporting", false},
		{NODE("", "{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"X\",\"message\":\"disk full\"}"),
			"n1 is not Ready: disk full (X)", false},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *node CLEANUP(value_freep) = json(rows[i].node);
		struct node_readiness got;

		assert_int_equal(node_readiness_from(node, &got, NULL), 0);
		assert_false(got.ready);
		assert_non_null(strstr(got.sentence, rows[i].says));
		assert_int_equal(got.network_unready, rows[i].network);
	}
}

static void other_objects_are_no_nodes(void **state)
{
	static const char *const rows[] = {"{}", "[]", "null", "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"}}",
		"{\"kind\":\"Node\"}"};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *node CLEANUP(value_freep) = json(rows[i]);
		struct node_readiness got;

		assert_int_equal(node_readiness_from(node, &got, NULL), -EINVAL);
	}
}

static void a_missing_label_is_named(void **state)
{
	struct value *node CLEANUP(value_freep) = json(NODE("", ""));
	struct value *same CLEANUP(value_freep) = json("{\"openova.io/region\":\"fsn\"}");
	struct value *other CLEANUP(value_freep) = json("{\"openova.io/region\":\"nbg\"}");
	struct value *more CLEANUP(value_freep) = json("{\"openova.io/region\":\"fsn\",\"openova.io/cluster\":\"x\"}");

	assert_null(node_label_missing(node, NULL));
	assert_null(node_label_missing(node, same));
	assert_string_equal(node_label_missing(node, other), "openova.io/region");
	assert_string_equal(node_label_missing(node, more), "openova.io/cluster");
}

static void pod_ranges_of_all_nodes(void **state)
{
	struct value *list CLEANUP(value_freep) = json(
		"{\"kind\":\"NodeList\",\"items\":[{\"metadata\":{\"name\":\"a\"},\"spec\":{\"podCIDR\":\"10.64.0.0/24\"}},"
		"{\"metadata\":{\"name\":\"b\"},\"spec\":{}}]}");
	struct value *none CLEANUP(value_freep) = json("{}");
	size_t n = 0;
	char *text AUTO_FREE = node_list_pod_cidrs(list, &n);

	assert_string_equal(text, "{\"a\":\"10.64.0.0/24\"}");
	assert_int_equal(n, 1);
	assert_null(node_list_pod_cidrs(none, &n));
}

static void all_nodes_are_listed_seldom_when_nothing_is_new(void **state)
{
	const uint64_t sec = USEC_PER_SEC, quick = 10 * USEC_PER_MSEC, long_ago = 3600 * sec;

	assert_int_equal(node_list_pause_usec(0, false, quick), 5 * sec);
	assert_int_equal(node_list_pause_usec(119 * sec, false, quick), 5 * sec);
	assert_int_equal(node_list_pause_usec(120 * sec, false, quick), 60 * sec);
	assert_int_equal(node_list_pause_usec(long_ago, true, quick), 5 * sec); // somebody has still to come
	assert_int_equal(node_list_pause_usec(0, true, 2 * sec), 20 * sec); // an API that is slow is spared
	assert_int_equal(node_list_pause_usec(0, true, 15 * sec), 60 * sec); // ... but not for ever
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ready_node_is_ready),
		cmocka_unit_test(etcd_says_who_votes),
		cmocka_unit_test(what_is_missing_is_said),
		cmocka_unit_test(other_objects_are_no_nodes),
		cmocka_unit_test(a_missing_label_is_named),
		cmocka_unit_test(pod_ranges_of_all_nodes),
		cmocka_unit_test(all_nodes_are_listed_seldom_when_nothing_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
