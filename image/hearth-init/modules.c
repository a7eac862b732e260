// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/modules.h"
#include "image/hearth-init/file.h"
#include "image/hearth-init/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct {
	char folder[MAX_TEXT], *dep, *alias;
} modules;

void modules_open(void)
{
	struct utsname name;
	char path[MAX_TEXT + 32];

	uname(&name);
	snprintf(modules.folder, sizeof(modules.folder), "/lib/modules/%s", name.release);
	snprintf(path, sizeof(path), "%s/modules.dep", modules.folder);
	modules.dep = read_file(path, 4 << 20, NULL);
	snprintf(path, sizeof(path), "%s/modules.alias", modules.folder);
	modules.alias = read_file(path, 4 << 20, NULL);
	if (!modules.dep || !modules.alias)
		give_up("stage 1 has no modules for kernel %s: kernel and stage 1 belong to different builds", name.release);
}

static int module_insert(const char *relative)
{
	char path[2 * MAX_TEXT];
	snprintf(path, sizeof(path), "%s/%s", modules.folder, relative);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
	close(fd);
	return rc == -EEXIST ? 0 : rc;
}

static bool module_has_name(const char *path, size_t n, const char *name)
{
	const char *base = memrchr(path, '/', n);

	base = base ? base + 1 : path;
	size_t n_base = n - (size_t)(base - path);
	if (n_base < 3 || memcmp(base + n_base - 3, ".ko", 3) != 0 || n_base - 3 != strlen(name))
		return false;
	for (size_t i = 0; i < n_base - 3; i++) // kmod: '-' and '_' are the same letter
		if (base[i] != name[i] && !((base[i] == '-' || base[i] == '_') && (name[i] == '-' || name[i] == '_')))
			return false;
	return true;
}

// modules.dep: "path: dependency dependency ..." with the deepest dependency last. 1: stage 1 has no such module.
static int module_load(const char *name)
{
	for (const char *line = modules.dep; *line;) {
		size_t n_line = strcspn(line, "\n"), n_path = strcspn(line, ":\n");
		if (module_has_name(line, n_path, name)) {
			char text[4096], *words[64], *save = NULL;
			size_t n_words = 0;
			if (n_line >= sizeof(text))
				return -E2BIG;
			memcpy(text, line, n_line);
			text[n_line] = '\0';
			for (char *word = strtok_r(text, ": ", &save); word && n_words < 64; word = strtok_r(NULL, ": ", &save))
				words[n_words++] = word;
			int rc = 0;
			for (size_t i = n_words; i-- > 0 && rc == 0;)
				rc = module_insert(words[i]);
			return rc;
		}
		line += n_line + (line[n_line] == '\n');
	}
	return 1;
}

void module_want(const char *name)
{
	int rc = module_load(name);

	if (rc < 0)
		say("module %s could not be loaded: %s", name, strerror(-rc));
}

// modules.alias: "alias PATTERN NAME"
static void modules_load_alias(const char *modalias)
{
	for (const char *line = modules.alias; *line;) {
		size_t n_line = strcspn(line, "\n");
		char pattern[MAX_TEXT], name[128];
		if (n_line < sizeof(pattern) && sscanf(line, "alias %511s %127s", pattern, name) == 2 &&
			fnmatch(pattern, modalias, 0) == 0)
			module_want(name);
		line += n_line + (line[n_line] == '\n');
	}
}

bool modules_coldplug(const char *bus)
{
	static char *seen[1024]; // a rack server has some 300 distinct modaliases
	static size_t n_seen;
	char folder[MAX_TEXT];
	bool any = false;

	snprintf(folder, sizeof(folder), "/sys/bus/%s/devices", bus);
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[2 * MAX_TEXT], modalias[MAX_TEXT];
		bool known = false;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/modalias", folder, entry->d_name);
		read_line(path, modalias, sizeof(modalias));
		for (size_t i = 0; i < n_seen && !known; i++)
			known = strcmp(seen[i], modalias) == 0;
		if (!modalias[0] || known || n_seen == sizeof(seen) / sizeof(seen[0]))
			continue;
		seen[n_seen++] = strdup(modalias);
		modules_load_alias(modalias);
		any = true;
	}
	if (dir)
		closedir(dir);
	return any;
}
