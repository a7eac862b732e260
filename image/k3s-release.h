// Where K3s and its air-gap images come from: a release by version, URLs and SHA-256, or files one has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "image/words.h"

struct k3s_file {
	struct words urls;    // the first, then its mirrors; none with @path
	char *path, *sha256;  // a local file may come without its hash
};
struct k3s_release {
	char *version;        // NULL: a local binary is asked
	char *ca;             // PEM file for the servers, NULL: the system's CAs
	unsigned stall_sec;   // see fetch.h
	struct k3s_file binary, images;
};
void k3s_release_done(struct k3s_release *release);
static inline bool k3s_release_wanted(const struct k3s_release *release)
{
	return release->binary.path || release->binary.urls.n;
}
// The map `k3s` of a recipe on top of @release: what it names replaces. A url replaces a file, and the reverse: then with
// its sha256, and the binary's with its version.
int k3s_release_read(const struct value *map, struct k3s_release *release, struct diag *reterr);
// Is what was named enough, and not two things at once? What was not named is fine when nothing was.
int k3s_release_check(const struct k3s_release *release, struct diag *reterr);
// A new payload folder at @folder; fetched files are kept in @cache by their content.
int k3s_release_payload(const struct k3s_release *release, const char *cache, const char *folder, struct diag *reterr);
