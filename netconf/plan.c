// Desired network + actual network -> ordered changes: the parts together, networkd's files, and the order.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include "base/crypto.h"

#include <errno.h>

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->n; i++) {
		struct change *change = &plan->changes[i];
		if (change->type == CHANGE_WIREGUARD)
			crypto_wipe(&change->wireguard, sizeof(change->wireguard));
		if (change->type == CHANGE_PEERS)
			peer_plan_done(&change->peers);
		if (change->type == CHANGE_FILE_WRITE || change->type == CHANGE_FILE_REMOVE) {
			free(change->file.name);
			free(change->file.content);
		}
	}
	free(plan->changes);
	marks_done(&plan->marks);
	free(plan->waits_for);
	free(plan->outcome.failures);
	for (size_t i = 0; i < plan->n_notes; i++)
		free(plan->notes[i]);
	free(plan->notes);
	kernel_free(plan->kernel);
	free(plan);
	return NULL;
}

struct change *plan_add(struct plan *plan, enum change_type type, const char *name, int link_index,
	const struct declaration *declaration)
{
	if (plan->n == plan->n_room) {
		size_t n_room = plan->n_room ? plan->n_room + plan->n_room / 2 : 16;
		struct change *grown = realloc(plan->changes, n_room * sizeof(*grown));
		if (!grown)
			return NULL;
		plan->changes = grown;
		plan->n_room = n_room;
	}
	struct change *change = &plan->changes[plan->n++];
	*change = (struct change){.type = type, .link_index = link_index, .protocol = HEARTH_PROTOCOL, .declaration = declaration};
	(void)snprintf(change->name, sizeof(change->name), "%s", name);
	return change;
}

bool plan_marks(const struct planning *planning, uint8_t have, uint8_t wanted, bool is_static)
{
	if (have == wanted)
		return false;
	return wanted == HEARTH_PROTOCOL ? is_static && !planning->input->without_taking_over : have == HEARTH_PROTOCOL;
}

// --- files ---

static int put_file(struct plan *plan, enum change_type type, const struct config_file *file)
{
	struct change *change = plan_add(plan, type, "", 0, NULL);
	if (!change)
		return -ENOMEM;
	change->file.name = strdup(file->name);
	change->file.content = type == CHANGE_FILE_WRITE ? strdup(file->content) : NULL;
	return change->file.name && (change->file.content || type != CHANGE_FILE_WRITE) ? 0 : -ENOMEM;
}

static int plan_files(struct planning *planning)
{
	CLEANUP(config_files_done) struct config_files wanted = {0};
	const struct plan_input *input = planning->input;
	struct plan *plan = planning->plan;
	bool changed = input->owes_reload, restart = false;
	int error = networkd_render(input->network, &planning->claims, input->files, &wanted);
	for (size_t i = 0; error == 0 && i < wanted.n; i++) {
		const struct config_file *have = config_files_find(input->files, wanted.files[i].name);
		if (have && str_equal(have->content, wanted.files[i].content))
			continue;
		changed = true;
		restart |= str_equal(wanted.files[i].name, "../" NETWORKD_CONF);
		error = put_file(plan, CHANGE_FILE_WRITE, &wanted.files[i]);
	}
	for (size_t i = 0; error == 0 && i < input->files->n; i++) {
		if (config_files_find(&wanted, input->files->files[i].name))
			continue;
		changed = true;
		error = put_file(plan, CHANGE_FILE_REMOVE, &input->files->files[i]);
	}
	if (error < 0 || !changed)
		return error;
	struct change *change = plan_add(plan, CHANGE_NETWORKD, "", 0, NULL);
	if (!change)
		return -ENOMEM;
	change->restart = restart;
	return 0;
}

// --- the whole ---

struct ordered {
	size_t position;
	unsigned rank;
};

// By type; but what leaves its master does so before options are set, and a port is set when it is one; the MAC of a
// bond's before that.
static unsigned rank_of(const struct change *change)
{
	if (change->type == CHANGE_LINK_REMOVE && change->is_in_the_way)
		return 0;
	if (change->type == CHANGE_LINK_REPLACE)
		return CHANGE_LINK_CREATE * 2;
	if (change->goes_before)
		return CHANGE_ROUTE_ADD * 2 - 1;
	if (change->type == CHANGE_LINK_MASTER && !change->master.name[0])
		return CHANGE_LINK_OPTIONS * 2 - 1;
	if (change->type == CHANGE_LINK_SET && change->set.joins_bond)
		return CHANGE_LINK_MASTER * 2 - 1;
	if (change->type == CHANGE_LINK_OPTIONS && change->options.kind == LINK_OPTION_BRIDGE_PORT)
		return CHANGE_LINK_MASTER * 2 + 1;
	return (unsigned)change->type * 2;
}

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered *one = a, *other = b;
	if (one->rank != other->rank)
		return one->rank < other->rank ? -1 : 1;
	return one->position < other->position ? -1 : one->position > other->position;
}

// By rank, else as they were put in.
static int plan_order(struct plan *plan)
{
	AUTO_FREE struct ordered *order = calloc(plan->n + 1, sizeof(*order));
	struct change *sorted = calloc(plan->n + 1, sizeof(*sorted));
	if (!order || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < plan->n; i++)
		order[i] = (struct ordered){i, rank_of(&plan->changes[i])};
	sort_items(order, plan->n, sizeof(*order), compare_ordered);
	for (size_t i = 0; i < plan->n; i++)
		sorted[i] = plan->changes[order[i].position];
	if (plan->n)
		crypto_wipe(plan->changes, plan->n * sizeof(*plan->changes));
	free(plan->changes);
	plan->changes = sorted;
	plan->n_room = plan->n;
	return 0;
}

static void planning_done(struct planning *planning)
{
	claims_done(&planning->claims);
	free(planning->links);
	free(planning->order);
	free(planning->fates);
	free(planning->loses_routes);
}

int plan_make(const struct plan_input *input, struct plan **ret, struct diag *reterr)
{
	static int (*const parts[])(struct planning *) = {plan_links, plan_ports, plan_settings, plan_addresses, plan_routes,
		plan_rules, plan_notes};
	CLEANUP(plan_freep) struct plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(planning_done) struct planning planning = {.input = input, .kernel = input->kernel, .plan = plan,
		.reterr = reterr};
	if (!plan)
		return -ENOMEM;
	int error = claims_make(input->network, input->kernel, &planning.claims, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(parts); i++)
		error = parts[i](&planning);
	if (error == 0 && input->has_files)
		error = plan_files(&planning);
	if (error == 0)
		error = plan_order(plan);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(plan);
	return 0;
}
