// Logins at the page: the administrator's password, sessions in memory, the token that forms repeat
// (CSRF). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum { SESSION_ID_TEXT = 44, SESSION_IDLE_SEC = 3600, SESSION_MAX = 32, PASSWORD_HASH_TEXT = 160 };

struct session {
	char id[SESSION_ID_TEXT], csrf[SESSION_ID_TEXT];
	uint64_t used_usec;
	char said[512]; // what the last form did, shown once
	bool said_is_error;
};
struct session_table;
struct session_table *session_table_new(void);
struct session_table *session_table_free(struct session_table *table);
// A new session; the one longest unused goes when the table is full.
const struct session *session_start(struct session_table *table);
void session_end(struct session_table *table, const struct session *session);
// The live session that a Cookie header names, or NULL. Borrowed.
const struct session *session_of_cookie(struct session_table *table, const char *cookie);
// Leave a sentence for the next page of this session.
void session_say(struct session_table *table, const struct session *session, bool is_error,
	const char *sentence);
// Take it: *ret_is_error, and the sentence (""  for none) into @ret.
void session_take_said(struct session_table *table, const struct session *session,
	char ret[static 512], bool *ret_is_error);
/* May this address try a password now? After a wrong one it waits two seconds, everybody a quarter
 * of one; and one password is tried at a time, since deriving its key takes a processor a tenth of
 * a second. True: end it by session_try_end(). Both under the region's lock, the deriving in
 * between without it. */
bool session_try_begin(struct session_table *table, const char *remote);
void session_try_end(struct session_table *table, const char *remote, bool fits);
bool session_csrf_fits(const struct session *session, const char *token);

// "pbkdf2-sha256$ROUNDS$SALT$HASH" of @password with a new salt. 0 or -ENOMEM.
int password_hash(const char *password, char ret[static PASSWORD_HASH_TEXT]);
bool password_fits(const char *password, const char *hash);
