// SPDX-License-Identifier: Apache-2.0
#include "image/rules.h"

// @star: last single star and where it began to eat; @stars: the same for "**". Both only ever move forward in the
// path, so the time is bounded by |pattern| * |path|^2, without recursion.
bool rules_match(const char *pattern, const char *path)
{
	const char *star = NULL, *star_path = NULL, *stars = NULL, *stars_path = NULL;

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			pattern += 2;
			stars = pattern;
			stars_path = path;
			star = NULL;
			continue;
		}
		if (*pattern == '*') {
			star = ++pattern;
			star_path = path;
			continue;
		}
		if (*pattern && *path && (*pattern == *path || (*pattern == '?' && *path != '/'))) {
			pattern++;
			path++;
			continue;
		}
		if (!*pattern && !*path)
			return true;
		if (star && *star_path && *star_path != '/') {
			pattern = star;
			path = ++star_path;
			continue;
		}
		if (!stars || !*stars_path)
			return false;
		star = NULL;
		pattern = stars;
		path = ++stars_path;
	}
}

static bool match_or_parent(const char *pattern, const char *path)
{
	char parent[4096];
	size_t n = strlen(path);

	if (rules_match(pattern, path))
		return true;
	if (n >= sizeof(parent))
		return false;
	memcpy(parent, path, n + 1);
	for (char *slash; (slash = strrchr(parent, '/'));) {
		*slash = '\0';
		if (rules_match(pattern, parent))
			return true;
	}
	return false;
}

bool rules_leave_out(const struct words *rules, const char *path)
{
	for (size_t i = rules->n; i-- > 0;) {
		const char *rule = rules->items[i];
		bool back = *rule == '!';
		if (match_or_parent(rule + back, path))
			return !back;
	}
	return false;
}
