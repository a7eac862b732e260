// A server's part in a restore of etcd: what it has done is a note on STATE, what comes next follows from that and from what
// is. One server restores; the others stop, put their database aside and join it again. Pure; a power cut at any point leaves
// "not done yet" or "done", and a restore that is cut off again and again ends by itself.
// Source: docs.k3s.io "k3s etcd-snapshot", Restoring Snapshots, Multiple Servers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { RESTORE_MAX_TRIES = 3, RESTORE_MAX_NUMBER = 1 << 30, RESTORE_NOTE_MAX_BYTES = 4096, RESTORE_WHY_MAX = 512 };

struct restore_note {
	int64_t restored, rejoined; // the number of the last one that was done here; 0: none
	int64_t begun, tries;       // of the one that was begun last, and how often
	int64_t failed;             // the last one that failed, and
	char why[RESTORE_WHY_MAX];
};
int restore_note_parse(const char *text, size_t n, struct restore_note *ret, struct diag *reterr);
char *restore_note_format(const struct restore_note *note); // the caller frees

enum restore_unit { RESTORE_UNIT_DOWN, RESTORE_UNIT_CHANGES, RESTORE_UNIT_UP };

struct restore_facts {
	int64_t stop;     // K3s must not run here until it joins this one; 0: nothing
	int64_t restore;  // this server restores; 0: nothing
	bool begin;       // ... now: nobody else runs any more
	int64_t rejoin;   // it joins the restored cluster with an empty database; 0: nothing
	bool has_snapshot; // the file is here
	bool try_is_ours; // the try that the note counts was begun in this boot
	enum restore_unit unit;
};

enum restore_step {
	RESTORE_NOTHING, // K3s may run
	RESTORE_STOP,    // stop its unit
	RESTORE_WAIT,    // K3s does not run, and stays so
	RESTORE_REFUSE,  // there is no such snapshot: note the failure; K3s is left as it is
	RESTORE_BEGIN,   // note one more try
	RESTORE_RUN,     // K3s' command
	RESTORE_GIVE_UP, // it was cut off too often: note the failure
	RESTORE_FAILED,  // it failed: K3s stays stopped
	RESTORE_MOVE,    // put the database aside, then note that
};
enum restore_step restore_next(const struct restore_note *note, const struct restore_facts *facts);
