// SPDX-License-Identifier: Apache-2.0
#include "region/store-record.h"

#include <errno.h>

enum column_kind { COLUMN_TEXT, COLUMN_STRING, COLUMN_INT };

struct column {
	const char *name;
	enum column_kind
		kind; // TEXT: char array inside the record; STRING: owned char *, may be NULL
	size_t offset, size;
};

struct record {
	const char *table;
	const char *indexes; // more statements for the schema
	size_t size;
	const struct column *columns; // the first is the primary key
	size_t n_columns;
};

#define FIELD(type, name) sizeof(((struct type *)0)->name)
#define TEXT_COLUMN(type, name)                                                                    \
	{ #name, COLUMN_TEXT, offsetof(struct type, name), FIELD(type, name) }
#define STRING_COLUMN(type, name)                                                                  \
	{ #name, COLUMN_STRING, offsetof(struct type, name), FIELD(type, name) }
#define INT_COLUMN(type, name) { #name, COLUMN_INT, offsetof(struct type, name), FIELD(type, name) }

static const struct column node_columns[] = {
	TEXT_COLUMN(node, id),
	TEXT_COLUMN(node, key),
	TEXT_COLUMN(node, cluster),
	TEXT_COLUMN(node, name),
	INT_COLUMN(node, number),
	INT_COLUMN(node, state),
	INT_COLUMN(node, durable),
	INT_COLUMN(node, is_server),
	INT_COLUMN(node, quarantined),
	TEXT_COLUMN(node, uuid),
	TEXT_COLUMN(node, serial),
	STRING_COLUMN(node, facts),
	TEXT_COLUMN(node, wg_public),
	STRING_COLUMN(node, certificate),
	TEXT_COLUMN(node, pod_cidr),
	TEXT_COLUMN(node, reported_pod_cidr),
	STRING_COLUMN(node, status),
	TEXT_COLUMN(node, boot_id),
	TEXT_COLUMN(node, older_boot_ids),
	INT_COLUMN(node, n_clone_hints),
	INT_COLUMN(node, ready),
	INT_COLUMN(node, assignment_generation),
	TEXT_COLUMN(node, assignment_hash),
	INT_COLUMN(node, mesh_generation),
	TEXT_COLUMN(node, code),
	TEXT_COLUMN(node, remote),
	INT_COLUMN(node, approved_sec),
	INT_COLUMN(node, seen_sec),
	INT_COLUMN(node, ready_sec),
};
static const struct column enrolment_columns[] = {
	TEXT_COLUMN(enrolment, id),
	TEXT_COLUMN(enrolment, key),
	INT_COLUMN(enrolment, state),
	STRING_COLUMN(enrolment, spki),
	TEXT_COLUMN(enrolment, commitment),
	TEXT_COLUMN(enrolment, node_nonce),
	TEXT_COLUMN(enrolment, region_nonce),
	INT_COLUMN(enrolment, wrong_codes),
	TEXT_COLUMN(enrolment, token_hash),
	TEXT_COLUMN(enrolment, token_problem),
	STRING_COLUMN(enrolment, token_sentence),
	STRING_COLUMN(enrolment, facts),
	TEXT_COLUMN(enrolment, wg_public),
	INT_COLUMN(enrolment, durable),
	INT_COLUMN(enrolment, unauthenticated),
	TEXT_COLUMN(enrolment, uuid),
	TEXT_COLUMN(enrolment, serial),
	TEXT_COLUMN(enrolment, replaces),
	TEXT_COLUMN(enrolment, node_id),
	TEXT_COLUMN(enrolment, remote),
	TEXT_COLUMN(enrolment, remote_group),
	INT_COLUMN(enrolment, created_sec),
	INT_COLUMN(enrolment, heard_sec),
	INT_COLUMN(enrolment, code_sec),
};
static const struct column token_columns[] = {
	TEXT_COLUMN(token, hash),
	TEXT_COLUMN(token, cluster),
	TEXT_COLUMN(token, role),
	TEXT_COLUMN(token, node),
	INT_COLUMN(token, count),
	INT_COLUMN(token, expires_sec),
	INT_COLUMN(token, created_sec),
};
static const struct column token_use_columns[] = {
	TEXT_COLUMN(token_use, id),
	TEXT_COLUMN(token_use, hash),
	TEXT_COLUMN(token_use, key),
	INT_COLUMN(token_use, burned),
	INT_COLUMN(token_use, reserved_sec),
	INT_COLUMN(token_use, heard_sec),
	TEXT_COLUMN(token_use, uuid),
	TEXT_COLUMN(token_use, name),
};
static const struct column cluster_columns[] = {
	TEXT_COLUMN(cluster, name),
	TEXT_COLUMN(cluster, first_server),
	STRING_COLUMN(cluster, ca_cert),
	STRING_COLUMN(cluster, ca_hash),
	STRING_COLUMN(cluster, endpoints),
	STRING_COLUMN(cluster, identity_hash),
	INT_COLUMN(cluster, ever_ready),
	INT_COLUMN(cluster, handed_over),
	TEXT_COLUMN(cluster, bootstrap_digest),
};
static const struct column secret_columns[] = {
	TEXT_COLUMN(secret, id),
	STRING_COLUMN(secret, sealed),
	INT_COLUMN(secret, rotate),
};
static const struct column removal_columns[] = {
	TEXT_COLUMN(mesh_removal, public_key),
	TEXT_COLUMN(mesh_removal, cluster),
	INT_COLUMN(mesh_removal, generation),
};
static const struct column audit_columns[] = {
	INT_COLUMN(audit, id),
	INT_COLUMN(audit, time_sec),
	TEXT_COLUMN(audit, actor),
	TEXT_COLUMN(audit, action),
	TEXT_COLUMN(audit, subject),
	STRING_COLUMN(audit, detail),
};
static const struct column mesh_reach_columns[] = {
	TEXT_COLUMN(mesh_reach, id),
	STRING_COLUMN(mesh_reach, place),
	INT_COLUMN(mesh_reach, view_generation),
	INT_COLUMN(mesh_reach, changed_sec),
};
static const struct column mesh_node_columns[] = { // of MESH_NODES
	TEXT_COLUMN(mesh_node, id),
	TEXT_COLUMN(mesh_node, name),
	INT_COLUMN(mesh_node, number),
	TEXT_COLUMN(mesh_node, wg_public),
	TEXT_COLUMN(mesh_node, pod_cidr),
	INT_COLUMN(mesh_node, mesh_generation),
	INT_COLUMN(mesh_node, state),
	STRING_COLUMN(mesh_node, place),
};
#define MESH_NODES                                                                                 \
	"(SELECT n.id, n.name, n.number, n.wg_public, n.pod_cidr, n.mesh_generation, n.state, "    \
	"r.place FROM nodes n LEFT JOIN mesh_reaches r ON r.id = n.id)"
static const struct column mesh_peer_columns[] = {
	TEXT_COLUMN(mesh_peer, name),
	TEXT_COLUMN(mesh_peer, public_key),
	INT_COLUMN(mesh_peer, host),
	INT_COLUMN(mesh_peer, generation),
	INT_COLUMN(mesh_peer, created_sec),
	TEXT_COLUMN(mesh_peer, actor),
};
static const struct column member_columns[] = {
	TEXT_COLUMN(member, id),
	INT_COLUMN(member, admitted_sec),
	INT_COLUMN(member, voter),
	INT_COLUMN(member, voter_sec),
	TEXT_COLUMN(member, etcd_name),
	TEXT_COLUMN(member, server),
	INT_COLUMN(member, restart),
	STRING_COLUMN(member, settings),
	INT_COLUMN(member, reported_restart),
	TEXT_COLUMN(member, reported_payload),
};
static const struct column job_columns[] = {
	TEXT_COLUMN(job, id),
	TEXT_COLUMN(job, kind),
	TEXT_COLUMN(job, node),
	TEXT_COLUMN(job, node_id),
	INT_COLUMN(job, was_server),
	TEXT_COLUMN(job, server),
	INT_COLUMN(job, state),
	STRING_COLUMN(job, sentence),
	INT_COLUMN(job, created_sec),
};
static const struct column rollout_columns[] = {
	TEXT_COLUMN(rollout, cluster),
	INT_COLUMN(rollout, state),
	INT_COLUMN(rollout, restart),
	INT_COLUMN(rollout, all),
	TEXT_COLUMN(rollout, node),
	INT_COLUMN(rollout, step),
	INT_COLUMN(rollout, since_sec),
	TEXT_COLUMN(rollout, job),
	INT_COLUMN(rollout, n_done),
	INT_COLUMN(rollout, started_sec),
	INT_COLUMN(rollout, timeout_sec),
	STRING_COLUMN(rollout, sentence),
	TEXT_COLUMN(rollout, actor),
};

static const struct column restore_columns[] = {
	TEXT_COLUMN(restore, cluster),
	INT_COLUMN(restore, n),
	INT_COLUMN(restore, state),
	TEXT_COLUMN(restore, node),
	TEXT_COLUMN(restore, snapshot),
	INT_COLUMN(restore, started_sec),
	STRING_COLUMN(restore, sentence),
	TEXT_COLUMN(restore, actor),
};

static const struct column key_rotation_columns[] = {
	TEXT_COLUMN(key_rotation, id),
	INT_COLUMN(key_rotation, state),
	TEXT_COLUMN(key_rotation, announced),
	INT_COLUMN(key_rotation, generation),
	INT_COLUMN(key_rotation, created_sec),
	INT_COLUMN(key_rotation, state_sec),
	INT_COLUMN(key_rotation, changed_sec),
	TEXT_COLUMN(key_rotation, actor),
};

#define RECORD(type, table, columns, indexes)                                                      \
	{ table, indexes, sizeof(struct type), columns, N_ELEMENTS(columns) }
const struct record node_record = RECORD(node, "nodes", node_columns,
	"CREATE UNIQUE INDEX nodes_key ON nodes(key); CREATE INDEX nodes_mesh ON "
	"nodes(mesh_generation);"
	"CREATE INDEX nodes_name ON nodes(name);");
const struct record enrolment_record = RECORD(enrolment, "enrolments", enrolment_columns,
	"CREATE UNIQUE INDEX enrolments_key ON enrolments(key);"
	"CREATE INDEX enrolments_group ON enrolments(remote_group, state);"
	"CREATE INDEX enrolments_heard ON enrolments(heard_sec);");
const struct record token_record = RECORD(token, "tokens", token_columns, "");
const struct record token_use_record = RECORD(token_use, "token_uses", token_use_columns,
	"CREATE INDEX token_uses_hash ON token_uses(hash);");
const struct record cluster_record = RECORD(cluster, "clusters", cluster_columns, "");
const struct record secret_record = RECORD(secret, "secrets", secret_columns, "");
const struct record removal_record = RECORD(mesh_removal, "mesh_removals", removal_columns,
	"CREATE INDEX mesh_removals_generation ON mesh_removals(generation);");
const struct record audit_record = RECORD(audit, "audit", audit_columns, "");
const struct record mesh_peer_record = RECORD(mesh_peer, "mesh_peers", mesh_peer_columns, "");
const struct record mesh_reach_record = RECORD(mesh_reach, "mesh_reaches", mesh_reach_columns, "");
const struct record mesh_node_record = RECORD(mesh_node, MESH_NODES, mesh_node_columns, "");
const struct record member_record = RECORD(member, "members", member_columns, "");
const struct record job_record = RECORD(job, "jobs", job_columns, "");
const struct record key_rotation_record =
	RECORD(key_rotation, "key_rotations", key_rotation_columns, "");
const struct record rollout_record = RECORD(rollout, "rollouts", rollout_columns, "");
const struct record restore_record = RECORD(restore, "restores", restore_columns, "");
static const struct record *const records[] = { &node_record, &enrolment_record, &token_record,
	&token_use_record, &cluster_record, &secret_record, &removal_record, &audit_record };

static void sql_add(char *sql, const char *text)
{
	size_t n = strlen(sql);
	(void)snprintf(sql + n, SQL_TEXT - n, "%s", text);
}

static int create_table(struct store *store, const char *create, const struct record *record)
{
	char sql[SQL_TEXT] = "";
	sql_add(sql, create);
	sql_add(sql, record->table);
	for (size_t c = 0; c < record->n_columns; c++) {
		sql_add(sql, c ? ", \"" : "(\"");
		sql_add(sql, record->columns[c].name);
		sql_add(sql, record->columns[c].kind == COLUMN_INT ? "\" INTEGER" : "\" TEXT");
		sql_add(sql, c ? "" : " PRIMARY KEY");
	}
	sql_add(sql, ");");
	sql_add(sql, record->indexes);
	return store_run(store, sql);
}

int schema_create(struct store *store)
{
	int r = store_run(store,
		"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(records); i++)
		r = create_table(store, "CREATE TABLE ", records[i]);
	return r;
}

int schema_index(struct store *store)
{
	static const struct record *const later[] = { &mesh_peer_record, &mesh_reach_record,
		&member_record, &job_record, &rollout_record, &restore_record,
		&key_rotation_record };
	for (size_t i = 0; i < N_ELEMENTS(later); i++) {
		int r = create_table(store, "CREATE TABLE IF NOT EXISTS ", later[i]);
		if (r < 0)
			return r;
	}
	return store_run(store,
		"CREATE INDEX IF NOT EXISTS nodes_servers ON nodes(number) WHERE is_server = 1;"
		"CREATE INDEX IF NOT EXISTS nodes_uuid ON nodes(uuid COLLATE NOCASE);"
		"CREATE INDEX IF NOT EXISTS nodes_serial ON nodes(serial);"
		"CREATE INDEX IF NOT EXISTS nodes_wg ON nodes(wg_public);");
}

int record_put(struct store *store, const struct record *record, const void *from)
{
	char sql[SQL_TEXT] = "INSERT OR REPLACE INTO ";
	sql_add(sql, record->table);
	sql_add(sql, " VALUES(?");
	for (size_t c = 1; c < record->n_columns; c++)
		sql_add(sql, ",?");
	sql_add(sql, ")");
	sqlite3_stmt *stmt;
	int r = store_begin(store);
	if (r < 0 || (r = store_statement(store, sql, &stmt)) < 0)
		return r;
	for (size_t c = 0; c < record->n_columns; c++) {
		const struct column *column = &record->columns[c];
		const char *field = (const char *)from + column->offset;
		switch (column->kind) {
		case COLUMN_TEXT:
			sqlite3_bind_text(stmt, (int)c + 1, field, -1, SQLITE_STATIC);
			break;
		case COLUMN_STRING: {
			char *text;
			memcpy(&text, field, sizeof(text));
			sqlite3_bind_text(
				stmt, (int)c + 1, text, -1, SQLITE_STATIC); // NULL binds NULL
			break;
		}
		case COLUMN_INT: {
			int64_t number;
			memcpy(&number, field, sizeof(number));
			sqlite3_bind_int64(stmt, (int)c + 1, number);
			break;
		}
		}
	}
	r = sqlite_errno(sqlite3_step(stmt));
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return r;
}

void *record_release(const struct record *record, void *from)
{
	if (!from)
		return NULL;
	for (size_t c = 0; c < record->n_columns; c++)
		if (record->columns[c].kind == COLUMN_STRING) {
			char *text;
			memcpy(&text, (char *)from + record->columns[c].offset, sizeof(text));
			free(text);
		}
	free(from);
	return NULL;
}

static void *record_read(const struct record *record, sqlite3_stmt *stmt)
{
	char *into = calloc(1, record->size);
	for (size_t c = 0; into && c < record->n_columns; c++) {
		const struct column *column = &record->columns[c];
		const char *text = (const char *)sqlite3_column_text(stmt, (int)c);
		switch (column->kind) {
		case COLUMN_TEXT:
			(void)snprintf(into + column->offset, column->size, "%s", text ? text : "");
			break;
		case COLUMN_STRING: {
			char *copy = text ? strdup(text) : NULL;
			if (text && !copy)
				return record_release(record, into);
			memcpy(into + column->offset, &copy, sizeof(copy));
			break;
		}
		case COLUMN_INT: {
			int64_t number = sqlite3_column_int64(stmt, (int)c);
			memcpy(into + column->offset, &number, sizeof(number));
			break;
		}
		}
	}
	return into;
}

int record_list(struct store *store, const struct record *record, const char *rest,
	const char *text, int64_t number, void ***ret, size_t *ret_n)
{
	char sql[SQL_TEXT] = "SELECT * FROM ";
	sql_add(sql, record->table);
	sql_add(sql, rest);
	sqlite3_stmt *stmt;
	int code, r = store_statement(store, sql, &stmt);
	if (r < 0)
		return r;
	if (strchr(rest, '?')) {
		if (text)
			sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(stmt, 1, number);
	}
	void **list = NULL;
	size_t n = 0, n_alloc = 0;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && r >= 0) {
		if (n == n_alloc) {
			n_alloc = n_alloc ? n_alloc * 2 : 8;
			void **more = realloc(list, n_alloc * sizeof(*list));
			if (!more) {
				r = -ENOMEM;
				break;
			}
			list = more;
		}
		list[n] = record_read(record, stmt);
		if (!list[n])
			r = -ENOMEM;
		else
			n++;
	}
	if (r >= 0)
		r = sqlite_errno(code);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			record_release(record, list[i]);
		free(list);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int record_get(struct store *store, const struct record *record, const char *rest, const char *text,
	void **ret)
{
	AUTO_FREE void **list = NULL;
	size_t n;
	int r = record_list(store, record, rest, text, 0, &list, &n);
	if (r < 0)
		return r;
	for (size_t i = 1; i < n; i++)
		record_release(record, list[i]);
	if (n == 0)
		return -ENOENT;
	*ret = list[0];
	return 0;
}

void record_list_release(const struct record *record, void **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		record_release(record, list[i]);
	free(list);
}
