// Finding the signatures of a digest in its registry and trying them, bundles first, then the legacy tag. One request
// at a time; the first good signature ends it.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/cosign.h"
#include <errno.h>

#define BUNDLE_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define OCI_TYPE_EMPTY "application/vnd.oci.empty.v1+json"
#define SIMPLE_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIGNATURE_KEY "dev.cosignproject.cosign/signature"

enum { MAX_CANDIDATES = 256, MAX_PAGES = 64 }; // more signatures than anybody makes, and an end for a registry that has none

enum check_step { CHECK_REFERRERS, CHECK_BUNDLE_MANIFEST, CHECK_BUNDLE, CHECK_TAG, CHECK_PAYLOAD };

struct cosign_check {
	enum check_step step;
	struct oci_source source; // texts owned
	char *url, *repository, *username, *password;
	char digest[OCI_DIGEST_TEXT];
	size_t n_keys;
	char *keys[COSIGN_MAX_KEYS];
	struct oci_fetch *fetch;
	size_t n_candidates, candidate;
	char candidates[MAX_CANDIDATES][OCI_DIGEST_TEXT]; // bundle manifests, or payload blobs
	char *signatures[MAX_CANDIDATES];                 // of the payload blobs
	char *page;                                       // of the referrers, that comes next
	size_t n_pages;
	bool too_many;                                    // signatures that were not looked at
	int later;                                        // the referrers could not be told: not signed is not known then
	struct diag later_diag;
	unsigned retry_after_sec;
	int refusal;                                      // the worst said of a signature so far
	struct diag refusal_diag;
	cosign_checked_t on_checked;
	void *user;
};

static void candidates_clear(struct cosign_check *check)
{
	for (size_t i = 0; i < MAX_CANDIDATES; i++) {
		free(check->signatures[i]);
		check->signatures[i] = NULL;
	}
	check->n_candidates = check->candidate = 0;
}

static void check_free(struct cosign_check *check)
{
	candidates_clear(check);
	for (size_t i = 0; i < check->n_keys; i++)
		free(check->keys[i]);
	free(check->page);
	free(check->url);
	free(check->repository);
	free(check->username);
	if (check->password)
		explicit_bzero(check->password, strlen(check->password));
	free(check->password);
	free(check);
}

void cosign_check_cancel(struct cosign_check *check)
{
	if (!check)
		return;
	oci_fetch_cancel(check->fetch);
	check_free(check);
}

static void check_end(struct cosign_check *check, int error, enum cosign_form form, const struct diag *diag)
{
	check->on_checked(&(struct cosign_checked){.error = error, .form = form, .diag = diag,
				  .retry_after_sec = check->retry_after_sec}, check->user);
	check_free(check);
}

static void refusal_note(struct cosign_check *check, int error, const struct diag *diag)
{
	// "signed by another key" says more than a form we cannot read
	if (check->refusal == -EKEYREJECTED && error != -EKEYREJECTED)
		return;
	check->refusal = error;
	check->refusal_diag = *diag;
}

static void on_step(const struct oci_fetched *fetched, void *user);

static void check_conclude(struct cosign_check *check)
{
	struct diag diag = {0};

	if (check->later < 0) {
		check_end(check, check->later, COSIGN_FORM_NONE, &check->later_diag);
		return;
	}
	if (check->too_many && check->refusal < 0) {
		(void)diag_set(&diag, check->refusal, "",
			"%s has more than %d signatures at %s, and none of the first is by a key this node trusts: remove the old ones",
			check->digest, MAX_CANDIDATES, check->url);
		check_end(check, check->refusal, COSIGN_FORM_NONE, &diag);
		return;
	}
	if (check->refusal == -EKEYREJECTED)
		(void)diag_set(&diag, check->refusal, "",
			"%s is signed, but not by a key this node trusts (it knows %zu)", check->digest, check->n_keys);
	else if (check->refusal < 0)
		(void)diag_set(&diag, check->refusal, "", "the signature of %s does not hold: %s", check->digest,
			diag_text(&check->refusal_diag));
	else
		(void)diag_set(&diag, -ENOKEY, "", "%s is not signed: %s has neither a bundle nor a .sig tag for it",
			check->digest, check->url);
	check_end(check, check->refusal < 0 ? check->refusal : -ENOKEY, COSIGN_FORM_NONE, &diag);
}

static void step_start(struct cosign_check *check, enum check_step step)
{
	char tag[OCI_TAG_MAX + 1];
	struct diag diag = {0};
	int r = -EINVAL;

	check->step = step;
	switch (step) {
	case CHECK_REFERRERS:
		r = oci_fetch_referrers(&check->source, check->digest, check->page, on_step, check, &check->fetch);
		break;
	case CHECK_BUNDLE_MANIFEST:
		r = oci_fetch_manifest(&check->source, check->candidates[check->candidate], on_step, check,
			&check->fetch);
		break;
	case CHECK_TAG:
		snprintf(tag, sizeof(tag), "sha256-%s.sig", check->digest + strlen("sha256:"));
		r = oci_fetch_manifest(&check->source, tag, on_step, check, &check->fetch);
		break;
	case CHECK_BUNDLE:
	case CHECK_PAYLOAD:
		r = oci_fetch_blob(&check->source, check->candidates[check->candidate], COSIGN_MAX_BYTES, on_step, check,
			&check->fetch);
		break;
	}
	if (r < 0) {
		(void)diag_set(&diag, r, "", "the signature of %s cannot be asked for: %s", check->digest, strerror(-r));
		check_end(check, r, COSIGN_FORM_NONE, &diag);
	}
}

// The next candidate of this form, else the next form, else the end.
static void candidate_next(struct cosign_check *check)
{
	bool bundles = check->step == CHECK_REFERRERS || check->step == CHECK_BUNDLE_MANIFEST ||
		       check->step == CHECK_BUNDLE;

	if (check->candidate < check->n_candidates) {
		step_start(check, bundles ? CHECK_BUNDLE_MANIFEST : CHECK_PAYLOAD);
	} else if (bundles && check->page && check->n_pages < MAX_PAGES) {
		candidates_clear(check);
		step_start(check, CHECK_REFERRERS);
	} else if (bundles) {
		check->too_many |= check->page != NULL;
		candidates_clear(check);
		step_start(check, CHECK_TAG);
	} else {
		check_conclude(check);
	}
}

static int referrers_read(struct cosign_check *check, const struct oci_fetched *fetched, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *manifests;
	int r = json_parse(fetched->bytes, fetched->n, OCI_MANIFEST_MAX, &document, reterr);

	free(check->page);
	check->page = NULL;
	if (r < 0)
		return r;
	check->n_pages++;
	if (fetched->next && !(check->page = strdup(fetched->next)))
		return -ENOMEM;
	manifests = value_find(document, "manifests");
	for (size_t i = 0; manifests && manifests->type == VALUE_ARRAY && i < manifests->n; i++) {
		const char *type = value_text(value_find(&manifests->items[i], "artifactType"));
		const char *digest = value_text(value_find(&manifests->items[i], "digest"));

		/* Some registries leave artifactType out of the fallback index, others show the (empty) config's type in its
		 * place: then the manifest itself tells. */
		if ((type && !str_equal(type, BUNDLE_TYPE) && !str_equal(type, OCI_TYPE_EMPTY)) || !digest ||
			!oci_digest_valid(digest))
			continue;
		if (check->n_candidates == MAX_CANDIDATES) {
			check->too_many = true;
			break;
		}
		memcpy(check->candidates[check->n_candidates++], digest, OCI_DIGEST_TEXT);
	}
	return 0;
}

// A bundle's manifest: its one layer is the bundle. -ENOENT when it is some other artifact.
static int bundle_manifest_read(struct cosign_check *check, const struct oci_fetched *fetched, struct diag *reterr)
{
	struct oci_manifest manifest;
	int r = oci_manifest_parse(fetched->bytes, fetched->n, &manifest, reterr);

	if (r < 0)
		return r;
	r = -ENOENT;
	if (manifest.n_layers == 1 && str_equal(manifest.layers[0].media_type, BUNDLE_TYPE)) {
		memcpy(check->candidates[check->candidate], manifest.layers[0].digest, OCI_DIGEST_TEXT);
		r = 0;
	}
	oci_manifest_done(&manifest);
	return r;
}

static int tag_read(struct cosign_check *check, const struct oci_fetched *fetched, struct diag *reterr)
{
	struct oci_manifest manifest;
	int r = oci_manifest_parse(fetched->bytes, fetched->n, &manifest, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; i < manifest.n_layers; i++) { // at most OCI_MAX_LAYERS
		const struct oci_layer *layer = &manifest.layers[i];
		const char *signature = value_text(value_find(layer->annotations, SIGNATURE_KEY));

		if (!str_equal(layer->media_type, SIMPLE_TYPE) || !signature)
			continue;
		check->signatures[check->n_candidates] = strdup(signature);
		if (!check->signatures[check->n_candidates]) {
			r = -ENOMEM;
			break;
		}
		memcpy(check->candidates[check->n_candidates++], layer->digest, OCI_DIGEST_TEXT);
	}
	oci_manifest_done(&manifest);
	return r;
}

static bool is_connection_error(int error)
{
	return error != -ENOENT && error != -EBADMSG && error != -EFBIG;
}

static void on_step(const struct oci_fetched *fetched, void *user)
{
	const char *const *keys;
	struct cosign_check *check = user;
	struct diag diag = {0};
	int r = fetched->error;

	check->fetch = NULL;
	keys = (const char *const *)check->keys;
	if (r == -EAGAIN && check->step == CHECK_REFERRERS) { // a signature of the other form may still be there
		check->later = r;
		check->later_diag = *fetched->diag;
		check->retry_after_sec = fetched->retry_after_sec;
		free(check->page);
		check->page = NULL;
		candidate_next(check);
		return;
	}
	if (r < 0 && is_connection_error(r)) {
		check->retry_after_sec = fetched->retry_after_sec;
		check_end(check, r, COSIGN_FORM_NONE, fetched->diag);
		return;
	}
	if (r < 0)
		diag = *fetched->diag;
	switch (check->step) {
	case CHECK_REFERRERS:
		if (r == 0)
			r = referrers_read(check, fetched, &diag);
		break;
	case CHECK_BUNDLE_MANIFEST:
		if (r == 0)
			r = bundle_manifest_read(check, fetched, &diag);
		if (r == 0) {
			step_start(check, CHECK_BUNDLE);
			return;
		}
		check->candidate++;
		break;
	case CHECK_BUNDLE:
		if (r == 0)
			r = cosign_verify_bundle(fetched->bytes, fetched->n, check->digest, keys, check->n_keys, &diag);
		if (r == 0) {
			check_end(check, 0, COSIGN_FORM_BUNDLE, NULL);
			return;
		}
		check->candidate++;
		break;
	case CHECK_TAG:
		if (r == 0)
			r = tag_read(check, fetched, &diag);
		break;
	case CHECK_PAYLOAD:
		if (r == 0)
			r = cosign_verify_simple(fetched->bytes, fetched->n, check->signatures[check->candidate],
				check->digest, keys, check->n_keys, &diag);
		if (r == 0) {
			check_end(check, 0, COSIGN_FORM_SIMPLE, NULL);
			return;
		}
		check->candidate++;
		break;
	}
	if (r < 0 && r != -ENOENT)
		refusal_note(check, r, &diag);
	candidate_next(check);
}

int cosign_check_start(const struct oci_source *source, const char *digest, const char *const *key_pems, size_t n_keys,
	cosign_checked_t on_checked, void *user, struct cosign_check **ret)
{
	struct cosign_check *check;
	int r = -ENOMEM;

	if (!oci_digest_valid(digest) || n_keys == 0 || n_keys > COSIGN_MAX_KEYS)
		return -EINVAL;
	check = calloc(1, sizeof(*check));
	if (!check)
		return -ENOMEM;
	check->on_checked = on_checked;
	check->user = user;
	memcpy(check->digest, digest, OCI_DIGEST_TEXT);
	check->url = strdup(source->url);
	check->repository = strdup(source->repository);
	if (source->username) {
		check->username = strdup(source->username);
		check->password = strdup(source->password ? source->password : "");
		if (!check->username || !check->password)
			goto fail;
	}
	if (!check->url || !check->repository)
		goto fail;
	for (; check->n_keys < n_keys; check->n_keys++) {
		check->keys[check->n_keys] = strdup(key_pems[check->n_keys]);
		if (!check->keys[check->n_keys])
			goto fail;
	}
	check->source = (struct oci_source){.client = source->client, .url = check->url,
		.repository = check->repository, .username = check->username, .password = check->password};
	r = oci_fetch_referrers(&check->source, digest, NULL, on_step, check, &check->fetch);
	if (r < 0)
		goto fail;
	if (ret)
		*ret = check;
	return 0;
fail:
	check_free(check);
	return r;
}
