// Marks: the list of them, as messages, and as a sentence.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/mark.h"

#include "netconf/change-message.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

void marks_done(struct marks *marks)
{
	free(marks->marks);
	*marks = (struct marks){0};
}

struct mark *marks_add(struct marks *marks, enum mark_type type, const char *name)
{
	if (marks->n == marks->n_room) {
		size_t n_room = marks->n_room ? marks->n_room + marks->n_room / 2 : 16;
		struct mark *grown = realloc(marks->marks, n_room * sizeof(*grown));
		if (!grown)
			return NULL;
		marks->marks = grown;
		marks->n_room = n_room;
	}
	struct mark *mark = &marks->marks[marks->n++];
	*mark = (struct mark){.type = type};
	(void)snprintf(mark->name, sizeof(mark->name), "%s", name);
	return mark;
}

// --- messages ---

// With its metric and its flags: the kernel takes those that are not said for ones that shall go.
static struct nl_msg *address_message(const struct mark *mark)
{
	const struct address *address = &mark->address.address;
	struct ifaddrmsg header = {.ifa_family = (uint8_t)address->ip.family, .ifa_prefixlen = address->prefix,
		.ifa_index = (uint32_t)mark->link_index, .ifa_scope = mark->address.scope};
	int n = (int)ip_n_bytes(address->ip.family);
	struct nl_msg *message = netlink_message(RTM_NEWADDR, NLM_F_REPLACE, &header, sizeof(header));
	if (!message)
		return NULL;
	if (nla_put(message, IFA_LOCAL, n, address->ip.bytes) == 0 && nla_put(message, IFA_ADDRESS, n, address->ip.bytes) == 0 &&
		nla_put_u32(message, IFA_FLAGS, mark->address.flags) == 0 &&
		(!mark->address.metric || nla_put_u32(message, IFA_RT_PRIORITY, mark->address.metric) == 0) &&
		nla_put_u8(message, IFA_PROTO, mark->protocol) == 0)
		return message;
	nlmsg_free(message);
	return NULL;
}

static struct nl_msg *link_message(const struct mark *mark, const struct change *change)
{
	struct nl_msg *message = change_message_alias(change);
	if (!message || !mark->has_mac || nla_put(message, IFLA_ADDRESS, sizeof(mark->mac), mark->mac) == 0)
		return message;
	nlmsg_free(message);
	return NULL;
}

struct nl_msg *mark_message(const struct mark *mark)
{
	struct change change = {.type = CHANGE_ROUTE_REPLACE, .link_index = mark->link_index, .protocol = mark->protocol};
	(void)snprintf(change.name, sizeof(change.name), "%s", mark->name);
	switch (mark->type) {
	case MARK_LINK:
		return link_message(mark, &change);
	case MARK_ADDRESS:
		return address_message(mark);
	case MARK_ROUTE:
		change.route = mark->route;
		return change_message(&change);
	case N_MARK_TYPES:
		break;
	}
	return NULL;
}

// --- a sentence ---

char *marks_text(const struct marks *marks)
{
	static const char *const words[N_MARK_TYPES][2] = {[MARK_LINK] = {"link", "links"}, [MARK_ADDRESS] = {"address", "addresses"},
		[MARK_ROUTE] = {"route", "routes"}};
	static const enum mark_type order[] = {MARK_ADDRESS, MARK_ROUTE, MARK_LINK};
	size_t n[N_MARK_TYPES] = {0}, n_text = 0;
	char text[128] = "";
	for (size_t i = 0; i < marks->n; i++)
		n[marks->marks[i].type] += marks->marks[i].type == MARK_LINK || marks->marks[i].protocol == HEARTH_PROTOCOL;
	for (size_t i = 0; i < N_ELEMENTS(order); i++)
		if (n[order[i]])
			n_text += (size_t)snprintf(text + n_text, sizeof(text) - n_text, "%s%zu %s", n_text ? ", " : "taken over: ",
				n[order[i]], words[order[i]][n[order[i]] != 1]);
	return n_text ? strdup(text) : NULL;
}
