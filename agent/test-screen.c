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

// The picture must neither leave the screen nor meet the text left of it.
static void the_code_is_a_picture_beside_the_text(void **state)
{
	char *text AUTO_FREE = dashboard(80, 25), *small AUTO_FREE = dashboard(80, 24);
	unsigned row, column, first = 80, n_rows = 0;
	const char *c = text + strlen("\033[2J");
	for (; sscanf(c, "\033[%u;%uH", &row, &column) == 2; n_rows++) {
		assert_in_range(row, 12, 25);
		first = column;
		for (c = strchr(c, 'H') + 1; *c != '\033'; c++)
			column += (*c & 0xc0) != 0x80;
		assert_in_range(column, first + 25, 81);
	}
	assert_int_equal(n_rows, 13);
	unsigned at = 0;
	for (c = strstr(text, "  waiting for a person"); *c; c++) {
		at = *c == '\n' ? 0 : at + 1;
		assert_true(at < first);
	}
	assert_null(strstr(small, "\033[12;")); // no room for it
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

#define VLANS                                                                                                              \
	"{\"name\":\"n\",\"phase\":\"link\",\"sentence\":\"no address\",\"vlans\":["                                              \
	"{\"link\":\"eth0\",\"mac\":\"52:54:78:00:00:0b\",\"id\":42,\"name\":\"mgmt\",\"used\":%s},"                                 \
	"{\"link\":\"eth1\",\"mac\":\"52:54:78:00:01:0b\",\"id\":7,\"name\":\"\",\"used\":false}]}"

static struct value *with_vlans(const char *used)
{
	struct value *status = NULL;
	char *text AUTO_FREE = str_format(VLANS, used);
	assert_int_equal(json_parse(text, strlen(text), 0, &status, NULL), 0);
	return status;
}

static void vlans_are_offered_by_a_digit_each(void **state)
{
	struct value *status CLEANUP(value_freep) = with_vlans("false"), *used CLEANUP(value_freep) = with_vlans("true");
	struct screen_said said = { 0 };
	char *line AUTO_FREE = screen_lines(status, 0, &said), *board AUTO_FREE = screen_dashboard(status, 80, 25);
	assert_string_equal(line, "hearth: n | link | no address | press 1 for VLAN 42 (mgmt) on eth0, 2 for VLAN 7 on eth1\n");
	assert_non_null(strstr(board, "    1  VLAN 42 (mgmt) on eth0\n    2  VLAN 7 on eth1\n"));
	char *used_line AUTO_FREE = screen_lines(used, 0, &said);
	assert_string_equal(used_line,
		"hearth: n | link | no address | press 1 for VLAN 42 (mgmt) on eth0, in use, 2 for VLAN 7 on eth1, 0 for none\n");
	screen_said_done(&said);
}

static void a_digit_stands_for_what_is_shown(void **state)
{
	struct value *status CLEANUP(value_freep) = with_vlans("true");
	const char *mac = NULL;
	unsigned id = 1;
	assert_true(screen_vlan_of(status, '2', &mac, &id));
	assert_string_equal(mac, "52:54:78:00:01:0b");
	assert_int_equal(id, 7);
	assert_true(screen_vlan_of(status, '0', &mac, &id));
	assert_int_equal(id, 0);
	assert_false(screen_vlan_of(status, '3', &mac, &id));
	assert_false(screen_vlan_of(status, 'x', &mac, &id));
	assert_false(screen_vlan_of(status, '/', &mac, &id)); // the character before 0
	assert_false(screen_vlan_of(NULL, '1', &mac, &id));
}

// A crash cart on a serial line sees why a node that works on is not what it should be, and each line once.
static void a_serial_line_has_what_is_new(void **state)
{
#define STATUS(sentence, warnings) "{\"name\":\"n\",\"phase\":\"steady\",\"sentence\":\"" sentence "\",\"warnings\":[" warnings "]}"
	static const struct {
		const char *status, *lines;
		unsigned min; // since the one before
	} rows[] = { // one after the other
		{ STATUS("a", "\"v\""), "hearth: n | warning | v\nhearth: n | steady | a\n", 0 },
		{ STATUS("a", "\"v\",\"w\""), "hearth: n | warning | w\n", 0 },
		{ STATUS("b", "\"w\""), "hearth: n | steady | b\n", 0 },
		{ STATUS("b", ""), "", 99 },
		{ STATUS("b", "\"w\""), "", 9 }, // a region that is silent at two URLs in turns
		{ STATUS("b", "\"v\""), "hearth: n | warning | v\n", 0 },
		{ STATUS("b", "\"w\""), "", 9 },
		{ STATUS("b", "\"v\""), "", 9 },
		{ STATUS("b", ""), "", 99 },
		{ STATUS("b", "\"v\""), "hearth: n | warning | v\n", 11 }, // months later
		{ STATUS("a", "\"w\""), "hearth: n | warning | w\nhearth: n | steady | a\n", 0 },
		{ STATUS("a", "\"v\",7,\"x\\n\\u001b\""), "hearth: n | warning | v\nhearth: n | warning | x??\n", 0 },
	};
	struct screen_said said = { 0 };
	uint64_t now_usec = 0;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *status CLEANUP(value_freep) = NULL;
		assert_int_equal(json_parse(rows[i].status, strlen(rows[i].status), 0, &status, NULL), 0);
		now_usec += rows[i].min * 60 * USEC_PER_SEC;
		char *lines AUTO_FREE = screen_lines(status, now_usec, &said);
		assert_string_equal(lines, rows[i].lines);
	}
	screen_said_done(&said);
}

static void more_warnings_than_are_remembered_do_no_harm(void **state)
{
	struct screen_said said = { 0 };
	for (uint64_t i = 0; i < 3 * SCREEN_SAID_WARNINGS; i++) {
		struct value *status CLEANUP(value_freep) = NULL;
		char *text AUTO_FREE = str_format(STATUS("a", "\"w%d\""), (int)i);
		assert_int_equal(json_parse(text, strlen(text), 0, &status, NULL), 0);
		char *lines AUTO_FREE = screen_lines(status, i, &said);
		assert_non_null(strstr(lines, "| warning | w"));
	}
	screen_said_done(&said);
}

// A region without a pin may be anybody, and a machine's serial number is what its vendor wrote.
static void no_value_moves_the_cursor(void **state)
{
	static const char hostile[] = "{\"name\":\"a\\u001b[2Jb\\u009b2Jc\",\"phase\":\"p\\u001bc\",\"sentence\":\"s\\u009b1A "
				      "t\\u001b]0;x\\u0007\",\"warnings\":[\"w\\u009b3J\"],\"seedSource\":\"i\\u001bc\",\"kubernetes\":\"k\\u009bm\"}";
	struct value *status CLEANUP(value_freep) = NULL;
	assert_int_equal(json_parse(hostile, strlen(hostile), 0, &status, NULL), 0);
	struct screen_said said = { 0 };
	char *line AUTO_FREE = screen_lines(status, 0, &said), *board AUTO_FREE = screen_dashboard(status, 80, 25);
	assert_null(strchr(line, '\033'));
	assert_null(strstr(line, "\xc2\x9b")); // CSI in one character
	assert_true(str_starts(board, "\033[2J\033[H")); // ours
	assert_null(strchr(board + strlen("\033[2J\033[H"), '\033'));
	assert_null(strstr(board, "\xc2\x9b"));
	assert_null(strchr(board, '\007'));
	screen_said_done(&said);
}

#define TRY(at, text) "{\"atUsec\":" at "000000,\"network\":\"assigned\",\"text\":\"" text "\"}"
#define TRIES                                                                                                                    \
	TRY("7", "the oldest") "," TRY("20", "on trial; the region was silent before, so the mesh or the gateway has to answer") "," \
	TRY("50", "with it \\u001b[2Jneither\\u009b2J the region answers")
#define UNDONE \
	"{\"name\":\"n\",\"phase\":\"%s\",\"sentence\":\"undone\",%s\"facts\":{\"meshCandidates\":[" \
	"{\"address\":\"10.0.2.15\",\"prefix\":24,\"link\":\"bond0\\u001bc\"}]},\"networkTries\":[" TRIES "]}"

static char *undone(const char *phase, const char *more, unsigned rows)
{
	struct value *status CLEANUP(value_freep) = NULL;
	char *text AUTO_FREE = str_format(UNDONE, phase, more);
	assert_int_equal(json_parse(text, strlen(text), 0, &status, NULL), 0);
	return screen_dashboard(status, 80, rows);
}

static void networks_that_were_tried_are_on_it_where_that_is_the_question(void **state)
{
	char *board AUTO_FREE = undone("network", "", 25), *low AUTO_FREE = undone("network", "", 17);
	char *steady AUTO_FREE = undone("steady", "", 25), *refused AUTO_FREE = undone("steady", "\"networkRefused\":{\"times\":2},", 25);
	assert_non_null(strstr(board, "  address  10.0.2.15/24 on bond0?c\n"));
	assert_non_null(strstr(board, "  key s: the safe network"));
	assert_non_null(strstr(board, "seconds since the start:\n"
				      "      7 s  assigned: the oldest\n"
				      "     20 s  assigned: on trial; the region was silent before, so the mesh or\n"
				      "           the gateway has to answer\n"
				      "     50 s  assigned: with it ?[2Jneither??2J the region answers\n"));
	assert_null(strstr(low, "the oldest")); // what does not fit would push the name off the screen
	assert_non_null(strstr(low, "     50 s  "));
	assert_null(strstr(steady, "key s"));
	assert_null(strstr(steady, "50 s"));
	assert_non_null(strstr(steady, "10.0.2.15/24"));
	assert_non_null(strstr(refused, "key s"));
	assert_non_null(strstr(refused, "     50 s  "));
	unsigned n_lines = 0;
	for (const char *c = low; *c; c++)
		n_lines += *c == '\n';
	assert_true(n_lines < 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_is_a_picture_beside_the_text),
		cmocka_unit_test(no_word_is_cut_at_the_right_edge),
		cmocka_unit_test(no_value_moves_the_cursor),
		cmocka_unit_test(what_a_person_needs_is_on_it),
		cmocka_unit_test(vlans_are_offered_by_a_digit_each),
		cmocka_unit_test(a_digit_stands_for_what_is_shown),
		cmocka_unit_test(a_serial_line_has_what_is_new),
		cmocka_unit_test(more_warnings_than_are_remembered_do_no_harm),
		cmocka_unit_test(networks_that_were_tried_are_on_it_where_that_is_the_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
