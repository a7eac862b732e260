// The store on a real SQLite file: what was committed is there after opening again, what was undone
// is not. SPDX-License-Identifier: Apache-2.0
#include "region/store.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

static struct test_folder folder;
static const char *const path = folder.database;

static int set_up(void **state)
{
	return test_folder_make(&folder);
}

static int tear_down(void **state)
{
	return test_folder_remove(&folder);
}

static struct store *opened(bool create)
{
	struct store *store = NULL;
	struct diag diag = { 0 };
	if (store_open(path, create, &store, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return store;
}

static size_t n_found(int (*list)(struct store *, const char *, struct node ***, size_t *),
	struct store *store, const char *what)
{
	struct node **nodes;
	size_t n;
	assert_int_equal(list(store, what, &nodes, &n), 0);
	node_list_free(nodes, n);
	return n;
}

static void old_removals_are_forgotten(void **state)
{
	struct store *store = opened(true);
	struct mesh_removal **removals;
	size_t n;
	for (int i = 1; i <= 10; i++) {
		struct mesh_removal removal = { .generation = i * 2 };
		(void)snprintf(removal.public_key, sizeof(removal.public_key), "key %d", i);
		assert_int_equal(store_removal_put(store, &removal), 0);
	}
	assert_int_equal(store_removal_prune(store, 10), 0);
	assert_int_equal(store_removal_forgotten(store), 0);
	assert_int_equal(store_removal_prune(store, 3), 0);
	assert_int_equal(store_removal_forgotten(store), 14);
	assert_int_equal(store_removal_list(store, 0, &removals, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_true(removals[i]->generation > 14);
	mesh_removal_list_free(removals, n);
	assert_int_equal(store_removal_prune(store, 3), 0); // nothing more
	assert_int_equal(store_removal_forgotten(store), 14);
	store_close(store);
}

static void strangers_do_not_fill_the_audit_log(void **state)
{
	struct store *store = opened(true);
	struct audit **entries;
	size_t n;
	for (int i = 0; i < 20; i++) {
		char detail[] = "d";
		struct audit audit = { .actor = "192.0.2.1", .detail = detail };
		strcpy(audit.action, i == 3 ? "approve" : i % 2 ? "enrolment" : "token refused");
		assert_int_equal(store_audit_add(store, &audit), 0);
	}
	assert_int_equal(store_audit_prune(store, 5), 0);
	assert_int_equal(store_audit_list(store, 100, &entries, &n), 0);
	assert_int_equal(n, 6); // the newest five, and the decision
	assert_string_equal(entries[5]->action, "approve");
	assert_int_equal(entries[0]->id, 20);
	audit_list_free(entries, n);
	assert_int_equal(store_audit_prune(store, 5), 0);
	store_close(store);
}

static void nodes_are_found_by_their_hardware(void **state)
{
	struct store *store = opened(true);
	char facts[] = "{\"nics\":[{\"mac\":\"52:54:00:AA:bb:01\"}]}";
	struct node node = { .id = "n-1",
		.key = "k1",
		.name = "one",
		.number = 4,
		.uuid = "ABCD-ef",
		.serial = "S1",
		.wg_public = "w1",
		.facts = facts,
		.is_server = 1 };
	unsigned *numbers;
	size_t n, n_servers;
	assert_int_equal(store_node_put(store, &node), 0);
	store_close(store);
	store = opened(false);
	assert_int_equal(n_found(store_node_list_uuid, store, "abcd-EF"), 1);
	assert_int_equal(n_found(store_node_list_uuid, store, "abcd-e"), 0);
	assert_int_equal(n_found(store_node_list_serial, store, "S1"), 1);
	assert_int_equal(n_found(store_node_list_serial, store, "s1"), 0);
	assert_int_equal(n_found(store_node_list_wg, store, "w1"), 1);
	assert_int_equal(n_found(store_node_list_mac, store, "52:54:00:aa:bb:01"), 1);
	assert_int_equal(n_found(store_node_list_mac, store, "52:54:00:aa:bb:02"), 0);
	assert_int_equal(store_node_places(store, &numbers, &n, &n_servers), 0);
	assert_int_equal(n, 1);
	assert_int_equal(n_servers, 1);
	assert_int_equal(numbers[0], 4);
	free(numbers);
	node.state = NODE_REVOKED;
	assert_int_equal(store_node_put(store, &node), 0);
	assert_int_equal(n_found(store_node_list_uuid, store, "ABCD-ef") +
				 n_found(store_node_list_serial, store, "S1") +
				 n_found(store_node_list_wg, store, "w1") +
				 n_found(store_node_list_mac, store, "52:54:00:aa:bb:01"),
		0);
	assert_int_equal(store_node_places(store, &numbers, &n, &n_servers), 0);
	assert_int_equal(n + n_servers, 0);
	free(numbers);
	store_close(store);
}

static void records_survive(void **state)
{
	struct store *store = opened(true);
	char facts[] = "{\"a\":\"ä\"}";
	struct node node = { .id = "n-1",
		.key = "k1",
		.name = "one",
		.number = 1,
		.facts = facts,
		.mesh_generation = 5 },
		    *found;
	assert_int_equal(store_node_put(store, &node), 0);
	assert_int_equal(store_meta_set(store, "epoch", "e"), 0);
	assert_int_equal(store_next_generation(store), 1);
	assert_int_equal(store_next_generation(store), 2);
	assert_true(store_dirty(store));
	assert_int_equal(store_commit(store), 0);
	assert_false(store_dirty(store));
	assert_null(store_close(store));
	struct store *again = NULL;
	assert_int_equal(store_open(path, true, &again, NULL), -EEXIST);
	store = opened(false);
	assert_int_equal(store_node_by_key(store, "k1", &found), 0);
	assert_string_equal(found->facts, facts);
	assert_int_equal(found->mesh_generation, 5);
	assert_null(found->status);
	node_free(found);
	assert_int_equal(store_node_by_key(store, "k2", &found), -ENOENT);
	assert_int_equal(store_next_generation(store), 3);
	store_close(store);
}

static void two_regions_do_not_share_a_database(void **state)
{
	struct store *store = opened(true), *second = NULL;
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(store_open(path, false, &second, NULL), -EBUSY);
	store_close(store);
	store = opened(false);
	store_close(store);
}

static void what_is_undone_was_never_there(void **state)
{
	struct store *store = opened(true);
	struct node node = { .id = "n-1", .key = "k1" }, *found;
	assert_int_equal(store_mark(store), 0);
	assert_int_equal(store_node_put(store, &node), 0);
	assert_int_equal(store_undo(store), 0);
	assert_int_equal(store_node_by_id(store, "n-1", &found), -ENOENT);
	assert_int_equal(store_mark(store), 0);
	assert_int_equal(store_node_put(store, &node), 0);
	assert_int_equal(store_mark(store), 0); // an inner step
	node.number = 9;
	assert_int_equal(store_node_put(store, &node), 0);
	assert_int_equal(store_undo(store), 0);
	assert_int_equal(store_release(store), 0);
	assert_int_equal(store_node_by_id(store, "n-1", &found), 0);
	assert_int_equal(found->number, 0);
	node_free(found);
	store_close(store);
}

static void lists_are_in_order(void **state)
{
	struct store *store = opened(true);
	struct node **nodes;
	struct mesh_node **mesh_nodes;
	struct enrolment **entries;
	size_t n;
	int64_t count;
	for (int i = 0; i < 20; i++) {
		struct node node = { .number = 20 - i,
			.mesh_generation = i,
			.state = i == 3 ? NODE_REVOKED : NODE_APPROVED };
		struct enrolment entry = { .heard_sec = 100 - i,
			.remote_group = "a",
			.state = i % 2 ? ENROLMENT_PENDING : ENROLMENT_CLOSED };
		(void)snprintf(node.id, sizeof(node.id), "n-%d", i);
		(void)snprintf(node.key, sizeof(node.key), "k%d", i);
		(void)snprintf(entry.id, sizeof(entry.id), "e-%d", i);
		(void)snprintf(entry.key, sizeof(entry.key), "k%d", i);
		assert_int_equal(store_node_put(store, &node), 0);
		assert_int_equal(store_enrolment_put(store, &entry), 0);
	}
	assert_int_equal(store_node_list(store, &nodes, &n), 0);
	assert_int_equal(n, 20);
	assert_int_equal(nodes[0]->number, 1);
	node_list_free(nodes, n);
	assert_int_equal(store_mesh_node_list(store, 15, &mesh_nodes, &n), 0);
	assert_int_equal(n, 4);
	mesh_node_list_free(mesh_nodes, n);
	assert_int_equal(store_node_count(store), 19);
	assert_int_equal(store_enrolment_list(store, &entries, &n), 0);
	assert_string_equal(entries[0]->id, "e-19");
	enrolment_list_free(entries, n);
	assert_int_equal(store_enrolment_list_unheard(store, "a", &entries, &n), 0);
	assert_int_equal(n, 10);
	assert_string_equal(entries[0]->id, "e-19");
	enrolment_list_free(entries, n);
	assert_int_equal(store_enrolment_list_unheard(store, "", &entries, &n), 0);
	assert_int_equal(n, 10);
	enrolment_list_free(entries, n);
	assert_int_equal(store_enrolment_list_unheard(store, "b", &entries, &n), 0);
	assert_int_equal(n, 0);
	enrolment_list_free(entries, n);
	assert_int_equal(store_enrolment_count(store, "a", &count), 0);
	assert_int_equal(count, 10);
	assert_int_equal(store_enrolment_count(store, "b", &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_enrolment_remove(store, "e-19"), 0);
	assert_int_equal(store_enrolment_count(store, NULL, &count), 0);
	assert_int_equal(count, 9);
	store_close(store);
}

static void the_audit_log_grows(void **state)
{
	struct store *store = opened(true);
	struct audit **entries;
	size_t n;
	for (int i = 0; i < 3; i++) {
		struct audit audit = { .time_sec = i, .actor = "a" };
		assert_int_equal(store_audit_add(store, &audit), 0);
	}
	assert_int_equal(store_audit_list(store, 2, &entries, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(entries[0]->id, 3);
	audit_list_free(entries, n);
	store_close(store);
}

static void failing_disk_undoes_what_was_not_committed(void **state)
{
	struct store *store = opened(true);
	struct rlimit before, full;
	struct stat st;
	char wal[112], facts[8192];
	AUTO_FREE char *text = NULL;
	memset(facts, 'x', sizeof(facts) - 1);
	facts[sizeof(facts) - 1] = '\0';
	assert_int_equal(store_meta_set(store, "kept", "yes"), 0);
	assert_int_equal(store_commit(store), 0);
	assert_false(store_take_lost(store));
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	full = (struct rlimit){ (rlim_t)st.st_size, before.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(store_meta_set(store, "lost", facts), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	int r = store_commit(store);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(r < 0);
	assert_true(store_take_lost(store));
	assert_false(store_take_lost(store));
	assert_false(store_dirty(store));
	assert_int_equal(store_meta_get(store, "lost", &text), -ENOENT);
	assert_int_equal(store_meta_set(store, "after", "yes"), 0); // and it goes on
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(store_meta_get(store, "after", &text), 0);
	assert_null(store_close(store));
}

static void peers_outside_are_kept_without_a_private_key(void **state)
{
	struct store *store = opened(true);
	const struct mesh_peer laptop = { .name = "laptop",
		.public_key = "L=",
		.host = 65534,
		.generation = 7,
		.created_sec = 1,
		.actor = "uid 0" };
	struct mesh_peer *found = NULL, **peers;
	size_t n;
	assert_int_equal(store_mesh_peer_put(store, &laptop), 0);
	store_close(store);
	store = opened(false);
	assert_int_equal(store_mesh_peer_get(store, "laptop", &found), 0);
	assert_int_equal(found->host, 65534);
	mesh_peer_free(found);
	assert_int_equal(store_mesh_peer_by_key(store, "L=", &found), 0);
	assert_string_equal(found->name, "laptop");
	mesh_peer_free(found);
	assert_int_equal(store_mesh_peer_list(store, 7, &peers, &n), 0);
	assert_int_equal(n, 0);
	mesh_peer_list_free(peers, n);
	assert_int_equal(store_mesh_peer_list(store, 6, &peers, &n), 0);
	assert_int_equal(n, 1);
	mesh_peer_list_free(peers, n);
	assert_int_equal(store_mesh_peer_remove(store, "laptop"), 0);
	assert_int_equal(store_mesh_peer_get(store, "laptop", &found), -ENOENT);
	store_close(store);
}

// A region that was made before there were members: its tables come at the first start.
static void later_tables_come_to_an_older_database(void **state)
{
	struct member member = { .id = "n-1", .restart = 3, .reported_restart = -1 }, *found;
	struct job job = { .id = "j-1", .kind = "drain", .created_sec = 5 }, **jobs;
	struct rollout rollout = { .cluster = "c", .restart = 9 }, *kept;
	size_t n;
	store_close(opened(true));
	AUTO_FREE char *mended = str_format(
		"sqlite3 %s 'DROP TABLE members; DROP TABLE jobs; DROP TABLE rollouts'", path);
	assert_int_equal(system(mended), 0);
	struct store *store = opened(false);
	assert_int_equal(store_member_get(store, "n-1", &found), -ENOENT);
	assert_int_equal(store_member_put(store, &member), 0);
	assert_int_equal(store_job_put(store, &job), 0);
	job.created_sec = 4;
	strcpy(job.id, "j-2");
	assert_int_equal(store_job_put(store, &job), 0);
	assert_int_equal(store_rollout_put(store, &rollout), 0);
	store_close(store);
	store = opened(false);
	assert_int_equal(store_member_get(store, "n-1", &found), 0);
	assert_int_equal(found->restart, 3);
	assert_int_equal(found->reported_restart, -1);
	member_free(found);
	assert_int_equal(store_job_list(store, &jobs, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(jobs[0]->id, "j-2"); // the older one first
	job_list_free(jobs, n);
	assert_int_equal(store_rollout_get(store, "c", &kept), 0);
	assert_int_equal(kept->restart, 9);
	rollout_free(kept);
	assert_int_equal(store_member_remove(store, "n-1"), 0);
	assert_int_equal(store_member_get(store, "n-1", &found), -ENOENT);
	store_close(store);
}

static void servers_are_listed_apart(void **state)
{
	struct store *store = opened(true);
	struct node **nodes;
	size_t n;
	for (int i = 0; i < 4; i++) {
		struct node node = { .number = 9 - i,
			.is_server = i != 1,
			.state = i == 2 ? NODE_REVOKED : NODE_APPROVED };
		(void)snprintf(node.id, sizeof(node.id), "n-%d", i);
		(void)snprintf(node.key, sizeof(node.key), "k%d", i);
		assert_int_equal(store_node_put(store, &node), 0);
	}
	assert_int_equal(store_node_list_servers(store, &nodes, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(nodes[0]->id, "n-3");
	assert_string_equal(nodes[1]->id, "n-0");
	node_list_free(nodes, n);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(old_removals_are_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			strangers_do_not_fill_the_audit_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nodes_are_found_by_their_hardware, set_up, tear_down),
		cmocka_unit_test_setup_teardown(records_survive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			two_regions_do_not_share_a_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_undone_was_never_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_are_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			later_tables_come_to_an_older_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(servers_are_listed_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_audit_log_grows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			peers_outside_are_kept_without_a_private_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			failing_disk_undoes_what_was_not_committed, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
