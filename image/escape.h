// Files of other people inside a bootstrap: hearthd substitutes ${VAR} in every manifest, and what has another meaning there
// (the shell of an init container, a template in a ConfigMap) must come out as it went in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/words.h"

/* @text with $$ and every ${ that does not begin one of @known's variables escaped, so that k3s/substitute.h gives back
 * @text with those variables filled in. Caller frees; NULL: no memory. */
char *escape_text(const char *text, const struct words *known);
/* The same for each document of a stream, except those that say substitute: disabled (Flux' own CRDs do): hearthd leaves
 * them alone. A document that is no YAML is escaped; who parses it says what is wrong. */
char *escape_manifest(const char *text, const struct words *known);
