/* The MAC of a bridge for which the document has none. The kernel gives it the lowest one of its ports, so that it changes with
 * each port that comes and goes, a container's too: neighbours, a DHCP reservation and a switch's table hold it against the address.
 * Once somebody sets it it stays; so it is set, to the MAC of the first card below it, which is the same at every start. */
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include <linux/if_arp.h>

static bool first_mac(const struct planning *planning, const struct plan_link *upper, uint8_t ret[static 6]);

// As it is at every start, whatever the link is a port of now.
static bool own_mac(const struct planning *planning, const struct plan_link *link, uint8_t ret[static 6])
{
	const struct kernel_link *have = link->have;
	if (link->declaration->has_mac) {
		memcpy(ret, link->declaration->mac, 6);
		return true;
	}
	if (link->declaration->kind == DECLARATION_VLAN)
		return link->parent && own_mac(planning, link->parent, ret);
	if (link->declaration->kind == DECLARATION_BOND)
		return first_mac(planning, link, ret);
	if (!have || !(have->has_permanent_mac || have->has_mac))
		return false;
	memcpy(ret, have->has_permanent_mac ? have->permanent_mac : have->mac, 6);
	return true;
}

// Of the first port by the document that is there.
static bool first_mac(const struct planning *planning, const struct plan_link *upper, uint8_t ret[static 6])
{
	for (size_t i = 0; i < upper->declaration->n_ports; i++) {
		const struct plan_link *port = plan_find(planning, upper->declaration->ports[i]);
		if (port && own_mac(planning, port, ret))
			return true;
	}
	return false;
}

static bool is_card_with(const struct kernel_link *one, const uint8_t mac[static 6])
{
	return one->type == ARPHRD_ETHER && !one->kind[0] &&
	       ((one->has_permanent_mac && memcmp(one->permanent_mac, mac, 6) == 0) ||
		       (!one->has_permanent_mac && one->has_mac && memcmp(one->mac, mac, 6) == 0));
}

static bool is_above(const struct planning *planning, const struct plan_link *upper, const struct kernel_link *card);

static bool stands_on(const struct planning *planning, const struct plan_link *link, const struct kernel_link *card)
{
	return link->have == card || (link->parent && stands_on(planning, link->parent, card)) || is_above(planning, link, card);
}

// Is the card a port of @upper, or below one?
static bool is_above(const struct planning *planning, const struct plan_link *upper, const struct kernel_link *card)
{
	bool found = false;
	for (size_t i = 0; i < planning->claims.n && !found; i++)
		found = planning->links[i].master == upper && stands_on(planning, &planning->links[i], card);
	return found;
}

// Is its MAC that of a card which went elsewhere, so that two would speak with it?
static bool has_anothers(const struct planning *planning, const struct plan_link *bridge)
{
	for (size_t i = 0; i < planning->kernel->n_links; i++) {
		const struct kernel_link *one = &planning->kernel->links[i];
		if (is_card_with(one, bridge->have->mac) && !is_above(planning, bridge, one))
			return true;
	}
	return false;
}

bool plan_bridge_mac(const struct planning *planning, const struct plan_link *link, uint8_t ret[static 6])
{
	const struct kernel_link *have = link->have;
	bool is_asked = link->declaration->kind == DECLARATION_BRIDGE && !link->declaration->has_mac;
	if (!is_asked || !first_mac(planning, link, ret))
		return false;
	if (!have)
		return true;
	if (!plan_is_ours(have) || !have->has_mac || memcmp(have->mac, ret, 6) == 0)
		return false;
	return !kernel_has_ports(planning->kernel, have) || has_anothers(planning, link);
}

static bool takes_given_mac(const struct planning *planning, const struct plan_link *upper);

// Is it made by this plan without a MAC of its own, so that the kernel gives it one, or does it have that of such a link?
static bool is_given_mac(const struct planning *planning, const struct plan_link *link)
{
	switch (link->declaration->kind) {
	case DECLARATION_DUMMY:
	case DECLARATION_BRIDGE:
		return !link->have;
	case DECLARATION_VLAN:
		return link->parent && is_given_mac(planning, link->parent);
	case DECLARATION_BOND:
		return takes_given_mac(planning, link);
	default:
		return false;
	}
}

static bool takes_given_mac(const struct planning *planning, const struct plan_link *upper)
{
	for (size_t i = 0; i < upper->declaration->n_ports; i++) {
		const struct plan_link *port = plan_find(planning, upper->declaration->ports[i]);
		if (port && is_given_mac(planning, port))
			return true;
	}
	return false;
}

bool plan_bridge_mac_comes_later(const struct planning *planning, const struct plan_link *link)
{
	const struct kernel_link *have = link->have;
	uint8_t mac[6];
	return link->declaration->kind == DECLARATION_BRIDGE && !link->declaration->has_mac && have && have->has_mac &&
	       plan_is_ours(have) && !first_mac(planning, link, mac) && takes_given_mac(planning, link) && has_anothers(planning, link);
}

bool plan_bridge_keeps_mac(const struct planning *planning, const struct plan_link *link)
{
	const struct kernel_link *have = link->have;
	const struct declaration *declaration = link->declaration;
	if (declaration->kind != DECLARATION_BRIDGE || !have->has_mac)
		return false;
	if (declaration->has_mac)
		return memcmp(declaration->mac, have->mac, 6) == 0;
	return kernel_has_ports(planning->kernel, have) && !has_anothers(planning, link);
}
