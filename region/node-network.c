// SPDX-License-Identifier: Apache-2.0
#include "region/node-network.h"

#include "region/cluster-parts.h"

// What the region adds to each document, by section.
static const struct {
	const char *section, *id;
} own[] = { { "ethernets", LAN_ID }, { "tunnels", "hearth0" }, { "dummy-devices", "hearth-api" } };

static int refuse(const struct value *at, const char *what, struct diag *reterr, const char *rule)
{
	char shown[VALUE_SHOWN_TEXT];
	return config_refuse(at, what, reterr, "%s, not %s", rule, value_shown(at, shown));
}

// Of what should be a map. The text is not shown: it may be a key in the wrong place.
static const char *list_or_text(const struct value *value)
{
	return value->type == VALUE_ARRAY ? "a list" : "a text";
}

// Assignments hold no secrets: a key of WireGuard is a path on the node. The text is not shown.
static int check_keys(const struct value *value, const char *what, struct diag *reterr)
{
	static const char *const paths[] = { "key", "private", "shared" };
	int r = 0;
	for (size_t i = 0; value && r == 0 && i < value->n; i++)
		r = check_keys(&value->items[i], what, reterr);
	for (size_t i = 0; r == 0 && i < N_ELEMENTS(paths); i++) {
		const struct value *path = value_find(value, paths[i]);
		if (path && value_text(path) && value_text(path)[0] != '/')
			r = config_refuse(path, what, reterr, "%s must be the path of a key's file on the node, never the key", paths[i]);
	}
	return r;
}

static int check_section(const struct value *section, const char *name, const char *what, struct diag *reterr)
{
	if (section->type == VALUE_NULL)
		return 0;
	if (section->type != VALUE_OBJECT)
		return config_refuse(section, what, reterr, "%s must map names to definitions, not %s", name, list_or_text(section));
	for (size_t i = 0; i < section->n; i++) {
		const struct value *definition = &section->items[i];
		if (definition->type != VALUE_OBJECT && definition->type != VALUE_NULL)
			return config_refuse(definition, what, reterr, "%s.%s must be a map of keys, not %s", name, section->keys[i],
				list_or_text(definition));
	}
	for (size_t i = 0; i < N_ELEMENTS(own); i++)
		if (value_find(section, own[i].id))
			return config_refuse(value_find(section, own[i].id), what, reterr,
				"the LAN, the mesh and the API's address come from the region; call it by another name, not \"%s\"", own[i].id);
	return str_equal(name, "tunnels") ? check_keys(section, what, reterr) : 0;
}

// *ret: what is inside of an outer `network:`.
static int decode(const struct value *document, const char *what, const struct value **ret, struct diag *reterr)
{
	static const char *const keys[] = { "version", "renderer", "ethernets", "bonds", "bridges", "vlans", "vrfs",
		"tunnels", "dummy-devices", NULL }, *const outer[] = { "network", NULL };
	const char *renderer = "networkd";
	int r = 0;
	if (value_find(document, "network")) {
		r = value_only_keys(document, what, outer, reterr);
		document = value_find(document, "network");
	}
	if (r < 0)
		return r;
	if (document->type != VALUE_OBJECT)
		return refuse(document, what, reterr, "must be a netplan document");
	r = value_only_keys(document, what, keys, reterr);
	const struct value *version = value_find(document, "version");
	if (r >= 0 && version && !str_equal(value_text(version), "2"))
		return refuse(version, what, reterr, "version must be 2");
	if (r >= 0 && value_find(document, "renderer"))
		r = value_string(value_find(document, "renderer"), "renderer", &renderer, reterr);
	if (r >= 0 && !str_equal(renderer, "networkd"))
		return refuse(value_find(document, "renderer"), what, reterr, "renderer must be networkd");
	for (size_t i = 2; r >= 0 && keys[i]; i++) // past version and renderer
		if (value_find(document, keys[i]))
			r = check_section(value_find(document, keys[i]), keys[i], what, reterr);
	*ret = document;
	return r;
}

int config_networks_decode(
	const struct value *document, const struct naming *naming, struct config_networks *ret, struct diag *reterr)
{
	const struct value *all = value_find(document, "network"), *nodes = value_find(document, "nodeNetworks"), *ignored;
	int r = 0;
	*ret = (struct config_networks){ 0 };
	if (all && all->type != VALUE_NULL && (r = decode(all, "network", &ret->all, reterr)) < 0)
		return r;
	if (!nodes || nodes->type == VALUE_NULL)
		return 0;
	if (nodes->type != VALUE_OBJECT)
		return refuse(nodes, "nodeNetworks", reterr, "must map node names to netplan documents");
	for (size_t i = 0; i < nodes->n; i++)
		if ((r = config_node_name_check(naming, nodes->keys[i], &nodes->items[i], "nodeNetworks", reterr)) < 0 ||
			(r = decode(&nodes->items[i], "nodeNetworks", &ignored, reterr)) < 0)
			return r;
	ret->nodes = nodes;
	return 0;
}

const struct value *config_network_of(const struct config_networks *networks, const char *name)
{
	const struct value *single = value_find(networks->nodes, name), *inner = value_find(single, "network");
	return inner ? inner : single ? single : networks->all;
}
