// The steps of `hearth-image build`, in order: base root, kernel, root file, payload, stage 1, and what is written out.
// Each step takes what the ones before it left in struct build. What is slow is kept in the cache under a key made of
// everything it depends on. Same recipe, same cache, same programs: the same bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"
#include "image/recipe.h"

struct build {
	const struct recipe *recipe;
	const char *overlays;    // the folder with the overlays
	const char *bin;         // the folder with our programs
	const char *cache;       // $HEARTH_CACHE/image
	const char *out;
	int64_t epoch_sec;       // time of everything in the image, and the floor of a node's clock
	char *base;              // cache folder: root.tar, kernel.deb, packages.lock, epoch
	char *kernel;            // cache folder: vmlinuz, version, modules/ (cut), stage1-modules.img
	char *kernel_version;
	char root_sha256[SHA256_HEX + 1], payload_sha256[SHA256_HEX + 1]; // payload: "" none
	char root_verity[SHA256_HEX + 1];
	uint64_t root_bytes, payload_bytes, verity_blocks, stage1_bytes, iso_bytes;
	char *kubernetes;        // payload.json: what it is
};
void build_done(struct build *build);

int build_base(struct build *build, struct diag *reterr);    // mmdebstrap; minutes, once
int build_kernel(struct build *build, struct diag *reterr);  // vmlinuz, cut modules, modules of stage 1
int build_root(struct build *build, struct diag *reterr);    // OUT/root-SHA.erofs
int build_payload(struct build *build, const char *folder, struct diag *reterr); // OUT/payload-SHA.erofs
int build_stage1(struct build *build, struct diag *reterr);  // OUT/stage1.img, OUT/vmlinuz, OUT/image.json, OUT/cmdline
int build_iso(struct build *build, struct diag *reterr);     // OUT/hearth.iso
int build_pxe(struct build *build, struct diag *reterr);     // OUT/pxe/

// Helpers of the steps.
int sha256_file(const char *path, char ret_hex[static SHA256_HEX + 1], struct diag *reterr);
// First 16 hex digits of the SHA-256 over @text: the key of a cache folder.
void cache_key(const char *text, char ret_key[static 17]);
// Give the finished folder @work its name in the cache; when somebody else was faster, theirs stays and @work goes.
int cache_publish(const char *work, const char *name, struct diag *reterr);
/* What the cache keeps of one kind, names that begin with @kind: the CACHE_KEPT that were used last. @used, of that kind,
 * counts as used now. What somebody else has just begun is the youngest, so it stays. */
enum { CACHE_KEPT = 6 };
int cache_prune(const char *cache, const char *kind, const char *used, struct diag *reterr);
int remove_tree(const char *path, struct diag *reterr);
int file_link_or_copy(const char *from, const char *to, struct diag *reterr);
// EROFS of a tar file (@is_tar) or a folder, at @path.
int erofs_make(const struct build *build, const char *compression, const char *source, bool is_tar, const char *path,
	struct diag *reterr);
// The UUID that belongs to @what, so that it is the same in every build.
void fixed_uuid(const char *what, char ret[static 37]);
