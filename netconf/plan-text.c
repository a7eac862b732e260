// A plan as sentences and as JSON, and what of it stops traffic.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "netconf/plan.h"

static const char *const words[] = {
	[CHANGE_LINK_RENAME] = "link-rename",
	[CHANGE_LINK_REPLACE] = "link-replace",
	[CHANGE_LINK_CREATE] = "link-create",
	[CHANGE_WIREGUARD] = "wireguard",
	[CHANGE_LINK_OPTIONS] = "link-options",
	[CHANGE_LINK_MASTER] = "link-master",
	[CHANGE_LINK_SET] = "link-set",
	[CHANGE_ADDRESS_REPREFIX] = "address-reprefix",
	[CHANGE_ADDRESS_ADD] = "address-add",
	[CHANGE_ROUTE_ADD] = "route-add",
	[CHANGE_ROUTE_REPLACE] = "route-replace",
	[CHANGE_RULE_ADD] = "rule-add",
	[CHANGE_PEERS] = "peers",
	[CHANGE_RULE_REMOVE] = "rule-remove",
	[CHANGE_ROUTE_REMOVE] = "route-remove",
	[CHANGE_ADDRESS_REMOVE] = "address-remove",
	[CHANGE_LINK_REMOVE] = "link-remove",
	[CHANGE_FILE_WRITE] = "file-write",
	[CHANGE_FILE_REMOVE] = "file-remove",
	[CHANGE_NETWORKD] = "networkd",
};

const char *change_word(enum change_type type)
{
	return words[type];
}

bool change_drops_traffic(const struct change *change)
{
	switch (change->type) {
	case CHANGE_LINK_REPLACE:
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ROUTE_REMOVE:
	case CHANGE_ADDRESS_REMOVE:
	case CHANGE_LINK_REMOVE:
		return true;
	case CHANGE_RULE_REMOVE:
		return !change->is_twin;
	case CHANGE_WIREGUARD: // another key ends all sessions, and peers send to the old port until they hear from us
		return change->link_index && (change->wireguard.set_private_key || change->wireguard.set_port);
	case CHANGE_LINK_OPTIONS:
		return change->options.needs_down || change->options.needs_no_ports;
	case CHANGE_LINK_MASTER:
		return change->master.is_up;
	case CHANGE_LINK_SET:
		// below 1280 the kernel takes away all that a link has of IPv6
		return change->link_index && (change->set.down || change->set.has_mac || (change->set.mtu && change->set.mtu < 1280));
	case CHANGE_PEERS:
		for (size_t i = 0; i < change->peers.n; i++) {
			unsigned what = change->peers.changes[i].what;
			if (what & PEER_REMOVE || (what & PEER_ALLOWED_REPLACE && !(what & PEER_NEW)))
				return true;
		}
		return false;
	case CHANGE_LINK_RENAME:
	case CHANGE_LINK_CREATE:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_RULE_ADD:
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
	case CHANGE_NETWORKD:
		break;
	}
	return false;
}

static void format_made(const struct change *change, char *buffer, size_t n)
{
	static const char *const kinds[N_DECLARATION_KINDS] = {[DECLARATION_ETHERNET] = "n Ethernet",
		[DECLARATION_DUMMY] = " dummy", [DECLARATION_WIREGUARD] = " WireGuard", [DECLARATION_BOND] = " bond",
		[DECLARATION_BRIDGE] = " bridge", [DECLARATION_VLAN] = " VLAN", [DECLARATION_VRF] = " VRF"};
	const struct declaration *declaration = change->declaration;
	char more[64] = "";
	if (declaration->kind == DECLARATION_VLAN)
		(void)snprintf(more, sizeof(more), ", id %u on %s", declaration->vlan_id, change->parent.name);
	if (declaration->kind == DECLARATION_VRF)
		(void)snprintf(more, sizeof(more), ", table %u", declaration->vrf_table);
	(void)snprintf(buffer, n, "%s: %s%s link%s", change->name,
		change->type == CHANGE_LINK_REPLACE ? "remove, and make anew as a" : "make a", kinds[declaration->kind], more);
}

static void format_options(const struct change *change, char *buffer, size_t n)
{
	size_t n_options, at = (size_t)snprintf(buffer, n, "%s: set", change->name);
	const struct link_option *table = link_options_of(change->options.kind, &n_options);
	char text[ADDRESS_TEXT];
	for (size_t i = 0; i < n_options && at < n; i++)
		if (link_options_have(&change->options.values, i))
			at += (size_t)snprintf(buffer + at, n - at, " %s %s", table[i].key,
				link_option_format(&table[i], change->options.values.value[i], text));
	if (change->options.has_primary && at < n)
		at += (size_t)snprintf(buffer + at, n - at, " primary %s",
			change->options.primary[0] ? change->options.primary : "none");
	if (change->options.has_arp_targets && change->declaration->n_arp_targets == 0 && at < n)
		at += (size_t)snprintf(buffer + at, n - at, " arp-ip-targets none");
	for (size_t i = 0; change->options.has_arp_targets && i < change->declaration->n_arp_targets && at < n; i++)
		at += (size_t)snprintf(buffer + at, n - at, "%s%s", i ? "," : " arp-ip-targets ",
			ip_format(&change->declaration->arp_targets[i], text));
	if (change->options.needs_down && at < n)
		(void)snprintf(buffer + at, n - at, ", down meanwhile");
}

static void format_set(const struct change *change, char *buffer, size_t n)
{
	char mtu[24] = "", mac[32] = "", text[18];
	if (change->set.mtu)
		(void)snprintf(mtu, sizeof(mtu), " mtu %u", change->set.mtu);
	if (change->set.has_mac)
		(void)snprintf(mac, sizeof(mac), " macaddress %s", mac_format(change->set.mac, text));
	(void)snprintf(buffer, n, "%s: set%s%s%s%s%s", change->name, mtu, mac,
		!change->set.sets_ra ? "" : change->set.takes_ra ? " accept-ra" : " no accept-ra", change->set.up ? " up" : "",
		change->set.down ? " down" : "");
}

static void format_wireguard(const struct change *change, char *buffer, size_t n)
{
	char port[24] = "", mark[24] = "";
	if (change->wireguard.set_port)
		(void)snprintf(port, sizeof(port), " port %u", change->wireguard.port);
	if (change->wireguard.set_mark)
		(void)snprintf(mark, sizeof(mark), " mark %u", change->wireguard.mark);
	(void)snprintf(buffer, n, "%s: set WireGuard%s%s%s%s", change->name,
		change->wireguard.set_private_key ? " key of " : "",
		change->wireguard.set_private_key ? change->declaration->key_file : "", port, mark);
}

static void format_peers(const struct change *change, char *buffer, size_t n)
{
	size_t n_new = 0, n_removed = 0;
	for (size_t i = 0; i < change->peers.n; i++) {
		n_new += (change->peers.changes[i].what & PEER_NEW) != 0;
		n_removed += (change->peers.changes[i].what & PEER_REMOVE) != 0;
	}
	(void)snprintf(buffer, n, "%s: peers: add %zu, change %zu, remove %zu", change->name, n_new,
		change->peers.n - n_new - n_removed, n_removed);
}

static void format_route(const struct change *change, const char *verb, char *buffer, size_t n)
{
	char text[ROUTE_TEXT];
	(void)snprintf(buffer, n, "%s%s%s route %s", change->name, change->name[0] ? ": " : "", verb,
		route_format(&change->route, text));
}

const char *change_format(const struct change *change, char *buffer, size_t n)
{
	char text[RULE_TEXT];
	switch (change->type) {
	case CHANGE_LINK_RENAME:
		(void)snprintf(buffer, n, "%s: rename to %s%s", change->old_name, change->name,
			change->has_other_name ? ", its other name until now" : "");
		break;
	case CHANGE_LINK_REPLACE:
	case CHANGE_LINK_CREATE:
		format_made(change, buffer, n);
		break;
	case CHANGE_LINK_OPTIONS:
		format_options(change, buffer, n);
		break;
	case CHANGE_LINK_MASTER:
		(void)snprintf(buffer, n, "%s: %s%s", change->name,
			change->master.name[0] ? "becomes a port of " : "is a port no longer", change->master.name);
		break;
	case CHANGE_WIREGUARD:
		format_wireguard(change, buffer, n);
		break;
	case CHANGE_LINK_SET:
		format_set(change, buffer, n);
		break;
	case CHANGE_ADDRESS_REPREFIX:
		(void)snprintf(buffer, n, "%s: take off address %s, %s", change->name, address_format(&change->address, text),
			change->moves ? "it moves to another link"
			: change->steps_back ? "another one is the first of its subnet" : "its prefix changes");
		break;
	case CHANGE_ADDRESS_ADD:
		(void)snprintf(buffer, n, "%s: add address %s", change->name, address_format(&change->address, text));
		break;
	case CHANGE_ROUTE_ADD:
		format_route(change, "add", buffer, n);
		break;
	case CHANGE_ROUTE_REPLACE:
		format_route(change, "replace", buffer, n);
		break;
	case CHANGE_RULE_ADD:
	case CHANGE_RULE_REMOVE:
		(void)snprintf(buffer, n, "%s rule %s%s", change->type == CHANGE_RULE_ADD ? "add" : "remove",
			rule_format(&change->rule, text), !change->is_twin ? "" : change->type == CHANGE_RULE_ADD ? " once more" : " once");
		break;
	case CHANGE_PEERS:
		format_peers(change, buffer, n);
		break;
	case CHANGE_ROUTE_REMOVE:
		format_route(change, "remove", buffer, n);
		break;
	case CHANGE_ADDRESS_REMOVE:
		(void)snprintf(buffer, n, "%s: remove address %s", change->name, address_format(&change->address, text));
		break;
	case CHANGE_LINK_REMOVE:
		(void)snprintf(buffer, n, "%s: remove the link", change->name);
		break;
	case CHANGE_FILE_WRITE:
		(void)snprintf(buffer, n, "networkd: write %s", change->file.name);
		break;
	case CHANGE_FILE_REMOVE:
		(void)snprintf(buffer, n, "networkd: remove %s", change->file.name);
		break;
	case CHANGE_NETWORKD:
		(void)snprintf(buffer, n, "networkd: %s", change->restart ? "restart" : "reload");
		break;
	}
	return buffer;
}

bool plan_is_half(const struct plan *plan)
{
	return plan->is_half;
}

const char *plan_waits_for(const struct plan *plan)
{
	return plan->waits_for;
}

bool plan_waits_in_vain(const struct plan *plan)
{
	return plan->waits_in_vain;
}

char *plan_taken_over(const struct plan *plan)
{
	return marks_text(&plan->marks);
}

size_t plan_n_changes(const struct plan *plan)
{
	return plan->n;
}

char *plan_text(const struct plan *plan)
{
	char *text = NULL, sentence[4400]; // a path and a few words
	size_t n_text = 0;
	FILE *out = open_memstream(&text, &n_text);
	if (!out)
		return NULL;
	for (size_t i = 0; i < plan->n; i++)
		(void)fprintf(out, "%s%s\n", change_format(&plan->changes[i], sentence, sizeof(sentence)),
			change_drops_traffic(&plan->changes[i]) ? " (stops traffic)" : "");
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

char *plan_json(const struct plan *plan)
{
	struct json_out out = {0};
	char sentence[4400];
	json_out_array_begin(&out);
	for (size_t i = 0; i < plan->n; i++) {
		const struct change *change = &plan->changes[i];
		json_out_object_begin(&out);
		json_out_member(&out, "change", change_word(change->type));
		json_out_member(&out, "link", change->name[0] ? change->name : NULL);
		json_out_member(&out, "what", change_format(change, sentence, sizeof(sentence)));
		json_out_member_bool(&out, "dropsTraffic", change_drops_traffic(change));
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	return json_out_take(&out);
}
