// The root file: base tar filtered by the recipe's rules, modules, overlays and our own programs as one tar, made into
// EROFS, its dm-verity hash tree appended, and named by its SHA-256.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/build.h"
#include "image/pack.h"
#include "image/rules.h"
#include "image/run.h"
#include "image/shared.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

struct layer { // files of one overlay
	char *folder;
	struct words files;
};

static void layer_done(struct layer *layer)
{
	free(layer->folder);
	words_done(&layer->files);
}

static int layer_load(const struct build *build, const char *name, struct layer *ret, struct diag *reterr)
{
	static const char *const links[] = { "bin/", "sbin/", "lib/", "lib64/" }; // symlinks to usr/ in Debian

	ret->folder = str_format("%s/%s", build->overlays, name);
	int rc = ret->folder ? tree_list(ret->folder, &ret->files, reterr) : -ENOMEM;
	for (size_t i = 0; i < ret->files.n && rc == 0; i++)
		for (size_t l = 0; l < N_ELEMENTS(links) && rc == 0; l++)
			if (str_starts(ret->files.items[i], links[l]))
				rc = diag_set(reterr, -EINVAL, ret->folder, "%s must lie below usr/", ret->files.items[i]);
	return rc;
}

static bool replaced(const struct layer *layers, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (words_has(&layers[i].files, path))
			return true;
	return false;
}

static int base_copy(const struct build *build, const struct layer *layers, size_t n_layers, struct pack *pack,
	struct diag *reterr)
{
	AUTO_FREE char *tar = str_format("%s/root.tar", build->base);
	struct archive *from = archive_read_new();
	struct archive_entry *entry;
	int rc = tar && from ? 0 : -ENOMEM, got = ARCHIVE_OK;

	if (rc == 0 && (archive_read_support_format_tar(from) != ARCHIVE_OK ||
			       archive_read_open_filename(from, tar, 1 << 20) != ARCHIVE_OK))
		rc = diag_set(reterr, -EIO, tar, "could not be read: %s", archive_error_string(from));
	while (rc == 0 && (got = archive_read_next_header(from, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		if (str_starts(name, "./"))
			name += 2;
		AUTO_FREE char *path = strdup(name);
		if (!path) {
			rc = -ENOMEM;
			break;
		}
		size_t n = strlen(path);
		if (n > 0 && path[n - 1] == '/')
			path[n - 1] = '\0';
		if (!*path || rules_leave_out(&build->recipe->exclude, path) || replaced(layers, n_layers, path))
			continue;
		const char *target = archive_entry_hardlink(entry);
		if (target && str_starts(target, "./"))
			target += 2;
		if (target && (rules_leave_out(&build->recipe->exclude, target) || replaced(layers, n_layers, target))) {
			rc = diag_set(reterr, -EINVAL, path, "is a hard link to %s, which is left out: leave out both", target);
			break;
		}
		archive_entry_set_pathname(entry, path);
		if (target) {
			AUTO_FREE char *plain = strdup(target);
			archive_entry_set_hardlink(entry, plain);
		}
		rc = pack_copy(pack, from, entry, reterr);
	}
	if (rc == 0 && got != ARCHIVE_EOF)
		rc = diag_set(reterr, -EIO, tar, "could not be read: %s", archive_error_string(from));
	archive_read_free(from);
	return rc;
}

static int overlays_add(const struct layer *layers, size_t n_layers, struct pack *pack, struct diag *reterr)
{
	int rc = 0;

	for (size_t i = 0; i < n_layers; i++)
		for (size_t f = 0; f < layers[i].files.n && rc == 0; f++) {
			const char *path = layers[i].files.items[f];
			if (replaced(layers + i + 1, n_layers - i - 1, path))
				continue;
			AUTO_FREE char *source = str_format("%s/%s", layers[i].folder, path);
			rc = source ? pack_tree_one(pack, path, source, reterr) : -ENOMEM;
		}
	return rc;
}

static int programs_add(const struct build *build, struct pack *pack, const char *scratch, struct diag *reterr)
{
	const struct recipe *recipe = build->recipe;
	int rc = 0;

	for (size_t i = 0; i < recipe->programs.n && rc == 0; i++) {
		AUTO_FREE char *source = str_format("%s/%s", build->bin, recipe->programs.items[i]);
		if (!source)
			return -ENOMEM;
		if (!file_exists(source))
			return diag_set(reterr, -ENOENT, source, "is named by the recipe but was not built");
		rc = run_program((const char *const[]){ "strip", "-o", scratch, source, NULL }, reterr);
		if (rc == 0)
			rc = pack_file(pack, recipe->program_paths.items[i], 0755, scratch, reterr);
	}
	(void)unlink(scratch);
	return rc;
}

static int tar_make(const struct build *build, const char *tar, const char *scratch, struct diag *reterr)
{
	struct layer layers[16] = { 0 };
	size_t n_layers = 0;
	CLEANUP(pack_freep) struct pack *pack = NULL;
	AUTO_FREE char *modules = str_format("%s/modules/usr/lib/modules/%s", build->kernel, build->kernel_version);
	AUTO_FREE char *inside = str_format("usr/lib/modules/%s", build->kernel_version);
	int rc = modules && inside ? pack_open(tar, PACK_FORMAT_TAR, 0, build->epoch_sec, &pack, reterr) : -ENOMEM;

	if (rc == 0 && build->recipe->overlays.n > N_ELEMENTS(layers))
		rc = diag_set(reterr, -E2BIG, "overlays", "must be %zu at most", N_ELEMENTS(layers));
	while (rc == 0 && n_layers < build->recipe->overlays.n) {
		rc = layer_load(build, build->recipe->overlays.items[n_layers], &layers[n_layers], reterr);
		n_layers++;
	}
	if (rc == 0)
		rc = base_copy(build, layers, n_layers, pack, reterr);
	if (rc == 0)
		rc = pack_tree(pack, inside, modules, reterr);
	if (rc == 0)
		rc = overlays_add(layers, n_layers, pack, reterr);
	if (rc == 0)
		rc = programs_add(build, pack, scratch, reterr);
	if (rc == 0)
		rc = pack_close(pack, reterr);
	for (size_t i = 0; i < n_layers; i++)
		layer_done(&layers[i]);
	return rc;
}

// The hash tree right behind the data, without superblock and salt: hearth-init says the rest to the kernel itself.
static int verity_append(struct build *build, const char *path, struct diag *reterr)
{
	static const char mark[] = "Root hash:";
	AUTO_FREE char *report = NULL;
	struct stat st;
	char blocks[32], offset[32];

	if (stat(path, &st) < 0)
		return diag_set(reterr, -errno, path, "could not be read: %s", strerror(errno));
	if (st.st_size == 0 || st.st_size % 4096)
		return diag_set(reterr, -EINVAL, path, "must be whole blocks of 4096 bytes");
	build->verity_blocks = (uint64_t)st.st_size / 4096;
	snprintf(blocks, sizeof(blocks), "--data-blocks=%llu", (unsigned long long)build->verity_blocks);
	snprintf(offset, sizeof(offset), "--hash-offset=%llu", (unsigned long long)st.st_size);
	int rc = run_capture((const char *const[]){ "veritysetup", "format", "--no-superblock", "--salt=-", "--hash=sha256",
				     "--data-block-size=4096", "--hash-block-size=4096", blocks, offset, path, path, NULL },
		&report, reterr);
	if (rc < 0)
		return rc;
	const char *hash = strstr(report, mark);
	uint8_t bytes[SHA256_BYTES];
	if (hash)
		hash += strlen(mark) + strspn(hash + strlen(mark), " \t");
	snprintf(build->root_verity, sizeof(build->root_verity), "%s", hash ? hash : "");
	return hex_decode(build->root_verity, bytes, sizeof(bytes)) == 0 ? 0 :
		diag_set(reterr, -EIO, "veritysetup", "printed no root hash");
}

int build_root(struct build *build, struct diag *reterr)
{
	AUTO_FREE char *tar = str_format("%s/root.tar.%d", build->cache, (int)getpid());
	AUTO_FREE char *scratch = str_format("%s/stripped.%d", build->cache, (int)getpid());
	AUTO_FREE char *fresh = str_format("%s/.root.erofs", build->out);
	struct stat st;

	if (!tar || !scratch || !fresh)
		return -ENOMEM;
	step_begin("root file");
	int rc = tar_make(build, tar, scratch, reterr);
	if (rc == 0)
		rc = shared_check(tar, reterr);
	if (rc == 0)
		rc = erofs_make(build, build->recipe->compression, tar, true, fresh, reterr);
	(void)unlink(tar);
	if (rc == 0)
		rc = verity_append(build, fresh, reterr);
	if (rc == 0)
		rc = sha256_file(fresh, build->root_sha256, reterr);
	if (rc < 0)
		return rc;
	AUTO_FREE char *path = str_format("%s/root-%s.erofs", build->out, build->root_sha256);
	if (!path)
		return -ENOMEM;
	if (rename(fresh, path) < 0 || stat(path, &st) < 0)
		return diag_set(reterr, -errno, path, "could not be made: %s", strerror(errno));
	build->root_bytes = (uint64_t)st.st_size;
	step_end();
	return 0;
}
