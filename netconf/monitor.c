// Changes of the kernel's network as one callback per burst.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"
#include "netconf/netconf.h"

#include "base/time.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

enum { QUIET_USEC = 50000, LATE_USEC = 500000, EVERYTHING = 31 };

struct netconf_monitor {
	int fd;
	unsigned changed;
	uint64_t deadline_usec; // of the burst under way
	sd_event_source *socket_source, *timer_source;
	void (*on_change)(unsigned changed, void *user);
	void *user;
};

static bool says_ours(const struct nlmsghdr *message, int n_header, int attribute)
{
	struct nlattr *protocol = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message, n_header, attribute);
	return protocol && nla_len(protocol) >= 1 && nla_get_u8(protocol) == HEARTH_PROTOCOL;
}

// Nobody tells of routes that go with their link or with their source address; but of those two they do.
static unsigned kind_of(const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return NETCONF_CHANGED_LINK;
	case RTM_NEWADDR: // it may be usable now: a route may have waited for it
	case RTM_DELADDR:
		return NETCONF_CHANGED_ADDRESS |
		       (says_ours(message, sizeof(struct ifaddrmsg), IFA_PROTO) ? NETCONF_CHANGED_OURS : 0);
	case RTM_NEWROUTE:
		return NETCONF_CHANGED_ROUTE;
	case RTM_DELROUTE:
		return NETCONF_CHANGED_ROUTE |
		       (nlmsg_valid_hdr(message, sizeof(struct rtmsg)) &&
				       ((const struct rtmsg *)nlmsg_data(message))->rtm_protocol == HEARTH_PROTOCOL
			       ? NETCONF_CHANGED_OURS
			       : 0);
	case RTM_NEWRULE:
		return NETCONF_CHANGED_RULE;
	case RTM_DELRULE:
		return NETCONF_CHANGED_RULE |
		       (says_ours(message, sizeof(struct fib_rule_hdr), FRA_PROTOCOL) ? NETCONF_CHANGED_OURS : 0);
	default:
		return 0;
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct netconf_monitor *monitor = user;
	unsigned changed = monitor->changed;
	monitor->changed = 0;
	monitor->on_change(changed, monitor->user); // last: it may free the monitor
	return 0;
}

static int arm(struct netconf_monitor *monitor)
{
	uint64_t now_usec, at_usec;
	int error = sd_event_now(sd_event_source_get_event(monitor->timer_source), CLOCK_BOOTTIME, &now_usec);
	if (error < 0)
		return error;
	int enabled = SD_EVENT_OFF;
	(void)sd_event_source_get_enabled(monitor->timer_source, &enabled); // OFF stands when it cannot be told
	if (enabled == SD_EVENT_OFF)
		monitor->deadline_usec = now_usec + LATE_USEC;
	at_usec = now_usec + QUIET_USEC;
	if (at_usec > monitor->deadline_usec)
		at_usec = monitor->deadline_usec;
	error = sd_event_source_set_time(monitor->timer_source, at_usec);
	return error < 0 ? error : sd_event_source_set_enabled(monitor->timer_source, SD_EVENT_ONESHOT);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct netconf_monitor *monitor = user;
	char buffer[16 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct sockaddr_nl sender;
	unsigned changed = 0;
	for (int i = 0; i < 256; i++) { // a flood does not keep the loop from its other work
		socklen_t n_sender = sizeof(sender);
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&sender, &n_sender);
		if (n < 0 && errno == ENOBUFS)
			changed = EVERYTHING;
		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			break;
		if (n <= 0 || sender.nl_pid != 0)
			continue;
		struct nlmsghdr *message = (struct nlmsghdr *)buffer;
		for (int left = (int)n; nlmsg_ok(message, left); message = nlmsg_next(message, &left))
			changed |= kind_of(message);
	}
	if (!changed)
		return 0;
	monitor->changed |= changed;
	return arm(monitor);
}

struct netconf_monitor *netconf_monitor_free(struct netconf_monitor *monitor)
{
	if (!monitor)
		return NULL;
	sd_event_source_disable_unref(monitor->socket_source);
	sd_event_source_disable_unref(monitor->timer_source);
	util_closep(&monitor->fd);
	free(monitor);
	return NULL;
}

int netconf_monitor_new(sd_event *event, void (*on_change)(unsigned changed, void *user), void *user,
	struct netconf_monitor **ret)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1)};
	int receive_bytes = 1 << 20;
	CLEANUP(netconf_monitor_freep) struct netconf_monitor *monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return -ENOMEM;
	monitor->on_change = on_change;
	monitor->user = user;
	monitor->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (monitor->fd < 0 || bind(monitor->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return -errno;
	// without it a flood loses messages sooner, and is told by ENOBUFS
	(void)setsockopt(monitor->fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes));
	int error = sd_event_add_io(event, &monitor->socket_source, monitor->fd, EPOLLIN, on_socket, monitor);
	if (error >= 0)
		error = sd_event_add_time(event, &monitor->timer_source, CLOCK_BOOTTIME, 0, 1000, on_timer, monitor);
	if (error >= 0)
		error = sd_event_source_set_enabled(monitor->timer_source, SD_EVENT_OFF);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(monitor);
	return 0;
}
