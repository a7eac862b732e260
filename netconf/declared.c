// Which ranges a network document has taken.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network.h"

#include <errno.h>

struct list {
	struct netconf_declared *ranges;
	size_t n, n_room;
};

static int add(struct list *list, const char *link, bool of_peer, const struct address *address)
{
	if (address->prefix == 0)
		return 0; // what goes elsewhere has a narrower one
	if (list->n == list->n_room) {
		size_t n = list->n_room ? list->n_room * 2 : 8;
		struct netconf_declared *more = reallocarray(list->ranges, n, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->ranges = more;
		list->n_room = n;
	}
	struct netconf_declared *declared = &list->ranges[list->n++];
	*declared = (struct netconf_declared){.link = link, .of_peer = of_peer};
	(void)address_format(address, declared->range);
	return 0;
}

static int add_declaration(struct list *list, const struct declaration *declaration)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < declaration->n_addresses; i++)
		error = add(list, declaration->id, false, &declaration->addresses[i]);
	for (size_t i = 0; error == 0 && i < declaration->peers.n; i++)
		for (size_t j = 0; error == 0 && j < declaration->peers.peers[i].n_allowed; j++)
			error = add(list, declaration->id, true, &declaration->peers.peers[i].allowed[j]);
	return error;
}

int netconf_declared(const struct network *network, const char *but_link, struct netconf_declared **ret, size_t *ret_n)
{
	struct list list = {0};
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		int error = but_link && str_equal(declaration->id, but_link) ? 0 : add_declaration(&list, declaration);
		if (error < 0) {
			free(list.ranges);
			return error;
		}
	}
	*ret = list.ranges;
	*ret_n = list.n;
	return 0;
}
