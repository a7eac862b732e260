// The database behind store.h: one SQLite file, WAL, synchronous=FULL; transactions and prepared
// statements. For the store-*.c files alone. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store.h"

#include <sqlite3.h>

enum { SQL_TEXT = 4096 };

int sqlite_errno(int code); // 0, or what SQLite's @code is as a negative errno
// A prepared statement for @sql, made once and kept. Borrowed; reset it and clear its bindings
// after use.
int store_statement(struct store *store, const char *sql, sqlite3_stmt **ret);
int store_run(struct store *store, const char *sql); // no parameters, no rows
int store_begin(struct store *store);		     // before every write
// One statement with up to two text parameters, no rows wanted.
int store_execute(struct store *store, const char *sql, const char *a, const char *b);
// The one number of @sql, with one text parameter or none (NULL).
int store_count(struct store *store, const char *sql, const char *text, int64_t *ret);
