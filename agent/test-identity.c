// What happens to the node's keys and certificate when STATE fails at the wrong moment.
// SPDX-License-Identifier: Apache-2.0
#include "agent/identity.h"
#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

struct folder {
	char path[64], key[96], crt[96], wg[96];
};

static int folder_make(void **state)
{
	static struct folder folder;
	(void)snprintf(folder.path, sizeof(folder.path), "/tmp/hearth-test-identity-XXXXXX"); // all of these fit
	assert_non_null(mkdtemp(folder.path));
	(void)snprintf(folder.key, sizeof(folder.key), "%s/node.key", folder.path);
	(void)snprintf(folder.crt, sizeof(folder.crt), "%s/node.crt", folder.path);
	(void)snprintf(folder.wg, sizeof(folder.wg), "%s/wg.key", folder.path);
	*state = &folder;
	return 0;
}

static int folder_remove(void **state)
{
	const struct folder *folder = *state;
	(void)unlink(folder->key);
	(void)unlink(folder->crt);
	(void)unlink(folder->wg);
	return rmdir(folder->path);
}

static char *certificate_for(const struct identity *identity, int64_t from_sec, int64_t to_sec)
{
	struct key *key CLEANUP(key_freep) = NULL;
	char *ca AUTO_FREE = NULL, *pem = NULL;
	struct cert_request request = { .usage = CERT_USAGE_CA, .common_name = "ca", .not_after_sec = INT64_C(4102444800) };
	assert_int_equal(key_generate(&key), 0);
	assert_int_equal(cert_issue(&request, NULL, key, &ca, NULL), 0);
	request = (struct cert_request){ .usage = CERT_USAGE_CLIENT, .common_name = "n-1", .not_before_sec = from_sec,
		.not_after_sec = to_sec, .spki = identity->spki, .n_spki = identity->n_spki };
	assert_int_equal(cert_issue(&request, ca, key, &pem, NULL), 0);
	return pem;
}

static void identity_survives_a_restart(void **state)
{
	const struct folder *folder = *state;
	struct identity *first CLEANUP(identity_freep) = NULL, *second CLEANUP(identity_freep) = NULL;
	struct stat st;
	assert_int_equal(identity_open(folder->path, &first, NULL), 0);
	assert_int_equal(identity_open(folder->path, &second, NULL), 0);
	assert_memory_equal(first->spki, second->spki, first->n_spki);
	assert_string_equal(first->mesh.current, second->mesh.current);
	assert_int_equal(stat(folder->key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(folder->wg, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void whole_file_that_is_no_key_is_never_overwritten(void **state)
{
	const struct folder *folder = *state;
	static const char other[] = "-----BEGIN A KEY OF A LATER VERSION-----";
	struct identity *identity CLEANUP(identity_freep) = NULL;
	char *text AUTO_FREE = NULL;
	assert_int_equal(file_save_checked(folder->key, other, strlen(other), 0600, NULL), 0);
	assert_true(identity_open(folder->path, &identity, NULL) < 0);
	assert_int_equal(file_load_checked(folder->key, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, other);
}

static void wireguard_key_that_cannot_be_read_is_not_replaced(void **state)
{
	const struct folder *folder = *state;
	struct identity *identity CLEANUP(identity_freep) = NULL;
	struct stat st;
	assert_int_equal(symlink("wg.key", folder->wg), 0); // ELOOP: an error, but not "there is none"
	assert_int_equal(identity_open(folder->path, &identity, NULL), -ELOOP);
	assert_int_equal(lstat(folder->wg, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void certificate_that_cannot_be_saved_leaves_the_old_dates(void **state)
{
	const struct folder *folder = *state;
	struct identity *identity CLEANUP(identity_freep) = NULL;
	char moved[96];
	assert_int_equal(identity_open(folder->path, &identity, NULL), 0);
	char *old AUTO_FREE = certificate_for(identity, 1000, 4000), *fresh AUTO_FREE = certificate_for(identity, 3000, 9000);
	assert_int_equal(identity_set_certificate(identity, old, NULL), 0);
	assert_true(identity_wants_renewal(identity, 3000));
	(void)snprintf(moved, sizeof(moved), "%s-gone", folder->path); // fits
	assert_int_equal(rename(folder->path, moved), 0);
	assert_true(identity_set_certificate(identity, fresh, NULL) < 0);
	assert_int_equal(rename(moved, folder->path), 0);
	assert_string_equal(identity->cert_pem, old);
	assert_true(identity_wants_renewal(identity, 3000)); // else nobody would try again before the old one has ended
	assert_true(identity_expired(identity, 4000));
	assert_int_equal(identity_set_certificate(identity, fresh, NULL), 0);
	assert_false(identity_wants_renewal(identity, 3000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(identity_survives_a_restart, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(whole_file_that_is_no_key_is_never_overwritten, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(wireguard_key_that_cannot_be_read_is_not_replaced, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(certificate_that_cannot_be_saved_leaves_the_old_dates, folder_make, folder_remove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
