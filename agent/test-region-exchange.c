// What an exchange and the region's time hold on to: one CA, one hello.
// SPDX-License-Identifier: Apache-2.0
#include "agent/region-exchange.h"
#include "base/json.h"
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

static void confirmation_ends_with_its_exchange(void **state)
{
	static const char closed[] = "{\"state\":\"closed\"}";
	struct region_client c = { .exchange_path = (char *)"/tmp/hearth-test-exchange-of-nobody", .nonce_sent = true,
		.confirmed = true, .enrol = ENROL_PENDING, .code = "7K3M-9QXD" };
	c.exchange_id = strdup("e-1");
	assert_int_equal(region_exchange_answer(&c, closed, strlen(closed), NULL), 0);
	assert_null(c.exchange_id);
	assert_false(c.confirmed); // else whoever answers the next hello would be admitted without anybody looking
	c.confirmed = true;
	c.exchange_id = strdup("e-2");
	region_exchange_refused(&c, 404, "not-found", "no such enrolment");
	assert_null(c.exchange_id);
	assert_false(c.confirmed);
}

// hearthd started again in this boot with a new key; what it kept in /run belongs to the old one.
static void exchange_of_another_key_is_forgotten(void **state)
{
	struct region_client c = { .exchange_path = (char *)"/tmp/hearth-test-exchange-of-nobody", .nonce_sent = true,
		.enrol = ENROL_ASKING };
	c.exchange_id = strdup("e-1");
	region_exchange_refused(&c, 403, "not-yours", "the enrolment is another key's");
	assert_null(c.exchange_id);
	assert_int_equal(c.enrol, ENROL_NONE);
}

static void time_heard_is_the_regions_not_ours(void **state)
{
	struct region_client c = { .heard_msec = 0 };
	region_client_heard(&c, 5 * USEC_PER_SEC, INT64_C(4102444800000)); // an answer that is no hello yet says nothing about the time
	assert_int_equal(c.heard_msec, 0);
	assert_int_equal(c.heard_usec, 5 * USEC_PER_SEC);
	c.has_hello = true;
	c.hello.region_msec = INT64_C(1795392000000);
	c.hello_ended_usec = 6 * USEC_PER_SEC;
	region_client_heard(&c, 66 * USEC_PER_SEC, INT64_C(4102444800000)); // our clock is in 2100
	assert_int_equal(c.heard_msec, INT64_C(1795392060000));
	region_client_heard(&c, 67 * USEC_PER_SEC, INT64_C(1795392060500)); // our oscillator is fast, NTP holds the clock
	assert_int_equal(c.heard_msec, INT64_C(1795392060500));
}

// With our own clock a renewed certificate would be as old as the last one, and be renewed again without end.
static void certificate_is_judged_by_the_clock_that_made_it(void **state)
{
	struct region_client c = { .heard_msec = 0 };
	struct identity identity = { .cert_pem = (char *)"PEM", .cert_from_sec = 1795392000, .cert_to_sec = 1795392000 + 30 * 86400 };
	const int64_t year_2100 = INT64_C(4102444800000);
	assert_int_equal(region_client_wall_msec(&c, 9 * USEC_PER_SEC, year_2100), year_2100);
	c.has_hello = true;
	c.hello.region_msec = INT64_C(1795392000000);
	c.hello_ended_usec = 6 * USEC_PER_SEC;
	assert_int_equal(region_client_wall_msec(&c, 9 * USEC_PER_SEC, year_2100), INT64_C(1795392003000));
	assert_false(identity_wants_renewal(&identity, region_client_wall_msec(&c, 9 * USEC_PER_SEC, year_2100) / 1000));
	assert_true(identity_wants_renewal(&identity, region_client_wall_msec(&c, 21 * 86400 * USEC_PER_SEC, year_2100) / 1000));
}

static int accept_or_not(int64_t region_msec, void *user)
{
	return *(const bool *)user ? 0 : -ERANGE;
}

static struct hello hello_of(const char *ca, int64_t msec)
{
	return (struct hello){ .ca_pem = strdup(ca), .region_msec = msec };
}

static void later_hello_only_brings_the_time(void **state)
{
	bool accepted = false;
	struct region_client c = { .events = { .on_hello = accept_or_not, .user = &accepted } };
	struct hello hello = hello_of("CA 1", 1000);
	assert_false(region_client_take_hello(&c, &hello)); // the first one: nothing is sent
	assert_false(c.has_hello);
	accepted = true;
	hello = hello_of("CA 1", 2000);
	assert_true(region_client_take_hello(&c, &hello));
	assert_true(c.has_hello && c.clients_stale);
	c.clients_stale = false;
	hello = hello_of("CA 1", 3000);
	assert_true(region_client_take_hello(&c, &hello));
	assert_int_equal(c.hello.region_msec, 3000);
	assert_false(c.clients_stale); // long polls go on
	accepted = false;
	hello = hello_of("CA 1", 500); // the region's clock was turned back
	assert_false(region_client_take_hello(&c, &hello));
	assert_true(c.has_hello && !c.clients_stale);
	assert_int_equal(c.hello.region_msec, 3000);
	accepted = true;
	hello = hello_of("CA 2", 4000);
	assert_true(region_client_take_hello(&c, &hello));
	assert_true(c.clients_stale);
	hello_done(&c.hello);
}

// Two long polls to a region's dead address fail together: with two addresses, moving on twice was not to move at all.
static void dead_address_is_left_once(void **state)
{
	struct region_client c = { .n_urls = 2 };
	region_client_url_failed(&c, 0);
	region_client_url_failed(&c, 0);
	assert_int_equal(c.url, 1);
	region_client_url_failed(&c, 1);
	assert_int_equal(c.url, 0);
	c.n_urls = 0;
	region_client_url_failed(&c, 0);
	assert_int_equal(c.url, 0);
}

struct admission_log {
	char order[64];
	struct identity *identity;
	bool disk_full;
};

static int on_admitted(struct diag *reterr, void *user)
{
	struct admission_log *log = user;
	if (log->disk_full)
		return diag_set(reterr, -ENOSPC, "region.json", "cannot be written: %s", strerror(ENOSPC));
	strcat(log->order, log->identity->cert_pem ? "too late;" : "admitted;");
	return 0;
}

static void on_certificate(void *user)
{
	struct admission_log *log = user;
	strcat(log->order, log->identity->cert_pem ? "certificate;" : "too early;");
}

static char *certificate_for(const struct identity *identity)
{
	struct key *key CLEANUP(key_freep) = NULL;
	char *ca AUTO_FREE = NULL, *pem = NULL;
	struct cert_request request = { .usage = CERT_USAGE_CA, .common_name = "ca", .not_after_sec = INT64_C(4102444800) };
	assert_int_equal(key_generate(&key), 0);
	assert_int_equal(cert_issue(&request, NULL, key, &ca, NULL), 0);
	request.usage = CERT_USAGE_CLIENT;
	request.common_name = "n-1";
	request.spki = identity->spki;
	request.n_spki = identity->n_spki;
	assert_int_equal(cert_issue(&request, ca, key, &pem, NULL), 0);
	return pem;
}

static void region_is_kept_before_its_certificate(void **state)
{
	char folder[] = "/tmp/hearth-test-exchange-XXXXXX";
	static const char *const files[] = { "node.key", "node.crt", "wg.key" };
	struct identity *identity CLEANUP(identity_freep) = NULL;
	struct json_out out = { 0 };
	assert_non_null(mkdtemp(folder));
	assert_int_equal(identity_open(folder, &identity, NULL), 0);
	struct admission_log log = { .identity = identity };
	struct region_client c = { .exchange_path = (char *)"/tmp/hearth-test-exchange-of-nobody", .nonce_sent = true,
		.identity = identity, .n_pins = 1, .enrol = ENROL_PENDING, .code = "7K3M-9QXD",
		.events = { .on_admitted = on_admitted, .on_certificate = on_certificate, .user = &log } };
	c.exchange_id = strdup("e-1");
	char *pem AUTO_FREE = certificate_for(identity);
	json_out_object_begin(&out);
	json_out_member(&out, "state", "approved");
	json_out_member(&out, "certificate", pem);
	json_out_object_end(&out);
	char *json AUTO_FREE = json_out_take(&out);
	struct diag diag = { 0 };
	log.disk_full = true; // then there is no certificate either
	assert_int_equal(region_exchange_answer(&c, json, strlen(json), &diag), -ENOSPC);
	assert_non_null(strstr(diag_text(&diag), "region.json"));
	assert_null(identity->cert_pem);
	assert_int_not_equal(c.enrol, ENROL_APPROVED);
	log.disk_full = false;
	assert_int_equal(region_exchange_answer(&c, json, strlen(json), NULL), 0);
	assert_string_equal(log.order, "admitted;certificate;");
	assert_int_equal(c.enrol, ENROL_APPROVED);
	c.n_pins = 0; // nobody has confirmed an unpinned region
	log.order[0] = '\0';
	c.exchange_id = strdup("e-2");
	c.nonce_sent = true;
	c.enrol = ENROL_PENDING;
	assert_int_equal(region_exchange_answer(&c, json, strlen(json), NULL), 0);
	assert_string_equal(log.order, "");
	assert_int_equal(c.enrol, ENROL_UNCONFIRMED);
	free(c.exchange_id);
	free(c.name);
	free(c.enrol_sentence);
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		char path[128];
		(void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]); // fits
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_and_confirmation_hold_for_one_ca_only),
		cmocka_unit_test(confirmation_ends_with_its_exchange),
		cmocka_unit_test(exchange_of_another_key_is_forgotten),
		cmocka_unit_test(time_heard_is_the_regions_not_ours),
		cmocka_unit_test(certificate_is_judged_by_the_clock_that_made_it),
		cmocka_unit_test(later_hello_only_brings_the_time),
		cmocka_unit_test(dead_address_is_left_once),
		cmocka_unit_test(region_is_kept_before_its_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
