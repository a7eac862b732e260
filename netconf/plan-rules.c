// Routing policy rules that come and go.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"
#include "netconf/show-links.h"

#include <errno.h>

typedef int rule_order(const struct rule *a, const struct rule *b);

struct wanted_rule {
	const struct rule *rule;
	const struct kernel_rule *have; // the kernel's; NULL: it has none
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
			wanted[n] = (struct wanted_rule){.rule = &declaration->rules[j],
				.protocol = plan_protocol(declaration, PROTOCOLS_RULES, j), .position = n, .declaration = declaration};
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
			if (wanted[i].have || wanted[i].rule->has_priority != (pass == 0))
				continue;
			const struct kernel_rule *found = find_rule(kernel, sorted, wanted[i].rule,
				pass == 0 ? rule_compare : rule_compare_meaning, keep);
			if (!found)
				continue;
			keep[found - kernel->rules] = true;
			wanted[i].have = found;
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

// --- those that go, and those that move ---

/* The kernel takes away the first rule of Hearth's that has all that is said, and what is not said is any: a rule from somewhere
 * may go for one from anywhere. So all go as they stand in the kernel's list, and one that stays and would be taken for one
 * behind it moves: it gets a twin at the end and goes first. Of one priority the first that fits is used, so rules of it that a
 * declaration has move, too, when they would not stand as they are said there. */
enum fate { // up to FATE_STUCK nothing is done
	FATE_STAYS,
	FATE_STUCK, // it should go or move, but another one would go for it
	FATE_GOES,
	FATE_MOVES,
};

static bool is_near(const struct rule *one, const struct rule *said)
{
	bool same_end = !said->from.ip.family || said->from.prefix == 0 || address_compare(&one->from, &said->from) == 0;
	return one->family == said->family && one->priority == said->priority && same_end;
}

// False: the kernel would take one for it that cannot get a twin.
static bool move_what_is_before(const struct kernel *kernel, size_t at, enum fate *fates, bool *moved)
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
			bool is_before = one->protocol == HEARTH_PROTOCOL && one->position < goes->position && fates[i] <= FATE_STUCK;
			bool is_same = !one->has_other_shape && rule_compare(&one->rule, &goes->rule) == 0; // either of them may go
			if (!is_before || is_same || !rule_is_taken_for(&one->rule, &goes->rule))
				continue;
			if (one->has_other_shape || fates[i] == FATE_STUCK)
				return false;
			if (pass == 1) {
				fates[i] = FATE_MOVES;
				*moved = true;
			}
		}
	}
	return true;
}

static int compare_places(const void *a, const void *b)
{
	const struct wanted_rule *const *one = a, *const *other = b;
	if ((*one)->declaration != (*other)->declaration)
		return (*one)->declaration < (*other)->declaration ? -1 : 1;
	if ((*one)->rule->family != (*other)->rule->family)
		return (*one)->rule->family < (*other)->rule->family ? -1 : 1;
	if ((*one)->rule->priority != (*other)->rule->priority)
		return (*one)->rule->priority < (*other)->rule->priority ? -1 : 1;
	return compare_positions(*one, *other);
}

static bool is_same_place(const struct wanted_rule *one, const struct wanted_rule *other)
{
	return one->declaration == other->declaration && one->rule->family == other->rule->family &&
	       one->rule->priority == other->rule->priority;
}

// What stands behind one that comes, or moves, or stands further behind in the kernel's list, moves. True: something does.
static bool move_what_is_behind(const struct kernel *kernel, struct wanted_rule **placed, size_t n, enum fate *fates)
{
	bool moved = false, all_move = false;
	uint32_t last = 0;
	for (size_t i = 0; i < n; i++) {
		const struct kernel_rule *have = placed[i]->have;
		if (i == 0 || !is_same_place(placed[i - 1], placed[i])) {
			all_move = false;
			last = 0;
		}
		if (have && have->protocol != HEARTH_PROTOCOL)
			continue; // it stays where somebody else put it
		all_move |= !have || fates[have - kernel->rules] == FATE_MOVES || have->position < last;
		if (!have)
			continue;
		last = have->position;
		moved |= all_move && fates[have - kernel->rules] == FATE_STAYS;
		if (all_move && fates[have - kernel->rules] == FATE_STAYS)
			fates[have - kernel->rules] = FATE_MOVES;
	}
	return moved;
}

static int choose_fates(const struct kernel *kernel, struct wanted_rule *wanted, size_t n, const bool *keep, enum fate *fates)
{
	AUTO_FREE struct wanted_rule **placed = calloc(n + 1, sizeof(struct wanted_rule *));
	size_t n_placed = 0;
	if (!placed)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (wanted[i].rule->has_priority)
			placed[n_placed++] = &wanted[i];
	sort_items(placed, n_placed, sizeof(struct wanted_rule *), compare_places);
	for (size_t i = 0; i < kernel->n_rules; i++) // one of another shape nobody here has made
		if (!keep[i] && kernel->rules[i].protocol == HEARTH_PROTOCOL && !kernel->rules[i].has_other_shape)
			fates[i] = FATE_GOES;
	for (bool moved = true; moved;) { // each time one more at least, and none comes back
		moved = move_what_is_behind(kernel, placed, n_placed, fates);
		for (size_t i = 0; i < kernel->n_rules; i++)
			if (fates[i] > FATE_STUCK && !move_what_is_before(kernel, i, fates, &moved)) {
				fates[i] = FATE_STUCK; // better one too many, or one that stands wrongly, than another one's
				moved = true;
			}
	}
	return 0;
}

static int put_removals(struct planning *planning, const enum fate *fates)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE const struct kernel_rule **listed = calloc(kernel->n_rules + 1, sizeof(*listed));
	size_t n = 0;
	if (!listed)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_rules; i++)
		if (fates[i] > FATE_STUCK)
			listed[n++] = &kernel->rules[i];
	sort_items(listed, n, sizeof(*listed), kernel_compare_listed_rules);
	for (size_t i = 0; i < n; i++) {
		struct change *goes = put_rule(planning, CHANGE_RULE_REMOVE, &listed[i]->rule, HEARTH_PROTOCOL);
		if (!goes)
			return -ENOMEM;
		goes->is_twin = fates[listed[i] - kernel->rules] == FATE_MOVES;
	}
	return 0;
}

// Those that come and the twins of those that move, as they are said.
static int put_additions(struct planning *planning, const struct wanted_rule *wanted, size_t n, const enum fate *fates)
{
	for (size_t i = 0; i < n; i++) {
		const struct kernel_rule *have = wanted[i].have;
		if (have && fates[have - planning->kernel->rules] != FATE_MOVES)
			continue;
		struct change *change = put_rule(planning, CHANGE_RULE_ADD, have ? &have->rule : wanted[i].rule,
			have ? HEARTH_PROTOCOL : wanted[i].protocol);
		if (!change)
			return -ENOMEM;
		change->is_twin = have != NULL;
		change->declaration = wanted[i].declaration;
	}
	return 0;
}

int plan_rules(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE bool *keep = calloc(kernel->n_rules + 1, sizeof(*keep));
	AUTO_FREE enum fate *fates = calloc(kernel->n_rules + 1, sizeof(*fates));
	AUTO_FREE struct wanted_rule *wanted = NULL;
	size_t n = 0;
	if (!keep || !fates)
		return -ENOMEM;
	int error = collect_rules(planning, &wanted, &n);
	if (error == 0)
		error = match_rules(planning, wanted, n, keep);
	if (error == 0)
		error = choose_fates(kernel, wanted, n, keep, fates);
	if (error == 0)
		error = put_additions(planning, wanted, n, fates);
	return error < 0 ? error : put_removals(planning, fates);
}
