// Names, tags, digests and references (OCI distribution spec 1.1, "Pulling manifests").
// SPDX-License-Identifier: Apache-2.0
#include "base/oci.h"
#include "base/crypto.h"
#include "base/url.h"

#include <ctype.h>
#include <errno.h>

bool oci_digest_valid(const char *digest)
{
	uint8_t hash[SHA256_BYTES];

	return digest && pin_parse(digest, hash) == 0; // the same text form
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Length of a separator inside a path component: one dot, one or two underscores, or dashes; 0 when there is none.
static size_t separator_length(const char *text)
{
	size_t n_dashes = strspn(text, "-");

	if (n_dashes > 0)
		return n_dashes;
	if (*text == '.')
		return 1;
	return *text == '_' ? 1 + (text[1] == '_') : 0;
}

bool oci_name_valid(const char *name)
{
	if (!name || strlen(name) > OCI_NAME_MAX)
		return false;
	for (;;) {
		if (!is_word(*name))
			return false;
		while (is_word(*name))
			name++;
		if (!*name)
			return true;
		size_t n = *name == '/' ? 1 : separator_length(name);
		if (n == 0)
			return false;
		name += n;
	}
}

bool oci_tag_valid(const char *tag)
{
	if (!tag || (!isalnum((unsigned char)*tag) && *tag != '_') || strlen(tag) > OCI_TAG_MAX)
		return false;
	for (; *tag; tag++)
		if (!isalnum((unsigned char)*tag) && !strchr("_.-", *tag))
			return false;
	return true;
}

// Copy @n bytes as a text when they fit.
static bool copy(const char *from, size_t n, char *ret, size_t size)
{
	if (n >= size)
		return false;
	memcpy(ret, from, n);
	ret[n] = '\0';
	return true;
}

int oci_reference_parse(const char *text, struct oci_reference *ret, struct diag *reterr)
{
	static const char scheme[] = "oci://";
	struct oci_reference reference = { 0 };
	const char *at = str_starts(text, scheme) ? text + strlen(scheme) : text;
	const char *slash = strchr(at, '/'), *end = at + strlen(at);

	if (!slash || !url_host_port_valid(at, (size_t)(slash - at)) ||
		!copy(at, (size_t)(slash - at), reference.registry, sizeof(reference.registry)))
		return diag_set(reterr, -EINVAL, "", "an OCI reference must begin with REGISTRY[:PORT]/, not \"%s\"", text);
	const char *digest = strchr(slash, '@');
	if (digest) {
		if (!oci_digest_valid(digest + 1))
			return diag_set(reterr, -EINVAL, "",
				"an OCI reference's digest must be sha256: and 64 lower-case hex digits, not \"%s\"", digest + 1);
		memcpy(reference.digest, digest + 1, OCI_DIGEST_TEXT);
		end = digest;
	}
	const char *tag = memchr(slash, ':', (size_t)(end - slash));
	if (tag) {
		if (!copy(tag + 1, (size_t)(end - tag) - 1, reference.tag, sizeof(reference.tag)) ||
			!oci_tag_valid(reference.tag))
			return diag_set(reterr, -EINVAL, "",
				"an OCI reference's tag must be 1-128 of letters, digits, \"_\", \".\" and \"-\", not \"%s\"", tag + 1);
		end = tag;
	}
	if (!copy(slash + 1, (size_t)(end - slash) - 1, reference.name, sizeof(reference.name)) ||
		!oci_name_valid(reference.name))
		return diag_set(reterr, -EINVAL, "",
			"an OCI reference's name must be lower-case words with \".\", \"_\", \"-\" or \"/\" between them, not \"%.*s\"",
			(int)(end - slash) - 1, slash + 1);
	*ret = reference;
	return 0;
}
