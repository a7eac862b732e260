// Which places a bootstrap of a registry is pulled from, in which order, and with whose CA, login and proxy.
// SPDX-License-Identifier: Apache-2.0
#include "agent/bootstrap-sources.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MIRRORS "{\"r.example.org:5000\":[\"https://m1/proxy/v2/\",\"http://m2:8080\"],\"*\":[\"https://any\"]}"
#define CONFIGS "{\"m1\":{\"caPem\":\"CA 1\"},\"r.example.org:5000\":{\"caPem\":\"CA R\"}}"
#define LOGINS "{\"r.example.org:5000\":{\"username\":\"u\",\"password\":\"p\"},\"m1\":{\"password\":\"alone\"}}"

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

static void mirrors_come_first_each_with_what_is_its_own(void **state)
{
	struct value *mirrors CLEANUP(value_freep) = json(MIRRORS), *configs CLEANUP(value_freep) = json(CONFIGS);
	struct value *logins CLEANUP(value_freep) = json(LOGINS);
	struct assignment assignment = {.bootstrap_registry = "r.example.org:5000", .registry_mirrors = mirrors,
		.registry_configs = configs, .proxy_https = "http://proxy:3128"};
	struct bootstrap_place places[BOOTSTRAP_MAX_SOURCES];

	assert_int_equal(bootstrap_places(&assignment, logins, places), 3);
	assert_string_equal(places[0].url, "https://m1/proxy");
	assert_string_equal(places[0].ca_pem, "CA 1");
	assert_null(places[0].username); // half a login is none
	assert_null(places[0].password);
	assert_string_equal(places[0].proxy, "http://proxy:3128");
	assert_string_equal(places[1].url, "http://m2:8080");
	assert_true(places[1].plain);
	assert_null(places[1].ca_pem);
	assert_null(places[1].proxy);
	assert_string_equal(places[2].url, "https://r.example.org:5000");
	assert_false(places[2].plain);
	assert_string_equal(places[2].ca_pem, "CA R");
	assert_string_equal(places[2].username, "u");
	assert_string_equal(places[2].password, "p");
	bootstrap_places_done(places, 3);
}

static void the_star_is_for_registries_without_mirrors_of_their_own(void **state)
{
	struct value *mirrors CLEANUP(value_freep) = json(MIRRORS);
	struct assignment assignment = {.bootstrap_registry = "other.example.org", .registry_mirrors = mirrors};
	struct bootstrap_place places[BOOTSTRAP_MAX_SOURCES];

	assert_int_equal(bootstrap_places(&assignment, NULL, places), 2);
	assert_string_equal(places[0].url, "https://any");
	assert_string_equal(places[1].url, "https://other.example.org");
	bootstrap_places_done(places, 2);
	assignment.registry_mirrors = NULL;
	assert_int_equal(bootstrap_places(&assignment, NULL, places), 1);
	assert_null(places[0].ca_pem);
	bootstrap_places_done(places, 1);
}

static void without_a_registry_it_is_the_region(void **state)
{
	struct assignment assignment = {0};
	struct oci_source region = {.url = "https://region:7443", .repository = "hearth/bootstrap"};
	struct bootstrap_sources sources CLEANUP(bootstrap_sources_done) = {0};
	struct bootstrap_clients clients CLEANUP(bootstrap_clients_done) = {0};

	assert_int_equal(bootstrap_sources_make(NULL, &assignment, &region, "no JSON", &sources, &clients, NULL), 0);
	assert_int_equal(sources.n, 1);
	assert_string_equal(sources.items[0].url, "https://region:7443");
	assert_null(clients.of[0]);
}

static void damaged_logins_are_told_without_their_text(void **state)
{
	struct assignment assignment = {.bootstrap_registry = "r", .bootstrap_repository = "a/b"};
	struct oci_source region = {0};
	struct bootstrap_sources sources CLEANUP(bootstrap_sources_done) = {0};
	struct bootstrap_clients clients CLEANUP(bootstrap_clients_done) = {0};
	sd_event *event CLEANUP(sd_event_unrefp) = NULL;
	struct diag diag = {0};

	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(bootstrap_sources_make(event, &assignment, &region, "{\"secret", &sources, &clients, &diag), -EBADMSG);
	assert_null(strstr(diag_text(&diag), "secret"));
	assert_int_equal(bootstrap_sources_make(event, &assignment, &region, "{}", &sources, &clients, &diag), 0);
	assert_int_equal(sources.n, 1);
	assert_non_null(sources.items[0].client);
	assert_string_equal(sources.items[0].repository, "a/b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mirrors_come_first_each_with_what_is_its_own),
		cmocka_unit_test(the_star_is_for_registries_without_mirrors_of_their_own),
		cmocka_unit_test(without_a_registry_it_is_the_region),
		cmocka_unit_test(damaged_logins_are_told_without_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
