// Reading Node objects. What to do about a node that is not Ready is the agent's business.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/readiness.h"
#include "base/json.h"
#include "base/time.h"
#include <errno.h>

static void copy_text(char *to, size_t size, const struct value *from)
{
	const char *text = value_text(from);

	snprintf(to, size, "%s", text ? text : "");
}

static void heartbeat_read(const struct value *condition, struct node_readiness *ret)
{
	const char *text = value_text(value_find(condition, "lastHeartbeatTime"));

	if (!text || time_parse_utc(text, &ret->heartbeat_sec) < 0)
		ret->heartbeat_sec = 0;
}

// What K3s writes to the Node of a server with embedded etcd.
static void etcd_read(const struct value *node, struct node_readiness *ret)
{
	const struct value *conditions = value_path(node, "status", "conditions", NULL);

	copy_text(ret->etcd_name, sizeof(ret->etcd_name),
		value_path(node, "metadata", "annotations", "etcd.k3s.cattle.io/node-name", NULL));
	for (size_t i = 0; conditions && conditions->type == VALUE_ARRAY && i < conditions->n; i++) {
		const struct value *condition = &conditions->items[i];

		if (!str_equal(value_text(value_find(condition, "type")), "EtcdIsVoter"))
			continue;
		ret->has_etcd = true;
		ret->etcd_voter = str_equal(value_text(value_find(condition, "status")), "True");
		if (!ret->etcd_voter)
			copy_text(ret->etcd_message, sizeof(ret->etcd_message), value_find(condition, "message"));
		return;
	}
}

static void ready_read(const struct value *node, struct node_readiness *ret)
{
	const struct value *conditions = value_path(node, "status", "conditions", NULL);

	for (size_t i = 0; conditions && conditions->type == VALUE_ARRAY && i < conditions->n; i++) {
		const struct value *condition = &conditions->items[i];
		const char *message = value_text(value_find(condition, "message"));
		const char *reason = value_text(value_find(condition, "reason"));
		const char *status = value_text(value_find(condition, "status"));

		if (!str_equal(value_text(value_find(condition, "type")), "Ready"))
			continue;
		heartbeat_read(condition, ret);
		ret->ready = str_equal(status, "True");
		if (ret->ready)
			return;
		ret->network_unready = message && (strstr(message, "cni plugin not initialized") ||
							  strstr(message, "NetworkPluginNotReady") ||
							  strstr(message, "network plugin is not ready"));
		if (ret->network_unready)
			snprintf(ret->sentence, sizeof(ret->sentence),
				"node %s has no cluster network yet: %s", ret->name, message);
		else if (str_equal(status, "Unknown"))
			snprintf(ret->sentence, sizeof(ret->sentence),
				"kubelet of %s has stopped reporting (%s)", ret->name, message ? message : "no reason given");
		else
			snprintf(ret->sentence, sizeof(ret->sentence), "node %s is not Ready: %s (%s)", ret->name,
				message ? message : "no message", reason ? reason : "no reason");
		return;
	}
	snprintf(ret->sentence, sizeof(ret->sentence), "kubelet of %s has not reported its state yet", ret->name);
}

int node_readiness_from(const struct value *node, struct node_readiness *ret, struct diag *reterr)
{
	const struct value *addresses;
	const struct value *cordoned;

	*ret = (struct node_readiness){0};
	if (!str_equal(value_text(value_find(node, "kind")), "Node") ||
		!value_text(value_path(node, "metadata", "name", NULL)))
		return diag_set(reterr, -EINVAL, "node", "is no Kubernetes Node object");
	copy_text(ret->name, sizeof(ret->name), value_path(node, "metadata", "name", NULL));
	copy_text(ret->pod_cidr, sizeof(ret->pod_cidr), value_path(node, "spec", "podCIDR", NULL));
	copy_text(ret->kubelet_version, sizeof(ret->kubelet_version),
		value_path(node, "status", "nodeInfo", "kubeletVersion", NULL));
	copy_text(ret->runtime_version, sizeof(ret->runtime_version),
		value_path(node, "status", "nodeInfo", "containerRuntimeVersion", NULL));
	cordoned = value_path(node, "spec", "unschedulable", NULL);
	ret->unschedulable = cordoned && cordoned->type == VALUE_BOOL && cordoned->boolean;
	addresses = value_path(node, "status", "addresses", NULL);
	for (size_t i = 0; addresses && addresses->type == VALUE_ARRAY && i < addresses->n; i++)
		if (!*ret->internal_ip && str_equal(value_text(value_find(&addresses->items[i], "type")), "InternalIP"))
			copy_text(ret->internal_ip, sizeof(ret->internal_ip),
				value_find(&addresses->items[i], "address"));
	ready_read(node, ret);
	etcd_read(node, ret);
	return 0;
}

const char *node_label_missing(const struct value *node, const struct value *wanted)
{
	const struct value *labels = value_path(node, "metadata", "labels", NULL);

	if (!wanted || wanted->type != VALUE_OBJECT)
		return NULL;
	for (size_t i = 0; i < wanted->n; i++) {
		const char *live = value_text(value_find(labels, wanted->keys[i]));

		if (!live || !str_equal(live, value_text(&wanted->items[i])))
			return wanted->keys[i];
	}
	return NULL;
}

uint64_t node_list_pause_usec(uint64_t since_news_usec, bool missing, uint64_t took_usec)
{
	bool busy = missing || since_news_usec < NODE_LIST_BUSY_SEC * USEC_PER_SEC;
	uint64_t least = (busy ? NODE_LIST_SEC : NODE_LIST_QUIET_SEC) * USEC_PER_SEC, usec = took_usec * NODE_LIST_PAUSES;

	return usec < least ? least : usec > NODE_LIST_QUIET_SEC * USEC_PER_SEC ? NODE_LIST_QUIET_SEC * USEC_PER_SEC : usec;
}

char *node_list_pod_cidrs(const struct value *list, size_t *ret_n)
{
	const struct value *items = value_find(list, "items");
	struct json_out out = {0};

	if (!items || items->type != VALUE_ARRAY)
		return NULL;
	*ret_n = 0;
	json_out_object_begin(&out);
	for (size_t i = 0; i < items->n; i++) {
		const char *name = value_text(value_path(&items->items[i], "metadata", "name", NULL));
		const char *cidr = value_text(value_path(&items->items[i], "spec", "podCIDR", NULL));

		if (name && cidr) {
			json_out_member(&out, name, cidr);
			(*ret_n)++;
		}
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}
