// Packing folders and files: the same input gives the same digest, and what comes out is what went in.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "image/artifact.h"
#include "image/container.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

static char root[] = "/tmp/test-artifact-XXXXXX";

static int root_make(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int root_drop(void **state)
{
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char *at(const char *name)
{
	return str_format("%s/%s", root, name);
}

static void put(const char *name, const char *text)
{
	char *path AUTO_FREE = at(name), *parent AUTO_FREE = at(name);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_make_folders(parent, 0700), 0);
	assert_int_equal(file_write_volatile(path, text, strlen(text), 0600, NULL), 0);
}

static struct value *blob_json(const char *layout, const char *digest)
{
	char *path AUTO_FREE = str_format("%s/blobs/sha256/%s", layout, digest + strlen("sha256:"));
	struct value *value = NULL;

	assert_int_equal(json_load(path, 1 << 20, &value, NULL), 0);
	return value;
}

// "NAME MODE OWNER MTIME CONTENT;" of each entry.
static char *listing(const char *path)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_int_equal(archive_read_support_filter_all(archive), ARCHIVE_OK);
	assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
	assert_int_equal(archive_read_open_filename(archive, path, 10240), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		char content[4096] = "";

		if (archive_entry_filetype(entry) == AE_IFREG)
			assert_true(archive_read_data(archive, content, sizeof(content) - 1) >= 0);
		fprintf(out, "%s %o %lld %lld %.20s;", archive_entry_pathname(entry),
			(unsigned)archive_entry_perm(entry), (long long)archive_entry_uid(entry),
			(long long)archive_entry_mtime(entry), content);
	}
	archive_read_free(archive);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void a_folder_becomes_a_flux_artifact(void **state)
{
	char *folder AUTO_FREE = at("in"), *layout AUTO_FREE = at("layout"), *second AUTO_FREE = at("layout2");
	char *layer AUTO_FREE = NULL, *entries AUTO_FREE = NULL;
	struct artifact_request request = {.folder = folder, .layout = layout, .name = "hearth/bootstrap", .tag = "v1",
		.created_sec = 1700000000, .revision = "r1"};
	struct value *manifest CLEANUP(value_freep) = NULL, *config CLEANUP(value_freep) = NULL;
	char first[OCI_DIGEST_TEXT], again[OCI_DIGEST_TEXT];
	const struct value *item;

	put("in/50-sync/b.yaml", "b");
	put("in/10-crds/a.yaml", "a");
	put("in/50-sync/a.yaml", "aa");
	assert_int_equal(artifact_pack(&request, first, NULL), 0);
	request.layout = second;
	put("in/10-crds/a.yaml", "a"); // a new time stamp, the same content
	assert_int_equal(artifact_pack(&request, again, NULL), 0);
	assert_string_equal(first, again);

	manifest = blob_json(layout, first);
	assert_string_equal(value_text(value_path(manifest, "config", "mediaType", NULL)), OCI_TYPE_FLUX_CONFIG);
	item = &value_find(manifest, "layers")->items[0];
	assert_string_equal(value_text(value_find(item, "mediaType")), OCI_TYPE_FLUX_CONTENT);
	assert_string_equal(
		value_text(value_path(manifest, "annotations", "org.opencontainers.image.revision", NULL)), "r1");
	assert_string_equal(
		value_text(value_path(manifest, "annotations", "org.opencontainers.image.created", NULL)),
		"2023-11-14T22:13:20Z");
	layer = str_format("%s/blobs/sha256/%s", layout, value_text(value_find(item, "digest")) + 7);
	entries = listing(layer);
	assert_string_equal(entries, "10-crds/ 755 0 0 ;10-crds/a.yaml 644 0 0 a;50-sync/ 755 0 0 ;"
				     "50-sync/a.yaml 644 0 0 aa;50-sync/b.yaml 644 0 0 b;");
	config = blob_json(layout, value_text(value_path(manifest, "config", "digest", NULL)));
	assert_int_equal(value_path(config, "rootfs", "diff_ids", NULL)->n, 1);
}

static void links_do_not_go_in(void **state)
{
	char *folder AUTO_FREE = at("links"), *layout AUTO_FREE = at("layout3"), *path AUTO_FREE = at("links/l");
	struct artifact_request request = {.folder = folder, .layout = layout, .name = "a", .tag = "b"};
	char digest[OCI_DIGEST_TEXT];
	struct diag diag = {0};

	put("links/a.yaml", "a");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(artifact_pack(&request, digest, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "regular file"));
	request.name = "UPPER";
	assert_int_equal(artifact_pack(&request, digest, NULL), -EINVAL);
}

static const char *const entrypoint[] = {"/bin/web", NULL};

static void a_static_program_becomes_an_image(void **state)
{
	char *program AUTO_FREE = at("web"), *layout AUTO_FREE = at("layout4"), *tar AUTO_FREE = at("web.tar");
	char *same AUTO_FREE = at("same.tar"), *entries AUTO_FREE = NULL, *again AUTO_FREE = NULL;
	const struct container_file files[] = {{"/bin/web", program, 0755}, {"/tmp", NULL, 01777}, {"/bin/more", program, 0755}};
	struct container_request request = {.files = files, .n_files = 3, .entrypoint = entrypoint, .user = "65534:65534",
		.architecture = "amd64", .created_sec = 0};
	struct value *manifest CLEANUP(value_freep) = NULL, *config CLEANUP(value_freep) = NULL;
	char digest[OCI_DIGEST_TEXT], *layer AUTO_FREE = NULL, *inside AUTO_FREE = NULL;
	size_t n_first, n_second;

	put("web", "ELF");
	assert_int_equal(container_pack_layout(&request, layout, "demo/web", "1", digest, NULL), 0);
	manifest = blob_json(layout, digest);
	config = blob_json(layout, value_text(value_path(manifest, "config", "digest", NULL)));
	assert_string_equal(value_text(value_path(config, "config", "User", NULL)), "65534:65534");
	assert_string_equal(value_text(&value_path(config, "config", "Entrypoint", NULL)->items[0]), "/bin/web");
	layer = str_format("%s/blobs/sha256/%s", layout,
		value_text(value_find(&value_find(manifest, "layers")->items[0], "digest")) + 7);
	inside = listing(layer);
	assert_string_equal(inside, "bin/ 755 0 0 ;bin/web 755 0 0 ELF;tmp/ 1777 0 0 ;bin/more 755 0 0 ELF;");

	assert_int_equal(container_pack_tar(&request, tar, "registry.example.org/demo/web:1", NULL), 0);
	assert_int_equal(container_pack_tar(&request, same, "registry.example.org/demo/web:1", NULL), 0);
	assert_int_equal(file_read(tar, 1 << 20, &entries, &n_first, NULL), 0);
	assert_int_equal(file_read(same, 1 << 20, &again, &n_second, NULL), 0);
	assert_int_equal(n_first, n_second);
	assert_memory_equal(entries, again, n_first);
	free(entries);
	entries = listing(tar);
	assert_non_null(strstr(entries, "manifest.json 644 0 0 [{\"Config\":\""));
}

static void bad_images_are_refused(void **state)
{
	static const char *const paths[] = {"bin", "/", "/bin/", ""};
	char *layout AUTO_FREE = at("layout5");
	char digest[OCI_DIGEST_TEXT];

	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		const struct container_file file = {paths[i], NULL, 0755};
		const struct container_request request = {.files = &file, .n_files = 1, .entrypoint = entrypoint,
			.architecture = "amd64"};

		assert_int_equal(container_pack_layout(&request, layout, "a", "b", digest, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_becomes_a_flux_artifact),
		cmocka_unit_test(links_do_not_go_in),
		cmocka_unit_test(a_static_program_becomes_an_image),
		cmocka_unit_test(bad_images_are_refused),
	};

	return cmocka_run_group_tests(tests, root_make, root_drop);
}
