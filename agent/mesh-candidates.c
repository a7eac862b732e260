// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-candidates.h"

// Of containers and machines within this one: their ranges are the same everywhere, nobody reaches them from outside.
static bool is_inner(const char *name)
{
	static const char *const prefixes[] = { "cni", "cilium", "flannel", "lxc", "docker", "podman", "br-", "virbr", "veth" };
	for (size_t i = 0; i < N_ELEMENTS(prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return true;
	return false;
}

static bool leads_out(const struct netconf_link *link, const char *mesh_link)
{
	static const char *const kinds[] = { "bond", "bridge", "vlan", "vrf" };
	if (!link->up || is_inner(link->name) || str_equal(link->name, mesh_link))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (str_equal(link->kind, kinds[i]))
			return true;
	return link->wired;
}

static void put_candidate(const struct netconf_link *link, const char *text, uint16_t port, struct json_out *out)
{
	char address[64];
	const char *slash = strchr(text, '/');
	(void)snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : 63, text);
	json_out_object_begin(out);
	json_out_member(out, "address", address);
	json_out_member_int(out, "prefix", slash ? strtol(slash + 1, NULL, 10) : strchr(text, ':') ? 128 : 32);
	json_out_member(out, "link", link->name);
	json_out_member_int(out, "port", port);
	json_out_object_end(out);
}

void mesh_candidates_to_json(const struct netconf_links *links, const char *mesh_link, uint16_t port, struct json_out *out)
{
	size_t n = 0;
	json_out_array_begin(out);
	for (size_t i = 0; links && i < links->n; i++) {
		const struct netconf_link *link = &links->links[i];
		for (size_t j = 0; j < link->n_addresses && n < MESH_MAX_CANDIDATES && leads_out(link, mesh_link); j++)
			if (link->addresses[j].global) {
				put_candidate(link, link->addresses[j].text, port, out);
				n++;
			}
	}
	json_out_array_end(out);
}
