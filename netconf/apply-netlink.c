// Doing what a plan says: rtnetlink batches, WireGuard settings and peers.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/apply-netlink.h"

#include "netconf/change-message.h"

#include <errno.h>
#include <fcntl.h>

enum { MAKES_PER_BATCH = 32 }; // each is two messages, and a batch takes 128

#define REMOVED (SIZE_MAX / 2 + 1) // in the tag of what goes to be made anew

struct apply {
	struct plan *plan;
	struct netlink *netlink;
	int error; // the first
	bool *again; // NULL: this is the second time
	char last_name[IFNAMSIZ], last_promoted[IFNAMSIZ];
	int last_index;
	size_t n_made; // since the last batch ended
	bool are_replaced_gone;
};

static bool is_release(const struct change *change)
{
	return change->type == CHANGE_LINK_MASTER && !change->master.name[0];
}

// What was to go went by itself; a link that is made anew may have gone with what it stood on.
static bool is_gone(const struct change *change, bool is_replaced, int error)
{
	bool is_removal = is_replaced || change->type == CHANGE_ROUTE_REMOVE || change->type == CHANGE_ADDRESS_REMOVE ||
			  change->type == CHANGE_LINK_REMOVE || change->type == CHANGE_ADDRESS_REPREFIX ||
			  change->type == CHANGE_RULE_REMOVE || is_release(change);
	return is_removal && (error == -ESRCH || error == -EADDRNOTAVAIL || error == -ENODEV || error == -ENOENT);
}

static void on_error(size_t tag, int error, const char *kernel_words, void *user)
{
	struct apply *apply = user;
	struct change *change = &apply->plan->changes[tag & ~REMOVED];
	if (is_gone(change, tag & REMOVED, error))
		return;
	bool is_there = change->type == CHANGE_LINK_CREATE && error == -EEXIST && if_nametoindex(change->name);
	bool lacks_mac = change->type == CHANGE_LINK_SET && change->set.up && error == -EADDRNOTAVAIL;
	bool is_route = change->type == CHANGE_ROUTE_ADD || change->type == CHANGE_ROUTE_REPLACE;
	bool lacks_source = is_route && error == -EINVAL && change->route.source.family == AF_INET6;
	if ((is_there || lacks_mac || lacks_source) && apply->again && apply->error == 0) {
		// the bonding module makes a bond0 when it is loaded, or somebody was faster; a VLAN keeps the MAC of zeros that a
		// bridge without ports gave it, until it is made anew; and even where the kernel asks nobody for an address it is
		// usable only once the kernel's worker was at it, a moment later
		*apply->again = true;
		return;
	}
	(void)plan_note_failure(apply->plan, change, error, kernel_words); // counted, and told at the end
	apply->error = apply->error ? apply->error : error;
}

// --- order ---

int apply_conf(const char *family, const char *name, const char *setting, char digit)
{
	char path[96];
	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, setting);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, &digit, 1) == 1 ? 0 : -errno;
}

static int end_batch(struct apply *apply)
{
	apply->n_made = 0;
	return netlink_batch_end(apply->netlink, on_error, apply);
}

static int add(struct apply *apply, struct nl_msg *message, size_t position)
{
	return netlink_batch_add(apply->netlink, message, position, on_error, apply);
}

/* The number of a link that was made a moment ago: what is in the batch is done first. 0 when it is not there; that is
 * told for the change at @position. Negative when the kernel does not answer. */
static int find_link(struct apply *apply, const char *name, size_t position)
{
	if (str_equal(apply->last_name, name) && apply->last_index)
		return apply->last_index;
	int error = end_batch(apply);
	if (error < 0)
		return error;
	(void)snprintf(apply->last_name, IFNAMSIZ, "%s", name);
	char real[IF_NAMESIZE] = ""; // the kernel goes by other names of a link, too
	apply->last_index = (int)if_nametoindex(name);
	if (apply->last_index && (!if_indextoname((unsigned)apply->last_index, real) || !str_equal(real, name)))
		apply->last_index = 0;
	if (!apply->last_index)
		on_error(position, -ENODEV, name, apply);
	return apply->last_index;
}

// All numbers that the messages of the change need. 1; 0 when one is not to be had; negative as find_link().
static int find_links(struct apply *apply, struct change *change, size_t position)
{
	bool is_made = change->type == CHANGE_LINK_CREATE || change->type == CHANGE_LINK_REPLACE;
	int index = 1;
	if (is_made && change->parent.name[0] && !change->parent.index)
		change->parent.index = index = find_link(apply, change->parent.name, position);
	if (index > 0 && !is_made && change->name[0] && !change->link_index)
		change->link_index = index = find_link(apply, change->name, position);
	if (index > 0 && change->type == CHANGE_LINK_MASTER && change->master.name[0] && !change->master.index)
		change->master.index = index = find_link(apply, change->master.name, position);
	if (index > 0 && change->type == CHANGE_LINK_OPTIONS && change->options.primary[0])
		change->options.primary_index = index = find_link(apply, change->options.primary, position);
	return index < 0 ? index : index > 0;
}

// --- what takes more than one message ---

/* All that are made anew go first: one may have the name or the VLAN's id of another that comes, or the wrong link below
 * it. */
static int remove_replaced(struct apply *apply)
{
	int error = 0;
	for (size_t i = 0; error == 0 && !apply->are_replaced_gone && i < apply->plan->n; i++)
		if (apply->plan->changes[i].type == CHANGE_LINK_REPLACE)
			error = add(apply, change_message_remove(&apply->plan->changes[i]), i | REMOVED);
	apply->are_replaced_gone = true;
	return error;
}

/* A link is made and marked as ours in one datagram: a process that is killed does not end between the two. */
static int add_made(struct apply *apply, const struct change *change, size_t position)
{
	int error = remove_replaced(apply);
	if (error == 0 && (apply->n_made == 0 || apply->n_made == MAKES_PER_BATCH))
		error = end_batch(apply); // all of the batch is free for them
	if (error == 0)
		error = add(apply, change_message(change), position);
	if (error == 0)
		error = add(apply, change_message_alias(change), position);
	apply->n_made++;
	return error;
}

static int add_options(struct apply *apply, const struct change *change, size_t position)
{
	bool needs_down = change->options.needs_down;
	int error = needs_down ? add(apply, change_message_updown(change, false), position) : 0;
	if (error == 0)
		error = add(apply, change_message(change), position);
	return error == 0 && needs_down ? add(apply, change_message_updown(change, true), position) : error;
}

static int add_master(struct apply *apply, const struct change *change, size_t position)
{
	int error = change->master.needs_down ? add(apply, change_message_updown(change, false), position) : 0;
	return error < 0 ? error : add(apply, change_message(change), position);
}

struct answer {
	int error;
};

static void keep_answer(size_t position, int error, const char *kernel_words, void *user)
{
	((struct answer *)user)->error = error;
}

// Some drivers take a MAC only while the link is down. What that costs in routes, another plan brings back.
static int set_mac(struct apply *apply, const struct change *change, size_t position)
{
	struct answer answer = {0};
	int error = end_batch(apply);
	if (error == 0)
		error = netlink_batch_add(apply->netlink, change_message_mac(change), position, keep_answer, &answer);
	if (error == 0)
		error = netlink_batch_end(apply->netlink, keep_answer, &answer);
	if (error < 0 || answer.error != -EBUSY)
		return error; // when it failed, the whole change that follows fails, and says why
	if (apply->again)
		*apply->again = true;
	error = add(apply, change_message_updown(change, false), position);
	if (error == 0)
		error = add(apply, change_message_mac(change), position);
	return error == 0 && !change->set.down ? add(apply, change_message_updown(change, true), position) : error;
}

static int add_set(struct apply *apply, const struct change *change, size_t position)
{
	bool takes_ra = change->set.takes_ra, is_message = change->set.mtu || change->set.has_mac || change->set.up || change->set.down;
	int error = 0;
	if (change->set.no_kernel_ra || change->set.sets_ra) // before it is up: it asks for one at once
		error = apply_conf("ipv6", change->name, "accept_ra", takes_ra ? '1' : '0');
	if (error < 0 && change->set.sets_ra) // else there may be no IPv6, or nobody who may set it
		on_error(position, error, "accept_ra", apply);
	error = change->set.has_mac ? set_mac(apply, change, position) : 0;
	return error < 0 || !is_message ? error : add(apply, change_message(change), position);
}

static int set_wireguard(struct apply *apply, const struct change *change, size_t position)
{
	struct diag diag = {0};
	int error = end_batch(apply);
	if (error < 0)
		return error;
	error = wireguard_set(change->link_index, change->type == CHANGE_WIREGUARD ? &change->wireguard : NULL,
		change->type == CHANGE_PEERS ? &change->peers : NULL, &diag);
	if (error < 0)
		on_error(position, error, diag.message, apply);
	return 0;
}

static int add_address(struct apply *apply, const struct change *change, size_t position)
{
	if (change->type != CHANGE_ADDRESS_ADD && change->address.ip.family == AF_INET &&
		!str_equal(apply->last_promoted, change->name)) {
		memcpy(apply->last_promoted, change->name, IFNAMSIZ);
		// else the kernel takes every address of a subnet away when its first one goes; so the next apply puts them back
		(void)apply_conf("ipv4", change->name, "promote_secondaries", '1');
	}
	return add(apply, change_message(change), position);
}

// The kernel gives no link a name that one has already, be it the same link's as another name.
static int add_rename(struct apply *apply, const struct change *change, size_t position)
{
	int error = change->has_other_name ? add(apply, change_message_drop_other_name(change), position) : 0;
	return error < 0 ? error : add(apply, change_message(change), position);
}

// --- the whole ---

static int add_change(struct apply *apply, const struct change *change, size_t position)
{
	switch (change->type) {
	case CHANGE_LINK_REPLACE:
	case CHANGE_LINK_CREATE:
		return add_made(apply, change, position);
	case CHANGE_LINK_OPTIONS:
		return add_options(apply, change, position);
	case CHANGE_LINK_MASTER:
		return add_master(apply, change, position);
	case CHANGE_LINK_SET:
		return add_set(apply, change, position);
	case CHANGE_WIREGUARD:
	case CHANGE_PEERS:
		return set_wireguard(apply, change, position);
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ADDRESS_REMOVE:
		return add_address(apply, change, position);
	case CHANGE_LINK_REMOVE:
		return add(apply, change_message_remove(change), position);
	case CHANGE_LINK_RENAME:
		return add_rename(apply, change, position);
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_ROUTE_REMOVE:
	case CHANGE_RULE_ADD:
	case CHANGE_RULE_REMOVE:
		return add(apply, change_message(change), position);
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
	case CHANGE_NETWORKD:
		break; // not the kernel's
	}
	return 0;
}

/* Before the change: all links are made, or set, now, or what is to be taken away is next. A link that turned out to be
 * there already, or not to come up, is looked at again before anything more is done; and nothing is taken away unless all
 * that shall stand does: a route that waits for its source does not yet. True: it ends here. */
static bool is_over(struct apply *apply, const struct change *before, const struct change *change, int *reterr)
{
	bool made = before->type <= CHANGE_LINK_CREATE && change->type > CHANGE_LINK_CREATE;
	bool set = before->type <= CHANGE_LINK_SET && change->type > CHANGE_LINK_SET;
	bool added = before->type < CHANGE_RULE_REMOVE && change->type >= CHANGE_RULE_REMOVE && !change->goes_before;
	if (!made && !set && !added)
		return false;
	*reterr = end_batch(apply);
	bool is_half = apply->error < 0 || (apply->again && (*apply->again || apply->plan->waits_for));
	return *reterr < 0 || ((made || set) && apply->again && *apply->again) || (added && is_half);
}

/* An address that moves to another link is taken off the old one before it comes, but not behind a failure: what it is to come to
 * may be the very thing that failed. @before: the change before it; NULL: none. */
static bool stays_put(struct apply *apply, const struct change *before, const struct change *change, int *reterr)
{
	if (change->type != CHANGE_ADDRESS_REPREFIX || !change->moves)
		return false;
	if (!before || before->type != CHANGE_ADDRESS_REPREFIX || !before->moves) // what failed until here is known then
		*reterr = end_batch(apply);
	return *reterr == 0 && apply->error < 0;
}

static void let_be(size_t position, int error, const char *kernel_words, void *user)
{
	// The network is right all the same. It goes on being somebody else's, and the next plan says so again.
}

int apply_marks(const struct plan *plan, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	int error = plan->marks.n ? netlink_open(NETLINK_ROUTE, &netlink, reterr) : 0;
	for (size_t i = 0; error == 0 && i < plan->marks.n; i++) {
		struct nl_msg *message = mark_message(&plan->marks.marks[i]);
		error = message ? netlink_batch_add(netlink, message, i, let_be, NULL) : -ENOMEM;
	}
	return error < 0 || !netlink ? error : netlink_batch_end(netlink, let_be, NULL);
}

static bool is_of_kernel(const struct change *change)
{
	return change->type != CHANGE_FILE_WRITE && change->type != CHANGE_FILE_REMOVE && change->type != CHANGE_NETWORKD;
}

int apply_netlink(struct plan *plan, bool *ret_again, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	struct plan_outcome *outcome = &plan->outcome;
	size_t n_failed = outcome->n_failed, n_tried = 0, i = 0;
	int error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
	if (error < 0)
		return error;
	struct apply apply = {.plan = plan, .netlink = netlink, .again = ret_again};
	for (; error == 0 && i < plan->n; i++) {
		if (i > 0 && is_over(&apply, &plan->changes[i - 1], &plan->changes[i], &error))
			break;
		if (stays_put(&apply, i > 0 ? &plan->changes[i - 1] : NULL, &plan->changes[i], &error)) {
			outcome->n_left++;
			continue;
		}
		if (error < 0)
			break;
		int found = find_links(&apply, &plan->changes[i], i);
		error = found > 0 ? add_change(&apply, &plan->changes[i], i) : found;
		n_tried += is_of_kernel(&plan->changes[i]);
	}
	if (error == 0)
		error = end_batch(&apply);
	if (error < 0 && i > 0) {
		(void)plan_note_failure(plan, &plan->changes[i - 1], error, "the kernel does not answer");
		apply.error = apply.error ? apply.error : error;
	}
	for (; i < plan->n; i++)
		outcome->n_left += is_of_kernel(&plan->changes[i]);
	n_failed = outcome->n_failed - n_failed;
	outcome->n_done += n_tried > n_failed ? n_tried - n_failed : 0;
	return plan_tell_failures(plan, apply.error, reterr);
}
