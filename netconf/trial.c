// The order of writing, doing and forgetting. What touches the machine is in trial-kernel.c.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/trial.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define STATE_PARENT "/state/hearth" // there on a Hearth node only

struct trial_path {
	char text[512];
};

static struct trial_path path_of(const struct trial *trial, const char *name)
{
	struct trial_path path;
	(void)snprintf(path.text, sizeof(path.text), "%s/%s", trial_folder(trial), name); // a cut one does not exist
	return path;
}

static const struct trial_steps *steps_of(const struct trial *trial)
{
	return trial->steps ? trial->steps : &trial_kernel;
}

const char *trial_default_folder(void)
{
	return file_exists(STATE_PARENT) ? STATE_PARENT "/net" : "/var/lib/hearth/net";
}

const char *trial_folder(const struct trial *trial)
{
	return trial->folder ? trial->folder : trial_default_folder();
}

int trial_decode(const struct trial *trial, const char *document, struct network **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	if (trial->decode)
		return trial->decode(document, ret, trial->user, reterr);
	int error = yaml_parse(document, strlen(document), TRIAL_MAX_DOCUMENT, "stored network", &value, reterr);
	return error < 0 ? error : netconf_decode(value, ret, reterr);
}

static int boot_id(const struct trial *trial, char ret[static 37], struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	if (trial->boot_id) {
		(void)snprintf(ret, 37, "%s", trial->boot_id);
		return 0;
	}
	int error = file_read("/proc/sys/kernel/random/boot_id", 64, &text, NULL, reterr);
	if (error == 0)
		(void)snprintf(ret, 37, "%.*s", (int)strcspn(text, "\n"), text);
	return error;
}

// --- documents ---

static char *load_document(const struct trial *trial, const char *name, char ret_hash[static SHA256_HEX + 1],
	struct diag *reterr)
{
	char *text = NULL;
	return file_load_hashed(path_of(trial, name).text, TRIAL_MAX_DOCUMENT, &text, ret_hash, reterr) == 0 ? text : NULL;
}

char *trial_confirmed(const struct trial *trial)
{
	char hash[SHA256_HEX + 1];
	return load_document(trial, TRIAL_CONFIRMED, hash, NULL);
}

static int save_document(const struct trial *trial, const char *name, const char *document,
	char ret_hash[static SHA256_HEX + 1], struct diag *reterr)
{
	int error = file_make_folders(trial_folder(trial), 0700);
	if (error < 0)
		return diag_set(reterr, error, trial_folder(trial), "cannot be made: %s", strerror(-error));
	return file_save_hashed(path_of(trial, name).text, document, strlen(document), 0600, ret_hash, reterr);
}

int trial_keep(const struct trial *trial, int lock_fd, const char *document, struct diag *reterr)
{
	char hash[SHA256_HEX + 1];
	bool is_kept = file_holds_checked(path_of(trial, TRIAL_CONFIRMED).text, document, strlen(document));
	return is_kept ? 0 : save_document(trial, TRIAL_CONFIRMED, document, hash, reterr);
}

// Copies of keys: they may go once no journal needs them.
static void forget_keys(const struct trial *trial)
{
	DIR *dir = opendir(path_of(trial, TRIAL_KEYS).text);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0); // else the next trial overwrites or removes it
	if (dir)
		(void)closedir(dir); // it was only read
}

// The journal goes: what there is stands.
static int forget(const struct trial *trial, struct diag *reterr)
{
	int error = journal_remove(trial_folder(trial));
	if (error < 0)
		return diag_set(reterr, error, path_of(trial, JOURNAL_NAME).text, "cannot be removed: %s", strerror(-error));
	forget_keys(trial);
	(void)unlink(path_of(trial, TRIAL_TRIED).text); // without a journal it says nothing, and the next one replaces it
	(void)file_remove_leftovers(trial_folder(trial)); // of whoever was killed; tried again the next time
	return 0;
}

// --- standing ---

static enum trial_standing standing_of(const struct trial *trial, const struct journal *journal, uint64_t now_usec)
{
	char now_boot_id[37];
	bool is_this_boot = boot_id(trial, now_boot_id, NULL) == 0 && str_equal(now_boot_id, journal->boot_id);
	bool is_due = now_usec >= journal->deadline_usec;
	bool is_believable = journal->deadline_usec - now_usec <= TRIAL_MAX_SEC * USEC_PER_SEC; // else it would be left alone for ever
	return is_this_boot && !is_due && is_believable ? TRIAL_WAITS : TRIAL_STALE;
}

enum trial_standing trial_look(const struct trial *trial, uint64_t now_usec, struct journal *ret_journal)
{
	CLEANUP(journal_done) struct journal journal = {0};
	int error = journal_peek(trial_folder(trial), &journal);
	if (error == -ENOENT)
		return TRIAL_NONE;
	if (error < 0)
		return TRIAL_DAMAGED;
	enum trial_standing standing = standing_of(trial, &journal, now_usec);
	if (ret_journal) {
		*ret_journal = journal;
		journal = (struct journal){0};
	}
	return standing;
}

// Was it confirmed, and the program ended before it could remove the journal?
static bool is_confirmed(const struct trial *trial, const struct journal *journal)
{
	char hash[SHA256_HEX + 1];
	if (file_exists(path_of(trial, TRIAL_TRIED).text))
		return false;
	AUTO_FREE char *confirmed = load_document(trial, TRIAL_CONFIRMED, hash, NULL);
	return confirmed && str_equal(hash, journal->tried);
}

// --- undoing ---

static int plan_and_apply(const struct trial *trial, struct network *network, struct diag *reterr)
{
	CLEANUP(plan_freep) struct plan *plan = NULL;
	int error = steps_of(trial)->plan(trial, network, &plan, reterr);
	return error < 0 ? error : steps_of(trial)->apply(trial, network, plan, reterr);
}

static int apply_confirmed(const struct trial *trial, struct diag *reterr)
{
	AUTO_FREE char *confirmed = trial_confirmed(trial);
	CLEANUP(network_freep) struct network *network = NULL;
	if (!confirmed && !trial->decode)
		return 0; // there never was one: what a start without Hearth has is right
	int error = trial_decode(trial, confirmed ? confirmed : "", &network, reterr);
	if (error == 0)
		error = plan_and_apply(trial, network, reterr);
	return error == -ENOTCONN ? 0 : error; // no D-Bus so early: networkd reads its files at its start, else the next apply tells it
}

/* What was before need not be the confirmed network: a node may have reached its region by first contact. So the confirmed
 * one comes in only when nothing else is known, or when what was cannot be made so again: then as much of it as can be. */
static int undo(const struct trial *trial, const struct journal *journal, bool is_last, struct diag *reterr)
{
	char now_boot_id[37];
	int error = boot_id(trial, now_boot_id, reterr);
	if (error < 0)
		return error;
	if (!str_equal(now_boot_id, journal->boot_id)) {
		error = apply_confirmed(trial, reterr);
	} else if ((error = steps_of(trial)->restore(trial, journal, reterr)) < 0 && is_last && !trial->has_other) {
		(void)apply_confirmed(trial, NULL); // the first failure is the one that is told
	}
	int forgotten = error < 0 ? error : forget(trial, reterr);
	return forgotten < 0 ? forgotten : error;
}

// A key or a file that is missing is no missing trial.
static int revert_result(int error)
{
	return error == -ENOENT ? -EIO : error < 0 ? error : 1;
}

static int load_journal(const struct trial *trial, struct journal *ret, struct diag *reterr)
{
	int error = journal_load(trial_folder(trial), ret, reterr);
	return error == -ENOENT ? diag_set(reterr, -ENOENT, "", "no network is on trial") : error;
}

/* Nothing says what was before. The journal goes when the last confirmed network is there, so that whoever is killed before
 * leaves the rest to the next one. @why: what is wrong with it. */
static int revert_damaged(const struct trial *trial, const struct diag *why, struct diag *reterr)
{
	AUTO_FREE char *aside = NULL, *confirmed = trial_confirmed(trial);
	bool has_network = confirmed || trial->decode;
	int error = apply_confirmed(trial, reterr);
	if (error == 0)
		error = journal_set_aside(trial_folder(trial), &aside, reterr);
	if (error == 0)
		error = forget(trial, reterr);
	if (error < 0)
		return revert_result(error);
	(void)diag_set(reterr, 0, why->where, "%s and was set aside as %s; %s", why->message, aside,
		has_network ? "the last confirmed network is applied"
			    : "no network was ever confirmed, so what there is stays, and is not confirmed either");
	return has_network ? 1 : -ENODATA;
}

static int revert(const struct trial *trial, bool is_last, struct diag *reterr)
{
	CLEANUP(journal_done) struct journal journal = {0};
	struct diag diag = {0};
	int error = load_journal(trial, &journal, &diag);
	if (error == 0 && is_confirmed(trial, &journal))
		return forget(trial, reterr);
	if (error == 0)
		error = undo(trial, &journal, is_last, &diag);
	else if (error != -EBADMSG)
		return diag_set(reterr, error, diag.where, "%s", diag.message);
	if (error == -EBADMSG)
		return revert_damaged(trial, &diag, reterr);
	if (error != 0 && reterr) // what was written on the way to success is no reason
		*reterr = diag;
	return revert_result(error);
}

int trial_revert(const struct trial *trial, int lock_fd, struct diag *reterr)
{
	return revert(trial, true, reterr);
}

int trial_try_revert(const struct trial *trial, int lock_fd, struct diag *reterr)
{
	return revert(trial, false, reterr);
}

int trial_abandon(const struct trial *trial, int lock_fd, struct diag *reterr)
{
	return forget(trial, reterr);
}

int trial_recover(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr)
{
	CLEANUP(journal_done) struct journal journal = {0};
	char when[32];
	enum trial_standing standing = trial_look(trial, now_usec, &journal);
	if (standing == TRIAL_NONE || standing == TRIAL_WAITS)
		return 0;
	struct diag diag = {0};
	int result = trial_revert(trial, lock_fd, &diag);
	if (result == 1 && !diag.message[0])
		(void)diag_set(&diag, 0, "", "the network that %s tried at %s was never confirmed and is undone", journal.who,
			time_format_utc(journal.wall_sec, when));
	if (reterr && diag.message[0])
		*reterr = diag;
	return result;
}

int trial_boot(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr)
{
	int result = trial_recover(trial, lock_fd, now_usec, reterr);
	if (result != 0 || trial_look(trial, now_usec, NULL) == TRIAL_WAITS)
		return result;
	int error = apply_confirmed(trial, reterr);
	return error == -ENOENT ? -EIO : error; // a file that it names; nothing is missing of the trial
}

// --- trying ---

static int write_down(const struct trial *trial, const char *document, struct network *network, uint64_t deadline_usec,
	struct diag *reterr)
{
	CLEANUP(journal_done) struct journal journal = {.wall_sec = time_wall_msec() / 1000, .deadline_usec = deadline_usec};
	(void)snprintf(journal.who, sizeof(journal.who), "%s", trial->who);
	int error = boot_id(trial, journal.boot_id, reterr);
	if (error == 0)
		error = save_document(trial, TRIAL_TRIED, document, journal.tried, reterr);
	if (error == 0)
		error = steps_of(trial)->remember(trial, network, &journal, reterr);
	return error < 0 ? error : journal_save(trial_folder(trial), &journal, reterr);
}

int trial_prepare(const struct trial *trial, int lock_fd, struct network *network, struct plan **ret, struct diag *reterr)
{
	if (trial_look(trial, time_boot_usec(), NULL) == TRIAL_WAITS)
		return diag_set(reterr, -EBUSY, "", "another network is on trial: confirm or revert it first");
	struct diag diag = {0};
	int error = trial_recover(trial, lock_fd, time_boot_usec(), &diag);
	if (error < 0 && error != -ENODATA)
		return diag_set(reterr, error, diag.where, "%s", diag.message);
	if (diag.message[0]) // no failure of what comes now, but a person wants to know what became of the one before
		log_warning("%s", diag_text(&diag));
	return steps_of(trial)->plan(trial, network, ret, reterr);
}

int trial_begin(const struct trial *trial, int lock_fd, const char *document, struct network *network,
	struct plan *plan, uint64_t deadline_usec, struct diag *reterr)
{
	struct diag diag = {0};
	int error = write_down(trial, document, network, deadline_usec, reterr);
	if (error < 0) { // nothing was changed, so a journal that is there all the same would undo nothing
		(void)journal_remove(trial_folder(trial));
		forget_keys(trial);
		(void)unlink(path_of(trial, TRIAL_TRIED).text); // else the next one replaces it
		return error;
	}
	error = steps_of(trial)->apply(trial, network, plan, reterr);
	if (error == 0)
		return 0;
	if (deadline_usec == 0) { // a person's order: as much as can stand shall stand
		if (forget(trial, &diag) < 0 && reterr && !reterr->message[0])
			*reterr = diag;
		return error;
	}
	int undone = trial_revert(trial, lock_fd, &diag);
	if (undone < 0 && reterr) {
		struct diag first = *reterr;
		(void)diag_set(reterr, error, "", "%s; undoing it failed, too: %s", first.message, diag_text(&diag));
		diag_prefix(reterr, first.where);
	}
	return error;
}

static int stand(const struct trial *trial, struct diag *reterr)
{
	int error = file_replace(path_of(trial, TRIAL_TRIED).text, path_of(trial, TRIAL_CONFIRMED).text, reterr);
	return error < 0 ? error : forget(trial, reterr);
}

int trial_confirm(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr)
{
	CLEANUP(journal_done) struct journal journal = {0};
	struct diag diag = {0};
	int error = load_journal(trial, &journal, &diag);
	if (error == -EBADMSG) { // what was tried, and until when, nobody knows
		error = revert_damaged(trial, &diag, reterr);
		return error < 0 ? error : -ETIME;
	}
	if (error < 0)
		return diag_set(reterr, error, diag.where, "%s", diag.message);
	if (is_confirmed(trial, &journal))
		return forget(trial, reterr);
	if (standing_of(trial, &journal, now_usec) == TRIAL_STALE)
		return diag_set(reterr, -ETIME, "", "too late: the time of this trial is over, and it is undone");
	char hash[SHA256_HEX + 1];
	AUTO_FREE char *document = load_document(trial, TRIAL_TRIED, hash, reterr);
	if (!document)
		return -EBADMSG;
	if (!str_equal(hash, journal.tried))
		return diag_set(reterr, -EBADMSG, path_of(trial, TRIAL_TRIED).text, "is not the document that was tried");
	return stand(trial, reterr);
}

int trial_stand(const struct trial *trial, int lock_fd, struct diag *reterr)
{
	bool is_begun = file_exists(path_of(trial, JOURNAL_NAME).text); // by us, a moment ago: what it says is known
	return is_begun ? stand(trial, reterr) : diag_set(reterr, -ENOENT, "", "no network is on trial");
}
