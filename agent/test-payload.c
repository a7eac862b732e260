// The payload's verification and its child process.
// SPDX-License-Identifier: Apache-2.0
#include "agent/payload.h"
#include "agent/root-path.h"
#include "base/file.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <cmocka.h>

#define SHA "1111111111111111111111111111111111111111111111111111111111111111"

static void on_change(void *user)
{
}

// Another payload is assigned while this one is being hashed: gigabytes are not hashed for nobody, and nothing is left over.
static void verification_ends_with_its_payload(void **state)
{
	char root[] = "/tmp/hearth-test-payload-XXXXXX";
	struct payload *payload = NULL;
	sd_event *event = NULL;
	sigset_t mask, old;
	assert_non_null(mkdtemp(root));
	assert_int_equal(file_make_folders(root_path(root, STATE_PAYLOAD).text, 0755), 0);
	struct root_path path = root_path(root, STATE_PAYLOAD "/payload-" SHA ".erofs");
	int fd = open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, INT64_C(64) << 30), 0); // a hole
	(void)close(fd); // nothing was written
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &mask, &old), 0); // as in hearthd
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(payload_new(event, root, SHA, UINT64_MAX, true, on_change, NULL, &payload), 0);
	assert_int_equal(payload_state(payload), STEP_RUNNING);
	payload_free(payload);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	sd_event_unref(event);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	(void)unlink(path.text);
	for (const char **folder = (const char *[]){ STATE_PAYLOAD, "/state/hearth", "/state", "", NULL }; *folder; folder++)
		(void)rmdir(root_path(root, *folder).text);
}

// A node whose assignment came in a seed has no region, but may have a certificate of one from before.
static void nothing_is_fetched_from_no_region(void **state)
{
	char root[] = "/tmp/hearth-test-payload-XXXXXX", nobody;
	struct payload *payload = NULL;
	sd_event *event = NULL;
	assert_non_null(mkdtemp(root));
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(payload_new(event, root, SHA, UINT64_MAX, false, on_change, NULL, &payload), 0);
	payload_offer_region(payload, (struct http_client *)&nobody, "", "hearth/payload");
	assert_int_equal(payload_state(payload), STEP_RUNNING);
	assert_null(payload_problem(payload));
	payload_free(payload);
	sd_event_unref(event);
	assert_int_equal(rmdir(root), 0);
}

static int on_late(sd_event_source *source, uint64_t usec, void *user)
{
	return sd_event_exit(sd_event_source_get_event(source), -ETIME);
}

static void on_verified(void *user)
{
	struct payload **payload = user;
	if (*payload && (payload_is_verified(*payload) || payload_state(*payload) != STEP_RUNNING))
		(void)sd_event_exit(*(sd_event **)(payload + 1), 0); // cannot fail while the loop runs
}

#define SHA_OF_X "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"

// The one that K3s runs from stays mounted, and its file stays, until the next one is wanted.
static void a_held_payload_is_verified_and_no_more(void **state)
{
	char root[] = "/tmp/hearth-test-payload-XXXXXX";
	struct {
		struct payload *payload;
		sd_event *event;
	} world = { 0 };
	sigset_t mask, old;
	assert_non_null(mkdtemp(root));
	assert_int_equal(file_make_folders(root_path(root, STATE_PAYLOAD).text, 0755), 0);
	assert_int_equal(file_make_folders(root_path(root, RUN_PAYLOAD).text, 0755), 0);
	struct root_path fresh = root_path(root, STATE_PAYLOAD "/payload-" SHA_OF_X ".erofs");
	struct root_path before = root_path(root, STATE_PAYLOAD "/payload-" SHA ".erofs");
	char sha[65];
	assert_int_equal(file_write_volatile(fresh.text, "x", 1, 0600, NULL), 0);
	assert_int_equal(file_write_volatile(before.text, "y", 1, 0600, NULL), 0);
	assert_false(payload_mounted(root, sha));
	assert_int_equal(file_write_volatile(root_path(root, RUN_PAYLOAD "/payload.json").text, "{}", 2, 0600, NULL), 0);
	assert_false(payload_mounted(root, sha)); // mounted, but by whom?
	assert_int_equal(file_write_volatile(root_path(root, RUN_PAYLOAD_MOUNTED).text, SHA, 64, 0600, NULL), 0);
	assert_true(payload_mounted(root, sha));
	assert_string_equal(sha, SHA);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &mask, &old), 0); // as in hearthd
	assert_int_equal(sd_event_new(&world.event), 0);
	assert_int_equal(payload_new(world.event, root, SHA_OF_X, UINT64_MAX, true, on_verified, &world, &world.payload), 0);
	payload_hold(world.payload);
	assert_true(sd_event_add_time_relative(world.event, NULL, CLOCK_MONOTONIC, 20000000, 0, on_late, NULL) >= 0);
	assert_int_equal(sd_event_loop(world.event), 0);
	assert_true(payload_is_verified(world.payload));
	assert_int_equal(payload_state(world.payload), STEP_RUNNING);
	assert_false(payload_replaced(world.payload));
	assert_true(payload_mounted(root, sha) && file_exists(before.text));
	assert_string_equal(sha, SHA);
	payload_tidy(world.payload);
	assert_true(file_exists(fresh.text) && !file_exists(before.text));
	payload_free(world.payload);
	sd_event_unref(world.event);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_int_equal(unpack_remove(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verification_ends_with_its_payload),
		cmocka_unit_test(nothing_is_fetched_from_no_region),
		cmocka_unit_test(a_held_payload_is_verified_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
