// The names of the tar, sorted; from each program down through its libraries, in ld.so's order.
// SPDX-License-Identifier: Apache-2.0
#include "image/shared.h"
#include "image/elf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>

// MAX_ELF_BYTES: the largest program of a node has about 80 MiB; what is larger (a vendor's library) is taken as it is. MAX_HOPS: the kernel's limit of symlinks in a path is 40.
enum { MAX_ELF_BYTES = 256 << 20, MAX_HOPS = 40 };

struct entry {
	char *path;   // without "./" and "/" at the ends
	char *target; // of a symlink, or of a hard link (then it is a path of the tar); NULL: neither
	bool is_hard_link, is_elf;
	struct elf_needs needs;
};
struct root {
	struct entry *entries; // sorted by path
	size_t n, n_alloc;
};

static void root_done(struct root *root)
{
	for (size_t i = 0; i < root->n; i++) {
		free(root->entries[i].path);
		free(root->entries[i].target);
		elf_needs_done(&root->entries[i].needs);
	}
	free(root->entries);
}

static char *plain_path(const char *name)
{
	while (str_starts(name, "./") || *name == '/')
		name += *name == '/' ? 1 : 2;
	size_t n = strlen(name);
	return strndup(name, n > 0 && name[n - 1] == '/' ? n - 1 : n);
}

static int elf_load(struct archive *from, struct archive_entry *file, struct entry *entry, struct diag *reterr)
{
	char magic[4];
	int64_t n = archive_entry_size(file);
	la_ssize_t got = n >= (int64_t)sizeof(magic) ? archive_read_data(from, magic, sizeof(magic)) : 0;

	if (got < 0)
		return diag_set(reterr, -EIO, entry->path, "could not be read: %s", archive_error_string(from));
	entry->is_elf = elf_is(magic, (size_t)got);
	if (!entry->is_elf)
		return 0;
	if (n > MAX_ELF_BYTES)
		return 0;
	AUTO_FREE char *bytes = malloc((size_t)n);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, magic, sizeof(magic));
	if (archive_read_data(from, bytes + sizeof(magic), (size_t)n - sizeof(magic)) != n - (int64_t)sizeof(magic))
		return diag_set(reterr, -EIO, entry->path, "could not be read: %s", archive_error_string(from));
	int rc = elf_needs_read(bytes, (size_t)n, &entry->needs, reterr);
	entry->is_elf = !entry->needs.is_foreign; // as ld.so sees it
	if (rc < 0 && reterr)
		diag_prefix(reterr, entry->path);
	return rc;
}

static int entry_add(struct root *root, struct archive *from, struct archive_entry *file, struct diag *reterr)
{
	const char *hard = archive_entry_hardlink(file), *soft = archive_entry_symlink(file);

	if (root->n == root->n_alloc) {
		size_t n_alloc = root->n_alloc ? root->n_alloc * 2 : 1024;
		struct entry *grown = reallocarray(root->entries, n_alloc, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		root->entries = grown;
		root->n_alloc = n_alloc;
	}
	struct entry *entry = &root->entries[root->n++];
	*entry = (struct entry){ .path = plain_path(archive_entry_pathname(file)), .is_hard_link = hard };
	if (hard || soft)
		entry->target = hard ? plain_path(hard) : strdup(soft);
	if (!entry->path || ((hard || soft) && !entry->target))
		return -ENOMEM;
	return entry->target || archive_entry_filetype(file) != AE_IFREG ? 0 : elf_load(from, file, entry, reterr);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int root_load(struct root *root, const char *tar, struct diag *reterr)
{
	struct archive *from = archive_read_new();
	struct archive_entry *file;
	int rc = from ? 0 : -ENOMEM, got = ARCHIVE_OK;

	if (rc == 0 && (archive_read_support_format_tar(from) != ARCHIVE_OK ||
			       archive_read_open_filename(from, tar, 1 << 20) != ARCHIVE_OK))
		rc = diag_set(reterr, -EIO, tar, "could not be read: %s", archive_error_string(from));
	while (rc == 0 && (got = archive_read_next_header(from, &file)) == ARCHIVE_OK)
		rc = entry_add(root, from, file, reterr);
	if (rc == 0 && got != ARCHIVE_EOF)
		rc = diag_set(reterr, -EIO, tar, "could not be read: %s", archive_error_string(from));
	archive_read_free(from);
	if (root->n > 0)
		qsort(root->entries, root->n, sizeof(*root->entries), compare);
	return rc;
}

static struct entry *lookup(const struct root *root, const char *path)
{
	const struct entry key = { .path = (char *)path }; // only compared

	return root->n > 0 ? bsearch(&key, root->entries, root->n, sizeof(key), compare) : NULL;
}

// One component more: "." and "" change nothing, ".." takes one away.
static bool path_join(char path[static PATH_MAX], const char *name, size_t n_name)
{
	size_t n = strlen(path);

	if (n_name == 0 || (n_name == 1 && name[0] == '.'))
		return true;
	if (n_name == 2 && memcmp(name, "..", 2) == 0) {
		char *slash = strrchr(path, '/');
		*(slash ? slash : path) = '\0';
		return true;
	}
	return snprintf(path + n, PATH_MAX - n, "%s%.*s", n > 0 ? "/" : "", (int)n_name, name) < (int)(PATH_MAX - n);
}

// The file that @wanted is, from the image's "/" on, through symlinks of folders and files; NULL: it is not there.
static struct entry *resolve(const struct root *root, const char *wanted)
{
	char left[PATH_MAX], path[PATH_MAX] = "", more[PATH_MAX];
	int n_hops = 0;

	if (snprintf(left, sizeof(left), "%s", wanted) >= (int)sizeof(left))
		return NULL;
	for (const char *at = left;;) {
		size_t n = strcspn(at, "/");
		if (!path_join(path, at, n))
			return NULL;
		at += n + (at[n] == '/');
		struct entry *entry = lookup(root, path);
		if (entry && entry->target) {
			if (++n_hops > MAX_HOPS || snprintf(more, sizeof(more), "%s/%s", entry->target, at) >= (int)sizeof(more))
				return NULL;
			(void)path_join(path, "..", 2);
			if (entry->is_hard_link || entry->target[0] == '/')
				path[0] = '\0';
			memcpy(left, more, sizeof(left));
			at = left;
		} else if (!*at) {
			return entry;
		}
	}
}

struct process { // what ld.so has loaded for a program, itself first
	const struct entry **files;
	const char **names; // as it was asked for
	size_t n, n_alloc;
};

static int process_add(struct process *process, const struct entry *file, const char *name)
{
	if (process->n == process->n_alloc) {
		size_t n_alloc = process->n_alloc ? process->n_alloc * 2 : 64;
		const struct entry **files = reallocarray(process->files, n_alloc, sizeof(*files));
		if (files)
			process->files = files;
		const char **names = reallocarray(process->names, n_alloc, sizeof(*names));
		if (names)
			process->names = names;
		if (!files || !names)
			return -ENOMEM;
		process->n_alloc = n_alloc;
	}
	process->files[process->n] = file;
	process->names[process->n++] = name;
	return 0;
}

static bool has_name(const struct process *process, const char *name)
{
	for (size_t i = 0; i < process->n; i++)
		if (str_equal(process->names[i], name))
			return true;
	return false;
}

static struct entry *find_in_path(const struct root *root, const struct entry *of, const char *library)
{
	static const char *const words[] = { "$ORIGIN", "${ORIGIN}" };
	const char *slash = strrchr(of->path, '/');
	struct entry *found = NULL;

	for (const char *part = of->needs.run_path; part && *part && !found;) {
		size_t n = strcspn(part, ":"), skip = 0;
		for (size_t i = 0; i < N_ELEMENTS(words); i++)
			if (str_starts(part, words[i]))
				skip = strlen(words[i]);
		AUTO_FREE char *path = str_format("%.*s/%.*s/%s", skip > 0 && slash ? (int)(slash - of->path) : 0, of->path, (int)(n - skip),
			part + skip, library);
		found = path ? resolve(root, path) : NULL;
		part += n + (part[n] == ':');
	}
	return found;
}

// Where ld.so looks for @library of @user; NULL: it is not there, or is none.
static struct entry *find_library(const struct root *root, const struct entry *program, const struct entry *user, const char *library)
{
	static const char *const folders[] = { "usr/local/lib/x86_64-linux-gnu", "usr/local/lib", "lib/x86_64-linux-gnu",
		"usr/lib/x86_64-linux-gnu", "lib", "usr/lib", "lib64", "usr/lib64" };
	bool is_path = strchr(library, '/');
	struct entry *found = is_path ? resolve(root, library) : find_in_path(root, user, library);

	if (!found && !is_path && program->needs.is_inherited)
		found = find_in_path(root, program, library);
	for (size_t i = 0; i < N_ELEMENTS(folders) && !found && !is_path; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folders[i], library);
		found = path ? resolve(root, path) : NULL;
	}
	return found && found->is_elf ? found : NULL;
}

// A name that is loaded already is not looked for again: systemd's libraries find each other so.
static int load_libraries(const struct root *root, struct process *process, const struct entry *user, struct diag *reterr)
{
	const struct entry *program = process->files[0];
	int rc = 0;

	for (size_t i = 0; i < user->needs.libraries.n && rc == 0; i++) {
		const char *library = user->needs.libraries.items[i];
		bool is_own = user == program;
		if (has_name(process, library))
			continue;
		const struct entry *found = find_library(root, program, user, library);
		rc = found ? process_add(process, found, library) :
			     diag_set(reterr, -ENOENT, program->path,
				     "needs the library %s%s%s, which is not in the image: add its package to the recipe, or take it out of exclude",
				     library, is_own ? "" : " by ", is_own ? "" : user->path);
	}
	return rc;
}

static int check(const struct root *root, const struct entry *program, struct diag *reterr)
{
	struct process process = { 0 };
	int rc = resolve(root, program->needs.loader) ? process_add(&process, program, program->path) :
		diag_set(reterr, -ENOENT, program->path, "needs the loader %s, which is not in the image", program->needs.loader);

	for (size_t i = 0; i < process.n && rc == 0; i++)
		rc = load_libraries(root, &process, process.files[i], reterr);
	free(process.files);
	free(process.names);
	return rc;
}

int shared_check(const char *tar, struct diag *reterr)
{
	struct root root = { 0 };
	int rc = root_load(&root, tar, reterr);

	for (size_t i = 0; i < root.n && rc == 0; i++)
		if (root.entries[i].needs.loader)
			rc = check(&root, &root.entries[i], reterr);
	root_done(&root);
	return rc;
}
