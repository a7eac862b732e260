// K3s' own commands: what is ordered, the documented command lines, what is said of their end, and which snapshots lie there.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "k3s/command-run.h"
#include "k3s/flags.h"
#include "k3s/snapshots.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#define ID "j-0123456789abcdef"
#define NEW "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static char root[64];

static int set_up(void **state)
{
	char *folder AUTO_FREE = NULL;

	strcpy(root, "/tmp/hearth-command.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	folder = str_format("%s" SNAPSHOTS_FOLDER, root);
	return file_make_folders(folder, 0755);
}

static int tear_down(void **state)
{
	return unpack_remove(root);
}

static const struct k3s_command snapshot = {.id = ID, .kind = K3S_COMMAND_SNAPSHOT, .folder = SNAPSHOTS_FOLDER};
static const struct k3s_command restore = {.id = "restore-3", .kind = K3S_COMMAND_RESTORE, .folder = SNAPSHOTS_FOLDER,
	.snapshot = "etcd-snapshot-s1-1795600800"};
static const struct k3s_command rotate = {.id = ID, .kind = K3S_COMMAND_ROTATE, .new_token = NEW};

// Typed from docs.k3s.io, "k3s etcd-snapshot" and "k3s token".
static void command_lines_are_the_documented_ones(void **state)
{
	const struct {
		const struct k3s_command *command;
		const char *line;
	} rows[] = {
		{&snapshot, "/k3s etcd-snapshot save --name hearth-0123456789abcdef"},
		{&restore, "/k3s server --cluster-reset "
			   "--cluster-reset-restore-path=/var/lib/rancher/k3s/server/db/snapshots/etcd-snapshot-s1-1795600800 "
			   "--etcd-s3=false"},
		{&rotate, "/k3s token rotate --new-token " NEW},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct k3s_command_line line CLEANUP(k3s_command_line_done) = {0};
		char text[512] = "";
		assert_int_equal(k3s_command_line(rows[i].command, "/k3s", "", &line), 0);
		for (size_t k = 0; line.argv[k]; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k ? " " : "", line.argv[k]);
		assert_string_equal(text, rows[i].line);
		assert_true(line.timeout_sec > 0);
	}
}

static void orders_are_read_as_they_were_written(void **state)
{
	const struct k3s_command *const commands[] = {&snapshot, &restore, &rotate};

	for (size_t i = 0; i < N_ELEMENTS(commands); i++) {
		struct k3s_command again CLEANUP(k3s_command_done) = {0};
		char *text AUTO_FREE = k3s_command_format(commands[i]);
		assert_int_equal(k3s_command_parse(text, strlen(text), &again, NULL), 0);
		assert_string_equal(again.id, commands[i]->id);
		assert_int_equal(again.kind, commands[i]->kind);
		if (commands[i]->folder)
			assert_string_equal(again.folder, commands[i]->folder);
		if (commands[i]->snapshot)
			assert_string_equal(again.snapshot, commands[i]->snapshot);
		if (commands[i]->new_token)
			assert_string_equal(again.new_token, commands[i]->new_token);
	}
}

static void orders_that_would_reach_elsewhere_are_refused(void **state)
{
	static const char *const rows[] = {
		"{\"id\":\"j-1\",\"kind\":\"defragment\"}",
		"{\"id\":\"../x\",\"kind\":\"rotate-token\",\"newToken\":\"a\"}",
		"{\"id\":\"\",\"kind\":\"rotate-token\",\"newToken\":\"a\"}",
		"{\"id\":\"j-1\",\"kind\":\"rotate-token\"}",
		"{\"id\":\"j-1\",\"kind\":\"rotate-token\",\"newToken\":\"a b\"}",
		"{\"id\":\"j-1\",\"kind\":\"etcd-snapshot\"}",
		"{\"id\":\"j-1\",\"kind\":\"etcd-snapshot\",\"folder\":\"snapshots\"}",
		"{\"id\":\"j-1\",\"kind\":\"etcd-snapshot\",\"folder\":\"/a/../b\"}",
		"{\"id\":\"j-1\",\"kind\":\"restore\",\"folder\":\"/a\"}",
		"{\"id\":\"j-1\",\"kind\":\"restore\",\"folder\":\"/a\",\"snapshot\":\"../x\"}",
		"{\"id\":\"j-1\",\"kind\":\"restore\",\"folder\":\"/a\",\"snapshot\":\".metadata\"}",
		"{\"id\":\"j-1\",\"kind\":\"restore\",\"folder\":\"/a\",\"snapshot\":\"half.part\"}",
		"[]",
	};
	struct k3s_command command = {0};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (k3s_command_parse(rows[i], strlen(rows[i]), &command, NULL) != -EINVAL)
			fail_msg("%s", rows[i]);
}

static void the_last_line_tells_and_keeps_the_secret(void **state)
{
	const struct {
		const char *output, *line;
	} rows[] = {
		{"", ""},
		{"\n \n\t\n", ""},
		{"one\ntwo\n\n", "two"},
		{"no newline", "no newline"},
		{"FATA[0000] token " NEW " is refused \033[31m", "FATA[0000] token ******************************** is refused  [31m"},
	};
	char line[320];

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		k3s_command_last_line(&rotate, rows[i].output, line);
		assert_string_equal(line, rows[i].line);
	}
	char *cut AUTO_FREE = str_format("%0300d" NEW, 0); // the cut falls into it
	k3s_command_last_line(&rotate, cut, line);
	assert_null(strstr(line, "0f1e2d3c"));
}

// ---- snapshots

static void lay(const char *name, size_t n_bytes, int64_t sec)
{
	char *path AUTO_FREE = str_format("%s" SNAPSHOTS_FOLDER "/%s", root, name), *bytes AUTO_FREE = calloc(1, n_bytes + 1);
	const struct timespec times[2] = {{.tv_sec = sec}, {.tv_sec = sec}};

	assert_int_equal(file_write_volatile(path, bytes, n_bytes, 0600, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_newest_snapshots_are_told(void **state)
{
	struct snapshot list[SNAPSHOTS_MAX], one;
	char *folder AUTO_FREE = str_format("%s" SNAPSHOTS_FOLDER, root), *other AUTO_FREE = str_format("%s/link", folder);

	assert_int_equal(snapshots_look("/nowhere/at/all", list), 0);
	for (int i = 0; i < 20; i++) {
		char name[64];
		snprintf(name, sizeof(name), "etcd-snapshot-s1-%d", 1000 + i * 7 % 20); // in no order
		lay(name, 10, 1000 + i * 7 % 20);
	}
	lay("half.part", 1, 5000);
	lay("odd name", 1, 5000);
	assert_int_equal(symlink("/etc/passwd", other), 0);
	assert_int_equal(snapshots_look(folder, list), SNAPSHOTS_MAX);
	for (int i = 0; i < SNAPSHOTS_MAX; i++)
		assert_int_equal(list[i].created_sec, 1019 - i);
	assert_string_equal(list[0].name, "etcd-snapshot-s1-1019");
	assert_int_equal(list[0].bytes, 10);
	assert_false(snapshot_find(folder, "hearth-1", &one));
	lay("hearth-1-s1-900", 3, 900);
	lay("hearth-12-s1-901", 3, 901);
	assert_true(snapshot_find(folder, "hearth-1", &one)); // older than the 16 newest
	assert_string_equal(one.name, "hearth-1-s1-900");
}

static void overrides_name_the_folder(void **state)
{
	const struct {
		const char *cluster, *node, *folder;
	} rows[] = {
		{"{}", "{}", SNAPSHOTS_FOLDER},
		{"{\"etcd-snapshot-dir\":\"/mnt/a\"}", "{}", "/mnt/a"},
		{"{\"etcd-snapshot-dir\":\"/mnt/a\"}", "{\"etcd-snapshot-dir\":\"/mnt/b\"}", "/mnt/b"},
		{"{\"etcd-snapshot-dir\":\"/mnt/a\"}", "{\"etcd-snapshot-dir\":null}", SNAPSHOTS_FOLDER},
		{"{\"etcd-snapshot-dir\":\"relative\"}", "{}", SNAPSHOTS_FOLDER},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *cluster CLEANUP(value_freep) = NULL, *node CLEANUP(value_freep) = NULL;
		assert_int_equal(json_parse(rows[i].cluster, strlen(rows[i].cluster), 0, &cluster, NULL), 0);
		assert_int_equal(json_parse(rows[i].node, strlen(rows[i].node), 0, &node, NULL), 0);
		assert_string_equal(snapshots_folder(cluster, node), rows[i].folder);
	}
	assert_string_equal(snapshots_folder(NULL, NULL), SNAPSHOTS_FOLDER);
}

// ---- running

// A k3s that is the shell script @body: its arguments are left in ROOT/argv, a line each call.
static char *fake(const char *body)
{
	char *path = str_format("%s/k3s", root);
	char *text AUTO_FREE = str_format("#!/bin/sh\nroot=%s\necho \"$*\" >>\"$root/argv\"\n%s\n", root, body);

	assert_int_equal(file_write_volatile(path, text, strlen(text), 0755, NULL), 0);
	return path;
}

static unsigned n_calls(void)
{
	char *path AUTO_FREE = str_format("%s/argv", root), *text AUTO_FREE = NULL;
	unsigned n = 0;

	if (file_read(path, 1 << 16, &text, NULL, NULL) < 0)
		return 0;
	for (const char *c = text; *c; c++)
		n += *c == '\n';
	return n;
}

#define SAVE "dir=$root" SNAPSHOTS_FOLDER "; printf 0123456789 >\"$dir/$4-s1-1795600800\""

static void a_snapshot_is_made_once(void **state)
{
	char *k3s AUTO_FREE = fake(SAVE), sentence[K3S_COMMAND_SENTENCE_MAX];

	assert_true(k3s_command_run(&snapshot, k3s, root, 0, sentence));
	assert_string_equal(sentence, "made the snapshot hearth-0123456789abcdef-s1-1795600800, 0.0 MiB");
	assert_true(k3s_command_run(&snapshot, k3s, root, 0, sentence)); // a hearthd that did not hear of its end asks again
	assert_string_equal(sentence, "made the snapshot hearth-0123456789abcdef-s1-1795600800, 0.0 MiB");
	assert_int_equal(n_calls(), 1);
}

static void half_a_snapshot_is_none(void **state)
{
	char *k3s AUTO_FREE = fake(SAVE), sentence[K3S_COMMAND_SENTENCE_MAX];

	lay("hearth-0123456789abcdef-s1-1795600700.part", 5, 1); // the power was cut while it was written
	assert_true(k3s_command_run(&snapshot, k3s, root, 0, sentence));
	assert_int_equal(n_calls(), 1);
}

static void what_fails_says_why(void **state)
{
	const struct {
		const struct k3s_command *command;
		const char *body, *words;
	} rows[] = {
		{&snapshot, "echo out; echo 'first' >&2; echo 'FATA[0000] etcd is not managed' >&2; exit 1",
			"k3s etcd-snapshot save failed (exit status 1): FATA[0000] etcd is not managed; the platform team can tell"},
		{&snapshot, "echo only out; exit 3", "(exit status 3): only out"},
		{&snapshot, "exit 2", "(exit status 2); the platform team"},
		{&snapshot, "kill -9 $$", "was ended by signal 9"},
		{&snapshot, "echo saved elsewhere", "no snapshot of its name is in " SNAPSHOTS_FOLDER ": saved elsewhere"},
		{&rotate, "echo \"cannot take $4\" >&2; exit 1", "cannot take ********************************"},
		{&snapshot, "echo working >&2; sleep 60", "did not end within 1 s and was stopped: working"},
		{&snapshot, "trap '' TERM; echo deaf >&2; exec sleep 1.5", "did not end within 1 s and was stopped: deaf"},
		{&restore, "exit 0", "there is no snapshot etcd-snapshot-s1-1795600800 in " SNAPSHOTS_FOLDER},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *k3s AUTO_FREE = fake(rows[i].body), sentence[K3S_COMMAND_SENTENCE_MAX];
		if (k3s_command_run(rows[i].command, k3s, root, 1, sentence) || !strstr(sentence, rows[i].words) ||
			strstr(sentence, NEW))
			fail_msg("row %zu: %s", i, sentence);
	}
	char sentence[K3S_COMMAND_SENTENCE_MAX];
	assert_false(k3s_command_run(&snapshot, "/nowhere/k3s", root, 1, sentence));
	assert_non_null(strstr(sentence, "could not be started: No such file"));
}

static void children_of_a_command_that_hangs_end_with_it(void **state)
{
	char *k3s AUTO_FREE = fake("sleep 61 & echo $! >\"$root/child\"; wait"), sentence[K3S_COMMAND_SENTENCE_MAX];
	char *path AUTO_FREE = str_format("%s/child", root), *text AUTO_FREE = NULL;

	assert_false(k3s_command_run(&snapshot, k3s, root, 1, sentence));
	assert_int_equal(file_read(path, 64, &text, NULL, NULL), 0);
	char *stat AUTO_FREE = str_format("/proc/%d/stat", atoi(text)), *line AUTO_FREE = NULL;
	for (int i = 0; i < 50 && file_read(stat, 4096, &line, NULL, NULL) == 0 && !strstr(line, ") Z"); i++) {
		free(TAKE_PTR(line));
		usleep(20000); // its end is on its way
	}
	assert_true(!line || strstr(line, ") Z"));
}

static void a_restore_gets_the_path(void **state)
{
	char *k3s AUTO_FREE = fake("exit 0"), sentence[K3S_COMMAND_SENTENCE_MAX], *text AUTO_FREE = NULL;
	char *path AUTO_FREE = str_format("%s/argv", root);
	char *line AUTO_FREE = str_format("server --cluster-reset --cluster-reset-restore-path=%s" SNAPSHOTS_FOLDER
		"/etcd-snapshot-s1-1795600800 --etcd-s3=false\n", root);

	lay(restore.snapshot, 10, 1);
	assert_true(k3s_command_run(&restore, k3s, root, 0, sentence));
	assert_int_equal(file_read(path, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, line);
}

// K3s writes server/token before it encrypts its data anew: what is in there proves nothing.
static void whether_a_token_is_taken_is_k3s_word_alone(void **state)
{
	char *half AUTO_FREE = fake("printf 'K10%064d::server:%s\\n' 0 \"$4\" >\"$root/var/lib/rancher/k3s/server/token\"; exit 1");
	char sentence[K3S_COMMAND_SENTENCE_MAX];

	assert_false(k3s_command_run(&rotate, half, root, 0, sentence));
	assert_false(k3s_command_run(&rotate, half, root, 0, sentence));
	char *whole AUTO_FREE = fake("exit 0");
	assert_true(k3s_command_run(&rotate, whole, root, 0, sentence));
	assert_int_equal(n_calls(), 3);
}

static void answers_are_read_as_they_were_written(void **state)
{
	struct k3s_command_answer answer CLEANUP(k3s_command_answer_done) = {0};
	char *text AUTO_FREE = k3s_command_answer_format(ID, true, "made \"it\"");

	assert_int_equal(k3s_command_answer_parse(text, strlen(text), &answer, NULL), 0);
	assert_string_equal(answer.id, ID);
	assert_string_equal(answer.sentence, "made \"it\"");
	assert_true(answer.done);
	assert_int_equal(k3s_command_answer_parse("{\"id\":1}", 8, &answer, NULL), -EINVAL);
}

static void snapshots_may_be_told_of_in_overrides(void **state)
{
	static const char text[] = "{\"etcd-snapshot-dir\":\"/mnt/a\",\"etcd-s3\":true,\"etcd-s3-config-secret\":\"s3\"}";
	struct value *overrides CLEANUP(value_freep) = NULL;
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	struct diag diag = {0};
	struct k3s_choice choice = {.role = K3S_ROLE_FIRST_SERVER};

	assert_int_equal(json_parse(text, strlen(text), 0, &overrides, NULL), 0);
	choice.overrides = overrides;
	if (k3s_settings_choose(&choice, &settings, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_are_the_documented_ones),
		cmocka_unit_test(orders_are_read_as_they_were_written),
		cmocka_unit_test(orders_that_would_reach_elsewhere_are_refused),
		cmocka_unit_test(the_last_line_tells_and_keeps_the_secret),
		cmocka_unit_test_setup_teardown(the_newest_snapshots_are_told, set_up, tear_down),
		cmocka_unit_test(overrides_name_the_folder),
		cmocka_unit_test_setup_teardown(a_snapshot_is_made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_snapshot_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_says_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(children_of_a_command_that_hangs_end_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restore_gets_the_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whether_a_token_is_taken_is_k3s_word_alone, set_up, tear_down),
		cmocka_unit_test(answers_are_read_as_they_were_written),
		cmocka_unit_test(snapshots_may_be_told_of_in_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
