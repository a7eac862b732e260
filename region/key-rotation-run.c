// SPDX-License-Identifier: Apache-2.0
#include "region/key-rotation-run.h"
#include "region/sorted.h"

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

static bool goes_on(const struct key_rotation *rotation)
{
	return rotation->state != KEY_ROTATION_DONE && rotation->state != KEY_ROTATION_GIVEN_UP;
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
	if (goes_on(rotation))
		return diag_set(reterr, -EALREADY, node->name, "rotates its key already: %s",
			key_rotation_sentence(rotation->state));
	(void)snprintf(rotation->actor, sizeof(rotation->actor), "%s", actor);
	rotation->announced[0] = '\0';
	rotation->created_sec = region_now_sec(region);
	region_audit(region, actor, "mesh-key rotate", node->name, "its WireGuard key was %s", node->wg_public);
	return enter(region, rotation, KEY_ROTATION_WAITING);
}

// Peers forget the next key, and the node keeps the one that it has.
static int give_up(struct region *region, struct key_rotation *rotation, struct node *node)
{
	int r = rotation->announced[0] ? announce(region, rotation, node, "") : 0;
	return r < 0 ? r : enter(region, rotation, KEY_ROTATION_GIVEN_UP);
}

int key_rotation_stop(
	struct region *region, const char *actor, struct node *node, struct diag *reterr)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	int r = load(region, node, &rotation);
	if (r < 0)
		return r;
	if (!goes_on(rotation))
		return diag_set(reterr, -ENOENT, node->name, "rotates no key");
	region_audit(region, actor, "mesh-key stop", node->name, "it was %s", key_rotation_state_name(rotation->state));
	if (rotation->state == KEY_ROTATION_SWITCHING) // it may use the next key by now
		return enter(region, rotation, KEY_ROTATION_STOPPING);
	r = give_up(region, rotation, node);
	return r < 0 ? r : store_node_put(region->store, node);
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

// What a rotation is that the node's key became another one in by other ways: it begins anew, when it is wanted.
static enum key_rotation_state after_other(int64_t state)
{
	if (state == KEY_ROTATION_DONE)
		return KEY_ROTATION_DONE;
	return state == KEY_ROTATION_STOPPING || state == KEY_ROTATION_GIVEN_UP ? KEY_ROTATION_GIVEN_UP
										: KEY_ROTATION_WAITING;
}

// It came from where this region's record is not: a backup, or files that were damaged. One change an
// interval, as with enrolments: each wakes the whole cluster.
static int take_other(struct region *region, struct key_rotation *rotation, struct node *node, const char *key)
{
	int64_t state = rotation->state;
	if (rotation->changed_sec + region->config->code_interval_sec > region_now_sec(region))
		return 0;
	rotation->changed_sec = region_now_sec(region);
	rotation->announced[0] = '\0';
	int r = replace_key(region, node, key);
	region_audit(region, node->name, "mesh-key other", node->name, "it uses the WireGuard key %s", key);
	return r < 0 ? r : enter(region, rotation, after_other(state));
}

static int finish(struct region *region, struct key_rotation *rotation, const struct node *node)
{
	rotation->announced[0] = '\0';
	rotation->changed_sec = region_now_sec(region);
	region_audit(region, node->name, "mesh-key done", node->name, "its WireGuard key is %s now", node->wg_public);
	return enter(region, rotation, KEY_ROTATION_DONE);
}

// It has a next key. Each change of that wakes the whole cluster, so that only the first one is taken at once.
static int take_next(struct region *region, struct key_rotation *rotation, struct node *node, const char *next)
{
	bool is_ours;
	int r;
	if (rotation->announced[0] &&
		rotation->state_sec + region->config->code_interval_sec > region_now_sec(region))
		return 0;
	if (next && ((r = is_free(region, node, next, &is_ours)) < 0 || !is_ours))
		return r;
	if ((r = announce(region, rotation, node, next ? next : "")) < 0 ||
		(r = enter(region, rotation, next ? KEY_ROTATION_PEERS : KEY_ROTATION_PREPARING)) < 0)
		return r;
	return 1;
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
		return take_next(region, rotation, node, next);
	case KEY_REPORT_LOST:
		return take_next(region, rotation, node, NULL);
	case KEY_REPORT_DONE:
		r = replace_key(region, node, current);
		return r < 0 || (r = finish(region, rotation, node)) < 0 ? r : 1;
	case KEY_REPORT_KEPT:
		region_audit(region, node->name, "mesh-key kept", node->name, "its WireGuard key is %s, as before",
			node->wg_public);
		return (r = give_up(region, rotation, node)) < 0 ? r : 1;
	case KEY_REPORT_OTHER:
		if ((r = is_free(region, node, current, &is_ours)) < 0 || !is_ours)
			return r;
		return (r = take_other(region, rotation, node, current)) < 0 ? r : 1;
	}
	return 0;
}

int key_rotation_key_changed(struct region *region, const struct node *node)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	int r = load(region, node, &rotation);
	if (r < 0 || !goes_on(rotation))
		return r;
	if (str_equal(rotation->announced, node->wg_public))
		return finish(region, rotation, node);
	rotation->announced[0] = '\0';
	return enter(region, rotation, after_other(rotation->state));
}

int key_rotation_forget(struct region *region, const struct node *node)
{
	return store_key_rotation_remove(region->store, node->id);
}

// ---- what peers have fetched

int key_rotation_fetched(struct region *region, const struct node *node, int64_t generation)
{
	struct mesh_fetches *fetches = &region->fetches;
	bool there;
	if (fetches->wanted == 0 || generation < fetches->wanted)
		return 0;
	size_t at = sorted_place(fetches->list, fetches->n, sizeof(*fetches->list), node->id, &there);
	if (there) {
		fetches->list[at].generation = generation;
		return 0; // for a rotation that began later: the next tick sees it
	}
	struct mesh_fetch *more = reallocarray(fetches->list, fetches->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	fetches->list = more;
	memmove(&more[at + 1], &more[at], (fetches->n++ - at) * sizeof(*more));
	more[at].generation = generation;
	(void)snprintf(more[at].id, ID_TEXT, "%s", node->id);
	return fetches->n_missing > 0 && --fetches->n_missing == 0 ? key_rotation_step(region) : 0;
}

// Those who have fetched what nobody waits for any more count anew.
static void forget_fetches(struct mesh_fetches *fetches, int64_t wanted)
{
	size_t n = 0;
	for (size_t i = 0; i < fetches->n && wanted > 0; i++)
		if (fetches->list[i].generation >= wanted)
			fetches->list[n++] = fetches->list[i];
	fetches->n = n;
	fetches->wanted = wanted;
}

// ---- the step

// All rotations that go on, and the nodes that were heard lately.
struct round {
	struct region *region;
	char (*heard)[ID_TEXT]; // in order
	size_t n_heard;
	struct key_rotation **rotations;
	bool *is_heard; // of each of them
	size_t n;
	int n_moving, n_switching; // of those that are heard
};

static int compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int load_heard(struct round *round)
{
	const struct region *region = round->region;
	int64_t since_sec = region_now_sec(region) - KEY_ROTATION_HEARD_SEC;
	if (since_sec < region->loaded_sec) // it could hear nobody while it was away
		since_sec -= region->away_sec;
	int r = store_node_ids_heard(region->store, since_sec, &round->heard, &round->n_heard);
	if (r < 0)
		return r;
	if (!(round->is_heard = calloc(round->n, sizeof(bool))))
		return -ENOMEM;
	for (size_t i = 0; i < round->n; i++)
		round->is_heard[i] = round->n_heard && bsearch(round->rotations[i]->id, round->heard, round->n_heard,
							       sizeof(*round->heard), compare_ids);
	return 0;
}

// @rotation, of a node that is heard, is among those that others wait for, or (-1) not any more.
static void count(struct round *round, const struct key_rotation *rotation, int by)
{
	bool is_switching = rotation->state == KEY_ROTATION_SWITCHING;
	if (is_switching || rotation->state == KEY_ROTATION_PREPARING || rotation->state == KEY_ROTATION_PEERS)
		round->n_moving += by;
	if (is_switching)
		round->n_switching += by;
}

static size_t count_missing(const struct round *round, const struct key_rotation *rotation)
{
	const struct mesh_fetches *fetches = &round->region->fetches;
	size_t n = 0;
	for (size_t i = 0; i < round->n_heard; i++) {
		bool there;
		size_t at = sorted_place(fetches->list, fetches->n, sizeof(*fetches->list), round->heard[i], &there);
		n += !str_equal(round->heard[i], rotation->id) &&
		     !(there && fetches->list[at].generation >= rotation->generation);
	}
	return n;
}

static int64_t state_sec(const struct region *region, const struct key_rotation *rotation)
{
	int64_t sec = region_now_sec(region) - rotation->state_sec;
	return rotation->state_sec < region->loaded_sec ? sec - region->away_sec : sec;
}

// What the node says of its keys, for people; NULL: nothing is wrong, or no memory.
static char *node_says(const struct node *node)
{
	CLEANUP(value_freep) struct value *status = NULL;
	if (node->status)
		(void)json_parse(node->status, strlen(node->status), 0, &status, NULL); // it was checked
	const struct value *report = value_find(status, "meshKey");
	const char *sentence = value_text(value_find(report, "sentence"));
	if (!report)
		return strdup("its status says nothing of WireGuard keys: its hearthd may be an older one");
	return sentence && sentence[0] ? str_format("it says: %.200s", sentence) : NULL;
}

static void audit_late(struct region *region, const struct node *node, enum key_rotation_state next)
{
	AUTO_FREE char *says = node_says(node);
	region_audit(region, "rules", "mesh-key late", node->name, "it did not %s for %lld s and is given up; %s",
		next == KEY_ROTATION_STOPPING ? "switch to its next key" : "make its next key",
		(long long)region->config->mesh_key_give_up_sec, says ? says : "it does not say why");
}

// The state that is next for the rotation, whose node is @node.
static int move(struct round *round, struct key_rotation *rotation, enum key_rotation_state next, size_t n_missing)
{
	CLEANUP(node_freep) struct node *node = NULL;
	struct region *region = round->region;
	int r = store_node_by_id(region->store, rotation->id, &node);
	if (r < 0)
		return r == -ENOENT ? store_key_rotation_remove(region->store, rotation->id) : r;
	if (next == KEY_ROTATION_SWITCHING)
		region_audit(region, "rules", "mesh-key switch", node->name, "%zu of its peers did not fetch the next key",
			n_missing);
	if (next == KEY_ROTATION_GIVEN_UP || next == KEY_ROTATION_STOPPING)
		audit_late(region, node, next);
	return enter(region, rotation, next);
}

static int go_on(struct round *round, size_t own)
{
	struct region *region = round->region;
	struct key_rotation *rotation = round->rotations[own];
	bool is_heard = round->is_heard[own];
	if (is_heard)
		count(round, rotation, -1);
	struct key_rotation_facts facts = { .state = (enum key_rotation_state)rotation->state,
		.is_heard = is_heard,
		.other_goes_on = round->n_moving > 0,
		.other_switches = round->n_switching > 0,
		.state_sec = state_sec(region, rotation),
		.give_up_sec = region->config->mesh_key_give_up_sec };
	if (rotation->state == KEY_ROTATION_PEERS)
		facts.n_missing = count_missing(round, rotation);
	enum key_rotation_state next = key_rotation_next(&facts);
	int r = 0;
	if (next != facts.state) {
		r = move(round, rotation, next, facts.n_missing);
	} else if (next == KEY_ROTATION_SWITCHING && !is_heard && facts.state_sec >= facts.give_up_sec / 2) {
		rotation->state_sec = region_now_sec(region); // the time in which it is away does not count
		r = store_key_rotation_put(region->store, rotation);
	} else if (next == KEY_ROTATION_PEERS && is_heard) {
		region->fetches.n_missing = facts.n_missing;
	}
	if (is_heard)
		count(round, rotation, 1);
	return r;
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
	struct round round = { .region = region };
	int r = store_key_rotation_list_open(region->store, &round.rotations, &round.n);
	if (r < 0)
		return r;
	region->fetches.n_missing = 0;
	if (round.n)
		r = load_heard(&round);
	for (size_t i = 0; i < round.n && r >= 0; i++)
		if (round.is_heard[i])
			count(&round, round.rotations[i], 1);
	for (size_t i = 0; i < round.n && r >= 0; i++)
		r = go_on(&round, i);
	forget_fetches(&region->fetches, wanted_generation(round.rotations, round.n));
	key_rotation_list_free(round.rotations, round.n);
	free(round.heard);
	free(round.is_heard);
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
	bool is_quiet = rotation->state == KEY_ROTATION_WAITING || rotation->state == KEY_ROTATION_DONE;
	AUTO_FREE char *said = is_quiet ? NULL : node_says(node);
	AUTO_FREE char *sentence = said ? str_format("%s; %s", key_rotation_sentence(rotation->state), said) : NULL;
	char when[32];
	json_out_object_begin(out);
	json_out_member(out, "node", node->name);
	json_out_member(out, "state", key_rotation_state_name(rotation->state));
	json_out_member(out, "sentence", sentence ? sentence : key_rotation_sentence(rotation->state));
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
