// SPDX-License-Identifier: Apache-2.0
#include "region/status-parts.h"

#include "region/cluster-parts.h"
#include "region/restore.h"
#include "region/snapshot.h"

#include <errno.h>

/* MAX_ITEMS is the node's own limit (contracts.md). A list of people has room for many nodes
 * (admin-node.c): the first item is what they look for, `show` has all of the status. */
enum {
	MAX_ITEMS = 32,
	MAX_VOLUMES = 64, // the same
	MAX_OBJECTS = 100000,
	MAX_SENTENCE = 4096,
	MAX_MESSAGE = 16 << 10,
	MAX_NAME = 253,
	MAX_AGE_SEC = INT32_MAX,
	MAX_TIMES = INT32_MAX,
	SHOWN_TEXT = 512,
	SHOWN_JOBS = 8
};

#define VOLUME_FOLDER "/var/lib/hearth/volumes/"

static bool is_absent(const struct value *value)
{
	return !value || value->type == VALUE_NULL;
}

static int check_text(const struct value *object, const char *key, const char *what, size_t max,
	bool required, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	const char *text;
	if (!required && is_absent(value))
		return 0;
	int r = value_string(value, what, &text, reterr);
	if (r >= 0 && strlen(text) > max)
		return diag_set(reterr, -EINVAL, what, "must be at most %zu bytes, not %zu", max,
			strlen(text));
	return r;
}

// A server writes the path into a PersistentVolume: nothing but a volume's own folder gets there.
static int check_volume(const char *name, const struct value *volume, struct diag *reterr)
{
	const char *path;
	int64_t n_bytes;
	bool ready;
	if (!dns_label_valid(name))
		return diag_set(reterr, -EINVAL, "volumes",
			"must be named by DNS labels, not \"%s\"", name);
	if (volume->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "volumes", "%s must be an object", name);
	int r = value_bool(value_find(volume, "ready"), "volumes.ready", &ready, reterr);
	if (r < 0 ||
		(r = check_text(volume, "sentence", "volumes.sentence", MAX_SENTENCE, false,
			 reterr)) < 0 ||
		(r = value_int(value_find(volume, "bytes"), "volumes.bytes", 0, INT64_MAX, &n_bytes,
			 reterr)) < 0 ||
		(r = value_string(value_find(volume, "path"), "volumes.path", &path, reterr)) < 0)
		return r;
	if (!str_starts(path, VOLUME_FOLDER) || !str_equal(path + strlen(VOLUME_FOLDER), name))
		return diag_set(reterr, -EINVAL, "volumes.path",
			"must be " VOLUME_FOLDER "%s, not "
			"\"%s\"",
			name, path);
	return 0;
}

static int check_volumes(const struct value *volumes, struct diag *reterr)
{
	int r = 0;
	if (is_absent(volumes))
		return 0;
	if (volumes->type != VALUE_OBJECT || volumes->n > MAX_VOLUMES)
		return diag_set(reterr, -EINVAL, "volumes",
			"must map at most %d names to what became of them", MAX_VOLUMES);
	for (size_t i = 0; r >= 0 && i < volumes->n; i++)
		r = check_volume(volumes->keys[i], &volumes->items[i], reterr);
	return r;
}

static int check_item(const struct value *item, struct diag *reterr)
{
	int64_t age_sec;
	bool ready;
	if (item->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "platform.items", "must be objects");
	int r = check_text(item, "kind", "platform.items.kind", MAX_NAME, true, reterr);
	if (r < 0 ||
		(r = check_text(item, "namespace", "platform.items.namespace", MAX_NAME, false,
			 reterr)) < 0 ||
		(r = check_text(item, "name", "platform.items.name", MAX_NAME, true, reterr)) < 0 ||
		(r = check_text(item, "message", "platform.items.message", MAX_MESSAGE, false,
			 reterr)) < 0 ||
		(r = value_bool(
			 value_find(item, "ready"), "platform.items.ready", &ready, reterr)) < 0)
		return r;
	return is_absent(value_find(item, "ageSec"))
		       ? 0
		       : value_int(value_find(item, "ageSec"), "platform.items.ageSec", 0,
				 MAX_AGE_SEC, &age_sec, reterr);
}

static int check_platform(const struct value *platform, struct diag *reterr)
{
	const struct value *items = value_find(platform, "items");
	int64_t n, n_ready;
	if (is_absent(platform))
		return 0;
	if (platform->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "platform", "must be an object");
	int r = value_int(value_find(platform, "n"), "platform.n", 0, MAX_OBJECTS, &n, reterr);
	if (r < 0 || (r = value_int(value_find(platform, "nReady"), "platform.nReady", 0, n,
			      &n_ready, reterr)) < 0)
		return r;
	if (is_absent(items))
		return 0;
	if (items->type != VALUE_ARRAY || items->n > MAX_ITEMS)
		return diag_set(reterr, -EINVAL, "platform.items",
			"must be a list of at most %d entries", MAX_ITEMS);
	for (size_t i = 0; r >= 0 && i < items->n; i++)
		r = check_item(&items->items[i], reterr);
	return r;
}

static int check_network_refused(const struct value *refused, struct diag *reterr)
{
	int64_t times;
	if (is_absent(refused))
		return 0;
	if (refused->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "networkRefused", "must be an object");
	int r = value_int(value_find(refused, "times"), "networkRefused.times", 1, MAX_TIMES, &times, reterr);
	return r < 0 ? r : check_text(refused, "reason", "networkRefused.reason", MAX_SENTENCE, true, reterr);
}

int status_parts_check(const struct value *body, struct diag *reterr)
{
	int r = check_volumes(value_find(body, "volumes"), reterr);
	if (r >= 0)
		r = check_network_refused(value_find(body, "networkRefused"), reterr);
	if (r >= 0)
		r = snapshots_check(body, reterr);
	if (r >= 0)
		r = restore_report_check(body, reterr);
	return r < 0 ? r : check_platform(value_find(body, "platform"), reterr);
}

bool status_volume_find(const struct value *volumes, const char *name, struct status_volume *ret)
{
	const struct value *volume = value_find(volumes, name);
	const char *sentence = value_text(value_find(volume, "sentence"));
	struct status_volume found = { .path = value_text(value_find(volume, "path")),
		.sentence = sentence ? sentence : "" };
	if (!found.path ||
		value_int(value_find(volume, "bytes"), "bytes", 0, INT64_MAX, &found.n_bytes,
			NULL) < 0 ||
		value_bool(value_find(volume, "ready"), "ready", &found.ready, NULL) < 0)
		return false;
	*ret = found;
	return true;
}

static bool told_the_same(const struct value *a, const struct value *b)
{
	size_t n_a = a ? a->n : 0, n_b = b ? b->n : 0;
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++) {
		struct status_volume x, y;
		if (!status_volume_find(a, a->keys[i], &x) ||
			!status_volume_find(b, a->keys[i], &y) || x.ready != y.ready ||
			x.n_bytes != y.n_bytes || !str_equal(x.path, y.path))
			return false;
	}
	return true;
}

bool status_volumes_changed(const char *before, const struct value *now)
{
	CLEANUP(value_freep) struct value *old = NULL;
	const struct value *volumes = value_find(now, "volumes");
	bool had = before && strstr(before, "\"volumes\"");
	if (is_absent(volumes))
		volumes = NULL;
	if (!had) // most of the time: the old one is not read
		return volumes && volumes->n > 0;
	if (json_parse(before, strlen(before), 0, &old, NULL) < 0)
		return true;
	const struct value *old_volumes = value_find(old, "volumes");
	return !told_the_same(is_absent(old_volumes) ? NULL : old_volumes, volumes);
}

// ---- for people

static void put_clipped(struct json_out *out, const char *key, const char *text)
{
	char clipped[SHOWN_TEXT + 1];
	if (!text)
		return;
	(void)snprintf(clipped, sizeof(clipped), "%s", text); // json_out mends a cut character
	json_out_member(out, key, clipped);
}

static void put_number(struct json_out *out, const char *key, const struct value *value)
{
	int64_t number;
	if (value_int(value, key, 0, INT64_MAX, &number, NULL) >= 0)
		json_out_member_int(out, key, number);
}

static void put_platform(struct json_out *out, const struct value *platform)
{
	static const char *const texts[] = { "kind", "namespace", "name", "message" };
	const struct value *items = value_find(platform, "items");
	if (!platform || platform->type != VALUE_OBJECT)
		return;
	json_out_key(out, "platform");
	json_out_object_begin(out);
	put_number(out, "n", value_find(platform, "n"));
	put_number(out, "nReady", value_find(platform, "nReady"));
	for (size_t i = 0; items && items->type == VALUE_ARRAY && i < items->n; i++) {
		const struct value *ready = value_find(&items->items[i], "ready");
		if (ready && ready->boolean)
			continue;
		json_out_key(out, "first"); // that is not ready
		json_out_object_begin(out);
		for (size_t k = 0; k < N_ELEMENTS(texts); k++)
			put_clipped(
				out, texts[k], value_text(value_find(&items->items[i], texts[k])));
		put_number(out, "ageSec", value_find(&items->items[i], "ageSec"));
		json_out_object_end(out);
		break;
	}
	json_out_object_end(out);
}

static void put_volumes(struct json_out *out, const struct value *volumes)
{
	if (!volumes || volumes->type != VALUE_OBJECT || volumes->n == 0)
		return;
	json_out_key(out, "volumes");
	json_out_object_begin(out);
	for (size_t i = 0; i < volumes->n && i < MAX_VOLUMES; i++) {
		struct status_volume volume;
		if (!status_volume_find(volumes, volumes->keys[i], &volume))
			continue;
		json_out_key(out, volumes->keys[i]);
		json_out_object_begin(out);
		json_out_member_int(out, "bytes", volume.n_bytes);
		json_out_member_bool(out, "ready", volume.ready);
		put_clipped(out, "sentence", volume.sentence);
		json_out_object_end(out);
	}
	json_out_object_end(out);
}

// Those that are not done: what became of the others is over.
static void put_jobs(struct json_out *out, const struct value *jobs)
{
	size_t n = 0;
	if (!jobs || jobs->type != VALUE_OBJECT || jobs->n == 0)
		return;
	json_out_key(out, "jobs");
	json_out_object_begin(out);
	for (size_t i = 0; i < jobs->n && n < SHOWN_JOBS; i++) {
		const char *state = value_text(value_find(&jobs->items[i], "state"));
		if (!state || str_equal(state, "done") || strlen(jobs->keys[i]) > 32)
			continue;
		n++;
		json_out_key(out, jobs->keys[i]);
		json_out_object_begin(out);
		put_clipped(out, "state", state);
		put_clipped(out, "sentence", value_text(value_find(&jobs->items[i], "sentence")));
		json_out_object_end(out);
	}
	json_out_object_end(out);
}

static void put_network_refused(struct json_out *out, const struct value *refused)
{
	if (!refused || refused->type != VALUE_OBJECT)
		return;
	json_out_key(out, "networkRefused");
	json_out_object_begin(out);
	put_number(out, "times", value_find(refused, "times"));
	put_clipped(out, "reason", value_text(value_find(refused, "reason")));
	json_out_object_end(out);
}

void status_parts_put(const struct value *status, struct json_out *out)
{
	put_platform(out, value_find(status, "platform"));
	put_volumes(out, value_find(status, "volumes"));
	put_jobs(out, value_find(status, "jobs"));
	put_network_refused(out, value_find(status, "networkRefused"));
}
