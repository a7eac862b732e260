// Routing policy rules that come and go.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"
#include "netconf/show-links.h"

#include <errno.h>

typedef int rule_order(const struct rule *a, const struct rule *b);

struct wanted_rule {
	const struct rule *rule; // NULL: the kernel has it
	uint8_t protocol;
	size_t position;         // in the document
	const struct declaration *declaration;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted_rule *one = a, *other = b;
	int order = rule_compare(one->rule, other->rule);
	return order ? order : one->position < other->position ? -1 : one->position > other->position;
}

static int compare_positions(const void *a, const void *b)
{
	size_t one = ((const struct wanted_rule *)a)->position, other = ((const struct wanted_rule *)b)->position;
	return one < other ? -1 : one > other;
}

// One definition may fit many links: its rules are there once. They stay in the order of the document.
static size_t drop_repeated(struct wanted_rule *wanted, size_t n)
{
	size_t n_kept = 0;
	sort_items(wanted, n, sizeof(*wanted), compare_wanted);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || rule_compare(wanted[n_kept - 1].rule, wanted[i].rule) != 0)
			wanted[n_kept++] = wanted[i];
	sort_items(wanted, n_kept, sizeof(*wanted), compare_positions);
	return n_kept;
}

static int collect_rules(const struct planning *planning, struct wanted_rule **ret, size_t *ret_n)
{
	size_t n = 0;
	for (size_t i = 0; i < planning->claims.n; i++)
		n += planning->links[i].declaration->n_rules;
	struct wanted_rule *wanted = calloc(n + 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct declaration *declaration = planning->links[i].declaration;
		for (size_t j = 0; j < declaration->n_rules; j++, n++)
			wanted[n] = (struct wanted_rule){&declaration->rules[j],
				plan_protocol(declaration, PROTOCOLS_RULES, j), n, declaration};
	}
	*ret_n = drop_repeated(wanted, n);
	*ret = wanted;
	return 0;
}

// --- against the kernel's ---

static int compare_meanings(const void *a, const void *b)
{
	const struct kernel_rule *const *one = a, *const *other = b;
	int order = rule_compare_meaning(&(*one)->rule, &(*other)->rule);
	return order ? order : *one < *other ? -1 : *one > *other;
}

// The first of @sorted that is not before @wanted.
static size_t first_of(const struct kernel_rule *const *sorted, size_t n, const struct rule *wanted, rule_order *order)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (order(&sorted[middle]->rule, wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The kernel's rule that does what @wanted asks for; our own before that of others, so that the other may go, and of equal ones
 * of ours the last: those before it can go by themselves, without a twin. NULL: none. */
static const struct kernel_rule *find_rule(const struct kernel *kernel, const struct kernel_rule *const *sorted,
	const struct rule *wanted, rule_order *order, const bool *keep)
{
	const struct kernel_rule *found = NULL, *ours = NULL;
	size_t at = first_of(sorted, kernel->n_rules, wanted, order);
	for (; at < kernel->n_rules && rule_fits(wanted, &sorted[at]->rule); at++) {
		if (keep[sorted[at] - kernel->rules] || sorted[at]->has_other_shape)
			continue;
		if (ours && rule_compare(&sorted[at]->rule, &ours->rule) != 0)
			break;
		if (sorted[at]->protocol == HEARTH_PROTOCOL)
			ours = sorted[at];
		else if (!found)
			found = sorted[at];
	}
	return ours ? ours : found;
}

// Rules whose priority is said first: those without one take what is left.
static int match_rules(struct planning *planning, struct wanted_rule *wanted, size_t n, bool *keep)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE const struct kernel_rule **sorted = calloc(kernel->n_rules + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_rules; i++)
		sorted[i] = &kernel->rules[i];
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			sort_items(sorted, kernel->n_rules, sizeof(*sorted), compare_meanings);
		for (size_t i = 0; i < n; i++) {
			if (!wanted[i].rule || wanted[i].rule->has_priority != (pass == 0))
				continue;
			const struct kernel_rule *found = find_rule(kernel, sorted, wanted[i].rule,
				pass == 0 ? rule_compare : rule_compare_meaning, keep);
			if (!found)
				continue;
			keep[found - kernel->rules] = true;
			wanted[i].rule = NULL;
		}
	}
	return 0;
}

static struct change *put_rule(struct planning *planning, enum change_type type, const struct rule *rule, uint8_t protocol)
{
	struct change *change = plan_add(planning->plan, type, "", 0, NULL);
	if (!change)
		return NULL;
	change->rule = *rule;
	change->protocol = protocol;
	return change;
}

// --- those that go ---

/* The kernel takes away the first rule of Hearth's that has all that is said, and what is not said is any: a rule from somewhere
 * may go for one from anywhere. So all go as they stand in the kernel's list, and one that stays and would be taken for one
 * behind it gets a twin at the end and goes first. */
enum fate {
	FATE_STAYS,
	FATE_GOES,
	FATE_MOVES,
};

static bool is_near(const struct rule *one, const struct rule *said)
{
	bool same_end = !said->from.ip.family || said->from.prefix == 0 || address_compare(&one->from, &said->from) == 0;
	return one->family == said->family && one->priority == said->priority && same_end;
}

// False: the kernel would take one for it that cannot get a twin.
static bool move_what_is_before(const struct kernel *kernel, size_t at, enum fate *fates)
{
	const struct kernel_rule *rules = kernel->rules, *goes = &rules[at];
	size_t first = at, end = at + 1;
	while (first > 0 && is_near(&rules[first - 1].rule, &goes->rule))
		first--;
	while (end < kernel->n_rules && is_near(&rules[end].rule, &goes->rule))
		end++;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = first; i < end; i++) {
			const struct kernel_rule *one = &rules[i];
			bool is_before = one->protocol == HEARTH_PROTOCOL && one->position < goes->position && fates[i] == FATE_STAYS;
			bool is_same = !one->has_other_shape && rule_compare(&one->rule, &goes->rule) == 0; // either of them may go
			if (!is_before || is_same || !rule_is_taken_for(&one->rule, &goes->rule))
				continue;
			if (one->has_other_shape)
				return false;
			if (pass == 1)
				fates[i] = FATE_MOVES;
		}
	}
	return true;
}

static int compare_listed(const void *a, const void *b)
{
	const struct kernel_rule *const *one = a, *const *other = b;
	if ((*one)->position != (*other)->position)
		return (*one)->position < (*other)->position ? -1 : 1;
	return *one < *other ? -1 : *one > *other;
}

static int put_removals(struct planning *planning, const enum fate *fates)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE const struct kernel_rule **listed = calloc(kernel->n_rules + 1, sizeof(*listed));
	size_t n = 0;
	if (!listed)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_rules; i++)
		if (fates[i] != FATE_STAYS)
			listed[n++] = &kernel->rules[i];
	sort_items(listed, n, sizeof(*listed), compare_listed);
	for (size_t i = 0; i < n; i++) {
		bool moves = fates[listed[i] - kernel->rules] == FATE_MOVES;
		struct change *twin = moves ? put_rule(planning, CHANGE_RULE_ADD, &listed[i]->rule, HEARTH_PROTOCOL) : NULL;
		if (moves && !twin)
			return -ENOMEM;
		if (twin)
			twin->is_twin = true;
		struct change *goes = put_rule(planning, CHANGE_RULE_REMOVE, &listed[i]->rule, HEARTH_PROTOCOL);
		if (!goes)
			return -ENOMEM;
		goes->is_twin = moves;
	}
	return 0;
}

static int remove_rules(struct planning *planning, const bool *keep)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE enum fate *fates = calloc(kernel->n_rules + 1, sizeof(*fates));
	if (!fates)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_rules; i++) // one of another shape nobody here has made
		if (!keep[i] && kernel->rules[i].protocol == HEARTH_PROTOCOL && !kernel->rules[i].has_other_shape)
			fates[i] = FATE_GOES;
	for (size_t i = 0; i < kernel->n_rules; i++)
		if (fates[i] == FATE_GOES && !move_what_is_before(kernel, i, fates))
			fates[i] = FATE_STAYS; // better one too many than another one's
	return put_removals(planning, fates);
}

int plan_rules(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE bool *keep = calloc(kernel->n_rules + 1, sizeof(*keep));
	AUTO_FREE struct wanted_rule *wanted = NULL;
	size_t n = 0;
	if (!keep)
		return -ENOMEM;
	int error = collect_rules(planning, &wanted, &n);
	if (error == 0)
		error = match_rules(planning, wanted, n, keep);
	for (size_t i = 0; error == 0 && i < n; i++) {
		if (!wanted[i].rule)
			continue;
		struct change *change = put_rule(planning, CHANGE_RULE_ADD, wanted[i].rule, wanted[i].protocol);
		if (change)
			change->declaration = wanted[i].declaration;
		error = change ? 0 : -ENOMEM;
	}
	return error < 0 ? error : remove_rules(planning, keep);
}
