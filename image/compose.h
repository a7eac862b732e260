// From a bootstrap's recipe to its stage folders (docs/bootstrap.md). Everything is made in memory and judged before a
// file is written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/bundle.h"
#include "image/preflight.h"

enum { COMPOSED_MAX_FILES = 64 };

struct composed {
	size_t n;
	struct composed_file {
		enum bundle_stage stage;
		char *name, *text;
	} files[COMPOSED_MAX_FILES];
	struct words overrides; // of documented values, by the recipe
	struct words problems;  // of rendered Cilium manifests against the values
	struct words advice;
};
struct composed *composed_free(struct composed *composed);
DEFINE_CLEANUP(composed)
// Files that the recipe names are read beside it. Errors of those files; -EINVAL what does not fit.
int compose(const char *recipe_path, const struct cluster_facts *facts, struct composed **ret, struct diag *reterr);
int composed_bundle(const struct composed *composed, struct bundle *ret, struct diag *reterr);
// @folder: missing or empty. -ENOTEMPTY.
int composed_write(const struct composed *composed, const char *folder, struct diag *reterr);
