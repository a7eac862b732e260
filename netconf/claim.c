// Which declaration has which link: matching as netplan does it.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/claim.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/if_arp.h>
#include <strings.h>

void claims_done(struct claims *claims)
{
	free(claims->claims);
	*claims = (struct claims){0};
}

bool claim_is_exact(const char *pattern)
{
	return !strpbrk(pattern, "*?[\\");
}

static bool mac_fits(const struct declaration *declaration, const struct kernel_link *one)
{
	uint8_t mac[6];
	if (mac_parse(declaration->match_mac, mac) < 0)
		return false;
	if (one->has_permanent_mac)
		return memcmp(mac, one->permanent_mac, 6) == 0;
	// without one it is known by what it is, or by what the declaration made of it
	return one->has_mac && (memcmp(mac, one->mac, 6) == 0 ||
				       (declaration->has_mac && memcmp(declaration->mac, one->mac, 6) == 0));
}

static bool driver_fits(const struct declaration *declaration, const struct kernel_link *one)
{
	for (size_t i = 0; i < declaration->n_match_drivers; i++)
		if (fnmatch(declaration->match_drivers[i], one->driver, 0) == 0)
			return true;
	return declaration->n_match_drivers == 0;
}

static bool has_other_name(const struct kernel_link *one, const char *pattern)
{
	for (const char *other = one->other_names; other && *other; other += strlen(other) + 1)
		if (fnmatch(pattern, other, 0) == 0)
			return true;
	return false;
}

/* networkd holds the name of a .network file against all names of a link, with or without a glob. What a match renames has another
 * file, which udev holds against its name alone. */
static bool has_name_like(const struct kernel_link *one, const char *pattern, bool is_renamed)
{
	return fnmatch(pattern, one->name, 0) == 0 || (!is_renamed && has_other_name(one, pattern));
}

bool claim_fits(const struct declaration *declaration, const struct kernel_link *one)
{
	bool is_hardware = one->kind[0] == '\0' && one->type == ARPHRD_ETHER;
	if (!link_name_valid(one->name))
		return false;
	if (!declaration->has_match)
		return has_name_like(one, declaration->id, false); // it is a name: no glob is a valid one
	if (declaration->match_wired)
		return kernel_link_is_wired(one);
	const char *pattern = declaration->match_name;
	if (!is_hardware && !(pattern && claim_is_exact(pattern)))
		return false;
	if (declaration->match_mac && !mac_fits(declaration, one))
		return false;
	// its new name fits too: a link that was renamed already stays the declaration's; but what we made was never another one
	bool has_new_name = str_equal(declaration->set_name, one->name) && !str_equal(one->alias, HEARTH_ALIAS);
	return driver_fits(declaration, one) && (!pattern || has_name_like(one, pattern, declaration->set_name != NULL) || has_new_name);
}

static int claim_add(struct claims *claims, const struct declaration *declaration, const struct kernel_link *one,
	const char *name)
{
	if ((claims->n & (claims->n - 1)) == 0) {
		struct claim *grown = realloc(claims->claims, (claims->n ? claims->n * 2 : 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		claims->claims = grown;
	}
	struct claim *added = &claims->claims[claims->n++];
	*added = (struct claim){.declaration = declaration, .link = one};
	(void)snprintf(added->name, sizeof(added->name), "%s", name);
	return 0;
}

// The kernel lets no link have a name that is another name of another link.
static int check_other_names(const struct kernel *kernel, const struct declaration *declaration, const char *name,
	const struct kernel_link *but, struct diag *reterr)
{
	for (size_t i = 0; i < kernel->n_links; i++) {
		const struct kernel_link *one = &kernel->links[i];
		if (one != but && kernel_link_has_other_name(one, name))
			return place_refuse(reterr, -EEXIST, &declaration->where,
				"%s: the link %s has %s as another name (ip link property del dev %s altname %s takes it away)",
				declaration->id, one->name, str_equal(declaration->id, name) ? "that" : name, one->name, name);
	}
	return 0;
}

static int claim_virtual(struct claims *claims, const struct declaration *declaration, const struct kernel *kernel,
	struct diag *reterr)
{
	const char *kind = declaration_link_kind(declaration->kind);
	const struct kernel_link *one = kernel_link_by_name(kernel, declaration->id);
	if (one && declaration->kind == DECLARATION_VLAN && one->vlan_is_8021ad)
		return place_refuse(reterr, -EEXIST, &declaration->where,
			"%s: must be a VLAN of 802.1Q, but one of 802.1ad has that name", declaration->id);
	if (one && !str_equal(one->kind, kind) && !str_equal(one->alias, HEARTH_ALIAS)) // ours is made anew
		return place_refuse(reterr, -EEXIST, &declaration->where, "%s: must be a %s link, but a %s link has that name",
			declaration->id, kind, one->kind[0] ? one->kind : "hardware");
	if (!one && check_other_names(kernel, declaration, declaration->id, NULL, reterr) < 0)
		return -EEXIST;
	return claim_add(claims, declaration, one, declaration->id);
}

static int claim_renamed(struct claims *claims, const struct declaration *declaration, const struct kernel *kernel,
	const bool taken[], struct diag *reterr)
{
	const struct kernel_link *found = NULL, *second = NULL;
	for (size_t i = 0; i < kernel->n_links; i++) {
		const struct kernel_link *one = &kernel->links[i];
		if (taken[i] || !claim_fits(declaration, one))
			continue;
		if (str_equal(one->name, declaration->set_name)) // wherever it stands
			return claim_add(claims, declaration, one, one->name);
		second = found && !second ? one : second;
		found = found ? found : one;
	}
	if (second)
		return place_refuse(reterr, -EEXIST, &declaration->where, "%s: set-name must fit one link, but match fits %s and %s",
			declaration->id, found->name, second->name);
	return found ? claim_add(claims, declaration, found, declaration->set_name) : 0;
}

// Is @name free once all claimed links have theirs? Its holder may get another name in the same plan.
static int check_name(const struct claims *claims, const struct claim *claim, const struct kernel *kernel,
	struct diag *reterr)
{
	const struct kernel_link *holder = kernel_link_by_name(kernel, claim->name);
	bool is_asked = claim->declaration->set_name != NULL; // else it is a virtual link that was declared by another name
	if (is_asked && (!link_name_valid(claim->name) || !str_equal(claim->name, claim->declaration->set_name)))
		return place_refuse(reterr, -EINVAL, &claim->declaration->where,
			"%s: set-name: must be %s, not \"%s\"", claim->declaration->id, LINK_NAME_RULE,
			claim->declaration->set_name);
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *other = &claims->claims[i];
		if (other != claim && str_equal(other->name, claim->name))
			return place_refuse(reterr, -EEXIST, &claim->declaration->where,
				"%s: set-name %s is the name of another link: %s has it too", claim->declaration->id,
				claim->name, other->declaration->id);
		if (other->link == holder)
			holder = NULL;
	}
	if (holder && !(holder->kind[0] && str_equal(holder->alias, HEARTH_ALIAS))) // that goes, for nobody declares it
		return place_refuse(reterr, -EEXIST, &claim->declaration->where, "%s: set-name %s is the name of another link",
			claim->declaration->id, claim->name);
	return check_other_names(kernel, claim->declaration, claim->name, claim->link, reterr);
}

static const struct claim *find_claim(const struct claims *claims, const char *id)
{
	for (size_t i = 0; i < claims->n; i++)
		if (str_equal(claims->claims[i].declaration->id, id))
			return &claims->claims[i];
	return NULL;
}

// Is it there, or can it be made out of what is there?
static bool is_there(const struct claim *claim)
{
	return claim->link && str_equal(claim->link->kind, declaration_link_kind(claim->declaration->kind));
}

bool claims_are_one(const struct claims *claims, const struct declaration *declaration, const struct kernel_link *one)
{
	if (!str_equal(one->kind, declaration_link_kind(declaration->kind)))
		return false;
	if (declaration->kind == DECLARATION_WIREGUARD)
		return declaration->has_port && one->wireguard.present && one->wireguard.port == declaration->port;
	if (declaration->kind != DECLARATION_VLAN || one->vlan_id != declaration->vlan_id || one->vlan_is_8021ad)
		return false;
	const struct claim *parent = find_claim(claims, declaration->parent);
	return parent && parent->link && parent->link->index == one->parent_index;
}

// What we made, and what is declared by another name now, gets that name: what flows through it goes on.
static void claim_by_what_they_are(struct claims *claims, const struct kernel *kernel, bool taken[])
{
	for (bool changed = true; changed;) { // VLANs on VLANs: one more each round
		changed = false;
		for (size_t i = 0; i < claims->n; i++) {
			struct claim *claim = &claims->claims[i];
			for (size_t j = 0; j < kernel->n_links && !claim->link; j++) {
				const struct kernel_link *one = &kernel->links[j];
				if (taken[j] || !str_equal(one->alias, HEARTH_ALIAS) || !claims_are_one(claims, claim->declaration, one))
					continue;
				claim->link = one;
				taken[j] = changed = true;
			}
		}
	}
}

// A VLAN is made when what it stands on is there; VLANs on that VLAN wait, too.
static void drop_waiting(struct claims *claims)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = claims->n; i-- > 0;) {
			const struct claim *claim = &claims->claims[i];
			if (claim->declaration->kind != DECLARATION_VLAN || is_there(claim) ||
				find_claim(claims, claim->declaration->parent))
				continue;
			memmove(&claims->claims[i], &claims->claims[i + 1], (claims->n - i - 1) * sizeof(*claims->claims));
			claims->n--;
			changed = true;
		}
	}
}

// A virtual link is its own declaration's, also before a match that fits its name.
static void take_virtual(const struct network *network, const struct kernel *kernel, bool taken[])
{
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, declaration->id);
		if (one && declaration->kind != DECLARATION_ETHERNET)
			taken[one - kernel->links] = true;
	}
}

int claims_make(const struct network *network, const struct kernel *kernel, struct claims *ret, struct diag *reterr)
{
	CLEANUP(claims_done) struct claims claims = {0};
	AUTO_FREE bool *taken = calloc(kernel->n_links ? kernel->n_links : 1, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	take_virtual(network, kernel, taken);
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		size_t n_before = claims.n;
		int error = 0;
		if (declaration->kind != DECLARATION_ETHERNET)
			error = claim_virtual(&claims, declaration, kernel, reterr);
		else if (declaration->set_name)
			error = claim_renamed(&claims, declaration, kernel, taken, reterr);
		else
			for (size_t j = 0; error == 0 && j < kernel->n_links; j++)
				if (!taken[j] && claim_fits(declaration, &kernel->links[j]))
					error = claim_add(&claims, declaration, &kernel->links[j], kernel->links[j].name);
		if (error < 0)
			return error;
		for (size_t j = n_before; j < claims.n; j++)
			if (claims.claims[j].link)
				taken[claims.claims[j].link - kernel->links] = true;
	}
	claim_by_what_they_are(&claims, kernel, taken);
	for (size_t i = 0; i < claims.n; i++) {
		const struct claim *claim = &claims.claims[i];
		int error = claim->link && !str_equal(claim->name, claim->link->name)
				    ? check_name(&claims, claim, kernel, reterr)
				    : 0;
		if (error < 0)
			return error;
	}
	drop_waiting(&claims);
	*ret = claims;
	claims = (struct claims){0};
	return 0;
}
