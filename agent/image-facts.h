// What stage 1 tells about the image and this boot: /run/hearth/image.json and boot.json (docs/contracts.md).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { IMAGE_MAX_SOURCES = 8 };

struct image_facts {
	char version[64], recipe[32], kubernetes[128], payload_sha256[65];
	int64_t built_sec;
	uint64_t payload_bytes;
	bool cni_bridge;       // the image's default; the assignment decides
	bool state_disk_blank; // the recipe allows a blank disk to become STATE
	bool lab;
	size_t n_allowed;
	char allowed_sources[IMAGE_MAX_SOURCES][16];
	char firmware[8];      // "bios" | "uefi" | ""
	bool unauthenticated;  // booted over plain HTTP without Secure Boot
};
/* Never fails: a missing or damaged file gives an image that allows every seed source and no disk (a build host). */
void image_facts_load(const char *root, struct image_facts *ret);
bool image_allows_source(const struct image_facts *image, const char *source);
