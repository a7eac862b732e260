// What registries say: challenges and manifests. Pure; asking is oci-pull.c's.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/oci-pull.h"
#include <errno.h>
#include <strings.h>
#include <time.h>

static bool word_ends(char c)
{
	return !c || c == ' ' || c == ',' || c == '\t';
}

int oci_challenge_parse(const char *header, struct oci_challenge *ret)
{
	struct oci_challenge challenge = {0};
	const char *p = header;

	if (strncasecmp(p, "Bearer", 6) != 0 || !word_ends(p[6]))
		return -EINVAL;
	p += 6;
	for (;;) {
		const char *key, *value;
		size_t n_key, n_value;
		char *to = NULL;

		p += strspn(p, " \t,");
		if (!*p)
			break;
		key = p;
		n_key = strcspn(p, "= \t,");
		if (n_key == 0 || p[n_key] != '=')
			return -EINVAL;
		p += n_key + 1;
		if (*p == '"') {
			value = ++p;
			n_value = strcspn(p, "\"");
			if (p[n_value] != '"')
				return -EINVAL;
			p += n_value + 1;
		} else {
			value = p;
			n_value = strcspn(p, " \t,");
			p += n_value;
		}
		if (n_key == 5 && strncasecmp(key, "realm", 5) == 0)
			to = challenge.realm;
		else if (n_key == 7 && strncasecmp(key, "service", 7) == 0)
			to = challenge.service;
		else if (n_key == 5 && strncasecmp(key, "scope", 5) == 0)
			to = challenge.scope;
		if (!to)
			continue;
		if (n_value >= sizeof(challenge.realm))
			return -EINVAL;
		for (size_t i = 0; i < n_value; i++)
			if ((unsigned char)value[i] <= 0x20 && (to == challenge.realm || value[i] != ' '))
				return -EINVAL;
		memcpy(to, value, n_value);
		to[n_value] = '\0';
	}
	if (!*challenge.realm)
		return -EINVAL;
	*ret = challenge;
	return 0;
}

char *oci_link_next(const char *header, const char *registry, const char *prefix)
{
	while ((header = strchr(header, '<'))) {
		const char *target = header + 1, *end = strchr(target, '>');
		size_t n_parameters;

		if (!end)
			return NULL;
		if (str_starts(target, registry))
			target += strlen(registry);
		n_parameters = strcspn(end, "<");
		char *parameters AUTO_FREE = strndup(end, n_parameters);
		char *path AUTO_FREE = strndup(target, (size_t)(end - target));

		if (!parameters || !path)
			return NULL;
		header = end;
		if (!strcasestr(parameters, "rel=\"next\"") && !strcasestr(parameters, "rel=next"))
			continue;
		// Nothing but the same list of the same registry: our credentials go there.
		if (!str_starts(path, prefix) || strstr(path, ".."))
			return NULL;
		for (const char *p = path; *p; p++)
			if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e || *p == '#')
				return NULL;
		return TAKE_PTR(path);
	}
	return NULL;
}

unsigned oci_retry_after(const char *header, int64_t now_wall_sec)
{
	struct tm when = {0};
	int64_t sec = 0;

	if (*header >= '0' && *header <= '9') {
		const char *p = header;

		for (; *p >= '0' && *p <= '9'; p++)
			if (sec <= OCI_RETRY_AFTER_MAX_SEC)
				sec = sec * 10 + (*p - '0');
		if (*p)
			return 0;
	} else {
		const char *end = strptime(header, "%a, %d %b %Y %H:%M:%S GMT", &when);

		if (!end || *end)
			return 0;
		sec = timegm(&when) - now_wall_sec;
	}
	return sec <= 0 ? 0 : sec > OCI_RETRY_AFTER_MAX_SEC ? OCI_RETRY_AFTER_MAX_SEC : (unsigned)sec;
}

static int text_copy(char *to, size_t size, const char *from)
{
	if (strlen(from) >= size)
		return -EINVAL;
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

static int layer_read(const struct value *item, struct oci_layer *ret, struct diag *reterr)
{
	const char *digest = value_text(value_find(item, "digest"));
	const char *media_type = value_text(value_find(item, "mediaType"));
	int64_t size;
	int r;

	if (!digest || !oci_digest_valid(digest))
		return diag_set(reterr, -EBADMSG, "manifest", "a layer's digest must be sha256: and 64 hex digits");
	if (!media_type || text_copy(ret->media_type, sizeof(ret->media_type), media_type) < 0)
		return diag_set(reterr, -EBADMSG, "manifest", "a layer needs a mediaType");
	r = value_int(value_find(item, "size"), "size", 0, INT64_MAX, &size, reterr);
	if (r < 0)
		return -EBADMSG;
	memcpy(ret->digest, digest, OCI_DIGEST_TEXT);
	ret->size = (uint64_t)size;
	ret->annotations = value_find(item, "annotations");
	return 0;
}

int oci_manifest_parse(const char *text, size_t n, struct oci_manifest *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct oci_manifest manifest = {0};
	const struct value *layers;
	const char *config_type, *artifact_type;
	int r = json_parse(text, n, OCI_MANIFEST_MAX, &document, reterr);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	layers = value_find(document, "layers");
	if (document->type != VALUE_OBJECT || !layers || layers->type != VALUE_ARRAY)
		return diag_set(reterr, -EBADMSG, "manifest", "is no OCI image manifest: it has no layers");
	if (layers->n > OCI_MAX_LAYERS)
		return diag_set(reterr, -EBADMSG, "manifest", "must have at most %d layers", OCI_MAX_LAYERS);
	config_type = value_text(value_path(document, "config", "mediaType", NULL));
	artifact_type = value_text(value_find(document, "artifactType"));
	if ((config_type && text_copy(manifest.config_type, sizeof(manifest.config_type), config_type) < 0) ||
		(artifact_type &&
			text_copy(manifest.artifact_type, sizeof(manifest.artifact_type), artifact_type) < 0))
		return diag_set(reterr, -EBADMSG, "manifest", "a media type is too long");
	for (; manifest.n_layers < layers->n; manifest.n_layers++) {
		r = layer_read(&layers->items[manifest.n_layers], &manifest.layers[manifest.n_layers], reterr);
		if (r < 0)
			return r;
	}
	manifest.document = TAKE_PTR(document);
	*ret = manifest;
	return 0;
}

void oci_manifest_done(struct oci_manifest *manifest)
{
	manifest->document = value_free(manifest->document);
}
