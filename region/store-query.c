// What store.h is asked, by record type: the SQL of every put, get and list.
// SPDX-License-Identifier: Apache-2.0
#include "region/store-record.h"

#include <errno.h>

#define DEFINE_GET(function, type, record, rest)                                                   \
	int function(struct store *store, const char *value, struct type **ret)                    \
	{                                                                                          \
		void *found;                                                                       \
		int r = record_get(store, &record, rest, value, &found);                           \
		if (r >= 0)                                                                        \
			*ret = found;                                                              \
		return r;                                                                          \
	}
#define DEFINE_PUT(function, type, record)                                                         \
	int function(struct store *store, const struct type *from)                                 \
	{                                                                                          \
		return record_put(store, &record, from);                                           \
	}
#define DEFINE_FREE(type, record)                                                                  \
	struct type *type##_free(struct type *from)                                                \
	{                                                                                          \
		return record_release(&record, from);                                              \
	}
#define DEFINE_LIST_FREE(type, record)                                                             \
	void type##_list_free(struct type **list, size_t n)                                        \
	{                                                                                          \
		record_list_release(&record, (void **)list, n);                                    \
	}

DEFINE_PUT(store_node_put, node, node_record)
DEFINE_GET(store_node_by_id, node, node_record, " WHERE id = ?")
DEFINE_GET(store_node_by_key, node, node_record, " WHERE key = ?")
DEFINE_GET(store_node_by_name, node, node_record, " WHERE name = ? AND state <> 2")
DEFINE_FREE(node, node_record)
DEFINE_LIST_FREE(node, node_record)

int store_node_list(struct store *store, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record, " ORDER BY number, approved_sec", NULL, 0,
		(void ***)ret, ret_n);
}

int store_mesh_node_list(struct store *store, int64_t since, struct mesh_node ***ret, size_t *ret_n)
{
	return record_list(store, &mesh_node_record,
		" WHERE mesh_generation > ? AND state <> 2 ORDER BY number", NULL, since,
		(void ***)ret, ret_n);
}

DEFINE_GET(store_mesh_node_by_id, mesh_node, mesh_node_record, " WHERE id = ? AND state <> 2")
DEFINE_GET(store_mesh_node_by_key, mesh_node, mesh_node_record,
	" WHERE wg_public = ? AND state <> 2 ORDER BY number")
DEFINE_FREE(mesh_node, mesh_node_record)
DEFINE_LIST_FREE(mesh_node, mesh_node_record)
DEFINE_PUT(store_mesh_reach_put, mesh_reach, mesh_reach_record)
DEFINE_GET(store_mesh_reach_get, mesh_reach, mesh_reach_record, " WHERE id = ?")
DEFINE_FREE(mesh_reach, mesh_reach_record)

int store_node_list_uuid(struct store *store, const char *uuid, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record,
		" WHERE uuid = ? COLLATE NOCASE AND state <> 2 ORDER BY number", uuid, 0,
		(void ***)ret, ret_n);
}

int store_node_list_serial(
	struct store *store, const char *serial, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record, " WHERE serial = ? AND state <> 2 ORDER BY number",
		serial, 0, (void ***)ret, ret_n);
}

int store_node_list_wg(
	struct store *store, const char *wg_public, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record,
		" WHERE wg_public = ? AND state <> 2 ORDER BY number", wg_public, 0, (void ***)ret,
		ret_n);
}

int store_node_list_mac(struct store *store, const char *mac, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record,
		" WHERE state <> 2 AND instr(lower(facts), ?) ORDER BY number", mac, 0,
		(void ***)ret, ret_n);
}

int store_node_places(
	struct store *store, unsigned **ret_numbers, size_t *ret_n, size_t *ret_n_servers)
{
	sqlite3_stmt *stmt;
	int64_t n_nodes = store_node_count(store);
	AUTO_FREE unsigned *numbers =
		n_nodes < 0 ? NULL : calloc((size_t)n_nodes + 1, sizeof(*numbers));
	size_t n = 0, n_servers = 0;
	int code, r = n_nodes < 0 ? (int)n_nodes : !numbers ? -ENOMEM : 0;
	if (r < 0 || (r = store_statement(store,
			      "SELECT number, is_server FROM nodes WHERE state <> 2", &stmt)) < 0)
		return r;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && n < (size_t)n_nodes) {
		numbers[n++] = (unsigned)sqlite3_column_int64(stmt, 0);
		n_servers += sqlite3_column_int64(stmt, 1) != 0;
	}
	r = sqlite_errno(code);
	sqlite3_reset(stmt);
	if (r < 0)
		return r;
	*ret_numbers = TAKE_PTR(numbers);
	*ret_n = n;
	*ret_n_servers = n_servers;
	return 0;
}

int store_node_ids_heard(
	struct store *store, int64_t since_sec, char (**ret)[ID_TEXT], size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int64_t n_nodes = store_node_count(store);
	char(*ids)[ID_TEXT] = n_nodes < 0 ? NULL : calloc((size_t)n_nodes + 1, sizeof(*ids));
	size_t n = 0;
	int code, r = n_nodes < 0 ? (int)n_nodes : !ids ? -ENOMEM : 0;
	if (r >= 0)
		r = store_statement(store,
			"SELECT id FROM nodes WHERE state <> 2 AND quarantined = 0 AND seen_sec > ? ORDER BY id", &stmt);
	if (r < 0) {
		free(ids);
		return r;
	}
	sqlite3_bind_int64(stmt, 1, since_sec);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && n < (size_t)n_nodes)
		(void)snprintf(ids[n++], ID_TEXT, "%s", (const char *)sqlite3_column_text(stmt, 0));
	r = sqlite_errno(code);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	if (r < 0) {
		free(ids);
		return r;
	}
	*ret = ids;
	*ret_n = n;
	return 0;
}

int64_t store_node_count(struct store *store)
{
	int64_t n = 0;
	int r = store_count(store, "SELECT count(*) FROM nodes WHERE state <> 2", NULL, &n);
	return r < 0 ? r : n;
}

int store_node_list_servers(struct store *store, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record,
		" WHERE is_server = 1 AND state <> 2 ORDER BY number", NULL, 0, (void ***)ret,
		ret_n);
}

DEFINE_PUT(store_member_put, member, member_record)
DEFINE_GET(store_member_get, member, member_record, " WHERE id = ?")
DEFINE_FREE(member, member_record)
DEFINE_LIST_FREE(member, member_record)

int store_member_list(struct store *store, struct member ***ret, size_t *ret_n)
{
	return record_list(store, &member_record, "", NULL, 0, (void ***)ret, ret_n);
}

int store_member_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM members WHERE id = ?", id, NULL);
}

DEFINE_PUT(store_job_put, job, job_record)
DEFINE_GET(store_job_get, job, job_record, " WHERE id = ?")
DEFINE_FREE(job, job_record)
DEFINE_LIST_FREE(job, job_record)

int store_job_list(struct store *store, struct job ***ret, size_t *ret_n)
{
	return record_list(
		store, &job_record, " ORDER BY created_sec, id", NULL, 0, (void ***)ret, ret_n);
}

int store_job_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM jobs WHERE id = ?", id, NULL);
}

DEFINE_PUT(store_rollout_put, rollout, rollout_record)
DEFINE_GET(store_rollout_get, rollout, rollout_record, " WHERE cluster = ?")
DEFINE_FREE(rollout, rollout_record)
DEFINE_PUT(store_restore_put, restore, restore_record)
DEFINE_GET(store_restore_get, restore, restore_record, " WHERE cluster = ?")
DEFINE_FREE(restore, restore_record)

DEFINE_PUT(store_enrolment_put, enrolment, enrolment_record)
DEFINE_GET(store_enrolment_by_id, enrolment, enrolment_record, " WHERE id = ?")
DEFINE_GET(store_enrolment_by_key, enrolment, enrolment_record, " WHERE key = ?")
DEFINE_FREE(enrolment, enrolment_record)
DEFINE_LIST_FREE(enrolment, enrolment_record)

int store_enrolment_list(struct store *store, struct enrolment ***ret, size_t *ret_n)
{
	return record_list(
		store, &enrolment_record, " ORDER BY heard_sec", NULL, 0, (void ***)ret, ret_n);
}

int store_enrolment_list_unheard(
	struct store *store, const char *remote_group, struct enrolment ***ret, size_t *ret_n)
{
	return record_list(store, &enrolment_record,
		" WHERE state = 0 AND ?1 IN ('', remote_group) ORDER BY heard_sec LIMIT 64",
		remote_group, 0, (void ***)ret, ret_n);
}

int store_enrolment_count(struct store *store, const char *remote_group, int64_t *ret)
{
	return store_count(store,
		remote_group
			? "SELECT count(*) FROM enrolments WHERE state = 0 AND remote_group = ?"
			: "SELECT count(*) FROM enrolments WHERE state = 0",
		remote_group, ret);
}

int store_enrolment_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM enrolments WHERE id = ?", id, NULL);
}

int store_enrolment_prune(struct store *store, int64_t heard_before_sec)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%lld", (long long)heard_before_sec);
	return store_execute(store,
		"DELETE FROM enrolments WHERE node_id = '' AND heard_sec < CAST(? AS INTEGER)",
		text, NULL);
}

DEFINE_PUT(store_token_put, token, token_record)
DEFINE_GET(store_token_by_hash, token, token_record, " WHERE hash = ?")
DEFINE_FREE(token, token_record)
DEFINE_PUT(store_token_use_put, token_use, token_use_record)
DEFINE_LIST_FREE(token_use, token_use_record)

int store_token_use_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM token_uses WHERE id = ?", id, NULL);
}

int store_token_use_list(
	struct store *store, const char *hash, struct token_use ***ret, size_t *ret_n)
{
	return record_list(store, &token_use_record, " WHERE hash = ? ORDER BY reserved_sec", hash,
		0, (void ***)ret, ret_n);
}

DEFINE_PUT(store_cluster_put, cluster, cluster_record)
DEFINE_GET(store_cluster_get, cluster, cluster_record, " WHERE name = ?")
DEFINE_FREE(cluster, cluster_record)
DEFINE_PUT(store_secret_put, secret, secret_record)
DEFINE_GET(store_secret_get, secret, secret_record, " WHERE id = ?")
DEFINE_FREE(secret, secret_record)
DEFINE_LIST_FREE(secret, secret_record)

int store_secret_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM secrets WHERE id = ?", id, NULL);
}

int store_secret_list(struct store *store, struct secret ***ret, size_t *ret_n)
{
	return record_list(store, &secret_record, " ORDER BY id", NULL, 0, (void ***)ret, ret_n);
}

int store_removal_forget(struct store *store, const char *public_key)
{
	return store_execute(
		store, "DELETE FROM mesh_removals WHERE public_key = ?", public_key, NULL);
}

int store_removal_has(struct store *store, const char *public_key, bool *ret)
{
	int64_t n = 0;
	int r = store_count(store, "SELECT count(*) FROM mesh_removals WHERE public_key = ?",
		public_key, &n);
	*ret = n > 0;
	return r;
}

DEFINE_PUT(store_removal_put, mesh_removal, removal_record)
DEFINE_LIST_FREE(mesh_removal, removal_record)

int store_removal_list(
	struct store *store, int64_t since, struct mesh_removal ***ret, size_t *ret_n)
{
	return record_list(
		store, &removal_record, " WHERE generation > ?", NULL, since, (void ***)ret, ret_n);
}

int store_removal_prune(struct store *store, int64_t keep)
{
	char text[24];
	int64_t newest = 0;
	(void)snprintf(text, sizeof(text), "%lld", (long long)keep);
	int r = store_count(store,
		"SELECT coalesce((SELECT generation FROM mesh_removals ORDER BY generation DESC "
		"LIMIT 1 OFFSET CAST(? AS INTEGER)), 0)",
		text, &newest);
	if (r < 0 || newest == 0)
		return r;
	(void)snprintf(text, sizeof(text), "%lld", (long long)newest);
	r = store_meta_set(store, "removalsForgotten", text);
	return r < 0 ? r
		     : store_execute(store,
			       "DELETE FROM mesh_removals WHERE generation <= CAST(? AS INTEGER)",
			       text, NULL);
}

int64_t store_removal_forgotten(struct store *store)
{
	return store_meta_int(store, "removalsForgotten", 0);
}

DEFINE_PUT(store_mesh_peer_put, mesh_peer, mesh_peer_record)
DEFINE_GET(store_mesh_peer_get, mesh_peer, mesh_peer_record, " WHERE name = ?")
DEFINE_GET(store_mesh_peer_by_key, mesh_peer, mesh_peer_record, " WHERE public_key = ?")
DEFINE_FREE(mesh_peer, mesh_peer_record)
DEFINE_LIST_FREE(mesh_peer, mesh_peer_record)

int store_mesh_peer_list(
	struct store *store, int64_t since, struct mesh_peer ***ret, size_t *ret_n)
{
	return record_list(store, &mesh_peer_record, " WHERE generation > ? ORDER BY name", NULL,
		since, (void ***)ret, ret_n);
}

int store_mesh_peer_remove(struct store *store, const char *name)
{
	return store_execute(store, "DELETE FROM mesh_peers WHERE name = ?", name, NULL);
}

DEFINE_PUT(store_key_rotation_put, key_rotation, key_rotation_record)
DEFINE_GET(store_key_rotation_get, key_rotation, key_rotation_record, " WHERE id = ?")
DEFINE_GET(store_key_rotation_by_announced, key_rotation, key_rotation_record,
	" WHERE announced = ?")
DEFINE_FREE(key_rotation, key_rotation_record)
DEFINE_LIST_FREE(key_rotation, key_rotation_record)

static int list_key_rotations(
	struct store *store, const char *rest, struct key_rotation ***ret, size_t *ret_n)
{
	return record_list(store, &key_rotation_record, rest, NULL, 0, (void ***)ret, ret_n);
}

int store_key_rotation_list(struct store *store, struct key_rotation ***ret, size_t *ret_n)
{
	return list_key_rotations(store, " ORDER BY created_sec, id", ret, ret_n);
}

int store_key_rotation_list_open(struct store *store, struct key_rotation ***ret, size_t *ret_n)
{
	_Static_assert(KEY_ROTATION_DONE == 4 && KEY_ROTATION_GIVEN_UP == 6, "they stand in the query");
	return list_key_rotations(
		store, " WHERE state NOT IN (4, 6) ORDER BY created_sec, id", ret, ret_n);
}

int store_key_rotation_list_announced(
	struct store *store, struct key_rotation ***ret, size_t *ret_n)
{
	return list_key_rotations(store, " WHERE announced != ''", ret, ret_n);
}

int store_key_rotation_remove(struct store *store, const char *id)
{
	return store_execute(store, "DELETE FROM key_rotations WHERE id = ?", id, NULL);
}

DEFINE_LIST_FREE(audit, audit_record)

int store_audit_add(struct store *store, const struct audit *audit)
{
	int64_t last = 0;
	int r = store_count(store, "SELECT coalesce(max(id), 0) FROM audit", NULL, &last);
	struct audit next = *audit;
	next.id = last + 1;
	return r < 0 ? r : record_put(store, &audit_record, &next);
}

int store_audit_prune(struct store *store, int64_t keep)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%lld", (long long)keep);
	return store_execute(store,
		"DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - CAST(? AS INTEGER) "
		"AND action IN ('enrolment', 'token refused')",
		text, NULL);
}

int store_audit_list(struct store *store, int64_t max, struct audit ***ret, size_t *ret_n)
{
	return record_list(
		store, &audit_record, " ORDER BY id DESC LIMIT ?", NULL, max, (void ***)ret, ret_n);
}
