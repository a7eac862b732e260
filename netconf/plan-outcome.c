// What became of a plan's changes: each failure by its place in the document, in the kernel's own words.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan.h"

#include <errno.h>

static const struct place *place_of_route(const struct declaration *declaration, const struct route *route)
{
	for (size_t i = 0; declaration->routes_where && i < declaration->n_routes; i++)
		if (route_compare_key(&declaration->routes[i], route) == 0 && route_equal(&declaration->routes[i], route))
			return &declaration->routes_where[i];
	return &declaration->where;
}

static const struct place *place_of_address(const struct declaration *declaration, const struct address *address)
{
	for (size_t i = 0; declaration->addresses_where && i < declaration->n_addresses; i++)
		if (address_compare(&declaration->addresses[i], address) == 0)
			return &declaration->addresses_where[i];
	return &declaration->where;
}

static const struct place *place_of_rule(const struct declaration *declaration, const struct rule *rule)
{
	for (size_t i = 0; declaration->rules_where && i < declaration->n_rules; i++)
		if (rule_compare(&declaration->rules[i], rule) == 0)
			return &declaration->rules_where[i];
	return &declaration->where;
}

// Where the document asks for it; NULL: what is taken away stands in none.
static const struct place *place_of(const struct change *change)
{
	const struct declaration *declaration = change->declaration;
	if (!declaration)
		return NULL;
	if (change->type == CHANGE_ROUTE_ADD || change->type == CHANGE_ROUTE_REPLACE)
		return place_of_route(declaration, &change->route);
	if (change->type == CHANGE_ADDRESS_ADD)
		return place_of_address(declaration, &change->address);
	if (change->type == CHANGE_RULE_ADD)
		return place_of_rule(declaration, &change->rule);
	return &declaration->where;
}

static bool lacks_gateway(const struct change *change, int error)
{
	bool is_route = change->type == CHANGE_ROUTE_ADD || change->type == CHANGE_ROUTE_REPLACE;
	return is_route && change->route.gateway.family && (error == -ENETUNREACH || error == -EHOSTUNREACH);
}

static void describe(const struct change *change, int error, const char *words, struct diag *ret)
{
	char where[DIAG_WHERE_MAX] = "", sentence[512];
	const struct place *place = place_of(change);
	bool says_why = strstr(words, strerror(-error)) != NULL, has_more = words[0] && !says_why;
	(void)diag_set(ret, error, place && place->file ? place_text(place, where) : "", "cannot do \"%s\": %s%s%s%s%s",
		change_format(change, sentence, sizeof(sentence)), says_why ? words : strerror(-error), has_more ? " (" : "",
		has_more ? words : "", has_more ? ")" : "",
		lacks_gateway(change, error) ? "; its gateway must be in a subnet of the link, or have on-link: true" : "");
}

int plan_note_failure(struct plan *plan, struct change *change, int error, const char *words)
{
	struct plan_outcome *outcome = &plan->outcome;
	if (change->has_failed)
		return error;
	change->has_failed = true;
	if (!outcome->failures)
		outcome->failures = calloc(PLAN_MAX_FAILURES, sizeof(*outcome->failures));
	if (outcome->failures && outcome->n_failed < PLAN_MAX_FAILURES)
		describe(change, error, words, &outcome->failures[outcome->n_failed]);
	outcome->n_failed++;
	return error;
}

void plan_add_outcome(struct plan *plan, struct plan *second)
{
	struct plan_outcome *all = &plan->outcome, *more = &second->outcome;
	all->n_done += more->n_done;
	all->n_failed = more->n_failed; // what the first left or failed in the second found again
	all->n_left = more->n_left;
	free(all->failures);
	all->failures = TAKE_PTR(more->failures);
}

int plan_tell_failures(const struct plan *plan, int error, struct diag *reterr)
{
	const struct plan_outcome *outcome = &plan->outcome;
	if (error == 0 || !outcome->failures || !reterr)
		return error;
	*reterr = outcome->failures[0];
	if (outcome->n_failed > 1)
		(void)diag_set(reterr, error, reterr->where, "%s; %zu more failed", outcome->failures[0].message, outcome->n_failed - 1);
	return error;
}
