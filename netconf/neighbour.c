// The kernel's neighbour table.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/neighbour.h"

#include "netconf/netconf.h"
#include "netconf/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

enum { HUNDREDTH_USEC = 10000, DUMP_TRIES = 10 };

int neighbour_decode(const struct nlmsghdr *message, struct neighbour *ret)
{
	struct nlattr *attributes[NDA_MAX + 1];
	struct nda_cacheinfo times;
	const struct ndmsg *header = nlmsg_data(message);
	if (message->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	if (!nlmsg_valid_hdr(message, sizeof(*header)) ||
		nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, NDA_MAX, NULL) < 0)
		return -EBADMSG;
	size_t n_ip = header->ndm_family == AF_INET || header->ndm_family == AF_INET6 ? ip_n_bytes(header->ndm_family) : 0;
	if (!n_ip || !(header->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)))
		return 0;
	const struct nlattr *ip = attributes[NDA_DST], *cache = attributes[NDA_CACHEINFO];
	if (!ip || !cache || (size_t)nla_len(ip) != n_ip || (size_t)nla_len(cache) < sizeof(times))
		return -EBADMSG;
	memcpy(&times, nla_data(cache), sizeof(times));
	*ret = (struct neighbour){.link_index = header->ndm_ifindex, .ip.family = header->ndm_family,
		.age_usec = (uint64_t)times.ndm_confirmed * HUNDREDTH_USEC};
	memcpy(ret->ip.bytes, nla_data(ip), n_ip);
	return 1;
}

enum { LINKS_MAX = 8 }; // that may know one address

struct search {
	struct ip ip;
	size_t n;
	uint64_t age_usec; // of the youngest answer: two links may know it
	int links[LINKS_MAX];
};

static int on_message(const struct nlmsghdr *message, void *user)
{
	struct search *search = user;
	struct neighbour neighbour;
	int result = neighbour_decode(message, &neighbour);
	if (result != 1 || ip_compare(&neighbour.ip, &search->ip) != 0)
		return result < 0 ? result : 0;
	if (!search->n || neighbour.age_usec < search->age_usec)
		search->age_usec = neighbour.age_usec;
	if (search->n < LINKS_MAX)
		search->links[search->n++] = neighbour.link_index;
	return 0;
}

static int dump(struct search *search, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	struct ndmsg header = {.ndm_family = (uint8_t)search->ip.family};
	int error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
	if (error < 0)
		return error;
	struct nl_msg *request = netlink_message(RTM_GETNEIGH, 0, &header, sizeof(header));
	search->n = 0;
	return request ? netlink_dump(netlink, request, on_message, search) : -ENOMEM;
}

static int find(const char *address, struct search *ret, struct diag *reterr)
{
	int error = ip_parse(address, &ret->ip);
	if (error < 0)
		return diag_set(reterr, error, address, "is no address");
	error = -EAGAIN;
	for (int i = 0; i < DUMP_TRIES && (error == -EAGAIN || error == -ENOBUFS); i++)
		error = dump(ret, reterr);
	return error < 0 ? error : ret->n ? 0 : -ENOENT;
}

int netconf_neighbour_age(const char *address, uint64_t *ret_age_usec, struct diag *reterr)
{
	struct search search = {0};
	int error = find(address, &search, reterr);
	if (error == 0)
		*ret_age_usec = search.age_usec;
	return error;
}

int netconf_neighbour_ask(const char *address, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	struct search search = {0};
	int error = find(address, &search, reterr);
	if (error == 0)
		error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
	for (size_t i = 0; error == 0 && i < search.n; i++) {
		struct ndmsg header = {.ndm_family = (uint8_t)search.ip.family, .ndm_ifindex = search.links[i], .ndm_state = NUD_PROBE};
		struct nl_msg *request = netlink_message(RTM_NEWNEIGH, NLM_F_REPLACE, &header, sizeof(header));
		if (request && nla_put(request, NDA_DST, (int)ip_n_bytes(search.ip.family), search.ip.bytes) < 0) {
			nlmsg_free(request);
			request = NULL;
		}
		error = request ? netlink_call(netlink, request, reterr) : -ENOMEM;
	}
	return error;
}
