// Storage, proxy and registries of the assignment, and what a status says of volumes and platform.
// SPDX-License-Identifier: Apache-2.0
#include "region/assign-extra.h"
#include "region/body.h"
#include "region/status-parts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "region/test-config.h"

#define VOLUMES                                                                                    \
	"storage: {kind: static, volumes: [{name: vol0, source: state, sizeMiB: 512}, "            \
	"{name: disk0, source: disk, serial: S1, node: hzfsnr-k8s-2p}]}"
#define MADE(name, ready)                                                                          \
	"\"" name "\":{\"path\":\"/var/lib/hearth/volumes/" name                                   \
	"\",\"bytes\":536870912,\"ready\":" ready ",\"sentence\":\"\"}"

static struct value *extra(
	const struct cluster_config *config, const struct node *node, const char *made)
{
	const struct assignment_input input = {
		.config = config, .node = node, .volumes_made = made
	};
	struct json_out out = { 0 };
	struct value *document = NULL;
	json_out_object_begin(&out);
	assign_put_extra(&input, &out);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	return document;
}

static void nothing_is_null(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config("servers: 1");
	const struct node node = { .name = "hzfsnr-k8s-1p", .is_server = 1 };
	CLEANUP(value_freep) struct value *document = extra(config, &node, NULL);
	assert_int_equal(value_find(document, "storage")->type, VALUE_NULL);
	assert_int_equal(value_find(document, "proxy")->type, VALUE_NULL);
	assert_int_equal(value_find(document, "registries")->type, VALUE_NULL);
}

static void every_node_has_its_own_volumes(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config(VOLUMES);
	const struct node server = { .name = "hzfsnr-k8s-1p", .is_server = 1 },
			  worker = { .name = "hzfsnr-k8s-2p" };
	CLEANUP(value_freep)
	struct value *one = extra(config, &server, NULL), *two = extra(config, &worker, "[]");
	const struct value *own = value_path(one, "storage", "volumes", NULL);
	assert_int_equal(own->n, 1);
	assert_string_equal(value_find(&own->items[0], "bytes")->text, "536870912");
	assert_int_equal(value_path(one, "storage", "all", NULL)->n, 0);
	own = value_path(two, "storage", "volumes", NULL);
	assert_int_equal(own->n, 2);
	assert_string_equal(value_text(value_find(&own->items[1], "serial")), "S1");
	assert_null(value_path(two, "storage", "all", NULL)); // servers only
}

static void servers_know_the_volumes_that_are_made(void **state)
{
	static char one[] = "{\"volumes\":{" MADE("vol0", "true") "," MADE("disk0", "true") "}}",
		    two[] = "{\"volumes\":{" MADE("vol0", "false") "," MADE("disk0", "true") "}}",
		    other[] = "{\"volumes\":{" MADE("vol9", "true") "}}", none[] = "{}",
		    small[] = "{\"volumes\":{\"vol0\":{\"path\":\"/var/lib/hearth/volumes/vol0\","
			      "\"bytes\":4096,\"ready\":true}}}";
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config(VOLUMES);
	struct node nodes[] = { { .name = "hzfsnr-k8s-1p", .status = one },
		{ .name = "hzfsnr-k8s-2p", .status = two },
		{ .name = "hzfsnr-k8s-3p", .status = one, .state = NODE_REVOKED },
		{ .name = "hzfsnr-k8s-4p", .status = one, .quarantined = 1 },
		{ .name = "hzfsnr-k8s-5p", .status = other },
		{ .name = "hzfsnr-k8s-6p", .status = none }, { .name = "hzfsnr-k8s-7p" },
		{ .name = "hzfsnr-k8s-8p", .status = small } };
	struct node *list[N_ELEMENTS(nodes)];
	for (size_t i = 0; i < N_ELEMENTS(nodes); i++)
		list[i] = &nodes[i];
	AUTO_FREE char *made = assign_volumes_made(config, list, N_ELEMENTS(nodes));
	assert_string_equal(made,
		"[{\"node\":\"hzfsnr-k8s-1p\",\"name\":\"vol0\",\"path\":\"/var/lib/"
		"hearth/volumes/vol0\",\"bytes\":536870912},"
		"{\"node\":\"hzfsnr-k8s-2p\",\"name\":\"disk0\",\"path\":\"/var/lib/"
		"hearth/volumes/disk0\",\"bytes\":536870912}]");
	CLEANUP(value_freep)
	struct value *document =
		extra(config, &(struct node){ .name = "hzfsnr-k8s-1p", .is_server = 1 }, made);
	assert_int_equal(value_path(document, "storage", "all", NULL)->n, 2);
}

static void no_more_than_a_server_takes(void **state)
{
	static char one[] = "{\"volumes\":{" MADE("vol0", "true") "}}";
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config(VOLUMES);
	struct node node = { .name = "hzfsnr-k8s-1p", .status = one }, *list[300];
	CLEANUP(value_freep) struct value *document = NULL;
	for (size_t i = 0; i < N_ELEMENTS(list); i++)
		list[i] = &node;
	AUTO_FREE char *made = assign_volumes_made(config, list, N_ELEMENTS(list));
	assert_int_equal(json_parse(made, strlen(made), 0, &document, NULL), 0);
	assert_int_equal(document->n, 256);
}

static void the_cluster_is_never_asked_by_proxy(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config =
		test_config("lan: {prefix: 10.77.0.0/24, macPrefix: '52:54:77'}, proxy: {http: "
			  "'http://p:1', no: [.example.org]}");
	CLEANUP(value_freep) struct value *document = extra(config, &(struct node){ 0 }, NULL);
	assert_string_equal(value_text(value_path(document, "proxy", "http", NULL)), "http://p:1");
	assert_int_equal(value_path(document, "proxy", "https", NULL)->type, VALUE_NULL);
	assert_string_equal(value_text(value_path(document, "proxy", "no", NULL)),
		"localhost,127.0.0.0/8,::1,10.66.0.0/16,10.64.0.0/16,10.65.0.0/16,10.77.0.0/"
		"24,.svc,"
		".cluster.local,10.0.2.2,.example.org");
}

static void registries_name_their_secret(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = test_config(
		"registries: {mirrors: {docker.io: ['https://m:5000']}, configs: {'m:5000': "
		"{secret: login}}}");
	CLEANUP(value_freep) struct value *document = extra(config, &(struct node){ 0 }, NULL);
	assert_string_equal(
		value_text(value_path(document, "registries", "configs", "m:5000", "secret", NULL)),
		"login");
	assert_null(value_path(document, "registries", "configs", "m:5000", "caPem", NULL));
	assert_string_equal(
		value_text(&value_path(document, "registries", "mirrors", "docker.io", NULL)
				->items[0]),
		"https://m:5000");
}

static void statuses_are_checked(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{}", NULL },
		{ "{\"volumes\":null,\"platform\":null}", NULL },
		{ "{\"volumes\":{" MADE("vol0", "true") "}}", NULL },
		{ "{\"volumes\":[]}", "must map at most" },
		{ "{\"volumes\":{\"A\":{}}}", "DNS labels, not \"A\"" },
		{ "{\"volumes\":{\"a\":1}}", "a must be an object" },
		{ "{\"volumes\":{\"a\":{\"ready\":true,\"bytes\":1,\"path\":\"/etc\"}}}",
			"must be /var/lib/hearth/volumes/a, not \"/etc\"" },
		{ "{\"volumes\":{\"a\":{\"ready\":true,\"bytes\":-1,\"path\":\"/\"}}}", "bytes" },
		{ "{\"volumes\":{\"a\":{\"bytes\":1,\"path\":\"/\"}}}", "ready" },
		{ "{\"platform\":{\"n\":3,\"nReady\":1,\"items\":[{\"kind\":\"Kustomization\","
		  "\"namespace\":\"flux-system\",\"name\":\"apps\",\"ready\":false,\"message\":"
		  "\"x\","
		  "\"ageSec\":9,\"more\":1}]}}",
			NULL },
		{ "{\"platform\":{\"n\":3,\"nReady\":4}}", "nReady: must be a number 0-3" },
		{ "{\"platform\":{\"nReady\":0}}", "platform.n: is missing" },
		{ "{\"platform\":[]}", "platform: must be an object" },
		{ "{\"platform\":{\"n\":1,\"nReady\":0,\"items\":{}}}", "at most 32" },
		{ "{\"platform\":{\"n\":1,\"nReady\":0,\"items\":[1]}}", "must be objects" },
		{ "{\"platform\":{\"n\":1,\"nReady\":0,\"items\":[{\"kind\":\"K\",\"name\":\"n\"}]}"
		  "}",
			"items.ready" },
		{ "{\"platform\":{\"n\":1,\"nReady\":0,\"items\":[{\"kind\":\"K\",\"name\":\"n\","
		  "\"ready\":false,\"ageSec\":-1}]}}",
			"ageSec" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		struct status_body body;
		struct diag diag = { 0 };
		assert_int_equal(
			json_parse(rows[i].text, strlen(rows[i].text), 0, &document, NULL), 0);
		int r = status_body_decode(document, &body, &diag);
		if (r != (rows[i].says ? -EINVAL : 0))
			fail_msg("row %zu: %d %s", i, r, diag_text(&diag));
		if (rows[i].says && !strstr(diag_text(&diag), rows[i].says))
			fail_msg("\"%s\" does not say \"%s\"", diag_text(&diag), rows[i].says);
	}
}

static bool changed(const char *before, const char *now)
{
	CLEANUP(value_freep) struct value *document = NULL;
	assert_int_equal(json_parse(now, strlen(now), 0, &document, NULL), 0);
	return status_volumes_changed(before, document);
}

static void servers_wake_when_a_volume_changed(void **state)
{
	const char *made = "{\"volumes\":{" MADE("vol0", "true") "}}",
		   *making = "{\"volumes\":{" MADE("vol0", "false") "}}";
	assert_false(changed(NULL, "{}"));
	assert_false(changed("{\"phase\":\"k3s\"}", "{\"volumes\":null}"));
	assert_true(changed(NULL, made));
	assert_true(changed(making, made));
	assert_false(changed(made, made));
	assert_true(changed(made, "{}"));
	assert_true(changed(made, "{\"volumes\":{" MADE("vol1", "true") "}}"));
	assert_false(changed("{\"volumes\":{}}", "{}"));
}

static void people_are_shown_the_first_that_is_not_ready(void **state)
{
	static const char text[] =
		"{\"platform\":{\"n\":9,\"nReady\":7,\"items\":[{\"kind\":\"K\",\"name\":\"ready\","
		"\"ready\":true},{\"kind\":\"HelmRelease\",\"namespace\":\"a\",\"name\":\"b\","
		"\"ready\":false,\"message\":\"no\",\"ageSec\":61},{\"kind\":\"K\",\"name\":"
		"\"later\","
		"\"ready\":false}]},\"jobs\":{\"j-1\":{\"state\":\"done\",\"sentence\":\"\"},\"j-"
		"2\":{"
		"\"state\":\"running\",\"sentence\":\"drains\"}}}";
	CLEANUP(value_freep) struct value *document = NULL;
	struct json_out out = { 0 };
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	json_out_object_begin(&out);
	status_parts_put(document, &out);
	json_out_object_end(&out);
	AUTO_FREE char *shown = json_out_take(&out);
	assert_string_equal(shown,
		"{\"platform\":{\"n\":9,\"nReady\":7,\"first\":{\"kind\":\"HelmRelease\","
		"\"namespace\":\"a\",\"name\":\"b\",\"message\":\"no\",\"ageSec\":61}},\"jobs\":{"
		"\"j-2\":{\"state\":\"running\",\"sentence\":\"drains\"}}}");
}

#define REFUSED "{\"networkRefused\":{\"times\":2,\"reason\":\"with it the region does not answer\"}}"

static void refused_network_is_checked_and_shown(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} rows[] = {
		{ REFUSED, 0 },
		{ "{\"networkRefused\":null}", 0 },
		{ "{\"networkRefused\":\"no\"}", -EINVAL },
		{ "{\"networkRefused\":{\"times\":0,\"reason\":\"no\"}}", -EINVAL },
		{ "{\"networkRefused\":{\"times\":1}}", -EINVAL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		struct json_out out = { 0 };
		assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), 0, &document, NULL), 0);
		assert_int_equal(status_parts_check(document, NULL), rows[i].expected);
		json_out_object_begin(&out);
		status_parts_put(document, &out);
		json_out_object_end(&out);
		AUTO_FREE char *shown = json_out_take(&out);
		if (i == 0)
			assert_string_equal(shown, REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_null),
		cmocka_unit_test(every_node_has_its_own_volumes),
		cmocka_unit_test(servers_know_the_volumes_that_are_made),
		cmocka_unit_test(no_more_than_a_server_takes),
		cmocka_unit_test(the_cluster_is_never_asked_by_proxy),
		cmocka_unit_test(registries_name_their_secret),
		cmocka_unit_test(statuses_are_checked),
		cmocka_unit_test(servers_wake_when_a_volume_changed),
		cmocka_unit_test(people_are_shown_the_first_that_is_not_ready),
		cmocka_unit_test(refused_network_is_checked_and_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
