// The files of a node's WireGuard keys, whole and after a power cut at each step, and when a key is changed.
// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-rotation.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

static char folder[64];
static char *privates[3], *publics[3]; // "a", "b", "c"

static int set_up(void **state)
{
	strcpy(folder, "/tmp/hearth-test-mesh-keys-XXXXXX");
	for (int i = 0; i < 3; i++) {
		uint8_t private[32], public[32];
		wg_key_generate(private);
		if (wg_key_public(private, public) < 0)
			return -1;
		char *text AUTO_FREE = base64_encode(private, 32);
		privates[i] = str_format("%s\n", text);
		publics[i] = base64_encode(public, 32);
	}
	return mkdtemp(folder) ? 0 : -1;
}

static void put(const char *name, char key)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, name);
	const char *text = key == '!' ? "no key\n" : key == '-' ? NULL : privates[key - 'a'];
	if (text)
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	else
		(void)unlink(path);
}

static char file_of(const char *name)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, name), *text AUTO_FREE = NULL;
	if (file_read(path, 256, &text, NULL, NULL) < 0)
		return '-';
	for (int i = 0; i < 3; i++)
		if (str_equal(text, privates[i]))
			return (char)('a' + i);
	return '?';
}

// wg.key, wg-next.key, wg-old.key
static void files(const char three[static 3])
{
	put("wg.key", three[0]);
	put("wg-next.key", three[1]);
	put("wg-old.key", three[2]);
}

static int tear_down(void **state)
{
	files("---");
	for (int i = 0; i < 3; i++) {
		free(privates[i]);
		free(publics[i]);
	}
	return rmdir(folder);
}

static char name_of(const char *public)
{
	for (int i = 0; public && i < 3; i++)
		if (str_equal(public, publics[i]))
			return (char)('a' + i);
	return public ? '?' : '-';
}

static void assert_keys(const struct mesh_keys *keys, const char three[static 3])
{
	assert_int_equal(name_of(keys->current), three[0]);
	assert_int_equal(name_of(keys->next), three[1]);
	assert_int_equal(name_of(keys->old), three[2]);
}

static void assert_files(const char three[static 3])
{
	assert_int_equal(file_of("wg.key"), three[0]);
	assert_int_equal(file_of("wg-next.key"), three[1]);
	assert_int_equal(file_of("wg-old.key"), three[2]);
}

static void files_tell_which_key_is_which(void **state)
{
	static const struct {
		const char *files, *keys;
	} rows[] = {
		{ "a--", "a--" }, // usual
		{ "ab-", "ab-" }, // prepared
		{ "aba", "ab-" }, // the switch was cut before it counted
		{ "bba", "b-a" }, // ... after it counted
		{ "b-a", "b-a" }, // switched, not proven
		{ "bab", "ba-" }, // going back, or another switch, cut before it counted
		{ "aba", "ab-" }, // gone back, the old file still there
		{ "a!-", "a--" }, { "a-!", "a--" }, { "a!!", "a--" }, // damaged
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 }, again CLEANUP(mesh_keys_done) = { 0 };
		files(rows[i].files);
		assert_int_equal(mesh_keys_open(folder, &keys, NULL), 0);
		assert_keys(&keys, rows[i].keys);
		assert_files(rows[i].keys);
		assert_int_equal(mesh_keys_open(folder, &again, NULL), 0);
		assert_keys(&again, rows[i].keys);
	}
}

static void steps_replace_whole_files(void **state)
{
	struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
	files("ab-");
	assert_int_equal(mesh_keys_open(folder, &keys, NULL), 0);
	assert_int_equal(mesh_keys_switch(folder, &keys, NULL), 0);
	assert_keys(&keys, "b-a");
	assert_files("b-a");
	assert_int_equal(mesh_keys_switch(folder, &keys, NULL), -ENOENT);
	assert_int_equal(mesh_keys_go_back(folder, &keys, NULL), 0);
	assert_keys(&keys, "ab-");
	assert_files("ab-");
	assert_int_equal(mesh_keys_go_back(folder, &keys, NULL), -ENOENT);
	assert_int_equal(mesh_keys_switch(folder, &keys, NULL), 0);
	assert_int_equal(mesh_keys_drop_old(folder, &keys, NULL), 0);
	assert_keys(&keys, "b--");
	assert_files("b--");
	assert_int_equal(mesh_keys_make_next(folder, &keys, NULL), 0);
	assert_int_equal(name_of(keys.next), '?');
	assert_int_equal(file_of("wg-next.key"), '?');
	assert_int_equal(mesh_keys_drop_next(folder, &keys, NULL), 0);
	assert_files("b--");
}

// A switch and a way back whose n-th write fails: the files always tell a key that the peers have.
static void cut_step_is_told_by_the_files(void **state)
{
	static const char *const to_switch[] = { "ab-", "aba", "bba", "b-a" }, *const back[] = { "b-a", "bba", "aba", "ab-" };
	for (size_t i = 0; i < N_ELEMENTS(to_switch); i++) {
		struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
		files(to_switch[i]);
		assert_int_equal(mesh_keys_open(folder, &keys, NULL), 0);
		if (!keys.old)
			assert_int_equal(mesh_keys_switch(folder, &keys, NULL), 0);
		assert_keys(&keys, "b-a");
	}
	for (size_t i = 0; i < N_ELEMENTS(back); i++) {
		struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
		files(back[i]);
		assert_int_equal(mesh_keys_open(folder, &keys, NULL), 0);
		if (keys.old)
			assert_int_equal(mesh_keys_go_back(folder, &keys, NULL), 0);
		assert_keys(&keys, "ab-");
	}
}

static void key_that_cannot_be_read_is_not_replaced(void **state)
{
	static const char *const names[] = { "wg.key", "wg-next.key", "wg-old.key" };
	files("a--");
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
		char *path AUTO_FREE = str_format("%s/%s", folder, names[i]);
		struct stat st;
		(void)unlink(path);
		assert_int_equal(symlink(names[i], path), 0); // ELOOP: an error, but not "there is none"
		assert_int_equal(mesh_keys_open(folder, &keys, NULL), -ELOOP);
		assert_null(keys.current);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		assert_int_equal(unlink(path), 0);
		put("wg.key", 'a');
	}
}

// What a cut step left cannot be removed, as it is with a STATE that is read-only: it is no key all the same.
static void leftover_that_cannot_be_removed_stops_nothing(void **state)
{
	struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
	char *path AUTO_FREE = str_format("%s/wg-next.key", folder);
	files("aa-");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount(path, path, NULL, MS_BIND, NULL) < 0)
		skip();
	assert_int_equal(mesh_keys_open(folder, &keys, NULL), 0);
	assert_keys(&keys, "a--");
	assert_int_equal(file_of("wg-next.key"), 'a');
	assert_int_equal(umount(path), 0);
}

static void rotation_goes_by_what_was_confirmed(void **state)
{
	enum { SWITCHED_SEC = 100 };
	static const struct {
		const char *keys; // current, next, old
		bool answers, rotates;
		char recorded, to;
		bool may_switch, shook;
		unsigned now_sec;
		enum mesh_rotation_step step;
	} rows[] = {
		// Nothing goes on.
		{ "a--", true, false, 'a', '-', true, false, 200, MESH_ROTATION_KEEP },
		{ "a--", false, true, 'a', '-', true, false, 200, MESH_ROTATION_KEEP }, // the stored assignment alone
		// The region wants another key.
		{ "a--", true, true, 'a', '-', true, false, 200, MESH_ROTATION_MAKE_NEXT },
		{ "ab-", true, true, 'a', '-', true, false, 200, MESH_ROTATION_KEEP },
		{ "ab-", true, true, 'a', 'b', true, false, 200, MESH_ROTATION_SWITCH },
		{ "ab-", true, true, 'a', 'b', false, false, 200, MESH_ROTATION_KEEP }, // a network is on trial
		{ "ab-", false, true, 'a', 'b', true, false, 200, MESH_ROTATION_KEEP }, // it was told before it went away
		{ "ab-", true, true, 'a', 'c', true, false, 200, MESH_ROTATION_KEEP }, // a key that was lost: it hears of b
		{ "a--", true, true, 'a', 'c', true, false, 200, MESH_ROTATION_MAKE_NEXT },
		{ "ab-", true, false, 'a', '-', true, false, 200, MESH_ROTATION_DROP_NEXT },
		// Switched: proven by the region's record or a peer.
		{ "b-a", true, true, 'a', 'b', true, false, 101, MESH_ROTATION_KEEP },
		{ "b-a", true, true, 'a', 'b', true, false, 900, MESH_ROTATION_KEEP }, // it answers: it will have it
		{ "b-a", true, false, 'b', '-', true, false, 101, MESH_ROTATION_PROVEN },
		{ "b-a", false, true, 'a', 'b', true, true, 103, MESH_ROTATION_PROVEN },
		{ "b--", true, true, 'a', 'b', true, false, 104, MESH_ROTATION_KEEP }, // a peer proved it; the region follows
		// ... or not.
		{ "b-a", false, true, 'a', 'b', true, false, 129, MESH_ROTATION_KEEP },
		{ "b-a", false, true, 'a', 'b', true, false, 130, MESH_ROTATION_GO_BACK },
		{ "b-a", true, false, 'a', '-', true, false, 101, MESH_ROTATION_GO_BACK }, // given up, or an older region
		{ "b-a", true, true, 'a', '-', true, false, 101, MESH_ROTATION_GO_BACK },
		{ "b-a", true, false, '-', '-', true, false, 900, MESH_ROTATION_KEEP }, // a region that says nothing of keys
		// An older region again, after the proof: it hears of b by the status.
		{ "b--", true, false, 'a', '-', true, false, 200, MESH_ROTATION_KEEP },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
#define KEY(c) ((c) == '-' ? NULL : publics[(c) - 'a'])
		struct mesh_keys keys = { KEY(rows[i].keys[0]), KEY(rows[i].keys[1]), KEY(rows[i].keys[2]) };
		struct mesh_rotation_facts facts = {
			.keys = &keys,
			.region_answers = rows[i].answers,
			.recorded = KEY(rows[i].recorded),
			.rotates = rows[i].rotates,
			.to = KEY(rows[i].to),
			.may_switch = rows[i].may_switch,
			.shook_hands = rows[i].shook,
			.switched_usec = SWITCHED_SEC * USEC_PER_SEC,
			.now_usec = rows[i].now_sec * USEC_PER_SEC,
		};
		if (mesh_rotation_next(&facts) != rows[i].step)
			fail_msg("row %zu: step %d, wanted %d", i, (int)mesh_rotation_next(&facts), (int)rows[i].step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_tell_which_key_is_which),
		cmocka_unit_test(steps_replace_whole_files),
		cmocka_unit_test(cut_step_is_told_by_the_files),
		cmocka_unit_test(key_that_cannot_be_read_is_not_replaced),
		cmocka_unit_test(leftover_that_cannot_be_removed_stops_nothing),
		cmocka_unit_test(rotation_goes_by_what_was_confirmed),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
