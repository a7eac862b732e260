// What etcd and kubelet answer, in a sentence.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void etcd_in_a_sentence(void **state)
{
	static const struct {
		int status;
		const char *body, *says;
	} rows[] = {
		{200, "{\"health\":\"true\",\"reason\":\"\"}", ""},
		{503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}", "etcd is not healthy: RAFT NO LEADER"},
		{200, "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}", "etcd is not healthy: ALARM NOSPACE"},
		{503, "nonsense", "etcd is not healthy: it gives no reason"},
		{200, NULL, "etcd is not healthy: it gives no reason"},
		{503, "{\"reason\":\"a\\u001b[2J\"}", "etcd is not healthy: a?[2J"},
		{0, NULL, "etcd does not answer yet"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char sentence[HEALTH_SENTENCE_MAX];

		etcd_health_sentence(rows[i].status, rows[i].body, sentence);
		assert_string_equal(sentence, rows[i].says);
	}
}

static void the_kubelet_in_a_sentence(void **state)
{
	static const struct {
		int status;
		const char *body, *says;
	} rows[] = {
		{200, "ok", ""},
		{500, "[-]syncloop failed: reason withheld\nhealthz check failed", "the kubelet is not healthy: [-]syncloop failed: reason withheld"},
		{500, "", "the kubelet is not healthy: it gives no reason"},
		{0, NULL, "the kubelet does not answer yet"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char sentence[HEALTH_SENTENCE_MAX];

		kubelet_health_sentence(rows[i].status, rows[i].body, sentence);
		assert_string_equal(sentence, rows[i].says);
	}
}

// One letter a look: e etcd is away, E healthy; k the kubelet is away, K healthy; - no answer yet.
static void what_is_said_does_not_flip(void **state)
{
	static const struct {
		bool worker;
		const char *etcd, *kubelet, *says; // says: e, k, or - for nothing, after each look
	} rows[] = {
		{false, "eEeEeEEEEE", "kkkkkkkkkk", "eeeeeeekkk"},
		{false, "EEeEeEeeeE", "kkkkkkkkkk", "kkkkkkkkee"},
		{false, "-eEEE", "kkkkk", "-eeek"},
		{false, "EEEEEE", "kkkKKK", "kkkkk-"},
		{true, "------", "kKkKKK", "kkkkk-"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct health_look etcd = {0}, kubelet = {0};

		for (size_t look = 0; rows[i].says[look]; look++) {
			const char *said;

			if (rows[i].etcd[look] != '-')
				health_look_take(&etcd, rows[i].etcd[look] == 'e' ? "e" : "");
			health_look_take(&kubelet, rows[i].kubelet[look] == 'k' ? "k" : "");
			said = health_looks_sentence(rows[i].worker ? NULL : &etcd, &kubelet);
			if ((said ? *said : '-') != rows[i].says[look])
				fail_msg("row %zu, look %zu: %s", i, look, said ? said : "-");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_does_not_flip),
		cmocka_unit_test(etcd_in_a_sentence),
		cmocka_unit_test(the_kubelet_in_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
