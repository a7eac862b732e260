// Lines of a YAML document: keys, scalars, lists, each where it belongs. What they say is the caller's. ASCII only; whatever
// a text holds, the YAML parses, and as a text. Write errors are the stream's, asked for at its end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/address.h"

#include <stdio.h>

struct yaml_place { // where the next line goes
	FILE *out;
	int depth;     // two spaces each
	bool is_item;  // of a list: the first line has the dash, the others stand under its text
	bool has_dash; // already written
};
struct yaml_place yaml_below(const struct yaml_place *at); // what stands under a key
struct yaml_place yaml_item(const struct yaml_place *at);  // one element of the list under a key
void yaml_put_key(struct yaml_place *at, const char *key); // without the end of the line
void yaml_put_text(struct yaml_place *at, const char *key, const char *text);
void yaml_put_number(struct yaml_place *at, const char *key, uint32_t number);
void yaml_put_bool(struct yaml_place *at, const char *key, bool yes);
// A key with a list; yaml_put_element() follows, or "[]" stands there.
void yaml_put_list(struct yaml_place *at, const char *key, size_t n);
void yaml_put_element(const struct yaml_place *at, const char *text);
void yaml_put_texts(struct yaml_place *at, const char *key, char *const texts[], size_t n);
void yaml_put_ips(struct yaml_place *at, const char *key, const struct ip *ips, size_t n);
void yaml_put_addresses(struct yaml_place *at, const char *key, const struct address *addresses, size_t n);
