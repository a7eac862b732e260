// SPDX-License-Identifier: Apache-2.0
#include "agent/volumes-exchange.h"
#include "base/crypto.h"
#include "base/json.h"
#include <errno.h>

void volumes_wanted_done(struct volumes_wanted *wanted)
{
	value_free(wanted->document);
	*wanted = (struct volumes_wanted){ 0 };
}

char *volumes_wanted_format(const struct assignment *assignment, bool durable)
{
	const struct assignment_storage *storage = assignment->storage;
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "cluster", assignment->cluster_name ? assignment->cluster_name : "");
	json_out_member(&out, "node", assignment->node_name);
	json_out_member_bool(&out, "durable", durable);
	json_out_key(&out, "volumes");
	json_out_array_begin(&out);
	for (size_t i = 0; i < storage->n_volumes; i++) {
		const struct volume_wish *wish = &storage->volumes[i];
		json_out_object_begin(&out);
		json_out_member(&out, "name", wish->name);
		json_out_member(&out, "source", wish->source == VOLUME_ON_STATE ? "state" : "disk");
		if (wish->source == VOLUME_ON_STATE)
			json_out_member_int(&out, "bytes", (int64_t)wish->bytes);
		else
			json_out_member(&out, "serial", wish->serial);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static int wish_parse(const struct value *item, struct volume_wish *ret, struct diag *reterr)
{
	const char *source = value_text(value_find(item, "source"));
	int64_t bytes = 0;
	ret->name = value_text(value_find(item, "name"));
	ret->serial = value_text(value_find(item, "serial"));
	ret->source = str_equal(source, "disk") ? VOLUME_ON_DISK : VOLUME_ON_STATE;
	if (!ret->name || !volume_name_valid(ret->name))
		return diag_set(reterr, -EINVAL, "volumes", "a volume has no name");
	if (ret->source == VOLUME_ON_DISK)
		return ret->serial && strlen(ret->serial) < VOLUME_SERIAL_MAX ? 0 : diag_set(reterr, -EINVAL, ret->name, "has no serial");
	int r = value_int(value_find(item, "bytes"), "bytes", VOLUME_MIN_BYTES, INT64_MAX, &bytes, reterr);
	ret->bytes = (uint64_t)bytes;
	return r;
}

int volumes_wanted_parse(const char *text, size_t n, struct volumes_wanted *ret, struct diag *reterr)
{
	struct volumes_wanted wanted CLEANUP(volumes_wanted_done) = { 0 };
	int r = json_parse(text, n, VOLUMES_MAX_BYTES, &wanted.document, reterr);
	if (r < 0)
		return r;
	const struct value *list = value_find(wanted.document, "volumes");
	wanted.cluster = value_text(value_find(wanted.document, "cluster"));
	wanted.node = value_text(value_find(wanted.document, "node"));
	r = value_bool(value_find(wanted.document, "durable"), "durable", &wanted.durable, reterr);
	if (r < 0)
		return r;
	if (!wanted.cluster || !wanted.node || strlen(wanted.cluster) > 253 || strlen(wanted.node) > 253)
		return diag_set(reterr, -EINVAL, "node", "and cluster must be names");
	if (!list || list->type != VALUE_ARRAY || list->n > ASSIGNMENT_MAX_VOLUMES)
		return diag_set(reterr, -EINVAL, "volumes", "must be a list of at most %d volumes", ASSIGNMENT_MAX_VOLUMES);
	for (; wanted.n < list->n && r == 0; wanted.n++)
		r = wish_parse(&list->items[wanted.n], &wanted.wishes[wanted.n], reterr);
	if (r < 0)
		return r;
	*ret = wanted;
	wanted.document = NULL;
	return 0;
}

// --- the answer ---

void volumes_answer_done(struct volumes_answer *answer)
{
	value_free(answer->document);
	*answer = (struct volumes_answer){ 0 };
}

char *volumes_answer_format(const char *wanted_text, const struct volume_wish *wishes, const struct volume_result *results,
	size_t n)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "wanted", wanted_text);
	json_out_key(&out, "volumes");
	json_out_object_begin(&out);
	for (size_t i = 0; i < n; i++) {
		char path[128];
		(void)snprintf(path, sizeof(path), VOLUME_FOLDER "/%.60s", wishes[i].name); // names are short
		json_out_key(&out, wishes[i].name);
		json_out_object_begin(&out);
		json_out_member(&out, "path", path);
		json_out_member_int(&out, "bytes", (int64_t)results[i].bytes);
		json_out_member_bool(&out, "ready", results[i].ready);
		json_out_member(&out, "sentence", results[i].sentence);
		json_out_object_end(&out);
	}
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

int volumes_answer_parse(const char *text, size_t n, const char *wanted_text, struct volumes_answer *ret, struct diag *reterr)
{
	struct volumes_answer answer CLEANUP(volumes_answer_done) = { 0 };
	int r = json_parse(text, n, VOLUMES_MAX_BYTES, &answer.document, reterr);
	if (r < 0)
		return r;
	if (!str_equal(value_text(value_find(answer.document, "wanted")), wanted_text))
		return -ENOENT;
	answer.volumes = value_find(answer.document, "volumes");
	if (!answer.volumes || answer.volumes->type != VALUE_OBJECT || answer.volumes->n > VOLUMES_MAX)
		return diag_set(reterr, -EINVAL, "volumes", "must be an object of at most %d volumes", VOLUMES_MAX);
	for (size_t i = 0; i < answer.volumes->n; i++) {
		const struct value *volume = &answer.volumes->items[i];
		const char *sentence = value_text(value_find(volume, "sentence"));
		bool ready = false;
		r = value_bool(value_find(volume, "ready"), "ready", &ready, reterr);
		if (r < 0)
			return r;
		answer.n_waiting += !ready;
		if (sentence && *sentence && answer.n_sentences++ == 0)
			(void)snprintf(answer.sentence, sizeof(answer.sentence), "%s", sentence); // cut is fine for people
	}
	*ret = answer;
	answer.document = NULL;
	return 0;
}
