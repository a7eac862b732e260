// The kept artifact: used only whole, for its digest, and under the keys it was verified with.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "base/file.h"
#include "k3s/bootstrap-cache.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char folder[] = "/tmp/test-bootstrap-cache-XXXXXX";

static int folder_make(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_drop(void **state)
{
	return unpack_remove(folder);
}

static void digest_of(const char *text, char ret[static PIN_TEXT])
{
	uint8_t hash[SHA256_BYTES];

	sha256(text, strlen(text), hash);
	pin_format(hash, ret);
}

static char *manifest_of(const char *layer, const char *config_type, const char *size)
{
	char digest[PIN_TEXT];

	digest_of(layer, digest);
	return str_format("{\"config\":{\"mediaType\":\"%s\"},\"layers\":[{\"mediaType\":\"" OCI_TYPE_FLUX_CONTENT
			  "\",\"digest\":\"%s\",\"size\":%s}]}",
		config_type, digest, size);
}

static const char keys_hash[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void save(const char *layer, char ret_digest[static PIN_TEXT])
{
	char *manifest AUTO_FREE = manifest_of(layer, OCI_TYPE_FLUX_CONFIG, "7"), *path AUTO_FREE = NULL;

	digest_of(manifest, ret_digest);
	path = bootstrap_cache_layer(folder, ret_digest);
	assert_int_equal(file_write_volatile(path, layer, strlen(layer), 0600, NULL), 0);
	assert_int_equal(
		bootstrap_cache_save(folder, ret_digest, keys_hash, manifest, strlen(manifest), NULL), 0);
}

static void what_was_kept_comes_back(void **state)
{
	char first[PIN_TEXT], second[PIN_TEXT], third[PIN_TEXT];

	assert_int_equal(bootstrap_cache_check(folder,
				 "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", keys_hash),
		-ENOENT);
	save("layer1", first);
	assert_int_equal(bootstrap_cache_check(folder, first, keys_hash), 0);
	assert_int_equal(bootstrap_cache_check(folder, first, "bb"), -ENOENT);
	save("layer2", second);
	save("layer3", third);
	bootstrap_cache_keep(folder, (const char *[]){third, "", first}, 3);
	assert_int_equal(bootstrap_cache_check(folder, first, keys_hash), 0);
	assert_int_equal(bootstrap_cache_check(folder, second, keys_hash), -ENOENT);
	assert_int_equal(bootstrap_cache_check(folder, third, keys_hash), 0);
	bootstrap_cache_keep(folder, (const char *[]){third, "sha256:1"}, 2);
	assert_int_equal(bootstrap_cache_check(folder, first, keys_hash), -ENOENT);
	assert_int_equal(bootstrap_cache_check(folder, third, keys_hash), 0);
}

static void damage_is_noticed(void **state)
{
	static const char *const parts[] = {"manifest", "layer", "keys"};

	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		char digest[PIN_TEXT], *path AUTO_FREE = NULL;

		save("layer3", digest);
		path = str_format("%s/%s.%s", folder, digest + strlen("sha256:"), parts[i]);
		assert_int_equal(bootstrap_cache_check(folder, digest, keys_hash), 0);
		assert_int_equal(file_write_volatile(path, "layerX", 6, 0600, NULL), 0);
		assert_int_equal(bootstrap_cache_check(folder, digest, keys_hash), -ENOENT);
		assert_int_equal(file_remove(path), 0);
		assert_int_equal(bootstrap_cache_check(folder, digest, keys_hash), -ENOENT);
	}
}

static void notes_stay_until_they_are_taken_away(void **state)
{
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap_note_read(folder, BOOTSTRAP_NOTE_BROKEN, note);
	assert_string_equal(note, "");
	assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_BROKEN, "a b"), 0);
	assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_READY, "c"), 0);
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_BROKEN, note);
	assert_string_equal(note, "a b");
	assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_BROKEN, NULL), 0);
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_BROKEN, note);
	assert_string_equal(note, "");
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_READY, note);
	assert_string_equal(note, "c");
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_TAG, note);
	assert_string_equal(note, "");
}

static void a_tag_is_told_from_others(void **state)
{
	static const struct {
		const char *repository, *tag;
		bool same;
	} rows[] = {{"hearth/bootstrap", "v1", true}, {"hearth/bootstrap", "v2", false}, {"hearth/bootstra", "pv1", false}};

	char digest[PIN_TEXT];

	digest_of("x", digest);
	bootstrap_tag_note(folder, "hearth/bootstrap", "v1", digest);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char noted[OCI_DIGEST_TEXT] = "";

		bootstrap_tag_noted(folder, rows[i].repository, rows[i].tag, noted);
		assert_string_equal(noted, rows[i].same ? digest : "");
	}
}

static void a_note_of_a_tag_that_is_damaged_is_none(void **state)
{
	static const char *const rows[] = {NULL, "", "x", "sha256:1 2"};
	char digest[PIN_TEXT], note[BOOTSTRAP_NOTE_MAX], noted[OCI_DIGEST_TEXT] = "as it was";

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_TAG, rows[i]), 0);
		bootstrap_tag_noted(folder, "hearth/bootstrap", "v1", noted);
	}
	digest_of("x", digest);
	bootstrap_tag_note(folder, "hearth/bootstrap", "v1", digest);
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_TAG, note);
	note[10] = 'X'; // in the digest
	assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_TAG, note), 0);
	bootstrap_tag_noted(folder, "hearth/bootstrap", "v1", noted);
	bootstrap_tag_noted("", "hearth/bootstrap", "v1", noted); // nothing is kept there
	assert_string_equal(noted, "as it was");
	assert_int_equal(bootstrap_note_write(folder, BOOTSTRAP_NOTE_TAG, NULL), 0);
}

static void only_flux_artifacts_are_taken(void **state)
{
	char *good AUTO_FREE = manifest_of("x", OCI_TYPE_FLUX_CONFIG, "7");
	char *image AUTO_FREE = manifest_of("x", "application/vnd.oci.image.config.v1+json", "7");
	char *large AUTO_FREE = manifest_of("x", OCI_TYPE_FLUX_CONFIG, "99999999999");
	struct oci_layer layer;

	assert_int_equal(bootstrap_layer(good, strlen(good), &layer, NULL), 0);
	assert_int_equal(layer.size, 7);
	assert_int_equal(bootstrap_layer(image, strlen(image), &layer, NULL), -EBADMSG);
	assert_int_equal(bootstrap_layer(large, strlen(large), &layer, NULL), -EFBIG);
	assert_int_equal(bootstrap_layer("{\"layers\":[]}", 13, &layer, NULL), -EBADMSG);
}

static char *key_pem(void)
{
	struct key *key CLEANUP(key_freep) = NULL;
	uint8_t *der AUTO_FREE = NULL;
	char *base64 AUTO_FREE = NULL;
	size_t n = 0;

	assert_int_equal(key_generate(&key), 0);
	assert_int_equal(key_spki(key, &der, &n), 0);
	base64 = base64_encode(der, n);
	return str_format("-----BEGIN PUBLIC KEY-----\n%.64s\n%s\n-----END PUBLIC KEY-----\n", base64, base64 + 64);
}

static void the_hash_of_keys_ignores_their_order_only(void **state)
{
	char *a AUTO_FREE = key_pem(), *b AUTO_FREE = key_pem();
	const char *ab[] = {a, b}, *ba[] = {b, a}, *bad[] = {"x"};
	char first[65], second[65], third[65];

	assert_int_equal(bootstrap_keys_hash(ab, 2, first, NULL), 0);
	assert_int_equal(bootstrap_keys_hash(ba, 2, second, NULL), 0);
	assert_int_equal(bootstrap_keys_hash(ab, 1, third, NULL), 0);
	assert_string_equal(first, second);
	assert_string_not_equal(first, third);
	assert_int_equal(bootstrap_keys_hash(bad, 1, first, NULL), -EINVAL);
	assert_int_equal(bootstrap_keys_hash(NULL, 0, first, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_kept_comes_back),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(notes_stay_until_they_are_taken_away),
		cmocka_unit_test(a_tag_is_told_from_others),
		cmocka_unit_test(a_note_of_a_tag_that_is_damaged_is_none),
		cmocka_unit_test(only_flux_artifacts_are_taken),
		cmocka_unit_test(the_hash_of_keys_ignores_their_order_only),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
