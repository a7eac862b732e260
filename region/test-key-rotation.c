// A node's WireGuard key becomes another one: when the region says what, and what happens when nodes
// are away, lose a key or come back from a backup. SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "region/admin.h"
#include "region/assign.h"
#include "region/enrol.h"
#include "region/key-rotation-run.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct test_folder folder;
static struct region region;
static char keys[8][WG_TEXT]; // keys[n] is that of node n first; the rest are next ones

static int set_up(void **state)
{
	static const char config[] =
		"{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, domain: "
		"example.org, urls: ['https://10.0.2.2:7443'], servers: 3}";
	for (uint8_t i = 0; i < N_ELEMENTS(keys); i++) {
		uint8_t bytes[32] = { i + 1 };
		AUTO_FREE char *text = base64_encode(bytes, sizeof(bytes));
		(void)snprintf(keys[i], sizeof(keys[i]), "%s", text);
	}
	return test_region_make(&folder, config, &region);
}

static int tear_down(void **state)
{
	free(region.fetches.list);
	return test_region_remove(&folder, &region);
}

static struct node *node_get(int n)
{
	struct node *node = NULL;
	char id[ID_TEXT];
	(void)snprintf(id, sizeof(id), "n-%d", n);
	assert_int_equal(store_node_by_id(region.store, id, &node), 0);
	return node;
}

static void heard(int n, int64_t ago_sec)
{
	CLEANUP(node_freep) struct node *node = node_get(n);
	node->seen_sec = region_now_sec(&region) - ago_sec;
	assert_int_equal(store_node_put(region.store, node), 0);
}

// Nodes 1 to 3, all of them heard.
static void three_nodes(void)
{
	for (int i = 1; i <= 3; i++) {
		struct node node = { .number = i, .state = NODE_APPROVED, .durable = 1 };
		(void)snprintf(node.id, sizeof(node.id), "n-%d", i);
		(void)snprintf(node.key, sizeof(node.key), "key%d", i);
		(void)snprintf(node.name, sizeof(node.name), "hzfsnr-k8s-%dp", i);
		(void)snprintf(node.wg_public, sizeof(node.wg_public), "%s", keys[i]);
		node.mesh_generation = store_next_generation(region.store);
		assert_int_equal(store_node_put(region.store, &node), 0);
		heard(i, 0);
	}
}

static int start(int n)
{
	CLEANUP(node_freep) struct node *node = node_get(n);
	int r = key_rotation_start(&region, "somebody", node, NULL);
	return r < 0 ? r : key_rotation_step(&region);
}

static enum key_rotation_state state_of(int n)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	CLEANUP(node_freep) struct node *node = node_get(n);
	int r = store_key_rotation_get(region.store, node->id, &rotation);
	return r == -ENOENT ? KEY_ROTATION_DONE : (enum key_rotation_state)rotation->state;
}

static bool is_announced(int n, const char *key)
{
	struct key_rotation **rotations;
	size_t n_rotations;
	CLEANUP(node_freep) struct node *node = node_get(n);
	assert_int_equal(store_key_rotation_list_announced(region.store, &rotations, &n_rotations), 0);
	bool is = str_equal(key_rotation_announced(rotations, n_rotations, node->id), key);
	key_rotation_list_free(rotations, n_rotations);
	return is;
}

// As PUT /v1/status does.
static void report(int n, const char *current, const char *next, bool proven)
{
	CLEANUP(node_freep) struct node *node = node_get(n);
	CLEANUP(value_freep) struct value *body = NULL;
	AUTO_FREE char *text = str_format("{\"meshKey\":{\"publicKey\":\"%s\",%s%s%s\"proven\":%s}}", current,
		next ? "\"nextPublicKey\":\"" : "", next ? next : "", next ? "\"," : "", proven ? "true" : "false");
	assert_int_equal(json_parse(text, strlen(text), 0, &body, NULL), 0);
	assert_int_equal(key_rotation_report_check(body, NULL), 0);
	int changed = key_rotation_report(&region, node, body);
	assert_in_range(changed, 0, 1);
	assert_int_equal(store_node_put(region.store, node), 0);
	if (changed)
		assert_int_equal(key_rotation_step(&region), 0);
}

// So much time goes by for the rotation of node @n.
static void later(int n, int64_t sec)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	CLEANUP(node_freep) struct node *node = node_get(n);
	assert_int_equal(store_key_rotation_get(region.store, node->id, &rotation), 0);
	rotation->state_sec -= sec;
	assert_int_equal(store_key_rotation_put(region.store, rotation), 0);
}

static void step_later(int n, int64_t sec)
{
	later(n, sec);
	assert_int_equal(key_rotation_step(&region), 0);
}

static void fetched(int n)
{
	CLEANUP(node_freep) struct node *node = node_get(n);
	assert_int_equal(key_rotation_fetched(&region, node, store_meta_int(region.store, "generation", 0)), 0);
}

static bool key_is(int n, const char *key)
{
	CLEANUP(node_freep) struct node *node = node_get(n);
	return str_equal(node->wg_public, key);
}

static bool is_removed(const char *key)
{
	bool removed = false;
	assert_int_equal(store_removal_has(region.store, key, &removed), 0);
	return removed;
}

static void the_state_follows_from_what_is_known(void **state)
{
	static const struct {
		struct key_rotation_facts facts;
		enum key_rotation_state next;
	} rows[] = {
		{ { KEY_ROTATION_WAITING, true, false, false, 0, 0, 600 }, KEY_ROTATION_PREPARING },
		{ { KEY_ROTATION_WAITING, false, false, false, 0, 9999, 600 }, KEY_ROTATION_WAITING },
		{ { KEY_ROTATION_WAITING, true, true, false, 0, 9999, 600 }, KEY_ROTATION_WAITING },
		{ { KEY_ROTATION_PREPARING, true, false, false, 0, 599, 600 }, KEY_ROTATION_PREPARING },
		{ { KEY_ROTATION_PREPARING, true, false, false, 0, 600, 600 }, KEY_ROTATION_GIVEN_UP },
		{ { KEY_ROTATION_PREPARING, false, false, false, 0, 9999, 600 }, KEY_ROTATION_WAITING },
		{ { KEY_ROTATION_PEERS, true, false, false, 0, 0, 600 }, KEY_ROTATION_SWITCHING },
		{ { KEY_ROTATION_PEERS, true, true, false, 0, 0, 600 }, KEY_ROTATION_SWITCHING },
		{ { KEY_ROTATION_PEERS, true, true, true, 0, 0, 600 }, KEY_ROTATION_PEERS },
		{ { KEY_ROTATION_PEERS, false, false, false, 0, 9999, 600 }, KEY_ROTATION_PEERS },
		{ { KEY_ROTATION_PEERS, true, false, false, 1, KEY_ROTATION_PEERS_SEC - 1, 600 }, KEY_ROTATION_PEERS },
		{ { KEY_ROTATION_PEERS, true, false, false, 1, KEY_ROTATION_PEERS_SEC, 600 }, KEY_ROTATION_SWITCHING },
		{ { KEY_ROTATION_SWITCHING, true, false, false, 0, 599, 600 }, KEY_ROTATION_SWITCHING },
		{ { KEY_ROTATION_SWITCHING, true, false, false, 0, 600, 600 }, KEY_ROTATION_STOPPING },
		{ { KEY_ROTATION_SWITCHING, false, false, false, 0, 9999, 600 }, KEY_ROTATION_SWITCHING },
		{ { KEY_ROTATION_STOPPING, true, false, false, 0, 9999, 600 }, KEY_ROTATION_STOPPING },
		{ { KEY_ROTATION_GIVEN_UP, true, false, false, 0, 9999, 600 }, KEY_ROTATION_GIVEN_UP },
		{ { KEY_ROTATION_DONE, true, false, false, 0, 9999, 600 }, KEY_ROTATION_DONE },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (key_rotation_next(&rows[i].facts) != rows[i].next)
			fail_msg("row %zu: %s", i, key_rotation_state_name(key_rotation_next(&rows[i].facts)));
}

static void a_report_is_judged_by_what_peers_were_told(void **state)
{
	static const struct {
		struct key_report_facts facts;
		enum key_report report;
	} rows[] = {
		{ { "a", KEY_ROTATION_DONE, "", "a", NULL, true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_DONE, "", "a", "b", true }, KEY_REPORT_NOTHING }, // it drops that when it hears
		{ { "a", KEY_ROTATION_WAITING, "", "a", "b", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_PREPARING, "", "a", NULL, true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_PREPARING, "", "a", "b", true }, KEY_REPORT_PREPARED },
		{ { "a", KEY_ROTATION_PEERS, "b", "a", "b", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "a", "b", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "a", "c", true }, KEY_REPORT_PREPARED },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "a", NULL, true }, KEY_REPORT_LOST },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "b", NULL, false }, KEY_REPORT_DONE },
		{ { "a", KEY_ROTATION_PEERS, "b", "b", NULL, true }, KEY_REPORT_DONE },
		{ { "a", KEY_ROTATION_DONE, "", "b", NULL, false }, KEY_REPORT_NOTHING }, // it goes back to a
		{ { "a", KEY_ROTATION_DONE, "", "b", NULL, true }, KEY_REPORT_OTHER },
		{ { "a", KEY_ROTATION_PEERS, "c", "b", NULL, true }, KEY_REPORT_OTHER },
		// its own key is no next one
		{ { "a", KEY_ROTATION_PREPARING, "", "a", "a", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "a", "a", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_SWITCHING, "b", "b", "a", false }, KEY_REPORT_DONE },
		// told to keep its key: it may have switched, and goes back unless somebody answered by then
		{ { "a", KEY_ROTATION_STOPPING, "b", "a", "b", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_STOPPING, "b", "a", "c", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_STOPPING, "b", "a", NULL, true }, KEY_REPORT_KEPT },
		{ { "a", KEY_ROTATION_STOPPING, "b", "b", NULL, false }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_STOPPING, "b", "b", NULL, true }, KEY_REPORT_DONE },
		{ { "a", KEY_ROTATION_STOPPING, "b", "c", NULL, true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_GIVEN_UP, "", "a", "b", true }, KEY_REPORT_NOTHING },
		{ { "a", KEY_ROTATION_GIVEN_UP, "", "b", NULL, true }, KEY_REPORT_OTHER },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (key_report_judge(&rows[i].facts) != rows[i].report)
			fail_msg("row %zu: %d", i, (int)key_report_judge(&rows[i].facts));
}

static void peers_have_the_next_key_before_the_node_switches(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	assert_int_equal(start(1), -EALREADY);
	report(1, keys[1], keys[4], true);
	assert_int_equal(state_of(1), KEY_ROTATION_PEERS);
	assert_true(is_announced(1, keys[4]));
	assert_true(key_is(1, keys[1]));
	fetched(2);
	assert_int_equal(state_of(1), KEY_ROTATION_PEERS);
	fetched(3);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	report(1, keys[1], keys[4], true); // on its way
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	report(1, keys[4], NULL, false);
	assert_int_equal(state_of(1), KEY_ROTATION_DONE);
	assert_true(key_is(1, keys[4]));
	assert_true(is_removed(keys[1]));
	assert_true(is_announced(1, NULL));
	report(1, keys[4], NULL, true);
	assert_true(key_is(1, keys[4]));
	// Once more, and back to the first key: it is no removed one any more.
	assert_int_equal(start(1), 0);
	report(1, keys[4], keys[1], true);
	fetched(2);
	fetched(3);
	report(1, keys[1], NULL, false);
	assert_true(key_is(1, keys[1]));
	assert_false(is_removed(keys[1]));
	assert_true(is_removed(keys[4]));
}

static void one_node_at_a_time_and_silent_ones_later(void **state)
{
	three_nodes();
	heard(1, 1000);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(start(i), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_WAITING);
	assert_int_equal(state_of(2), KEY_ROTATION_PREPARING);
	assert_int_equal(state_of(3), KEY_ROTATION_WAITING);
	report(2, keys[2], keys[5], true);
	fetched(3); // node 1 is not waited for
	assert_int_equal(state_of(2), KEY_ROTATION_SWITCHING);
	heard(2, 1000); // and now this one: others go on meanwhile
	assert_int_equal(key_rotation_step(&region), 0);
	assert_int_equal(state_of(3), KEY_ROTATION_PREPARING);
	heard(1, 0);
	report(3, keys[3], keys[6], true);
	fetched(1);
	assert_int_equal(state_of(3), KEY_ROTATION_SWITCHING);
	report(3, keys[6], NULL, false);
	assert_int_equal(state_of(3), KEY_ROTATION_DONE);
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	heard(2, 0); // it had switched, and its status got lost
	report(2, keys[5], NULL, true);
	assert_true(key_is(2, keys[5]));
}

static void a_peer_that_fetches_nothing_is_not_waited_for_for_ever(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[4], true);
	step_later(1, KEY_ROTATION_PEERS_SEC);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
}

static bool audit_says(const char *action, const char *part)
{
	struct audit **entries;
	size_t n;
	bool says = false;
	assert_int_equal(store_audit_list(region.store, 100, &entries, &n), 0);
	for (size_t i = 0; i < n; i++)
		says |= str_equal(entries[i]->action, action) && strstr(entries[i]->detail, part);
	audit_list_free(entries, n);
	return says;
}

// An older hearthd, or a STATE that cannot be written.
static void who_makes_no_next_key_does_not_stop_the_others(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	assert_int_equal(start(2), 0);
	step_later(1, 599);
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	assert_int_equal(state_of(2), KEY_ROTATION_WAITING);
	step_later(1, 1);
	assert_int_equal(state_of(1), KEY_ROTATION_GIVEN_UP);
	assert_int_equal(state_of(2), KEY_ROTATION_PREPARING);
	assert_true(audit_says("mesh-key late",
		"it did not make its next key for 600 s and is given up; its status says nothing of WireGuard keys"));
	report(1, keys[1], keys[4], true); // too late
	assert_true(is_announced(1, NULL));
	assert_int_equal(start(1), 0); // a person may want it again
	assert_int_equal(state_of(1), KEY_ROTATION_WAITING);
}

static void who_does_not_switch_keeps_both_keys_with_its_peers_until_it_says_so(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	assert_int_equal(start(2), 0);
	report(1, keys[1], keys[4], true);
	fetched(2);
	fetched(3);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	step_later(1, 599);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	step_later(1, 1);
	assert_int_equal(state_of(1), KEY_ROTATION_STOPPING);
	assert_true(audit_says("mesh-key late", "it did not switch to its next key for 600 s and is given up"));
	assert_int_equal(state_of(2), KEY_ROTATION_PREPARING);
	assert_true(is_announced(1, keys[4]));
	report(1, keys[4], NULL, false); // it did, that moment, and goes back
	assert_true(key_is(1, keys[1]));
	report(1, keys[1], keys[4], true);
	assert_true(is_announced(1, keys[4]));
	step_later(1, 100000); // nobody else waits for it
	assert_int_equal(state_of(1), KEY_ROTATION_STOPPING);
	report(1, keys[1], NULL, true);
	assert_int_equal(state_of(1), KEY_ROTATION_GIVEN_UP);
	assert_true(is_announced(1, NULL));
	assert_true(key_is(1, keys[1]));
}

static void the_time_in_which_a_node_is_away_does_not_count(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	heard(1, 1000);
	step_later(1, 700);
	assert_int_equal(state_of(1), KEY_ROTATION_WAITING);
	heard(1, 0);
	assert_int_equal(key_rotation_step(&region), 0);
	report(1, keys[1], keys[4], true);
	fetched(2);
	fetched(3);
	heard(1, 1000);
	step_later(1, 700);
	heard(1, 0);
	assert_int_equal(key_rotation_step(&region), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	later(1, 700); // nor that of a region that was away itself
	region.loaded_sec = region_now_sec(&region);
	region.away_sec = 600;
	assert_int_equal(key_rotation_step(&region), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
}

// Each change of its next key wakes everybody.
static void a_node_changes_its_next_key_once_in_a_while(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[1], true); // as a next one it would be a peer twice
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	assert_true(is_announced(1, NULL));
	report(1, keys[1], keys[4], true);
	report(1, keys[1], keys[5], true);
	report(1, keys[1], NULL, true);
	assert_true(is_announced(1, keys[4]));
	later(1, 60);
	report(1, keys[1], keys[5], true);
	assert_true(is_announced(1, keys[5]));
}

static void a_status_that_changes_no_rotation_needs_no_step(void **state)
{
	CLEANUP(value_freep) struct value *body = NULL;
	AUTO_FREE char *text = str_format("{\"meshKey\":{\"publicKey\":\"%s\",\"proven\":true}}", keys[2]);
	three_nodes();
	assert_int_equal(start(1), 0);
	CLEANUP(node_freep) struct node *one = node_get(1), *two = node_get(2);
	assert_int_equal(json_parse(text, strlen(text), 0, &body, NULL), 0);
	assert_int_equal(key_rotation_report(&region, two, body), 0);
	value_free(TAKE_PTR(body));
	AUTO_FREE char *next = str_format(
		"{\"meshKey\":{\"publicKey\":\"%s\",\"nextPublicKey\":\"%s\",\"proven\":true}}", keys[1], keys[4]);
	assert_int_equal(json_parse(next, strlen(next), 0, &body, NULL), 0);
	assert_int_equal(key_rotation_report(&region, one, body), 1);
	assert_int_equal(key_rotation_report(&region, one, body), 0);
}

static void a_lost_next_key_is_made_again(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[4], true);
	CLEANUP(node_freep) struct node *before = node_get(1);
	later(1, 60);
	report(1, keys[1], NULL, true);
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	assert_true(is_announced(1, NULL));
	CLEANUP(node_freep) struct node *after = node_get(1);
	assert_true(after->mesh_generation > before->mesh_generation); // peers are told
	report(1, keys[1], keys[5], true);
	assert_true(is_announced(1, keys[5]));
	later(1, 60);
	report(1, keys[1], keys[6], true);
	assert_true(is_announced(1, keys[6]));
	assert_int_equal(state_of(1), KEY_ROTATION_PEERS);
}

static void a_rotation_is_given_up(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[4], true);
	CLEANUP(node_freep) struct node *node = node_get(1);
	int64_t generation = node->mesh_generation;
	assert_int_equal(key_rotation_stop(&region, "somebody", node, NULL), 0);
	assert_true(node->mesh_generation > generation);
	assert_true(is_announced(1, NULL));
	assert_int_equal(state_of(1), KEY_ROTATION_GIVEN_UP);
	report(1, keys[4], NULL, false); // it had switched: no, it has to go back
	assert_true(key_is(1, keys[1]));
	assert_int_equal(key_rotation_stop(&region, "somebody", node, NULL), -ENOENT);
	// told to switch, it may use the next key by now; by a second word it is over without an answer
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[4], true);
	step_later(1, KEY_ROTATION_PEERS_SEC);
	assert_int_equal(state_of(1), KEY_ROTATION_SWITCHING);
	assert_int_equal(key_rotation_stop(&region, "somebody", node, NULL), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_STOPPING);
	assert_true(is_announced(1, keys[4]));
	assert_int_equal(start(1), -EALREADY);
	assert_int_equal(key_rotation_stop(&region, "somebody", node, NULL), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_GIVEN_UP);
	assert_true(is_announced(1, NULL));
}

static void a_key_of_another_node_is_never_taken(void **state)
{
	char holder[STORE_NAME_TEXT];
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[2], true);
	assert_int_equal(state_of(1), KEY_ROTATION_PREPARING);
	assert_true(is_announced(1, NULL));
	report(1, keys[3], NULL, true);
	assert_true(key_is(1, keys[1]));
	report(1, keys[1], keys[4], true);
	assert_int_equal(wg_key_holder(&region, keys[4], "key2", "", holder), 0);
	assert_string_equal(holder, "hzfsnr-k8s-1p"); // a next key is taken, too
	assert_int_equal(wg_key_holder(&region, keys[4], "key1", "", holder), 0);
	assert_string_equal(holder, "");
}

// The region is an older one again: the node's proven key is the right one; one change a minute.
static void a_region_from_a_backup_learns_the_key(void **state)
{
	three_nodes();
	report(1, keys[4], NULL, false);
	assert_true(key_is(1, keys[1]));
	report(1, keys[4], NULL, true);
	assert_true(key_is(1, keys[4]));
	assert_true(is_removed(keys[1]));
	report(1, keys[5], NULL, true);
	assert_true(key_is(1, keys[4]));
}

static void an_enrolment_with_the_next_key_ends_it(void **state)
{
	three_nodes();
	assert_int_equal(start(1), 0);
	report(1, keys[1], keys[4], true);
	CLEANUP(node_freep) struct node *node = node_get(1);
	strcpy(node->wg_public, keys[5]); // another machine's state: it begins anew
	assert_int_equal(key_rotation_key_changed(&region, node), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_WAITING);
	assert_true(is_announced(1, NULL));
	assert_int_equal(key_rotation_step(&region), 0);
	report(1, keys[1], keys[4], true);
	strcpy(node->wg_public, keys[4]);
	assert_int_equal(key_rotation_key_changed(&region, node), 0);
	assert_int_equal(state_of(1), KEY_ROTATION_DONE);
}

static void the_assignment_says_what_to_do(void **state)
{
	static const struct {
		enum key_rotation_state state;
		const char *wanted;
	} rows[] = {
		{ KEY_ROTATION_WAITING, NULL }, { KEY_ROTATION_PREPARING, "{\"to\":null}" },
		{ KEY_ROTATION_PEERS, "{\"to\":null}" }, { KEY_ROTATION_SWITCHING, "{\"to\":\"next\"}" },
		{ KEY_ROTATION_DONE, NULL },
		{ KEY_ROTATION_STOPPING, NULL }, { KEY_ROTATION_GIVEN_UP, NULL },
	};
	struct cluster cluster = { .name = "hz-fsn-rtz-prod" };
	three_nodes();
	CLEANUP(node_freep) struct node *node = node_get(1);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		AUTO_FREE char *text = NULL;
		struct json_out out = { 0 };
		struct key_rotation rotation = { .state = rows[i].state, .announced = "next" };
		struct assignment_input input = { .config = region.config, .cluster = &cluster, .node = node,
			.rotation = &rotation, .waiting_for = "a server", .ca_pin = "sha256:x", .generation = "e.1" };
		assert_int_equal(assignment_build(&input, &text, NULL), 0);
		assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
		assert_string_equal(value_text(value_path(document, "mesh", "publicKey", NULL)), keys[1]);
		const struct value *told = value_path(document, "mesh", "rotation", NULL);
		assert_int_equal(told != NULL, rows[i].wanted != NULL);
		if (!told)
			continue;
		json_out_value(&out, told);
		AUTO_FREE char *shown = json_out_take(&out);
		assert_string_equal(shown, rows[i].wanted);
	}
}

static void a_report_of_another_shape_is_refused(void **state)
{
	static const struct {
		const char *body, *message;
	} rows[] = {
		{ "{\"meshKey\":1}", "must be an object" },
		{ "{\"meshKey\":{\"publicKey\":\"short\",\"proven\":true}}", "must be base64 of 32 bytes" },
		{ "{\"meshKey\":{\"publicKey\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"nextPublicKey\":\"x\","
		  "\"proven\":true}}", "must be base64 of 32 bytes" },
		{ "{\"meshKey\":{\"publicKey\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"proven\":1}}", "must be true or false" },
		{ "{\"meshKey\":{\"proven\":true}}", "is missing" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *body = NULL;
		struct diag diag = { 0 };
		assert_int_equal(json_parse(rows[i].body, strlen(rows[i].body), 0, &body, NULL), 0);
		assert_int_equal(key_rotation_report_check(body, &diag), -EINVAL);
		if (!strstr(diag_text(&diag), rows[i].message))
			fail_msg("row %zu: %s", i, diag_text(&diag));
		assert_true(str_starts(diag_text(&diag), "meshKey"));
	}
}

static void people_begin_and_see_it(void **state)
{
	static const char all[] = "{\"node\":\"all\"}", one[] = "{\"node\":\"hzfsnr-k8s-2p\"}";
	struct diag diag = { 0 };
	const char *calls[][2] = { { "mesh-key-rotate", all }, { "mesh-key-rotate", all }, { "mesh-key-status", "{}" },
		{ "mesh-key-stop", one }, { "mesh-key-status", "{}" } };
	static const char *const parts[] = { "\"rotates\":[\"hzfsnr-k8s-1p\",\"hzfsnr-k8s-2p\",\"hzfsnr-k8s-3p\"]", "\"rotates\":[]",
		"\"node\":\"hzfsnr-k8s-2p\",\"state\":\"waiting\"", "\"stopped\":\"hzfsnr-k8s-2p\"", "\"node\":\"hzfsnr-k8s-3p\"" };
	three_nodes();
	for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
		CLEANUP(value_freep) struct value *args = NULL;
		struct json_out out = { 0 };
		assert_int_equal(json_parse(calls[i][1], strlen(calls[i][1]), 0, &args, NULL), 0);
		json_out_object_begin(&out);
		if (admin_call(&region, "somebody", calls[i][0], args, &out, &diag) < 0)
			fail_msg("%s: %s", calls[i][0], diag_text(&diag));
		json_out_object_end(&out);
		AUTO_FREE char *text = json_out_take(&out);
		if (!strstr(text, parts[i]))
			fail_msg("%s: %s", calls[i][0], text);
	}
	CLEANUP(node_freep) struct node *node = node_get(3);
	node->state = NODE_REVOKED;
	assert_int_equal(key_rotation_start(&region, "somebody", node, &diag), -EINVAL);
}

int main(void)
{
#define WITH_REGION(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_state_follows_from_what_is_known),
		cmocka_unit_test(a_report_is_judged_by_what_peers_were_told),
		WITH_REGION(peers_have_the_next_key_before_the_node_switches),
		WITH_REGION(one_node_at_a_time_and_silent_ones_later),
		WITH_REGION(a_peer_that_fetches_nothing_is_not_waited_for_for_ever),
		WITH_REGION(who_makes_no_next_key_does_not_stop_the_others),
		WITH_REGION(who_does_not_switch_keeps_both_keys_with_its_peers_until_it_says_so),
		WITH_REGION(the_time_in_which_a_node_is_away_does_not_count),
		WITH_REGION(a_node_changes_its_next_key_once_in_a_while),
		WITH_REGION(a_status_that_changes_no_rotation_needs_no_step),
		WITH_REGION(a_lost_next_key_is_made_again),
		WITH_REGION(a_rotation_is_given_up),
		WITH_REGION(a_key_of_another_node_is_never_taken),
		WITH_REGION(a_region_from_a_backup_learns_the_key),
		WITH_REGION(an_enrolment_with_the_next_key_ends_it),
		WITH_REGION(the_assignment_says_what_to_do),
		cmocka_unit_test(a_report_of_another_shape_is_refused),
		WITH_REGION(people_begin_and_see_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
