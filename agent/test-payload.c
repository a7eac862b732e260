// The payload's verification and its child process.
// SPDX-License-Identifier: Apache-2.0
#include "agent/payload.h"
#include "agent/root-path.h"
#include "base/file.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verification_ends_with_its_payload),
		cmocka_unit_test(nothing_is_fetched_from_no_region),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
