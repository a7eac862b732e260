// What a status says of a node's part in the cluster: sizes and shapes.
// SPDX-License-Identifier: Apache-2.0
#include "region/body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void shapes(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "{}", true },
		{ "{\"etcd\":null,\"jobs\":null,\"k3sRestart\":null,\"certificates\":null}", true },
		{ "{\"etcd\":{\"voter\":true,\"name\":\"a-1\"}}", true },
		{ "{\"etcd\":{\"voter\":true}}", true },
		{ "{\"etcd\":{\"name\":\"a\"}}", false },
		{ "{\"etcd\":{\"voter\":\"yes\"}}", false },
		{ "{\"etcd\":{\"voter\":true,\"name\":7}}", false },
		{ "{\"etcd\":[]}", false },
		{ "{\"jobs\":{\"j-0123456789abcdef\":{\"state\":\"running\",\"sentence\":\"\"}}}",
			true },
		{ "{\"jobs\":{\"j-0123456789abcdef\":{\"state\":\"done\"}}}", true },
		{ "{\"jobs\":{\"j-0123456789abcdef\":{\"state\":\"gone\"}}}", false },
		{ "{\"jobs\":{\"j-0123456789abcdef\":{}}}", false },
		{ "{\"jobs\":{\"j-0123456789abcdef\":[]}}", false },
		{ "{\"jobs\":{\"j-0123456789abcdeg\":{\"state\":\"done\"}}}", false },
		{ "{\"jobs\":{\"j-0\":{\"state\":\"done\"}}}", false },
		{ "{\"jobs\":[]}", false },
		{ "{\"k3sRestart\":0}", true },
		{ "{\"k3sRestart\":-1}", false },
		{ "{\"k3sRestart\":1073741825}", false },
		{ "{\"k3sRestart\":\"1\"}", false },
		{ "{\"payloadSha256\":\"\"}", true },
		{ "{\"payloadSha256\":\"" HEX64 "\"}", true },
		{ "{\"payloadSha256\":\"" HEX64 "0\"}", false },
		{ "{\"payloadSha256\":\"abc\"}", false },
		{ "{\"payloadSha256\":5}", false },
		{ "{\"certificates\":{\"soonest\":\"2027-01-01T00:00:00Z\",\"name\":\"x\"}}",
			true },
		{ "{\"certificates\":{\"soonest\":5}}", false },
		{ "{\"certificates\":\"x\"}", false },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		struct status_body body;
		assert_int_equal(
			json_parse(rows[i].text, strlen(rows[i].text), 0, &document, NULL), 0);
		if ((status_body_decode(document, &body, NULL) >= 0) != rows[i].good)
			fail_msg("%s", rows[i].text);
	}
}

static void too_many_jobs_are_refused(void **state)
{
	for (int n = REPORT_MAX_JOBS; n <= REPORT_MAX_JOBS + 1; n++) {
		CLEANUP(value_freep) struct value *document = NULL;
		struct json_out out = { 0 };
		struct member_report report;
		json_out_object_begin(&out);
		json_out_key(&out, "jobs");
		json_out_object_begin(&out);
		for (int i = 0; i < n; i++) {
			char id[24];
			(void)snprintf(id, sizeof(id), "j-%016x", (unsigned)i);
			json_out_key(&out, id);
			json_out_raw(&out, "{\"state\":\"running\"}");
		}
		json_out_object_end(&out);
		json_out_object_end(&out);
		AUTO_FREE char *text = json_out_take(&out);
		assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
		assert_int_equal(member_report_decode(document, &report, NULL),
			n > REPORT_MAX_JOBS ? -EINVAL : 0);
	}
}

static void values_are_what_was_said(void **state)
{
	static const char text[] =
		"{\"etcd\":{\"voter\":true,\"name\":\"n1-abc\"},\"jobs\":{\"j-0123456789abcdef\":{"
		"\"state\":\"failed\",\"sentence\":\"no leader\"}},\"k3sRestart\":4,"
		"\"payloadSha256\":\"" HEX64
		"\",\"certificates\":{\"soonest\":\"2027-01-02\",\"name\":"
		"\"serving-kube-apiserver.crt\"}}";
	CLEANUP(value_freep) struct value *document = NULL;
	struct member_report report;
	const char *job_state, *sentence;
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	assert_int_equal(member_report_decode(document, &report, NULL), 0);
	assert_true(report.has_etcd && report.voter);
	assert_string_equal(report.etcd_name, "n1-abc");
	assert_int_equal(report.restart, 4);
	assert_string_equal(report.payload_sha256, HEX64);
	assert_true(member_report_job(&report, "j-0123456789abcdef", &job_state, &sentence));
	assert_string_equal(job_state, "failed");
	assert_string_equal(sentence, "no leader");
	assert_false(member_report_job(&report, "j-1123456789abcdef", &job_state, &sentence));
	AUTO_FREE char *warning = member_report_certificates(document);
	assert_non_null(strstr(warning, "serving-kube-apiserver.crt"));
	assert_non_null(strstr(warning, "2027-01-02"));
	assert_null(member_report_certificates(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(too_many_jobs_are_refused),
		cmocka_unit_test(values_are_what_was_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
