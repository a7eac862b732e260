// Records as tables: each record type is one list of columns, and schema, put, get and list are
// made from it, so that a column is written down once. For the store-*.c files alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store-sqlite.h"

struct record;
extern const struct record node_record, enrolment_record, token_record, token_use_record,
	cluster_record, secret_record, removal_record, audit_record, mesh_peer_record,
	mesh_reach_record, mesh_node_record, member_record, job_record, rollout_record, restore_record,
	key_rotation_record;

int schema_create(struct store *store); // all tables of a new database
int schema_index(struct store *store);	// what a database of an earlier release lacks
int record_put(struct store *store, const struct record *record, const void *from);
void *record_release(const struct record *record, void *from); // returns NULL
/* All records of "SELECT * FROM table @rest" with one parameter, text (@text) or integer.
 * *ret: array of owned records. */
int record_list(struct store *store, const struct record *record, const char *rest,
	const char *text, int64_t number, void ***ret, size_t *ret_n);
// The first of them; -ENOENT.
int record_get(struct store *store, const struct record *record, const char *rest, const char *text,
	void **ret);
void record_list_release(const struct record *record, void **list, size_t n);
