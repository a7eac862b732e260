// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-candidates.h"

static bool stands_on_a_port(const struct netconf_link *link)
{
	return link->wired || str_equal(link->kind, "bond") || str_equal(link->kind, "vlan");
}

// A bridge of containers or machines within this one has only their ends as its ports: nobody reaches it from outside.
static bool has_a_port(const struct netconf_links *links, const struct netconf_link *bridge)
{
	for (size_t i = 0; i < links->n; i++)
		if (str_equal(links->links[i].master, bridge->name) && stands_on_a_port(&links->links[i]))
			return true;
	return false;
}

static bool leads_out(const struct netconf_links *links, const struct netconf_link *link, const char *mesh_link)
{
	if (!link->up || str_equal(link->name, mesh_link))
		return false;
	if (str_equal(link->kind, "bridge"))
		return has_a_port(links, link);
	return stands_on_a_port(link) || str_equal(link->kind, "vrf");
}

// The next address from @at on that leads out, NULL: none. *at is behind it then.
struct place { size_t link, address; };
static const struct netconf_address *next_address(const struct netconf_links *links, const char *mesh_link, struct place *at,
	const struct netconf_link **ret_link)
{
	for (; links && at->link < links->n; at->link++, at->address = 0) {
		const struct netconf_link *link = &links->links[at->link];
		while (at->address < link->n_addresses && leads_out(links, link, mesh_link)) {
			const struct netconf_address *address = &link->addresses[at->address++];
			if (!address->global)
				continue;
			*ret_link = link;
			return address;
		}
	}
	return NULL;
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
	const struct netconf_link *link;
	const struct netconf_address *address;
	struct place at = { 0 };
	json_out_array_begin(out);
	for (int n = 0; n < MESH_MAX_CANDIDATES && (address = next_address(links, mesh_link, &at, &link)); n++)
		put_candidate(link, address->text, port, out);
	json_out_array_end(out);
}

uint64_t mesh_addresses_mark(const struct netconf_links *links, const char *mesh_link)
{
	const struct netconf_link *link;
	const struct netconf_address *address;
	struct place at = { 0 };
	uint64_t mark = 0;
	while ((address = next_address(links, mesh_link, &at, &link)))
		for (const char *c = address->text; *c; c++)
			mark = mark * 31 + (unsigned char)*c;
	return mark;
}

unsigned mesh_narrowest_mtu(const struct netconf_links *links, const char *mesh_link)
{
	const struct netconf_link *link;
	struct place at = { 0 };
	unsigned mtu = 0;
	while (next_address(links, mesh_link, &at, &link))
		if (mtu == 0 || link->mtu < mtu)
			mtu = link->mtu;
	return mtu;
}
