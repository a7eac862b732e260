// Which declaration has which link. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"
#include "netconf/network.h"

struct claim {
	const struct declaration *declaration; // borrowed
	const struct kernel_link *link;        // borrowed; NULL: a virtual link that has to be made
	char name[IFNAMSIZ];                   // the name it has after the plan
};
struct claims {
	struct claim *claims; // in the order of the declarations, then of the links
	size_t n;
};
void claims_done(struct claims *claims);
// Does the match (or the id) of an Ethernet declaration fit the link, whoever has it?
bool claim_fits(const struct declaration *declaration, const struct kernel_link *one);
// Is it a name and no glob?
bool claim_is_exact(const char *pattern);
/* Every link goes to the first declaration that fits, a virtual one to that which makes it. Patterns, MACs and drivers fit
 * hardware only; an exact name fits any link. A declaration that fits nothing has no claim, unless Hearth can make the link:
 * a VLAN only on a link that is claimed. Links may change their names among each other; a VLAN or a tunnel of ours that is
 * declared by another name has that. A link of ours of another kind is claimed: it is to be made anew.
 * -EEXIST: a virtual link's name is taken by a link of another kind that is not ours, a set-name fits two links or is that of a link that
 * keeps it; -EINVAL: a set-name that no link can have. */
int claims_make(const struct network *network, const struct kernel *kernel, struct claims *ret, struct diag *reterr);
/* Are @declaration's link and @one two that the kernel does not take beside each other, so that @one becomes it or goes? Two
 * VLANs of one id cannot stand on one link, nor two tunnels listen on one port. */
bool claims_are_one(const struct claims *claims, const struct declaration *declaration, const struct kernel_link *one);
