// Names are compositions of codes: the documented examples, own sites, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "region/naming.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int decode(const char *yaml, struct naming *ret, struct diag *diag)
{
	CLEANUP(value_freep) struct value *config = NULL;
	assert_int_equal(yaml_parse(yaml, strlen(yaml), 0, "test", &config, diag), 0);
	return naming_decode(config, ret, diag);
}

static void documented_names(void **state)
{
	struct naming naming;
	struct diag diag = { 0 };
	char name[NAME_TEXT], location[5];
	assert_int_equal(decode("{provider: hetzner, region: fsn, buildingBlock: rtz, envType: "
				"prod, app: k8s}",
				 &naming, &diag),
		0);
	naming_cluster(&naming, name);
	assert_string_equal(name, "hz-fsn-rtz-prod");
	naming_node(&naming, 1, name);
	assert_string_equal(name, "hzfsnr-k8s-1p");
	naming_location(&naming, location);
	assert_string_equal(location, "hfrp");
	assert_int_equal(decode("{provider: hw, region: apse, buildingBlock: mgt, envType: poc}",
				 &naming, &diag),
		0);
	naming_node(&naming, 12, name);
	assert_string_equal(name, "hwapsem-k8s-12c");
	assert_string_equal(naming.provider, "huawei");
}

static void a_site_of_ones_own(void **state)
{
	struct naming naming;
	struct diag diag = { 0 };
	char name[NAME_TEXT];
	assert_int_equal(decode("{provider: {name: acme, code: ac, letter: q}, region: {code: muc, "
				"letter: u}, buildingBlock: dmz, "
				"envType: stg}",
				 &naming, &diag),
		0);
	naming_cluster(&naming, name);
	assert_string_equal(name, "ac-muc-dmz-stg");
	naming_node(&naming, 3, name);
	assert_string_equal(name, "acmucd-k8s-3s");
}

static void what_collides_is_refused_with_the_rule(void **state)
{
	static const struct {
		const char *yaml, *says;
	} rows[] = {
		{ "{provider: digitalocean, region: fsn, buildingBlock: rtz, envType: prod}",
			"must be one of hetzner" },
		{ "{provider: hetzner, region: eu, buildingBlock: rtz, envType: prod}",
			"region of hetzner" },
		{ "{provider: aws, region: fsn, buildingBlock: rtz, envType: prod}",
			"region of aws" },
		{ "{provider: hetzner, region: fsn, buildingBlock: xyz, envType: prod}",
			"rtz, dmz, mgt" },
		{ "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: test}",
			"prod, stg, uat, dev, poc" },
		{ "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, app: flux}",
			"not reserved" },
		{ "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, app: K8S}",
			"a-z" },
		{ "{provider: {name: acme, code: hz, letter: q}, region: {code: muc, letter: u}, "
		  "buildingBlock: rtz, envType: prod}",
			"collides" },
		{ "{provider: {name: acme, code: ac, letter: h}, region: {code: muc, letter: u}, "
		  "buildingBlock: rtz, envType: prod}",
			"collides" },
		{ "{provider: {name: acme, code: ac, letter: q}, region: {code: muc, letter: q}, "
		  "buildingBlock: rtz, envType: prod}",
			"precedence" },
		{ "{provider: hetzner, region: {code: muc, letter: f}, buildingBlock: rtz, "
		  "envType: prod}",
			"collides with fsn" },
		{ "{provider: {name: kube-acme, code: ac, letter: q}, region: {code: muc, letter: "
		  "u}, buildingBlock: rtz, envType: prod}",
			"a-z" },
		{ "{region: fsn, buildingBlock: rtz, envType: prod}", "provider" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct naming naming;
		struct diag diag = { 0 };
		assert_int_equal(decode(rows[i].yaml, &naming, &diag), -EINVAL);
		if (!strstr(diag_text(&diag), rows[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].yaml, diag_text(&diag),
				rows[i].says);
	}
}

static void a_name_gives_its_number_back(void **state)
{
	struct naming naming;
	struct diag diag = { 0 };
	assert_int_equal(
		decode("{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod}",
			&naming, &diag),
		0);
	assert_int_equal(naming_node_number(&naming, "hzfsnr-k8s-17p"), 17);
	static const char *const others[] = { "hzfsnr-k8s-0p", "hzfsnr-k8s-01p", "hzfsnr-k8s-1",
		"hzfsnr-k8s-1d", "hzfsnr-k8s--1p", "hznbgr-k8s-1p", "hzfsnr-k8s-1px", "",
		"hzfsnr-k8s-9999999999999999999p" };
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_int_equal(naming_node_number(&naming, others[i]), 0);
	assert_int_equal(naming_node_number(&naming, NULL), 0);
}

static void the_lowest_free_number_is_next(void **state)
{
	const unsigned used[] = { 5, 1, 2, 2, 4 };
	assert_int_equal(naming_lowest_free(used, 5), 3);
	assert_int_equal(naming_lowest_free(used, 1), 1);
	assert_int_equal(naming_lowest_free(NULL, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_names),
		cmocka_unit_test(a_site_of_ones_own),
		cmocka_unit_test(what_collides_is_refused_with_the_rule),
		cmocka_unit_test(a_name_gives_its_number_back),
		cmocka_unit_test(the_lowest_free_number_is_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
