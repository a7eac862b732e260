// The dashboard and the serial line, as text.
// SPDX-License-Identifier: Apache-2.0
#include "agent/screen.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char status_text[] =
	"{\"name\":\"hzfsnr-k8s-1p\",\"phase\":\"enrolled\",\"code\":\"0123-ABCD\",\"sentence\":\"waiting for a person at the region "
	"to approve this machine with the code on its screen\",\"warnings\":[\"the region is silent\"],\"seedSource\":\"iso\","
	"\"kubernetes\":\"upstream Kubernetes behind an interface with a very long name, containerd and runc of Debian\"}";

static char *dashboard(unsigned columns, unsigned rows)
{
	struct value *status CLEANUP(value_freep) = NULL;
	assert_int_equal(json_parse(status_text, strlen(status_text), 0, &status, NULL), 0);
	char *text = screen_dashboard(status, columns, rows);
	assert_non_null(text);
	return text;
}

static void no_word_is_cut_at_the_right_edge(void **state)
{
	char *text AUTO_FREE = dashboard(80, 25);
	unsigned at = 0;
	for (const char *c = strstr(text, "phase"); *c; c++) {
		at = *c == '\n' ? 0 : at + ((*c & 0xc0) != 0x80);
		assert_true(at <= 80);
	}
	assert_non_null(strstr(text, "containerd"));
}

static void what_a_person_needs_is_on_it(void **state)
{
	char *text AUTO_FREE = dashboard(80, 25);
	assert_non_null(strstr(text, "hzfsnr-k8s-1p"));
	assert_non_null(strstr(text, "waiting for a person"));
	assert_non_null(strstr(text, "the region is silent"));
	assert_non_null(strstr(text, "iso"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_word_is_cut_at_the_right_edge),
		cmocka_unit_test(what_a_person_needs_is_on_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
