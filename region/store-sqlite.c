// store.h on SQLite: WAL, synchronous=FULL. Each record type is one table of columns; put, get and
// list are made from it, so that a column is written down once. SPDX-License-Identifier: Apache-2.0
#include "region/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

enum { SCHEMA_VERSION = 1, MAX_COLUMNS = 40, SQL_TEXT = 4096, MAX_STATEMENTS = 64 };

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

struct statement {
	char *sql;
	sqlite3_stmt *stmt;
};

struct store {
	sqlite3 *db;
	bool in_transaction, lost;
	size_t n_statements;
	struct statement statements[MAX_STATEMENTS];
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

#define RECORD(type, table, columns, indexes)                                                      \
	{ table, indexes, sizeof(struct type), columns, N_ELEMENTS(columns) }
static const struct record node_record = RECORD(node, "nodes", node_columns,
	"CREATE UNIQUE INDEX nodes_key ON nodes(key); CREATE INDEX nodes_mesh ON "
	"nodes(mesh_generation);"
	"CREATE INDEX nodes_name ON nodes(name);");
static const struct record enrolment_record = RECORD(enrolment, "enrolments", enrolment_columns,
	"CREATE UNIQUE INDEX enrolments_key ON enrolments(key);"
	"CREATE INDEX enrolments_group ON enrolments(remote_group, state);"
	"CREATE INDEX enrolments_heard ON enrolments(heard_sec);");
static const struct record token_record = RECORD(token, "tokens", token_columns, "");
static const struct record token_use_record = RECORD(token_use, "token_uses", token_use_columns,
	"CREATE INDEX token_uses_hash ON token_uses(hash);");
static const struct record cluster_record = RECORD(cluster, "clusters", cluster_columns, "");
static const struct record secret_record = RECORD(secret, "secrets", secret_columns, "");
static const struct record removal_record = RECORD(mesh_removal, "mesh_removals", removal_columns,
	"CREATE INDEX mesh_removals_generation ON mesh_removals(generation);");
static const struct record audit_record = RECORD(audit, "audit", audit_columns, "");
static const struct record *const records[] = { &node_record, &enrolment_record, &token_record,
	&token_use_record, &cluster_record, &secret_record, &removal_record, &audit_record };

static int sqlite_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

// A prepared statement for @sql, made once and kept.
static int store_statement(struct store *store, const char *sql, sqlite3_stmt **ret)
{
	for (size_t i = 0; i < store->n_statements; i++)
		if (str_equal(store->statements[i].sql, sql)) {
			*ret = store->statements[i].stmt;
			return 0;
		}
	if (store->n_statements == MAX_STATEMENTS)
		return -ENOSPC;
	struct statement statement = { strdup(sql), NULL };
	int r = statement.sql ? sqlite_errno(sqlite3_prepare_v3(store->db, sql, -1,
					SQLITE_PREPARE_PERSISTENT, &statement.stmt, NULL))
			      : -ENOMEM;
	if (r < 0) {
		free(statement.sql);
		return r;
	}
	store->statements[store->n_statements++] = statement;
	*ret = statement.stmt;
	return 0;
}

static int store_run(struct store *store, const char *sql)
{
	return sqlite_errno(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static int store_begin(struct store *store)
{
	if (store->in_transaction) // a full or failing disk makes SQLite undo the whole transaction
		return sqlite3_get_autocommit(store->db) ? -EIO : 0;
	int r = store_run(store, "BEGIN IMMEDIATE");
	store->in_transaction = r >= 0;
	return r;
}

int store_commit(struct store *store)
{
	if (!store->in_transaction)
		return 0;
	int r = store_run(store, "COMMIT");
	store->lost |= r < 0 && sqlite3_get_autocommit(store->db);
	if (r >= 0 || store->lost)
		store->in_transaction = false;
	return r;
}

bool store_take_lost(struct store *store)
{
	bool lost = store->lost;
	store->lost = false;
	return lost;
}

bool store_dirty(const struct store *store)
{
	return store->in_transaction;
}

int store_mark(struct store *store)
{
	int r = store_begin(store);
	return r < 0 ? r : store_run(store, "SAVEPOINT request");
}

int store_release(struct store *store)
{
	return store_run(store, "RELEASE request");
}

int store_undo(struct store *store)
{
	int r = store_run(store, "ROLLBACK TO request");
	return r < 0 ? r : store_release(store);
}

static void sql_add(char *sql, const char *text)
{
	size_t n = strlen(sql);
	(void)snprintf(sql + n, SQL_TEXT - n, "%s", text);
}

static int schema_create(struct store *store)
{
	int r = store_run(store,
		"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(records); i++) {
		const struct record *record = records[i];
		char sql[SQL_TEXT] = "CREATE TABLE ";
		sql_add(sql, record->table);
		for (size_t c = 0; c < record->n_columns; c++) {
			sql_add(sql, c ? ", " : "(");
			sql_add(sql, record->columns[c].name);
			sql_add(sql, record->columns[c].kind == COLUMN_INT ? " INTEGER" : " TEXT");
			sql_add(sql, c ? "" : " PRIMARY KEY");
		}
		sql_add(sql, ");");
		sql_add(sql, record->indexes);
		r = store_run(store, sql);
	}
	return r < 0 ? r : store_meta_set_int(store, "schema", SCHEMA_VERSION);
}

// Indexes that came after the first release: a database that has none yet gets them.
static int schema_index(struct store *store)
{
	return store_run(store,
		"CREATE INDEX IF NOT EXISTS nodes_uuid ON nodes(uuid COLLATE NOCASE);"
		"CREATE INDEX IF NOT EXISTS nodes_serial ON nodes(serial);"
		"CREATE INDEX IF NOT EXISTS nodes_wg ON nodes(wg_public);");
}

int store_open(const char *path, bool create, struct store **ret, struct diag *reterr)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	if (create && exists)
		return diag_set(reterr, -EEXIST, path, "there is a region already");
	if (!create && !exists)
		return diag_set(
			reterr, -ENOENT, path, "there is no region yet: run hearth-region init");
	CLEANUP(store_freep) struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	int code = sqlite3_open_v2(path, &store->db,
		SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX,
		NULL);
	if (code != SQLITE_OK)
		return diag_set(reterr, sqlite_errno(code), path, "cannot be opened: %s",
			sqlite3_errmsg(store->db));
	(void)sqlite3_busy_timeout(store->db, 2000);
	int r = store_run(store,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA trusted_schema=OFF; BEGIN IMMEDIATE; COMMIT;");
	if (r < 0)
		return diag_set(reterr, r, path,
			r == -EBUSY ? "another hearth-region runs on it" : "%s",
			sqlite3_errmsg(store->db));
	if (create && ((r = store_begin(store)) < 0 || (r = schema_create(store)) < 0 ||
			      (r = store_commit(store)) < 0))
		return diag_set(reterr, r, path, "cannot be set up: %s", sqlite3_errmsg(store->db));
	if (store_meta_int(store, "schema", 0) != SCHEMA_VERSION)
		return diag_set(
			reterr, -EPROTO, path, "was made by another version of hearth-region");
	if ((r = schema_index(store)) < 0)
		return diag_set(reterr, r, path, "cannot be set up: %s", sqlite3_errmsg(store->db));
	*ret = TAKE_PTR(store);
	return 0;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	if (store->db)
		(void)store_commit(
			store); // a failure was reported by the commit that the caller did before
	for (size_t i = 0; i < store->n_statements; i++) {
		sqlite3_finalize(store->statements[i].stmt);
		free(store->statements[i].sql);
	}
	sqlite3_close(store->db);
	free(store);
	return NULL;
}

// One statement with up to two text or integer parameters, no rows wanted.
static int store_execute(struct store *store, const char *sql, const char *a, const char *b)
{
	sqlite3_stmt *stmt;
	int r = store_begin(store);
	if (r < 0 || (r = store_statement(store, sql, &stmt)) < 0)
		return r;
	sqlite3_bind_text(stmt, 1, a, -1, SQLITE_STATIC);
	if (b)
		sqlite3_bind_text(stmt, 2, b, -1, SQLITE_STATIC);
	r = sqlite_errno(sqlite3_step(stmt));
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return r;
}

int store_meta_set(struct store *store, const char *key, const char *value)
{
	return store_execute(
		store, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value);
}

int store_meta_get(struct store *store, const char *key, char **ret)
{
	sqlite3_stmt *stmt;
	int r = store_statement(store, "SELECT value FROM meta WHERE key = ?", &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	int code = sqlite3_step(stmt);
	r = code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? -ENOENT : sqlite_errno(code);
	if (r >= 0 && !(*ret = strdup((const char *)sqlite3_column_text(stmt, 0))))
		r = -ENOMEM;
	sqlite3_reset(stmt);
	return r;
}

int store_meta_set_int(struct store *store, const char *key, int64_t value)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	return store_meta_set(store, key, text);
}

int64_t store_meta_int(struct store *store, const char *key, int64_t fallback)
{
	AUTO_FREE char *text = NULL;
	return store_meta_get(store, key, &text) < 0 ? fallback : strtoll(text, NULL, 10);
}

int64_t store_next_generation(struct store *store)
{
	int64_t next = store_meta_int(store, "generation", 0) + 1;
	int r = store_meta_set_int(store, "generation", next);
	return r < 0 ? r : next;
}

static int record_put(struct store *store, const struct record *record, const void *from)
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

static void *record_release(const struct record *record, void *from)
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

/* All records of "SELECT * FROM table @rest" with one parameter, text (@text) or integer.
 * *ret: array of owned records. */
static int record_list(struct store *store, const struct record *record, const char *rest,
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

static int record_get(struct store *store, const struct record *record, const char *rest,
	const char *text, void **ret)
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

static void record_list_release(const struct record *record, void **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		record_release(record, list[i]);
	free(list);
}

static int store_count(struct store *store, const char *sql, const char *text, int64_t *ret)
{
	sqlite3_stmt *stmt;
	int r = store_statement(store, sql, &stmt);
	if (r < 0)
		return r;
	if (text)
		sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
	int code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return code == SQLITE_ROW ? 0 : sqlite_errno(code);
}

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

int store_node_list_mesh(struct store *store, int64_t since, struct node ***ret, size_t *ret_n)
{
	return record_list(store, &node_record,
		" WHERE mesh_generation > ? AND state <> 2 ORDER BY number", NULL, since,
		(void ***)ret, ret_n);
}

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

int64_t store_node_count(struct store *store)
{
	int64_t n = 0;
	int r = store_count(store, "SELECT count(*) FROM nodes WHERE state <> 2", NULL, &n);
	return r < 0 ? r : n;
}

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

int store_secret_list(struct store *store, struct secret ***ret, size_t *ret_n)
{
	return record_list(store, &secret_record, " ORDER BY id", NULL, 0, (void ***)ret, ret_n);
}

int store_removal_forget(struct store *store, const char *public_key)
{
	return store_execute(
		store, "DELETE FROM mesh_removals WHERE public_key = ?", public_key, NULL);
}

DEFINE_PUT(store_removal_put, mesh_removal, removal_record)
DEFINE_LIST_FREE(mesh_removal, removal_record)

int store_removal_list(
	struct store *store, int64_t since, struct mesh_removal ***ret, size_t *ret_n)
{
	return record_list(
		store, &removal_record, " WHERE generation > ?", NULL, since, (void ***)ret, ret_n);
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

int store_audit_list(struct store *store, int64_t max, struct audit ***ret, size_t *ret_n)
{
	return record_list(
		store, &audit_record, " ORDER BY id DESC LIMIT ?", NULL, max, (void ***)ret, ret_n);
}
