// Plan and apply as the agent and hearth-net call them: read the kernel, plan, do, tell networkd, write resolv.conf.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/apply-netlink.h"
#include "netconf/lease-files.h"
#include "netconf/resolv.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <poll.h>

enum { DAD_LOOK_MSEC = 100, DAD_PATIENCE = 30 }; // the kernel asks once, for a second, after up to one more

struct places {
	const char *networkd_folder, *resolv_conf, *run_folder;
	bool without_networkd;
};

static struct places places_of(const struct netconf_options *options)
{
	static const struct netconf_options defaults;
	if (!options)
		options = &defaults;
	return (struct places){
		.networkd_folder = options->networkd_folder ? options->networkd_folder : "/run/systemd/network",
		.resolv_conf = options->resolv_conf ? options->resolv_conf : "/run/hearth/resolv.conf",
		.run_folder = options->run_folder ? options->run_folder : "/run/hearth",
		.without_networkd = options->without_networkd,
	};
}

// The WireGuard devices of declared tunnels, and of those we made: one may get another name.
static int read_devices(const struct network *network, struct kernel *kernel, struct diag *reterr)
{
	for (size_t i = 0; i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i];
		bool is_declared = netconf_has_tunnel(network, one->name);
		if (!str_equal(one->kind, "wireguard") || !(is_declared || str_equal(one->alias, HEARTH_ALIAS)))
			continue;
		int error = wireguard_get(one->index, &one->wireguard, is_declared ? reterr : NULL);
		if (error < 0 && is_declared) // only root may; without its settings one that nobody declares just goes
			return error;
	}
	return 0;
}

int netconf_plan(struct network *network, const struct netconf_options *options, struct plan **ret,
	struct diag *reterr)
{
	struct places places = places_of(options);
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(config_files_done) struct config_files files = {0};
	int error = network_load_keys(network, reterr);
	if (error == 0)
		error = kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES | KERNEL_ROUTES | KERNEL_RULES, &kernel, reterr);
	if (error == 0)
		error = read_devices(network, kernel, reterr);
	if (error == 0 && !places.without_networkd)
		error = networkd_read(places.networkd_folder, &files, reterr);
	if (error < 0)
		return error;
	struct plan_input input = {
		.network = network,
		.kernel = kernel,
		.has_files = !places.without_networkd,
		.files = &files,
		.owes_reload = networkd_owes(places.run_folder),
		.without_taking_over = options && options->without_taking_over,
		.now_sec = time_wall_msec() / 1000,
	};
	error = plan_make(&input, ret, reterr);
	if (error == 0)
		(*ret)->kernel = TAKE_PTR(kernel);
	return error;
}

static bool is_link_file(const struct change *change)
{
	const char *dot = change->type == CHANGE_FILE_WRITE ? strrchr(change->file.name, '.') : NULL;
	return dot && str_equal(dot, ".link");
}

static int apply_file(const struct places *places, const struct change *change, bool *owed, struct diag *reterr)
{
	if (change->type == CHANGE_NETWORKD)
		return networkd_tell(places->run_folder, change->restart, reterr);
	int error = *owed ? 0 : networkd_owe(places->run_folder, reterr);
	*owed = true;
	return error < 0 ? error
			 : networkd_write(places->networkd_folder, change->file.name, change->file.content, reterr);
}

static bool is_for_networkd(const struct change *change)
{
	return change->type == CHANGE_FILE_WRITE || change->type == CHANGE_FILE_REMOVE || change->type == CHANGE_NETWORKD;
}

/* udev reads .link files when a link appears: they come before the links are made. The rest comes behind. What is behind a
 * failure of these is left: networkd reads them together; and so is what has to wait (@kept; NULL: nothing). */
static int apply_files(struct plan *plan, const struct places *places, bool link_files, const struct lease_files *kept,
	struct diag *reterr)
{
	struct plan_outcome *outcome = &plan->outcome;
	struct diag diag = {0};
	int error = 0;
	bool owed = false;
	for (size_t i = 0; i < plan->n; i++) {
		struct change *change = &plan->changes[i];
		if (!is_for_networkd(change) || is_link_file(change) != link_files)
			continue;
		if (error < 0 || (kept && lease_files_keep(kept, change))) {
			outcome->n_left++;
			continue;
		}
		if (kept && change->type == CHANGE_NETWORKD && !networkd_owes(places->run_folder))
			continue; // all of them wait
		error = apply_file(places, change, &owed, &diag);
		outcome->n_done += error == 0;
		if (error < 0)
			(void)plan_note_failure(plan, change, error, diag_text(&diag));
	}
	return plan_tell_failures(plan, error, reterr);
}

// Behind the kernel's part, of which something failed or is still to come when @is_whole is false.
static int apply_files_behind(struct plan *plan, const struct places *places, bool is_whole, struct diag *reterr)
{
	CLEANUP(lease_files_done) struct lease_files kept = {0};
	if (is_whole)
		return apply_files(plan, places, false, NULL, reterr);
	int error = lease_files_read(places->networkd_folder, &kept, reterr);
	return error < 0 ? error : apply_files(plan, places, false, &kept, reterr);
}

int netconf_update_resolv(const struct network *network, const struct netconf_options *options, struct diag *reterr)
{
	struct places places = places_of(options);
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(claims_done) struct claims claims = {0};
	struct resolv resolv = {0};
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *folder = strdup(places.resolv_conf);
	if (!folder)
		return -ENOMEM;
	int error = kernel_read(KERNEL_LINKS, &kernel, reterr);
	if (error == 0)
		error = claims_make(network, kernel, &claims, reterr);
	if (error < 0)
		return error;
	resolv_collect(&resolv, &claims);
	AUTO_FREE char *text = resolv_render(&resolv);
	if (!text)
		return -ENOMEM;
	(void)file_read(places.resolv_conf, 64 << 10, &old, NULL, NULL); // unreadable is the same as different
	if (str_equal(old, text))
		return 0;
	char *slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		error = file_make_folders(folder, 0755);
		if (error < 0)
			return diag_set(reterr, error, folder, "cannot be made: %s", strerror(-error));
	}
	error = file_write_volatile(places.resolv_conf, text, strlen(text), 0644, reterr);
	return error < 0 ? error : 1;
}

// Is an address of ours asked for? Then it is usable soon, or known to be somebody else's.
static bool asks_for_addresses(void)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	if (kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES, &kernel, NULL) < 0)
		return false; // planning again says why
	for (size_t i = 0; i < kernel->n_addresses; i++) {
		const struct kernel_address *address = &kernel->addresses[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, address->link_index);
		if (address->protocol == HEARTH_PROTOCOL && (address->flags & IFA_F_TENTATIVE) &&
			!(address->flags & IFA_F_DADFAILED) && one && one->asks_for_addresses)
			return true;
	}
	return false;
}

// True: it is worth while to plan again.
static bool wait_for_addresses(const struct netconf_options *options)
{
	if (options && options->without_waiting)
		return !asks_for_addresses();
	for (unsigned i = 0; i < DAD_PATIENCE && asks_for_addresses(); i++)
		(void)poll(NULL, 0, DAD_LOOK_MSEC); // woken early is as good
	return true;
}

/* Every part is done even when one fails: as much as can stand shall stand; the failures are in plan->outcome.
 *   ret_again  the kernel has to be read and planned for once more; NULL: there is no second time */
static int apply_once(struct network *network, struct plan *plan, const struct netconf_options *options, bool *ret_again,
	struct diag *reterr)
{
	struct places places = places_of(options);
	struct diag diag = {0};
	bool again = false;
	if (options && options->on_plan && plan->n)
		options->on_plan(plan, options->user);
	plan->outcome.is_begun = true;
	int result = places.without_networkd ? 0 : apply_files(plan, &places, true, NULL, &diag);
	int error = apply_netlink(plan, ret_again ? &again : NULL, reterr);
	again |= ret_again && plan->comes_in_two;
	if (error == 0 && ret_again && (plan->waits_for || again)) { // the second plan is the last one
		again |= wait_for_addresses(options);
		plan->is_half = !again;
	}
	if (error == 0 && again) {
		*ret_again = true;
		return 0;
	}
	if (error == 0)
		error = apply_marks(plan, reterr);
	if (!places.without_networkd && result == 0)
		result = apply_files_behind(plan, &places, error == 0 && !plan->is_half, &diag);
	if (!places.without_networkd) {
		int written = netconf_update_resolv(network, options, result < 0 ? NULL : &diag);
		result = result < 0 || written > 0 ? result : written;
	}
	if (error == 0 && result < 0) {
		error = result;
		if (reterr)
			*reterr = diag;
	}
	return error;
}

int netconf_take_over(const struct plan *plan, struct diag *reterr)
{
	return apply_marks(plan, reterr);
}

int netconf_apply_plan(struct network *network, struct plan *plan, const struct netconf_options *options,
	struct diag *reterr)
{
	CLEANUP(plan_freep) struct plan *second = NULL;
	bool again = false;
	int error = apply_once(network, plan, options, &again, reterr);
	if (error == 0 && again)
		error = netconf_plan(network, options, &second, reterr);
	if (error < 0 || !again)
		return error;
	error = apply_once(network, second, options, NULL, reterr);
	plan_add_outcome(plan, second);
	free(plan->waits_for);
	plan->waits_for = TAKE_PTR(second->waits_for);
	plan->waits_in_vain = second->waits_in_vain;
	return error;
}

int netconf_apply(struct network *network, const struct netconf_options *options, size_t *ret_n_changes,
	struct diag *reterr)
{
	CLEANUP(plan_freep) struct plan *plan = NULL;
	int error = netconf_plan(network, options, &plan, reterr);
	if (error == 0)
		error = netconf_apply_plan(network, plan, options, reterr);
	if (error == 0 && ret_n_changes)
		*ret_n_changes = plan->n;
	return error;
}
