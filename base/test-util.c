// diag, UTF-8, URLs and time: the small parts.
// SPDX-License-Identifier: Apache-2.0
#include "base/diag.h"
#include "base/log.h"
#include "base/time.h"
#include "base/url.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void diag_shows_control_characters_as_question_marks(void **state)
{
	struct diag diag = { 0 };

	assert_int_equal(diag_set(&diag, -EINVAL, "a", "x\x1b[31m\xc2\x9b\n\xff" "ä"), -EINVAL);
	assert_string_equal(diag_text(&diag), "a: x?[31m????ä");
	assert_int_equal(diag_set(NULL, -EIO, "", "nobody listens"), -EIO);
}

static void control_characters_of_strangers_become_question_marks(void **state)
{
	char text[] = "a\x1b[2J\n\x7f\xc2\x9b" "ä\xc2\xa0";

	utf8_make_printable(text);
	assert_string_equal(text, "a?[2J????ä\xc2\xa0");
}

static void utf8_is_looked_through_in_steps_and_says_where_it_ends(void **state)
{
	char text[40];
	size_t at = 0;

	memset(text, 'a', sizeof(text));
	assert_true(utf8_valid(text, sizeof(text), NULL));
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = '\xff';
		assert_false(utf8_valid(text, sizeof(text), &at));
		assert_int_equal(at, i);
		assert_true(utf8_valid(text, i, NULL));
		text[i] = 'a';
		if (i + 2 > sizeof(text))
			continue;
		memcpy(text + i, "ä", 2);
		assert_true(utf8_valid(text, sizeof(text), NULL));
		assert_false(utf8_valid(text, i + 1, &at)); // cut
		assert_int_equal(at, i);
		memset(text + i, 'a', 2);
	}
}

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void items_are_sorted_whether_they_were_or_not(void **state)
{
	static const int sorted[] = { 1, 2, 2, 3, 5 };
	int rows[][N_ELEMENTS(sorted)] = { { 1, 2, 2, 3, 5 }, { 1, 2, 2, 5, 3 }, { 5, 1, 2, 2, 3 }, { 5, 3, 2, 2, 1 } };

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		sort_items(rows[i], N_ELEMENTS(sorted), sizeof(int), compare_numbers);
		assert_memory_equal(rows[i], sorted, sizeof(sorted));
	}
	sort_items(NULL, 0, sizeof(int), compare_numbers);
}

static void diag_cuts_long_text_at_a_character(void **state)
{
	struct diag diag = { 0 };
	char text[3000];

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "ä", 3);
	text[2998] = '\0';
	(void)diag_set(&diag, -EINVAL, text, "%s", text); // returns its argument
	assert_true(strlen(diag.message) < DIAG_MESSAGE_MAX);
	assert_string_equal(diag.message + strlen(diag.message) - 3, "...");
	assert_true(utf8_valid(diag.message, strlen(diag.message), NULL));
	assert_true(utf8_valid(diag.where, strlen(diag.where), NULL));
}

static void diag_prefix_joins_paths_keys_and_indexes(void **state)
{
	static const struct {
		const char *where, *prefix, *expected;
	} rows[] = {
		{ "3:7", "seed.yaml", "seed.yaml:3:7" }, { "port", "peers[2]", "peers[2].port" },
		{ "[2].port", "peers", "peers[2].port" }, { "", "seed.yaml", "seed.yaml" },
		{ "eth0", "/etc/netplan/a.yaml", "/etc/netplan/a.yaml:eth0" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = { 0 };
		(void)diag_set(&diag, 0, rows[i].where, "m"); // returns its argument
		diag_prefix(&diag, rows[i].prefix);
		assert_string_equal(diag.where, rows[i].expected);
	}
}

static void utf8_takes_only_shortest_forms_of_scalar_values(void **state)
{
	static const char *const good[] = { "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82" };
	char again[4];
	uint32_t code;

	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		assert_int_equal(utf8_sequence(good[i], strlen(good[i]), &code), strlen(good[i]));
		assert_int_equal(utf8_encode(code, again), strlen(good[i]));
		assert_memory_equal(again, good[i], strlen(good[i]));
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(utf8_sequence(bad[i], strlen(bad[i]), &code), 0);
}

static void a_proxy_is_http_with_host_and_port(void **state)
{
	static const struct {
		const char *text, *wanted, *host;
	} rows[] = {
		{ "http://p.example:3128", "http://p.example:3128", "p.example:3128" },
		{ "http://10.0.0.3:3128/", "http://10.0.0.3:3128", "10.0.0.3:3128" },
		{ "http://[fd76::3]:8080", "http://[fd76::3]:8080", "[fd76::3]:8080" },
		{ "http://u:p%40ss@p:1", "http://u:p%40ss@p:1", "p:1" },
		{ "http://p", NULL, NULL },
		{ "http://[fd76::3]", NULL, NULL },
		{ "http://p:", NULL, NULL },
		{ "http://p:3128/path", NULL, NULL },
		{ "http://@p:3128", NULL, NULL },
		{ "http://u\"x:p@p:3128", NULL, NULL },
		{ "http://a@b@p:3128", NULL, NULL },
		{ "https://p:3128", NULL, NULL },
		{ "socks5://p:1080", NULL, NULL },
		{ "http://", NULL, NULL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *proxy = NULL;
		int r = url_proxy(rows[i].text, &proxy);
		if (r != (rows[i].wanted ? 0 : -EINVAL) || !str_equal(proxy, rows[i].wanted))
			fail_msg("%s: %d %s", rows[i].text, r, proxy ? proxy : "");
		if (proxy)
			assert_string_equal(url_proxy_host(proxy), rows[i].host);
		free(proxy);
	}
}

static void url_origin_is_https_with_host_and_port_only(void **state)
{
	static const struct {
		const char *text, *origin;
	} rows[] = {
		{ "https://region.example", "https://region.example" },
		{ "https://region.example/", "https://region.example" },
		{ "https://10.0.2.2:7443", "https://10.0.2.2:7443" },
		{ "https://[2001:db8::1]:7443", "https://[2001:db8::1]:7443" },
		{ "https://[::1]", "https://[::1]" },
		{ "http://region.example", NULL }, { "https://", NULL }, { "https:///", NULL },
		{ "https://a/b", NULL }, { "https://a//", NULL }, { "https://u@a", NULL }, { "https://a?x", NULL },
		{ "https://a:0", NULL }, { "https://a:65536", NULL }, { "https://a:", NULL }, { "https://a:07", NULL },
		{ "https://[::1", NULL }, { "https://[x]", NULL }, { "https://[::1]x", NULL }, { "https://a b", NULL },
		{ "https://-a", NULL }, { "https://a-", NULL }, { "https://a..b", NULL }, { "https://a.", NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO_FREE char *origin = NULL;
		int r = url_origin(rows[i].text, &origin);
		if (rows[i].origin) {
			assert_int_equal(r, 0);
			assert_string_equal(origin, rows[i].origin);
		} else {
			assert_int_equal(r, -EINVAL);
		}
	}
}

static void time_utc_reads_what_it_writes_and_nothing_else(void **state)
{
	static const char *const bad[] = { "", "2026-11-22", "2026-11-22T23:00:00", "2026-02-30T00:00:00Z",
		"2026-11-22T24:00:00Z", "2026-11-22T23:00:00Zx", " 2026-11-22T23:00:00Z", "2026-1-22T23:00:00Z" };
	char text[32];
	int64_t sec = 0;

	assert_string_equal(time_format_utc(1795388400, text), "2026-11-22T23:00:00Z");
	assert_int_equal(time_parse_utc("2026-11-22T23:00:00Z", &sec), 0);
	assert_int_equal(sec, 1795388400);
	assert_int_equal(time_parse_utc("1970-01-01T00:00:00Z", &sec), 0);
	assert_int_equal(sec, 0);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(time_parse_utc(bad[i], &sec), -EINVAL);
}

static void time_backoff_grows_to_the_cap_and_not_over_it(void **state)
{
	for (unsigned attempt = 0; attempt < 200; attempt++) {
		uint64_t limit = attempt < 5 ? USEC_PER_SEC << attempt : 30 * USEC_PER_SEC;
		for (int i = 0; i < 20; i++)
			assert_true(time_backoff_usec(attempt, USEC_PER_SEC, 30 * USEC_PER_SEC) <= limit);
	}
	uint64_t most = 0; // full jitter: somewhere in the upper half soon
	for (int i = 0; i < 200; i++) {
		uint64_t delay = time_backoff_usec(10, USEC_PER_SEC, 30 * USEC_PER_SEC);
		most = delay > most ? delay : most;
	}
	assert_true(most > 15 * USEC_PER_SEC);
}

// What log_write() puts on stderr, without the journal.
static void capture(char *ret, size_t size, int priority, const char *text)
{
	int fds[2], stderr_fd = dup(STDERR_FILENO);

	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	log_write(priority, "%s", text);
	assert_true(dup2(stderr_fd, STDERR_FILENO) >= 0);
	close(fds[1]);
	close(stderr_fd);
	ssize_t n = read(fds[0], ret, size - 1);
	assert_true(n >= 0);
	ret[n] = '\0';
	close(fds[0]);
}

static void log_goes_to_stderr_without_a_journal(void **state)
{
	char text[4096], large[3000];

	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); // somebody else's stderr
	log_open("prog");
	capture(text, sizeof(text), LOG_INFO, "hello");
	assert_string_equal(text, "prog: hello\n");
	capture(text, sizeof(text), LOG_DEBUG, "not at this level");
	assert_string_equal(text, "");
	log_set_level(LOG_DEBUG);
	capture(text, sizeof(text), LOG_DEBUG, "now it is");
	assert_string_equal(text, "prog: now it is\n");
	log_set_level(LOG_INFO);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	capture(text, sizeof(text), LOG_ERR, large);
	assert_int_equal(strlen(text), strlen("prog: ") + 2047 + 1);
}

static void str_set_copies_clears_and_frees(void **state)
{
	char *field = NULL;
	str_set(&field, "one");
	assert_string_equal(field, "one");
	str_set(&field, "two");
	assert_string_equal(field, "two");
	str_set(&field, "");
	assert_null(field);
	str_set(&field, "three");
	str_set(&field, NULL);
	assert_null(field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_set_copies_clears_and_frees),
		cmocka_unit_test(diag_shows_control_characters_as_question_marks),
		cmocka_unit_test(control_characters_of_strangers_become_question_marks),
		cmocka_unit_test(utf8_is_looked_through_in_steps_and_says_where_it_ends),
		cmocka_unit_test(items_are_sorted_whether_they_were_or_not),
		cmocka_unit_test(diag_cuts_long_text_at_a_character),
		cmocka_unit_test(diag_prefix_joins_paths_keys_and_indexes),
		cmocka_unit_test(utf8_takes_only_shortest_forms_of_scalar_values),
		cmocka_unit_test(a_proxy_is_http_with_host_and_port),
		cmocka_unit_test(url_origin_is_https_with_host_and_port_only),
		cmocka_unit_test(time_utc_reads_what_it_writes_and_nothing_else),
		cmocka_unit_test(log_goes_to_stderr_without_a_journal),
		cmocka_unit_test(time_backoff_grows_to_the_cap_and_not_over_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
