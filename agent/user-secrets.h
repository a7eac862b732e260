// What people stored at the region (hearth-region secret set), as servers get it in /v1/secrets ("user": {NAME: text}):
// for stage 40-secrets of the bootstrap. Kept beside the other secrets, 0600.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { USER_SECRETS_MAX_BYTES = 1 << 20 };

/* `user` of the answer of GET /v1/secrets: an object of texts, empty when there is none. Messages never hold a value. */
int user_secrets_parse(const char *json, size_t n, struct value **ret, struct diag *reterr);
int user_secrets_save(const char *root, const struct value *secrets, struct diag *reterr);
int user_secrets_load(const char *root, struct value **ret); // -ENOENT
struct value *user_secrets_free(struct value *secrets);      // wiped
