// Seeds: what a source may say, what is refused, and which network a machine gets.
// SPDX-License-Identifier: Apache-2.0
#include "base/seed.h"
#include "base/crypto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PIN "sha256:4932b29ca71edf5f29c56e6a3e07af70c781e8e88a941b3ad8f06cbefa63a619"
#define SECRET "hjt_SECRETSECRET234567"
#define PUBLIC_KEY                                                                                 \
	"-----BEGIN PUBLIC KEY-----\n      "                                                       \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECMY3atWIJNDW1QhoDS0fOuAHf1Jw\n      "                 \
	"LnXiA9+ie7u//G33fGFpqgBMKAzpl8gxau2TDDDwYO+jdYFGpPt0LCoh8w==\n      "                     \
	"-----END PUBLIC KEY-----\n"

static struct seed *parse(const char *text)
{
	struct seed *seed = NULL;
	struct diag diag = { 0 };

	if (seed_parse(text, strlen(text), "seed.yaml", &seed, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return seed;
}

static void seed_with_everything_is_read(void **state)
{
	CLEANUP(seed_freep) struct seed *seed = parse("version: 1\n"
						      "region:\n"
						      "  urls: [https://10.0.2.2:7443, 'https://region.example/']\n"
						      "  pins: [\"" PIN "\"]\n"
						      "  token: " SECRET "\n"
						      "  signingKeys:\n"
						      "    - |\n      " PUBLIC_KEY
						      "network: {version: 2}\n"
						      "stateDisk: {serial: 007}\n");
	char pin[PIN_TEXT];

	assert_int_equal(seed->n_urls, 2);
	assert_string_equal(seed->urls[0], "https://10.0.2.2:7443");
	assert_string_equal(seed->urls[1], "https://region.example");
	assert_int_equal(seed->n_pins, 1);
	pin_format(seed->pins[0], pin);
	assert_string_equal(pin, PIN);
	assert_string_equal(seed->token, SECRET);
	assert_int_equal(seed->n_signing_keys, 1);
	assert_int_equal(seed->state_disk, SEED_DISK_SERIAL);
	assert_string_equal(seed->state_disk_serial, "007");
}

static void seed_may_be_padded_as_on_the_iso(void **state)
{
	static const char text[] = "version: 1\nregion: {urls: [https://r]}\nstateDisk: blank";
	static char padded[SEED_FILE_BYTES + 1];
	struct seed *seed = NULL;

	for (int i = 0; i < 2; i++) {
		memset(padded, i ? '\0' : '\n', sizeof(padded));
		memcpy(padded, text, strlen(text));
		assert_int_equal(seed_parse(padded, SEED_FILE_BYTES, "seed.yaml", &seed, NULL), 0);
		assert_int_equal(seed->state_disk, SEED_DISK_BLANK);
		seed = seed_free(seed);
	}
	assert_int_equal(seed_parse(padded, SEED_FILE_BYTES + 1, "seed.yaml", &seed, NULL), -E2BIG);
}

static void seed_is_refused_with_place_and_rule(void **state)
{
	static const struct {
		const char *text, *where, *part;
	} rows[] = {
		{ "", "seed.yaml", "version: is missing" },
		{ "version: 2\n", "seed.yaml:1:10", "version" },
		{ "version: 1\nregoin: {}\n", "seed.yaml:2:1", "did you mean \"region\"?" },
		{ "version: 1\nregion:\n", "seed.yaml:2:", "region: must be an object, not an empty value" },
		{ "version: 1\nregion: {pins: []}\n", "seed.yaml:2:9", "region.urls: is missing" },
		{ "version: 1\nregion: {urls: []}\n", "seed.yaml:2:16", "1-8 entries" },
		{ "version: 1\nregion: {urls: [http://r]}\n", "seed.yaml:2:17", "https://" },
		{ "version: 1\nregion: {urls: [https://r/path]}\n", "seed.yaml:2:17", "without a path" },
		{ "version: 1\nregion: {urls: [1,2,3,4,5,6,7,8,9]}\n", "seed.yaml:2:16", "1-8 entries" },
		{ "version: 1\nregion: {urls: [https://r], pins: [sha256:00]}\n", "seed.yaml:2:36", "64 lower-case" },
		{ "version: 1\nregion: {urls: [https://r], pins: " PIN "}\n", "seed.yaml:2:", "list of 1-4" },
		{ "version: 1\nregion: {urls: [https://r], signingKeys: [x]}\n", "seed.yaml:2:", "P-256" },
		{ "version: 1\nregion: {urls: [https://r], token: " SECRET "}\n", "seed.yaml:2:36",
			"only allowed together with region.pins" },
		{ "version: 1\nregion: {urls: [https://r], pins: [\"" PIN "\"], token: x" SECRET "}\n", "seed.yaml:2:",
			"region.token: must be hjt_" },
		{ "version: 1\nregion: {urls: [https://r], pins: [\"" PIN "\"], token: [" SECRET "]}\n", "seed.yaml:2:",
			"region.token: must be hjt_" },
		{ "version: 1\nregion: {urls: [https://r], pins: [\"" PIN "\"], token: " SECRET "-x}\n", "seed.yaml:2:",
			"region.token: must be hjt_" },
		{ "version: 1\nstateDisk: all\n", "seed.yaml:2:12", "blank, none, or {serial: X}" },
		{ "version: 1\nstateDisk: {serial: ''}\n", "seed.yaml:2:12", "1-128" },
		{ "version: 1\nstateDisk: {model: x}\n", "seed.yaml:2:13", "unknown key" },
		{ "version: 1\nnetwork: []\n", "seed.yaml:2:10", "netplan" },
		{ "version: 1\nnodes: {}\n", "seed.yaml:2:8", "list" },
		{ "version: 1\nnodes: [{match: {}, network: {}}]\n", "seed.yaml:2:17", "serial, uuid or mac" },
		{ "version: 1\nnodes: [{match: {mac: a}}]\n", "seed.yaml:2:9", "nodes.network" },
		{ "version: 1\nnodes: [{network: {}}]\n", "seed.yaml", "nodes.match: is missing" },
		{ "version: 1\nassignment: 1\n", "seed.yaml:2:13", "object" },
		{ "version: 1\nassignment: {}\nregion: {urls: [https://r]}\n", "seed.yaml:2:13", "must not have both" },
		{ "version: 1\nproxy: https://p:3128\n", "seed.yaml:2:8", "proxy: must be http://HOST:PORT" },
		{ "version: 1\nproxy: http://user:SECRET@p\n", "seed.yaml:2:8", "proxy: must be http://HOST:PORT" },
		{ "version: 1\nproxy: [x]\n", "seed.yaml:2:8", "proxy: must be http://HOST:PORT" },
		{ "version: 1\nversion: 1\n", "seed.yaml:2:1", "must not be repeated" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct seed *seed = NULL;
		struct diag diag = { 0 };
		int r = seed_parse(rows[i].text, strlen(rows[i].text), "seed.yaml", &seed, &diag);
		if (r != -EINVAL || seed || !str_starts(diag.where, rows[i].where) || !strstr(diag.message, rows[i].part))
			fail_msg("%s: %d, %s", rows[i].text, r, diag_text(&diag));
		if (strstr(diag_text(&diag), "SECRET"))
			fail_msg("the token is in the message: %s", diag_text(&diag));
	}
}

static void proxy_of_a_seed_may_be_none(void **state)
{
	struct seed *seed = parse("version: 1\nproxy: http://user:pass@[fd76::3]:3128/\n");
	assert_string_equal(seed->proxy, "http://user:pass@[fd76::3]:3128");
	seed_free(seed);
	seed = parse("version: 1\nproxy: none\n");
	assert_string_equal(seed->proxy, "");
	seed_free(seed);
	seed = parse("version: 1\n");
	assert_null(seed->proxy);
	seed_free(seed);
}

static void seed_network_is_the_first_that_matches(void **state)
{
	CLEANUP(seed_freep) struct seed *seed = parse("version: 1\n"
						      "network: {version: 2, id: 0}\n"
						      "nodes:\n"
						      "- {match: {serial: 1234, mac: '52:54:77:00:00:01'}, network: {id: 1}}\n"
						      "- {match: {serial: 1234}, network: {id: 2}}\n"
						      "- {match: {uuid: AAAA-BB}, network: {id: 3}}\n"
						      "- {match: {mac: '52:54:77:00:00:0a'}, network: {id: 4}}\n");
	static const struct {
		const char *serial, *uuid, *mac, *id;
	} rows[] = {
		{ "1234", NULL, "52:54:77:00:00:01", "1" }, { "1234", NULL, "52:54:77:00:00:02", "2" },
		{ "1234", NULL, NULL, "2" }, { "x", "aaaa-bb", NULL, "3" }, { NULL, NULL, "52:54:77:00:00:0A", "4" },
		{ NULL, NULL, NULL, "0" }, { "12345", "AAAA", "52:54:77:00:00:01", "0" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *macs[] = { "00:00:00:00:00:00", rows[i].mac };
		const struct value *network = seed_network(seed, rows[i].serial, rows[i].uuid, macs, rows[i].mac ? 2 : 1);
		assert_string_equal(value_text(value_find(network, "id")), rows[i].id);
	}
	CLEANUP(seed_freep) struct seed *bare = parse("version: 1\n");
	assert_null(seed_network(bare, "x", NULL, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_with_everything_is_read),
		cmocka_unit_test(seed_may_be_padded_as_on_the_iso),
		cmocka_unit_test(seed_is_refused_with_place_and_rule),
		cmocka_unit_test(proxy_of_a_seed_may_be_none),
		cmocka_unit_test(seed_network_is_the_first_that_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
