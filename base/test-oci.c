// OCI names by tables, and a layout that is written and read back.
// SPDX-License-Identifier: Apache-2.0
#include "base/oci.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"

static char folder[] = "/tmp/hearth-test-oci-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void oci_names_follow_the_specification(void **state)
{
	static const char *const good[] = { "a", "hearth/bootstrap", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c/0", "0" };
	static const char *const bad[] = { "", "A", "a/", "/a", "a//b", "a..b", "a___b", "a._b", ".a", "a.", "-a", "a-", "a b",
		"a:b", "a/.b", "a/../b", "../a", "ä" };
	char long_name[300];

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		assert_true(oci_name_valid(good[i]));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (oci_name_valid(bad[i]))
			fail_msg("taken: %s", bad[i]);
	memset(long_name, 'a', sizeof(long_name));
	long_name[256] = '\0';
	assert_false(oci_name_valid(long_name));
	long_name[255] = '\0';
	assert_true(oci_name_valid(long_name));
	assert_false(oci_name_valid(NULL));
}

static void oci_tags_and_digests_follow_the_specification(void **state)
{
	static const char *const good[] = { "latest", "v1.2.3", "_", "A-b_c.d", "0" };
	static const char *const bad[] = { "", ".a", "-a", "a/b", "a:b", "a b", "ä", "a\n" };
	char tag[130];

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		assert_true(oci_tag_valid(good[i]));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_false(oci_tag_valid(bad[i]));
	memset(tag, 'a', sizeof(tag));
	tag[129] = '\0';
	assert_false(oci_tag_valid(tag));
	tag[128] = '\0';
	assert_true(oci_tag_valid(tag));
	assert_true(oci_digest_valid(DIGEST));
	assert_false(oci_digest_valid(DIGEST "0"));
	assert_false(oci_digest_valid("sha512:00"));
	assert_false(oci_digest_valid(NULL));
}

static void oci_references_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *registry, *name, *tag, *digest;
	} rows[] = {
		{ "oci://r.example/a/b:v1", "r.example", "a/b", "v1", "" },
		{ "r.example:5000/a", "r.example:5000", "a", "", "" },
		{ "10.0.2.2:7443/hearth/bootstrap:x@" DIGEST, "10.0.2.2:7443", "hearth/bootstrap", "x", DIGEST },
		{ "[::1]:5000/a@" DIGEST, "[::1]:5000", "a", "", DIGEST },
	};
	static const char *const bad[] = { "", "a", "a:v1", "/a", "r/", "r/A", "r/a:", "r/a:.x", "r/a@", "r/a@sha256:00",
		"r:x/a", "https://r/a", "r/a:x:y", "r/a@" DIGEST "@" DIGEST, "u@r/a", "r/../a" };

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct oci_reference reference;
		assert_int_equal(oci_reference_parse(rows[i].text, &reference, NULL), 0);
		assert_string_equal(reference.registry, rows[i].registry);
		assert_string_equal(reference.name, rows[i].name);
		assert_string_equal(reference.tag, rows[i].tag);
		assert_string_equal(reference.digest, rows[i].digest);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct oci_reference reference;
		struct diag diag = { 0 };
		if (oci_reference_parse(bad[i], &reference, &diag) != -EINVAL || !*diag.message)
			fail_msg("taken: %s", bad[i]);
	}
}

static void oci_layout_keeps_blobs_by_digest(void **state)
{
	char digest[OCI_DIGEST_TEXT], again[OCI_DIGEST_TEXT], path[256], from[128];
	AUTO_FREE char *text = NULL;
	uint64_t size = 0;
	struct stat st;

	assert_int_equal(oci_layout_init(folder, NULL), 0);
	assert_int_equal(oci_layout_add_blob(folder, "abc", 3, digest, NULL), 0);
	assert_string_equal(digest, DIGEST);
	assert_int_equal(oci_layout_add_blob(folder, "abc", 3, digest, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/blobs/sha256/%s", folder, &digest[7]); // fits
	assert_int_equal(file_read(path, 3, &text, NULL, NULL), 0);
	assert_string_equal(text, "abc");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);

	(void)snprintf(from, sizeof(from), "%s/from", folder); // fits
	static char large[300000];
	memset(large, 'x', sizeof(large));
	assert_int_equal(file_write_volatile(from, large, sizeof(large), 0600, NULL), 0);
	assert_int_equal(oci_layout_add_blob_file(folder, from, again, &size, NULL), 0);
	assert_int_equal(size, sizeof(large));
	assert_int_equal(oci_layout_add_blob(folder, large, sizeof(large), digest, NULL), 0);
	assert_string_equal(digest, again);
	struct diag diag = { 0 };
	assert_int_equal(oci_layout_add_blob_file(folder, "/no/such/file", again, &size, &diag), -ENOENT);
}

static void oci_layout_has_one_manifest_per_tag(void **state)
{
	CLEANUP(value_freep) struct value *index = NULL;
	char path[128];

	assert_int_equal(oci_layout_init(folder, NULL), 0);
	assert_int_equal(oci_layout_tag(folder, "a/b", "v1", DIGEST, OCI_TYPE_MANIFEST, 3, NULL), 0);
	assert_int_equal(oci_layout_tag(folder, "a/b", "v2", DIGEST, OCI_TYPE_MANIFEST, 3, NULL), 0);
	assert_int_equal(oci_layout_tag(folder, "a/b", "v1", DIGEST, OCI_TYPE_INDEX, 4, NULL), 0);
	assert_int_equal(oci_layout_init(folder, NULL), 0); // keeps what is there
	assert_int_equal(oci_layout_tag(folder, "../x", "v1", DIGEST, OCI_TYPE_INDEX, 4, NULL), -EINVAL);
	(void)snprintf(path, sizeof(path), "%s/index.json", folder); // fits
	assert_int_equal(json_load(path, 0, &index, NULL), 0);
	const struct value *manifests = value_find(index, "manifests");
	assert_int_equal(manifests->n, 2);
	assert_string_equal(value_text(value_path(&manifests->items[0], "annotations", "org.opencontainers.image.ref.name",
				    NULL)), "a/b:v2");
	assert_string_equal(value_text(value_find(&manifests->items[1], "mediaType")), OCI_TYPE_INDEX);
	assert_string_equal(value_find(&manifests->items[1], "size")->text, "4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oci_names_follow_the_specification),
		cmocka_unit_test(oci_tags_and_digests_follow_the_specification),
		cmocka_unit_test(oci_references_are_taken_apart),
		cmocka_unit_test(oci_layout_keeps_blobs_by_digest),
		cmocka_unit_test(oci_layout_has_one_manifest_per_tag),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
