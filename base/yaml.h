// YAML that people write, by libyaml, into the same tree as JSON. Refused: duplicate keys, aliases and anchors over
// the limit, tags, merge keys (a plain `<<`), several documents, keys that are no scalars, depth over 64, invalid UTF-8. netplan
// reads by libyaml and Kubernetes by its translation to Go, and JSON as JSON: what is YAML to them is YAML here, and the rest is
// not.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { YAML_MAX_DEPTH = 64, YAML_MAX_BYTES = 4 << 20 };

/* Parse one document. @name is the file's name for messages ("file:line:column" in reterr.where).
 * Plain scalars: null/~/empty -> null, true/false (any case as YAML 1.1's yes/no/on/off stay strings with
 * quoted=false; value_bool() takes them) -> bool, JSON-like numbers -> number, others -> string.
 * 0; -EINVAL; -E2BIG; -ENOMEM. An empty file gives an empty object. */
int yaml_parse(const char *text, size_t n_text, size_t max_bytes, const char *name, struct value **ret,
	struct diag *reterr);
/* May the character stand in a text as it is? Not what YAML's readers refuse (C0, DEL, C1, U+FEFF and the two behind U+FFFD), nor what
 * they take for the end of a line or fold (tab, line feed, U+0085, U+2028, U+2029). */
bool yaml_char_plain(uint32_t code);
int yaml_load(const char *path, size_t max_bytes, struct value **ret, struct diag *reterr);
