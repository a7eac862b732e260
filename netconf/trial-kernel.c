// A trial's steps on the real machine: the kernel, networkd's files, resolv.conf.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/trial.h"

#include "netconf/apply-netlink.h"
#include "netconf/before.h"
#include "netconf/change-message.h"
#include "netconf/claim.h"

#include "base/file.h"
#include "base/yaml.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

enum { MAX_RESOLV = 64 << 10 };

static struct netconf_options options_of(const struct trial *trial)
{
	struct netconf_options options = trial->options ? *trial->options : (struct netconf_options){0};
	if (!options.networkd_folder)
		options.networkd_folder = "/run/systemd/network";
	if (!options.resolv_conf)
		options.resolv_conf = "/run/hearth/resolv.conf";
	if (!options.run_folder)
		options.run_folder = "/run/hearth";
	return options;
}

// --- what was ---

// The plan marks links that it changes as ours; those that were not are to lose that mark again.
static int remember_strangers(const struct kernel *kernel, const struct network *tried, struct journal *ret)
{
	ret->strangers = calloc(tried->n + 1, sizeof(*ret->strangers));
	if (!ret->strangers)
		return -ENOMEM;
	for (size_t i = 0; i < tried->n; i++) {
		const struct kernel_link *one = kernel_link_by_name(kernel, tried->declarations[i].id);
		if (!one || !one->kind[0] || str_equal(one->alias, HEARTH_ALIAS))
			continue;
		struct journal_stranger *stranger = &ret->strangers[ret->n_strangers++];
		memcpy(stranger->name, one->name, sizeof(stranger->name));
		memcpy(stranger->alias, one->alias, sizeof(stranger->alias));
	}
	return 0;
}

static void remember_other_name(const struct claim *claim, struct journal *ret)
{
	struct journal_other_name *other = &ret->other_names[ret->n_other_names++];
	memcpy(other->link, claim->link->name, sizeof(other->link));
	memcpy(other->name, claim->name, sizeof(other->name));
}

static void remember_ra(const struct kernel_link *one, struct journal *ret)
{
	struct journal_ra *ra = &ret->ras[ret->n_ras++];
	memcpy(ra->name, one->name, sizeof(ra->name));
	ra->accept_ra = 2;
}

/* What no document says of a link that the tried network has. One that gets one of its other names as its name has it back as
 * another name when that is undone. And a document says whether a link takes router advertisements, and not that it does so where
 * the machine forwards; any other number is to the kernel as 1 is. */
static int remember_claimed(const struct kernel *kernel, const struct network *tried, struct journal *ret, struct diag *reterr)
{
	CLEANUP(claims_done) struct claims claims = {0};
	int error = claims_make(tried, kernel, &claims, reterr);
	if (error < 0)
		return error;
	ret->other_names = calloc(claims.n + 1, sizeof(*ret->other_names));
	ret->ras = calloc(claims.n + 1, sizeof(*ret->ras));
	if (!ret->other_names || !ret->ras)
		return -ENOMEM;
	for (size_t i = 0; i < claims.n; i++) {
		const struct claim *claim = &claims.claims[i];
		if (claim->link && kernel_link_has_other_name(claim->link, claim->name))
			remember_other_name(claim, ret);
		if (claim->link && claim->link->takes_ra_forwarding && ret->n_ras < JOURNAL_MAX_STRANGERS)
			remember_ra(claim->link, ret);
	}
	return 0;
}

static int remember_files(const struct trial *trial, struct journal *ret, struct diag *reterr)
{
	struct netconf_options options = options_of(trial);
	if (options.without_networkd)
		return 0;
	int error = networkd_read(options.networkd_folder, &ret->files, reterr);
	if (error < 0)
		return error;
	ret->has_files = true;
	error = file_read(options.resolv_conf, MAX_RESOLV, &ret->resolv, NULL, reterr);
	return error == -ENOENT ? 0 : error;
}

static int remember(const struct trial *trial, struct network *tried, struct journal *ret, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(network_freep) struct network *before = NULL, *confirmed = NULL;
	AUTO_FREE char *document = trial_confirmed(trial), *key_folder = str_format("%s/" TRIAL_KEYS, trial_folder(trial));
	if (!key_folder)
		return -ENOMEM;
	int error = kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES | KERNEL_ROUTES | KERNEL_RULES, &kernel, reterr);
	if (error == 0)
		error = kernel_read_wireguard(kernel, reterr);
	if (error == 0)
		error = remember_strangers(kernel, tried, ret);
	if (error == 0)
		error = remember_claimed(kernel, tried, ret, reterr);
	if (error == 0 && document)
		(void)trial_decode(trial, document, &confirmed, NULL); // one that cannot be read says nothing of what is
	if (error == 0)
		error = before_document(kernel, tried, confirmed, key_folder, &ret->before, &before, reterr);
	if (error == 0)
		error = protocols_of(kernel, before, &ret->protocols);
	if (error == 0 && (error = file_make_folders(key_folder, 0700)) < 0)
		return diag_set(reterr, error, key_folder, "cannot be made: %s", strerror(-error));
	if (error == 0)
		error = before_save_keys(before, kernel, reterr);
	return error < 0 ? error : remember_files(trial, ret, reterr);
}

// --- trying ---

static int plan(const struct trial *trial, struct network *network, struct plan **ret, struct diag *reterr)
{
	int error = netconf_plan(network, trial->options, ret, reterr);
	return error < 0 ? error : plan_n_changes(*ret) == 0;
}

static int apply(const struct trial *trial, struct network *network, struct plan *planned, struct diag *reterr)
{
	int error = netconf_apply_plan(network, planned, trial->options, reterr);
	bool waits_in_vain = error == 0 && plan_waits_in_vain(planned); // elsewhere that is no failure: all else stands
	return waits_in_vain ? diag_set(reterr, -EADDRINUSE, "", "%s", plan_waits_for(planned)) : error;
}

// --- the way back ---

static int restore_alias(struct netlink *netlink, const struct kernel_link *one, const char *alias, struct diag *reterr)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = one->index};
	CLEANUP(nl_msgp) struct nl_msg *message = netlink_message(RTM_NEWLINK, 0, &header, sizeof(header));
	if (!message || nla_put_string(message, IFLA_IFALIAS, alias) < 0)
		return -ENOMEM;
	return netlink_call(netlink, TAKE_PTR(message), reterr);
}

static int restore_aliases(const struct journal *journal, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	int error = journal->n_strangers ? kernel_read(KERNEL_LINKS, &kernel, reterr) : 0;
	for (size_t i = 0; error == 0 && i < journal->n_strangers; i++) {
		const struct journal_stranger *stranger = &journal->strangers[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, stranger->name);
		if (!one || !str_equal(one->alias, HEARTH_ALIAS))
			continue;
		if (!netlink)
			error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
		if (error == 0)
			error = restore_alias(netlink, one, stranger->alias, reterr);
	}
	return error;
}

static int restore_other_names(const struct journal *journal, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	int error = journal->n_other_names ? kernel_read(KERNEL_LINKS, &kernel, reterr) : 0;
	for (size_t i = 0; error == 0 && i < journal->n_other_names; i++) {
		const struct journal_other_name *other = &journal->other_names[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, other->link);
		if (!one || kernel_link_has_other_name(one, other->name)) // undone before it was renamed
			continue;
		if (!netlink)
			error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
		struct nl_msg *message = error == 0 ? change_message_other_name(one->index, other->name) : NULL;
		if (error == 0)
			error = message ? netlink_call(netlink, message, reterr) : -ENOMEM;
	}
	return error;
}

// Where it was not changed it may be that nobody can: it is written only where it is another one.
static int restore_ras(const struct journal *journal, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	int error = journal->n_ras ? kernel_read(KERNEL_LINKS, &kernel, reterr) : 0;
	for (size_t i = 0; error == 0 && i < journal->n_ras; i++) {
		const struct journal_ra *ra = &journal->ras[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, ra->name);
		if (!one || !one->has_ra || (ra->accept_ra == 2 && one->takes_ra_forwarding))
			continue;
		error = apply_conf("ipv6", ra->name, "accept_ra", (char)('0' + ra->accept_ra));
		if (error < 0)
			(void)diag_set(reterr, error, ra->name, "accept_ra cannot be set: %s", strerror(-error));
	}
	return error;
}

static int restore_kernel(const struct trial *trial, const struct journal *journal, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	CLEANUP(network_freep) struct network *network = NULL;
	struct netconf_options options = options_of(trial);
	options.without_networkd = true; // its files are put back as they were
	options.without_waiting = false; // nobody comes again
	options.without_taking_over = true; // journal->protocols has what was ours
	struct diag diag = {0}, lost = {0};
	int error = yaml_parse(journal->before, strlen(journal->before), JOURNAL_MAX_BYTES, "journal", &value, &diag);
	if (error == 0)
		error = netconf_decode(value, &network, &diag);
	if (error == -EINVAL) // of another version of this program: it never will
		return diag_set(reterr, -EBADMSG, "journal", "holds no network (%s)", diag_text(&diag));
	if (error < 0)
		return diag_set(reterr, error, "journal", "%s", diag_text(&diag));
	bool is_whole = protocols_give(&journal->protocols, network, &lost) == 0;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	error = netconf_plan(network, &options, &plan, reterr);
	if (error == 0)
		error = netconf_apply_plan(network, plan, &options, reterr);
	if (error == 0)
		error = restore_aliases(journal, reterr);
	if (error == 0)
		error = restore_other_names(journal, reterr);
	if (error == 0)
		error = restore_ras(journal, reterr);
	if (error < 0 || (is_whole && !plan_waits_in_vain(plan)))
		return error;
	return diag_set(reterr, 1, "", "%s", is_whole ? plan_waits_for(plan) : diag_text(&lost));
}

static int restore_resolv(const struct journal *journal, const char *path, struct diag *reterr)
{
	if (journal->resolv)
		return file_write_volatile(path, journal->resolv, strlen(journal->resolv), 0644, reterr);
	int error = file_remove(path);
	return error < 0 ? diag_set(reterr, error, path, "cannot be removed: %s", strerror(-error)) : 0;
}

// One of our files becomes @content (NULL: it goes); networkd owes a look at them before the first.
static int restore_file(const struct netconf_options *options, const char *name, const char *content, bool *owed,
	struct diag *reterr)
{
	int error = *owed ? 0 : networkd_owe(options->run_folder, reterr);
	*owed = true;
	return error < 0 ? error : networkd_write(options->networkd_folder, name, content, reterr);
}

static int restore_files(const struct trial *trial, const struct journal *journal, struct diag *reterr)
{
	CLEANUP(config_files_done) struct config_files now = {0};
	struct netconf_options options = options_of(trial);
	bool owed = false, restart = false;
	(void)file_remove_leftovers(options.networkd_folder); // of whoever was killed; nobody reads them
	int error = networkd_read(options.networkd_folder, &now, reterr);
	for (size_t i = 0; error == 0 && i < now.n; i++) {
		if (config_files_find(&journal->files, now.files[i].name))
			continue;
		restart |= str_equal(now.files[i].name, "../" NETWORKD_CONF);
		error = restore_file(&options, now.files[i].name, NULL, &owed, reterr);
	}
	for (size_t i = 0; error == 0 && i < journal->files.n; i++) {
		const struct config_file *before = &journal->files.files[i], *there = config_files_find(&now, before->name);
		if (there && str_equal(there->content, before->content))
			continue;
		restart |= str_equal(before->name, "../" NETWORKD_CONF);
		error = restore_file(&options, before->name, before->content, &owed, reterr);
	}
	if (error == 0 && networkd_owes(options.run_folder))
		error = networkd_tell(options.run_folder, restart, reterr);
	if (error == -ENOTCONN) // no D-Bus: the next apply tells it
		error = 0;
	return error < 0 ? error : restore_resolv(journal, options.resolv_conf, reterr);
}

static int restore(const struct trial *trial, const struct journal *journal, struct diag *reterr)
{
	// a link that cannot be made again is no reason to leave networkd with the tried network's files
	int error = restore_kernel(trial, journal, reterr);
	struct diag diag = {0};
	int files = journal->has_files ? restore_files(trial, journal, &diag) : 0;
	if (error == 0 && files < 0 && reterr)
		*reterr = diag;
	return error < 0 || files == 0 ? error : files;
}

const struct trial_steps trial_kernel = {.remember = remember, .plan = plan, .apply = apply, .restore = restore};
