// Decoders that the parts of an assignment share: optional texts, bools, objects, lists, and what addresses look like.
// Absent and null are the same. Each: 0, or -EINVAL with a diag that names the key.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

bool read_is_null(const struct value *value);
// *ret stays as it is when the key is absent or null.
int read_text(const struct value *object, const char *key, bool required, const char **ret, struct diag *reterr);
int read_bool(const struct value *object, const char *key, bool *ret, struct diag *reterr);
int read_object(const struct value *object, const char *key, const struct value **ret, struct diag *reterr);
// A list of objects or texts, at most @max; NULL when absent.
int read_list(const struct value *object, const char *key, size_t max, const struct value **ret, struct diag *reterr);
int read_texts(const struct value *object, const char *key, size_t max, const char **ret, size_t *ret_n,
	struct diag *reterr);
// NULL is fine. @key names it in the message.
int read_check_address(const char *text, const char *key, struct diag *reterr);
int read_check_cidr(const char *text, const char *key, struct diag *reterr);
// A DNS name in lower case, as Kubernetes wants of nodes.
int read_check_node_name(const char *text, const char *key, struct diag *reterr);
