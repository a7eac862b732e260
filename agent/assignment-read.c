// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment-read.h"
#include <arpa/inet.h>
#include <errno.h>

bool read_is_null(const struct value *value)
{
	return !value || value->type == VALUE_NULL;
}

// An optional text: NULL when absent or null.
int read_text(const struct value *object, const char *key, bool required, const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	if (read_is_null(value))
		return required ? diag_set(reterr, -EINVAL, key, "is missing") : 0;
	int r = value_string(value, key, ret, reterr);
	if (r == 0 && required && !**ret)
		return diag_set(reterr, -EINVAL, key, "must not be empty");
	return r;
}

int read_bool(const struct value *object, const char *key, bool *ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	return read_is_null(value) ? 0 : value_bool(value, key, ret, reterr);
}

int read_object(const struct value *object, const char *key, const struct value **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	if (read_is_null(value))
		return 0;
	if (value->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, key, "must be an object");
	*ret = value;
	return 0;
}

int read_list(const struct value *object, const char *key, size_t max, const struct value **ret, struct diag *reterr)
{
	const struct value *list = value_find(object, key);
	if (read_is_null(list))
		return 0;
	if (list->type != VALUE_ARRAY || list->n > max)
		return diag_set(reterr, -EINVAL, key, "must be a list of at most %zu entries", max);
	*ret = list;
	return 0;
}

// A list of texts, at most @max, terminated with NULL by the zeroed array.
int read_texts(const struct value *object, const char *key, size_t max, const char **ret, size_t *ret_n,
	struct diag *reterr)
{
	const struct value *list = NULL;
	int found = read_list(object, key, max, &list, reterr);
	if (found < 0 || !list)
		return found;
	for (size_t i = 0; i < list->n; i++) {
		int r = value_string(&list->items[i], key, &ret[i], reterr);
		if (r < 0)
			return r;
	}
	if (ret_n)
		*ret_n = list->n;
	return 0;
}

static bool is_address(const char *text)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_cidr(const char *text)
{
	char copy[64];
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof(copy))
		return false;
	memcpy(copy, text, (size_t)(slash - text));
	copy[slash - text] = '\0';
	char *end;
	long bits = strtol(slash + 1, &end, 10);
	return is_address(copy) && end != slash + 1 && !*end && bits >= 0 && bits <= (strchr(copy, ':') ? 128 : 32);
}

int read_check_cidr(const char *text, const char *key, struct diag *reterr)
{
	return !text || is_cidr(text) ? 0 : diag_set(reterr, -EINVAL, key, "must be ADDRESS/BITS, not \"%s\"", text);
}

int read_check_address(const char *text, const char *key, struct diag *reterr)
{
	return !text || is_address(text) ? 0 : diag_set(reterr, -EINVAL, key, "must be an IP address, not \"%s\"", text);
}

int read_check_node_name(const char *text, const char *key, struct diag *reterr)
{
	if (!text || (*text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.")] && strlen(text) <= 253))
		return 0;
	return diag_set(reterr, -EINVAL, key, "must be a DNS name in lower case, not \"%s\"", text);
}
