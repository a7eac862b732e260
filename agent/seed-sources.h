// Several seeds, one choice (DESIGN 5): the order of the sources, the trust group that comes from one source alone,
// and what the others may still bring. Choosing is pure; loading reads files (and a stick).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/image-facts.h"
#include "base/seed.h"

enum { SEED_MAX_SOURCES = 8, SEED_PROBLEM_MAX = 512 };

struct seed_source {
	char name[24];    // "smbios" "initrd" "iso" "stick" "cmdline" "builtin"
	struct seed *seed; // NULL: problem says why
	char problem[SEED_PROBLEM_MAX];
};
struct seed_sources {
	size_t n;
	struct seed_source source[SEED_MAX_SOURCES]; // in order of precedence
	char looked[128]; // the names of all places looked at
};
void seed_sources_done(struct seed_sources *sources);

struct seed_choice { // everything borrowed from the sources
	const struct seed *trust;   // URLs, pins, signing keys; NULL: none
	const char *trust_name;
	const char *token;          // NULL: none
	const struct seed *network; // the first source with network settings
	const struct value *assignment; // a whole assignment instead of a region
	const char *proxy;          // of the first source that says something of one; "": none; NULL: nothing is said
	enum seed_disk state_disk;
	const char *state_disk_serial;
	char problem[SEED_PROBLEM_MAX]; // what was refused or ignored, "" when nothing
};
/* A trust group built into the image (one with pins) wins. Otherwise the first source that has URLs or an assignment.
 * A token of another source counts only when that source repeats a pin of the chosen group. */
void seed_choose(const struct seed_sources *sources, struct seed_choice *ret);

/* Read every source the image allows below @root. Sources that are not allowed but present are named in a problem.
 * @look_at_stick: mount a stick labelled HEARTHSEED for a moment (needs CAP_SYS_ADMIN). */
void seed_sources_load(const char *root, const struct image_facts *image, bool look_at_stick, struct seed_sources *ret);

/* The seed that a kernel command line holds, as YAML text; NULL when it holds none. The caller frees. @ret_problem is
 * filled when it holds a token, which is refused (and then no seed comes from it). */
char *seed_text_from_cmdline(const char *cmdline, char ret_problem[static SEED_PROBLEM_MAX]);
