// SPDX-License-Identifier: Apache-2.0
#include "agent/store.h"
#include "agent/root-path.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/url.h"
#include <errno.h>

enum { REGION_MAX_BYTES = 64 << 10, SECRETS_MAX_BYTES = 1 << 20, SECRET_TEXT_MAX = 1024,
	LOGIN_TEXT_MAX = 16 << 10, REGISTRIES_TEXT_MAX = 256 << 10 }; // docs/contracts.md, Secrets

static void wipe_free(char **text)
{
	if (*text)
		crypto_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static int save_text(const char *root, const char *path, char *text, mode_t mode, struct diag *reterr)
{
	if (!text)
		return -ENOMEM;
	return file_save_checked(root_path(root, path).text, text, strlen(text), mode, reterr);
}

// --- region ---

void region_record_done(struct region_record *record)
{
	for (size_t i = 0; i < record->n_urls; i++)
		free(record->urls[i]);
	for (size_t i = 0; i < record->n_signing_keys; i++)
		free(record->signing_keys[i]);
	free(record->ca_pem);
	if (record->proxy)
		crypto_wipe(record->proxy, strlen(record->proxy)); // it may hold a password
	free(record->proxy);
	*record = (struct region_record){ 0 };
}

static bool has_url(const struct region_record *record, const char *url)
{
	for (size_t i = 0; i < record->n_urls; i++)
		if (str_equal(record->urls[i], url))
			return true;
	return false;
}

static bool has_pin(const struct region_record *record, const uint8_t pin[static 32])
{
	for (size_t i = 0; i < record->n_pins; i++)
		if (memcmp(record->pins[i], pin, 32) == 0)
			return true;
	return false;
}

int region_record_add(struct region_record *record, const char *const *urls, size_t n_urls, const uint8_t (*pins)[32],
	size_t n_pins)
{
	for (size_t i = 0; i < n_urls && record->n_urls < SEED_MAX_URLS; i++) {
		if (has_url(record, urls[i]))
			continue;
		if (!(record->urls[record->n_urls] = strdup(urls[i])))
			return -ENOMEM;
		record->n_urls++;
	}
	for (size_t i = 0; i < n_pins && record->n_pins < SEED_MAX_PINS; i++)
		if (!has_pin(record, pins[i]))
			memcpy(record->pins[record->n_pins++], pins[i], 32);
	return 0;
}

int region_record_set_keys(struct region_record *record, char *const *keys, size_t n_keys)
{
	for (size_t i = 0; i < record->n_signing_keys; i++)
		free(record->signing_keys[i]);
	record->n_signing_keys = 0;
	for (size_t i = 0; i < n_keys && i < SEED_MAX_KEYS; i++) {
		if (!(record->signing_keys[i] = strdup(keys[i])))
			return -ENOMEM;
		record->n_signing_keys++;
	}
	return 0;
}

static int parse_keys(const struct value *list, struct region_record *ret, struct diag *reterr)
{
	for (size_t i = 0; list && list->type == VALUE_ARRAY && i < list->n && i < SEED_MAX_KEYS; i++) {
		const char *pem;
		int r = value_string(&list->items[i], "signingKeys", &pem, reterr);
		if (r < 0)
			return r;
		if (!(ret->signing_keys[i] = strdup(pem)))
			return -ENOMEM;
		ret->n_signing_keys++;
	}
	return 0;
}

static int parse_region(const struct value *document, struct region_record *ret, struct diag *reterr)
{
	const struct value *urls = value_find(document, "urls"), *pins = value_find(document, "pins");
	const char *ca = value_text(value_find(document, "ca")), *proxy = value_text(value_find(document, "proxy"));
	int r = value_int(value_find(document, "heardMsec"), "heardMsec", 0, INT64_MAX / 2, &ret->heard_msec, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; urls && urls->type == VALUE_ARRAY && i < urls->n; i++) {
		const char *url;
		if ((r = value_string(&urls->items[i], "urls", &url, reterr)) < 0 ||
			(r = region_record_add(ret, &url, 1, NULL, 0)) < 0)
			return r;
	}
	for (size_t i = 0; pins && pins->type == VALUE_ARRAY && i < pins->n; i++) {
		const char *pin;
		uint8_t hash[1][32];
		if ((r = value_string(&pins->items[i], "pins", &pin, reterr)) < 0)
			return r;
		if (pin_parse(pin, hash[0]) < 0)
			return diag_set(reterr, -EINVAL, "pins", "must be sha256: and 64 hex digits");
		if ((r = region_record_add(ret, NULL, 0, (const uint8_t(*)[32])hash, 1)) < 0)
			return r;
	}
	if ((r = parse_keys(value_find(document, "signingKeys"), ret, reterr)) < 0)
		return r;
	if (ca && !(ret->ca_pem = strdup(ca)))
		return -ENOMEM;
	if (proxy && (r = url_proxy(proxy, &ret->proxy)) < 0)
		return diag_set(reterr, r, "proxy", "must be http://[USER:PASSWORD@]HOST:PORT");
	return ret->n_urls ? 0 : diag_set(reterr, -EINVAL, "urls", "is missing");
}

int region_record_parse(const char *json, size_t n, struct region_record *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	*ret = (struct region_record){ 0 };
	int r = json_parse(json, n, REGION_MAX_BYTES, &document, reterr);
	if (r == 0)
		r = parse_region(document, ret, reterr);
	if (r < 0)
		region_record_done(ret);
	return r;
}

int region_record_load(const char *root, struct region_record *ret)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	*ret = (struct region_record){ 0 };
	int r = file_load_checked(root_path(root, STATE_REGION).text, REGION_MAX_BYTES, &text, &n, NULL);
	return r < 0 ? r : region_record_parse(text, n, ret, NULL);
}

int region_record_save(const char *root, const struct region_record *record, struct diag *reterr)
{
	struct json_out out = { 0 };
	char pin[PIN_TEXT];
	json_out_object_begin(&out);
	json_out_key(&out, "urls");
	json_out_array_begin(&out);
	for (size_t i = 0; i < record->n_urls; i++)
		json_out_string(&out, record->urls[i]);
	json_out_array_end(&out);
	json_out_key(&out, "pins");
	json_out_array_begin(&out);
	for (size_t i = 0; i < record->n_pins; i++) {
		pin_format(record->pins[i], pin);
		json_out_string(&out, pin);
	}
	json_out_array_end(&out);
	json_out_key(&out, "signingKeys");
	json_out_array_begin(&out);
	for (size_t i = 0; i < record->n_signing_keys; i++)
		json_out_string(&out, record->signing_keys[i]);
	json_out_array_end(&out);
	json_out_member(&out, "ca", record->ca_pem);
	json_out_member(&out, "proxy", record->proxy);
	json_out_member_int(&out, "heardMsec", record->heard_msec);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	return save_text(root, STATE_REGION, text, 0600, reterr);
}

// --- assignment and mesh ---

int assignment_load(const char *root, struct assignment **ret)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	int r = file_load_checked(root_path(root, STATE_ASSIGNMENT).text, ASSIGNMENT_MAX_BYTES, &text, &n, NULL);
	return r < 0 ? r : assignment_decode(text, n, ret, NULL);
}

int assignment_save(const char *root, const struct assignment *assignment, struct diag *reterr)
{
	return save_text(root, STATE_ASSIGNMENT, assignment->text, 0600, reterr);
}

int mesh_peers_load(const char *root, struct mesh_peers *ret)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	int r = file_load_checked(root_path(root, STATE_MESH).text, MESH_MAX_BYTES, &text, &n, NULL);
	return r < 0 ? r : mesh_peers_update(ret, text, n, NULL);
}

int mesh_peers_save(const char *root, const struct mesh_peers *peers, struct diag *reterr)
{
	char *text AUTO_FREE = mesh_peers_to_json(peers);
	return save_text(root, STATE_MESH, text, 0600, reterr);
}

// --- secrets ---

void secrets_done(struct secrets *secrets)
{
	wipe_free(&secrets->token);
	wipe_free(&secrets->token_next);
	wipe_free(&secrets->agent_token);
	wipe_free(&secrets->pull_username);
	wipe_free(&secrets->pull_password);
	wipe_free(&secrets->registries);
}

static int take_secret(const struct value *object, const char *key, char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	if (!value || value->type == VALUE_NULL)
		return 0;
	// No decoder with values in its messages here.
	if (value->type != VALUE_STRING || !*value->text || strlen(value->text) > SECRET_TEXT_MAX ||
		strpbrk(value->text, "\r\n"))
		return diag_set(reterr, -EINVAL, key, "must be one line of text, at most %d bytes", SECRET_TEXT_MAX);
	return (*ret = strdup(value->text)) ? 0 : -ENOMEM;
}

static const char *login_problem(const struct value *login)
{
	const char *username = value_text(value_find(login, "username")), *password = value_text(value_find(login, "password"));
	if (!username || !password || !*username || !*password)
		return "it must have username and password";
	if (strlen(username) > LOGIN_TEXT_MAX || strlen(password) > LOGIN_TEXT_MAX)
		return "username and password have at most 16 KiB each";
	return strpbrk(username, "\r\n") || strpbrk(password, "\r\n") ? "username and password are one line each" : NULL;
}

// One member of the object that is kept; the caller wipes and frees.
static char *login_text(const char *host, const struct value *login)
{
	struct json_out out = { 0 };
	json_out_key(&out, host);
	json_out_value(&out, login);
	return json_out_take(&out);
}

/* Logins of more registries, kept as the JSON they came in. One that is no login is left out: its registry is asked
 * without, and the tokens beside it still come through. */
static int take_registries(const struct value *document, char **ret)
{
	const struct value *registries = value_find(document, "registries");
	struct json_out out = { 0 };
	size_t n = strlen("{}");
	if (!registries || registries->type == VALUE_NULL)
		return 0;
	if (registries->type != VALUE_OBJECT) {
		log_warning("the region's logins of registries are no object; there are none");
		return 0;
	}
	json_out_object_begin(&out);
	for (size_t i = 0; i < registries->n; i++) {
		char *text CLEANUP(wipe_free) = login_text(registries->keys[i], &registries->items[i]);
		const char *problem = login_problem(&registries->items[i]);
		n += text ? strlen(text) + 1 : 0;
		if (!problem && text && n > REGISTRIES_TEXT_MAX)
			problem = "all of them have at most 256 KiB";
		if (problem) { // never with a value
			log_warning("registry %.253s: its login is left out: %s", registries->keys[i], problem);
			n -= text ? strlen(text) + 1 : 0;
			continue;
		}
		json_out_key(&out, registries->keys[i]);
		json_out_value(&out, &registries->items[i]);
	}
	json_out_object_end(&out);
	*ret = json_out_take(&out);
	return *ret ? 0 : -ENOMEM;
}

int secrets_parse(const char *json, size_t n, struct secrets *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct secrets fresh CLEANUP(secrets_done) = { 0 };
	int r = json_parse(json, n, SECRETS_MAX_BYTES, &document, NULL);
	if (r < 0)
		return diag_set(reterr, r, "", "the secrets are no JSON");
	const struct value *pull = value_find(document, "pull"), *tokens = value_find(document, "tokens");
	if ((r = take_secret(document, "token", &fresh.token, reterr)) < 0 ||
		(r = take_secret(document, "tokenNext", &fresh.token_next, reterr)) < 0 ||
		(tokens && (r = value_int(tokens, "tokens", 0, INT64_MAX, &fresh.tokens, reterr)) < 0) ||
		(r = take_secret(document, "agentToken", &fresh.agent_token, reterr)) < 0 ||
		(r = take_secret(pull, "username", &fresh.pull_username, reterr)) < 0 ||
		(r = take_secret(pull, "password", &fresh.pull_password, reterr)) < 0 ||
		(r = take_registries(document, &fresh.registries)) < 0)
		return r;
	if (!fresh.agent_token)
		return diag_set(reterr, -EINVAL, "agentToken", "is missing");
	secrets_done(ret);
	*ret = fresh;
	fresh = (struct secrets){ 0 };
	return 0;
}

struct secret_file {
	const char *name;
	size_t offset;
};
static const struct secret_file secret_files[] = {
	{ STATE_SECRETS "/token", offsetof(struct secrets, token) },
	{ STATE_SECRETS "/token-next", offsetof(struct secrets, token_next) },
	{ STATE_SECRETS "/pull-username", offsetof(struct secrets, pull_username) },
	{ STATE_SECRETS "/pull-password", offsetof(struct secrets, pull_password) },
	{ STATE_SECRETS "/registries", offsetof(struct secrets, registries) },
	{ STATE_SECRETS "/agent-token", offsetof(struct secrets, agent_token) }, // last: it says "all there"
};

static char **secret_field(struct secrets *secrets, const struct secret_file *file)
{
	return (char **)((char *)secrets + file->offset);
}

int secrets_load(const char *root, struct secrets *ret)
{
	for (size_t i = 0; i < N_ELEMENTS(secret_files); i++) {
		char *text = NULL;
		if (file_load_checked(root_path(root, secret_files[i].name).text, REGISTRIES_TEXT_MAX, &text, NULL, NULL) == 0)
			*secret_field(ret, &secret_files[i]) = text;
	}
	if (ret->agent_token)
		return 0;
	secrets_done(ret);
	return -ENOENT;
}

int secrets_save(const char *root, const struct secrets *secrets, struct diag *reterr)
{
	int r = file_make_folders(root_path(root, STATE_SECRETS).text, 0700);
	struct secrets borrowed = *secrets;
	for (size_t i = 0; i < N_ELEMENTS(secret_files) && r >= 0; i++) {
		char *text = *secret_field(&borrowed, &secret_files[i]);
		const char *path = secret_files[i].name;
		r = text ? save_text(root, path, text, 0600, reterr) : file_remove(root_path(root, path).text);
	}
	return r;
}
