// SPDX-License-Identifier: Apache-2.0
#include "agent/seed-sources.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PIN_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PIN_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void add(struct seed_sources *sources, const char *name, const char *yaml)
{
	struct seed_source *source = &sources->source[sources->n++];
	struct diag diag = { 0 };
	*source = (struct seed_source){ 0 };
	(void)snprintf(source->name, sizeof(source->name), "%s", name);
	if (seed_parse(yaml, strlen(yaml), name, &source->seed, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
}

static const char seed_a[] = "version: 1\nregion: {urls: [\"https://a:7443\"], pins: [\"" PIN_A "\"]}\n";
static const char seed_a_token[] = "version: 1\nregion: {urls: [\"https://a:7443\"], pins: [\"" PIN_A "\"], token: hjt_aaaa}\n";
static const char seed_b_token[] = "version: 1\nregion: {urls: [\"https://b:7443\"], pins: [\"" PIN_B "\"], token: hjt_bbbb}\n";
static const char network_only[] = "version: 1\nnetwork: {version: 2, ethernets: {eth0: {dhcp4: true}}}\nstateDisk: blank\n";

static void first_source_with_a_region_counts(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	add(&sources, "iso", seed_a_token);
	add(&sources, "stick", seed_b_token);
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "iso");
	assert_string_equal(choice.token, "hjt_aaaa");
	assert_non_null(strstr(choice.problem, "stick is ignored"));
}

static void builtin_trust_group_wins_over_all_others(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	add(&sources, "stick", seed_b_token);
	add(&sources, "builtin", seed_a);
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "builtin");
	assert_null(choice.token);
}

static void token_of_another_source_needs_a_pin_of_the_group(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	add(&sources, "stick", seed_a_token);
	add(&sources, "builtin", seed_a);
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "builtin");
	assert_string_equal(choice.token, "hjt_aaaa");
}

static void network_and_disk_may_come_from_another_source(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	add(&sources, "iso", seed_a);
	add(&sources, "stick", network_only);
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "iso");
	assert_ptr_equal(choice.network, sources.source[1].seed);
	assert_int_equal(choice.state_disk, SEED_DISK_BLANK);
}

static void the_first_source_that_says_something_of_a_proxy_counts(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	add(&sources, "iso", seed_a);
	add(&sources, "stick", "version: 1\nproxy: none\n");
	add(&sources, "builtin", "version: 1\nproxy: http://p:3128\n");
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "iso");
	assert_string_equal(choice.proxy, "");
}

static void broken_source_is_named_and_the_next_one_counts(void **state)
{
	struct seed_sources sources CLEANUP(seed_sources_done) = { 0 };
	struct seed_choice choice;
	sources.source[sources.n++] = (struct seed_source){ .name = "smbios", .problem = "smbios:1:1: unknown key" };
	add(&sources, "iso", seed_a);
	seed_choose(&sources, &choice);
	assert_string_equal(choice.trust_name, "iso");
	assert_string_equal(choice.problem, "smbios:1:1: unknown key");
}

static void no_source_no_choice(void **state)
{
	struct seed_sources sources = { 0 };
	struct seed_choice choice;
	seed_choose(&sources, &choice);
	assert_null(choice.trust);
	assert_null(choice.token);
	assert_string_equal(choice.problem, "");
}

static void command_line_brings_url_and_pin(void **state)
{
	char problem[SEED_PROBLEM_MAX];
	char *text AUTO_FREE = seed_text_from_cmdline("quiet hearth.region=https://a:7443 hearth.region=https://b:7443 hearth.pin="
						      PIN_A " hearth.proxy=http://p:3128 root=/dev/x\n", problem);
	struct seed *seed CLEANUP(seed_freep) = NULL;
	assert_non_null(text);
	assert_int_equal(seed_parse(text, strlen(text), "cmdline", &seed, NULL), 0);
	assert_int_equal(seed->n_urls, 2);
	assert_int_equal(seed->n_pins, 1);
	assert_string_equal(seed->proxy, "http://p:3128");
	assert_null(seed->token);
}

static void token_on_the_command_line_is_refused_with_a_sentence(void **state)
{
	char problem[SEED_PROBLEM_MAX];
	char *text AUTO_FREE = seed_text_from_cmdline("hearth.region=https://a:7443 hearth.token=hjt_secret", problem);
	assert_null(text);
	assert_non_null(strstr(problem, "everybody can read it"));
	assert_null(strstr(problem, "hjt_secret"));
}

static void command_line_cannot_smuggle_yaml(void **state)
{
	char problem[SEED_PROBLEM_MAX];
	char *text AUTO_FREE = seed_text_from_cmdline("hearth.region=https://a\"],token:x", problem);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_source_with_a_region_counts),
		cmocka_unit_test(builtin_trust_group_wins_over_all_others),
		cmocka_unit_test(token_of_another_source_needs_a_pin_of_the_group),
		cmocka_unit_test(network_and_disk_may_come_from_another_source),
		cmocka_unit_test(the_first_source_that_says_something_of_a_proxy_counts),
		cmocka_unit_test(broken_source_is_named_and_the_next_one_counts),
		cmocka_unit_test(no_source_no_choice),
		cmocka_unit_test(command_line_brings_url_and_pin),
		cmocka_unit_test(token_on_the_command_line_is_refused_with_a_sentence),
		cmocka_unit_test(command_line_cannot_smuggle_yaml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
