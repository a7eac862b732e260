// fuzzes: image
// Recipes, and every pattern of theirs on a few paths.
// SPDX-License-Identifier: Apache-2.0
#include "image/recipe.h"
#include "image/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
	AUTO_FREE char *extends = NULL;
	struct diag diag = { 0 };

	if (!recipe)
		return 0;
	if (recipe_add(recipe, (const char *)bytes, n_bytes, "fuzz.yaml", &extends, &diag) == 0) {
		(void)recipe_check(recipe, "fuzz.yaml", &diag);
		(void)rules_leave_out(&recipe->exclude, "usr/lib/systemd/system/multi-user.target.wants/x.service");
		(void)rules_leave_out(&recipe->exclude, "");
	}
	return 0;
}
