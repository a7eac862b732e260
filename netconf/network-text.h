// A network as a netplan document: the one writer of YAML here. Pure.
// Source: https://netplan.readthedocs.io (YAML reference, version 2).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/network.h"

/* The document that decodes to @network again. ASCII only; whatever a text holds, the YAML parses. What only Hearth can
 * say (the wired ports of netconf_default()) is written as a comment. NULL: out of memory; the caller frees. */
char *network_text(const struct network *network);
/* The same into @out, with the comment @comments[i] beside the i-th declaration (NULL: none at all; borrowed). -ENOMEM. */
int network_print(FILE *out, const struct network *network, char *const comments[]);
// A comment line; control characters and what is no ASCII become '?'.
void network_print_comment(FILE *out, const char *text);
