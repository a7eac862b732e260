// What an exchange and the region's time hold on to: one CA, one hello.
// SPDX-License-Identifier: Apache-2.0
#include "agent/region-exchange.h"
#include "base/time.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void code_and_confirmation_hold_for_one_ca_only(void **state)
{
	struct region_client c = { .exchange_path = (char *)"/tmp/hearth-test-exchange-of-nobody", .nonce_sent = true,
		.confirmed = true, .enrol = ENROL_PENDING, .code = "7K3M-9QXD" };
	c.exchange_id = strdup("e-1");
	memset(c.code_pin, 1, sizeof(c.code_pin));
	memset(c.hello.ca_pin, 1, sizeof(c.hello.ca_pin));
	region_exchange_check_ca(&c);
	assert_true(c.confirmed);
	assert_string_equal(c.exchange_id, "e-1");
	c.hello.ca_pin[31] = 2; // somebody else answers where no pin says who may
	region_exchange_check_ca(&c);
	assert_false(c.confirmed);
	assert_null(c.exchange_id);
	assert_false(c.nonce_sent);
	assert_string_equal(c.code, "");
	assert_int_equal(c.enrol, ENROL_NONE);
}

static void time_heard_is_the_regions_not_ours(void **state)
{
	struct region_client c = { .heard_msec = 0 };
	region_client_heard(&c, 5 * USEC_PER_SEC); // an answer that is no hello yet says nothing about the time
	assert_int_equal(c.heard_msec, 0);
	assert_int_equal(c.heard_usec, 5 * USEC_PER_SEC);
	c.has_hello = true;
	c.hello.region_msec = INT64_C(1795392000000);
	c.hello_ended_usec = 6 * USEC_PER_SEC;
	region_client_heard(&c, 66 * USEC_PER_SEC);
	assert_int_equal(c.heard_msec, INT64_C(1795392060000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_and_confirmation_hold_for_one_ca_only),
		cmocka_unit_test(time_heard_is_the_regions_not_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
