// What every decoder of netplan's keys needs: texts, lists, and refusals that say where. Internal to netplan*.c.
// @what is the path of keys that leads to the value. Failures are negative errnos; -ENOMEM leaves the diag alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/network.h"

enum { NETPLAN_PATH_TEXT = 160 };

// The keys that lead to a value; too long a path is cut, it is only for reading.
void netplan_path_set(char path[static NETPLAN_PATH_TEXT], const char *format, ...) PRINTF_LIKE(2, 3);
// "WHAT[I]". Lists have thousands of elements, and printf() takes as long as all the rest of one.
void netplan_path_set_element(char path[static NETPLAN_PATH_TEXT], const char *what, size_t i);
// Where @value stands in the document that is decoded into @declaration.
struct place netplan_place(const struct declaration *declaration, const struct value *value);
// -EINVAL, with the place of @value in the diag.
int netplan_refuse(const struct value *value, struct diag *reterr, const char *format, ...) PRINTF_LIKE(3, 4);
// The same with the place of @member's key.
int netplan_refuse_key(const struct value *member, struct diag *reterr, const char *format, ...) PRINTF_LIKE(3, 4);
/* Refuse every key of @object that is not in the NULL-terminated list, with the one that is meant, or all that are known. */
int netplan_only_keys(const struct value *object, const char *what, const char *const known[], struct diag *reterr);
// @member, whose key @key is in no list of known ones.
int netplan_refuse_unknown(const struct value *member, const char *key, const char *what, const char *const known[],
	struct diag *reterr);
// @type: VALUE_OBJECT or VALUE_ARRAY
int netplan_need_type(const struct value *value, enum value_type type, const char *what, struct diag *reterr);
// The text of a scalar that is a word, a number or an address; NULL for the rest. Borrowed.
const char *netplan_scalar(const struct value *value);
/* Numbers and booleans as netplan takes them: quoted or not, leading zeros; true, on, yes, y and their opposites in any
 * case. An empty value is 0. */
int netplan_number(const struct value *value, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
	struct diag *reterr);
int netplan_bool(const struct value *value, const char *what, bool *ret, struct diag *reterr);
// A copy of @value's text in @field; the old one is freed.
int netplan_set_text(char **field, const struct value *value, const char *what, struct diag *reterr);
int netplan_append_text(char ***list, size_t *n, const char *text); // copies
// As netplan_append_text(), but what is in the list already is not added again.
int netplan_add_text(char ***list, size_t *n, const char *text);
// Room for one more of @size bytes in an array that grows at powers of two.
int netplan_grow(void **array, size_t n, size_t size);
