// Region secrets in stage 40-secrets: `${secret:NAME}` in stringData of a Secret stands for what people stored by
// `hearth-region secret set NAME`. The artifact never has the value; it is filled in when the stage is laid. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

/* Before the variables are substituted: placeholders are put where substitution does not see them. Caller frees. */
char *stage_secrets_guard(const char *text);
// Does a text that was not guarded have a placeholder? Only 40-secrets may.
bool stage_secrets_in(const char *text);
/* After it: a stream of the same documents, those with placeholders as JSON with the values in them. Any value is taken as
 * it is: quotes, newlines and ${ of it mean nothing. The caller wipes and frees.
 *   secrets  object NAME: text, or NULL; borrowed for the call
 * 0; -ENOKEY a secret is not set (the diag's message is the whole sentence); -EINVAL a placeholder elsewhere than in
 * stringData of a Secret, or no YAML. Messages never hold a value. */
int stage_secrets_fill(const char *text, const char *where, const struct value *secrets, char **ret, struct diag *reterr);
