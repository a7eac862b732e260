// Variable substitution in manifests exactly as Flux' kustomize-controller does it after the build (its envsubst):
// ${var}, ${var:-default}, ${var:=default} and the bash string functions, $$ as an escape; a bare $var stays.
// Pure. Source: fluxcd/pkg envsubst and kustomize/kustomize_varsub.go.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { SUBSTITUTE_MAX_BYTES = 8 << 20 };

/* @variables: object of strings (numbers, bools: their text) or NULL. An undefined variable without a default becomes
 * the empty string, as in Flux' default mode; newlines in values are dropped, as Flux does. Caller frees *ret.
 * -EINVAL bad expression (diag with line); -E2BIG. */
int substitute_text(const char *text, size_t n, const struct value *variables, char **ret, struct diag *reterr);
/* The same for every document of a YAML stream, except those with label or annotation
 * kustomize.toolkit.fluxcd.io/substitute: disabled. Without any variable the text stays as it is, as in Flux.
 * @name is the file's, for messages: "NAME (document 2):LINE", the line counted in that document. */
int substitute_manifest(const char *text, size_t n, const char *name, const struct value *variables, char **ret,
	struct diag *reterr);
// Variable names: ^[_a-zA-Z][_a-zA-Z0-9]*$ (else Flux refuses the whole Kustomization). -EINVAL names it.
int substitute_check_variables(const struct value *variables, struct diag *reterr);
