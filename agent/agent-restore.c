// This server's part in a restore of etcd: its K3s is stopped, a snapshot is restored here or the database is put aside, and
// each step is noted on STATE before the next one. What comes next is k3s/restore.c's business.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "k3s/config.h"
#include "k3s/restore-database.h"
#include <errno.h>

enum { STOP_AGAIN_SEC = 5 };

// ---- the note

static bool save_note(struct agent *a, const struct restore_note *note)
{
	char *text AUTO_FREE = restore_note_format(note);
	struct diag diag = { 0 };
	int r = text ? file_save_checked(root_path(a->options.root, STATE_K3S_RESTORE).text, text, strlen(text), 0600, &diag) : -ENOMEM;
	if (r < 0) {
		char *problem AUTO_FREE = str_format("a step of the restore cannot be noted: %s; is STATE full?",
			diag.message[0] ? diag_text(&diag) : strerror(-r));
		str_set(&a->restore_sentence, problem);
		return false; // and the step is not done
	}
	a->restore = *note;
	return true;
}

/* 0, or negative errno: what was done here is not known now. A damaged note was set aside: what is told at that moment counts as
 * done, so that nothing happens by itself to a database that may be good. */
static int load_note(struct agent *a)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	struct diag diag = { 0 };
	if (a->restore_known)
		return 0;
	int r = file_load_checked(root_path(a->options.root, STATE_K3S_RESTORE).text, RESTORE_NOTE_MAX_BYTES, &text, &n, &diag);
	if (r == 0)
		r = restore_note_parse(text, n, &a->restore, &diag);
	if (r == -EBADMSG || r == -EINVAL) {
		struct restore_note note = { .rejoined = a->assignment->rejoin_number, .failed = a->assignment->restore_number,
			.why = "what was restored on this server before is not known: its note was damaged" };
		log_warning("what was restored here is not known: %s; no restore is done by itself", diag_text(&diag));
		r = save_note(a, &note) ? 0 : -EIO;
	} else if (r == -ENOENT) {
		r = 0;
	}
	a->restore_known = r == 0;
	return r;
}

static bool note_failure(struct agent *a, const char *why)
{
	struct restore_note note = a->restore;
	note.failed = a->assignment->restore_number;
	(void)snprintf(note.why, sizeof(note.why), "%s", why);
	log_warning("restore %lld failed: %s", (long long)note.failed, why);
	return save_note(a, &note);
}

// ---- facts

static void try_id(const struct restore_note *note, char ret[static 64])
{
	(void)snprintf(ret, 64, "restore-%lld-%lld", (long long)note->begun, (long long)note->tries);
}

// A hearthd before us began it in this boot: its order or the answer to that is there.
static bool was_begun_in_this_boot(const struct agent *a)
{
	char id[64];
	try_id(&a->restore, id);
	return agent_command_is_known(a, id);
}

static enum restore_unit unit_state(struct agent *a)
{
	sd_bus *bus = agent_bus_get(a->bus);
	if (!a->k3s_service)
		agent_k3s_watch(a, bus);
	switch (a->k3s_service ? service_state(a->k3s_service) : SERVICE_UNKNOWN) {
	case SERVICE_INACTIVE:
	case SERVICE_FAILED:
	case SERVICE_MISSING:
		return RESTORE_UNIT_DOWN;
	case SERVICE_ACTIVE:
	case SERVICE_ACTIVATING:
		return RESTORE_UNIT_UP;
	case SERVICE_UNKNOWN:
	case SERVICE_DEACTIVATING:
		break;
	}
	return RESTORE_UNIT_CHANGES;
}

static char *snapshot_path(const struct agent *a)
{
	return a->assignment->restore_snapshot
		       ? str_format("%s%s/%s", a->options.root, agent_snapshots_folder(a), a->assignment->restore_snapshot)
		       : NULL;
}

static void gather(struct agent *a, struct restore_facts *ret)
{
	char *path AUTO_FREE = snapshot_path(a);
	*ret = (struct restore_facts){
		.stop = a->assignment->stop_k3s,
		.restore = a->assignment->restore_number,
		.begin = a->assignment->restore_begin,
		.rejoin = a->assignment->rejoin_number,
		.has_snapshot = path && file_exists(path),
		.try_is_ours = a->restore_try_is_ours || was_begun_in_this_boot(a),
		.unit = unit_state(a),
	};
}

// ---- steps

static void stop(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (a->restore_stopped_usec && now_usec - a->restore_stopped_usec < STOP_AGAIN_SEC * USEC_PER_SEC)
		return;
	log_notice("K3s is stopped: the cluster is being restored from a snapshot");
	a->restore_stopped_usec = now_usec;
	agent_cluster_done(a); // nobody answers any more
	agent_api_forget(a);
	a->has_node = false;
	if (service_stop(a->k3s_service, NULL, NULL) < 0)
		log_debug("K3s cannot be stopped"); // tried again
}

static void begin(struct agent *a)
{
	struct restore_note note = a->restore;
	note.tries = note.begun == a->assignment->restore_number ? note.tries + 1 : 1;
	note.begun = a->assignment->restore_number;
	if (save_note(a, &note))
		a->restore_try_is_ours = true;
	agent_kick(a);
}

static void run(struct agent *a)
{
	char id[64], sentence[K3S_COMMAND_SENTENCE_MAX];
	struct restore_note note = a->restore;
	struct k3s_command command = { .id = id, .kind = K3S_COMMAND_RESTORE, .folder = agent_snapshots_folder(a),
		.snapshot = a->assignment->restore_snapshot };
	try_id(&note, id);
	enum job_state state = agent_command_do(a, &command, sentence);
	if (state == JOB_FAILED) {
		(void)note_failure(a, sentence);
	} else if (state == JOB_DONE) {
		note.restored = note.begun;
		if (save_note(a, &note)) // before K3s may start: it would run with what is here anyhow, but is asked no second time
			log_notice("restore %lld is done: K3s starts with %s", (long long)note.restored, command.snapshot);
	} else {
		char *text AUTO_FREE = str_format("restoring the cluster from snapshot %s: %s", command.snapshot, sentence);
		str_set(&a->restore_sentence, text);
		return;
	}
	agent_kick(a);
}

static void move_database(struct agent *a)
{
	struct restore_note note = a->restore;
	int r = restore_database_put_aside(root_path(a->options.root, K3S_DATA "/server").text, a->assignment->rejoin_number);
	if (r < 0) {
		char *problem AUTO_FREE = str_format("the old database of K3s cannot be put aside: %s; the platform team can tell", strerror(-r));
		str_set(&a->restore_sentence, problem);
		return;
	}
	note.rejoined = a->assignment->rejoin_number;
	if (save_note(a, &note))
		log_notice("restore %lld: the old database is put aside, K3s joins the restored cluster", (long long)note.rejoined);
	agent_kick(a);
}

// It votes in the restored cluster: the old database is of no use to anybody.
static void forget_old_database(struct agent *a)
{
	if (!a->restore.rejoined || a->restore_tidied || !agent_node_is_ready(a) || !a->node.has_etcd || !a->node.etcd_voter)
		return;
	a->restore_tidied = restore_database_forget(root_path(a->options.root, K3S_DATA "/server").text, a->restore.rejoined) == 0;
}

bool agent_restore_holds(struct agent *a)
{
	struct restore_facts facts;
	const struct assignment *as = a->assignment;
	str_set(&a->restore_sentence, NULL);
	if (!as->server || (load_note(a) < 0 && !as->stop_k3s))
		return false;
	if (!as->stop_k3s && as->restore_number <= a->restore.restored && as->rejoin_number <= a->restore.rejoined) {
		a->restore_stopped_usec = 0;
		a->restore_try_is_ours = false;
		forget_old_database(a);
		return false;
	}
	a->restore_tidied = false;
	gather(a, &facts);
	enum restore_step step = restore_next(&a->restore, &facts);
	if (!a->restore_sentence)
		str_set(&a->restore_sentence, facts.unit == RESTORE_UNIT_DOWN ? "K3s is stopped: the cluster is being restored from a snapshot"
									      : "K3s is being stopped: the cluster is restored from a snapshot");
	switch (step) {
	case RESTORE_NOTHING:
		str_set(&a->restore_sentence, NULL);
		return false;
	case RESTORE_STOP:
		stop(a);
		break;
	case RESTORE_WAIT:
		break;
	case RESTORE_REFUSE: {
		char *why AUTO_FREE = str_format("there is no snapshot %s in %s of this server; nothing was touched",
			as->restore_snapshot, agent_snapshots_folder(a));
		(void)note_failure(a, why ? why : "out of memory");
		break;
	}
	case RESTORE_BEGIN:
		begin(a);
		break;
	case RESTORE_RUN:
		run(a);
		break;
	case RESTORE_GIVE_UP:
		(void)note_failure(a, "it was cut off three times (power, or a machine that hangs?); K3s stays stopped");
		break;
	case RESTORE_FAILED: {
		char *text AUTO_FREE = str_format("the restore of the cluster failed and K3s stays stopped: %s; hearth-region cluster "
			"restore takes another snapshot", a->restore.why);
		str_set(&a->restore_sentence, text);
		break;
	}
	case RESTORE_MOVE:
		move_database(a);
		break;
	}
	return true;
}

void agent_restore_to_json(const struct agent *a, struct json_out *out)
{
	const struct assignment *as = a->assignment;
	const char *state = NULL, *sentence = "";
	int64_t number = 0;
	bool is_down = a->k3s_service && (service_state(a->k3s_service) == SERVICE_INACTIVE || service_state(a->k3s_service) == SERVICE_FAILED ||
						 service_state(a->k3s_service) == SERVICE_MISSING);
	if (!as || !as->server || !a->restore_known)
		return;
	if (as->stop_k3s > a->restore.rejoined) {
		number = as->stop_k3s;
		state = is_down ? "stopped" : "stopping";
	} else if (as->restore_number) {
		number = as->restore_number;
		if (a->restore.failed == number)
			state = "failed", sentence = a->restore.why;
		else if (a->restore.restored >= number)
			state = "restored";
		else if (a->restore.begun == number)
			state = "restoring", sentence = a->restore_sentence ? a->restore_sentence : "";
		else
			state = is_down ? "stopped" : "stopping";
	}
	if (!state)
		return;
	json_out_key(out, "k3sRestore");
	json_out_object_begin(out);
	json_out_member_int(out, "n", number);
	json_out_member(out, "state", state);
	json_out_member(out, "sentence", sentence);
	json_out_object_end(out);
}
