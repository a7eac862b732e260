// What changes the network: apply, try, and the ends of a trial.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/command.h"

#include "netconf/hearth-net/guard.h"
#include "netconf/network-text.h"

#include "base/time.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <termios.h>

enum {
	LOOK_MSEC = 100,
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

static void print_changes(const struct arguments *arguments, const struct plan *plan)
{
	size_t n_changes = plan_n_changes(plan);
	if (arguments->json)
		printf("{\"changes\": %zu}\n", n_changes);
	else
		printf("%zu change%s made\n", n_changes, n_changes == 1 ? "" : "s");
	if (plan_waits_for(plan))
		fprintf(stderr, "hearth-net: %s\n", plan_waits_for(plan));
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
		result = trial_lock(trial, BEGIN_WAIT_SEC * USEC_PER_SEC, &lock_fd, &diag);
	if (result == 0)
		result = trial_prepare(trial, lock_fd, network, &plan, &diag);
	if (result == 1 && plan_waits_in_vain(plan))
		result = diag_set(&diag, -EADDRINUSE, "", "%s", plan_waits_for(plan));
	else if (result == 1) // nothing to undo
		result = trial_keep(trial, lock_fd, document, &diag);
	else if (result == 0)
		result = change_guarded(trial, lock_fd, document, network, plan, &diag);
	if (result >= 0 && plan_n_changes(plan) == 0 && !arguments->options.without_networkd) // leases may have come since then
		result = netconf_update_resolv(network, &arguments->options, &diag);
	if (result < 0)
		return fail(&diag, result);
	print_changes(arguments, plan);
	return EXIT_DONE;
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
	int error = trial_lock(trial, END_WAIT_SEC * USEC_PER_SEC, &lock_fd, reterr);
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

static int tell_end(const struct arguments *arguments, const char *document, int status)
{
	AUTO_FREE char *confirmed = trial_confirmed(&arguments->trial);
	bool stands = status == GUARD_IDLE && str_equal(confirmed, document);
	if (arguments->json)
		printf("{\"result\": \"%s\"}\n", status == GUARD_FAILED ? "not-undone" : stands ? "confirmed" : "undone");
	else if (stands)
		puts("confirmed");
	else if (status != GUARD_FAILED)
		puts("not confirmed: undone");
	if (status == GUARD_FAILED)
		fprintf(stderr, "hearth-net: not confirmed, and not undone; `hearth-net revert` tries again\n");
	return status == GUARD_FAILED ? EXIT_NOT_UNDONE : stands ? EXIT_DONE : EXIT_UNDONE;
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
		error = trial_lock(trial, BEGIN_WAIT_SEC * USEC_PER_SEC, &lock_fd, &diag);
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
		return fail(&diag, error);
	print_changes(arguments, plan);
	if (!arguments->json)
		printf("undone in %llu s unless you %srun `hearth-net confirm`\n", (unsigned long long)arguments->timeout_sec,
			has_person() ? "press Enter here, or " : "");
	(void)fflush(stdout);
	int status = wait_for_end(trial, &guard, deadline_usec, &diag);
	return status < 0 ? fail(&diag, status) : tell_end(arguments, document, status);
}

// --- the ends of a trial ---

struct word {
	const char *person, *json;
};

static int tell(const struct arguments *arguments, int error, const struct diag *diag, struct word word)
{
	if (error < 0) {
		(void)fail(diag, error);
		return error == -ENOENT ? EXIT_NO_TRIAL : error == -ETIME ? EXIT_UNDONE : EXIT_FAILED;
	}
	if (arguments->json)
		printf("{\"result\": \"%s\"}\n", word.json);
	else
		puts(word.person);
	return EXIT_DONE;
}

int run_confirm(const struct arguments *arguments)
{
	struct diag diag = {0};
	return tell(arguments, end_trial(&arguments->trial, true, &diag), &diag, (struct word){"confirmed", "confirmed"});
}

int run_revert(const struct arguments *arguments)
{
	struct diag diag = {0};
	int result = end_trial(&arguments->trial, false, &diag);
	if (result == 1 && diag.message[0])
		fprintf(stderr, "hearth-net: %s\n", diag_text(&diag)); // of a damaged journal
	return tell(arguments, result, &diag, result == 0 ? (struct word){"it was confirmed already", "confirmed"}
							   : (struct word){"undone", "undone"});
}

int run_recover(const struct arguments *arguments)
{
	const struct trial *trial = &arguments->trial;
	AUTO_CLOSE int lock_fd = -1;
	struct diag diag = {0};
	int result = trial_lock(trial, END_WAIT_SEC * USEC_PER_SEC, &lock_fd, &diag);
	if (result == 0)
		result = (arguments->boot ? trial_boot : trial_recover)(trial, lock_fd, time_boot_usec(), &diag);
	if (result == 1)
		fprintf(stderr, "hearth-net: %s\n", diag_text(&diag));
	return tell(arguments, result, &diag, result == 1 ? (struct word){"undone", "undone"}
							   : (struct word){"nothing to undo", "nothing"});
}
