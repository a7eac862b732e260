// The documented flags word for word, who accepts what, and overrides.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/flags.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

// "key=value origin;" of each setting.
static char *settings_text(enum k3s_role role, const char *overrides, struct diag *reterr)
{
	struct value *value CLEANUP(value_freep) = overrides ? json(overrides) : NULL;
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (k3s_settings_resolve(role, value, &settings, reterr) < 0)
		return NULL;
	out = open_memstream(&text, &n);
	assert_non_null(out);
	for (size_t i = 0; i < settings->n; i++)
		fprintf(out, "%s=%s%s;", settings->items[i].key, settings->items[i].value,
			settings->items[i].origin == K3S_ORIGIN_REGION ? " (region)" : "");
	assert_int_equal(fclose(out), 0);
	return text;
}

static void the_first_server_has_every_documented_flag(void **state)
{
	char *text AUTO_FREE = settings_text(K3S_ROLE_FIRST_SERVER, NULL, NULL);

	assert_string_equal(text,
		"cluster-init=true;disable=traefik;disable=servicelb;disable=local-storage;flannel-backend=none;"
		"disable-network-policy=true;kube-controller-manager-arg=node-monitor-period=5s;"
		"kube-controller-manager-arg=node-monitor-grace-period=20s;"
		"kube-apiserver-arg=default-watch-cache-size=50;etcd-arg=quota-backend-bytes=1073741824;"
		"kubelet-arg=max-pods=50;");
}

static void other_roles_have_what_they_know(void **state)
{
	char *server AUTO_FREE = settings_text(K3S_ROLE_SERVER, NULL, NULL);
	char *worker AUTO_FREE = settings_text(K3S_ROLE_WORKER, NULL, NULL);

	assert_null(strstr(server, "cluster-init"));
	assert_non_null(strstr(server, "etcd-arg=quota-backend-bytes=1073741824;"));
	assert_string_equal(worker, "kubelet-arg=max-pods=50;");
}

static void overrides_replace_by_argument_name(void **state)
{
	static const struct {
		enum k3s_role role;
		const char *overrides, *has, *has_not;
	} rows[] = {
		{K3S_ROLE_SERVER, "{\"kubelet-arg\":[\"max-pods=60\"]}", "kubelet-arg=max-pods=60 (region);", "max-pods=50"},
		{K3S_ROLE_SERVER, "{\"kubelet-arg\":\"v=4\"}", "kubelet-arg=max-pods=50;kubelet-arg=v=4 (region);", NULL},
		{K3S_ROLE_SERVER, "{\"kube-controller-manager-arg\":[\"node-monitor-grace-period=50s\"]}",
			"node-monitor-period=5s;kube-controller-manager-arg=node-monitor-grace-period=50s (region);", "=20s"},
		{K3S_ROLE_SERVER, "{\"disable\":[\"traefik\"]}", "disable=traefik (region);", "servicelb"},
		{K3S_ROLE_SERVER, "{\"kube-apiserver-arg\":null}", "etcd-arg", "default-watch-cache-size"},
		{K3S_ROLE_SERVER, "{\"disable-kube-proxy\":true}", "disable-kube-proxy=true (region);", NULL},
		{K3S_ROLE_WORKER, "{\"lb-server-port\":6445}", "lb-server-port=6445 (region);", NULL},
		{K3S_ROLE_WORKER, "{\"etcd-arg\":[\"x=1\"],\"kubelet-arg\":[\"max-pods=60\"]}", "kubelet-arg=max-pods=60 (region);",
			"etcd-arg"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text AUTO_FREE = settings_text(rows[i].role, rows[i].overrides, NULL);

		assert_non_null(text);
		assert_non_null(strstr(text, rows[i].has));
		if (rows[i].has_not)
			assert_null(strstr(text, rows[i].has_not));
	}
}

static void what_a_role_does_not_know_is_refused(void **state)
{
	static const struct {
		enum k3s_role role;
		const char *overrides, *says;
	} rows[] = {
		{K3S_ROLE_WORKER, "{\"etcd-args\":[\"x=1\"]}", "did you mean etcd-arg?"},
		{K3S_ROLE_WORKER, "{\"nonsense-of-nobody\":1}", "is no key of K3s"},
		{K3S_ROLE_SERVER, "{\"kubelet-args\":[\"x=1\"]}", "did you mean kubelet-arg?"},
		{K3S_ROLE_SERVER, "{\"node-ip\":\"10.0.0.1\"}", "written by Hearth itself"},
		{K3S_ROLE_SERVER, "{\"token\":\"x\"}", "written by Hearth itself"},
		{K3S_ROLE_SERVER, "{\"flannel-backend\":[\"none\"]}", "one value, not a list"},
		{K3S_ROLE_SERVER, "{\"kubelet-arg\":[[\"a\"]]}", "must be a string"},
		{K3S_ROLE_SERVER, "{\"kubelet-arg\":{\"a\":\"b\"}}", "must be a string"},
		{K3S_ROLE_SERVER, "{\"kubelet-arg\":\"a\\nb\"}", "control characters"},
		{K3S_ROLE_SERVER, "[]", "must be an object"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};

		assert_null(settings_text(rows[i].role, rows[i].overrides, &diag));
		assert_non_null(strstr(diag.message, rows[i].says));
	}
}

static void overrides_text_lists_the_region_s_only(void **state)
{
	struct value *value CLEANUP(value_freep) = json("{\"kubelet-arg\":[\"max-pods=60\"]}");
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	char *text AUTO_FREE = NULL;

	assert_int_equal(k3s_settings_resolve(K3S_ROLE_SERVER, value, &settings, NULL), 0);
	text = k3s_settings_overrides_text(settings);
	assert_string_equal(text, "kubelet-arg=max-pods=60\n");
}

// "key=value (origin)" of each setting that is not documented; NULL and a diag when refused.
static char *chosen_text(enum k3s_role role, enum k3s_profile profile, const char *overrides, const char *node,
	struct diag *reterr)
{
	struct value *region CLEANUP(value_freep) = overrides ? json(overrides) : NULL;
	struct value *own CLEANUP(value_freep) = node ? json(node) : NULL;
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	const struct k3s_choice choice = {.role = role, .profile = profile, .overrides = region, .node_overrides = own};
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (k3s_settings_choose(&choice, &settings, reterr) < 0)
		return NULL;
	out = open_memstream(&text, &n);
	assert_non_null(out);
	for (size_t i = 0; i < settings->n; i++)
		fprintf(out, "%s=%s (%s);", settings->items[i].key, settings->items[i].value,
			k3s_origin_text(settings->items[i].origin));
	assert_int_equal(fclose(out), 0);
	return text;
}

// Typed from facts 4.10, not from our table.
static void hardened_leaves_out_what_harms_or_does_nothing(void **state)
{
	char *first AUTO_FREE = chosen_text(K3S_ROLE_FIRST_SERVER, K3S_PROFILE_HARDENED, NULL, NULL, NULL);
	char *worker AUTO_FREE = chosen_text(K3S_ROLE_WORKER, K3S_PROFILE_HARDENED, NULL, NULL, NULL);

	assert_string_equal(first,
		"cluster-init=true (documented);disable=traefik (documented);disable=servicelb (documented);"
		"disable=local-storage (documented);flannel-backend=none (documented);"
		"disable-network-policy=true (documented);"
		"kube-controller-manager-arg=node-monitor-grace-period=50s (profile);"
		"etcd-arg=quota-backend-bytes=2147483648 (profile);kubelet-arg=max-pods=50 (documented);");
	assert_string_equal(worker, "kubelet-arg=max-pods=50 (documented);");
}

static void the_node_wins_over_the_region(void **state)
{
	char *text AUTO_FREE = chosen_text(K3S_ROLE_SERVER, K3S_PROFILE_HARDENED,
		"{\"kubelet-arg\":[\"max-pods=60\",\"v=2\"],\"kube-controller-manager-arg\":\"node-monitor-grace-period=30s\"}",
		"{\"kubelet-arg\":[\"max-pods=110\"]}", NULL);

	assert_non_null(strstr(text, "kubelet-arg=max-pods=110 (node);"));
	assert_non_null(strstr(text, "kubelet-arg=v=2 (region);"));
	assert_non_null(strstr(text, "node-monitor-grace-period=30s (region);"));
	assert_null(strstr(text, "max-pods=60"));
}

static void a_node_alone_cannot_differ_where_all_must_agree(void **state)
{
	struct diag diag = {0};

	assert_null(chosen_text(K3S_ROLE_SERVER, K3S_PROFILE_DOCUMENTED, NULL, "{\"flannel-backend\":\"vxlan\"}", &diag));
	assert_non_null(strstr(diag_text(&diag), "flannel-backend: must be the same on all servers"));
	assert_null(chosen_text(K3S_ROLE_WORKER, K3S_PROFILE_DOCUMENTED, NULL, "{\"etcd-arg\":\"x=1\"}", &diag));
	assert_non_null(strstr(diag_text(&diag), "this node is a worker"));
	assert_null(chosen_text(K3S_ROLE_SERVER, K3S_PROFILE_DOCUMENTED, NULL, "[]", &diag));
	assert_non_null(strstr(diag_text(&diag), "nodeOverrides"));
}

static void advice_is_for_the_documented_value_only(void **state)
{
	struct k3s_setting setting = {.key = (char *)"kube-controller-manager-arg", .value = (char *)"node-monitor-grace-period=20s"};

	assert_non_null(strstr(k3s_setting_advice(&setting), "50s since 1.32"));
	setting.value = (char *)"node-monitor-grace-period=50s";
	assert_null(k3s_setting_advice(&setting));
	setting = (struct k3s_setting){.key = (char *)"kube-apiserver-arg", .value = (char *)"default-watch-cache-size=50"};
	assert_non_null(strstr(k3s_setting_advice(&setting), "does nothing"));
	setting = (struct k3s_setting){.key = (char *)"etcd-arg", .value = (char *)"quota-backend-bytes=1073741824"};
	assert_non_null(strstr(k3s_setting_advice(&setting), "half of etcd's default"));
}

static void every_documented_flag_has_a_source(void **state)
{
	size_t n;
	const struct k3s_flag *flags = k3s_documented_flags(&n);

	assert_int_equal(n, 11);
	for (size_t i = 0; i < n; i++)
		assert_true(flags[i].source && *flags[i].source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_server_has_every_documented_flag),
		cmocka_unit_test(other_roles_have_what_they_know),
		cmocka_unit_test(overrides_replace_by_argument_name),
		cmocka_unit_test(what_a_role_does_not_know_is_refused),
		cmocka_unit_test(overrides_text_lists_the_region_s_only),
		cmocka_unit_test(hardened_leaves_out_what_harms_or_does_nothing),
		cmocka_unit_test(the_node_wins_over_the_region),
		cmocka_unit_test(a_node_alone_cannot_differ_where_all_must_agree),
		cmocka_unit_test(advice_is_for_the_documented_value_only),
		cmocka_unit_test(every_documented_flag_has_a_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
