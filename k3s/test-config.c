// config.yaml of the three roles and registries.yaml, read back with our own YAML reader.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/yaml.h"
#include "k3s/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *parse(const char *yaml)
{
	struct value *value = NULL;
	struct diag diag = {0};

	if (yaml_parse(yaml, strlen(yaml), 0, "config.yaml", &value, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return value;
}

static struct value *labels_make(void)
{
	static const char text[] = "{\"openova.io/provider\":\"hetzner\",\"openova.io/region\":\"fsn\"}";
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

static const char *const sans[] = {"10.66.0.1", "k8s.example.org", NULL};

static struct k3s_config config_make(enum k3s_role role, struct k3s_settings *settings, struct value *labels)
{
	bool server = role != K3S_ROLE_WORKER;

	return (struct k3s_config){.role = role, .settings = settings, .node_name = "hzfsnr-k8s-1p",
		.node_ip = "10.66.0.11", .tls_sans = server ? sans : NULL, .node_labels = labels,
		.cluster_cidr = server ? "10.64.0.0/16" : NULL, .service_cidr = server ? "10.65.0.0/16" : NULL,
		.server_url = role == K3S_ROLE_FIRST_SERVER ? NULL : "https://10.66.0.12:6443",
		.token_file = "/state/hearth/secrets/token",
		.agent_token_file = server ? "/state/hearth/secrets/agent-token" : NULL,
		.resolv_conf = "/run/hearth/resolv.conf"};
}

static struct value *rendered(enum k3s_role role)
{
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	struct value *labels CLEANUP(value_freep) = labels_make();
	char *text AUTO_FREE = NULL;
	struct k3s_config config;

	assert_int_equal(k3s_settings_resolve(role, NULL, &settings, NULL), 0);
	config = config_make(role, settings, labels);
	assert_int_equal(k3s_config_render(&config, &text, NULL), 0);
	return parse(text);
}

static void has(const struct value *document, const char *key, const char *text)
{
	const struct value *value = value_find(document, key);

	if (!value)
		fail_msg("%s is missing", key);
	if (value->type == VALUE_ARRAY) {
		for (size_t i = 0; i < value->n; i++)
			if (str_equal(value_text(&value->items[i]), text))
				return;
		fail_msg("%s has no item %s", key, text);
	}
	assert_string_equal(value->text, text);
}

static void the_first_server_starts_a_cluster(void **state)
{
	struct value *document CLEANUP(value_freep) = rendered(K3S_ROLE_FIRST_SERVER);

	has(document, "cluster-init", "true");
	assert_int_equal(value_find(document, "cluster-init")->type, VALUE_BOOL);
	assert_int_equal(value_find(document, "disable-network-policy")->type, VALUE_BOOL);
	assert_null(value_find(document, "server"));
	has(document, "disable", "traefik");
	has(document, "disable", "servicelb");
	has(document, "disable", "local-storage");
	assert_int_equal(value_find(document, "disable")->n, 3);
	has(document, "flannel-backend", "none");
	has(document, "kube-controller-manager-arg", "node-monitor-period=5s");
	has(document, "kube-controller-manager-arg", "node-monitor-grace-period=20s");
	has(document, "kube-apiserver-arg", "default-watch-cache-size=50");
	has(document, "etcd-arg", "quota-backend-bytes=1073741824");
	has(document, "kubelet-arg", "max-pods=50");
	has(document, "node-name", "hzfsnr-k8s-1p");
	has(document, "node-ip", "10.66.0.11");
	has(document, "advertise-address", "10.66.0.11");
	has(document, "tls-san", "k8s.example.org");
	has(document, "node-label", "openova.io/provider=hetzner");
	has(document, "cluster-cidr", "10.64.0.0/16");
	has(document, "service-cidr", "10.65.0.0/16");
	has(document, "token-file", "/state/hearth/secrets/token");
	has(document, "agent-token-file", "/state/hearth/secrets/agent-token");
	has(document, "resolv-conf", "/run/hearth/resolv.conf");
}

static void a_joining_server_joins(void **state)
{
	struct value *document CLEANUP(value_freep) = rendered(K3S_ROLE_SERVER);

	assert_null(value_find(document, "cluster-init"));
	has(document, "server", "https://10.66.0.12:6443");
	has(document, "etcd-arg", "quota-backend-bytes=1073741824");
}

static void a_worker_gets_only_what_k3s_agent_knows(void **state)
{
	static const char *const known[] = {"server", "token-file", "node-name", "node-ip", "resolv-conf", "node-label",
		"kubelet-arg", NULL};
	struct value *document CLEANUP(value_freep) = rendered(K3S_ROLE_WORKER);
	struct diag diag = {0};

	if (value_only_keys(document, "config", known, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(document->n, 7);
}

static void what_cannot_be_is_refused(void **state)
{
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	char *text = NULL;

	assert_int_equal(k3s_settings_resolve(K3S_ROLE_SERVER, NULL, &settings, NULL), 0);
	for (int i = 0; i < 8; i++) {
		struct k3s_config config =
			config_make(i == 7 ? K3S_ROLE_WORKER : K3S_ROLE_SERVER, settings, NULL);
		static const char *const where[] = {"node-ip", "node-name", "server", "token-file", "agent-token-file",
			"cluster-cidr", "server", "worker"};
		struct diag diag = {0};

		switch (i) {
		case 0:
			config.node_ip = "10.66.0";
			break;
		case 1:
			config.node_name = "a\nb";
			break;
		case 2:
			config.server_url = NULL;
			break;
		case 3:
			config.token_file = "";
			break;
		case 4:
			config.agent_token_file = NULL;
			break;
		case 5:
			config.cluster_cidr = NULL;
			break;
		case 6:
			config.role = K3S_ROLE_FIRST_SERVER;
			break;
		default:
			config.agent_token_file = "/x";
			break;
		}
		assert_int_equal(k3s_config_render(&config, &text, &diag), -EINVAL);
		assert_string_equal(diag.where, where[i]);
	}
}

static void values_are_quoted(void **state)
{
	struct k3s_settings *settings CLEANUP(k3s_settings_freep) = NULL;
	struct value *document CLEANUP(value_freep) = NULL;
	char *text AUTO_FREE = NULL;
	struct k3s_config config;

	assert_int_equal(k3s_settings_resolve(K3S_ROLE_SERVER, NULL, &settings, NULL), 0);
	config = config_make(K3S_ROLE_SERVER, settings, NULL);
	config.node_name = "a\" b: \\ # {";
	assert_int_equal(k3s_config_render(&config, &text, NULL), 0);
	document = parse(text);
	has(document, "node-name", "a\" b: \\ # {");
}

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

static void registries_point_to_the_region(void **state)
{
	const struct k3s_registries registries = {.endpoint = "https://10.0.2.2:7443", .username = "pull",
		.password = "s3cret\"", .ca_file = "/run/hearth/ca.pem"};
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *config;
	char *text AUTO_FREE = NULL;

	assert_int_equal(k3s_registries_render(&registries, &text, NULL), 0);
	document = parse(text);
	has(value_path(document, "mirrors", "*", NULL), "endpoint", "https://10.0.2.2:7443");
	config = value_path(document, "configs", "10.0.2.2:7443", NULL);
	assert_string_equal(value_text(value_path(config, "auth", "username", NULL)), "pull");
	assert_string_equal(value_text(value_path(config, "auth", "password", NULL)), "s3cret\"");
	assert_string_equal(value_text(value_path(config, "tls", "ca_file", NULL)), "/run/hearth/ca.pem");
}

static void the_region_comes_before_other_mirrors(void **state)
{
	struct value *mirrors CLEANUP(value_freep) = json("{\"docker.io\":[\"https://m1\",\"http://m2:5000\"],\"*\":[\"https://m3\"]}");
	struct value *configs CLEANUP(value_freep) = json("{\"m1\":{\"caPem\":\"x\"},\"10.0.2.2:7443\":{\"caPem\":\"evil\"}}");
	struct value *logins CLEANUP(value_freep) = json("{\"m1\":{\"username\":\"u\",\"password\":\"p\"},"
		"\"m3\":{\"username\":\"v\",\"password\":\"q\"}}");
	const struct k3s_registries registries = {.endpoint = "https://10.0.2.2:7443", .ca_file = "/run/hearth/ca.pem",
		.mirrors = mirrors, .configs = configs, .logins = logins, .ca_folder = "/run/hearth/registry-ca"};
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *list;
	char *text AUTO_FREE = NULL;

	assert_int_equal(k3s_registries_render(&registries, &text, NULL), 0);
	document = parse(text);
	list = value_path(document, "mirrors", "docker.io", "endpoint", NULL);
	assert_int_equal(list->n, 3);
	assert_string_equal(list->items[0].text, "https://10.0.2.2:7443");
	assert_string_equal(list->items[2].text, "http://m2:5000");
	assert_string_equal(value_path(document, "mirrors", "*", "endpoint", NULL)->items[1].text, "https://m3");
	assert_string_equal(value_text(value_path(document, "configs", "m1", "tls", "ca_file", NULL)), "/run/hearth/registry-ca/m1.pem");
	assert_string_equal(value_text(value_path(document, "configs", "m1", "auth", "username", NULL)), "u");
	assert_string_equal(value_text(value_path(document, "configs", "m3", "auth", "password", NULL)), "q");
	assert_null(value_path(document, "configs", "m3", "tls", NULL));
	assert_string_equal(value_text(value_path(document, "configs", "10.0.2.2:7443", "tls", "ca_file", NULL)), "/run/hearth/ca.pem");
}

static void registries_without_a_region(void **state)
{
	struct value *mirrors CLEANUP(value_freep) = json("{\"docker.io\":[\"https://m1\"]}");
	const struct k3s_registries registries = {.mirrors = mirrors};
	struct value *document CLEANUP(value_freep) = NULL;
	char *text AUTO_FREE = NULL;

	assert_int_equal(k3s_registries_render(&registries, &text, NULL), 0);
	document = parse(text);
	assert_null(value_path(document, "mirrors", "*", NULL));
	assert_int_equal(value_path(document, "mirrors", "docker.io", "endpoint", NULL)->n, 1);
}

static void registries_without_tls_or_half_a_login_are_refused(void **state)
{
	struct k3s_registries registries = {.endpoint = "http://x"};
	char *text = NULL;

	assert_int_equal(k3s_registries_render(&registries, &text, NULL), -EINVAL);
	registries.endpoint = "https://x";
	registries.username = "u";
	assert_int_equal(k3s_registries_render(&registries, &text, NULL), -EINVAL);
	registries.username = NULL;
	registries.endpoint = NULL;
	assert_int_equal(k3s_registries_render(&registries, &text, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_server_starts_a_cluster),
		cmocka_unit_test(a_joining_server_joins),
		cmocka_unit_test(a_worker_gets_only_what_k3s_agent_knows),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(values_are_quoted),
		cmocka_unit_test(registries_point_to_the_region),
		cmocka_unit_test(the_region_comes_before_other_mirrors),
		cmocka_unit_test(registries_without_a_region),
		cmocka_unit_test(registries_without_tls_or_half_a_login_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
