// SPDX-License-Identifier: Apache-2.0
#include "region/address-group.h"

#include <netinet/in.h>
#include <pthread.h>

// About as many lists as there may be connections: they stay short.
enum { LIST_BITS = 14, N_LISTS = 1 << LIST_BITS };

struct group {
	uint64_t prefix; // as in the packet
	unsigned n_connections;
	struct group *next;
};

struct address_groups {
	pthread_mutex_t lock;
	struct group *lists[N_LISTS];
};

static bool prefix_of(const struct sockaddr *address, uint64_t *ret)
{
	if (!address || address->sa_family != AF_INET6)
		return false;
	struct in6_addr v6 = ((const struct sockaddr_in6 *)address)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return false;
	memcpy(ret, &v6, sizeof(*ret));
	return true;
}

// Where the group of @prefix is, or would be.
static struct group **group_place(struct address_groups *groups, uint64_t prefix)
{
	uint64_t mixed = prefix * UINT64_C(0x9e3779b97f4a7c15); // Knuth's multiplicative hash
	struct group **place = &groups->lists[mixed >> (64 - LIST_BITS)];
	while (*place && (*place)->prefix != prefix)
		place = &(*place)->next;
	return place;
}

struct address_groups *address_groups_new(void)
{
	struct address_groups *groups = calloc(1, sizeof(*groups));
	if (groups && pthread_mutex_init(&groups->lock, NULL) != 0) {
		free(groups);
		return NULL;
	}
	return groups;
}

struct address_groups *address_groups_free(struct address_groups *groups)
{
	if (!groups)
		return NULL;
	for (size_t i = 0; i < N_LISTS; i++)
		for (struct group *group = groups->lists[i], *next; group; group = next) {
			next = group->next;
			free(group);
		}
	pthread_mutex_destroy(&groups->lock);
	free(groups);
	return NULL;
}

bool address_groups_have_room(
	struct address_groups *groups, const struct sockaddr *address, unsigned max)
{
	uint64_t prefix;
	if (!prefix_of(address, &prefix))
		return true;
	pthread_mutex_lock(&groups->lock);
	const struct group *group = *group_place(groups, prefix);
	bool room = !group || group->n_connections < max;
	pthread_mutex_unlock(&groups->lock);
	return room;
}

void address_groups_add(struct address_groups *groups, const struct sockaddr *address)
{
	uint64_t prefix;
	if (!prefix_of(address, &prefix))
		return;
	pthread_mutex_lock(&groups->lock);
	struct group **place = group_place(groups, prefix);
	if (!*place && (*place = calloc(1, sizeof(**place))))
		(*place)->prefix = prefix;
	if (*place)
		(*place)->n_connections++;
	pthread_mutex_unlock(&groups->lock);
}

void address_groups_remove(struct address_groups *groups, const struct sockaddr *address)
{
	uint64_t prefix;
	if (!prefix_of(address, &prefix))
		return;
	pthread_mutex_lock(&groups->lock);
	struct group **place = group_place(groups, prefix), *group = *place;
	if (group && --group->n_connections == 0) {
		*place = group->next;
		free(group);
	}
	pthread_mutex_unlock(&groups->lock);
}
