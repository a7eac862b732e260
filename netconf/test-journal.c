// The journal: what is written is known again, and what is damaged is never trusted.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "netconf/journal.h"

#include <errno.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[] = "/tmp/hearth-journal-XXXXXX";

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	AUTO_FREE char *command = str_format("rm -rf '%s'", folder);
	return system(command);
}

static struct journal example(void)
{
	struct journal journal = {.who = "hearth-net", .boot_id = "6c2a3e0e-8d5b-4f0b-9a59-7f6f1b6d2a11", .wall_sec = 1764115200,
		.deadline_usec = 42000000, .tried = DIGEST, .before = strdup("network:\n  version: 2\n"), .has_files = true,
		.resolv = strdup("nameserver 10.0.0.1\n")};
	journal.strangers = calloc(1, sizeof(*journal.strangers));
	journal.strangers[journal.n_strangers++] = (struct journal_stranger){"br-lan", "office \"one\""};
	journal.other_names = calloc(1, sizeof(*journal.other_names));
	journal.other_names[journal.n_other_names++] = (struct journal_other_name){"eth0", "lan0"};
	journal.ras = calloc(1, sizeof(*journal.ras));
	journal.ras[journal.n_ras++] = (struct journal_ra){"eth0", 2};
	journal.protocols.entries = calloc(1, sizeof(*journal.protocols.entries));
	struct protocols *whose = &journal.protocols.entries[journal.protocols.n++];
	*whose = (struct protocols){.id = "eth0", .of = {[PROTOCOLS_ROUTES] = calloc(2, 1)}, .n = {[PROTOCOLS_ROUTES] = 2}};
	whose->of[PROTOCOLS_ROUTES][1] = 4;
	assert_int_equal(config_files_add(&journal.files, "10-hearth-eth0.network", strdup("[Match]\nName=eth0\n")), 0);
	return journal;
}

static void journal_is_known_again(void **state)
{
	CLEANUP(journal_done) struct journal journal = example(), again = {0}, none = {0};
	assert_int_equal(journal_save(folder, &journal, NULL), 0);
	assert_int_equal(journal_load(folder, &again, NULL), 0);
	assert_string_equal(again.who, "hearth-net");
	assert_string_equal(again.boot_id, journal.boot_id);
	assert_int_equal(again.wall_sec, 1764115200);
	assert_int_equal(again.deadline_usec, 42000000);
	assert_string_equal(again.tried, DIGEST);
	assert_string_equal(again.before, journal.before);
	assert_int_equal(again.n_ras, 1);
	assert_string_equal(again.ras[0].name, "eth0");
	assert_int_equal(again.ras[0].accept_ra, 2);
	assert_int_equal(again.protocols.n, 1);
	assert_string_equal(again.protocols.entries[0].id, "eth0");
	assert_null(again.protocols.entries[0].of[PROTOCOLS_ADDRESSES]);
	assert_int_equal(again.protocols.entries[0].n[PROTOCOLS_ROUTES], 2);
	assert_int_equal(again.protocols.entries[0].of[PROTOCOLS_ROUTES][0], 0);
	assert_int_equal(again.protocols.entries[0].of[PROTOCOLS_ROUTES][1], 4);
	assert_int_equal(again.n_strangers, 1);
	assert_int_equal(again.n_other_names, 1);
	assert_string_equal(again.other_names[0].link, "eth0");
	assert_string_equal(again.other_names[0].name, "lan0");
	assert_string_equal(again.strangers[0].alias, "office \"one\"");
	assert_int_equal(again.files.n, 1);
	assert_string_equal(again.files.files[0].content, "[Match]\nName=eth0\n");
	assert_string_equal(again.resolv, "nameserver 10.0.0.1\n");
	assert_int_equal(journal_remove(folder), 0);
	assert_int_equal(journal_load(folder, &none, NULL), -ENOENT);
	assert_int_equal(journal_remove(folder), 0);
}

static void no_file_is_not_an_empty_one(void **state)
{
	CLEANUP(journal_done) struct journal journal = example(), again = {0};
	free(journal.resolv);
	journal.resolv = NULL;
	AUTO_FREE char *text = journal_encode(&journal);
	assert_int_equal(journal_decode(text, strlen(text), &again, NULL), 0);
	assert_true(again.has_files);
	assert_null(again.resolv);
}

static void an_older_one_says_nothing_of_protocols(void **state)
{
	static const char text[] = "{\"version\":1,\"who\":\"x\",\"bootId\":\"\",\"wallSec\":0,\"deadlineUsec\":0,\"tried\":\"" DIGEST
				   "\",\"before\":\"\",\"strangers\":[]}";
	CLEANUP(journal_done) struct journal again = {0};
	assert_int_equal(journal_decode(text, strlen(text), &again, NULL), 0);
	assert_int_equal(again.protocols.n, 0);
}

static void damaged_one_is_set_aside_when_it_is_asked_for(void **state)
{
	CLEANUP(journal_done) struct journal journal = example(), again = {0};
	AUTO_FREE char *path = str_format("%s/" JOURNAL_NAME, folder), *aside = str_format("%s.damaged-1", path), *text = NULL,
	       *name = NULL;
	struct diag diag = {0};
	size_t n;
	assert_int_equal(journal_save(folder, &journal, NULL), 0);
	assert_int_equal(file_read(path, 1 << 20, &text, &n, NULL), 0);
	text[n - 10] ^= 1;
	assert_int_equal(file_write_volatile(path, text, n, 0600, NULL), 0);
	assert_int_equal(journal_load(folder, &again, &diag), -EBADMSG);
	assert_null(again.before);
	assert_string_equal(diag.message, "is damaged (its checksum does not fit)");
	assert_true(file_exists(path));
	assert_int_equal(journal_set_aside(folder, &name, NULL), 0);
	assert_string_equal(name, aside);
	assert_true(file_exists(aside));
	assert_false(file_exists(path));
}

static void one_of_another_version_is_not_read(void **state)
{
	static const char text[] = "{\"version\":2,\"before\":\"\"}";
	CLEANUP(journal_done) struct journal again = {0};
	AUTO_FREE char *path = str_format("%s/" JOURNAL_NAME, folder);
	struct diag diag = {0};
	assert_int_equal(file_save_checked(path, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(journal_load(folder, &again, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "version: must be 1, not 2"));
}

static void bad_ones_are_refused_by_name(void **state)
{
	static const struct {
		const char *rest, *message;
	} rows[] = {
		{"\"before\":\"\",\"strangers\":[],\"files\":[{\"name\":\"10-hearth-/../x\",\"content\":\"\"}]",
			"files: \"10-hearth-/../x\" is none of ours"},
		{"\"before\":\"\",\"strangers\":[],\"files\":[{\"name\":\"eth0.network\",\"content\":\"\"}]",
			"files: \"eth0.network\" is none of ours"},
		{"\"before\":\"\",\"strangers\":[],\"resolv\":\"x\"", "resolv: stands only beside files"},
		{"\"before\":\"\",\"strangers\":{}", "strangers: must be a list"},
		{"\"before\":\"\",\"strangers\":[{\"name\":\"sixteen-letters-\",\"alias\":\"\"}]",
			"name: must be shorter than 16 bytes"},
		{"\"before\":\"\",\"strangers\":[],\"otherNames\":{}", "otherNames: must be a list"},
		{"\"before\":\"\",\"strangers\":[],\"acceptRa\":[{\"name\":\"../all\",\"value\":2}]", "acceptRa: \"../all\" is no link's name"},
		{"\"before\":\"\",\"strangers\":[],\"acceptRa\":[{\"name\":\"eth0\",\"value\":10}]",
			"value: must be a number 0-9, not \"10\""},
		{"\"before\":\"\",\"strangers\":[],\"protocols\":{}", "protocols: must be a list"},
		{"\"before\":\"\",\"strangers\":[],\"protocols\":[{\"id\":\"eth0\",\"routes\":[4,256]}]",
			"routes: must be a number 0-255, not \"256\""},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct journal again;
		struct diag diag = {0};
		AUTO_FREE char *text = str_format("{\"version\":1,\"who\":\"x\",\"bootId\":\"\",\"wallSec\":0,\"deadlineUsec\":0,"
						  "\"tried\":\"" DIGEST "\",%s}", rows[i].rest);
		assert_int_equal(journal_decode(text, strlen(text), &again, &diag), -EINVAL);
		assert_string_equal(diag.message, rows[i].message);
		assert_null(again.before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journal_is_known_again),
		cmocka_unit_test(no_file_is_not_an_empty_one),
		cmocka_unit_test(an_older_one_says_nothing_of_protocols),
		cmocka_unit_test(damaged_one_is_set_aside_when_it_is_asked_for),
		cmocka_unit_test(one_of_another_version_is_not_read),
		cmocka_unit_test(bad_ones_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
