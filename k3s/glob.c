// Matching by backtracking to the last * only, which is enough: an earlier one could not match more.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/glob.h"
#include <errno.h>

static int class_match(const char **pattern, const char *end, unsigned char c)
{
	const char *p = *pattern + 1;
	bool negated = p < end && *p == '^', hit = false, any = false;

	p += negated;
	for (;; any = true) {
		unsigned char low, high;

		if (p >= end)
			return -EINVAL;
		if (*p == ']' && any)
			break;
		if (*p == '\\' && ++p >= end)
			return -EINVAL;
		low = high = (unsigned char)*p++;
		if (p + 1 < end && *p == '-') {
			p++;
			if (*p == '\\' && ++p >= end)
				return -EINVAL;
			high = (unsigned char)*p++;
		}
		hit = hit || (low <= c && c <= high);
	}
	*pattern = p + 1;
	return hit != negated;
}

int glob_match(const char *pattern, size_t n_pattern, const char *text, size_t n_text)
{
	const char *p = pattern, *p_end = pattern + n_pattern, *t = text, *t_end = text + n_text;
	const char *star = NULL, *star_text = NULL;

	while (t < t_end) {
		int hit = 0;
		const char *next = p;

		if (p < p_end && *p == '*') {
			star = ++p;
			star_text = t;
			continue;
		}
		if (p < p_end && *p == '[') {
			hit = class_match(&next, p_end, (unsigned char)*t);
			if (hit < 0)
				return hit;
		} else if (p < p_end && *p == '\\') {
			if (p + 1 == p_end)
				return -EINVAL;
			hit = p[1] == *t;
			next = p + 2;
		} else if (p < p_end) {
			hit = *p == '?' || *p == *t;
			next = p + 1;
		}
		if (hit) {
			p = next;
			t++;
		} else if (star) {
			p = star;
			t = ++star_text;
		} else {
			return 0;
		}
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}
