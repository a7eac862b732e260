// Archives as an enemy would make them.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "k3s/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

static char root[] = "/tmp/test-unpack-XXXXXX";
static char target[64];

static int root_make(void **state)
{
	assert_non_null(mkdtemp(root));
	snprintf(target, sizeof(target), "%s/out", root);
	return 0;
}

static int root_drop(void **state)
{
	return unpack_remove(root);
}

struct item {
	const char *name;
	unsigned type;
	const char *content, *link;
};

static size_t pack(const struct item *items, size_t n, char *ret, size_t size)
{
	struct archive *archive = archive_write_new();
	size_t n_used = 0;

	assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter_gzip(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, ret, size, &n_used), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();
		size_t n_content = items[i].content ? strlen(items[i].content) : 0;

		archive_entry_set_pathname(entry, items[i].name);
		archive_entry_set_filetype(entry, items[i].type);
		archive_entry_set_perm(entry, 04777);
		archive_entry_set_size(entry, (la_int64_t)n_content);
		if (items[i].link && items[i].type == AE_IFLNK)
			archive_entry_set_symlink(entry, items[i].link);
		else if (items[i].link)
			archive_entry_set_hardlink(entry, items[i].link);
		assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
		if (n_content)
			assert_int_equal(archive_write_data(archive, items[i].content, n_content), n_content);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return n_used;
}

static char bytes[256 << 10];

static int unpack(const struct item *items, size_t n, const struct unpack_limits *limits, struct diag *reterr)
{
	size_t n_bytes = pack(items, n, bytes, sizeof(bytes));

	return unpack_tar_gz(bytes, n_bytes, target, limits, reterr);
}

static void files_and_folders_arrive(void **state)
{
	static const struct item items[] = {{"./", AE_IFDIR, NULL, NULL}, {"./10-crds/", AE_IFDIR, NULL, NULL},
		{"./10-crds/a.yaml", AE_IFREG, "a: 1\n", NULL}, {"20-cni/b.yaml", AE_IFREG, "b: 2\n", NULL},
		{"empty", AE_IFREG, "", NULL}};
	char *path AUTO_FREE = str_format("%s/10-crds/a.yaml", target), *text AUTO_FREE = NULL;
	char *second AUTO_FREE = str_format("%s/20-cni/b.yaml", target);
	struct stat st;

	assert_int_equal(unpack(items, N_ELEMENTS(items), NULL, NULL), 0);
	assert_int_equal(file_read(path, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "a: 1\n");
	assert_true(file_exists(second));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); // the archive's modes count for nothing
	assert_int_equal(unpack(items, N_ELEMENTS(items), NULL, NULL), -EEXIST);
	assert_int_equal(unpack_remove(target), 0);
	assert_int_equal(unpack_remove(target), 0);
}

static void whatever_leaves_the_folder_is_refused(void **state)
{
	static const struct item rows[][2] = {
		{{"/etc/passwd", AE_IFREG, "x", NULL}},
		{{"../x", AE_IFREG, "x", NULL}},
		{{"a/../../x", AE_IFREG, "x", NULL}},
		{{"..", AE_IFDIR, NULL, NULL}},
		{{"link", AE_IFLNK, NULL, "/etc/passwd"}},
		{{"dir", AE_IFLNK, NULL, "/tmp"}, {"dir/x", AE_IFREG, "x", NULL}},
		{{"a", AE_IFREG, "x", NULL}, {"b", AE_IFREG, NULL, "a"}},
		{{"fifo", AE_IFIFO, NULL, NULL}},
		{{"dev", AE_IFCHR, NULL, NULL}},
		{{"a\nb", AE_IFREG, "x", NULL}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};

		assert_int_equal(unpack(rows[i], rows[i][1].name ? 2 : 1, NULL, &diag), -EPERM);
		assert_true(*diag.message);
		assert_false(file_exists(target));
	}
}

static void limits_hold(void **state)
{
	static char big[100001];
	const struct item items[] = {{"a", AE_IFREG, big, NULL}, {"b", AE_IFREG, "x", NULL}};

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(unpack(items, 2, &(struct unpack_limits){.max_bytes = 100001}, NULL), 0);
	assert_int_equal(unpack_remove(target), 0);
	assert_int_equal(unpack(items, 2, &(struct unpack_limits){.max_bytes = 100000}, NULL), -EFBIG);
	assert_int_equal(unpack(items, 2, &(struct unpack_limits){.max_bytes = 99999}, NULL), -EFBIG);
	assert_int_equal(unpack(items, 2, &(struct unpack_limits){.max_files = 1}, NULL), -EFBIG);
	assert_false(file_exists(target));
}

static void a_damaged_archive_leaves_nothing(void **state)
{
	static char content[50000];
	const struct item items[] = {{"a", AE_IFREG, content, NULL}};
	uint32_t seed = 1;
	size_t n;

	for (size_t i = 0; i < sizeof(content) - 1; i++) {
		seed = seed * 1664525 + 1013904223;
		content[i] = (char)(33 + (seed >> 24) % 90);
	}
	n = pack(items, 1, bytes, sizeof(bytes));
	assert_int_equal(unpack_tar_gz(bytes, n / 2, target, NULL, NULL), -EBADMSG);
	assert_false(file_exists(target));
	assert_int_equal(unpack_tar_gz("nonsense", 8, target, NULL, NULL), -EBADMSG);
	assert_false(file_exists(target));
	assert_int_equal(unpack_tar_gz("", 0, target, NULL, NULL), -EBADMSG);
	assert_false(file_exists(target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_folders_arrive),
		cmocka_unit_test(whatever_leaves_the_folder_is_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_damaged_archive_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, root_make, root_drop);
}
