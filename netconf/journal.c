// The journal's JSON and its file.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/journal.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>

void journal_done(struct journal *journal)
{
	free(journal->before);
	protocol_table_done(&journal->protocols);
	free(journal->strangers);
	free(journal->other_names);
	free(journal->ras);
	config_files_done(&journal->files);
	free(journal->resolv);
	*journal = (struct journal){0};
}

static const char *const list_keys[N_PROTOCOL_LISTS] = {[PROTOCOLS_ADDRESSES] = "addresses", [PROTOCOLS_ROUTES] = "routes",
	[PROTOCOLS_RULES] = "rules", [PROTOCOLS_BEHIND] = "behind"};

static void put_protocols(struct json_out *out, const struct protocol_table *table)
{
	json_out_key(out, "protocols");
	json_out_array_begin(out);
	for (size_t i = 0; i < table->n; i++) {
		const struct protocols *entry = &table->entries[i];
		json_out_object_begin(out);
		json_out_member(out, "id", entry->id);
		for (size_t list = 0; list < N_PROTOCOL_LISTS; list++) {
			if (!entry->of[list])
				continue;
			json_out_key(out, list_keys[list]);
			json_out_array_begin(out);
			for (size_t j = 0; j < entry->n[list]; j++)
				json_out_int(out, entry->of[list][j]);
			json_out_array_end(out);
		}
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

static void put_pair(struct json_out *out, const char *key, const char *text, const char *other_key, const char *other_text)
{
	json_out_object_begin(out);
	json_out_member(out, key, text);
	json_out_member(out, other_key, other_text);
	json_out_object_end(out);
}

static void put_other_names(struct json_out *out, const struct journal *journal)
{
	json_out_key(out, "otherNames");
	json_out_array_begin(out);
	for (size_t i = 0; i < journal->n_other_names; i++)
		put_pair(out, "link", journal->other_names[i].link, "name", journal->other_names[i].name);
	json_out_array_end(out);
}

static void put_ras(struct json_out *out, const struct journal *journal)
{
	json_out_key(out, "acceptRa");
	json_out_array_begin(out);
	for (size_t i = 0; i < journal->n_ras; i++) {
		json_out_object_begin(out);
		json_out_member(out, "name", journal->ras[i].name);
		json_out_member_int(out, "value", journal->ras[i].accept_ra);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

char *journal_encode(const struct journal *journal)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member_int(&out, "version", JOURNAL_VERSION);
	json_out_member(&out, "who", journal->who);
	json_out_member(&out, "bootId", journal->boot_id);
	json_out_member_int(&out, "wallSec", journal->wall_sec);
	json_out_member_int(&out, "deadlineUsec", (int64_t)journal->deadline_usec);
	json_out_member(&out, "tried", journal->tried);
	json_out_member(&out, "before", journal->before);
	if (journal->protocols.n)
		put_protocols(&out, &journal->protocols);
	if (journal->n_ras)
		put_ras(&out, journal);
	json_out_key(&out, "strangers");
	json_out_array_begin(&out);
	for (size_t i = 0; i < journal->n_strangers; i++)
		put_pair(&out, "name", journal->strangers[i].name, "alias", journal->strangers[i].alias);
	json_out_array_end(&out);
	if (journal->n_other_names)
		put_other_names(&out, journal);
	if (journal->has_files) {
		json_out_key(&out, "files");
		json_out_array_begin(&out);
		for (size_t i = 0; i < journal->files.n; i++)
			put_pair(&out, "name", journal->files.files[i].name, "content", journal->files.files[i].content);
		json_out_array_end(&out);
		json_out_member(&out, "resolv", journal->resolv);
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

// --- decoding ---

static int take_text(const struct value *object, const char *key, char *ret, size_t n_ret, struct diag *reterr)
{
	const char *text;
	int error = value_string(value_find(object, key), key, &text, reterr);
	if (error < 0)
		return error;
	if (strlen(text) >= n_ret)
		return diag_set(reterr, -EINVAL, "", "%s: must be shorter than %zu bytes", key, n_ret);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int take_copy(const struct value *object, const char *key, char **ret, struct diag *reterr)
{
	const char *text;
	int error = value_string(value_find(object, key), key, &text, reterr);
	if (error < 0)
		return error;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int list_of(const struct value *object, const char *key, size_t max, const struct value **ret, struct diag *reterr)
{
	const struct value *list = value_find(object, key);
	if (!list || list->type != VALUE_ARRAY)
		return diag_set(reterr, -EINVAL, "", "%s: must be a list", key);
	if (list->n > max)
		return diag_set(reterr, -EINVAL, "", "%s: must have at most %zu entries, not %zu", key, max, list->n);
	*ret = list;
	return 0;
}

static int take_protocol_list(const struct value *object, enum protocol_list which, struct protocols *ret, struct diag *reterr)
{
	const char *key = list_keys[which];
	const struct value *list;
	if (!value_find(object, key))
		return 0;
	int error = list_of(object, key, NETWORK_MAX_ROUTES, &list, reterr);
	if (error < 0)
		return error;
	ret->of[which] = calloc(list->n + 1, sizeof(*ret->of[which]));
	if (!ret->of[which])
		return -ENOMEM;
	for (; error == 0 && ret->n[which] < list->n; ret->n[which]++) {
		int64_t protocol = 0;
		error = value_int(&list->items[ret->n[which]], key, 0, UINT8_MAX, &protocol, reterr);
		ret->of[which][ret->n[which]] = (uint8_t)protocol;
	}
	return error;
}

static int take_protocols(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"id", "addresses", "routes", "rules", "behind", NULL};
	const struct value *list;
	struct protocol_table *table = &ret->protocols;
	if (!value_find(object, "protocols"))
		return 0;
	int error = list_of(object, "protocols", NETWORK_MAX_DECLARATIONS, &list, reterr);
	if (error < 0)
		return error;
	table->entries = calloc(list->n + 1, sizeof(*table->entries));
	if (!table->entries)
		return -ENOMEM;
	for (; error == 0 && table->n < list->n; table->n++) {
		const struct value *one = &list->items[table->n];
		struct protocols *entry = &table->entries[table->n];
		error = value_only_keys(one, "protocols", keys, reterr);
		if (error == 0)
			error = take_text(one, "id", entry->id, sizeof(entry->id), reterr);
		for (enum protocol_list which = 0; error == 0 && which < N_PROTOCOL_LISTS; which++)
			error = take_protocol_list(one, which, entry, reterr);
	}
	return error;
}

static int take_strangers(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"name", "alias", NULL};
	const struct value *list;
	int error = list_of(object, "strangers", JOURNAL_MAX_STRANGERS, &list, reterr);
	if (error < 0 || list->n == 0)
		return error;
	ret->strangers = calloc(list->n, sizeof(*ret->strangers));
	if (!ret->strangers)
		return -ENOMEM;
	for (; error == 0 && ret->n_strangers < list->n; ret->n_strangers++) {
		const struct value *one = &list->items[ret->n_strangers];
		struct journal_stranger *stranger = &ret->strangers[ret->n_strangers];
		error = value_only_keys(one, "strangers", keys, reterr);
		if (error == 0)
			error = take_text(one, "name", stranger->name, sizeof(stranger->name), reterr);
		if (error == 0)
			error = take_text(one, "alias", stranger->alias, sizeof(stranger->alias), reterr);
	}
	return error;
}

static int take_other_names(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"link", "name", NULL};
	const struct value *list;
	if (!value_find(object, "otherNames"))
		return 0;
	int error = list_of(object, "otherNames", JOURNAL_MAX_STRANGERS, &list, reterr);
	if (error < 0)
		return error;
	ret->other_names = calloc(list->n + 1, sizeof(*ret->other_names));
	if (!ret->other_names)
		return -ENOMEM;
	for (; error == 0 && ret->n_other_names < list->n; ret->n_other_names++) {
		const struct value *one = &list->items[ret->n_other_names];
		struct journal_other_name *other = &ret->other_names[ret->n_other_names];
		error = value_only_keys(one, "otherNames", keys, reterr);
		if (error == 0)
			error = take_text(one, "link", other->link, sizeof(other->link), reterr);
		if (error == 0)
			error = take_text(one, "name", other->name, sizeof(other->name), reterr);
	}
	return error;
}

static int take_ras(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"name", "value", NULL};
	const struct value *list;
	if (!value_find(object, "acceptRa"))
		return 0;
	int error = list_of(object, "acceptRa", JOURNAL_MAX_STRANGERS, &list, reterr);
	if (error < 0)
		return error;
	ret->ras = calloc(list->n + 1, sizeof(*ret->ras));
	if (!ret->ras)
		return -ENOMEM;
	for (; error == 0 && ret->n_ras < list->n; ret->n_ras++) {
		const struct value *one = &list->items[ret->n_ras];
		struct journal_ra *ra = &ret->ras[ret->n_ras];
		int64_t value = 0;
		error = value_only_keys(one, "acceptRa", keys, reterr);
		if (error == 0)
			error = take_text(one, "name", ra->name, sizeof(ra->name), reterr);
		if (error == 0 && strchr(ra->name, '/'))
			error = diag_set(reterr, -EINVAL, "", "acceptRa: \"%s\" is no link's name", ra->name);
		if (error == 0)
			error = value_int(value_find(one, "value"), "value", 0, 9, &value, reterr);
		ra->accept_ra = (uint8_t)value;
	}
	return error;
}

// It becomes part of a path, which is written as root.
static bool file_name_valid(const char *name)
{
	return str_equal(name, "../" NETWORKD_CONF) || (str_starts(name, NETWORKD_PREFIX) && !strchr(name, '/'));
}

static int take_files(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"name", "content", NULL};
	const struct value *list, *resolv = value_find(object, "resolv");
	ret->has_files = value_find(object, "files") != NULL;
	if (!ret->has_files)
		return resolv ? diag_set(reterr, -EINVAL, "", "resolv: stands only beside files") : 0;
	int error = list_of(object, "files", JOURNAL_MAX_FILES, &list, reterr);
	for (size_t i = 0; error == 0 && i < list->n; i++) {
		const char *name;
		char *content = NULL;
		error = value_only_keys(&list->items[i], "files", keys, reterr);
		if (error == 0)
			error = value_string(value_find(&list->items[i], "name"), "name", &name, reterr);
		if (error == 0 && !file_name_valid(name))
			error = diag_set(reterr, -EINVAL, "", "files: \"%s\" is none of ours", name);
		if (error == 0)
			error = take_copy(&list->items[i], "content", &content, reterr);
		if (error == 0)
			error = config_files_add(&ret->files, name, content);
	}
	if (error == 0 && resolv && resolv->type != VALUE_NULL)
		error = take_copy(object, "resolv", &ret->resolv, reterr);
	return error;
}

static bool is_digest(const char *text)
{
	return strlen(text) == SHA256_HEX && strspn(text, "0123456789abcdef") == SHA256_HEX;
}

static int decode(const struct value *object, struct journal *ret, struct diag *reterr)
{
	static const char *const keys[] = {"version", "who", "bootId", "wallSec", "deadlineUsec", "tried", "before", "protocols",
		"acceptRa", "strangers", "otherNames", "files", "resolv", NULL};
	int64_t version, deadline = 0;
	int error = value_int(value_find(object, "version"), "version", 1, INT32_MAX, &version, reterr);
	if (error == 0 && version != JOURNAL_VERSION)
		error = diag_set(reterr, -EINVAL, "", "version: must be %d, not %lld", JOURNAL_VERSION, (long long)version);
	if (error == 0)
		error = value_only_keys(object, "the journal", keys, reterr);
	if (error == 0)
		error = take_text(object, "who", ret->who, sizeof(ret->who), reterr);
	if (error == 0)
		error = take_text(object, "bootId", ret->boot_id, sizeof(ret->boot_id), reterr);
	if (error == 0)
		error = value_int(value_find(object, "wallSec"), "wallSec", INT64_MIN, INT64_MAX, &ret->wall_sec, reterr);
	if (error == 0)
		error = value_int(value_find(object, "deadlineUsec"), "deadlineUsec", 0, INT64_MAX, &deadline, reterr);
	ret->deadline_usec = (uint64_t)deadline;
	if (error == 0)
		error = take_text(object, "tried", ret->tried, sizeof(ret->tried), reterr);
	if (error == 0 && !is_digest(ret->tried))
		error = diag_set(reterr, -EINVAL, "", "tried: must be a SHA-256 in hex");
	if (error == 0)
		error = take_copy(object, "before", &ret->before, reterr);
	if (error == 0)
		error = take_protocols(object, ret, reterr);
	if (error == 0)
		error = take_ras(object, ret, reterr);
	if (error == 0)
		error = take_strangers(object, ret, reterr);
	if (error == 0)
		error = take_other_names(object, ret, reterr);
	return error < 0 ? error : take_files(object, ret, reterr);
}

int journal_decode(const char *text, size_t n, struct journal *ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *object = NULL;
	*ret = (struct journal){0};
	int error = json_parse(text, n, JOURNAL_MAX_BYTES, &object, reterr);
	if (error == 0 && object->type != VALUE_OBJECT)
		error = diag_set(reterr, -EINVAL, "", "a journal must be an object");
	if (error == 0)
		error = decode(object, ret, reterr);
	if (error < 0)
		journal_done(ret);
	return error;
}

// --- the file ---

struct journal_path {
	char text[512];
};

static struct journal_path path_in(const char *folder)
{
	struct journal_path path;
	(void)snprintf(path.text, sizeof(path.text), "%s/" JOURNAL_NAME, folder); // folders are short; a cut one does not exist
	return path;
}

int journal_save(const char *folder, const struct journal *journal, struct diag *reterr)
{
	AUTO_FREE char *text = journal_encode(journal);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > JOURNAL_MAX_BYTES)
		return diag_set(reterr, -E2BIG, path_in(folder).text, "this network is too large to be undone: it takes %zu bytes, "
			"and at most %d are kept", strlen(text), JOURNAL_MAX_BYTES);
	return file_save_checked(path_in(folder).text, text, strlen(text), 0600, reterr);
}

int journal_load(const char *folder, struct journal *ret, struct diag *reterr)
{
	struct journal_path path = path_in(folder);
	AUTO_FREE char *text = NULL;
	struct diag diag = {0};
	size_t n = 0;
	*ret = (struct journal){0};
	int error = file_read_checked(path.text, JOURNAL_MAX_BYTES, &text, &n, reterr);
	if (error < 0)
		return error;
	error = journal_decode(text, n, ret, &diag);
	return error == -EINVAL ? diag_set(reterr, -EBADMSG, path.text, "is no journal (%s)", diag_text(&diag)) : error;
}

int journal_set_aside(const char *folder, char **ret_name, struct diag *reterr)
{
	struct journal_path path = path_in(folder);
	int error = file_set_aside(path.text, ret_name);
	return error < 0 ? diag_set(reterr, error, path.text, "cannot be set aside: %s", strerror(-error)) : 0;
}

int journal_peek(const char *folder, struct journal *ret)
{
	AUTO_FREE char *text = NULL;
	size_t n = 0;
	*ret = (struct journal){0};
	int error = file_read(path_in(folder).text, JOURNAL_MAX_BYTES + 256, &text, &n, NULL);
	const char *end = error == 0 ? memchr(text, '\n', n) : NULL; // of the line with the checksum
	if (error < 0)
		return error;
	return end ? journal_decode(end + 1, n - (size_t)(end + 1 - text), ret, NULL) : -EINVAL;
}

int journal_remove(const char *folder)
{
	return file_remove(path_in(folder).text);
}
