// SPDX-License-Identifier: Apache-2.0
#include "k3s/snapshots.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

bool snapshot_name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t n = strspn(name, letters);

	// K3s writes NAME.part (and bbolt NAME.lock) on the way.
	return n > 0 && n <= SNAPSHOT_NAME_MAX && !name[n] && *name != '.' && !(n > 5 && strcmp(name + n - 5, ".part") == 0) &&
	       !(n > 5 && strcmp(name + n - 5, ".lock") == 0);
}

static bool is_newer(const struct snapshot *a, const struct snapshot *b)
{
	return a->created_sec != b->created_sec ? a->created_sec > b->created_sec : strcmp(a->name, b->name) > 0;
}

static size_t insert(struct snapshot *list, size_t n, const struct snapshot *fresh)
{
	size_t at = n;

	while (at > 0 && is_newer(fresh, &list[at - 1]))
		at--;
	if (at == SNAPSHOTS_MAX)
		return n;
	size_t n_kept = n == SNAPSHOTS_MAX ? n - 1 : n;
	memmove(&list[at + 1], &list[at], (n_kept - at) * sizeof(*list));
	list[at] = *fresh;
	return n_kept + 1;
}

// Those whose names begin with @base and a dash; NULL: all.
static size_t look(const char *folder, const char *base, struct snapshot *ret)
{
	size_t n = 0, n_base = base ? strlen(base) : 0;
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		struct snapshot fresh = {0};
		struct stat st;
		if (!snapshot_name_valid(entry->d_name) ||
			(base && (strncmp(entry->d_name, base, n_base) != 0 || entry->d_name[n_base] != '-')) ||
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(fresh.name, sizeof(fresh.name), "%.160s", entry->d_name);
		fresh.bytes = st.st_size;
		fresh.created_sec = st.st_mtim.tv_sec > 0 ? st.st_mtim.tv_sec : 0;
		n = insert(ret, n, &fresh);
	}
	if (dir)
		(void)closedir(dir); // read only
	return n;
}

size_t snapshots_look(const char *folder, struct snapshot ret[static SNAPSHOTS_MAX])
{
	return look(folder, NULL, ret);
}

bool snapshot_find(const char *folder, const char *base, struct snapshot *ret)
{
	struct snapshot list[SNAPSHOTS_MAX];
	bool found = look(folder, base, list) > 0;

	if (found)
		*ret = list[0];
	return found;
}

void snapshots_to_json(const struct snapshot *snapshots, size_t n, struct json_out *out)
{
	json_out_array_begin(out);
	for (size_t i = 0; i < n; i++) {
		json_out_object_begin(out);
		json_out_member(out, "name", snapshots[i].name);
		json_out_member_int(out, "bytes", snapshots[i].bytes);
		json_out_member_int(out, "createdSec", snapshots[i].created_sec);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

const char *snapshots_folder(const struct value *overrides, const struct value *node_overrides)
{
	static const char key[] = "etcd-snapshot-dir";
	const struct value *own = value_find(node_overrides, key);
	const char *text = value_text(own ? own : value_find(overrides, key)); // null drops it

	return text && *text == '/' ? text : SNAPSHOTS_FOLDER;
}
