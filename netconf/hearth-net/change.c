// What changes the network: apply, try, and the ends of a trial.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/guard.h"
#include "netconf/hearth-net/tell.h"
#include "netconf/network-text.h"

#include "base/time.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <termios.h>

enum {
	LOOK_MSEC = 100,
	QUIET_SEC = 1,
	BEGIN_WAIT_SEC = 10, // hearthd has the lock for a moment now and then, and so has the guard of one that was killed
	END_WAIT_SEC = 30,
};

// The document that stands: a file as somebody wrote it; several are one only as what they come to.
static int load(const struct arguments *arguments, struct network **ret, char **ret_document, struct diag *reterr)
{
	int error = load_network(arguments, ret, ret_document, reterr);
	if (error == 0 && !*ret_document && !(*ret_document = network_text(*ret)))
		return -ENOMEM;
	return error;
}

// A person who sees nothing for long asks why.
static int take_lock(const struct trial *trial, unsigned wait_sec, int *ret_lock_fd, struct diag *reterr)
{
	int error = trial_lock(trial, QUIET_SEC * USEC_PER_SEC, ret_lock_fd, reterr);
	if (error != -EWOULDBLOCK)
		return error;
	AUTO_FREE char *holder = trial_lock_holder(trial);
	fprintf(stderr, "hearth-net: waiting up to %u s more for %s, which is at work on the network\n", wait_sec - QUIET_SEC,
		holder ? holder : "another hearth-net, or hearthd");
	return trial_lock(trial, (wait_sec - QUIET_SEC) * USEC_PER_SEC, ret_lock_fd, reterr);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

// "3 changes made", and what is Hearth's now.
static char *made_text(const struct plan *plan)
{
	AUTO_FREE char *taken = plan_taken_over(plan);
	return str_format("%zu change%s made%s%s", plan_n_changes(plan), plural(plan_n_changes(plan)), taken ? "; " : "",
		taken ? taken : "");
}

// What of the change stands, and what to do.
static char *standing_text(const struct arguments *arguments, const struct plan_outcome *outcome)
{
	AUTO_FREE char *confirmed = trial_confirmed(&arguments->trial);
	AUTO_FREE char *failed = NULL, *left = NULL;
	if (outcome->n_failed)
		failed = str_format("%zu failed", outcome->n_failed);
	if (outcome->n_left)
		left = str_format(", %zu not begun (behind a failure nothing is taken away)", outcome->n_left);
	return str_format("partly done: %zu change%s made, %s%s; %s. \"hearth-net plan\" says what is missing, \"hearth-net "
			  "apply\" tries again", outcome->n_done, plural(outcome->n_done),
		failed ? failed : "what comes after them failed", left ? left : "",
		confirmed ? "the confirmed network is still the one before" : "no network is confirmed");
}

static int tell_partly(const struct arguments *arguments, const struct plan *plan, const struct diag *diag)
{
	AUTO_FREE char *standing = standing_text(arguments, &plan->outcome);
	bool is_told = plan->outcome.failures != NULL; // one by one
	const struct ending ending = {.result = "partly", .plan = plan, .error = is_told ? NULL : diag, .note = standing};
	return tell_ending(arguments, &ending, EXIT_PARTLY);
}

static int change_guarded(const struct trial *trial, int lock_fd, const char *document, struct network *network,
	struct plan *plan, struct diag *reterr)
{
	struct guard guard;
	int error = guard_start(trial, lock_fd, 0, &guard, reterr);
	if (error < 0)
		return error;
	error = trial_begin(trial, lock_fd, document, network, plan, 0, reterr);
	if (error == 0)
		error = trial_stand(trial, lock_fd, reterr);
	(void)guard_end(&guard); // nothing to undo
	return error;
}

int run_apply(const struct arguments *arguments)
{
	const struct trial *trial = &arguments->trial;
	CLEANUP(network_freep) struct network *network = NULL;
	AUTO_FREE char *document = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	AUTO_CLOSE int lock_fd = -1;
	struct diag diag = {0};
	int result = load(arguments, &network, &document, &diag);
	if (result == 0)
		result = take_lock(trial, BEGIN_WAIT_SEC, &lock_fd, &diag);
	if (result == 0)
		result = trial_prepare(trial, lock_fd, network, &plan, &diag);
	if (result == 1 && plan_waits_in_vain(plan))
		result = diag_set(&diag, -EADDRINUSE, "", "%s", plan_waits_for(plan));
	else if (result == 1 && (result = netconf_take_over(plan, &diag)) == 0) // nothing to undo
		result = trial_keep(trial, lock_fd, document, &diag);
	else if (result == 0)
		result = change_guarded(trial, lock_fd, document, network, plan, &diag);
	if (result >= 0 && plan_n_changes(plan) == 0 && !arguments->options.without_networkd) // leases may have come since then
		result = netconf_update_resolv(network, &arguments->options, &diag);
	if (result < 0)
		return plan && plan->outcome.is_begun ? tell_partly(arguments, plan, &diag) : tell_failure(arguments, &diag, result);
	AUTO_FREE char *words = made_text(plan);
	const struct ending ending = {.result = "confirmed", .words = words, .plan = plan};
	return tell_ending(arguments, &ending, EXIT_DONE);
}

// --- try ---

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
	stop_asked = 1;
}

// From now on it waits until the change is made, and then undoes it.
static void take_stops(void)
{
	struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL); // valid signals: it cannot fail
}

// A person at our terminal, who may press a key.
static bool has_person(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

// Enter alone confirms: a line with something in it was meant for somebody else. A terminal that is gone is no person.
static bool enter_pressed(bool *person)
{
	struct pollfd wait = {.fd = *person ? STDIN_FILENO : -1, .events = POLLIN};
	char bytes[256];
	if (poll(&wait, 1, LOOK_MSEC) <= 0)
		return false;
	ssize_t n = wait.revents & POLLIN ? read(STDIN_FILENO, bytes, sizeof(bytes)) : -1;
	*person = n > 0;
	return n == 1 && bytes[0] == '\n';
}

static int end_trial(const struct trial *trial, bool confirm, struct diag *reterr)
{
	AUTO_CLOSE int lock_fd = -1;
	int error = take_lock(trial, END_WAIT_SEC, &lock_fd, reterr);
	if (error < 0)
		return error;
	return confirm ? trial_confirm(trial, lock_fd, time_boot_usec(), reterr) : trial_revert(trial, lock_fd, reterr);
}

static bool is_over(const struct trial *trial, uint64_t deadline_usec)
{
	CLEANUP(journal_done) struct journal journal = {0};
	enum trial_standing standing = trial_look(trial, time_boot_usec(), &journal);
	return standing == TRIAL_NONE || journal.deadline_usec != deadline_usec;
}

static int revert_as_guard(const struct trial *trial, struct diag *reterr)
{
	int result = end_trial(trial, false, reterr);
	return result == 1 ? GUARD_UNDONE : result == 0 || result == -ENOENT ? GUARD_IDLE : GUARD_FAILED;
}

// Until somebody confirms or reverts it here or elsewhere, or the guard does; without one that is our own work.
static int wait_for_end(const struct trial *trial, struct guard *guard, uint64_t deadline_usec, struct diag *reterr)
{
	bool person = has_person();
	if (person)
		(void)tcflush(STDIN_FILENO, TCIFLUSH); // what was typed before the change says nothing about it
	for (int status = -1;;) {
		bool confirm = enter_pressed(&person);
		if (confirm || stop_asked) {
			int error = end_trial(trial, confirm && !stop_asked, reterr);
			if (error < 0 && error != -ENOENT && error != -ETIME)
				return error; // the guard undoes it in time
			if (status < 0)
				status = guard_ended(guard, true);
			return status == GUARD_KILLED ? GUARD_IDLE : status;
		}
		if (status < 0)
			status = guard_ended(guard, false);
		if (status >= 0 && status != GUARD_KILLED)
			return status;
		if (status == GUARD_KILLED && is_over(trial, deadline_usec))
			return GUARD_IDLE;
		if (status == GUARD_KILLED && time_boot_usec() >= deadline_usec)
			return revert_as_guard(trial, reterr);
	}
}

static int tell_not_undone(const struct arguments *arguments, const struct diag *diag, const char *why)
{
	AUTO_FREE char *note = str_format("%s, and not undone; \"hearth-net revert\" tries again", why);
	const struct ending ending = {.result = "not-undone", .error = diag, .note = note};
	return tell_ending(arguments, &ending, EXIT_NOT_UNDONE);
}

static int tell_end(const struct arguments *arguments, const char *document, int status)
{
	AUTO_FREE char *confirmed = trial_confirmed(&arguments->trial);
	if (status == GUARD_FAILED)
		return tell_not_undone(arguments, NULL, "not confirmed");
	if (status == GUARD_IDLE && str_equal(confirmed, document))
		return tell_ending(arguments, &(struct ending){.result = "confirmed", .words = "confirmed"}, EXIT_DONE);
	return tell_ending(arguments, &(struct ending){.result = "undone", .words = "not confirmed: undone"}, EXIT_UNDONE);
}

// It could not be tried: is it undone?
static int tell_untried(const struct arguments *arguments, const struct plan *plan, const struct diag *diag, int error)
{
	if (!plan || !plan->outcome.is_begun)
		return tell_failure(arguments, diag, error);
	if (trial_look(&arguments->trial, time_boot_usec(), NULL) != TRIAL_NONE)
		return tell_not_undone(arguments, diag, "it failed");
	const struct ending ending = {.result = "undone", .words = "it failed: undone", .plan = plan,
		.error = plan->outcome.failures ? NULL : diag};
	return tell_ending(arguments, &ending, EXIT_UNDONE);
}

// -ENODATA: the journal was damaged and no network was ever confirmed, which is neither undone nor on trial any more.
static int tell_no_end(const struct arguments *arguments, int error, const struct diag *diag)
{
	static const struct {
		int error;
		const char *result;
		int status;
	} ends[] = {{-ENOENT, "nothing", EXIT_NO_TRIAL}, {-ETIME, "undone", EXIT_UNDONE}, {-ENODATA, "not-undone", EXIT_NOT_UNDONE}};
	for (size_t i = 0; i < N_ELEMENTS(ends); i++)
		if (error == ends[i].error)
			return tell_ending(arguments, &(struct ending){.result = ends[i].result, .error = diag}, ends[i].status);
	return tell_failure(arguments, diag, error);
}

// Neither confirmed nor reverted when it was asked for: the guard still waits for the deadline.
static int tell_unended(const struct arguments *arguments, int error, const struct diag *diag)
{
	if (error == -ENODATA)
		return tell_no_end(arguments, error, diag);
	const struct ending ending = {.result = "on-trial", .error = diag, .note = "it is still on trial, and is undone in time"};
	return tell_ending(arguments, &ending, EXIT_FAILED);
}

// The change is made; what comes of it a second line tells.
static void tell_begun(const struct arguments *arguments, const struct plan *plan)
{
	AUTO_FREE char *made = made_text(plan);
	AUTO_FREE char *words = str_format("%s\nundone in %llu s unless you %srun `hearth-net confirm`",
		made ? made : "", (unsigned long long)arguments->timeout_sec, has_person() ? "press Enter here, or " : "");
	(void)tell_ending(arguments, &(struct ending){.result = "on-trial", .words = words, .plan = plan}, EXIT_DONE);
	(void)fflush(stdout);
}

int run_try(const struct arguments *arguments)
{
	const struct trial *trial = &arguments->trial;
	CLEANUP(network_freep) struct network *network = NULL;
	AUTO_FREE char *document = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	int lock_fd = -1;
	struct guard guard;
	struct diag diag = {0};
	int error = load(arguments, &network, &document, &diag);
	if (error == 0)
		error = take_lock(trial, BEGIN_WAIT_SEC, &lock_fd, &diag);
	if (error == 0)
		error = trial_prepare(trial, lock_fd, network, &plan, &diag);
	take_stops();
	uint64_t deadline_usec = time_boot_usec() + arguments->timeout_sec * USEC_PER_SEC;
	if (error >= 0 && (error = guard_start(trial, lock_fd, deadline_usec, &guard, &diag)) == 0) {
		error = trial_begin(trial, lock_fd, document, network, plan, deadline_usec, &diag);
		if (error < 0)
			(void)guard_end(&guard); // what could be undone is
		else
			guard_applied(&guard); // before the lock is open: a guard that sees us die undoes under it
	}
	if (lock_fd >= 0) {
		(void)flock(lock_fd, LOCK_UN); // the guard has the same lock open
		(void)close(lock_fd);
	}
	if (error < 0)
		return tell_untried(arguments, plan, &diag, error);
	tell_begun(arguments, plan);
	int status = wait_for_end(trial, &guard, deadline_usec, &diag);
	return status < 0 ? tell_unended(arguments, status, &diag) : tell_end(arguments, document, status);
}

// --- the ends of a trial ---

int run_confirm(const struct arguments *arguments)
{
	struct diag diag = {0};
	int error = end_trial(&arguments->trial, true, &diag);
	if (error < 0)
		return tell_no_end(arguments, error, &diag);
	return tell_ending(arguments, &(struct ending){.result = "confirmed", .words = "confirmed"}, EXIT_DONE);
}

int run_revert(const struct arguments *arguments)
{
	struct diag diag = {0};
	int result = end_trial(&arguments->trial, false, &diag);
	if (result < 0)
		return tell_no_end(arguments, result, &diag);
	struct ending ending = {.result = "confirmed", .words = "it was confirmed already"};
	if (result == 1)
		ending = (struct ending){.result = "undone", .words = "undone", .note = diag.message[0] ? diag_text(&diag) : NULL};
	return tell_ending(arguments, &ending, EXIT_DONE); // the note is of a damaged journal
}

int run_recover(const struct arguments *arguments)
{
	const struct trial *trial = &arguments->trial;
	AUTO_CLOSE int lock_fd = -1;
	struct diag diag = {0};
	int result = take_lock(trial, END_WAIT_SEC, &lock_fd, &diag);
	if (result == 0)
		result = (arguments->boot ? trial_boot : trial_recover)(trial, lock_fd, time_boot_usec(), &diag);
	if (result < 0)
		return tell_no_end(arguments, result, &diag);
	struct ending ending = {.result = "nothing", .words = "nothing to undo"};
	if (result == 1)
		ending = (struct ending){.result = "undone", .words = "undone", .note = diag_text(&diag)};
	return tell_ending(arguments, &ending, EXIT_DONE);
}
