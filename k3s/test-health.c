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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(etcd_in_a_sentence),
		cmocka_unit_test(the_kubelet_in_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
