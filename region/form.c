// SPDX-License-Identifier: Apache-2.0
#include "region/form.h"

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static char *decode(const char *text, size_t n)
{
	char *ret = malloc(n + 1);
	size_t out = 0;
	for (size_t i = 0; ret && i < n; i++) {
		if (text[i] == '%') {
			int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			if (low < 0 || high * 16 + low == 0) {
				free(ret);
				return NULL;
			}
			ret[out++] = (char)(high * 16 + low);
			i += 2;
		} else {
			ret[out++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	if (ret)
		ret[out] = '\0';
	return ret;
}

char *form_value(const char *body, const char *name)
{
	size_t n_name = strlen(name);
	for (const char *pair = body; pair && *pair;) {
		size_t n = strcspn(pair, "&");
		if (n > n_name && strncmp(pair, name, n_name) == 0 && pair[n_name] == '=')
			return decode(pair + n_name + 1, n - n_name - 1);
		pair += n + (pair[n] == '&');
	}
	return NULL;
}
