// One routing policy rule as a value. No kernel calls here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/address.h"

enum { RULE_TEXT = 192 };

struct rule {
	sa_family_t family;
	struct address from, to; // masked; family 0: any
	uint32_t table;
	uint32_t priority;       // the kernel's order: the lowest is asked first
	uint32_t mark;           // 0: any
	uint8_t tos;             // 0: any
	bool has_priority;       // false: the kernel chooses; then two rules are the same whatever theirs is
};
// Orders by family, priority, then the rest, so that equal rules are neighbours. All fields.
int rule_compare(const struct rule *a, const struct rule *b);
// The same without the priority.
int rule_compare_meaning(const struct rule *a, const struct rule *b);
// Does the rule of the kernel do what @wanted asks for? As rule_compare(), but a priority nobody asked for is any.
bool rule_fits(const struct rule *wanted, const struct rule *have);
/* Told to take away @said (with its priority), may the kernel take @have? It takes the first rule in which all that is said is
 * so; a source, a destination, a mark or a type of service that is not said is any. Source: rule_find() of net/core/fib_rules.c. */
bool rule_is_taken_for(const struct rule *have, const struct rule *said);
// "from 10.1.0.0/16 table 100 priority 50"
const char *rule_format(const struct rule *rule, char buffer[static RULE_TEXT]);
