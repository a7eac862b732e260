// The base root: Debian packages by mmdebstrap, as one tar, with the kernel's package beside it. Which archive is asked
// is not ours to say: it is the one that apt of this (tool) root is set up for.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/build.h"
#include "image/run.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

enum { SOURCES_MAX = 64 << 10, TMPFS_NEEDS_BYTES = 1 << 30 };

// The lines of apt's sources without backports: "deb ... trixie main" and its updates and security.
static int sources_read(char **ret, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *kept = NULL;
	char *save = NULL;
	int rc = file_read("/etc/apt/sources.list", SOURCES_MAX, &text, NULL, reterr);

	if (rc < 0)
		return rc;
	kept = strdup("");
	for (char *line = strtok_r(text, "\n", &save); line && kept; line = strtok_r(NULL, "\n", &save)) {
		if (!str_starts(line, "deb ") || strstr(line, "backports"))
			continue;
		char *longer = str_format("%s%s\n", kept, line);
		free(kept);
		kept = longer;
	}
	if (!kept)
		return -ENOMEM;
	if (!*kept)
		return diag_set(reterr, -ENOENT, "/etc/apt/sources.list", "names no Debian archive");
	*ret = TAKE_PTR(kept);
	return 0;
}

// A tmpfs with room where maintainer scripts may run halves the time; else the default.
static const char *work_folder(void)
{
	struct statvfs st;

	if (statvfs("/dev/shm", &st) == 0 && !(st.f_flag & (ST_NOEXEC | ST_NODEV)) &&
		(uint64_t)st.f_bavail * st.f_frsize >= TMPFS_NEEDS_BYTES)
		return "/dev/shm";
	return "/tmp";
}

// Shell for mmdebstrap's hooks; $1 is the root. Names with $H come from the environment, so nothing needs quoting.
static const char setup_hook[] =
	"mkdir -p \"$1/var/cache/apt/archives\" && cp -a --reflink=auto \"$HEARTH_DEBS/.\" \"$1/var/cache/apt/archives/\"";
static const char debs_hook[] =
	"cp -n --reflink=auto \"$1\"/var/cache/apt/archives/*.deb \"$HEARTH_DEBS/\"";
static const char kernel_hook[] =
	"cd \"$HEARTH_WORK\" && export APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\" &&"
	" name=$(apt-cache depends --important \"$HEARTH_KERNEL\" | sed -n 's/.*Depends: \\(linux-image-[0-9].*\\)/\\1/p' | head -n 1) &&"
	" name=${name:-$HEARTH_KERNEL} && apt-get download -qq \"$name\" && mv linux-image-*.deb kernel.deb";
static const char lock_hook[] =
	"chroot \"$1\" dpkg-query -W -f '${Package} ${Version} ${Architecture}\\n' | LC_ALL=C sort >\"$HEARTH_WORK/packages.lock\" &&"
	" dpkg-deb -W --showformat='${Package} ${Version} ${Architecture}\\n' \"$HEARTH_WORK/kernel.deb\" >>\"$HEARTH_WORK/packages.lock\"";

static int bootstrap(const struct build *build, const char *work, const char *sources, struct diag *reterr)
{
	const struct recipe *recipe = build->recipe;
	CLEANUP(words_done) struct words argv = { 0 };
	AUTO_FREE char *packages = words_join(&recipe->packages, ",");
	AUTO_FREE char *debs = str_format("%s/debs", build->cache);
	AUTO_FREE char *list = str_format("%s/sources.list", work);
	AUTO_FREE char *tar = str_format("%s/root.tar", work);
	int rc = packages && debs && list && tar ? 0 : -ENOMEM;

	if (rc == 0)
		rc = file_make_folders(debs, 0755);
	if (rc == 0)
		rc = file_write_volatile(list, sources, strlen(sources), 0644, reterr);
	if (rc < 0)
		return rc;
	setenv("HEARTH_DEBS", debs, 1);
	setenv("HEARTH_WORK", work, 1);
	setenv("HEARTH_KERNEL", recipe->kernel, 1);
	rc = words_add_many(&argv, (const char *const[]){ "mmdebstrap", "--mode=root", "--variant=essential", "--format=tar",
		"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--skip=essential/unlink", NULL });
	if (rc == 0)
		rc = words_add_format(&argv, "--include=%s", packages);
	if (rc == 0)
		rc = words_add_format(&argv, "--setup-hook=%s", setup_hook);
	const char *const hooks[] = { kernel_hook, lock_hook, debs_hook };
	for (size_t i = 0; i < N_ELEMENTS(hooks) && rc == 0; i++)
		rc = words_add_format(&argv, "--customize-hook=%s", hooks[i]);
	if (rc == 0)
		rc = words_add_many(&argv, (const char *const[]){ recipe->suite, tar, list, NULL });
	if (rc < 0)
		return rc;
	const char *before = getenv("TMPDIR");
	AUTO_FREE char *keep = before ? strdup(before) : NULL;
	setenv("TMPDIR", work_folder(), 1);
	step_begin("Debian %s root, %zu packages and what they need (a minute; once)", recipe->suite, recipe->packages.n);
	rc = run_program((const char *const *)argv.items, reterr);
	if (keep)
		setenv("TMPDIR", keep, 1);
	else
		unsetenv("TMPDIR");
	if (rc == 0)
		step_end();
	return rc;
}

static int epoch_load(struct build *build, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/epoch", build->base);
	AUTO_FREE char *text = NULL;
	int rc = path ? file_read(path, 64, &text, NULL, reterr) : -ENOMEM;

	if (rc < 0)
		return rc;
	build->epoch_sec = strtoll(text, NULL, 10);
	return build->epoch_sec > 0 ? 0 : diag_set(reterr, -EINVAL, path, "must be seconds since 1970, not \"%s\"", text);
}

int build_base(struct build *build, struct diag *reterr)
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	AUTO_FREE char *sources = NULL;
	AUTO_FREE char *packages = words_join(&build->recipe->packages, " ");
	char key[17], epoch[32];
	int rc = packages ? sources_read(&sources, reterr) : -ENOMEM;

	if (rc < 0)
		return rc;
	// Everything that decides what is in the tar; the hooks stand for the way it is made.
	AUTO_FREE char *what = str_format("base 1\n%s\n%s\n%s\n%s%s\n%s%s", build->recipe->suite, build->recipe->kernel,
		packages, sources, given ? given : "", kernel_hook, lock_hook);
	if (!what)
		return -ENOMEM;
	cache_key(what, key);
	build->base = str_format("%s/base-%s", build->cache, key);
	AUTO_FREE char *work = str_format("%s/base-%s.%d", build->cache, key, (int)getpid());
	if (!build->base || !work)
		return -ENOMEM;
	if (!file_exists(build->base)) {
		// Whole days, so that two fresh builds on one day are the same; a later one says so by its version.
		snprintf(epoch, sizeof(epoch), "%lld", given ? strtoll(given, NULL, 10) : (long long)(time(NULL) / 86400 * 86400));
		setenv("SOURCE_DATE_EPOCH", epoch, 1);
		AUTO_FREE char *epoch_path = str_format("%s/epoch", work);
		rc = epoch_path ? file_make_folders(work, 0755) : -ENOMEM;
		if (rc == 0)
			rc = file_write_volatile(epoch_path, epoch, strlen(epoch), 0644, reterr);
		if (rc == 0)
			rc = bootstrap(build, work, sources, reterr);
		if (rc == 0)
			rc = cache_publish(work, build->base, reterr);
		if (rc < 0) {
			(void)remove_tree(work, NULL); // the first error is the one to show
			return rc;
		}
	}
	rc = epoch_load(build, reterr);
	if (rc == 0)
		rc = cache_prune(build->cache, "base-", build->base, reterr);
	if (rc < 0)
		return rc;
	snprintf(epoch, sizeof(epoch), "%" PRId64, build->epoch_sec);
	setenv("SOURCE_DATE_EPOCH", epoch, 1); // for every tool from here on
	return 0;
}
