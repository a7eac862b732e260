// The recipe: what goes into an image (docs/recipe.md). Read here, strictly; nothing is built here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "image/k3s-release.h"
#include "image/words.h"

enum { RECIPE_MAX_BYTES = 256 << 10, RECIPE_MAX_WORDS = 4096, RECIPE_MAX_EXTENDS = 4 };

struct recipe {
	char *name, *suite, *kernel, *cmdline;
	char *compression;         // of the root file, as mkfs.erofs -z takes it
	char *payload_compression;
	char *cni, *state_disk;    // "bridge" | "none", "blank" | "none"
	bool lab;
	struct words packages, overlays, seed_sources;
	struct words exclude, modules_exclude; // rules.h; modules: below the folder of the kernel's version
	struct words stage1_modules;           // patterns of rules_match(), for example "kernel/drivers/nvme/**"
	struct k3s_release k3s;    // nothing named: no payload unless the command line has one
	struct words programs, program_paths;  // name in the build folder and path in the root, same index
};
struct recipe *recipe_free(struct recipe *recipe);
DEFINE_CLEANUP(recipe)

/* One recipe text, on top of what @recipe already holds: scalars replace, lists are appended.
 * `extends` goes to @ret_extends (caller frees; NULL: none) and is otherwise not looked at.
 * -EINVAL with name:line:column. */
int recipe_add(struct recipe *recipe, const char *text, size_t n, const char *name, char **ret_extends, struct diag *reterr);
// Is everything there that a build needs?
int recipe_check(const struct recipe *recipe, const char *name, struct diag *reterr);
// A recipe file and those it extends (files beside it), the base first.
int recipe_load(const char *path, struct recipe **ret, struct diag *reterr);
