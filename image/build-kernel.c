// The kernel: vmlinuz and modules of the package, cut by the recipe, and the modules of stage 1 as a finished cpio.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/build.h"
#include "image/pack.h"
#include "image/rules.h"
#include "image/run.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { DEP_MAX = 8 << 20, STAGE1_ZSTD_LEVEL = 19 };

static int version_find(const char *folder, char **ret, struct diag *reterr)
{
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && !*ret && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			*ret = strdup(entry->d_name);
	if (dir)
		closedir(dir);
	return *ret ? 0 : diag_set(reterr, -ENOENT, folder, "the kernel package has no modules folder");
}

// Hard links of what the rules keep, then depmod.
static int modules_cut(const struct recipe *recipe, const char *from, const char *root, const char *version, struct diag *reterr)
{
	CLEANUP(words_done) struct words files = { 0 };
	AUTO_FREE char *top = str_format("%s/usr/lib/modules/%s", root, version);
	AUTO_FREE char *lib = str_format("%s/lib", root);
	int rc = top && lib ? tree_list(from, &files, reterr) : -ENOMEM;

	for (size_t i = 0; i < files.n && rc == 0; i++) {
		const char *path = files.items[i];
		if (rules_leave_out(&recipe->modules_exclude, path) || str_equal(path, "build") || str_equal(path, "source"))
			continue;
		AUTO_FREE char *source = str_format("%s/%s", from, path);
		AUTO_FREE char *target = str_format("%s/%s", top, path);
		AUTO_FREE char *parent = target ? strdup(target) : NULL;
		if (!source || !parent)
			return -ENOMEM;
		*strrchr(parent, '/') = '\0';
		rc = file_make_folders(parent, 0755);
		if (rc == 0)
			rc = file_link_or_copy(source, target, reterr);
	}
	if (rc == 0 && symlink("usr/lib", lib) < 0)
		rc = diag_set(reterr, -errno, lib, "could not be made: %s", strerror(errno));
	return rc < 0 ? rc : run_program((const char *const[]){ "depmod", "-b", root, version, NULL }, reterr);
}

// "path: dependency ...": add to @wanted what the entry of a wanted module depends on (modules.dep is transitive).
static int closure_add(const char *dep, const struct words *patterns, struct words *wanted)
{
	int rc = 0;

	for (const char *line = dep; *line && rc == 0;) {
		size_t n = strcspn(line, "\n");
		AUTO_FREE char *copy = strndup(line, n);
		char *save = NULL;
		bool take = false;
		if (!copy)
			return -ENOMEM;
		char *path = strtok_r(copy, ": ", &save);
		size_t n_path = path ? strlen(path) : 0;
		AUTO_FREE char *bare = path ? strndup(path, n_path - (n_path > 3 && str_equal(path + n_path - 3, ".xz") ? 3 : 0)) : NULL;
		for (size_t i = 0; bare && i < patterns->n && !take; i++)
			take = rules_match(patterns->items[i], bare);
		for (; take && path && rc == 0; path = strtok_r(NULL, ": ", &save))
			if (!words_has(wanted, path))
				rc = words_add(wanted, path);
		line += n + (line[n] == '\n');
	}
	return rc;
}

static int stage1_copy(const char *from, const char *top, const struct words *wanted, struct diag *reterr)
{
	CLEANUP(words_done) struct words packed = { 0 };
	int rc = words_add_many(&packed, (const char *const[]){ "xz", "-d", "--", NULL });

	for (size_t i = 0; i < wanted->n && rc == 0; i++) {
		AUTO_FREE char *source = str_format("%s/%s", from, wanted->items[i]);
		AUTO_FREE char *target = str_format("%s/%s", top, wanted->items[i]);
		AUTO_FREE char *parent = target ? strdup(target) : NULL;
		if (!source || !parent)
			return -ENOMEM;
		*strrchr(parent, '/') = '\0';
		rc = file_make_folders(parent, 0755);
		if (rc == 0)
			rc = run_program((const char *const[]){ "cp", source, target, NULL }, reterr);
		if (rc == 0 && strlen(target) > 3 && str_equal(target + strlen(target) - 3, ".xz"))
			rc = words_add(&packed, target);
	}
	// Plain in stage 1: zstd over all of them is as small, and a slow machine unpacks it ten times faster than xz.
	return rc == 0 && packed.n > 3 ? run_program((const char *const *)packed.items, reterr) : rc;
}

static int stage1_pack(const char *root, const char *version, int64_t time_sec, const char *path, struct diag *reterr)
{
	AUTO_FREE char *top = str_format("%s/lib/modules/%s", root, version);
	AUTO_FREE char *inside = str_format("lib/modules/%s", version);
	CLEANUP(words_done) struct words files = { 0 };
	CLEANUP(pack_freep) struct pack *pack = NULL;
	int rc = top && inside ? tree_list(top, &files, reterr) : -ENOMEM;

	if (rc == 0)
		rc = pack_open(path, PACK_FORMAT_CPIO, STAGE1_ZSTD_LEVEL, time_sec, &pack, reterr);
	for (size_t i = 0; i < files.n && rc == 0; i++) {
		const char *file = files.items[i];
		// hearth-init reads only these two of depmod's files
		if (!strchr(file, '/') && !str_equal(file, "modules.dep") && !str_equal(file, "modules.alias"))
			continue;
		AUTO_FREE char *source = str_format("%s/%s", top, file);
		AUTO_FREE char *target = str_format("%s/%s", inside, file);
		rc = source && target ? pack_file(pack, target, 0644, source, reterr) : -ENOMEM;
	}
	return rc < 0 ? rc : pack_close(pack, reterr);
}

static int stage1_modules(const struct build *build, const char *work, const char *version, struct diag *reterr)
{
	AUTO_FREE char *modules = str_format("%s/modules/usr/lib/modules/%s", work, version);
	AUTO_FREE char *dep_path = str_format("%s/modules.dep", modules);
	AUTO_FREE char *root = str_format("%s/stage1", work);
	AUTO_FREE char *top = str_format("%s/stage1/lib/modules/%s", work, version);
	AUTO_FREE char *image = str_format("%s/stage1-modules.img", work);
	AUTO_FREE char *dep = NULL;
	CLEANUP(words_done) struct words wanted = { 0 };
	int rc = modules && dep_path && root && top && image ? file_read(dep_path, DEP_MAX, &dep, NULL, reterr) : -ENOMEM;

	if (rc == 0)
		rc = closure_add(dep, &build->recipe->stage1_modules, &wanted);
	if (rc == 0 && wanted.n == 0)
		rc = diag_set(reterr, -ENOENT, "stage1Modules", "no module of kernel %s matches", version);
	words_sort(&wanted);
	if (rc == 0)
		rc = stage1_copy(modules, top, &wanted, reterr);
	if (rc == 0)
		rc = run_program((const char *const[]){ "depmod", "-b", root, version, NULL }, reterr);
	if (rc == 0)
		rc = stage1_pack(root, version, build->epoch_sec, image, reterr);
	return rc < 0 ? rc : remove_tree(root, reterr);
}

static int kernel_make(const struct build *build, const char *work, struct diag *reterr)
{
	AUTO_FREE char *deb = str_format("%s/kernel.deb", build->base);
	AUTO_FREE char *unpacked = str_format("%s/unpacked", work);
	AUTO_FREE char *lib = str_format("%s/unpacked/usr/lib/modules", work);
	AUTO_FREE char *cut = str_format("%s/modules", work);
	AUTO_FREE char *version = NULL;
	int rc = deb && unpacked && lib && cut ? file_make_folders(cut, 0755) : -ENOMEM;

	if (rc < 0)
		return rc;
	step_begin("kernel: unpacking and cutting modules (once)");
	rc = run_program((const char *const[]){ "dpkg-deb", "-x", deb, unpacked, NULL }, reterr);
	if (rc == 0)
		rc = version_find(lib, &version, reterr);
	if (rc < 0)
		return rc;
	AUTO_FREE char *from = str_format("%s/%s", lib, version);
	AUTO_FREE char *boot = str_format("%s/boot/vmlinuz-%s", unpacked, version);
	AUTO_FREE char *vmlinuz = str_format("%s/vmlinuz", work);
	AUTO_FREE char *version_path = str_format("%s/version", work);
	if (!from || !boot || !vmlinuz || !version_path)
		return -ENOMEM;
	rc = modules_cut(build->recipe, from, cut, version, reterr);
	if (rc == 0)
		rc = stage1_modules(build, work, version, reterr);
	if (rc == 0)
		rc = file_link_or_copy(boot, vmlinuz, reterr);
	if (rc == 0)
		rc = file_write_volatile(version_path, version, strlen(version), 0644, reterr);
	if (rc == 0)
		rc = remove_tree(unpacked, reterr);
	if (rc == 0)
		step_end();
	return rc;
}

int build_kernel(struct build *build, struct diag *reterr)
{
	AUTO_FREE char *cut = words_join(&build->recipe->modules_exclude, " ");
	AUTO_FREE char *stage1 = words_join(&build->recipe->stage1_modules, " ");
	AUTO_FREE char *what = cut && stage1 ? str_format("kernel 1\n%s\n%s\n%s", build->base, cut, stage1) : NULL;
	char key[17];
	int rc = 0;

	if (!what)
		return -ENOMEM;
	cache_key(what, key);
	build->kernel = str_format("%s/kernel-%s", build->cache, key);
	AUTO_FREE char *work = str_format("%s/kernel-%s.%d", build->cache, key, (int)getpid());
	AUTO_FREE char *version = build->kernel ? str_format("%s/version", build->kernel) : NULL;
	if (!work || !version)
		return -ENOMEM;
	if (!file_exists(build->kernel)) {
		rc = kernel_make(build, work, reterr);
		if (rc == 0)
			rc = cache_publish(work, build->kernel, reterr);
		if (rc < 0) {
			(void)remove_tree(work, NULL); // the first error is the one to show
			return rc;
		}
	}
	rc = file_read(version, 256, &build->kernel_version, NULL, reterr);
	return rc < 0 ? rc : cache_prune(build->cache, "kernel-", build->kernel, reterr);
}
