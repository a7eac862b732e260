// Lists of Flux' objects: what is ready, in which order, what is said about the first that is not.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flux.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW 1795608000 // 2026-11-25T12:00:00Z

static struct value *json(const char *text)
{
	struct value *value = NULL;
	struct diag diag = {0};

	if (json_parse(text, strlen(text), 0, &value, &diag) < 0)
		fail_msg("%s: %s", diag_text(&diag), text);
	return value;
}

static void add(struct flux *flux, enum flux_kind kind, const char *items)
{
	char *text AUTO_FREE = str_format("{\"items\":[%s]}", items);
	struct value *list CLEANUP(value_freep) = json(text);

	assert_int_equal(flux_add(flux, kind, list, NULL), 0);
}

#define META(name) "\"metadata\":{\"namespace\":\"flux-system\",\"name\":\"" name "\",\"generation\":2}"
#define STATUS(ready, message)                                                                     \
	"\"status\":{\"observedGeneration\":2,\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready      \
	"\",\"observedGeneration\":2,\"lastTransitionTime\":\"2026-11-25T11:56:00Z\",\"reason\":\"R\",\"message\":\"" message \
	"\"}]}"
#define GOOD STATUS("True", "Applied")
#define SOURCE "\"sourceRef\":{\"kind\":\"GitRepository\",\"name\":\"repo\"}"
#define DEPENDS(name) "\"dependsOn\":[{\"name\":\"" name "\"}]"

static void objects_are_ready_as_they_say(void **state)
{
	static const struct {
		enum flux_kind kind;
		const char *rest;
		bool ready;
		const char *says;
	} rows[] = {
		{FLUX_KUSTOMIZATION, GOOD, true, NULL},
		{FLUX_KUSTOMIZATION, STATUS("False", "kaputt"), false, "kaputt"},
		{FLUX_KUSTOMIZATION, STATUS("False", ""), false, "R"},
		{FLUX_KUSTOMIZATION, STATUS("Unknown", "Reconciliation in progress"), false, "Reconciliation in progress"},
		{FLUX_KUSTOMIZATION, "\"spec\":{}", false, "its controller has not looked at it yet"},
		{FLUX_KUSTOMIZATION, "\"spec\":{\"suspend\":true}", false, "it is suspended and was never looked at"},
		{FLUX_KUSTOMIZATION, "\"spec\":{\"suspend\":true}," GOOD, true, NULL},
		{FLUX_KUSTOMIZATION, "\"spec\":{\"suspend\":true}," STATUS("False", "kaputt"), false,
			"it is suspended; the last it said: kaputt"},
		// Ready, but of the generation before
		{FLUX_KUSTOMIZATION,
			"\"status\":{\"observedGeneration\":1,\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}", false,
			"its last change is not reconciled yet"},
		{FLUX_KUSTOMIZATION,
			"\"spec\":{\"suspend\":true},\"status\":{\"observedGeneration\":1,\"conditions\":[{\"type\":\"Ready\","
			"\"status\":\"True\"}]}", true, NULL},
		// a failure is said although Flux has not moved status.observedGeneration
		{FLUX_KUSTOMIZATION,
			"\"status\":{\"observedGeneration\":-1,\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
			"\"observedGeneration\":2,\"message\":\"kaputt\"}]}", false, "kaputt"},
		{FLUX_HELM_REPOSITORY, "\"spec\":{\"type\":\"oci\"}", true, NULL},
		{FLUX_HELM_REPOSITORY, "\"spec\":{}", false, "its controller has not looked at it yet"},
		{FLUX_EXTERNAL_ARTIFACT, "\"status\":{\"artifact\":{\"url\":\"http://x/y\"}}", true, NULL},
		{FLUX_EXTERNAL_ARTIFACT, "\"status\":{}", false, "its controller has not looked at it yet"},
		{FLUX_GIT_REPOSITORY, STATUS("False", " line one\\n\\t line \\u001b two...\\n\\n"), false, "line one line ? two..."},
		{FLUX_GIT_REPOSITORY, "\"status\":7", false, "its controller has not looked at it yet"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct flux *flux CLEANUP(flux_freep) = flux_new();
		char *item AUTO_FREE = str_format("{" META("x") ",%s}", rows[i].rest);

		add(flux, rows[i].kind, item);
		assert_int_equal(flux_arrange(flux, NULL), 0);
		if (flux->objects[0].ready != rows[i].ready)
			fail_msg("row %zu", i);
		assert_int_equal(flux->n_ready, rows[i].ready);
		if (rows[i].says)
			assert_string_equal(flux->objects[0].message, rows[i].says);
		else
			assert_null(flux->objects[0].message);
	}
}

static void what_is_being_deleted_is_not_ready(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();

	add(flux, FLUX_KUSTOMIZATION, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"b\","
		"\"deletionTimestamp\":\"2026-11-25T11:00:00Z\"}," GOOD "}");
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_int_equal(flux->n_ready, 0);
	assert_int_equal(flux->objects[0].since_sec, NOW - 3600);
}

static size_t place_of(const struct flux *flux, const char *name)
{
	for (size_t i = 0; i < flux->n; i++)
		if (str_equal(flux->objects[i].name, name))
			return i;
	fail_msg("%s is not there", name);
	return 0;
}

static void what_is_waited_for_stands_first(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();

	add(flux, FLUX_KUSTOMIZATION, // alphabetically the other way round
		"{" META("a") ",\"spec\":{" SOURCE "," DEPENDS("b") "}," GOOD "},"
		"{" META("b") ",\"spec\":{" SOURCE "," DEPENDS("c") "}," GOOD "}");
	add(flux, FLUX_KUSTOMIZATION, "{" META("c") ",\"spec\":{" SOURCE ",\"healthChecks\":[{\"apiVersion\":\"helm.toolkit."
		"fluxcd.io/v2\",\"kind\":\"HelmRelease\",\"name\":\"release\",\"namespace\":\"flux-system\"},"
		"{\"kind\":\"Deployment\",\"name\":\"a\",\"namespace\":\"flux-system\"}]}," GOOD "}");
	add(flux, FLUX_HELM_RELEASE, "{" META("release") ",\"spec\":{\"chart\":{\"spec\":{\"sourceRef\":{\"kind\":"
		"\"HelmRepository\",\"name\":\"charts\"}}}}," GOOD "}");
	add(flux, FLUX_HELM_REPOSITORY, "{" META("charts") "," GOOD "}");
	add(flux, FLUX_GIT_REPOSITORY, "{" META("repo") "," GOOD "}");
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_int_equal(flux->n, 6);
	assert_int_equal(flux->n_ready, 6);
	assert_int_equal(flux->n_cycles, 0);
	assert_true(place_of(flux, "charts") < place_of(flux, "release"));
	assert_true(place_of(flux, "release") < place_of(flux, "c"));
	assert_true(place_of(flux, "repo") < place_of(flux, "c"));
	assert_true(place_of(flux, "c") < place_of(flux, "b"));
	assert_true(place_of(flux, "b") < place_of(flux, "a"));
	assert_null(flux_first(flux));
	char sentence[FLUX_SENTENCE_MAX];
	flux_sentence(flux, NOW, sentence);
	assert_string_equal(sentence, "");
}

static void the_first_that_fails_is_said_with_age_and_who_waits(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	char sentence[FLUX_SENTENCE_MAX];

	add(flux, FLUX_GIT_REPOSITORY, "{" META("repo") "," GOOD "}");
	add(flux, FLUX_KUSTOMIZATION,
		"{" META("apps") ",\"spec\":{" SOURCE "," DEPENDS("middle") "}," STATUS("False", "dependency") "},"
		"{" META("last") ",\"spec\":{" SOURCE "," DEPENDS("apps") "}," STATUS("False", "dependency") "},"
		"{" META("middle") ",\"spec\":{" SOURCE "," DEPENDS("ready") "}," STATUS("False", "kaputt") "},"
		"{" META("ready") ",\"spec\":{" SOURCE "}," GOOD "}");
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_string_equal(flux_first(flux)->name, "middle");
	flux_sentence(flux, NOW, sentence);
	assert_string_equal(sentence,
		"Kustomization flux-system/middle is not ready for 4 min: kaputt; Kustomization flux-system/apps and 1 more wait "
		"behind it; mend it in its source, GitRepository flux-system/repo");
	flux_sentence(flux, NOW - 240 + 47, sentence);
	assert_non_null(strstr(sentence, " for 40 s: "));
	flux_sentence(flux, NOW - 600, sentence); // a clock that is behind
	assert_non_null(strstr(sentence, "is not ready: kaputt"));
	flux_sentence(flux, NOW + 3 * 86400, sentence);
	assert_non_null(strstr(sentence, " for 3 d: "));
}

static void a_parent_that_waits_stands_after_its_children(void **state)
{
	static const char child[] = "{\"metadata\":{\"namespace\":\"x\",\"name\":\"zz\",\"labels\":{\"kustomize.toolkit.fluxcd.io/"
		"name\":\"all\",\"kustomize.toolkit.fluxcd.io/namespace\":\"flux-system\"}},\"spec\":{%s}," STATUS("False", "kaputt")
		"}";
	for (int deadlock = 0; deadlock < 2; deadlock++) {
		struct flux *flux CLEANUP(flux_freep) = flux_new();
		char *item AUTO_FREE = str_format(child, deadlock ? "\"dependsOn\":[{\"name\":\"all\",\"namespace\":"
			"\"flux-system\"}]" : "");
		char sentence[FLUX_SENTENCE_MAX];

		add(flux, FLUX_KUSTOMIZATION, "{\"metadata\":{\"namespace\":\"flux-system\",\"name\":\"all\",\"labels\":{"
			"\"kustomize.toolkit.fluxcd.io/name\":\"all\",\"kustomize.toolkit.fluxcd.io/namespace\":\"flux-system\"}},"
			"\"spec\":{\"wait\":true}," STATUS("Unknown", "running health checks") "}");
		add(flux, FLUX_KUSTOMIZATION, item);
		assert_int_equal(flux_arrange(flux, NULL), 0);
		flux_sentence(flux, NOW, sentence);
		if (!deadlock) {
			assert_string_equal(flux_first(flux)->name, "zz");
			assert_non_null(strstr(sentence, "Kustomization flux-system/all waits behind it"));
			assert_int_equal(flux->n_cycles, 0);
			continue;
		}
		assert_int_equal(flux->n_cycles, 1); // the child waits for the parent that waits for the child
		assert_non_null(strstr(sentence, "these wait for each other: Kustomization flux-system/all -> Kustomization "
			"x/zz -> Kustomization flux-system/all; mend"));
	}
}

static void a_circle_is_named(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	char sentence[FLUX_SENTENCE_MAX];

	add(flux, FLUX_KUSTOMIZATION,
		"{" META("a") ",\"spec\":{" DEPENDS("c") "}," STATUS("False", "dependency") "},"
		"{" META("b") ",\"spec\":{" DEPENDS("a") "}," STATUS("False", "dependency") "},"
		"{" META("c") ",\"spec\":{" DEPENDS("b") "}," STATUS("False", "dependency") "},"
		"{" META("self") ",\"spec\":{" DEPENDS("self") "}," STATUS("False", "dependency") "}");
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_int_equal(flux->n, 4);
	assert_int_equal(flux->n_cycles, 2);
	assert_string_equal(flux->cycles[1], "Kustomization flux-system/self -> Kustomization flux-system/self");
	flux_sentence(flux, NOW, sentence);
	assert_non_null(strstr(sentence, "these wait for each other: Kustomization flux-system/a -> Kustomization flux-system/c -> "
		"Kustomization flux-system/b -> Kustomization flux-system/a; mend their dependsOn"));
}

static void suspended_objects_are_a_warning(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	char text[FLUX_SENTENCE_MAX];

	add(flux, FLUX_KUSTOMIZATION, "{" META("a") "," GOOD "}");
	assert_int_equal(flux_arrange(flux, NULL), 0);
	flux_suspended(flux, text);
	assert_string_equal(text, "");
	add(flux, FLUX_HELM_RELEASE, "{" META("b") ",\"spec\":{\"suspend\":true}," GOOD "}");
	flux->n_suspended = 1;
	flux_suspended(flux, text);
	assert_non_null(strstr(text, "1 of 2 objects are suspended (HelmRelease flux-system/b)"));
}

static void long_messages_are_cut_at_a_character(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	char message[1200] = "", sentence[FLUX_SENTENCE_MAX];

	for (size_t i = 0; i < 590; i++)
		strcat(message, "\u00e4"); // two bytes
	for (size_t shift = 0; shift < 2; shift++) {
		char *item AUTO_FREE = str_format("{" META("x") ",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":"
			"\"False\",\"message\":\"%s%s\"}]}}", shift ? "a" : "", message);
		add(flux, FLUX_GIT_REPOSITORY, item);
		const char *copy = flux->objects[shift].message;
		assert_true(strlen(copy) <= FLUX_MESSAGE_MAX && strlen(copy) > FLUX_MESSAGE_MAX - 6);
		assert_true(utf8_valid(copy, strlen(copy), NULL));
		assert_string_equal(copy + strlen(copy) - 3, "...");
	}
	assert_int_equal(flux_arrange(flux, NULL), 0);
	flux_sentence(flux, NOW, sentence);
	assert_true(utf8_valid(sentence, strlen(sentence), NULL));
	assert_non_null(strstr(sentence, "can mend it"));
}

static void lists_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"{}", "[]", "{\"items\":{}}", "{\"items\":[7]}", "{\"items\":[{}]}",
		"{\"items\":[{\"metadata\":{\"name\":\"x\"}}]}", "{\"items\":[{\"metadata\":{\"name\":\"\",\"namespace\":\"y\"}}]}"};

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct flux *flux CLEANUP(flux_freep) = flux_new();
		struct value *list CLEANUP(value_freep) = json(bad[i]);

		if (flux_add(flux, FLUX_KUSTOMIZATION, list, NULL) != -EBADMSG)
			fail_msg("row %zu was taken", i);
	}
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	struct value *none CLEANUP(value_freep) = json("{\"items\":null}"); // Go's empty list
	assert_int_equal(flux_add(flux, FLUX_KUSTOMIZATION, none, NULL), 0);
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_null(flux_first(flux));
}

static void thousands_are_ordered_and_no_more_are_taken(void **state)
{
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	struct json_out out = {0};
	char name[32];

	json_out_object_begin(&out);
	json_out_key(&out, "items");
	json_out_array_begin(&out);
	for (int i = 0; i < FLUX_MAX_OBJECTS; i++) { // a chain: each waits for the next
		json_out_object_begin(&out);
		json_out_key(&out, "metadata");
		json_out_object_begin(&out);
		json_out_member(&out, "namespace", "n");
		snprintf(name, sizeof(name), "k%05d", i);
		json_out_member(&out, "name", name);
		json_out_object_end(&out);
		json_out_key(&out, "spec");
		json_out_object_begin(&out);
		json_out_key(&out, "dependsOn");
		json_out_array_begin(&out);
		json_out_object_begin(&out);
		snprintf(name, sizeof(name), "k%05d", i + 1);
		json_out_member(&out, "name", name);
		json_out_object_end(&out);
		json_out_array_end(&out);
		json_out_object_end(&out);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	struct value *list CLEANUP(value_freep) = json(text);
	assert_int_equal(flux_add(flux, FLUX_KUSTOMIZATION, list, NULL), 0);
	assert_int_equal(flux_arrange(flux, NULL), 0);
	assert_string_equal(flux->objects[0].name, "k09999");
	assert_string_equal(flux->objects[FLUX_MAX_OBJECTS - 1].name, "k00000");
	char sentence[FLUX_SENTENCE_MAX];
	flux_sentence(flux, NOW, sentence);
	assert_non_null(strstr(sentence, "and 9998 more wait behind it"));

	json_out_done(&out);
	flux_to_json(flux, NOW, &out);
	char *said AUTO_FREE = json_out_take(&out);
	struct value *status CLEANUP(value_freep) = json(said);
	int64_t n = 0;
	assert_int_equal(value_int(value_find(status, "n"), "n", 0, INT64_MAX, &n, NULL), 0);
	assert_int_equal(n, FLUX_MAX_OBJECTS);
	assert_int_equal(value_find(status, "items")->n, FLUX_MAX_ITEMS);
	assert_string_equal(value_text(value_find(&value_find(status, "items")->items[0], "name")), "k09999");

	struct value *one CLEANUP(value_freep) = json("{\"items\":[{" META("x") "}]}");
	assert_int_equal(flux_add(flux, FLUX_GIT_REPOSITORY, one, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_ready_as_they_say),
		cmocka_unit_test(what_is_being_deleted_is_not_ready),
		cmocka_unit_test(what_is_waited_for_stands_first),
		cmocka_unit_test(the_first_that_fails_is_said_with_age_and_who_waits),
		cmocka_unit_test(a_parent_that_waits_stands_after_its_children),
		cmocka_unit_test(a_circle_is_named),
		cmocka_unit_test(suspended_objects_are_a_warning),
		cmocka_unit_test(long_messages_are_cut_at_a_character),
		cmocka_unit_test(lists_that_are_none_are_refused),
		cmocka_unit_test(thousands_are_ordered_and_no_more_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
