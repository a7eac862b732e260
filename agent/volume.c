// Records and the decision. Every refusal names the volume, what is found, and who can mend it.
// SPDX-License-Identifier: Apache-2.0
#include "agent/volume.h"
#include "base/crypto.h"
#include "base/json.h"
#include <errno.h>
#include <stdarg.h>

bool volume_name_valid(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= VOLUME_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && name[0] != '-' &&
	       name[n - 1] != '-';
}

// --- records ---

static int take_text(const struct value *document, const char *key, char *ret, size_t n, struct diag *reterr)
{
	const char *text = value_text(value_find(document, key));
	if (!text || strlen(text) >= n)
		return diag_set(reterr, -EINVAL, key, "must be a text of at most %zu characters", n - 1);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

int volume_record_parse(const char *text, size_t n, struct volume_record *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	int64_t bytes = 0;
	*ret = (struct volume_record){ 0 };
	int r = json_parse(text, n, VOLUME_LABEL_BYTES, &document, reterr);
	if (r == 0)
		r = take_text(document, "cluster", ret->cluster, sizeof(ret->cluster), reterr);
	if (r == 0)
		r = take_text(document, "node", ret->node, sizeof(ret->node), reterr);
	if (r == 0)
		r = take_text(document, "name", ret->name, sizeof(ret->name), reterr);
	if (r == 0 && !volume_name_valid(ret->name))
		r = diag_set(reterr, -EINVAL, "name", "is no name of a volume");
	if (r == 0)
		r = value_int(value_find(document, "bytes"), "bytes", 0, INT64_MAX, &bytes, reterr);
	if (r < 0)
		return r;
	ret->bytes = (uint64_t)bytes;
	const char *source = value_text(value_find(document, "source"));
	if (!str_equal(source, "state") && !str_equal(source, "disk"))
		return diag_set(reterr, -EINVAL, "source", "must be state or disk");
	ret->source = str_equal(source, "state") ? VOLUME_ON_STATE : VOLUME_ON_DISK;
	return ret->source == VOLUME_ON_DISK ? take_text(document, "serial", ret->serial, sizeof(ret->serial), reterr) : 0;
}

char *volume_record_format(const struct volume_record *record)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "cluster", record->cluster);
	json_out_member(&out, "node", record->node);
	json_out_member(&out, "name", record->name);
	json_out_member(&out, "source", record->source == VOLUME_ON_STATE ? "state" : "disk");
	if (record->source == VOLUME_ON_DISK)
		json_out_member(&out, "serial", record->serial);
	json_out_member_int(&out, "bytes", (int64_t)record->bytes);
	json_out_object_end(&out);
	return json_out_take(&out);
}

#define LABEL_MAGIC "HEARTH-VOL 1 "
enum { LABEL_HEAD = sizeof(LABEL_MAGIC) - 1 + SHA256_HEX + 1 };

static void label_hash(const char *json, size_t n, char ret[static SHA256_HEX + 1])
{
	uint8_t hash[SHA256_BYTES];
	sha256(json, n, hash);
	hex_encode(hash, sizeof(hash), ret);
}

int volume_label_encode(const struct volume_record *record, char ret[static VOLUME_LABEL_BYTES])
{
	char *json AUTO_FREE = volume_record_format(record), hash[SHA256_HEX + 1];
	if (!json)
		return -ENOMEM;
	memset(ret, 0, VOLUME_LABEL_BYTES);
	label_hash(json, strlen(json), hash);
	int n = snprintf(ret, VOLUME_LABEL_BYTES, LABEL_MAGIC "%s\n%s", hash, json);
	return n < VOLUME_LABEL_BYTES ? 0 : -E2BIG;
}

int volume_label_decode(const char bytes[static VOLUME_LABEL_BYTES], struct volume_record *ret)
{
	char hash[SHA256_HEX + 1];
	if (memcmp(bytes, LABEL_MAGIC, strlen(LABEL_MAGIC)) != 0)
		return -ENOENT;
	const char *json = bytes + LABEL_HEAD;
	size_t n = strnlen(json, VOLUME_LABEL_BYTES - LABEL_HEAD);
	label_hash(json, n, hash);
	if (memcmp(bytes + strlen(LABEL_MAGIC), hash, SHA256_HEX) != 0 || json[-1] != '\n' ||
		volume_record_parse(json, n, ret, NULL) < 0)
		return -EBADMSG;
	return 0;
}

// --- the decision ---

static enum volume_verdict say(char sentence[static VOLUME_SENTENCE_MAX], enum volume_verdict verdict, const char *format, ...)
	PRINTF_LIKE(3, 4);
static enum volume_verdict say(char sentence[static VOLUME_SENTENCE_MAX], enum volume_verdict verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(sentence, VOLUME_SENTENCE_MAX, format, args); // cut is fine for people
	va_end(args);
	return verdict;
}

static bool is_ours(const struct volume_record *record, const struct volume_wish *wish, const char *cluster, const char *node)
{
	return str_equal(record->cluster, cluster) && str_equal(record->node, node) && str_equal(record->name, wish->name);
}

#define OTHER_NAME "give what is wanted now another volume name in cluster.yaml"

static unsigned long long mib(uint64_t bytes)
{
	return (unsigned long long)(bytes >> 20);
}

// The name is taken by another volume, one that was ready.
static bool record_differs(const struct volume_wish *wish, const char *cluster, const char *node, const struct volume_seen *seen,
	char sentence[static VOLUME_SENTENCE_MAX])
{
	const struct volume_record *record = &seen->record;
	if (!seen->has_record)
		return false;
	if (!str_equal(record->cluster, cluster) || !str_equal(record->node, node))
		(void)say(sentence, VOLUME_REFUSED, "volume %s on this STATE is of node %.80s in cluster %.80s; it is kept and not used: "
			OTHER_NAME, wish->name, record->node, record->cluster);
	else if (record->source != wish->source)
		(void)say(sentence, VOLUME_REFUSED, "volume %s was made on %s and stays there: " OTHER_NAME, wish->name,
			record->source == VOLUME_ON_STATE ? "STATE" : "a disk");
	else if (wish->source == VOLUME_ON_DISK && !str_equal(record->serial, wish->serial))
		(void)say(sentence, VOLUME_REFUSED, "volume %s was made on the disk with serial %s and stays there, not on %s: " OTHER_NAME,
			wish->name, record->serial, wish->serial);
	else
		return false;
	return true;
}

static enum volume_verdict decide_state(const struct volume_wish *wish, const struct volume_seen *seen,
	char sentence[static VOLUME_SENTENCE_MAX])
{
	if (!seen->durable)
		return say(sentence, VOLUME_REFUSED, "volume %s is a share of STATE, and this machine has none: give it a disk for STATE",
			wish->name);
	if (seen->has_image) {
		if (seen->image_bytes != wish->bytes)
			return say(sentence, VOLUME_MOUNT, "volume %s has %llu MiB and keeps them; the assignment says %llu MiB: a new volume "
				"with another name can be larger", wish->name, mib(seen->image_bytes), mib(wish->bytes));
		return VOLUME_MOUNT;
	}
	if (seen->has_record)
		return say(sentence, VOLUME_REFUSED, "volume %s was ready on STATE and its file is gone, with its data; it is not made "
			"again under the same name: " OTHER_NAME, wish->name);
	if (seen->state_free_bytes < wish->bytes + volume_state_reserve_bytes)
		return say(sentence, VOLUME_REFUSED, "STATE has %llu MiB free; volume %s takes %llu MiB and %llu MiB are kept for the node: "
			"make it smaller in cluster.yaml, or give this machine a larger disk", mib(seen->state_free_bytes), wish->name,
			mib(wish->bytes), mib(volume_state_reserve_bytes));
	return VOLUME_MAKE;
}

static enum volume_verdict decide_labelled(const struct volume_wish *wish, const char *cluster, const char *node,
	const struct volume_seen *seen, char sentence[static VOLUME_SENTENCE_MAX])
{
	if (!seen->has_label || seen->n_partitions > 1)
		return say(sentence, VOLUME_REFUSED, "%s (serial %s) has %u partitions " VOLUME_PARTITION_LABEL " and no record of whose they "
			"are; it is not touched: whoever owns it can wipe it (wipefs) or take it out", seen->disk.path, wish->serial,
			seen->n_partitions);
	if (!is_ours(&seen->label, wish, cluster, node))
		return say(sentence, VOLUME_REFUSED, "%s (serial %s) holds volume %s of node %.80s in cluster %.80s, not %s of this node; it "
			"is not touched: whoever owns that data can move the disk back, or wipe it (wipefs)", seen->disk.path, wish->serial,
			seen->label.name, seen->label.node, seen->label.cluster, wish->name);
	return VOLUME_MOUNT;
}

static enum volume_verdict decide_disk(const struct volume_wish *wish, const char *cluster, const char *node,
	const struct volume_seen *seen, char sentence[static VOLUME_SENTENCE_MAX])
{
	char why[BLANK_SENTENCE_MAX];
	if (seen->n_disks == 0)
		return say(sentence, VOLUME_REFUSED, "volume %s is to be on the disk with serial %s, and this machine has none: plug it in, or "
			"mend the serial in cluster.yaml", wish->name, wish->serial);
	if (seen->n_disks > 1)
		return say(sentence, VOLUME_REFUSED, "volume %s is to be on the disk with serial %s, and %u disks of this machine say they are "
			"that: take the others out", wish->name, wish->serial, seen->n_disks);
	if (seen->is_state || seen->excluded)
		return say(sentence, VOLUME_REFUSED, "volume %s is to be on %s (serial %s), which is %s: name another disk in cluster.yaml",
			wish->name, seen->disk.path, wish->serial,
			seen->is_state ? "this node's STATE" : "removable, read-only or the boot medium");
	if (seen->n_partitions)
		return decide_labelled(wish, cluster, node, seen, sentence);
	bool half_made = disk_is_half_made(&seen->disk, DISK_MARK_VOLUME);
	if (!half_made && !disk_is_blank(&seen->disk, why))
		return say(sentence, VOLUME_REFUSED, "volume %s cannot be made: %.300s (serial %s), and a disk that is not blank is never "
			"touched; whoever owns that data can wipe it (wipefs), or name another disk in cluster.yaml", wish->name, why,
			wish->serial);
	if (seen->has_record)
		return say(sentence, VOLUME_REFUSED, "volume %s was ready on %s (serial %s), which is blank now: its data is gone; it is not made "
			"again under the same name: " OTHER_NAME, wish->name, seen->disk.path, wish->serial);
	if (seen->disk.size_bytes < 4 * BLANK_EDGE_BYTES)
		return say(sentence, VOLUME_REFUSED, "%s (serial %s) is too small for volume %s: name another disk in cluster.yaml",
			seen->disk.path, wish->serial, wish->name);
	return half_made ? VOLUME_MAKE_AGAIN : VOLUME_MAKE;
}

enum volume_verdict volume_decide(const struct volume_wish *wish, const char *cluster, const char *node,
	const struct volume_seen *seen, char sentence[static VOLUME_SENTENCE_MAX])
{
	sentence[0] = '\0';
	if (record_differs(wish, cluster, node, seen, sentence))
		return VOLUME_REFUSED;
	if (seen->mounted)
		return VOLUME_IS_READY;
	if (wish->source == VOLUME_ON_STATE)
		return decide_state(wish, seen, sentence);
	return decide_disk(wish, cluster, node, seen, sentence);
}
