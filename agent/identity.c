// SPDX-License-Identifier: Apache-2.0
#include "agent/identity.h"
#include "base/file.h"
#include <errno.h>

enum { KEY_FILE_MAX = 16 << 10 };

static void wipe_free(char *text)
{
	if (text)
		crypto_wipe(text, strlen(text));
	free(text);
}

struct identity *identity_free(struct identity *identity)
{
	if (!identity)
		return NULL;
	key_free(identity->key);
	wipe_free(identity->key_pem);
	free(identity->self_cert_pem);
	free(identity->cert_pem);
	free(identity->spki);
	mesh_keys_done(&identity->mesh);
	free(identity->folder);
	free(identity);
	return NULL;
}

static char *path_of(const struct identity *identity, const char *name)
{
	return str_format("%s/%s", identity->folder, name);
}

static int open_key(struct identity *identity, struct diag *reterr)
{
	char *path AUTO_FREE = path_of(identity, "node.key");
	if (!path)
		return -ENOMEM;
	int r = file_load_checked(path, KEY_FILE_MAX, &identity->key_pem, NULL, reterr);
	if (r == 0) // whole, but no key: out of memory, or made by a newer version; nothing is put over it
		return key_from_pem(identity->key_pem, &identity->key, reterr);
	if (r != -ENOENT && r != -EBADMSG)
		return r; // an I/O error is not a reason for a new identity
	r = key_generate(&identity->key);
	if (r < 0)
		return diag_set(reterr, r, "", "no key could be made");
	r = key_to_pem(identity->key, &identity->key_pem);
	if (r < 0)
		return r;
	return file_save_checked(path, identity->key_pem, strlen(identity->key_pem), 0600, reterr);
}

static int make_self_cert(struct identity *identity, struct diag *reterr)
{
	// Only possession counts here; the dates are wide so that a wrong clock does not matter.
	struct cert_request request = {
		.usage = CERT_USAGE_CLIENT,
		.common_name = "hearth-enrolment",
		.not_before_sec = 0,
		.not_after_sec = INT64_C(4102444800), // 2100
	};
	return cert_issue(&request, NULL, identity->key, &identity->self_cert_pem, reterr);
}

// Does @pem certify our key as a client?
static int check_certificate(const struct identity *identity, const char *pem, int64_t *ret_from_sec, int64_t *ret_to_sec,
	struct diag *reterr)
{
	struct cert_facts facts = { 0 };
	int r = cert_facts_from_pem(pem, &facts, reterr);
	if (r < 0)
		return r;
	if (facts.n_spki != identity->n_spki || memcmp(facts.spki, identity->spki, facts.n_spki) != 0)
		r = diag_set(reterr, -EKEYREJECTED, "", "the certificate is not for this node's key");
	else if (!facts.client_auth || facts.is_ca)
		r = diag_set(reterr, -EKEYREJECTED, "", "the certificate is not a client certificate");
	if (r == 0) {
		*ret_from_sec = facts.not_before_sec;
		*ret_to_sec = facts.not_after_sec;
	}
	cert_facts_done(&facts);
	return r;
}

static int open_certificate(struct identity *identity)
{
	char *path AUTO_FREE = path_of(identity, "node.crt");
	char *pem = NULL;
	if (!path)
		return -ENOMEM;
	if (file_load_checked(path, KEY_FILE_MAX, &pem, NULL, NULL) < 0)
		return 0; // none, or damaged and set aside: enrol again with the same key
	if (check_certificate(identity, pem, &identity->cert_from_sec, &identity->cert_to_sec, NULL) < 0) {
		free(pem);
		return 0;
	}
	identity->cert_pem = pem;
	return 0;
}

int identity_open(const char *folder, struct identity **ret, struct diag *reterr)
{
	struct identity *identity CLEANUP(identity_freep) = calloc(1, sizeof(*identity));
	if (!identity || !(identity->folder = strdup(folder)))
		return -ENOMEM;
	int r = file_make_folders(folder, 0700);
	if (r < 0)
		return diag_set(reterr, r, folder, "the folder cannot be made: %s", strerror(-r));
	r = open_key(identity, reterr);
	if (r == 0)
		r = key_spki(identity->key, &identity->spki, &identity->n_spki);
	if (r == 0)
		r = make_self_cert(identity, reterr);
	if (r == 0)
		r = mesh_keys_open(folder, &identity->mesh, reterr);
	if (r == 0)
		r = open_certificate(identity);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(identity);
	return 0;
}

int identity_set_certificate(struct identity *identity, const char *pem, struct diag *reterr)
{
	char *path AUTO_FREE = path_of(identity, "node.crt");
	char *copy AUTO_FREE = strdup(pem);
	if (!path || !copy)
		return -ENOMEM;
	int64_t from_sec = 0, to_sec = 0;
	int r = check_certificate(identity, pem, &from_sec, &to_sec, reterr);
	if (r == 0)
		r = file_save_checked(path, pem, strlen(pem), 0600, reterr);
	if (r < 0)
		return r; // the old one stays, with its dates: its renewal is tried again
	identity->cert_from_sec = from_sec;
	identity->cert_to_sec = to_sec;
	free(identity->cert_pem);
	identity->cert_pem = TAKE_PTR(copy);
	return 0;
}

void identity_drop_certificate(struct identity *identity)
{
	char *path AUTO_FREE = path_of(identity, "node.crt");
	if (path)
		(void)file_remove(path); // if it stays, the next start finds out again
	free(TAKE_PTR(identity->cert_pem));
}

bool identity_wants_renewal(const struct identity *identity, int64_t now_sec)
{
	if (!identity->cert_pem)
		return false;
	return now_sec >= identity->cert_from_sec + (identity->cert_to_sec - identity->cert_from_sec) / 3 * 2;
}

bool identity_expired(const struct identity *identity, int64_t now_sec)
{
	return identity->cert_pem && now_sec >= identity->cert_to_sec;
}
