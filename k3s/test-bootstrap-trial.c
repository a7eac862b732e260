// When an artifact is given up, when it counts as good, and what comes back.
// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "k3s/bootstrap-trial.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OLD "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define NEW "sha256:2222222222222222222222222222222222222222222222222222222222222222"

#define WANTED "sha256:3333333333333333333333333333333333333333333333333333333333333333"

enum { COME_BACK_SEC = 100 };

static struct bootstrap_trial trial_of(const char *last_ready)
{
	struct bootstrap_trial trial = {.come_back_sec = COME_BACK_SEC};

	snprintf(trial.last_ready, sizeof(trial.last_ready), "%s", last_ready);
	bootstrap_trial_begin(&trial);
	return trial;
}

static enum bootstrap_verdict step(struct bootstrap_trial *trial, struct stage_walk_result result, uint64_t now_sec)
{
	return bootstrap_trial_step(trial, &result, NEW, NEW, now_sec * USEC_PER_SEC);
}

static const struct stage_walk_result waits = {.holder = true, .someone_lays = true, .stage = STAGE_CNI, .at = 3};
static const struct stage_walk_result ready = {.holder = true, .someone_lays = true, .stage = N_STAGES, .at = 9};

static void an_artifact_that_gets_no_further_is_given_up(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);

	assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1050), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1099), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1100), BOOTSTRAP_STUCK);
	assert_string_equal(trial.last_ready, OLD);
	bootstrap_trial_begin(&trial);
	assert_int_equal(step(&trial, waits, 2000), BOOTSTRAP_OPEN);
}

static void an_object_or_a_stage_more_is_progress(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	struct stage_walk_result further = waits;

	assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1099), BOOTSTRAP_OPEN);
	further.at++;
	assert_int_equal(step(&trial, further, 1100), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1150), BOOTSTRAP_OPEN); // back is no progress
	assert_int_equal(step(&trial, further, 1199), BOOTSTRAP_OPEN); // nor is where it was
	assert_int_equal(step(&trial, further, 1200), BOOTSTRAP_STUCK);
	further.stage++;
	assert_int_equal(step(&trial, further, 1300), BOOTSTRAP_OPEN);
}

static void only_the_artifact_s_own_time_under_this_server_counts(void **state)
{
	struct stage_walk_result others[3] = {waits, waits, waits};

	others[0].holder = false;
	others[1].not_its_own = true;
	others[2].error = -EIO;
	for (size_t i = 0; i < 3; i++) {
		struct bootstrap_trial trial = trial_of(OLD);

		assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, waits, 1060), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, others[i], 1500), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, others[i], 2000), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, waits, 3000), BOOTSTRAP_OPEN); // a new beginning, the 60 s stand
		assert_int_equal(step(&trial, waits, 3039), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, waits, 3040), BOOTSTRAP_STUCK);
	}
}

static void nothing_is_given_up_without_another_or_when_it_was_good(void **state)
{
	static const char *const last_ready[] = {"", NEW};

	for (size_t i = 0; i < 2; i++) {
		struct bootstrap_trial trial = trial_of(last_ready[i]);

		assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
		assert_int_equal(step(&trial, waits, 9000), BOOTSTRAP_OPEN);
		assert_null(bootstrap_trial_other(&trial, NEW));
	}
}

static void come_back_sec_0_gives_nothing_up(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	char note[BOOTSTRAP_NOTE_MAX];

	trial.come_back_sec = 0;
	assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 9000), BOOTSTRAP_OPEN);
	bootstrap_given_up_note(NEW, "v", note);
	assert_false(bootstrap_trial_is_given_up(&trial, note, NEW, "v"));
}

static void one_that_is_walked_in_the_stead_of_the_wanted_is_not_given_up(void **state)
{
	struct bootstrap_trial trial = trial_of(NEW);

	for (uint64_t sec = 1000; sec < 2000; sec += 50)
		assert_int_equal(bootstrap_trial_step(&trial, &waits, OLD, NEW, sec * USEC_PER_SEC), BOOTSTRAP_OPEN);
}

static void one_that_is_entirely_ready_is_the_one_to_come_back_to(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);

	assert_string_equal(bootstrap_trial_other(&trial, NEW), OLD);
	assert_int_equal(step(&trial, ready, 1000), BOOTSTRAP_PROVEN);
	assert_string_equal(trial.last_ready, NEW);
	assert_int_equal(step(&trial, ready, 1010), BOOTSTRAP_OPEN); // no news
	assert_int_equal(step(&trial, waits, 1020), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 9000), BOOTSTRAP_OPEN);
	assert_null(bootstrap_trial_other(&trial, NEW));
	assert_string_equal(bootstrap_trial_other(&trial, OLD), NEW);
}

static void what_another_server_laid_proves_nothing_and_no_artifact_is_none(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	struct stage_walk_result watched = ready;

	watched.holder = false;
	assert_int_equal(step(&trial, watched, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(bootstrap_trial_step(&trial, &ready, "", "", 1001 * USEC_PER_SEC), BOOTSTRAP_OPEN);
	assert_string_equal(trial.last_ready, OLD);
}

static void what_the_lease_says_is_not_given_up_and_is_what_comes_back(void **state)
{
	struct bootstrap_trial trial = trial_of("");
	char note[BOOTSTRAP_NOTE_MAX];

	assert_false(bootstrap_trial_learn(&trial, ""));
	assert_false(bootstrap_trial_learn(&trial, "sha256:1"));
	assert_false(bootstrap_trial_learn(&trial, OLD "1"));
	assert_string_equal(trial.learned, "");
	assert_true(bootstrap_trial_learn(&trial, OLD));
	assert_string_equal(trial.last_ready, ""); // nothing that outlives the Lease
	assert_false(bootstrap_trial_learn(&trial, OLD));
	assert_string_equal(bootstrap_trial_other(&trial, NEW), OLD);
	assert_int_equal(step(&trial, waits, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 1100), BOOTSTRAP_STUCK);
	bootstrap_given_up_note(NEW, "variables", note);
	assert_true(bootstrap_trial_is_given_up(&trial, note, NEW, "variables"));

	assert_true(bootstrap_trial_learn(&trial, NEW)); // the one that was given up here became ready there
	assert_false(bootstrap_trial_is_given_up(&trial, note, NEW, "variables"));
	assert_int_equal(step(&trial, waits, 1200), BOOTSTRAP_OPEN);
	assert_null(bootstrap_trial_other(&trial, NEW));
	assert_true(bootstrap_trial_learn(&trial, OLD)); // nobody had
	assert_true(bootstrap_trial_is_given_up(&trial, note, NEW, "variables"));
	assert_true(bootstrap_trial_learn(&trial, "")); // there is nothing to come back to
	assert_false(bootstrap_trial_is_given_up(&trial, note, NEW, "variables"));
}

static void what_was_ready_here_is_not_given_up_for_what_the_lease_says(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap_given_up_note(NEW, "v", note);
	assert_int_equal(step(&trial, ready, 1000), BOOTSTRAP_PROVEN);
	assert_true(bootstrap_trial_learn(&trial, OLD));
	assert_int_equal(step(&trial, waits, 2000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, waits, 9000), BOOTSTRAP_OPEN);
	assert_false(bootstrap_trial_is_given_up(&trial, note, NEW, "v"));
	assert_string_equal(trial.last_ready, NEW);
}

static void a_server_that_was_away_comes_back_to_what_the_lease_says(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);

	assert_string_equal(bootstrap_trial_other(&trial, WANTED), OLD);
	assert_true(bootstrap_trial_learn(&trial, NEW));
	assert_string_equal(bootstrap_trial_other(&trial, WANTED), NEW);
	assert_string_equal(bootstrap_trial_other(&trial, NEW), OLD); // when that is refused
	assert_string_equal(trial.last_ready, OLD);
}

static void what_is_seen_ready_is_proven_by_the_lease_s_word(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	struct stage_walk_result watched = ready, nobody = ready;

	watched.holder = false;
	nobody.holder = nobody.someone_lays = false;
	assert_true(bootstrap_trial_learn(&trial, NEW));
	assert_int_equal(step(&trial, nobody, 1000), BOOTSTRAP_OPEN);
	assert_int_equal(step(&trial, watched, 1001), BOOTSTRAP_PROVEN);
	assert_string_equal(trial.last_ready, NEW);
	assert_int_equal(bootstrap_trial_step(&trial, &watched, OLD, NEW, 1002 * USEC_PER_SEC), BOOTSTRAP_OPEN);
}

static void what_was_given_up_is_known_by_digest_and_variables(void **state)
{
	struct bootstrap_trial trial = trial_of(OLD);
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap_given_up_note(NEW, "variables-1", note);
	assert_true(bootstrap_trial_is_given_up(&trial, note, NEW, "variables-1"));
	assert_false(bootstrap_trial_is_given_up(&trial, note, NEW, "variables-2"));
	assert_false(bootstrap_trial_is_given_up(&trial, note, OLD, "variables-1"));
	assert_false(bootstrap_trial_is_given_up(&trial, "", NEW, "variables-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_artifact_that_gets_no_further_is_given_up),
		cmocka_unit_test(an_object_or_a_stage_more_is_progress),
		cmocka_unit_test(only_the_artifact_s_own_time_under_this_server_counts),
		cmocka_unit_test(nothing_is_given_up_without_another_or_when_it_was_good),
		cmocka_unit_test(come_back_sec_0_gives_nothing_up),
		cmocka_unit_test(one_that_is_walked_in_the_stead_of_the_wanted_is_not_given_up),
		cmocka_unit_test(one_that_is_entirely_ready_is_the_one_to_come_back_to),
		cmocka_unit_test(what_another_server_laid_proves_nothing_and_no_artifact_is_none),
		cmocka_unit_test(what_the_lease_says_is_not_given_up_and_is_what_comes_back),
		cmocka_unit_test(what_was_ready_here_is_not_given_up_for_what_the_lease_says),
		cmocka_unit_test(a_server_that_was_away_comes_back_to_what_the_lease_says),
		cmocka_unit_test(what_is_seen_ready_is_proven_by_the_lease_s_word),
		cmocka_unit_test(what_was_given_up_is_known_by_digest_and_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
