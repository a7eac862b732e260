// Which links of the kernel show as declarations.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/show-links.h"

#include "netconf/network.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

bool show_is_configured(uint8_t protocol)
{
	return protocol == RTPROT_UNSPEC || protocol == RTPROT_BOOT || protocol == RTPROT_STATIC ||
	       protocol == HEARTH_PROTOCOL;
}

bool show_is_static(const struct kernel_address *address)
{
	const struct ip *ip = &address->address.ip;
	if (address->protocol == HEARTH_PROTOCOL)
		return true;
	if (!(address->flags & IFA_F_PERMANENT) || address->has_peer || address->scope == RT_SCOPE_HOST)
		return false;
	if (address->protocol == IFAPROT_KERNEL_LO || address->protocol == IFAPROT_KERNEL_RA ||
		address->protocol == IFAPROT_KERNEL_LL)
		return false;
	// link-local: [ipv4] says it: networkd picks one in 169.254/16
	return !(ip->family == AF_INET && address->scope == RT_SCOPE_LINK && address->address.prefix == 16 &&
		 ip_is_link_local(ip));
}

static bool has_addresses(const struct kernel *kernel, const struct kernel_link *one, bool only_static)
{
	size_t n, first = kernel_addresses_of(kernel, one->index, &n);
	for (size_t i = first; i < first + n; i++) {
		const struct kernel_address *address = &kernel->addresses[i];
		if (show_is_static(address) || (!only_static && !(address->flags & IFA_F_PERMANENT)))
			return true;
	}
	return false;
}

static bool has_routes(const struct kernel *kernel, const struct kernel_link *one)
{
	for (size_t i = 0; i < kernel->n_routes; i++)
		if (kernel->routes[i].link_index == one->index && show_is_configured(kernel->routes[i].protocol))
			return true;
	return false;
}

static bool has_vlans(const struct kernel *kernel, const struct kernel_link *one)
{
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == one->index && str_equal(kernel->links[i].kind, "vlan"))
			return true;
	return false;
}

static bool has_settings(const struct kernel *kernel, const struct kernel_link *one)
{
	return one->master_index || has_addresses(kernel, one, false) || has_vlans(kernel, one) ||
	       has_routes(kernel, one);
}

// --- containers ---

static bool is_docker_bridge(const char *name)
{
	return str_starts(name, "br-") && strlen(name) == 15 && strspn(name + 3, "0123456789abcdef") == 12;
}

static bool has_container_name(const char *name)
{
	static const char *const starts[] = {"cni", "cilium_", "lxc", "docker", "podman", "flannel", "cali", "kube-",
		"nodelocaldns", "virbr", "weave", "antrea", "ovn-k8s", NULL};
	for (size_t i = 0; starts[i]; i++)
		if (str_starts(name, starts[i]))
			return true;
	return is_docker_bridge(name);
}

// A bridge all of whose ports are ends of containers or virtual machines.
static bool is_container_bridge(const struct kernel *kernel, const struct kernel_link *bridge)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_links; i++) {
		const struct kernel_link *one = &kernel->links[i];
		if (one->master_index != bridge->index)
			continue;
		if (!str_equal(one->kind, "veth") && !str_equal(one->kind, "tun"))
			return false;
		n++;
	}
	return n > 0;
}

// --- one link ---

static const char *why_not_hardware(const struct kernel *kernel, const struct kernel_link *one)
{
	if (one->type != ARPHRD_ETHER)
		return "not an Ethernet link";
	if (one->wireless)
		return "Wi-Fi is not supported";
	if (!(one->flags & IFF_UP) && !has_settings(kernel, one))
		return "down, and without settings";
	if (!kernel_link_is_wired(one) && !has_settings(kernel, one))
		return "a USB function of a BMC or a gadget, without settings";
	return NULL;
}

static const char *why_not_wireguard(const struct kernel_link *one)
{
	static const uint8_t none[PEER_KEY_BYTES];
	if (!one->wireguard.present)
		return "its settings cannot be read; only root may";
	return memcmp(one->wireguard.private_key, none, sizeof(none)) == 0 ? "it has no private key" : NULL;
}

static const char *why_not(const struct kernel *kernel, const struct kernel_link *one)
{
	static const char *const kinds[] = {"bond", "bridge", "vlan", "vrf", "dummy", "wireguard", NULL};
	bool is_ours = str_equal(one->alias, HEARTH_ALIAS), is_known = false;
	if (one->flags & IFF_LOOPBACK)
		return has_addresses(kernel, one, true) ? NULL : "";
	if (!link_name_valid(one->name))
		return "its name cannot be declared (a sign that means something else in systemd's files)";
	if (!one->kind[0])
		return why_not_hardware(kernel, one);
	for (size_t i = 0; kinds[i]; i++)
		is_known |= str_equal(one->kind, kinds[i]);
	if (!is_ours && (str_equal(one->kind, "veth") || has_container_name(one->name) ||
				(str_equal(one->kind, "bridge") && is_container_bridge(kernel, one))))
		return "made for containers or virtual machines";
	if (!is_known)
		return "its kind is not supported";
	if (str_equal(one->kind, "vlan") && one->vlan_is_8021ad)
		return "its protocol is 802.1ad, netplan has 802.1Q only";
	if (str_equal(one->kind, "vlan") && (one->vlan_id == 0 || one->vlan_id > 4094))
		return "netplan has the VLAN ids 1-4094";
	if (str_equal(one->kind, "vlan") && !one->parent_index)
		return "the link it stands on is in another network namespace";
	return str_equal(one->kind, "wireguard") ? why_not_wireguard(one) : NULL;
}

// Does @one lean on a link that is left out?
static const char *why_not_others(const struct kernel *kernel, const struct kernel_link *one, const char *const why[])
{
	const struct kernel_link *master = kernel_link_by_index(kernel, one->master_index);
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	if (one->master_index && (!master || why[master - kernel->links]))
		return "a port of a link that is left out";
	if (str_equal(one->kind, "vlan") && (!parent || why[parent - kernel->links]))
		return "the link it stands on is left out";
	return NULL;
}

static bool has_twin_before(const struct kernel *kernel, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (str_equal(kernel->links[i].name, kernel->links[at].name))
			return true;
	return false;
}

void show_choose_links(const struct kernel *kernel, const char *ret_why[])
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_links; i++) {
		ret_why[i] = why_not(kernel, &kernel->links[i]);
		if (!ret_why[i] && has_twin_before(kernel, i)) // it was renamed while the kernel was read
			ret_why[i] = "another link has its name";
		if (!ret_why[i] && ++n > NETWORK_MAX_DECLARATIONS)
			ret_why[i] = "a document has at most 1024 links";
	}
	for (bool changed = true; changed;) { // ends: each round leaves at least one more link out
		changed = false;
		for (size_t i = 0; i < kernel->n_links; i++) {
			if (ret_why[i])
				continue;
			ret_why[i] = why_not_others(kernel, &kernel->links[i], ret_why);
			changed |= ret_why[i] != NULL;
		}
	}
}
