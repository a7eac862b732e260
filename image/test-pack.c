// SPDX-License-Identifier: Apache-2.0
#include "image/pack.h"

#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <utime.h>

#include <cmocka.h>

struct fixture {
	char folder[64], tree[96], out[2][96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/hearth-pack-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->tree, sizeof(f->tree), "%s/tree", f->folder);
	for (int i = 0; i < 2; i++)
		snprintf(f->out[i], sizeof(f->out[i]), "%s/out%d", f->folder, i);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *shell = str_format("rm -rf %s", f->folder);
	int rc = shell ? system(shell) : -1;

	free(f);
	return rc;
}

static void file_make(const struct fixture *f, const char *path, const char *text, mode_t mode)
{
	AUTO_FREE char *full = str_format("%s/%s", f->tree, path);
	AUTO_FREE char *parent = strdup(full);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_make_folders(parent, 0700), 0);
	assert_int_equal(file_write_volatile(full, text, strlen(text), mode, NULL), 0);
}

static void pack_all(const struct fixture *f, const char *out, enum pack_format format, int level)
{
	CLEANUP(pack_freep) struct pack *pack = NULL;

	assert_int_equal(pack_open(out, format, level, 1234567, &pack, NULL), 0);
	assert_int_equal(pack_bytes(pack, "etc/conf", 0644, "a=b\n", 4, NULL), 0);
	assert_int_equal(pack_tree(pack, "usr", f->tree, NULL), 0);
	assert_int_equal(pack_link(pack, "init", "usr/x", NULL), 0);
	assert_int_equal(pack_close(pack, NULL), 0);
}

static void same_content_gives_same_bytes_whatever_the_times(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum pack_format format;
		int level;
	} rows[] = { { PACK_FORMAT_TAR, 0 }, { PACK_FORMAT_CPIO, 0 }, { PACK_FORMAT_CPIO, 19 } };

	file_make(f, "b/two", "2", 0600);
	file_make(f, "a/one", "1", 0700);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *texts[2] = { NULL, NULL };
		size_t sizes[2];
		pack_all(f, f->out[0], rows[i].format, rows[i].level);
		AUTO_FREE char *one = str_format("%s/a/one", f->tree);
		assert_int_equal(utime(one, &(struct utimbuf){ .actime = 1, .modtime = (time_t)i + 5 }), 0);
		assert_int_equal(unlink(one), 0); // another inode, another order in the folder
		file_make(f, "a/one", "1", 0755);
		pack_all(f, f->out[1], rows[i].format, rows[i].level);
		for (int k = 0; k < 2; k++)
			assert_int_equal(file_read(f->out[k], 1 << 20, &texts[k], &sizes[k], NULL), 0);
		assert_int_equal(sizes[0], sizes[1]);
		assert_memory_equal(texts[0], texts[1], sizes[0]);
		free(texts[0]);
		free(texts[1]);
	}
}

static void cpio_has_parents_first_and_sorted_names(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *text = NULL;
	size_t n;

	file_make(f, "b/two", "2", 0600);
	file_make(f, "a/one", "1", 0700);
	pack_all(f, f->out[0], PACK_FORMAT_CPIO, 0);
	assert_int_equal(file_read(f->out[0], 1 << 20, &text, &n, NULL), 0);
	static const char *const order[] = { "etc", "etc/conf", "usr", "usr/a", "usr/a/one", "usr/b", "usr/b/two", "init",
		"TRAILER!!!" };
	const char *at = text;
	for (size_t i = 0; i < N_ELEMENTS(order); i++) {
		const char *found = memmem(at, n - (size_t)(at - text), order[i], strlen(order[i]) + 1);
		if (!found)
			fail_msg("%s is missing or too early", order[i]);
		at = found;
	}
	assert_memory_equal(text, "070701", 6);
}

static void device_nodes_are_refused(void **state)
{
	struct fixture *f = *state;
	CLEANUP(words_done) struct words files = { 0 };
	struct diag diag = { 0 };

	file_make(f, "plain", "1", 0600);
	AUTO_FREE char *fifo = str_format("%s/fifo", f->tree);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(tree_list(f->tree, &files, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "fifo"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_content_gives_same_bytes_whatever_the_times, setup, teardown),
		cmocka_unit_test_setup_teardown(cpio_has_parents_first_and_sorted_names, setup, teardown),
		cmocka_unit_test_setup_teardown(device_nodes_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
