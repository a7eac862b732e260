// What the document declares and the machine does not have: no failure, but a person may have named the wrong card.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include <errno.h>

static const struct claim *claim_of(const struct claims *claims, const struct declaration *declaration)
{
	for (size_t i = 0; i < claims->n; i++)
		if (claims->claims[i].declaration == declaration)
			return &claims->claims[i];
	return NULL;
}

static int add_note(struct plan *plan, char *note_take)
{
	if (!note_take)
		return -ENOMEM;
	plan->notes[plan->n_notes++] = note_take;
	return 0;
}

// The card that @declaration would have, if no other one before it had it; NULL: none.
static const struct claim *taken_by(const struct planning *planning, const struct declaration *declaration)
{
	for (size_t i = 0; i < planning->claims.n; i++)
		if (planning->claims.claims[i].link && claim_fits(declaration, planning->claims.claims[i].link))
			return &planning->claims.claims[i];
	return NULL;
}

static char *note_of_card(const struct planning *planning, const struct declaration *declaration)
{
	char where[DIAG_WHERE_MAX], other[DIAG_WHERE_MAX];
	const struct claim *taken = taken_by(planning, declaration);
	const char *place = place_text(&declaration->where, where);
	if (taken)
		return str_format("%s at %s counts for nothing: the card %s is that of %s at %s already (of the definitions that fit a card "
				  "the first by id has it)", declaration->id, place, taken->link->name, taken->declaration->id,
			place_text(&taken->declaration->where, other));
	return str_format("%s at %s is not there%s, and is waited for", declaration->id, place,
		declaration->has_match ? " (its match fits no card)" : "");
}

static char *note_of(const struct planning *planning, const struct declaration *declaration, const struct declaration *missing)
{
	if (declaration->kind == DECLARATION_ETHERNET && !missing)
		return note_of_card(planning, declaration);
	return missing ? str_format("%s is without its port %s until that is there", declaration->id, missing->id)
		       : str_format("%s waits for %s", declaration->id, declaration->parent);
}

int plan_notes(struct planning *planning)
{
	const struct network *network = planning->input->network;
	struct plan *plan = planning->plan;
	int error = 0;
	for (size_t i = 0; error == 0 && i < network->n && plan->n_notes < PLAN_MAX_NOTES; i++) {
		const struct declaration *declaration = &network->declarations[i];
		if (!plan->notes && !(plan->notes = calloc(PLAN_MAX_NOTES, sizeof(*plan->notes))))
			return -ENOMEM;
		if (!claim_of(&planning->claims, declaration))
			error = add_note(plan, note_of(planning, declaration, NULL));
		for (size_t j = 0; error == 0 && j < declaration->n_ports && plan->n_notes < PLAN_MAX_NOTES; j++) {
			const struct declaration *port = network_find(network, declaration->ports[j]);
			if (port && !claim_of(&planning->claims, port))
				error = add_note(plan, note_of(planning, declaration, port));
		}
	}
	return error;
}
