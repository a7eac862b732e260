// Trials on a network that is a file: whatever moment the power goes or the program is killed, what stands in the end is
// the last confirmed network or the new one.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/time.h"
#include "netconf/trial.h"

#include <errno.h>
#include <sys/wait.h>

#define OLD "network: {version: 2, dummy-devices: {old: {}}}\n"
#define NEW "network: {version: 2, dummy-devices: {new: {}}}\n"
enum { KILLED = 9, HOUR_SEC = 3600 };

struct machine { // the double: the network is the id of its one link, in a file that a power cut empties
	char folder[64];
	struct netconf_options options;
	struct trial trial;
	unsigned n_steps, kill_at; // the process ends before step @kill_at; 0: never
	bool restores_partly, no_network; // when undone
	bool fail_apply, fail_restore, lacks_key, lacks_bus;
	unsigned n_plans;
};

// --- the double ---

static const char *kernel_path(const struct machine *machine)
{
	static char path[128];
	(void)snprintf(path, sizeof(path), "%s/kernel", machine->folder);
	return path;
}

static void step(const struct trial *trial)
{
	struct machine *machine = trial->user;
	if (++machine->n_steps == machine->kill_at)
		_exit(KILLED);
}

static void set_kernel(const struct machine *machine, const char *text)
{
	assert_int_equal(file_write_volatile(kernel_path(machine), text, strlen(text), 0600, NULL), 0);
}

static void expect_kernel(const struct machine *machine, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	assert_int_equal(file_read(kernel_path(machine), 1 << 10, &text, NULL, NULL), 0);
	assert_string_equal(text, wanted);
}

static int remember(const struct trial *trial, struct network *tried, struct journal *ret, struct diag *reterr)
{
	step(trial);
	ret->before = NULL;
	return file_read(kernel_path(trial->user), 1 << 10, &ret->before, NULL, reterr);
}

static int apply(const struct trial *trial, struct network *network, struct plan *plan, struct diag *reterr)
{
	struct machine *machine = trial->user;
	step(trial);
	set_kernel(machine, "between");
	if (machine->fail_apply && str_equal(network->declarations[0].id, "new"))
		return diag_set(reterr, -EBUSY, "new", "the kernel says no");
	step(trial);
	set_kernel(machine, network->n ? network->declarations[0].id : "");
	step(trial);
	return machine->lacks_bus ? diag_set(reterr, -ENOTCONN, "networkd", "D-Bus cannot be reached yet") : 0;
}

static int plan(const struct trial *trial, struct network *network, struct plan **ret, struct diag *reterr)
{
	struct machine *machine = trial->user;
	AUTO_FREE char *text = NULL;
	machine->n_plans++;
	if (machine->lacks_key)
		return diag_set(reterr, -ENOENT, "/etc/wg.key", "cannot be opened");
	int error = file_read(kernel_path(trial->user), 1 << 10, &text, NULL, reterr);
	return error < 0 ? error : str_equal(text, network->declarations[0].id);
}

static int restore(const struct trial *trial, const struct journal *journal, struct diag *reterr)
{
	struct machine *machine = trial->user;
	if (machine->fail_restore)
		return diag_set(reterr, -EIO, "", "the kernel says no again");
	if (machine->no_network)
		return diag_set(reterr, -EBADMSG, "journal", "holds no network");
	step(trial);
	set_kernel(machine, "between");
	step(trial);
	set_kernel(machine, journal->before);
	step(trial);
	if (machine->restores_partly)
		return diag_set(reterr, 1, "", "whose it was is not known");
	(void)diag_set(reterr, -ENOENT, "file", "is not there, which is no failure");
	return 0;
}

static const struct trial_steps steps = {.remember = remember, .plan = plan, .apply = apply, .restore = restore};

// --- the machine ---

static struct network *decode(const char *document)
{
	struct network *network = NULL;
	assert_int_equal(trial_decode(&(struct trial){0}, document, &network, NULL), 0);
	return network;
}

static int lock(const struct machine *machine)
{
	int fd = -1;
	assert_int_equal(trial_lock(&machine->trial, 0, &fd, NULL), 0);
	return fd;
}

static int begin(const struct machine *machine, const char *document, uint64_t timeout_sec, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = decode(document);
	AUTO_CLOSE int lock_fd = lock(machine);
	struct plan *unused = NULL;
	uint64_t deadline_usec = timeout_sec ? time_boot_usec() + timeout_sec * USEC_PER_SEC : 0;
	int result = trial_prepare(&machine->trial, lock_fd, network, &unused, reterr);
	return result < 0 ? result : trial_begin(&machine->trial, lock_fd, document, network, unused, deadline_usec, reterr);
}

// What a person orders stands by itself.
static int stand(const struct machine *machine)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_stand(&machine->trial, lock_fd, NULL);
}

static int confirm(const struct machine *machine, uint64_t later_sec, struct diag *reterr)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_confirm(&machine->trial, lock_fd, time_boot_usec() + later_sec * USEC_PER_SEC, reterr);
}

static int recover(const struct machine *machine, uint64_t later_sec, struct diag *reterr)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_recover(&machine->trial, lock_fd, time_boot_usec() + later_sec * USEC_PER_SEC, reterr);
}

static int boot(const struct machine *machine, struct diag *reterr)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_boot(&machine->trial, lock_fd, time_boot_usec(), reterr);
}

static int revert(const struct machine *machine, struct diag *reterr)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_revert(&machine->trial, lock_fd, reterr);
}

static int try_revert(const struct machine *machine)
{
	AUTO_CLOSE int lock_fd = lock(machine);
	return trial_try_revert(&machine->trial, lock_fd, NULL);
}

static enum trial_standing look(const struct machine *machine)
{
	return trial_look(&machine->trial, time_boot_usec(), NULL);
}

// A machine with OLD confirmed and applied.
static int machine_new(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	*state = machine;
	(void)snprintf(machine->folder, sizeof(machine->folder), "/tmp/hearth-trial-XXXXXX");
	if (!machine || !mkdtemp(machine->folder))
		return -1;
	machine->options.run_folder = machine->folder;
	machine->trial = (struct trial){.folder = machine->folder, .who = "test", .boot_id = "first", .options = &machine->options,
		.steps = &steps, .user = machine};
	set_kernel(machine, "");
	if (begin(machine, OLD, 0, NULL) < 0 || stand(machine) < 0)
		return -1;
	machine->n_steps = 0;
	return 0;
}

static int machine_free(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *command = str_format("rm -rf '%s'", machine->folder);
	int error = system(command);
	free(machine);
	return error;
}

static void cut_power(struct machine *machine)
{
	machine->trial.boot_id = "second";
	set_kernel(machine, "");
}

static void expect_confirmed(const struct machine *machine, const char *wanted)
{
	AUTO_FREE char *confirmed = trial_confirmed(&machine->trial);
	assert_string_equal(confirmed, wanted);
}

// --- cases ---

static void confirmed_network_stands(void **state)
{
	struct machine *machine = *state;
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(look(machine), TRIAL_WAITS);
	expect_confirmed(machine, OLD);
	assert_int_equal(confirm(machine, 0, NULL), 0);
	assert_int_equal(look(machine), TRIAL_NONE);
	assert_int_equal(recover(machine, HOUR_SEC, NULL), 0);
	expect_kernel(machine, "new");
	expect_confirmed(machine, NEW);
}

static void unconfirmed_network_is_undone_in_time(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(recover(machine, 29, NULL), 0);
	expect_kernel(machine, "new"); // somebody waits for it
	assert_int_equal(confirm(machine, 31, &diag), -ETIME);
	assert_int_equal(recover(machine, 31, &diag), 1);
	assert_non_null(strstr(diag.message, "that test tried at "));
	expect_kernel(machine, "old");
	expect_confirmed(machine, OLD);
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void revert_undoes_at_once(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(revert(machine, NULL), 1);
	expect_kernel(machine, "old");
	assert_int_equal(revert(machine, &diag), -ENOENT);
	assert_string_equal(diag.message, "no network is on trial");
	assert_int_equal(confirm(machine, 0, NULL), -ENOENT);
}

static void what_a_kill_left_of_a_write_goes(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *left = str_format("%s/tried-network.new-0123abcd", machine->folder);
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(file_write_volatile(left, "half", 4, 0600, NULL), 0);
	assert_int_equal(revert(machine, NULL), 1);
	assert_false(file_exists(left));
}

static void one_trial_at_a_time(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(begin(machine, OLD, 30, &diag), -EBUSY);
	assert_string_equal(diag.message, "another network is on trial: confirm or revert it first");
	assert_int_equal(begin(machine, OLD, 0, NULL), -EBUSY);
	expect_kernel(machine, "new");
	AUTO_CLOSE int lock_fd = lock(machine);
	int second = -1;
	assert_int_equal(trial_lock(&machine->trial, 0, &second, &diag), -EWOULDBLOCK);
	AUTO_FREE char *holder = trial_lock_holder(&machine->trial);
	AUTO_FREE char *us = str_format("netconf-test-tr (process %d)", (int)getpid()); // the kernel has 15 letters of it
	AUTO_FREE char *words = str_format("%s is at work", us);
	assert_string_equal(holder, us);
	assert_string_equal(diag.message, words);
	close(lock_fd);
	lock_fd = -1;
	assert_null(trial_lock_holder(&machine->trial));
}

static void network_that_fails_is_undone(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	machine->fail_apply = true;
	assert_int_equal(begin(machine, NEW, 30, &diag), -EBUSY);
	assert_string_equal(diag_text(&diag), "new: the kernel says no");
	expect_kernel(machine, "old");
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void undoing_that_fails_is_said_and_done_later(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	machine->fail_apply = machine->fail_restore = true;
	assert_int_equal(begin(machine, NEW, 30, &diag), -EBUSY);
	assert_string_equal(diag_text(&diag), "new: the kernel says no; undoing it failed, too: the kernel says no again");
	assert_int_equal(look(machine), TRIAL_WAITS);
	machine->fail_restore = false;
	assert_int_equal(revert(machine, NULL), 1);
	expect_kernel(machine, "old");
}

static void power_cut_leads_to_the_confirmed_network(void **state)
{
	struct machine *machine = *state;
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	cut_power(machine);
	assert_int_equal(look(machine), TRIAL_STALE);
	assert_int_equal(recover(machine, 0, NULL), 1);
	expect_kernel(machine, "old");
}

// As early in a boot as nothing else is: networkd reads its files when it starts.
static void power_cut_is_recovered_from_before_there_is_a_bus(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	cut_power(machine);
	machine->lacks_bus = true;
	assert_int_equal(recover(machine, 0, &diag), 1);
	assert_non_null(strstr(diag.message, "was never confirmed and is undone"));
	expect_kernel(machine, "old");
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void boot_applies_the_confirmed_network(void **state)
{
	struct machine *machine = *state;
	cut_power(machine);
	assert_int_equal(recover(machine, 0, NULL), 0);
	expect_kernel(machine, "");
	machine->lacks_bus = true;
	assert_int_equal(boot(machine, NULL), 0);
	expect_kernel(machine, "old");
	expect_confirmed(machine, OLD);
}

static void boot_undoes_what_a_power_cut_left(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(boot(machine, NULL), 0);
	expect_kernel(machine, "new"); // it waits for its confirmation
	cut_power(machine);
	assert_int_equal(boot(machine, &diag), 1);
	assert_non_null(strstr(diag.message, "was never confirmed and is undone"));
	expect_kernel(machine, "old");
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void boot_without_a_confirmed_network_changes_nothing(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *confirmed = str_format("%s/" TRIAL_CONFIRMED, machine->folder);
	cut_power(machine);
	assert_int_equal(unlink(confirmed), 0);
	assert_int_equal(boot(machine, NULL), 0);
	expect_kernel(machine, "");
}

static void boot_tells_why_the_confirmed_network_is_not_there(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	cut_power(machine);
	machine->lacks_key = true;
	assert_int_equal(boot(machine, &diag), -EIO); // -ENOENT would be "nothing to undo"
	assert_string_equal(diag_text(&diag), "/etc/wg.key: cannot be opened");
}

static void damaged_journal_leads_to_the_confirmed_network(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *path = str_format("%s/" JOURNAL_NAME, machine->folder);
	AUTO_FREE char *aside = str_format("%s/" JOURNAL_NAME ".damaged-1", machine->folder);
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(file_write_volatile(path, "rubbish", 7, 0600, NULL), 0);
	assert_int_equal(look(machine), TRIAL_DAMAGED);
	assert_int_equal(recover(machine, 0, &diag), 1);
	assert_non_null(strstr(diag.message, aside));
	assert_true(file_exists(aside));
	expect_kernel(machine, "old");
	expect_confirmed(machine, OLD);
}

static void damage_journal(const struct machine *machine)
{
	AUTO_FREE char *path = str_format("%s/" JOURNAL_NAME, machine->folder);
	assert_int_equal(file_write_volatile(path, "rubbish", 7, 0600, NULL), 0);
}

// What was tried, and until when, nobody knows: it does not stand, and it does not stand unconfirmed.
static void damaged_journal_is_undone_and_not_confirmed(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	damage_journal(machine);
	assert_int_equal(confirm(machine, 0, &diag), -ETIME);
	assert_non_null(strstr(diag.message, "; the last confirmed network is applied"));
	expect_kernel(machine, "old");
	expect_confirmed(machine, OLD);
	assert_int_equal(look(machine), TRIAL_NONE);
	assert_int_equal(confirm(machine, 0, NULL), -ENOENT);
}

static void damaged_journal_stays_until_the_confirmed_network_is_there(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	damage_journal(machine);
	machine->lacks_key = true;
	assert_int_equal(confirm(machine, 0, &diag), -EIO);
	assert_string_equal(diag_text(&diag), "/etc/wg.key: cannot be opened");
	assert_int_equal(look(machine), TRIAL_DAMAGED);
	machine->lacks_key = false;
	assert_int_equal(revert(machine, &diag), 1);
	expect_kernel(machine, "old");
}

static void damaged_journal_without_a_confirmed_network_is_said(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *confirmed = str_format("%s/" TRIAL_CONFIRMED, machine->folder);
	struct diag diag = {0};
	assert_int_equal(file_remove(confirmed), 0);
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	damage_journal(machine);
	assert_int_equal(revert(machine, &diag), -ENODATA);
	assert_non_null(strstr(diag.message, "no network was ever confirmed, so what there is stays"));
	expect_kernel(machine, "new");
	assert_int_equal(begin(machine, OLD, 30, NULL), 0); // and nobody is stopped by it
	damage_journal(machine);
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
}

static void what_is_not_as_it_was_is_said(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	machine->restores_partly = true;
	assert_int_equal(revert(machine, &diag), 1);
	assert_string_equal(diag.message, "whose it was is not known");
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void journal_of_no_network_is_damaged(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	machine->no_network = true;
	assert_int_equal(revert(machine, &diag), 1);
	assert_non_null(strstr(diag_text(&diag), "journal: holds no network and was set aside as "));
	expect_kernel(machine, "old");
}

static void nothing_to_change_is_known_before_anything_is_written(void **state)
{
	struct machine *machine = *state;
	CLEANUP(network_freep) struct network *network = decode(OLD);
	AUTO_CLOSE int lock_fd = lock(machine);
	struct plan *unused = NULL;
	assert_int_equal(trial_prepare(&machine->trial, lock_fd, network, &unused, NULL), 1);
	assert_int_equal(machine->n_steps, 0);
	assert_int_equal(look(machine), TRIAL_NONE);
}

static void a_change_is_planned_once(void **state)
{
	struct machine *machine = *state;
	machine->n_plans = 0;
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(machine->n_plans, 1);
}

// What was before was not the confirmed network: a node reached its region by first contact, and another one was assigned.
static void undoing_leads_to_what_was_and_not_to_the_confirmed(void **state)
{
	struct machine *machine = *state;
	set_kernel(machine, "first contact");
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(revert(machine, NULL), 1);
	expect_kernel(machine, "first contact");
	expect_confirmed(machine, OLD);
}

static void what_cannot_be_restored_becomes_the_confirmed_network(void **state)
{
	struct machine *machine = *state;
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	machine->fail_restore = true;
	assert_int_equal(try_revert(machine), -EIO);
	expect_kernel(machine, "new"); // as long as somebody tries again
	assert_int_equal(revert(machine, NULL), -EIO);
	expect_kernel(machine, "old");
	assert_int_equal(look(machine), TRIAL_WAITS);
	machine->fail_restore = false;
	assert_int_equal(try_revert(machine), 1);
	assert_int_equal(look(machine), TRIAL_NONE);
}

// hearthd has what is below the assigned network.
static void who_has_another_network_gets_no_confirmed_one(void **state)
{
	struct machine *machine = *state;
	machine->trial.has_other = true;
	machine->fail_restore = true;
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(revert(machine, NULL), -EIO);
	assert_int_equal(recover(machine, HOUR_SEC, NULL), -EIO);
	expect_kernel(machine, "new");
	AUTO_CLOSE int lock_fd = lock(machine);
	assert_int_equal(trial_abandon(&machine->trial, lock_fd, NULL), 0);
	assert_int_equal(look(machine), TRIAL_NONE);
	expect_kernel(machine, "new");
	expect_confirmed(machine, OLD);
}

// The guard and hearthd take -ENOENT for a trial that has ended.
static void missing_key_is_no_missing_trial(void **state)
{
	struct machine *machine = *state;
	struct diag diag = {0};
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	cut_power(machine);
	machine->lacks_key = true;
	assert_int_equal(revert(machine, &diag), -EIO);
	assert_string_equal(diag_text(&diag), "/etc/wg.key: cannot be opened");
	assert_int_equal(look(machine), TRIAL_STALE);
	machine->lacks_key = false;
	assert_int_equal(revert(machine, NULL), 1);
	expect_kernel(machine, "old");
}

// `hearth-net apply` and its guard were killed while they changed the network: that is nothing to confirm.
static void killed_order_cannot_be_confirmed(void **state)
{
	struct machine *machine = *state;
	assert_int_equal(begin(machine, NEW, 0, NULL), 0);
	assert_int_equal(confirm(machine, 0, NULL), -ETIME);
	expect_confirmed(machine, OLD);
	assert_int_equal(recover(machine, 0, NULL), 1);
	expect_kernel(machine, "old");
}

// Nobody asks for so long: a deadline that is damaged must not have everybody wait for it.
static void deadline_beyond_any_trial_is_over(void **state)
{
	struct machine *machine = *state;
	assert_int_equal(begin(machine, NEW, 25 * HOUR_SEC, NULL), 0);
	assert_int_equal(look(machine), TRIAL_STALE);
	assert_int_equal(recover(machine, 0, NULL), 1);
	expect_kernel(machine, "old");
}

// STATE is full: nothing was changed, and nothing is left that takes its room or waits for a confirmation.
static void journal_that_cannot_be_written_leaves_nothing(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *path = str_format("%s/" JOURNAL_NAME, machine->folder);
	AUTO_FREE char *tried = str_format("%s/" TRIAL_TRIED, machine->folder);
	assert_int_equal(file_make_folders(path, 0700), 0); // a file cannot take its place
	CLEANUP(network_freep) struct network *network = decode(NEW);
	AUTO_CLOSE int lock_fd = lock(machine);
	assert_true(trial_begin(&machine->trial, lock_fd, NEW, network, NULL, time_boot_usec() + HOUR_SEC * USEC_PER_SEC, NULL) < 0);
	expect_kernel(machine, "old");
	assert_false(file_exists(tried));
}

// Runs the whole of a trial (or of an order) in a process that is killed before its @kill_at-th step.
static bool killed(struct machine *machine, unsigned kill_at, uint64_t timeout_sec, bool confirms)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		machine->n_steps = 0;
		machine->kill_at = kill_at;
		if (begin(machine, NEW, timeout_sec, NULL) < 0)
			_exit(1);
		_exit((!confirms ? revert(machine, NULL) : timeout_sec ? confirm(machine, 0, NULL) : stand(machine)) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED));
	return WEXITSTATUS(status) == KILLED;
}

static void expect_old_or_new_after_kills(struct machine *machine, uint64_t timeout_sec, bool confirms, bool power)
{
	unsigned n_kills = 0;
	for (unsigned at = 1;; at++) {
		set_kernel(machine, "old");
		AUTO_CLOSE int lock_fd = lock(machine);
		assert_int_equal(trial_keep(&machine->trial, lock_fd, OLD, NULL), 0);
		(void)close(TAKE_FD(lock_fd));
		if (!killed(machine, at, timeout_sec, confirms))
			break;
		n_kills++;
		machine->trial.boot_id = power ? "second" : "first";
		if (power)
			set_kernel(machine, "");
		int recovered = recover(machine, HOUR_SEC, NULL);
		assert_true(recovered >= 0);
		// without a journal nothing was begun, and a start applies what is confirmed
		expect_kernel(machine, power && recovered == 0 ? "" : "old");
		expect_confirmed(machine, OLD);
		assert_int_equal(look(machine), TRIAL_NONE);
		machine->trial.boot_id = "first";
	}
	assert_in_range(n_kills, 4, 20);
	expect_kernel(machine, confirms ? "new" : "old");
	expect_confirmed(machine, confirms ? NEW : OLD);
}

static void kill_at_any_step_of_an_order(void **state)
{
	expect_old_or_new_after_kills(*state, 0, true, false);
}

static void kill_at_any_step_of_a_trial(void **state)
{
	expect_old_or_new_after_kills(*state, 30, true, false);
}

static void kill_at_any_step_of_undoing(void **state)
{
	expect_old_or_new_after_kills(*state, 30, false, false);
}

static void power_cut_at_any_step(void **state)
{
	expect_old_or_new_after_kills(*state, 30, false, true);
}

// The new document took the place of the confirmed one, and then it was killed.
static void kill_between_the_rename_and_the_journal(void **state)
{
	struct machine *machine = *state;
	AUTO_FREE char *tried = str_format("%s/" TRIAL_TRIED, machine->folder);
	AUTO_FREE char *confirmed = str_format("%s/" TRIAL_CONFIRMED, machine->folder);
	assert_int_equal(begin(machine, NEW, 30, NULL), 0);
	assert_int_equal(file_replace(tried, confirmed, NULL), 0);
	assert_int_equal(recover(machine, HOUR_SEC, NULL), 0);
	expect_kernel(machine, "new");
	expect_confirmed(machine, NEW);
	assert_int_equal(look(machine), TRIAL_NONE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, machine_new, machine_free)
	const struct CMUnitTest tests[] = {
		CASE(confirmed_network_stands),
		CASE(unconfirmed_network_is_undone_in_time),
		CASE(revert_undoes_at_once),
		CASE(what_a_kill_left_of_a_write_goes),
		CASE(one_trial_at_a_time),
		CASE(network_that_fails_is_undone),
		CASE(undoing_that_fails_is_said_and_done_later),
		CASE(power_cut_leads_to_the_confirmed_network),
		CASE(power_cut_is_recovered_from_before_there_is_a_bus),
		CASE(boot_applies_the_confirmed_network),
		CASE(boot_undoes_what_a_power_cut_left),
		CASE(boot_without_a_confirmed_network_changes_nothing),
		CASE(boot_tells_why_the_confirmed_network_is_not_there),
		CASE(damaged_journal_leads_to_the_confirmed_network),
		CASE(damaged_journal_is_undone_and_not_confirmed),
		CASE(damaged_journal_stays_until_the_confirmed_network_is_there),
		CASE(damaged_journal_without_a_confirmed_network_is_said),
		CASE(what_is_not_as_it_was_is_said),
		CASE(journal_of_no_network_is_damaged),
		CASE(nothing_to_change_is_known_before_anything_is_written),
		CASE(a_change_is_planned_once),
		CASE(undoing_leads_to_what_was_and_not_to_the_confirmed),
		CASE(what_cannot_be_restored_becomes_the_confirmed_network),
		CASE(who_has_another_network_gets_no_confirmed_one),
		CASE(missing_key_is_no_missing_trial),
		CASE(killed_order_cannot_be_confirmed),
		CASE(deadline_beyond_any_trial_is_over),
		CASE(journal_that_cannot_be_written_leaves_nothing),
		CASE(kill_at_any_step_of_an_order),
		CASE(kill_at_any_step_of_a_trial),
		CASE(kill_at_any_step_of_undoing),
		CASE(power_cut_at_any_step),
		CASE(kill_between_the_rename_and_the_journal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
