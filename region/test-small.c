// The small pure parts: clock, forms, registry paths, boot script, request bodies, passwords.
// SPDX-License-Identifier: Apache-2.0
#include "region/body.h"
#include "region/boot-script.h"
#include "region/clock.h"
#include "region/form.h"
#include "region/oci-path.h"
#include "region/page-view.h"
#include "region/session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { BUILD = 1700000000, DAY = 86400 };

static void a_clock_that_cannot_be_right_is_refused(void **state)
{
	const struct {
		int64_t now, last, accepted;
		int expected;
	} rows[] = { { BUILD, 0, 0, 0 }, { BUILD - 1, 0, 0, -ESTALE }, { 0, 0, 0, -ESTALE },
		{ BUILD + 30 * DAY, BUILD, 0, 0 }, { BUILD + 30 * DAY + 1, BUILD, 0, -ESTALE },
		{ BUILD + DAY, BUILD + 40 * DAY, 0, -ESTALE },
		{ BUILD + 99 * DAY, BUILD, BUILD + 99 * DAY - 5, 0 },
		{ BUILD + 99 * DAY, BUILD, BUILD + 99 * DAY - 3601, -ESTALE },
		{ BUILD + 99 * DAY, BUILD, BUILD + 200 * DAY, -ESTALE },
		{ BUILD - 1, 0, BUILD - 1, -ESTALE } };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (clock_check(rows[i].now, BUILD, rows[i].last, rows[i].accepted, NULL) !=
			rows[i].expected)
			fail_msg("row %zu", i);
	assert_true(clock_build_sec > BUILD);
}

static void forms_are_decoded(void **state)
{
	AUTO_FREE char *code = form_value("node=e-1&code=7K3M%2d9QXD&x=a+b", "code"),
		       *x = form_value("node=e-1&x=a+b", "x"), *last = form_value("a=%41", "a"),
		       *empty = form_value("a=&b=1", "a");
	assert_string_equal(code, "7K3M-9QXD");
	assert_string_equal(x, "a b");
	assert_string_equal(last, "A");
	assert_string_equal(empty, "");
	assert_null(form_value("a=%4", "a"));
	assert_null(form_value("a=%", "a"));
	assert_null(form_value("a=%zz", "a"));
	assert_null(form_value("a=%00", "a"));
	assert_null(form_value("ab=1", "a"));
	assert_null(form_value(NULL, "a"));
}

static void registry_paths(void **state)
{
	const struct {
		const char *text;
		int expected;
		enum oci_kind kind;
		const char *name, *reference;
	} rows[] = {
		{ "", 0, OCI_ROOT, "", "" },
		{ "hearth/bootstrap/manifests/v1", 0, OCI_MANIFEST, "hearth/bootstrap", "v1" },
		{ "a/blobs/b/tags/list", 0, OCI_TAGS, "a/blobs/b", "" },
		{ "a/tags/list/manifests/x", 0, OCI_MANIFEST, "a/tags/list", "x" },
		{ "a/blobs/sha256:0000000000000000000000000000000000000000000000000000000000000000",
			0, OCI_BLOB, "a",
			"sha256:0000000000000000000000000000000000000000000000000000000000000000" },
		{ "a/blobs/v1", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "a/manifests/../x", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "../manifests/v1", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "a/tags/list2", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "A/manifests/v1", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "a", -EINVAL, OCI_ROOT, NULL, NULL },
		{ "/manifests/v1", -EINVAL, OCI_ROOT, NULL, NULL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct oci_path path;
		if (oci_path_parse(rows[i].text, &path) != rows[i].expected)
			fail_msg("%s", rows[i].text);
		if (rows[i].expected < 0)
			continue;
		assert_int_equal(path.kind, rows[i].kind);
		assert_string_equal(path.name, rows[i].name);
		assert_string_equal(path.reference, rows[i].reference);
	}
}

static void the_boot_script_names_its_initrds(void **state)
{
	AUTO_FREE char *text = boot_script("root.img", NULL, "hzfsnr-k8s-1p "),
		       *bare = boot_script(NULL, "quiet", NULL);
	assert_non_null(strstr(text,
		"kernel vmlinuz initrd=stage1.img initrd=root.img initrd=seed.img " BOOT_CMDLINE));
	assert_non_null(strstr(text, "initrd --name seed.img seed.img"));
	assert_non_null(strstr(text, "hzfsnr-k8s-1p"));
	assert_null(strstr(bare, "root"));
	assert_non_null(strstr(bare, "initrd=seed.img quiet ||"));
}

static void the_seed_archive_is_newc(void **state)
{
	size_t n;
	AUTO_FREE char *bytes = boot_seed_cpio("version: 1\n", &n);
	assert_int_equal(n % 512, 0);
	assert_memory_equal(bytes, "070701", 6);
	assert_non_null(memmem(bytes, n, "hearth/seed.yaml", 17));
	assert_non_null(memmem(bytes, n, "version: 1\n", 11));
	assert_non_null(memmem(bytes, n, "TRAILER!!!", 11));
}

#define B32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void enrolment_bodies(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32 "\",\"facts\":{}}", true },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
		  "\",\"facts\":{\"nics\":[{\"mac\":\"52:54:00:00:00:0b\"}]},\"durable\":true}",
			true },
		{ "{\"commitment\":\"AAAA\",\"wgPublicKey\":\"" B32 "\",\"facts\":{}}", false },
		{ "{\"commitment\":\"" B32 "\",\"facts\":{}}", false },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32 "\"}", false },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
		  "\",\"facts\":{},\"role\":\"server\"}",
			false },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
		  "\",\"facts\":{\"nics\":[{\"mac\":\"<script>\"}]}}",
			false },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
		  "\",\"facts\":{\"nics\":{}}}",
			false },
		{ "{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
		  "\",\"facts\":{},\"durable\":\"yes\"}",
			false },
		{ "[]", false },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		struct enrolment_body body;
		struct diag diag = { 0 };
		assert_int_equal(
			json_parse(rows[i].text, strlen(rows[i].text), 0, &document, NULL), 0);
		if ((enrolment_body_decode(document, &body, &diag) == 0) != rows[i].good)
			fail_msg("row %zu: %s", i, diag_text(&diag));
	}
}

static void placeholders_name_no_machine(void **state)
{
	static const struct {
		const char *text;
		bool names_one;
	} rows[] = { { "Not Specified", false }, { "NOT SPECIFIED ", false }, { "N/A", false },
		{ "n.a.", false }, { "Unknown", false }, { "None", false },
		{ "Default string", false }, { "Default_String", false },
		{ "To be filled by O.E.M.", false }, { "To Be Filled By O.E.M", false },
		{ "System Serial Number", false }, { "0123456789", false }, { "123456789", false },
		{ "1234567890", false }, { "0", false }, { "00000000", false },
		{ "xxxxxxxxxx", false }, { "XXXX-xxxx", false }, { "...", false }, { " ", false },
		{ "", false }, { "00000000-0000-0000-0000-000000000000", false },
		{ "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", false },
		{ "ffffffff-ffff-ffff-ffff-ffffffffffff", false },
		{ "03000200-0400-0500-0006-000700080009", false },
		{ "12345678-1234-5678-90AB-CDDEEFAABBCC", false }, { "CZ12345678", true },
		{ "0123456780", true }, { "SN0001", true }, { "00000001", true }, { "Nona", true },
		{ "unknown-7", true }, { "4c4c4544-0042-3510-8051-b4c04f4d3733", true } };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		const char *const expected = rows[i].names_one ? rows[i].text : "";
		struct enrolment_body body;
		AUTO_FREE char *text =
			str_format("{\"commitment\":\"" B32 "\",\"wgPublicKey\":\"" B32
				   "\",\"facts\":{\"serial\":\"%s\","
				   "\"uuid\":\"%s\"}}",
				rows[i].text, rows[i].text);
		assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
		assert_int_equal(enrolment_body_decode(document, &body, NULL), 0);
		if (!str_equal(body.serial, expected) || !str_equal(body.uuid, expected))
			fail_msg("\"%s\"", rows[i].text);
	}
}

static void passwords_are_derived(void **state)
{
	char hash[PASSWORD_HASH_TEXT], again[PASSWORD_HASH_TEXT];
	assert_int_equal(password_hash("correct horse", hash), 0);
	assert_int_equal(password_hash("correct horse", again), 0);
	assert_string_not_equal(hash, again);
	assert_true(password_fits("correct horse", hash));
	assert_false(password_fits("correct horsf", hash));
	assert_false(password_fits(NULL, hash));
	assert_false(password_fits("correct horse", "plain"));
}

static void sessions_come_from_cookies_alone(void **state)
{
	struct session_table *table = session_table_new();
	const struct session *session = session_start(table);
	char cookie[128];
	(void)snprintf(cookie, sizeof(cookie), "a=b; hearth-session=%s; c=d", session->id);
	assert_ptr_equal(session_of_cookie(table, cookie), session);
	cookie[22] ^= 1;
	assert_null(session_of_cookie(table, cookie));
	assert_null(session_of_cookie(table, "hearth-session="));
	assert_null(session_of_cookie(table, NULL));
	assert_true(session_csrf_fits(session, session->csrf));
	assert_false(session_csrf_fits(session, session->id));
	assert_false(session_csrf_fits(session, NULL));
	cookie[22] ^= 1;
	session_end(table, session);
	assert_null(session_of_cookie(table, cookie));
	session_table_free(table);
}

static void one_password_is_tried_at_a_time(void **state)
{
	struct session_table *table = session_table_new();
	assert_true(session_try_begin(table, "192.0.2.1"));
	assert_false(session_try_begin(table, "192.0.2.1"));
	assert_false(session_try_begin(table, "192.0.2.2"));
	session_try_end(table, "192.0.2.1", true);
	assert_true(session_try_begin(table, "192.0.2.2"));
	session_try_end(table, "192.0.2.2", false);
	assert_false(session_try_begin(table, "192.0.2.2")); // two seconds
	session_table_free(table);
}

static void html_is_escaped(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	html_escape(f, "<a href='x' b=\"y\">&");
	html_escape(f, NULL);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;");
}

static void the_page_shows_what_is_not_ready(void **state)
{
	static const char json[] =
		"{\"platform\":{\"n\":9,\"nReady\":7,\"first\":{\"kind\":\"Kustomization\","
		"\"namespace\":\"flux-system\",\"name\":\"apps\",\"message\":\"<b> & so on\","
		"\"ageSec\":7260}},\"volumes\":{\"vol0\":{\"bytes\":536870912,\"ready\":true},"
		"\"disk0\":{\"bytes\":0,\"ready\":false,\"sentence\":\"no disk <S1>\"}},"
		"\"jobs\":{\"j-1\":{\"state\":\"failed\",\"sentence\":\"a&b\"}}}";
	CLEANUP(value_freep) struct value *node = NULL;
	AUTO_FREE char *text = NULL;
	size_t n;
	assert_int_equal(json_parse(json, strlen(json), 0, &node, NULL), 0);
	FILE *f = open_memstream(&text, &n);
	page_parts(f, NULL);
	page_parts(f, node);
	assert_int_equal(fclose(f), 0);
	static const char *const shown[] = { "7 of 9 ready", "<progress max=\"9\" value=\"7\">",
		"Kustomization <code>flux-system/apps</code> has not been ready for 2 h: ",
		"&lt;b&gt; &amp; so on", "<code>vol0</code> 512 MiB</li>",
		"<code>disk0</code> <span class=\"wait\">no disk &lt;S1&gt;</span>",
		"<span class=\"bad\">failed: a&amp;b" };
	for (size_t i = 0; i < N_ELEMENTS(shown); i++)
		if (!strstr(text, shown[i]))
			fail_msg("\"%s\" is not in %s", shown[i], text);
}

static char *cluster_page(const char *list_text)
{
	CLEANUP(value_freep) struct value *list = NULL;
	char *text = NULL;
	size_t n = 0;
	assert_int_equal(json_parse(list_text, strlen(list_text), 0, &list, NULL), 0);
	FILE *f = open_memstream(&text, &n);
	assert_non_null(f);
	page_cluster(f, list);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void the_page_tells_who_refuses_its_network(void **state)
{
	AUTO_FREE char *shown = cluster_page("{\"nodes\":[{\"name\":\"n1\",\"networkRefused\":{\"times\":2,\"reason\":"
					     "\"<b>no</b>\"}},{\"name\":\"n2\"}],\"rollout\":null,\"nOlderSettings\":0}");
	assert_non_null(strstr(shown, "n1 refuses its network of cluster.yaml and keeps another: &lt;b&gt;no&lt;/b&gt;"));
	assert_null(strstr(shown, "n2"));
	char many[2048] = "{\"nodes\":[";
	for (int i = 0; i < 12; i++) {
		size_t at = strlen(many);
		(void)snprintf(many + at, sizeof(many) - at, "%s{\"name\":\"n%d\",\"networkRefused\":{\"reason\":\"no\"}}", i ? "," : "", i);
	}
	strcat(many, "]}");
	AUTO_FREE char *some = cluster_page(many);
	assert_non_null(strstr(some, "n9 refuses"));
	assert_null(strstr(some, "n10 refuses"));
	assert_non_null(strstr(some, "2 more nodes do: <code>hearth-region list</code>"));
}

static void the_page_tells_of_jobs_and_rollouts(void **state)
{
	AUTO_FREE char
		*quiet = cluster_page("{\"jobs\":[],\"rollout\":{\"state\":\"done\","
				      "\"sentence\":\"x\"},\"nOlderSettings\":0}"),
		*failed = cluster_page(
			"{\"jobs\":[{\"id\":\"j-1\",\"kind\":\"drain\",\"node\":\"n1\",\"server\":"
			"\"s1\",\"state\":\"failed\",\"sentence\":\"<b>no</b>\"}],\"rollout\":{"
			"\"state\":\"failed\",\"sentence\":\"drain of n1\"},\"nOlderSettings\":2}"),
		*running = cluster_page("{\"jobs\":[],\"rollout\":{\"state\":\"running\","
					"\"sentence\":\"turn of n2\"},\"nOlderSettings\":1}"),
		*older = cluster_page("{\"rollout\":null,\"nOlderSettings\":1}");
	assert_string_equal(quiet, "");
	assert_non_null(strstr(failed, "drain n1: failed, by s1: &lt;b&gt;no&lt;/b&gt;; "
				       "hearth-region job retry j-1"));
	assert_non_null(strstr(failed, "Rollout failed: drain of n1"));
	assert_non_null(strstr(failed, "2 nodes run older settings"));
	assert_non_null(strstr(running, "Rollout running: turn of n2"));
	assert_null(strstr(running, "older settings"));
	assert_non_null(strstr(older, "1 node runs older settings"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_tells_of_jobs_and_rollouts),
		cmocka_unit_test(the_page_tells_who_refuses_its_network),
		cmocka_unit_test(a_clock_that_cannot_be_right_is_refused),
		cmocka_unit_test(forms_are_decoded),
		cmocka_unit_test(registry_paths),
		cmocka_unit_test(the_boot_script_names_its_initrds),
		cmocka_unit_test(the_seed_archive_is_newc),
		cmocka_unit_test(enrolment_bodies),
		cmocka_unit_test(placeholders_name_no_machine),
		cmocka_unit_test(passwords_are_derived),
		cmocka_unit_test(sessions_come_from_cookies_alone),
		cmocka_unit_test(one_password_is_tried_at_a_time),
		cmocka_unit_test(html_is_escaped),
		cmocka_unit_test(the_page_shows_what_is_not_ready),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
