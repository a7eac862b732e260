// Reading the stage folders, choosing the next stage, and the files in K3s' manifests folder.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/stages.h"
#include "base/file.h"
#include "k3s/stage-secrets.h"
#include "k3s/stage-waits.h"
#include "k3s/substitute.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static const char *const folders[N_STAGES] = {"10-crds", "20-cni", "25-storage", "30-flux", "40-secrets", "50-sync"};

const char *stage_folder(enum stage_id id)
{
	return id < N_STAGES ? folders[id] : "done";
}

static void stage_file_done(struct stage_file *file)
{
	free(file->name);
	if (file->text)
		explicit_bzero(file->text, strlen(file->text)); // secrets may be in it
	free(file->text);
	manifest_free(file->manifest);
	manifest_free(file->waits);
}

static void stage_done(struct stage *stage)
{
	for (size_t i = 0; i < stage->n_files; i++)
		stage_file_done(&stage->files[i]);
	stage->n_files = 0;
	free(stage->blocked);
}

struct stages *stages_free(struct stages *stages)
{
	if (!stages)
		return NULL;
	for (size_t i = 0; i < N_STAGES; i++)
		stage_done(&stages->of[i]);
	free(stages);
	return NULL;
}

static void dir_closep(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); // read only
}

// Length of NAME in NAME.yaml, NAME.yml, NAME.json when it can be an Addon's name; 0 when not.
static size_t addon_stem(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || n > 200 || name[n - 1] == '-')
		return 0;
	if (!str_equal(name + n, ".yaml") && !str_equal(name + n, ".yml") && !str_equal(name + n, ".json"))
		return 0;
	return n;
}

static int file_compare(const void *a, const void *b)
{
	return strcmp(((const struct stage_file *)a)->name, ((const struct stage_file *)b)->name);
}

/* The text of 40-secrets with the region's secrets in it. One that is not set blocks the stage; its text is then as it
 * was, and never laid. */
static int secrets_fill(struct stage *stage, struct stage_file *file, const char *where, const struct value *secrets,
	struct diag *reterr)
{
	struct diag diag = {0};
	char *filled = NULL;
	int r = stage_secrets_fill(file->text, where, secrets, &filled, &diag);

	if (r == -ENOKEY && !stage->blocked)
		stage->blocked = strdup(diag.message);
	if (r == -ENOKEY)
		return stage->blocked ? 0 : -ENOMEM;
	if (r < 0) {
		if (reterr)
			*reterr = diag;
		return r;
	}
	free(file->text);
	file->text = filled;
	file->n = strlen(filled);
	return 0;
}

static int waits_read(struct stage_file *file, struct diag *reterr)
{
	int r = 0;

	for (size_t i = 0; i < file->manifest->n && r == 0; i++) {
		struct manifest *waits = NULL;

		r = stage_waits_parse(&file->manifest->objects[i], &waits, reterr);
		if (waits && file->waits) {
			manifest_free(waits);
			r = diag_set(reterr, -EINVAL, file->name, "may have one object with " STAGE_WAITS_FOR);
		} else if (waits) {
			file->waits = waits;
		}
	}
	return r;
}

static int stage_file_load(struct stage *stage, enum stage_id id, const char *folder, const char *name,
	const struct value *variables, const struct value *secrets, struct diag *reterr)
{
	char *path AUTO_FREE = str_format("%s/%s/%s", folder, folders[id], name), *text AUTO_FREE = NULL;
	char *where AUTO_FREE = str_format("%s/%s", folders[id], name);
	char *laid AUTO_FREE = str_format("hearth-%s-%s", folders[id], name), *guarded AUTO_FREE = NULL;
	struct stage_file *file = &stage->files[stage->n_files];
	size_t n = 0;
	int r;

	if (!path || !where || !laid)
		return -ENOMEM;
	if (!addon_stem(laid)) // of the whole name: what is laid must be found again
		return diag_set(reterr, -EINVAL, where,
			"must be named by a-z, 0-9 and - (at most some 180) with .yaml, .yml or .json behind, and be a file");
	if (str_starts(laid, STAGE_OWN_PREFIX))
		return diag_set(reterr, -EINVAL, where, "must have another name: hearth-* in 25-storage is the node's own");
	if (stage->n_files == STAGE_MAX_FILES)
		return diag_set(reterr, -E2BIG, folders[id], "must hold at most %d files", STAGE_MAX_FILES);
	r = file_read(path, MANIFEST_MAX_BYTES, &text, &n, reterr);
	if (r < 0)
		return r;
	*file = (struct stage_file){.name = TAKE_PTR(laid)};
	stage->n_files++;
	if (id != STAGE_SECRETS && stage_secrets_in(text))
		return diag_set(reterr, -EINVAL, where, "${secret:NAME} may stand in stage 40-secrets only");
	guarded = id == STAGE_SECRETS ? stage_secrets_guard(text) : NULL;
	if (id == STAGE_SECRETS && !guarded)
		return -ENOMEM;
	r = guarded ? substitute_manifest(guarded, strlen(guarded), where, variables, &file->text, reterr)
		    : substitute_manifest(text, n, where, variables, &file->text, reterr);
	if (r < 0)
		return r;
	file->n = strlen(file->text);
	r = manifest_parse(file->text, file->n, where, &file->manifest, reterr);
	if (r == 0)
		r = waits_read(file, reterr);
	if (r < 0)
		return r;
	manifest_forget(file->manifest, "StorageClass"); // classes_check() looks into those
	return id == STAGE_SECRETS ? secrets_fill(stage, file, where, secrets, reterr) : 0;
}

/* K3s names its Addon by the file without .yaml, .yml or .json: of two files with one name each would prune what the
 * other applied, for ever. */
static int stems_check(const struct stage *stage, enum stage_id id, struct diag *reterr)
{
	for (size_t i = 1; i < stage->n_files; i++) {
		const char *before = stage->files[i - 1].name, *name = stage->files[i].name;
		size_t n = addon_stem(name);

		if (n == addon_stem(before) && strncmp(before, name, n) == 0) // sorted: they lie side by side
			return diag_set(reterr, -EINVAL, folders[id],
				"%s and %s are one Addon to K3s: names must differ before .yaml, .yml or .json", before,
				name);
	}
	return 0;
}

static int stage_load(struct stage *stage, enum stage_id id, const char *folder, const struct value *variables,
	const struct value *secrets, struct diag *reterr)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, folders[id]);
	DIR *dir CLEANUP(dir_closep) = path ? opendir(path) : NULL;
	struct dirent *entry;
	int r;

	if (!path)
		return -ENOMEM;
	if (!dir)
		return errno == ENOENT ? 0 : diag_set(reterr, -errno, folders[id], "cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		r = stage_file_load(stage, id, folder, entry->d_name, variables, secrets, reterr);
		if (r < 0)
			return r;
	}
	qsort(stage->files, stage->n_files, sizeof(stage->files[0]), file_compare);
	return stems_check(stage, id, reterr);
}

static int top_check(const char *folder, struct diag *reterr)
{
	DIR *dir CLEANUP(dir_closep) = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		bool known = *entry->d_name == '.';

		for (size_t i = 0; i < N_STAGES && !known; i++)
			known = str_equal(entry->d_name, folders[i]);
		if (!known)
			return diag_set(reterr, -EINVAL, "bootstrap",
				"holds stage folders only (10-crds, 20-cni, 25-storage, 30-flux, 40-secrets, 50-sync), not \"%s\"",
				entry->d_name);
	}
	return 0;
}

int stages_load(const char *folder, const struct value *variables, const struct value *secrets, struct stages **ret,
	struct diag *reterr)
{
	struct stages *stages CLEANUP(stages_freep) = calloc(1, sizeof(*stages));
	int r;

	if (!stages)
		return -ENOMEM;
	r = substitute_check_variables(variables, reterr);
	if (r == 0)
		r = top_check(folder, reterr);
	for (size_t i = 0; i < N_STAGES && r == 0; i++)
		r = stage_load(&stages->of[i], (enum stage_id)i, folder, variables, secrets, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(stages);
	return 0;
}

// ---- what hearthd adds

struct stage_extras *stage_extras_copy(const struct stage_extras *extras)
{
	struct stage_extras *copy CLEANUP(stage_extras_freep) = calloc(1, sizeof(*copy));
	size_t n = extras ? extras->n : 0;

	if (!copy || !(copy->items = calloc(n + 1, sizeof(*copy->items))))
		return NULL;
	for (; copy->n < n; copy->n++) {
		struct stage_extra *item = &copy->items[copy->n];

		item->name = strdup(extras->items[copy->n].name);
		item->text = strdup(extras->items[copy->n].text);
		if (!item->name || !item->text) {
			free(item->name);
			free(item->text);
			return NULL;
		}
	}
	return TAKE_PTR(copy);
}

struct stage_extras *stage_extras_free(struct stage_extras *extras)
{
	if (!extras)
		return NULL;
	for (size_t i = 0; extras->items && i < extras->n; i++) {
		free(extras->items[i].name);
		free(extras->items[i].text);
	}
	free(extras->items);
	free(extras);
	return NULL;
}

static bool class_is_default(const struct manifest_object *object)
{
	static const char *const keys[] = {"storageclass.kubernetes.io/is-default-class",
		"storageclass.beta.kubernetes.io/is-default-class"};

	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		if (str_equal(value_text(value_path(object->document, "metadata", "annotations", keys[i], NULL)), "true"))
			return true;
	return false;
}

static const struct manifest_object *class_next(const struct stage *stage, bool own, size_t *file, size_t *object)
{
	for (; *file < stage->n_files; (*file)++, *object = 0) {
		const struct manifest *manifest = stage->files[*file].manifest;

		if (stage->files[*file].own != own)
			continue;
		while (*object < manifest->n) {
			const struct manifest_object *found = &manifest->objects[(*object)++];

			if (str_equal(found->kind, "StorageClass"))
				return found;
		}
	}
	return NULL;
}

// Kubernetes takes the newest of several defaults: which one that is would be chance.
static int classes_check(const struct stage *stage, struct diag *reterr)
{
	size_t file = 0, object = 0;
	const struct manifest_object *ours = class_next(stage, true, &file, &object), *theirs;

	file = object = 0;
	while (ours && (theirs = class_next(stage, false, &file, &object))) {
		if (str_equal(theirs->name, ours->name))
			return diag_set(reterr, -EINVAL, stage->files[file].name,
				"and the cluster's storage choice both make the StorageClass %s: take one away (the artifact's, or "
				"storage in cluster.yaml)", ours->name);
		if (class_is_default(theirs) && class_is_default(ours))
			return diag_set(reterr, -EINVAL, stage->files[file].name,
				"makes the StorageClass %s the default, and the cluster's storage choice %s: take one away (the "
				"artifact's, or storage in cluster.yaml)", theirs->name, ours->name);
	}
	return 0;
}

static int extra_append(struct stage *stage, const struct stage_extra *extra, struct diag *reterr)
{
	struct stage_file *file = &stage->files[stage->n_files];

	if (stage->n_files == N_ELEMENTS(stage->files))
		return diag_set(reterr, -E2BIG, folders[STAGE_STORAGE], "must hold at most %d volumes", STAGE_MAX_EXTRAS - 4);
	*file = (struct stage_file){.name = strdup(extra->name), .text = strdup(extra->text), .own = true};
	stage->n_files++;
	if (!file->name || !file->text)
		return -ENOMEM;
	file->n = strlen(file->text);
	return manifest_parse(file->text, file->n, file->name, &file->manifest, reterr);
}

int stages_set_extras(struct stages *stages, const struct stage_extras *extras, struct diag *reterr)
{
	struct stage *stage = &stages->of[STAGE_STORAGE];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < stage->n_files; i++)
		if (stage->files[i].own)
			stage_file_done(&stage->files[i]);
		else
			stage->files[n++] = stage->files[i];
	stage->n_files = n;
	for (size_t i = 0; extras && i < extras->n && r == 0; i++)
		r = extra_append(stage, &extras->items[i], reterr);
	return r == 0 ? classes_check(stage, reterr) : r;
}

enum stage_next stages_next(const struct stages *stages, const struct stage_state states[static N_STAGES],
	enum stage_id *ret_stage)
{
	for (size_t i = 0; i < N_STAGES; i++) {
		*ret_stage = (enum stage_id)i;
		if (!states[i].laid)
			return STAGE_NEXT_LAY; // an empty stage too: it may have to take files away
		if (stages->of[i].n_files > 0 && !states[i].ready)
			return STAGE_NEXT_WAIT;
	}
	*ret_stage = N_STAGES;
	return STAGE_NEXT_DONE;
}

// Is @name one of the files that lay stage @id, wanted or not?
static bool name_is_stages(const char *name, enum stage_id id)
{
	return str_starts(name, "hearth-") && str_starts(name + strlen("hearth-"), folders[id]) &&
	       name[strlen("hearth-") + strlen(folders[id])] == '-' && addon_stem(name) > 0;
}

static bool file_has(const char *folder, const struct stage_file *file)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, file->name), *text AUTO_FREE = NULL;
	size_t n = 0;

	return path && file_read(path, MANIFEST_MAX_BYTES, &text, &n, NULL) == 0 && n == file->n &&
	       memcmp(text, file->text, n) == 0;
}

static bool stage_wants(const struct stage *stage, const char *name)
{
	for (size_t i = 0; i < stage->n_files; i++)
		if (str_equal(stage->files[i].name, name))
			return true;
	return false;
}

// An emptied file of these would make K3s delete a PersistentVolume, or a Namespace with all that is in it.
static bool is_kept(const char *name)
{
	return str_starts(name, STAGE_OWN_VOLUME_PREFIX) || str_starts(name, STAGE_KEPT_PREFIX);
}

/* One file of the folder that is no longer wanted: emptied now, unlinked when it has been empty long enough; one whose
 * object has to stay is unlinked at once. Returns 1 while it waits. */
static int leftover_step(const char *folder, const char *name, unsigned prune_sec, struct diag *reterr)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, name);
	struct timespec now, boot;
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : diag_set(reterr, -errno, path, "%s", strerror(errno));
	if (is_kept(name)) { // also an empty one, which an older hearthd may have left
		r = file_remove(path);
		return r < 0 ? diag_set(reterr, r, path, "cannot be removed: %s", strerror(-r)) : 0;
	}
	if (st.st_size > 0) {
		r = file_write_atomic(path, "", 0, 0600, reterr);
		return r < 0 ? r : 1;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail; the file's own times are wall time
	(void)clock_gettime(CLOCK_BOOTTIME, &boot); // as above
	if (st.st_mtim.tv_sec > now.tv_sec || st.st_mtim.tv_sec < now.tv_sec - boot.tv_sec) {
		// The clock went back, or the power went before K3s had surely looked: the wait begins now.
		r = utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
		return r < 0 ? diag_set(reterr, -errno, path, "cannot be touched: %s", strerror(errno)) : 1;
	}
	if (now.tv_sec - st.st_mtim.tv_sec < (time_t)prune_sec)
		return 1;
	r = file_remove(path);
	return r < 0 ? diag_set(reterr, r, path, "cannot be removed: %s", strerror(-r)) : 0;
}

int stage_files_apply(const char *folder, const struct stages *stages, enum stage_id id, unsigned prune_sec,
	struct diag *reterr)
{
	const struct stage *stage = &stages->of[id];
	DIR *dir CLEANUP(dir_closep) = NULL;
	struct dirent *entry;
	int r, waiting = 0;

	r = file_make_folders(folder, 0700);
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	for (size_t i = 0; i < stage->n_files; i++) {
		char *path AUTO_FREE = str_format("%s/%s", folder, stage->files[i].name);

		if (!path)
			return -ENOMEM;
		if (file_has(folder, &stage->files[i]))
			continue;
		r = file_write_atomic(path, stage->files[i].text, stage->files[i].n, 0600, reterr);
		if (r < 0)
			return r;
	}
	dir = opendir(folder);
	if (!dir)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (!name_is_stages(entry->d_name, id) || stage_wants(stage, entry->d_name))
			continue;
		if (stages->own_only && !str_starts(entry->d_name, STAGE_OWN_PREFIX))
			continue;
		r = leftover_step(folder, entry->d_name, prune_sec, reterr);
		if (r < 0)
			return r;
		waiting += r;
	}
	return waiting;
}

int stage_file_written(const char *folder, const struct stage_file *file, int64_t *ret_wall_sec)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, file->name);
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) < 0)
		return -errno;
	*ret_wall_sec = st.st_mtim.tv_sec;
	return 0;
}

bool stage_files_laid(const char *folder, const struct stage *stage)
{
	for (size_t i = 0; i < stage->n_files; i++)
		if (!file_has(folder, &stage->files[i]))
			return false;
	return true;
}

// The same Addon: names are equal before .yaml, .yml or .json.
static bool file_is_addon_s(const char *name, const char *addon)
{
	size_t n = addon_stem(name);

	return n > 0 && n == strlen(addon) && strncmp(name, addon, n) == 0;
}

bool stage_addon_is_left(const struct stages *stages, const char *addon)
{
	char *name AUTO_FREE = str_format("%s.yaml", addon);
	bool ours = false;

	if (is_kept(addon) || (stages->own_only && !str_starts(addon, STAGE_OWN_PREFIX)))
		return false;
	for (size_t i = 0; name && i < N_STAGES; i++) {
		ours = ours || name_is_stages(name, (enum stage_id)i);
		for (size_t f = 0; f < stages->of[i].n_files; f++)
			if (file_is_addon_s(stages->of[i].files[f].name, addon))
				return false;
	}
	return ours;
}

int stage_files_empty(const char *folder, const char *addon, struct diag *reterr)
{
	DIR *dir CLEANUP(dir_closep) = NULL;
	char *path AUTO_FREE = str_format("%s/%s.yaml", folder, addon);
	struct dirent *entry;
	int r = path ? file_make_folders(folder, 0700) : -ENOMEM;

	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (file_is_addon_s(entry->d_name, addon))
			return 0; // stage_files_apply() sees it
	return file_write_atomic(path, "", 0, 0600, reterr);
}

int stage_files_leave(const char *folder)
{
	DIR *dir CLEANUP(dir_closep) = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		char *path AUTO_FREE = str_format("%s/%s", folder, entry->d_name);
		bool ours = false;

		if (!path)
			return -ENOMEM;
		for (size_t i = 0; i < N_STAGES; i++)
			ours = ours || name_is_stages(entry->d_name, (enum stage_id)i);
		if (ours)
			r = file_remove(path);
	}
	return r;
}
