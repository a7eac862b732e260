// SPDX-License-Identifier: Apache-2.0
#include "agent/user-secrets.h"
#include "agent/root-path.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>

#define USER_SECRETS_FILE STATE_SECRETS "/user"

struct value *user_secrets_free(struct value *secrets)
{
	return value_free_secret(secrets);
}

static void text_wipe_free(char **text)
{
	if (*text)
		crypto_wipe(*text, strlen(*text));
	free(*text);
}

static int object_parse(const char *json, size_t n, struct value **ret)
{
	struct value *document = NULL;
	int r = json_parse(json, n, USER_SECRETS_MAX_BYTES, &document, NULL); // its messages may hold a value
	bool good = r == 0 && document->type == VALUE_OBJECT;
	for (size_t i = 0; good && i < document->n; i++)
		good = document->items[i].type == VALUE_STRING;
	if (!good) {
		user_secrets_free(document);
		return r < 0 ? r : -EINVAL;
	}
	*ret = document;
	return 0;
}

static char *object_text(const struct value *secrets)
{
	struct json_out out = { 0 };
	json_out_value(&out, secrets);
	return json_out_take(&out);
}

int user_secrets_parse(const char *json, size_t n, struct value **ret, struct diag *reterr)
{
	struct value *document = NULL;
	char *text CLEANUP(text_wipe_free) = NULL;
	int r = json_parse(json, n, USER_SECRETS_MAX_BYTES, &document, NULL);
	if (r < 0)
		return diag_set(reterr, r, "", "the secrets are no JSON");
	const struct value *user = value_find(document, "user");
	text = user && user->type != VALUE_NULL ? object_text(user) : strdup("{}");
	value_free(document);
	r = text ? object_parse(text, strlen(text), ret) : -ENOMEM;
	return r < 0 ? diag_set(reterr, r, "user", "must be an object of texts") : 0;
}

int user_secrets_save(const char *root, const struct value *secrets, struct diag *reterr)
{
	char *text CLEANUP(text_wipe_free) = object_text(secrets);
	int r = text ? file_make_folders(root_path(root, STATE_SECRETS).text, 0700) : -ENOMEM;
	if (r < 0)
		return diag_set(reterr, r, "", "the secrets cannot be stored: %s", strerror(-r));
	return file_save_checked(root_path(root, USER_SECRETS_FILE).text, text, strlen(text), 0600, reterr);
}

int user_secrets_load(const char *root, struct value **ret)
{
	char *text CLEANUP(text_wipe_free) = NULL;
	size_t n = 0;
	int r = file_load_checked(root_path(root, USER_SECRETS_FILE).text, USER_SECRETS_MAX_BYTES, &text, &n, NULL);
	return r < 0 ? r : object_parse(text, n, ret);
}
