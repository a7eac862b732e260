// The watch against an API of a table: which questions it asks, when there is a picture, what a failing API does.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flux-watch.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

// --- the API: answers come from the event loop, as kube.c's do

struct row {
	const char *path;
	int error, status;
	const char *json;
};
static const struct row *rows;
static size_t n_rows;
static char asked[4096];
static sd_event *event;

struct question {
	const struct row *row;
	kube_callback_t on_answer;
	void *user;
	sd_event_source *source;
};
static struct question question;

static int on_question(sd_event_source *source, void *user)
{
	struct question now = question;
	struct value *object CLEANUP(value_freep) = NULL;
	struct diag diag = {0};

	question = (struct question){0};
	sd_event_source_unref(now.source);
	if (now.row && now.row->json)
		assert_int_equal(json_parse(now.row->json, strlen(now.row->json), 0, &object, NULL), 0);
	struct kube_answer answer = {.error = now.row ? now.row->error : -ENOENT, .status = now.row ? now.row->status : 404,
		.object = object};
	if (answer.error < 0) {
		(void)diag_set(&diag, answer.error, "", "the API says %d", answer.error);
		answer.diag = &diag;
	}
	now.on_answer(&answer, now.user);
	return 0;
}

int kube_get(struct kube *kube, const char *path, kube_callback_t on_answer, void *user)
{
	assert_null(question.on_answer); // one at a time
	question = (struct question){.on_answer = on_answer, .user = user};
	for (size_t i = 0; i < n_rows; i++)
		if (str_equal(rows[i].path, path))
			question.row = &rows[i];
	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s\n", path);
	return sd_event_add_defer(event, &question.source, on_question, NULL);
}

void kube_forget(struct kube *kube, const void *user)
{
	if (question.user == user) {
		sd_event_source_disable_unref(question.source);
		question = (struct question){0};
	}
}

// --- a round

static void on_changed(void *user)
{
	bool *done = user;
	*done = true;
}

static struct flux_watch *round_of(const struct row *table, size_t n, struct flux_watch *watch)
{
	static bool done;

	rows = table;
	n_rows = n;
	asked[0] = '\0';
	done = false;
	if (!watch)
		assert_int_equal(flux_watch_new(event, NULL, on_changed, &done, &watch), 0);
	else
		flux_watch_hurry(watch);
	while (!done)
		assert_true(sd_event_run(event, FLUX_WATCH_SEC * UINT64_C(1000000)) > 0);
	return watch;
}

#define KUSTOMIZE "/apis/kustomize.toolkit.fluxcd.io/v1"
#define HELM "/apis/helm.toolkit.fluxcd.io/v2"
#define SOURCE "/apis/source.toolkit.fluxcd.io/v1"
#define ITEM(name) "{\"metadata\":{\"namespace\":\"f\",\"name\":\"" name "\"}}"

static void without_flux_the_picture_is_empty(void **state)
{
	struct flux_watch *watch CLEANUP(flux_watch_freep) = round_of(NULL, 0, NULL);

	assert_non_null(flux_watch_picture(watch));
	assert_int_equal(flux_watch_picture(watch)->n, 0);
	assert_null(flux_watch_problem(watch));
	assert_string_equal(asked, KUSTOMIZE "\n" HELM "\n" SOURCE "\n");
}

static void pages_of_the_kinds_that_are_served_make_one_picture(void **state)
{
	static const struct row table[] = {
		{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"},{\"name\":\"kustomizations/status\"}]}"},
		{KUSTOMIZE "/kustomizations?limit=20", 0, 200, "{\"metadata\":{\"continue\":\"abc-_=\"},\"items\":[" ITEM("a") "]}"},
		{KUSTOMIZE "/kustomizations?limit=20&continue=abc-_=", 0, 200, "{\"metadata\":{},\"items\":[" ITEM("b") "]}"},
		{SOURCE, 0, 200, "{\"resources\":[{\"name\":\"externalartifacts\"},{\"name\":\"gitrepositories\"}]}"},
		{SOURCE "/externalartifacts?limit=20", 0, 200, "{\"metadata\":{},\"items\":[" ITEM("c") "]}"},
		{SOURCE "/gitrepositories?limit=20", -ENOENT, 404, NULL}, // its CRD went away
	};
	struct flux_watch *watch CLEANUP(flux_watch_freep) = round_of(table, N_ELEMENTS(table), NULL);

	assert_int_equal(flux_watch_picture(watch)->n, 3);
	assert_string_equal(flux_watch_picture(watch)->objects[0].name, "c"); // the source first
	assert_null(flux_watch_problem(watch));
	assert_string_equal(asked, KUSTOMIZE "\n" KUSTOMIZE "/kustomizations?limit=20\n" KUSTOMIZE
		"/kustomizations?limit=20&continue=abc-_=\n" HELM "\n" SOURCE "\n" SOURCE "/externalartifacts?limit=20\n" SOURCE
		"/gitrepositories?limit=20\n");
}

static void what_fails_is_said_when_there_is_no_picture(void **state)
{
	static const struct row tables[][2] = {
		{{KUSTOMIZE, -ECONNREFUSED, 0, NULL}},
		{{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"}]}"},
			{KUSTOMIZE "/kustomizations?limit=20", -EAGAIN, 503, NULL}},
		{{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"}]}"},
			{KUSTOMIZE "/kustomizations?limit=20", 0, 200, "{\"items\":7}"}},
		{{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"}]}"},
			{KUSTOMIZE "/kustomizations?limit=20", 0, 200, "{\"items\":[],\"metadata\":{\"continue\":\"a&b\"}}"}},
	};
	static const char *const says[] = {"the API says -111", "the API says -11", "is no list", "no usable next page"};

	for (size_t i = 0; i < N_ELEMENTS(tables); i++) {
		struct flux_watch *watch CLEANUP(flux_watch_freep) = round_of(tables[i], 2, NULL);

		assert_null(flux_watch_picture(watch));
		assert_non_null(flux_watch_problem(watch));
		assert_non_null(strstr(flux_watch_problem(watch), says[i]));
	}
}

static void a_list_that_grew_too_old_is_begun_anew_a_few_times(void **state)
{
	static const struct row table[] = {
		{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"}]}"},
		{KUSTOMIZE "/kustomizations?limit=20", 0, 200, "{\"metadata\":{\"continue\":\"t\"},\"items\":[" ITEM("a") "]}"},
		{KUSTOMIZE "/kustomizations?limit=20&continue=t", -EINVAL, 410, NULL},
	};
	struct flux_watch *watch CLEANUP(flux_watch_freep) = round_of(table, N_ELEMENTS(table), NULL);
	size_t n = 0;

	assert_null(flux_watch_picture(watch));
	for (const char *at = asked; (at = strstr(at, "continue=t")); at++)
		n++;
	assert_int_equal(n, 4);
}

static void a_short_silence_leaves_the_picture(void **state)
{
	static const struct row good[] = {
		{KUSTOMIZE, 0, 200, "{\"resources\":[{\"name\":\"kustomizations\"}]}"},
		{KUSTOMIZE "/kustomizations?limit=20", 0, 200, "{\"metadata\":{},\"items\":[" ITEM("a") "]}"},
	};
	static const struct row silent[] = {{KUSTOMIZE, -ETIMEDOUT, 0, NULL}};
	struct flux_watch *watch CLEANUP(flux_watch_freep) = round_of(good, N_ELEMENTS(good), NULL);

	round_of(silent, N_ELEMENTS(silent), watch); // the next round
	assert_int_equal(flux_watch_picture(watch)->n, 1);
	assert_null(flux_watch_problem(watch));
}

static void freeing_in_the_middle_asks_no_more(void **state)
{
	struct flux_watch *watch = NULL;
	bool done = false;

	rows = NULL;
	n_rows = 0;
	assert_int_equal(flux_watch_new(event, NULL, on_changed, &done, &watch), 0);
	while (!question.on_answer)
		assert_true(sd_event_run(event, 1000000) > 0);
	flux_watch_free(watch);
	assert_null(question.on_answer);
	assert_int_equal(sd_event_run(event, 0), 0);
	assert_false(done);
}

static int begin(void **state)
{
	return sd_event_new(&event) < 0 ? -1 : 0;
}

static int end(void **state)
{
	event = sd_event_unref(event);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_flux_the_picture_is_empty),
		cmocka_unit_test(pages_of_the_kinds_that_are_served_make_one_picture),
		cmocka_unit_test(what_fails_is_said_when_there_is_no_picture),
		cmocka_unit_test(a_list_that_grew_too_old_is_begun_anew_a_few_times),
		cmocka_unit_test(a_short_silence_leaves_the_picture),
		cmocka_unit_test(freeing_in_the_middle_asks_no_more),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
