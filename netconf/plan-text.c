// A plan as sentences and as JSON.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "netconf/plan.h"

static const char *const words[] = {
	[CHANGE_LINK_RENAME] = "link-rename",
	[CHANGE_LINK_CREATE] = "link-create",
	[CHANGE_WIREGUARD] = "wireguard",
	[CHANGE_LINK_SET] = "link-set",
	[CHANGE_ADDRESS_REPREFIX] = "address-reprefix",
	[CHANGE_ADDRESS_ADD] = "address-add",
	[CHANGE_ROUTE_ADD] = "route-add",
	[CHANGE_ROUTE_REPLACE] = "route-replace",
	[CHANGE_PEERS] = "peers",
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

static void format_set(const struct change *change, char *buffer, size_t n)
{
	char mtu[24] = "";
	if (change->set.mtu)
		(void)snprintf(mtu, sizeof(mtu), " mtu %u", change->set.mtu);
	(void)snprintf(buffer, n, "%s: set%s%s%s", change->name, mtu, change->set.up ? " up" : "",
		change->set.alias ? " alias " HEARTH_ALIAS : "");
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
	char text[ADDRESS_TEXT];
	switch (change->type) {
	case CHANGE_LINK_RENAME:
		(void)snprintf(buffer, n, "%s: rename to %s", change->old_name, change->name);
		break;
	case CHANGE_LINK_CREATE:
		(void)snprintf(buffer, n, "%s: make a %s link", change->name,
			change->declaration->kind == DECLARATION_DUMMY ? "dummy" : "WireGuard");
		break;
	case CHANGE_WIREGUARD:
		format_wireguard(change, buffer, n);
		break;
	case CHANGE_LINK_SET:
		format_set(change, buffer, n);
		break;
	case CHANGE_ADDRESS_REPREFIX:
		(void)snprintf(buffer, n, "%s: take off address %s, its prefix changes", change->name,
			address_format(&change->address, text));
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
		(void)fprintf(out, "%s\n", change_format(&plan->changes[i], sentence, sizeof(sentence)));
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
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	return json_out_take(&out);
}
