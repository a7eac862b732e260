// A server's part in a restore of etcd: what comes next from its note and from what is, also after a power cut at each point.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "k3s/restore-database.h"
#include "k3s/restore.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UP RESTORE_UNIT_UP
#define DOWN RESTORE_UNIT_DOWN
#define CHANGES RESTORE_UNIT_CHANGES

static void each_step_follows_from_the_note(void **state)
{
	const struct {
		struct restore_note note;
		struct restore_facts facts;
		enum restore_step step;
	} rows[] = {
		{{0}, {.unit = UP}, RESTORE_NOTHING},
		// K3s has to be stopped
		{{.rejoined = 2, .restored = 3}, {.stop = 3, .unit = UP}, RESTORE_STOP},
		{{.rejoined = 3}, {.stop = 4, .unit = UP}, RESTORE_STOP},
		// a region that was taken back to a backup tells of what was done since: others need this server's vote
		{{.rejoined = 3}, {.stop = 3, .unit = UP}, RESTORE_NOTHING},
		{{.rejoined = 3}, {.stop = 2, .unit = UP}, RESTORE_NOTHING},
		{{0}, {.stop = 3, .unit = CHANGES}, RESTORE_WAIT},
		{{0}, {.stop = 3, .unit = DOWN}, RESTORE_WAIT},
		// the one that restores
		{{0}, {.restore = 3, .unit = UP}, RESTORE_REFUSE},
		{{0}, {.restore = 3, .has_snapshot = true, .unit = UP}, RESTORE_STOP},
		{{0}, {.restore = 3, .has_snapshot = true, .unit = CHANGES}, RESTORE_WAIT},
		{{0}, {.restore = 3, .has_snapshot = true, .unit = DOWN}, RESTORE_WAIT}, // the others are not stopped yet
		{{0}, {.restore = 3, .begin = true, .has_snapshot = true, .unit = UP}, RESTORE_STOP},
		{{0}, {.restore = 3, .begin = true, .has_snapshot = true, .unit = DOWN}, RESTORE_BEGIN},
		{{.restored = 2, .begun = 2, .tries = 1}, {.restore = 3, .begin = true, .has_snapshot = true, .unit = DOWN}, RESTORE_BEGIN},
		{{.begun = 3, .tries = 1}, {.restore = 3, .begin = true, .has_snapshot = true, .try_is_ours = true, .unit = DOWN},
			RESTORE_RUN},
		{{.begun = 3, .tries = 1}, {.restore = 3, .begin = true, .try_is_ours = true, .unit = DOWN}, RESTORE_RUN}, // K3s says it
		{{.restored = 3, .begun = 3, .tries = 1}, {.restore = 3, .begin = true, .has_snapshot = true, .unit = DOWN},
			RESTORE_NOTHING},
		// it failed: before anything was touched, or after
		{{.failed = 3}, {.restore = 3, .begin = true, .unit = UP}, RESTORE_NOTHING},
		{{.failed = 3, .begun = 3, .tries = 1}, {.restore = 3, .begin = true, .unit = DOWN}, RESTORE_FAILED},
		{{.failed = 3, .begun = 3, .tries = 1}, {.restore = 3, .begin = true, .unit = UP}, RESTORE_STOP},
		{{.failed = 3, .begun = 3, .tries = 1}, {.restore = 4, .begin = true, .has_snapshot = true, .unit = DOWN}, RESTORE_BEGIN},
		// who joins it again
		{{0}, {.rejoin = 3, .unit = UP}, RESTORE_STOP},
		{{0}, {.rejoin = 3, .unit = CHANGES}, RESTORE_WAIT},
		{{0}, {.rejoin = 3, .unit = DOWN}, RESTORE_MOVE},
		{{.rejoined = 3}, {.rejoin = 3, .unit = DOWN}, RESTORE_NOTHING},
		{{.rejoined = 3}, {.rejoin = 3, .unit = UP}, RESTORE_NOTHING},
		{{.restored = 3}, {.rejoin = 4, .unit = UP}, RESTORE_STOP}, // the next one is done by another server
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (restore_next(&rows[i].note, &rows[i].facts) != rows[i].step)
			fail_msg("row %zu: %d", i, restore_next(&rows[i].note, &rows[i].facts));
}

/* The power is cut @n_cuts times while K3s' command runs: what is in memory is gone, the note stays. Returns how often the
 * command was begun. */
static unsigned play(unsigned n_cuts, struct restore_note *note)
{
	struct restore_facts facts = {.restore = 7, .begin = true, .has_snapshot = true, .unit = UP};
	unsigned n_begun = 0;

	for (unsigned i = 0; i < 100; i++)
		switch (restore_next(note, &facts)) {
		case RESTORE_STOP:
			facts.unit = DOWN;
			break;
		case RESTORE_BEGIN:
			note->tries = note->begun == 7 ? note->tries + 1 : 1;
			note->begun = 7;
			facts.try_is_ours = true;
			break;
		case RESTORE_RUN:
			n_begun++;
			if (n_cuts == 0) {
				note->restored = 7;
				break;
			}
			n_cuts--;
			facts.try_is_ours = false; // a power cut: hearthd starts anew, and K3s' unit was not started yet
			break;
		case RESTORE_GIVE_UP:
			note->failed = 7;
			break;
		case RESTORE_NOTHING:
		case RESTORE_FAILED:
			return n_begun;
		case RESTORE_WAIT:
		case RESTORE_REFUSE:
		case RESTORE_MOVE:
			fail_msg("no such step is due");
		}
	fail_msg("it never ends");
	return 0;
}

static void power_cuts_end_in_done_or_given_up(void **state)
{
	struct restore_note note = {0};

	assert_int_equal(play(0, &note), 1);
	assert_int_equal(note.restored, 7);
	note = (struct restore_note){.restored = 6, .begun = 6, .tries = 1};
	assert_int_equal(play(2, &note), 3);
	assert_true(note.restored == 7 && note.failed == 0);
	note = (struct restore_note){0};
	assert_int_equal(play(50, &note), RESTORE_MAX_TRIES);
	assert_true(note.restored == 0 && note.failed == 7);
	assert_int_equal(play(0, &note), 0); // and stays given up
}

static void notes_are_read_as_they_were_written(void **state)
{
	const struct restore_note note = {.restored = 1, .rejoined = 2, .begun = 3, .tries = 2, .failed = 3, .why = "no \"space\""};
	char *text AUTO_FREE = restore_note_format(&note);
	struct restore_note again;

	assert_int_equal(restore_note_parse(text, strlen(text), &again, NULL), 0);
	assert_true(again.restored == 1 && again.rejoined == 2 && again.begun == 3 && again.tries == 2 && again.failed == 3);
	assert_string_equal(again.why, note.why);
	assert_int_equal(restore_note_parse("{}", 2, &again, NULL), -EINVAL);
	assert_int_equal(restore_note_parse("{\"restored\":-1}", 15, &again, NULL), -EINVAL);
}

// ---- the database of a server that joins

static char server[64];

static char *below(const char *path)
{
	return str_format("%s/%s", server, path);
}

static void lay(const char *path, const char *text)
{
	char *whole AUTO_FREE = below(path), *folder AUTO_FREE = strdup(whole);

	*strrchr(folder, '/') = '\0';
	assert_int_equal(file_make_folders(folder, 0755), 0);
	assert_int_equal(file_write_volatile(whole, text, strlen(text), 0600, NULL), 0);
}

static bool is_there(const char *path)
{
	char *whole AUTO_FREE = below(path);
	return file_exists(whole);
}

static int set_up(void **state)
{
	strcpy(server, "/tmp/hearth-restore.XXXXXX");
	return mkdtemp(server) ? 0 : -1;
}

static int tear_down(void **state)
{
	return unpack_remove(server);
}

static void the_database_goes_aside_and_its_snapshots_stay(void **state)
{
	lay("db/etcd/member/wal/0", "old");
	lay("db/snapshots/etcd-snapshot-s1-1", "snapshot");
	lay("tls/server-ca.crt", "ca");
	assert_int_equal(restore_database_put_aside(server, 3), 0);
	assert_true(is_there("db-before-restore-3/etcd/member/wal/0") && !is_there("db/etcd"));
	assert_true(is_there("db/snapshots/etcd-snapshot-s1-1") && is_there("tls/server-ca.crt"));
	assert_int_equal(restore_database_put_aside(server, 3), 0); // the power was cut before it was noted
	assert_true(is_there("db-before-restore-3/etcd/member/wal/0") && is_there("db/snapshots/etcd-snapshot-s1-1"));
	lay("db/etcd/member/wal/0", "new");
	assert_int_equal(restore_database_forget(server, 3), 0);
	assert_true(!is_there("db-before-restore-3") && is_there("db/etcd/member/wal/0"));
	assert_int_equal(restore_database_forget(server, 3), 0);
}

static void a_power_cut_while_it_goes_aside_loses_nothing(void **state)
{
	lay("db-before-restore-3/etcd/member/wal/0", "old"); // renamed, and no more
	lay("db-before-restore-3/snapshots/etcd-snapshot-s1-1", "snapshot");
	assert_int_equal(restore_database_put_aside(server, 3), 0);
	assert_true(is_there("db/snapshots/etcd-snapshot-s1-1") && is_there("db-before-restore-3/etcd/member/wal/0"));
}

static void a_server_that_has_none_joins_as_it_is(void **state)
{
	assert_int_equal(restore_database_put_aside(server, 3), 0);
	assert_false(is_there("db-before-restore-3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_follows_from_the_note),
		cmocka_unit_test(power_cuts_end_in_done_or_given_up),
		cmocka_unit_test_setup_teardown(the_database_goes_aside_and_its_snapshots_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_power_cut_while_it_goes_aside_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_server_that_has_none_joins_as_it_is, set_up, tear_down),
		cmocka_unit_test(notes_are_read_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
