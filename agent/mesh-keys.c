// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-keys.h"
#include "base/crypto.h"
#include "base/file.h"
#include <errno.h>

#define CURRENT "wg.key"
#define NEXT "wg-next.key"
#define OLD "wg-old.key"

enum { KEY_BYTES = 32 };

void mesh_keys_done(struct mesh_keys *keys)
{
	free(keys->current);
	free(keys->next);
	free(keys->old);
	*keys = (struct mesh_keys){ 0 };
}

static char *path_of(const char *folder, const char *name)
{
	return str_format("%s/%s", folder, name);
}

// 0; -ENOENT there is none; -EBADMSG there is something else; else it cannot be read now.
static int load(const char *folder, const char *name, uint8_t ret[static KEY_BYTES], struct diag *reterr)
{
	char *path AUTO_FREE = path_of(folder, name);
	char *text AUTO_FREE = NULL;
	uint8_t *bytes AUTO_FREE = NULL;
	size_t n = 0, n_bytes = 0;
	if (!path)
		return -ENOMEM;
	int r = file_read(path, 256, &text, &n, reterr);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	text[strcspn(text, "\n")] = '\0';
	r = base64_decode(text, &bytes, &n_bytes);
	crypto_wipe(text, n);
	if (r < 0 || n_bytes != KEY_BYTES)
		return r == -ENOMEM ? r : -EBADMSG;
	memcpy(ret, bytes, KEY_BYTES);
	crypto_wipe(bytes, n_bytes);
	return 0;
}

static int save(const char *folder, const char *name, const uint8_t key[static KEY_BYTES], struct diag *reterr)
{
	char *path AUTO_FREE = path_of(folder, name);
	char *encoded = base64_encode(key, KEY_BYTES);
	char *line = encoded ? str_format("%s\n", encoded) : NULL;
	int r = path && line ? file_write_atomic(path, line, strlen(line), 0600, reterr) : -ENOMEM;
	if (encoded)
		crypto_wipe(encoded, strlen(encoded));
	if (line)
		crypto_wipe(line, strlen(line));
	free(encoded);
	free(line);
	return r;
}

static int copy(const char *folder, const char *from, const char *to, struct diag *reterr)
{
	uint8_t key[KEY_BYTES];
	int r = load(folder, from, key, reterr);
	if (r == 0)
		r = save(folder, to, key, reterr);
	crypto_wipe(key, sizeof(key));
	return r;
}

static int drop(const char *folder, const char *name, struct diag *reterr)
{
	char *path AUTO_FREE = path_of(folder, name);
	int r = path ? file_remove(path) : -ENOMEM;
	return r < 0 && r != -ENOENT ? diag_set(reterr, r, name, "cannot be removed: %s", strerror(-r)) : 0;
}

static int public_of(const uint8_t key[static KEY_BYTES], char **ret)
{
	uint8_t public[KEY_BYTES];
	int r = wg_key_public(key, public);
	if (r < 0)
		return r;
	*ret = base64_encode(public, sizeof(public));
	return *ret ? 0 : -ENOMEM;
}

static int make(const char *folder, const char *name, char **ret, struct diag *reterr)
{
	uint8_t key[KEY_BYTES];
	char *public = NULL;
	wg_key_generate(key);
	int r = public_of(key, &public);
	if (r == 0)
		r = save(folder, name, key, reterr);
	crypto_wipe(key, sizeof(key));
	if (r < 0) {
		free(public);
		return r;
	}
	*ret = public;
	return 0;
}

// *ret NULL: there is none. One that is no key, or the current one again, is what a cut step left.
static int open_other(const char *folder, const char *name, const char *current, char **ret, struct diag *reterr)
{
	uint8_t key[KEY_BYTES];
	char *public AUTO_FREE = NULL;
	int r = load(folder, name, key, reterr);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = public_of(key, &public);
	crypto_wipe(key, sizeof(key));
	if (r < 0 && r != -EBADMSG)
		return r;
	if (public && !str_equal(public, current))
		*ret = TAKE_PTR(public);
	else
		(void)drop(folder, name, NULL); // it does no harm where it cannot be removed
	return 0;
}

int mesh_keys_open(const char *folder, struct mesh_keys *ret, struct diag *reterr)
{
	struct mesh_keys keys CLEANUP(mesh_keys_done) = { 0 };
	uint8_t key[KEY_BYTES];
	int r = load(folder, CURRENT, key, reterr);
	if (r == -ENOENT || r == -EBADMSG) // that it cannot be read now is not a reason for a new key
		r = make(folder, CURRENT, &keys.current, reterr);
	else if (r == 0)
		r = public_of(key, &keys.current);
	crypto_wipe(key, sizeof(key));
	if (r < 0 || (r = open_other(folder, OLD, keys.current, &keys.old, reterr)) < 0 ||
		(r = open_other(folder, NEXT, keys.current, &keys.next, reterr)) < 0)
		return r;
	*ret = keys;
	keys = (struct mesh_keys){ 0 };
	return 0;
}

int mesh_keys_make_next(const char *folder, struct mesh_keys *keys, struct diag *reterr)
{
	return keys->next ? 0 : make(folder, NEXT, &keys->next, reterr);
}

int mesh_keys_drop_next(const char *folder, struct mesh_keys *keys, struct diag *reterr)
{
	int r = drop(folder, NEXT, reterr);
	if (r == 0)
		free(TAKE_PTR(keys->next));
	return r;
}

int mesh_keys_switch(const char *folder, struct mesh_keys *keys, struct diag *reterr)
{
	int r = keys->next ? copy(folder, CURRENT, OLD, reterr) : -ENOENT;
	if (r < 0 || (r = copy(folder, NEXT, CURRENT, reterr)) < 0)
		return r;
	(void)drop(folder, NEXT, NULL); // the current one again: the next start removes it, too
	free(keys->old);
	keys->old = keys->current;
	keys->current = TAKE_PTR(keys->next);
	return 0;
}

int mesh_keys_go_back(const char *folder, struct mesh_keys *keys, struct diag *reterr)
{
	int r = keys->old ? copy(folder, CURRENT, NEXT, reterr) : -ENOENT;
	if (r < 0 || (r = copy(folder, OLD, CURRENT, reterr)) < 0)
		return r;
	(void)drop(folder, OLD, NULL); // as above
	free(keys->next);
	keys->next = keys->current;
	keys->current = TAKE_PTR(keys->old);
	return 0;
}

int mesh_keys_drop_old(const char *folder, struct mesh_keys *keys, struct diag *reterr)
{
	int r = drop(folder, OLD, reterr);
	if (r == 0)
		free(TAKE_PTR(keys->old));
	return r;
}
