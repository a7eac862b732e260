// SPDX-License-Identifier: Apache-2.0
#include "agent/assignment-storage.h"
#include <errno.h>

static bool is_null(const struct value *value)
{
	return !value || value->type == VALUE_NULL;
}

static int take_name(const struct value *object, const char *key, const char *what, const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	if (is_null(value))
		return diag_set(reterr, -EINVAL, what, "is missing");
	int r = value_string(value, what, ret, reterr);
	if (r < 0)
		return r;
	return storage_name_valid(*ret) ? 0 : diag_set(reterr, -EINVAL, what, "must be a name in lower case, not \"%s\"", *ret);
}

static int take_bytes(const struct value *object, const char *what, uint64_t *ret, struct diag *reterr)
{
	const struct value *value = value_find(object, "bytes");
	int64_t bytes = 0;
	if (is_null(value))
		return diag_set(reterr, -EINVAL, what, "is missing");
	int r = value_int(value, what, VOLUME_MIN_BYTES, INT64_MAX, &bytes, reterr);
	*ret = (uint64_t)bytes;
	return r;
}

static int decode_wish(const struct value *item, struct volume_wish *ret, struct diag *reterr)
{
	const char *source = NULL;
	int r = take_name(item, "name", "storage.volumes.name", &ret->name, reterr);
	if (r < 0)
		return r;
	if (!volume_name_valid(ret->name))
		return diag_set(reterr, -EINVAL, "storage.volumes.name", "must be at most %d of a-z, 0-9 and -, not \"%s\"",
			VOLUME_NAME_MAX, ret->name);
	source = value_text(value_find(item, "source"));
	if (!str_equal(source, "state") && !str_equal(source, "disk"))
		return diag_set(reterr, -EINVAL, "storage.volumes.source", "must be state or disk, not \"%s\"", source ? source : "");
	ret->source = str_equal(source, "state") ? VOLUME_ON_STATE : VOLUME_ON_DISK;
	if (ret->source == VOLUME_ON_STATE)
		return take_bytes(item, "storage.volumes.bytes", &ret->bytes, reterr);
	ret->serial = value_text(value_find(item, "serial"));
	if (!ret->serial || !*ret->serial || strlen(ret->serial) >= VOLUME_SERIAL_MAX)
		return diag_set(reterr, -EINVAL, "storage.volumes.serial", "must be the serial number of a disk");
	return 0;
}

static int decode_own(const struct value *list, struct assignment_storage *ret, struct diag *reterr)
{
	if (is_null(list))
		return 0;
	if (list->type != VALUE_ARRAY || list->n > ASSIGNMENT_MAX_VOLUMES)
		return diag_set(reterr, -EINVAL, "storage.volumes", "must be a list of at most %d volumes", ASSIGNMENT_MAX_VOLUMES);
	for (size_t i = 0; i < list->n; i++) {
		struct volume_wish *wish = &ret->volumes[i];
		int r = decode_wish(&list->items[i], wish, reterr);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++) {
			if (str_equal(ret->volumes[j].name, wish->name))
				return diag_set(reterr, -EINVAL, "storage.volumes", "names %s twice", wish->name);
			if (wish->serial && str_equal(ret->volumes[j].serial, wish->serial))
				return diag_set(reterr, -EINVAL, "storage.volumes", "%s and %s are on one disk (serial %s)",
					ret->volumes[j].name, wish->name, wish->serial);
		}
		ret->n_volumes++;
	}
	return 0;
}

static int decode_all(const struct value *list, struct storage *ret, struct diag *reterr)
{
	if (is_null(list))
		return 0;
	if (list->type != VALUE_ARRAY || list->n > STORAGE_MAX_VOLUMES)
		return diag_set(reterr, -EINVAL, "storage.all", "must be a list of at most %d volumes", STORAGE_MAX_VOLUMES);
	for (size_t i = 0; i < list->n; i++) {
		const struct value *item = &list->items[i];
		struct storage_volume *volume = &ret->volumes[i];
		int r = take_name(item, "node", "storage.all.node", &volume->node, reterr);
		if (r == 0)
			r = take_name(item, "name", "storage.all.name", &volume->name, reterr);
		if (r == 0)
			r = take_bytes(item, "storage.all.bytes", &volume->bytes, reterr);
		if (r < 0)
			return r;
		volume->path = value_text(value_find(item, "path"));
		if (!volume->path || volume->path[0] != '/')
			return diag_set(reterr, -EINVAL, "storage.all.path", "must be an absolute path");
		ret->n_volumes++;
	}
	return 0;
}

int assignment_storage_decode(const struct value *value, bool server, struct assignment_storage *ret, struct diag *reterr)
{
	struct stage_extras *extras CLEANUP(stage_extras_freep) = NULL;
	if (is_null(value))
		return 0;
	if (value->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "storage", "must be an object");
	const char *kind = value_text(value_find(value, "kind"));
	if (!str_equal(kind, "static") && !str_equal(kind, "local-path"))
		return diag_set(reterr, -EINVAL, "storage.kind", "must be static or local-path, not \"%s\"", kind ? kind : "");
	ret->wanted = true;
	ret->cluster.kind = str_equal(kind, "static") ? STORAGE_STATIC : STORAGE_LOCAL_PATH;
	int r = take_name(value, "class", "storage.class", &ret->cluster.class_name, reterr);
	if (r == 0)
		r = decode_own(value_find(value, "volumes"), ret, reterr);
	if (r == 0 && server)
		r = decode_all(value_find(value, "all"), &ret->cluster, reterr);
	return r < 0 ? r : storage_render(&ret->cluster, &extras, reterr); // what cannot be laid is refused here, by its key
}
