// SPDX-License-Identifier: Apache-2.0
#include "agent/refused-network.h"
#include "base/crypto.h"
#include "base/json.h"
#include <errno.h>

enum { COUNT_MAX = 1000000 };

int refused_network_parse(const char *json, size_t n, struct refused_network *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const char *sha256, *reason;
	int64_t refusals, unfinished;
	uint8_t digest[32];
	int r = json_parse(json, n, REFUSED_NETWORK_BYTES, &document, reterr);
	if (r < 0 || (r = value_string(value_find(document, "sha256"), "sha256", &sha256, reterr)) < 0 ||
		(r = value_string(value_find(document, "reason"), "reason", &reason, reterr)) < 0 ||
		(r = value_int(value_find(document, "refusals"), "refusals", 0, COUNT_MAX, &refusals, reterr)) < 0 ||
		(r = value_int(value_find(document, "unfinished"), "unfinished", 0, COUNT_MAX, &unfinished, reterr)) < 0)
		return r;
	if (hex_decode(sha256, digest, sizeof(digest)) < 0)
		return diag_set(reterr, -EINVAL, "sha256", "must be 64 lower-case hex digits, not \"%s\"", sha256);
	*ret = (struct refused_network){ .refusals = (unsigned)refusals, .unfinished = (unsigned)unfinished };
	(void)snprintf(ret->sha256, sizeof(ret->sha256), "%s", sha256);
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
	return 0;
}

char *refused_network_format(const struct refused_network *refused)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "sha256", refused->sha256);
	json_out_member_int(&out, "refusals", refused->refusals);
	json_out_member_int(&out, "unfinished", refused->unfinished);
	json_out_member(&out, "reason", refused->reason);
	json_out_object_end(&out);
	return json_out_take(&out);
}

void refused_network_digest(const char *document, char ret[static 65])
{
	uint8_t digest[32];
	sha256(document, strlen(document), digest);
	hex_encode(digest, sizeof(digest), ret);
}

void refused_network_note(struct refused_network *refused, const char sha256[static 65], unsigned refusals, const char *reason)
{
	*refused = (struct refused_network){ .refusals = refusals < COUNT_MAX ? refusals : COUNT_MAX };
	memcpy(refused->sha256, sha256, sizeof(refused->sha256));
	(void)snprintf(refused->reason, sizeof(refused->reason), "%s", reason);
}

void refused_network_note_unfinished(struct refused_network *refused, const char sha256[static 65])
{
	if (!str_equal(refused->sha256, sha256))
		refused_network_note(refused, sha256, 0, "");
	if (refused->unfinished < COUNT_MAX)
		refused->unfinished++;
	if (!refused->refusals)
		(void)snprintf(refused->reason, sizeof(refused->reason), "hearthd or the machine stopped while it was on trial, %u times",
			refused->unfinished);
}

unsigned refused_network_count(const struct refused_network *refused, const char sha256[static 65])
{
	if (!str_equal(refused->sha256, sha256))
		return 0;
	return refused->refusals + (refused->unfinished > 1 ? refused->unfinished - 1 : 0);
}
