// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-reach.h"

#include "base/time.h"
#include "region/mesh-offer.h"

#include <errno.h>
#include <sys/eventfd.h>

enum { MESH_REPORT_MAX = 5000 }; // rows of one status: a segment

// The place without what follows from where the region sees the node come from.
static void reported_part(
	const struct cluster_config *config, struct mesh_place place, char ret[static MESH_PLACE_TEXT])
{
	place.outside = (struct cidr){ 0 };
	for (size_t i = 0; i < place.n; i++)
		if (place.candidates[i].way == MESH_WAY_OWN)
			place.candidates[i].way = MESH_WAY_PREFIX;
	mesh_place_format(config, &place, ret);
}

static bool same_report(
	const struct cluster_config *config, const char *text, const struct mesh_place *place)
{
	struct mesh_place before;
	char one[MESH_PLACE_TEXT], other[MESH_PLACE_TEXT];
	if (mesh_place_parse(config, text, &before) < 0)
		return false;
	reported_part(config, before, one);
	reported_part(config, *place, other);
	return str_equal(one, other);
}

int mesh_reach_settle(struct region *region, struct node *node, const struct value *facts)
{
	CLEANUP(mesh_reach_freep) struct mesh_reach *before = NULL;
	char text[MESH_PLACE_TEXT];
	struct mesh_place place;
	mesh_place_of(region->config, node->number, facts, node->remote, &place);
	mesh_place_format(region->config, &place, text);
	int r = store_mesh_reach_get(region->store, node->id, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	struct mesh_reach now = { .place = text, .changed_sec = region_now_sec(region) };
	if (before && !str_equal(before->place, text) && same_report(region->config, before->place, &place) &&
		!mesh_sights_stands(&region->sights, node->id, node->remote, time_boot_usec()))
		return 0; // a node that comes by two proxies in turn does not keep all others busy
	mesh_sights_forget(&region->sights, node->id);
	if (before && str_equal(before->place, text))
		return 0;
	if (node->state != NODE_REVOKED && (r = region_mesh_changed(region, node)) < 0)
		return r;
	(void)snprintf(now.id, sizeof(now.id), "%s", node->id);
	now.view_generation = node->mesh_generation;
	return store_mesh_reach_put(region->store, &now);
}

int mesh_reach_place(struct region *region, const char *id, const char *text,
	struct mesh_place *ret, int64_t *ret_view_generation)
{
	CLEANUP(mesh_reach_freep) struct mesh_reach *reach = NULL;
	CLEANUP(value_freep) struct value *facts = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	int r;
	if (text && mesh_place_parse(region->config, text, ret) >= 0)
		return 0;
	if (!text && (r = store_mesh_reach_get(region->store, id, &reach)) < 0 && r != -ENOENT)
		return r;
	if (ret_view_generation)
		*ret_view_generation = reach ? reach->view_generation : 0;
	if (reach && mesh_place_parse(region->config, reach->place, ret) >= 0)
		return 0;
	if ((r = store_node_by_id(region->store, id, &node)) < 0)
		return r;
	if (node->facts)
		(void)json_parse(node->facts, strlen(node->facts), 0, &facts,
			NULL); // stored facts were checked; none is fine
	mesh_place_of(region->config, node->number, facts, node->remote, ret);
	return 0;
}

struct reporter {
	struct region *region;
	const struct node *node;
	struct mesh_place place;
	int64_t generation; // of what it is told for this report; 0: nothing yet
	uint64_t now_usec;
};

// Its poll alone: an offer is nobody else's.
static void wake_node(struct region *region, const char *id)
{
	for (struct request *request = region->waiting; request; request = request->next)
		if (request->node && str_equal(request->node->id, id))
			request->due = true;
	if (region->wake_fd >= 0)
		(void)eventfd_write(region->wake_fd, 1); // full counter: it is readable already
}

// All that one report changes is of one generation.
static int offer(struct reporter *by, const char *id, const char *peer, bool has_guess)
{
	struct region *region = by->region;
	int64_t next = by->generation ? by->generation
				      : store_meta_int(region->store, "generation", 0) + 1;
	int r = mesh_offers_fail(region->offers, id, peer, has_guess, next, by->now_usec);
	if (r <= 0)
		return r == -ENOSPC ? 0 : r; // as many as one node can try
	if (!by->generation) {
		by->generation = store_next_generation(region->store);
		if (by->generation < 0)
			return (int)by->generation;
	}
	wake_node(region, id);
	return 0;
}

static int report_row(struct reporter *by, const struct value *row)
{
	CLEANUP(mesh_node_freep) struct mesh_node *peer = NULL;
	struct region *region = by->region;
	struct mesh_place place;
	char endpoint[MESH_ENDPOINT_TEXT];
	const char *key = value_text(value_find(row, "publicKey"));
	const char *seen = value_text(value_find(row, "endpoint"));
	const struct value *answers_value = value_find(row, "answers");
	int64_t ago_sec = -1;
	bool answers;
	if (!key || strlen(key) != WG_TEXT - 1)
		return 0;
	(void)value_int(value_find(row, "handshakeAgoSec"), "", -1, INT64_MAX, &ago_sec,
		NULL); // none: never
	answers = ago_sec >= 0 && ago_sec < MESH_SEEN_SEC;
	if (answers_value)
		(void)value_bool(answers_value, "", &answers, NULL); // another type: by its age
	int r = store_mesh_node_by_key(region->store, key, &peer);
	if (r < 0 || str_equal(peer->id, by->node->id))
		return r == -ENOENT ? 0 : r;
	if ((r = mesh_reach_place(region, peer->id, peer->place, &place, NULL)) < 0)
		return r;
	if (mesh_place_choose(&by->place, &place, endpoint))
		return 0; // template, shared prefix or own report: nothing that others see comes
			  // before it
	if (answers) {
		mesh_offers_hold(region->offers, by->node->id, peer->id);
		mesh_offers_hold(region->offers, peer->id, by->node->id);
		if (seen && strlen(seen) < 64 && mesh_endpoint_is_usable(region->config, seen) &&
			!mesh_place_has(&place, seen)) // a guess that held is not for others
			r = mesh_offers_see(region->offers, peer->id, seen, by->now_usec);
		return r == -ENOSPC ? 0 : r; // as many as are kept
	}
	bool has_guess = mesh_place_guess(&by->place, &place, endpoint); // and so has the peer
	if ((r = offer(by, by->node->id, peer->id, has_guess)) < 0)
		return r;
	// Both have to send for NAT to let the other in; one who is called by its own endpoint need
	// not.
	return mesh_place_choose(&place, &by->place, endpoint) ? 0
							       : offer(by, peer->id, by->node->id, has_guess);
}

int mesh_reach_report(struct region *region, const struct node *node, const struct value *mesh)
{
	struct reporter by = { .region = region, .node = node, .now_usec = time_boot_usec() };
	int r = mesh_reach_place(region, node->id, NULL, &by.place, NULL);
	for (size_t i = 0;
		mesh && mesh->type == VALUE_ARRAY && i < mesh->n && i < MESH_REPORT_MAX && r >= 0;
		i++)
		r = report_row(&by, &mesh->items[i]);
	return r;
}

void mesh_reach_forget(struct region *region, const struct node *node)
{
	mesh_offers_forget(region->offers, node->id);
	mesh_sights_forget(&region->sights, node->id);
}

int mesh_reach_step(struct region *region)
{
	uint64_t now_usec = time_boot_usec();
	if (!mesh_offers_due(region->offers, now_usec))
		return 0;
	int64_t generation = store_next_generation(region->store);
	if (generation < 0)
		return (int)generation;
	(void)mesh_offers_step(region->offers, generation, now_usec); // it would: it was due
	region_wake(region, "cluster");
	return 0;
}
