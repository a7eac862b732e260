// The actual network as a netplan document: the kernel's links become declarations.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/show.h"

#include "netconf/network-text.h"
#include "netconf/show-links.h"
#include "netconf/show-state.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>

enum { NAMES_PER_LINE = 6 };

void *show_grow(struct show *show, void **array, size_t n, size_t size)
{
	if ((n & (n - 1)) == 0) {
		void *grown = realloc(*array, (n ? n * 2 : 1) * size);
		if (!grown) {
			show->failed = true;
			return NULL;
		}
		*array = grown;
	}
	return (char *)*array + n * size;
}

char *show_copy(struct show *show, const char *text)
{
	char *copied = strdup(text);
	show->failed |= !copied;
	return copied;
}

void show_add_text(struct show *show, char ***list, size_t *n, const char *text)
{
	char **added = show_grow(show, (void **)list, *n, sizeof(*added));
	if (!added)
		return;
	added[0] = show_copy(show, text);
	*n += added[0] != NULL;
}

void show_note(struct show *show, const char *format, ...)
{
	va_list arguments;
	char text[512];
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	network_print_comment(show->notes, text);
}

struct declaration *show_of_index(const struct show *show, int link_index)
{
	const struct kernel_link *one = link_index ? kernel_link_by_index(show->kernel, link_index) : NULL;
	return one ? show->shown[one - show->kernel->links] : NULL;
}

// --- a link itself ---

static enum declaration_kind kind_of(const struct kernel_link *one)
{
	for (enum declaration_kind kind = DECLARATION_DUMMY; kind < N_DECLARATION_KINDS; kind++)
		if (str_equal(one->kind, declaration_link_kind(kind)))
			return kind;
	return DECLARATION_ETHERNET;
}

// The MTU that nobody has to ask for.
static uint32_t usual_mtu(const struct kernel *kernel, const struct kernel_link *one)
{
	const struct kernel_link *master = kernel_link_by_index(kernel, one->master_index);
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	uint32_t least = 0;
	if ((one->flags & IFF_LOOPBACK) || str_equal(one->kind, "vrf"))
		return one->mtu;
	if (str_equal(one->kind, "wireguard"))
		return 1420;
	if (str_equal(one->kind, "vlan") && parent)
		return parent->mtu;
	if (master && str_equal(one->port_kind, "bond"))
		return master->mtu;
	for (size_t i = 0; i < kernel->n_links && str_equal(one->kind, "bridge"); i++)
		if (kernel->links[i].master_index == one->index && (!least || kernel->links[i].mtu < least))
			least = kernel->links[i].mtu;
	return least ? least : 1500;
}

bool show_brings_mac(const struct kernel_link *port, const uint8_t mac[static 6])
{
	if (port->has_own_mac)
		return memcmp(mac, port->own_mac, 6) == 0;
	if (str_equal(port->port_kind, "bond") && port->has_permanent_mac)
		return memcmp(mac, port->permanent_mac, 6) == 0;
	return port->has_mac && memcmp(mac, port->mac, 6) == 0;
}

// Has somebody given the link its MAC? A bond and a bridge take one of a port's, a VLAN that of its parent.
static bool has_given_mac(const struct kernel *kernel, const struct kernel_link *one)
{
	static const uint8_t none[6];
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	if (!one->has_mac || memcmp(one->mac, none, 6) == 0 || (one->mac[0] & 1) || (one->flags & IFF_LOOPBACK))
		return false;
	if (!one->kind[0])
		return one->has_permanent_mac && memcmp(one->mac, one->permanent_mac, 6) != 0 &&
		       !str_equal(one->port_kind, "bond");
	if (str_equal(one->kind, "vlan"))
		return parent && parent->has_mac && memcmp(one->mac, parent->mac, 6) != 0;
	if (!str_equal(one->kind, "bond") && !str_equal(one->kind, "bridge"))
		return false;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].master_index == one->index && show_brings_mac(&kernel->links[i], one->mac))
			return false;
	return true;
}

static void show_mtu_and_mac(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	if (one->mtu != usual_mtu(show->kernel, one)) {
		if (one->mtu >= 68 && one->mtu <= 65535)
			ret->mtu = one->mtu;
		else
			show_note(show, "%s: its MTU %u is left out; netplan takes 68-65535", one->name, one->mtu);
	}
	ret->has_mac = has_given_mac(show->kernel, one);
	if (ret->has_mac)
		memcpy(ret->mac, one->mac, 6);
}

// --- addresses ---

struct dynamic { // what a link has that expires or came by itself
	bool lease4, lease6, advertised, temporary, link_local4, link_local6;
};

static void look_at_address(const struct kernel_address *address, struct dynamic *ret)
{
	bool is_v4 = address->address.ip.family == AF_INET, expires = !(address->flags & IFA_F_PERMANENT);
	if (ip_is_link_local(&address->address.ip)) {
		ret->link_local4 |= is_v4;
		ret->link_local6 |= !is_v4;
	} else if (address->flags & IFA_F_TEMPORARY) {
		ret->temporary = ret->advertised = true;
	} else if (expires && is_v4) {
		ret->lease4 = true;
	} else if (expires && address->address.prefix == 128 && address->protocol != IFAPROT_KERNEL_RA) {
		ret->lease6 = true; // DHCPv6 gives one address, an advertisement a prefix
	} else if (expires) {
		ret->advertised = true;
	}
}

static void show_dynamic(const struct show *show, const struct kernel_link *one, const struct dynamic *dynamic,
	struct declaration *ret)
{
	bool is_advertised = dynamic->advertised;
	ret->dhcp4 = dynamic->lease4;
	ret->dhcp6 = dynamic->lease6;
	ret->has_privacy = ret->privacy = dynamic->temporary;
	for (size_t i = 0; i < show->kernel->n_routes && !is_advertised; i++)
		is_advertised = show->kernel->routes[i].link_index == one->index &&
				show->kernel->routes[i].protocol == RTPROT_RA;
	bool is_managed = ret->kind == DECLARATION_ETHERNET || ret->kind == DECLARATION_BOND ||
			  ret->kind == DECLARATION_BRIDGE || ret->kind == DECLARATION_VLAN;
	bool is_inner = str_equal(one->port_kind, "bond") || str_equal(one->port_kind, "bridge");
	if (!is_managed || is_inner || !one->carrier || (one->flags & IFF_LOOPBACK))
		return; // nothing can be told about what it would accept
	if (dynamic->link_local4 || !dynamic->link_local6) { // else it is netplan's default: [ipv6]
		ret->has_link_local = true;
		ret->link_local4 = dynamic->link_local4;
		ret->link_local6 = dynamic->link_local6;
	}
	// nothing was advertised to networkd, or nobody listens: either way the machine stays as it is
	ret->has_accept_ra = dynamic->link_local6 && !is_advertised && !one->takes_ra;
}

// @are_second: those of IPv4 that come behind the first of their subnet; else all others.
static void show_some_addresses(struct show *show, const struct kernel_link *one, bool are_second, struct dynamic *dynamic,
	struct declaration *ret)
{
	size_t n, first = kernel_addresses_of(show->kernel, one->index, &n);
	char text[ADDRESS_TEXT];
	for (size_t i = first; i < first + n; i++) {
		const struct kernel_address *address = &show->kernel->addresses[i];
		bool is_second = address->address.ip.family == AF_INET && (address->flags & IFA_F_SECONDARY);
		if (is_second != are_second)
			continue;
		bool is_twin = i > first && ip_compare(&address[-1].address.ip, &address->address.ip) == 0;
		if (!show_is_static(address) || is_twin || ret->n_addresses == NETWORK_MAX_ADDRESSES) {
			if (address->has_peer)
				show_note(show, "%s: address %s is left out: netplan has no address of the far end", one->name,
					address_format(&address->address, text));
			else if (show_is_static(address))
				show_note(show, "%s: address %s is left out: %s", one->name,
					address_format(&address->address, text),
					is_twin ? "it is there with another prefix" : "a link can have 4096");
			else
				look_at_address(address, dynamic);
			continue;
		}
		struct address *added = show_grow(show, (void **)&ret->addresses, ret->n_addresses, sizeof(*added));
		if (!added)
			return;
		*added = address->address;
		ret->n_addresses++;
		if (ip_is_link_local(&added->ip))
			dynamic->link_local6 |= added->ip.family == AF_INET6;
	}
}

static void show_addresses(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	struct dynamic dynamic = {0};
	show_some_addresses(show, one, false, &dynamic, ret);
	show_some_addresses(show, one, true, &dynamic, ret); // who reads it makes the first one of a subnet the one that is spoken from
	show_dynamic(show, one, &dynamic, ret);
}

// --- declarations ---

static char *comment_of(const struct kernel_link *one, const struct declaration *declaration)
{
	char mac[18];
	if (declaration->kind == DECLARATION_WIREGUARD)
		return str_format("its private key has to be put into %s%s", declaration->key_file,
			declaration->n_preshared_files ? ", preshared keys into the files of `shared`" : "");
	if (declaration->kind != DECLARATION_ETHERNET || !(one->has_mac || one->has_permanent_mac) ||
		(one->flags & IFF_LOOPBACK))
		return NULL;
	return str_format("%s%s%s", mac_format(one->has_permanent_mac ? one->permanent_mac : one->mac, mac),
		one->driver[0] ? ", " : "", one->driver);
}

static void show_links(struct show *show)
{
	for (size_t i = 0; i < show->kernel->n_links && !show->failed; i++) {
		const struct kernel_link *one = &show->kernel->links[i];
		if (show->why[i])
			continue;
		struct declaration *added = &show->network->declarations[show->network->n++];
		*added = (struct declaration){.kind = kind_of(one), .id = show_copy(show, one->name)};
		show->shown[i] = added;
	}
	for (size_t i = 0; i < show->kernel->n_links && !show->failed; i++) {
		const struct kernel_link *one = &show->kernel->links[i];
		struct declaration *declaration = show->shown[i];
		if (!declaration)
			continue;
		if (!(one->flags & IFF_UP))
			declaration->activation = ACTIVATION_MANUAL; // it stays as it is
		show_kind(show, one, declaration);
		show_mtu_and_mac(show, one, declaration);
		show_addresses(show, one, declaration);
		show->comments[declaration - show->network->declarations] = comment_of(one, declaration);
	}
}

// The links that are left out, those with one reason together.
static void note_left_out(struct show *show)
{
	const struct kernel *kernel = show->kernel;
	for (size_t i = 0; i < kernel->n_links; i++) {
		char names[NAMES_PER_LINE * (IFNAMSIZ + 16 + 5)] = "", more[32] = "";
		size_t n = 0, n_names = 0;
		bool is_told = !show->why[i] || !show->why[i][0];
		for (size_t j = 0; j < i && !is_told; j++)
			is_told = str_equal(show->why[j], show->why[i]);
		for (size_t j = i; j < kernel->n_links && !is_told; j++) {
			const struct kernel_link *one = &kernel->links[j];
			if (!str_equal(show->why[j], show->why[i]) || ++n > NAMES_PER_LINE)
				continue;
			n_names += (size_t)snprintf(names + n_names, sizeof(names) - n_names, "%s%s%s%s%s",
				n_names ? ", " : "", one->name, one->kind[0] ? " (" : "", one->kind,
				one->kind[0] ? ")" : "");
		}
		if (n > NAMES_PER_LINE)
			(void)snprintf(more, sizeof(more), " and %zu more", n - NAMES_PER_LINE);
		if (n)
			show_note(show, "Left out: %s%s: %s", names, more, show->why[i]);
	}
}

// --- the whole ---

static void print_document(struct show *show, FILE *out, const char *notes)
{
	network_print_comment(out, "The network of this machine as its kernel has it.");
	network_print_comment(out, "Not the kernel's, so not here: name servers, and what DHCP brings.");
	(void)fputs(notes, out);
	if (network_print(out, show->network, show->comments) < 0)
		show->failed = true;
}

static void show_done(struct show *show)
{
	for (size_t i = 0; show->comments && i < show->kernel->n_links; i++)
		free(show->comments[i]);
	free(show->comments);
	free(show->shown);
	free(show->why);
	network_free(show->network);
}

char *show_text(const struct kernel *kernel, const char *key_folder)
{
	size_t n = kernel->n_links + 1, n_notes = 0, n_text = 0;
	AUTO_FREE char *notes = NULL, *text = NULL;
	struct show show = {.kernel = kernel, .key_folder = key_folder ? key_folder : "/etc/wireguard"};
	show.why = calloc(n, sizeof(*show.why));
	show.shown = calloc(n, sizeof(*show.shown));
	show.comments = calloc(n, sizeof(*show.comments));
	show.network = calloc(1, sizeof(*show.network));
	if (show.network)
		show.network->declarations = calloc(n, sizeof(*show.network->declarations));
	show.notes = open_memstream(&notes, &n_notes);
	show.failed = !show.why || !show.shown || !show.comments || !show.network || !show.network->declarations ||
		      !show.notes;
	if (!show.failed) {
		show_choose_links(kernel, show.why);
		show_links(&show);
		note_left_out(&show);
		show_routes(&show);
		show_rules(&show);
	}
	if (show.notes && fclose(show.notes) != 0)
		show.failed = true;
	FILE *out = show.failed ? NULL : open_memstream(&text, &n_text);
	if (out)
		print_document(&show, out, notes);
	if (!out || fclose(out) != 0)
		show.failed = true;
	show_done(&show);
	return show.failed ? NULL : TAKE_PTR(text);
}
