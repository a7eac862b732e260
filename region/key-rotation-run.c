// SPDX-License-Identifier: Apache-2.0
#include "region/key-rotation-run.h"

#include "base/log.h"
#include "base/time.h"
#include "region/enrol.h"

#include <errno.h>

// -ENOENT is a rotation that is done.
static int load(struct region *region, const struct node *node, struct key_rotation **ret)
{
	int r = store_key_rotation_get(region->store, node->id, ret);
	if (r != -ENOENT)
		return r;
	if (!(*ret = calloc(1, sizeof(**ret))))
		return -ENOMEM;
	(void)snprintf((*ret)->id, sizeof((*ret)->id), "%s", node->id);
	(*ret)->state = KEY_ROTATION_DONE;
	return 0;
}

static int enter(struct region *region, struct key_rotation *rotation, enum key_rotation_state state)
{
	rotation->state = state;
	rotation->state_sec = region_now_sec(region);
	region_wake(region, "cluster"); // the node's assignment says so
	return store_key_rotation_put(region->store, rotation);
}

// The next key that peers have is @key; "": they are to forget it.
static int announce(struct region *region, struct key_rotation *rotation, struct node *node, const char *key)
{
	(void)snprintf(rotation->announced, sizeof(rotation->announced), "%s", key);
	int r = region_mesh_changed(region, node);
	rotation->generation = node->mesh_generation;
	return r;
}

// ---- people

int key_rotation_start(
	struct region *region, const char *actor, const struct node *node, struct diag *reterr)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	if (node->state == NODE_REVOKED || node->quarantined)
		return diag_set(reterr, -EINVAL, node->name,
			"is no part of the mesh: it is %s",
			node->state == NODE_REVOKED ? "revoked" : "quarantined");
	int r = load(region, node, &rotation);
	if (r < 0)
		return r;
	if (rotation->state != KEY_ROTATION_DONE)
		return diag_set(reterr, -EALREADY, node->name, "rotates its key already: %s",
			key_rotation_sentence(rotation->state));
	(void)snprintf(rotation->actor, sizeof(rotation->actor), "%s", actor);
	rotation->announced[0] = '\0';
	rotation->created_sec = region_now_sec(region);
	region_audit(region, actor, "mesh-key rotate", node->name, "its WireGuard key was %s", node->wg_public);
	return enter(region, rotation, KEY_ROTATION_WAITING);
}

int key_rotation_stop(
	struct region *region, const char *actor, struct node *node, struct diag *reterr)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	int r = load(region, node, &rotation);
	if (r < 0)
		return r;
	if (rotation->state == KEY_ROTATION_DONE)
		return diag_set(reterr, -ENOENT, node->name, "rotates no key");
	if (rotation->announced[0] && ((r = announce(region, rotation, node, "")) < 0 ||
					      (r = store_node_put(region->store, node)) < 0))
		return r;
	region_audit(region, actor, "mesh-key stop", node->name, "it was %s", key_rotation_state_name(rotation->state));
	region_wake(region, "cluster");
	return store_key_rotation_remove(region->store, node->id);
}

// ---- what nodes report

static int check_key(const struct value *report, const char *name, bool required, struct diag *reterr)
{
	const struct value *value = value_find(report, name);
	AUTO_FREE uint8_t *bytes = NULL;
	const char *text;
	size_t n = 0;
	if (!value && !required)
		return 0;
	int r = value_string(value, name, &text, reterr);
	if (r < 0)
		return r;
	return base64_decode(text, &bytes, &n) < 0 || n != 32 || strlen(text) >= WG_TEXT
		       ? diag_set(reterr, -EINVAL, name, "must be base64 of 32 bytes")
		       : 0;
}

int key_rotation_report_check(const struct value *body, struct diag *reterr)
{
	const struct value *report = value_find(body, "meshKey");
	bool proven;
	if (!report)
		return 0;
	int r = report->type == VALUE_OBJECT ? 0 : diag_set(reterr, -EINVAL, "", "must be an object");
	if (r >= 0 && (r = check_key(report, "publicKey", true, reterr)) >= 0 &&
		(r = check_key(report, "nextPublicKey", false, reterr)) >= 0)
		r = value_bool(value_find(report, "proven"), "proven", &proven, reterr);
	if (r < 0)
		diag_prefix(reterr, "meshKey");
	return r;
}

// Nobody else has @key. A key of another node would turn that one's packets away.
static int is_free(struct region *region, const struct node *node, const char *key, bool *ret)
{
	char holder[STORE_NAME_TEXT];
	int r = wg_key_holder(region, key, node->key, "", holder);
	*ret = r >= 0 && !holder[0];
	if (r >= 0 && holder[0])
		log_warning("node %s: the WireGuard key that it reports is %s's", node->name, holder);
	return r;
}

// From now on peers have @key, and the one before is removed.
static int replace_key(struct region *region, struct node *node, const char *key)
{
	int r = region_mesh_remove(region, node->wg_public);
	(void)snprintf(node->wg_public, sizeof(node->wg_public), "%s", key);
	return r < 0 ? r : region_mesh_changed(region, node);
}

// It came from where this region's record is not: a backup, or files that were damaged. One change an
// interval, as with enrolments: each wakes the whole cluster.
static int take_other(struct region *region, struct key_rotation *rotation, struct node *node, const char *key)
{
	bool again = rotation->state != KEY_ROTATION_DONE;
	if (rotation->changed_sec + region->config->code_interval_sec > region_now_sec(region))
		return 0;
	rotation->changed_sec = region_now_sec(region);
	rotation->announced[0] = '\0';
	int r = replace_key(region, node, key);
	region_audit(region, node->name, "mesh-key other", node->name, "it uses the WireGuard key %s", key);
	return r < 0 ? r : enter(region, rotation, again ? KEY_ROTATION_WAITING : KEY_ROTATION_DONE);
}

static int finish(struct region *region, struct key_rotation *rotation, const struct node *node)
{
	rotation->announced[0] = '\0';
	rotation->changed_sec = region_now_sec(region);
	region_audit(region, node->name, "mesh-key done", node->name, "its WireGuard key is %s now", node->wg_public);
	return enter(region, rotation, KEY_ROTATION_DONE);
}

int key_rotation_report(struct region *region, struct node *node, const struct value *body)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	const struct value *report = value_find(body, "meshKey"), *proven = value_find(report, "proven");
	bool is_ours;
	if (!report || node->state == NODE_REVOKED)
		return 0;
	int r = load(region, node, &rotation);
	if (r < 0)
		return r;
	const char *current = value_text(value_find(report, "publicKey")),
		   *next = value_text(value_find(report, "nextPublicKey"));
	const struct key_report_facts facts = { .recorded = node->wg_public,
		.state = (enum key_rotation_state)rotation->state,
		.announced = rotation->announced,
		.current = current,
		.next = next,
		.proven = proven && proven->boolean };
	switch (key_report_judge(&facts)) {
	case KEY_REPORT_NOTHING:
		break;
	case KEY_REPORT_PREPARED:
		if ((r = is_free(region, node, next, &is_ours)) < 0 || !is_ours ||
			(r = announce(region, rotation, node, next)) < 0)
			return r;
		return enter(region, rotation, KEY_ROTATION_PEERS);
	case KEY_REPORT_LOST:
		r = announce(region, rotation, node, "");
		return r < 0 ? r : enter(region, rotation, KEY_ROTATION_PREPARING);
	case KEY_REPORT_DONE:
		r = replace_key(region, node, current);
		return r < 0 ? r : finish(region, rotation, node);
	case KEY_REPORT_OTHER:
		if ((r = is_free(region, node, current, &is_ours)) < 0 || !is_ours)
			return r;
		return take_other(region, rotation, node, current);
	}
	return 0;
}

int key_rotation_key_changed(struct region *region, const struct node *node)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	int r = load(region, node, &rotation);
	if (r < 0 || rotation->state == KEY_ROTATION_DONE)
		return r;
	if (str_equal(rotation->announced, node->wg_public))
		return finish(region, rotation, node);
	rotation->announced[0] = '\0';
	return enter(region, rotation, KEY_ROTATION_WAITING);
}

int key_rotation_forget(struct region *region, const struct node *node)
{
	return store_key_rotation_remove(region->store, node->id);
}

// ---- what peers have fetched

int key_rotation_fetched(struct region *region, const struct node *node, int64_t generation)
{
	struct mesh_fetches *fetches = &region->fetches;
	if (fetches->wanted == 0 || generation < fetches->wanted)
		return 0;
	size_t i = 0;
	while (i < fetches->n && !str_equal(fetches->list[i].id, node->id))
		i++;
	if (i == fetches->n) {
		struct mesh_fetch *more = reallocarray(fetches->list, fetches->n + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		fetches->list = more;
		(void)snprintf(more[fetches->n++].id, ID_TEXT, "%s", node->id);
	} else if (fetches->list[i].generation >= generation) {
		return 0;
	}
	fetches->list[i].generation = generation;
	return fetches->n < fetches->n_heard ? 0 : key_rotation_step(region);
}

static bool has_fetched(const struct mesh_fetches *fetches, const char *id, int64_t generation)
{
	for (size_t i = 0; i < fetches->n; i++)
		if (str_equal(fetches->list[i].id, id))
			return fetches->list[i].generation >= generation;
	return false;
}

// ---- the step

// Ids of the nodes that were heard lately, for one step.
struct heard {
	char (*ids)[ID_TEXT];
	size_t n;
};

static bool is_heard(const struct heard *heard, const char *id)
{
	for (size_t i = 0; i < heard->n; i++)
		if (str_equal(heard->ids[i], id))
			return true;
	return false;
}

static int load_heard(const struct region *region, struct heard *ret)
{
	int64_t since_sec = region_now_sec(region) - KEY_ROTATION_HEARD_SEC;
	if (since_sec < region->loaded_sec) // it could hear nobody while it was away
		since_sec -= region->away_sec;
	return store_node_ids_heard(region->store, since_sec, &ret->ids, &ret->n);
}

static size_t count_missing(
	const struct region *region, const struct heard *heard, const struct key_rotation *rotation)
{
	size_t n = 0;
	for (size_t i = 0; i < heard->n; i++)
		n += !str_equal(heard->ids[i], rotation->id) &&
		     !has_fetched(&region->fetches, heard->ids[i], rotation->generation);
	return n;
}

static int go_on(struct region *region, const struct heard *heard, struct key_rotation **rotations, size_t n, size_t own)
{
	struct key_rotation *rotation = rotations[own];
	CLEANUP(node_freep) struct node *node = NULL;
	struct key_rotation_facts facts = { .state = (enum key_rotation_state)rotation->state,
		.is_heard = is_heard(heard, rotation->id),
		.state_sec = region_now_sec(region) - rotation->state_sec };
	for (size_t i = 0; i < n; i++) {
		bool counts = i != own && is_heard(heard, rotations[i]->id);
		facts.other_goes_on |= counts && rotations[i]->state != KEY_ROTATION_WAITING &&
				       rotations[i]->state != KEY_ROTATION_DONE;
		facts.other_switches |= counts && rotations[i]->state == KEY_ROTATION_SWITCHING;
	}
	if (rotation->state == KEY_ROTATION_PEERS)
		facts.n_missing = count_missing(region, heard, rotation);
	enum key_rotation_state next = key_rotation_next(&facts);
	if (next == (enum key_rotation_state)rotation->state)
		return 0;
	int r = store_node_by_id(region->store, rotation->id, &node);
	if (r < 0)
		return r == -ENOENT ? store_key_rotation_remove(region->store, rotation->id) : r;
	if (next == KEY_ROTATION_SWITCHING)
		region_audit(region, "rules", "mesh-key switch", node->name, "%zu of its peers did not fetch the next key",
			facts.n_missing);
	return enter(region, rotation, next);
}

// From which generation on it has to be known what peers have fetched.
static int64_t wanted_generation(struct key_rotation *const *rotations, size_t n)
{
	int64_t wanted = 0;
	for (size_t i = 0; i < n; i++)
		if (rotations[i]->state == KEY_ROTATION_PEERS && (wanted == 0 || rotations[i]->generation < wanted))
			wanted = rotations[i]->generation;
	return wanted;
}

int key_rotation_step(struct region *region)
{
	struct key_rotation **rotations;
	struct heard heard = { 0 };
	size_t n;
	int r = store_key_rotation_list_open(region->store, &rotations, &n);
	if (r < 0)
		return r;
	region->fetches.wanted = wanted_generation(rotations, n);
	if (n)
		r = load_heard(region, &heard);
	region->fetches.n_heard = heard.n > 1 ? heard.n - 1 : 0; // without the one that rotates
	for (size_t i = 0; i < n && r >= 0; i++)
		r = go_on(region, &heard, rotations, n, i);
	if (region->fetches.wanted == 0)
		region->fetches.n = 0;
	key_rotation_list_free(rotations, n);
	free(heard.ids);
	return r;
}

// ---- for others

const char *key_rotation_announced(
	struct key_rotation *const *rotations, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal(rotations[i]->id, id))
			return rotations[i]->announced;
	return NULL;
}

static int put_one(struct region *region, const struct key_rotation *rotation, struct json_out *out)
{
	CLEANUP(node_freep) struct node *node = NULL;
	int r = store_node_by_id(region->store, rotation->id, &node);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	char when[32];
	json_out_object_begin(out);
	json_out_member(out, "node", node->name);
	json_out_member(out, "state", key_rotation_state_name(rotation->state));
	json_out_member(out, "sentence", key_rotation_sentence(rotation->state));
	json_out_member(out, "publicKey", node->wg_public);
	json_out_member(out, "nextPublicKey", rotation->announced[0] ? rotation->announced : NULL);
	json_out_member(out, "since", time_format_utc(rotation->state_sec, when));
	json_out_member(out, "by", rotation->actor);
	json_out_object_end(out);
	return 0;
}

int key_rotation_put(struct region *region, struct json_out *out)
{
	struct key_rotation **rotations;
	size_t n;
	int r = store_key_rotation_list(region->store, &rotations, &n);
	if (r < 0)
		return r;
	json_out_key(out, "meshKeys");
	json_out_array_begin(out);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = put_one(region, rotations[i], out);
	json_out_array_end(out);
	key_rotation_list_free(rotations, n);
	return r;
}
