// The status document of docs/contracts.md: the same for D-Bus, status.json and the region, but the code, which never
// leaves the machine before approval.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/json.h"
#include "base/time.h"

enum { MESH_TOLD = 256 }; // peers that the region is told of: 5,000 nodes need not tell it of 5,000 each

static void add_memory(struct json_out *out)
{
	uint64_t dirty, pss;
	machine_own_memory(&dirty, &pss);
	json_out_key(out, "hearthd");
	json_out_object_begin(out);
	json_out_member_int(out, "privateDirtyKib", (int64_t)dirty);
	json_out_member_int(out, "pssKib", (int64_t)pss);
	json_out_object_end(out);
}

static const char *node_name(const struct agent *a)
{
	if (a->assignment)
		return a->assignment->node_name;
	return a->region ? a->region->name : NULL;
}

static void add_etcd(const struct agent *a, struct json_out *out)
{
	if (!a->assignment || !a->assignment->server || !a->has_node || !a->node.has_etcd)
		return;
	json_out_key(out, "etcd");
	json_out_object_begin(out);
	json_out_member_bool(out, "voter", a->node.etcd_voter);
	json_out_member(out, "name", a->node.etcd_name);
	json_out_object_end(out);
}

// What runs, by whose word. Not while a restart is due: nobody may take the old K3s for the new one.
static void add_running(const struct agent *a, struct json_out *out)
{
	if (agent_k3s_is_settled(a)) {
		if (a->k3s_restart_known)
			json_out_member_int(out, "k3sRestart", a->k3s_restart);
		json_out_member(out, "payloadSha256", payload_sha256(a->payload));
	}
	if (a->k3s_settings_json) {
		json_out_key(out, "k3sSettings");
		json_out_raw(out, a->k3s_settings_json);
	}
}

static void add_certificates(const struct agent *a, struct json_out *out)
{
	char date[32];
	const char *name = agent_health_certificate(a, time_wall_msec() / 1000, date);
	if (!name)
		return;
	json_out_key(out, "certificates");
	json_out_object_begin(out);
	json_out_member(out, "soonest", date);
	json_out_member(out, "name", name);
	json_out_object_end(out);
}

static void add_parts(const struct agent *a, struct json_out *out)
{
	add_etcd(a, out);
	add_running(a, out);
	add_certificates(a, out);
	agent_restore_to_json(a, out);
	if (a->n_snapshots) {
		json_out_key(out, "snapshots");
		snapshots_to_json(a->snapshots, a->n_snapshots, out);
	}
	if (a->n_jobs) {
		json_out_key(out, "jobs");
		agent_jobs_to_json(a, out);
	}
}

// For who asks whether something is new: an object of its own.
void agent_status_cluster(const struct agent *a, struct json_out *out)
{
	json_out_object_begin(out);
	add_parts(a, out);
	json_out_object_end(out);
}

static void add_cluster(const struct agent *a, struct json_out *out)
{
	const char *kubernetes = a->payload ? payload_kubernetes(a->payload) : NULL;
	json_out_member(out, "kubernetes", kubernetes ? kubernetes : a->image.kubernetes);
	json_out_member_bool(out, "ready", agent_node_is_ready(a));
	json_out_member(out, "podCidr", a->has_node && a->node.pod_cidr[0] ? a->node.pod_cidr : NULL);
	json_out_key(out, "podCidrsSeen");
	json_out_raw(out, a->pod_cidrs_seen ? a->pod_cidrs_seen : "{}");
	if (a->assignment && a->assignment->overrides) {
		json_out_key(out, "k3sOverrides");
		json_out_value(out, a->assignment->overrides);
	}
	add_parts(a, out);
}

/* Of Flux' objects: how many, and those that are not ready. Only the server that lays the bootstrap knows; the others know
 * who that is. */
static void add_platform(const struct agent *a, struct json_out *out)
{
	const struct flux *picture = a->flux ? flux_watch_picture(a->flux) : NULL;
	const char *holder = a->bootstrap ? bootstrap_holder(a->bootstrap) : "";
	if (picture) {
		json_out_key(out, "platform");
		flux_to_json(picture, time_wall_msec() / 1000, out);
	} else if (*holder && !str_equal(holder, node_name(a))) {
		json_out_member(out, "platformWatchedBy", holder);
	}
}

char *agent_status_json(const struct agent *a, bool for_region)
{
	struct json_out out = { 0 };
	char *facts AUTO_FREE = machine_facts_json(&a->machine, &a->image, a->links, a->mesh_candidates);
	json_out_object_begin(&out);
	json_out_member(&out, "bootId", a->region ? a->region->boot_id : "");
	json_out_member(&out, "name", node_name(a));
	json_out_member(&out, "serial", a->machine.serial);
	json_out_member(&out, "phase", rung_name(a->action.rung));
	if (!for_region && a->region && a->region->code[0])
		json_out_member(&out, "code", a->region->code);
	json_out_member(&out, "sentence", a->action.sentence);
	json_out_key(&out, "warnings");
	json_out_array_begin(&out);
	for (size_t i = 0; i < a->action.n_warnings; i++)
		json_out_string(&out, a->action.warnings[i]);
	json_out_array_end(&out);
	json_out_member(&out, "seedSource", a->seed.trust_name ? a->seed.trust_name : "");
	json_out_key(&out, "timeline");
	timeline_to_json(&a->timeline, &out);
	json_out_key(&out, "networkTries");
	timeline_tries_to_json(&a->timeline, &out);
	agent_network_to_json(a, &out);
	agent_vlans_to_json(a, &out);
	add_cluster(a, &out);
	if (a->volumes_json) {
		json_out_key(&out, "volumes");
		json_out_raw(&out, a->volumes_json);
	}
	add_platform(a, &out);
	json_out_key(&out, "facts");
	json_out_raw(&out, facts ? facts : "{}");
	json_out_key(&out, "mesh");
	mesh_health_to_json(&a->peers, for_region ? MESH_TOLD : MESH_MAX_PEERS, for_region, time_boot_usec(), &out);
	agent_mesh_key_to_json(a, &out);
	if (for_region)
		add_memory(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}
