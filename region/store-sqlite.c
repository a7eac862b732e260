// SPDX-License-Identifier: Apache-2.0
#include "region/store-sqlite.h"

#include "region/store-record.h"

#include <errno.h>
#include <sys/stat.h>

enum { SCHEMA_VERSION = 1, MAX_STATEMENTS = 96 };

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

int sqlite_errno(int code)
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

int store_statement(struct store *store, const char *sql, sqlite3_stmt **ret)
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

int store_run(struct store *store, const char *sql)
{
	return sqlite_errno(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

int store_begin(struct store *store)
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
			      (r = store_meta_set_int(store, "schema", SCHEMA_VERSION)) < 0 ||
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

int store_execute(struct store *store, const char *sql, const char *a, const char *b)
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

int store_count(struct store *store, const char *sql, const char *text, int64_t *ret)
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
