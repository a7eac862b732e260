// Routing policy rules as values.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/rule.h"

#include <linux/rtnetlink.h>

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a == b ? 0 : a < b ? -1 : 1;
}

int rule_compare_meaning(const struct rule *a, const struct rule *b)
{
	int order = compare_numbers(a->family, b->family);
	if (order == 0)
		order = address_compare(&a->from, &b->from);
	if (order == 0)
		order = address_compare(&a->to, &b->to);
	if (order == 0)
		order = compare_numbers(a->table, b->table);
	if (order == 0)
		order = compare_numbers(a->mark, b->mark);
	return order ? order : compare_numbers(a->tos, b->tos);
}

int rule_compare(const struct rule *a, const struct rule *b)
{
	int order = compare_numbers(a->family, b->family);
	if (order == 0)
		order = compare_numbers(a->has_priority, b->has_priority);
	if (order == 0 && a->has_priority)
		order = compare_numbers(a->priority, b->priority);
	return order ? order : rule_compare_meaning(a, b);
}

bool rule_fits(const struct rule *wanted, const struct rule *have)
{
	return rule_compare_meaning(wanted, have) == 0 && (!wanted->has_priority || wanted->priority == have->priority);
}

static bool is_end(const struct address *have, const struct address *said)
{
	return !said->ip.family || said->prefix == 0 || address_compare(have, said) == 0;
}

bool rule_is_taken_for(const struct rule *have, const struct rule *said)
{
	return have->family == said->family && have->priority == said->priority && have->table == said->table &&
	       is_end(&have->from, &said->from) && is_end(&have->to, &said->to) && (!said->mark || have->mark == said->mark) &&
	       (!said->tos || have->tos == said->tos);
}

const char *rule_format(const struct rule *rule, char buffer[static RULE_TEXT])
{
	char text[ADDRESS_TEXT], to[ADDRESS_TEXT + 8] = "", table[24] = "", priority[24] = "", mark[24] = "", tos[16] = "";
	if (rule->to.ip.family)
		(void)snprintf(to, sizeof(to), " to %s", address_format(&rule->to, text));
	if (rule->table != RT_TABLE_MAIN)
		(void)snprintf(table, sizeof(table), " table %u", rule->table);
	if (rule->has_priority)
		(void)snprintf(priority, sizeof(priority), " priority %u", rule->priority);
	if (rule->mark)
		(void)snprintf(mark, sizeof(mark), " mark %u", rule->mark);
	if (rule->tos)
		(void)snprintf(tos, sizeof(tos), " tos %u", rule->tos);
	const char *from = rule->family == AF_INET6 ? "::/0" : "all"; // as ip(8), but the families apart
	if (rule->from.ip.family)
		from = address_format(&rule->from, text);
	(void)snprintf(buffer, RULE_TEXT, "from %s%s%s%s%s%s", from, to, mark, tos, table, priority);
	return buffer;
}
