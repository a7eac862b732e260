// What K3s' environment says of a proxy.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *const always[] = {"10.66.0.0/16", "10.64.0.0/16", "10.65.0.0/16", "region.example.org", NULL};

static void the_cluster_never_goes_through_it(void **state)
{
	char *text AUTO_FREE = k3s_proxy_environment(&(struct k3s_proxy){.http = "http://10.0.0.3:3128",
		.https = "http://10.0.0.3:3129", .no = "intern.example.org,.svc", .always = always});

	assert_string_equal(text, "HTTP_PROXY=\"http://10.0.0.3:3128\"\nHTTPS_PROXY=\"http://10.0.0.3:3129\"\n"
				  "NO_PROXY=\"127.0.0.0/8,::1,localhost,.svc,.cluster.local,10.66.0.0/16,10.64.0.0/16,"
				  "10.65.0.0/16,region.example.org,intern.example.org,.svc\"\n");
}

static void what_stands_there_twice_is_said_once(void **state)
{
	const char *const twice[] = {"10.66.0.0/16", "10.66.0.0/16", ".svc", NULL};
	char *text AUTO_FREE = k3s_proxy_environment(&(struct k3s_proxy){.https = "http://p:1", .always = twice});

	assert_string_equal(text, "HTTPS_PROXY=\"http://p:1\"\nNO_PROXY=\"127.0.0.0/8,::1,localhost,.svc,.cluster.local,"
				  "10.66.0.0/16\"\n");
}

static void without_one_nothing_is_said(void **state)
{
	char *text AUTO_FREE = k3s_proxy_environment(&(struct k3s_proxy){.no = "x", .always = always});

	assert_string_equal(text, "");
}

static void hosts_of_urls(void **state)
{
	static const struct {
		const char *url, *host;
	} rows[] = {{"https://10.0.2.2:7443", "10.0.2.2"}, {"https://region.example.org/x", "region.example.org"},
		{"https://[fd00::1]:7443", "fd00::1"}, {"https://", NULL}, {"region", NULL}, {"https://[fd00::1", NULL},
		{NULL, NULL}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char host[64];

		if (rows[i].host) {
			assert_int_equal(k3s_url_host(rows[i].url, host, sizeof(host)), 0);
			assert_string_equal(host, rows[i].host);
		} else {
			assert_true(k3s_url_host(rows[i].url, host, sizeof(host)) < 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cluster_never_goes_through_it),
		cmocka_unit_test(what_stands_there_twice_is_said_once),
		cmocka_unit_test(without_one_nothing_is_said),
		cmocka_unit_test(hosts_of_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
