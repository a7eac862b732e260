// fuzzes: image
// A bootstrap's recipe, and Cilium's values and objects from it.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "image/cilium.h"
#include "image/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(bootstrap_recipe_freep) struct bootstrap_recipe *recipe = NULL;
	CLEANUP(value_freep) struct value *values = NULL, *pool = NULL, *policy = NULL, *again = NULL;
	CLEANUP(words_done) struct words overrides = { 0 };
	CLEANUP(words_done) struct words advice = { 0 };
	struct cluster_facts facts = { .servers = 1 };
	struct diag diag = { 0 };

	if (n_bytes > 16 << 10 || bootstrap_recipe_parse((const char *)bytes, n_bytes, "fuzz.yaml", &recipe, &diag) < 0)
		return 0;
	if (recipe->l2_pool)
		(void)cilium_l2_objects(recipe, 1020, &pool, &policy);
	if (cilium_values(&(struct cilium_request){ recipe, &facts, 1020, NULL }, &values, &overrides, &advice, &diag) < 0)
		return 0;
	AUTO_FREE char *yaml = tree_to_yaml(values);
	if (yaml && yaml_parse(yaml, strlen(yaml), 0, "written", &again, &diag) < 0)
		abort(); // what we write can be read
	return 0;
}
