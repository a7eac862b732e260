// VLANs for a person at the console: what is seen on the wire while the region is not reached before the first enrolment, and
// the one that was picked. What the network does with it: agent-network.c.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

enum { PATIENCE_SEC = 5, LISTEN_AGAIN_SEC = 60 }; // a region that is reached at once is no reason to listen

static void on_news(void *user)
{
	agent_kick(user);
}

static bool is_wanted(const struct agent *a)
{
	bool found = a->region && a->region->contact == REGION_FOUND;
	return a->network && !a->assignment && !a->seed.assignment && !found && time_boot_usec() > a->wire_from_usec;
}

void agent_vlans_act(struct agent *a)
{
	struct diag diag = { 0 };
	if (a->options.without_network)
		return;
	if (!a->wire_from_usec)
		a->wire_from_usec = time_boot_usec() + PATIENCE_SEC * USEC_PER_SEC;
	if (!is_wanted(a)) {
		a->wire = wire_listener_free(a->wire);
		return;
	}
	if (!a->wire && wire_listener_new(a->event, on_news, a, &a->wire, &diag) < 0) {
		log_warning("%s", diag_text(&diag));
		a->wire_from_usec = time_boot_usec() + LISTEN_AGAIN_SEC * USEC_PER_SEC;
	}
	if (a->wire)
		wire_listener_look(a->wire, a->links);
}

void agent_vlans_load(struct agent *a)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	if (file_read(root_path(a->options.root, STATE_VLAN_PICK).text, VLAN_PICK_TEXT, &text, &n, NULL) < 0)
		return; // none was picked
	if (vlan_pick_parse(text, n, &a->vlan_pick) < 0)
		log_warning("%s is damaged: the VLAN that was picked at the console is forgotten", STATE_VLAN_PICK);
}

static void keep(const struct agent *a)
{
	struct diag diag = { 0 };
	char text[VLAN_PICK_TEXT];
	const struct root_path path = root_path(a->options.root, STATE_VLAN_PICK);
	int r;
	vlan_pick_format(&a->vlan_pick, text);
	if (a->vlan_pick.id)
		r = file_write_atomic(path.text, text, strlen(text), 0644, &diag);
	else
		r = unlink(path.text) < 0 && errno != ENOENT ? -errno : 0;
	if (r < 0)
		log_warning("the VLAN that was picked cannot be kept: %s", diag.message[0] ? diag_text(&diag) : strerror(-r));
}

void agent_vlans_take_pick(struct agent *a)
{
	const struct root_path path = root_path(a->options.root, RUN_VLAN_PICK);
	struct vlan_pick pick;
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	int r = file_read(path.text, VLAN_PICK_TEXT, &text, &n, NULL);
	(void)unlink(path.text); // what stays is read again
	if (r < 0 || vlan_pick_parse(text, n, &pick) < 0 || a->assignment)
		return;
	a->vlan_pick = pick;
	keep(a);
	if (pick.id)
		log_notice("a person at the console picked VLAN %u on the port %s", pick.id, pick.mac);
	else
		log_notice("a person at the console wants no VLAN any more");
	agent_network_begin_anew(a);
}

static bool is_picked(const struct agent *a, const struct wire_seen *seen)
{
	return a->vlan_pick.id == seen->vlan.id && str_equal(a->vlan_pick.mac, seen->mac);
}

// A VLAN that is there already, by the seed, is no offer.
static bool is_offered(const struct agent *a, const struct wire_seen *seen)
{
	for (size_t i = 0; a->links && i < a->links->n; i++) {
		const struct netconf_link *link = &a->links->links[i];
		if (str_equal(link->kind, "vlan") && link->vlan_id == seen->vlan.id && str_equal(link->parent, seen->link))
			return is_picked(a, seen);
	}
	return true;
}

// [{ "link", "mac", "id", "name", "used" }], in the order in which the console numbers them; nothing while none is seen.
void agent_vlans_to_json(const struct agent *a, struct json_out *out)
{
	size_t n = 0;
	const struct wire_seen *seen = wire_listener_seen(a->wire, &n);
	if (n == 0)
		return;
	json_out_key(out, "vlans");
	json_out_array_begin(out);
	for (size_t i = 0; i < n; i++) {
		if (!is_offered(a, &seen[i]))
			continue;
		json_out_object_begin(out);
		json_out_member(out, "link", seen[i].link);
		json_out_member(out, "mac", seen[i].mac);
		json_out_member_int(out, "id", seen[i].vlan.id);
		json_out_member(out, "name", seen[i].vlan.name);
		json_out_member_bool(out, "used", is_picked(a, &seen[i]));
		json_out_object_end(out);
	}
	json_out_array_end(out);
}
