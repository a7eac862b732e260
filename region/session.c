// SPDX-License-Identifier: Apache-2.0
#include "region/session.h"

#include "base/crypto.h"
#include "base/time.h"

#include <errno.h>
#include <gnutls/crypto.h>

enum { PASSWORD_ROUNDS = 300000, SALT_BYTES = 16, TRY_BUCKETS = 256 };

struct session_table {
	struct session sessions[SESSION_MAX]; // id "" is free
	bool trying;			      // somebody's password is being derived
	uint64_t last_failed_usec;	      // by anybody: a password takes processor time
	uint64_t failed_usec[TRY_BUCKETS]; // by address; addresses may share one, which only makes
					   // both wait
};

struct session_table *session_table_new(void)
{
	return calloc(1, sizeof(struct session_table));
}

struct session_table *session_table_free(struct session_table *table)
{
	if (table)
		crypto_wipe(table, sizeof(*table));
	free(table);
	return NULL;
}

static void random_text(char ret[static SESSION_ID_TEXT])
{
	uint8_t bytes[32];
	crypto_random(bytes, sizeof(bytes));
	AUTO_FREE char *text = base64url_encode(bytes, sizeof(bytes));
	(void)snprintf(ret, SESSION_ID_TEXT, "%s", text ? text : "");
	crypto_wipe(bytes, sizeof(bytes));
}

const struct session *session_start(struct session_table *table)
{
	struct session *oldest = &table->sessions[0];
	for (size_t i = 0; i < SESSION_MAX; i++) {
		struct session *session = &table->sessions[i];
		if (!session->id[0] || (oldest->id[0] && session->used_usec < oldest->used_usec))
			oldest = session;
	}
	*oldest = (struct session){ 0 };
	random_text(oldest->id);
	random_text(oldest->csrf);
	oldest->used_usec = time_boot_usec();
	return oldest->id[0] && oldest->csrf[0] ? oldest : NULL;
}

void session_end(struct session_table *table, const struct session *session)
{
	for (size_t i = 0; i < SESSION_MAX; i++)
		if (&table->sessions[i] == session)
			crypto_wipe(&table->sessions[i], sizeof(table->sessions[i]));
}

const struct session *session_of_cookie(struct session_table *table, const char *cookie)
{
	const char *id = cookie && table ? strstr(cookie, "hearth-session=") : NULL;
	uint64_t now_usec = time_boot_usec();
	if (!id)
		return NULL;
	id += strlen("hearth-session=");
	size_t n = strcspn(id, "; ");
	for (size_t i = 0; i < SESSION_MAX; i++) {
		struct session *session = &table->sessions[i];
		if (!session->id[0] || n != strlen(session->id) ||
			!crypto_equal(session->id, id, n))
			continue;
		if (now_usec - session->used_usec > SESSION_IDLE_SEC * USEC_PER_SEC) {
			session_end(table, session);
			return NULL;
		}
		session->used_usec = now_usec;
		return session;
	}
	return NULL;
}

static struct session *session_own(struct session_table *table, const struct session *session)
{
	return &table->sessions[session - table->sessions];
}

void session_say(struct session_table *table, const struct session *session, bool is_error,
	const char *sentence)
{
	struct session *own = session_own(table, session);
	own->said_is_error = is_error;
	(void)snprintf(own->said, sizeof(own->said), "%s", sentence);
}

void session_take_said(struct session_table *table, const struct session *session,
	char ret[static 512], bool *ret_is_error)
{
	struct session *own = session_own(table, session);
	memcpy(ret, own->said, sizeof(own->said));
	*ret_is_error = own->said_is_error;
	own->said[0] = '\0';
}

static size_t bucket_of(const char *remote)
{
	uint8_t hash[SHA256_BYTES];
	sha256(remote, strlen(remote), hash);
	return hash[0];
}

bool session_try_begin(struct session_table *table, const char *remote)
{
	uint64_t now_usec = time_boot_usec(), failed_usec = table->failed_usec[bucket_of(remote)];
	if (table->trying ||
		(table->last_failed_usec &&
			now_usec - table->last_failed_usec < USEC_PER_SEC / 4) ||
		(failed_usec && now_usec - failed_usec <= 2 * USEC_PER_SEC))
		return false;
	table->trying = true;
	return true;
}

void session_try_end(struct session_table *table, const char *remote, bool fits)
{
	table->trying = false;
	if (!fits)
		table->failed_usec[bucket_of(remote)] = table->last_failed_usec = time_boot_usec();
}

bool session_csrf_fits(const struct session *session, const char *token)
{
	size_t n = strlen(session->csrf);
	return token && strlen(token) == n && crypto_equal(session->csrf, token, n);
}

static int derive(const char *password, const uint8_t *salt, unsigned rounds,
	uint8_t ret[static SHA256_BYTES])
{
	gnutls_datum_t key = { (unsigned char *)password, (unsigned)strlen(password) };
	gnutls_datum_t salt_datum = { (unsigned char *)salt, SALT_BYTES };
	return gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &salt_datum, rounds, ret, SHA256_BYTES) < 0
		       ? -ENOMEM
		       : 0;
}

int password_hash(const char *password, char ret[static PASSWORD_HASH_TEXT])
{
	uint8_t salt[SALT_BYTES], hash[SHA256_BYTES];
	char salt_hex[2 * SALT_BYTES + 1], hash_hex[SHA256_HEX + 1];
	crypto_random(salt, sizeof(salt));
	int r = derive(password, salt, PASSWORD_ROUNDS, hash);
	if (r < 0)
		return r;
	hex_encode(salt, sizeof(salt), salt_hex);
	hex_encode(hash, sizeof(hash), hash_hex);
	(void)snprintf(ret, PASSWORD_HASH_TEXT, "pbkdf2-sha256$%d$%s$%s", PASSWORD_ROUNDS, salt_hex,
		hash_hex);
	return 0;
}

bool password_fits(const char *password, const char *hash)
{
	unsigned rounds = 0;
	char salt_hex[2 * SALT_BYTES + 1], hash_hex[SHA256_HEX + 1];
	uint8_t salt[SALT_BYTES], wanted[SHA256_BYTES], given[SHA256_BYTES];
	if (!password ||
		sscanf(hash, "pbkdf2-sha256$%u$%32[0-9a-f]$%64[0-9a-f]", &rounds, salt_hex,
			hash_hex) != 3 ||
		rounds == 0 || hex_decode(salt_hex, salt, sizeof(salt)) < 0 ||
		hex_decode(hash_hex, wanted, sizeof(wanted)) < 0 ||
		derive(password, salt, rounds, given) < 0)
		return false;
	return crypto_equal(wanted, given, sizeof(wanted));
}
