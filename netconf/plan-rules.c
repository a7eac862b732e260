// Routing policy rules that come and go.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include <errno.h>

// The kernel's rule that does what @wanted asks for; our own before that of others, so that the other may go.
static size_t find_rule(const struct kernel *kernel, const struct rule *wanted, const bool *keep)
{
	size_t found = kernel->n_rules;
	for (size_t i = 0; i < kernel->n_rules; i++) {
		const struct kernel_rule *have = &kernel->rules[i];
		if (keep[i] || have->has_other_shape || !rule_fits(wanted, &have->rule))
			continue;
		if (have->protocol == HEARTH_PROTOCOL)
			return i;
		if (found == kernel->n_rules)
			found = i;
	}
	return found;
}

// One definition may fit many links: its rules are there once.
static bool is_said_before(const struct rule *const *wanted, size_t n, const struct rule *rule)
{
	for (size_t i = 0; i < n; i++)
		if (rule_compare(wanted[i], rule) == 0)
			return true;
	return false;
}

static int collect_rules(const struct planning *planning, const struct rule ***ret, size_t *ret_n)
{
	size_t n = 0;
	for (size_t i = 0; i < planning->claims.n; i++)
		n += planning->links[i].declaration->n_rules;
	const struct rule **wanted = calloc(n + 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct declaration *declaration = planning->links[i].declaration;
		for (size_t j = 0; j < declaration->n_rules; j++)
			if (!is_said_before(wanted, n, &declaration->rules[j]))
				wanted[n++] = &declaration->rules[j];
	}
	*ret = wanted;
	*ret_n = n;
	return 0;
}

// Rules whose priority is said first: those without one take what is left.
static void match_rules(const struct kernel *kernel, const struct rule **wanted, size_t n, bool *keep)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			if (!wanted[i] || wanted[i]->has_priority != (pass == 0))
				continue;
			size_t found = find_rule(kernel, wanted[i], keep);
			if (found == kernel->n_rules)
				continue;
			keep[found] = true;
			wanted[i] = NULL;
		}
	}
}

static int put_rule(struct planning *planning, enum change_type type, const struct rule *rule)
{
	struct change *change = plan_add(planning->plan, type, "", 0, NULL);
	if (!change)
		return -ENOMEM;
	change->rule = *rule;
	return 0;
}

int plan_rules(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE bool *keep = calloc(kernel->n_rules + 1, sizeof(*keep));
	AUTO_FREE const struct rule **wanted = NULL;
	size_t n = 0;
	if (!keep)
		return -ENOMEM;
	int error = collect_rules(planning, &wanted, &n);
	if (error < 0)
		return error;
	match_rules(kernel, wanted, n, keep);
	for (size_t i = 0; error == 0 && i < n; i++)
		if (wanted[i])
			error = put_rule(planning, CHANGE_RULE_ADD, wanted[i]);
	for (size_t i = 0; error == 0 && i < kernel->n_rules; i++)
		if (!keep[i] && kernel->rules[i].protocol == HEARTH_PROTOCOL)
			error = put_rule(planning, CHANGE_RULE_REMOVE, &kernel->rules[i].rule);
	return error;
}
