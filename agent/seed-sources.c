// SPDX-License-Identifier: Apache-2.0
#include "agent/seed-sources.h"
#include "agent/root-path.h"
#include "base/crypto.h"
#include "base/file.h"
#include <ctype.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>

void seed_sources_done(struct seed_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++)
		seed_free(sources->source[i].seed);
	sources->n = 0;
}

static bool pins_meet(const struct seed *a, const struct seed *b)
{
	for (size_t i = 0; i < a->n_pins; i++)
		for (size_t j = 0; j < b->n_pins; j++)
			if (memcmp(a->pins[i], b->pins[j], 32) == 0)
				return true;
	return false;
}

static const struct value *seed_assignment(const struct seed *seed)
{
	const struct value *v = value_find(seed->document, "assignment");
	return v && v->type == VALUE_OBJECT ? v : NULL;
}

static bool has_trust(const struct seed *seed)
{
	return seed->n_urls > 0 || seed_assignment(seed);
}

static bool has_network(const struct seed *seed)
{
	return value_find(seed->document, "network") || value_find(seed->document, "nodes");
}

static void choose_trust(const struct seed_sources *sources, struct seed_choice *ret)
{
	for (size_t i = 0; i < sources->n; i++) {
		const struct seed_source *source = &sources->source[i];
		if (!source->seed || !has_trust(source->seed))
			continue;
		bool outranks = str_equal(source->name, "builtin") && source->seed->n_pins > 0;
		if (ret->trust && !outranks)
			continue;
		ret->trust = source->seed;
		ret->trust_name = source->name;
	}
}

void seed_choose(const struct seed_sources *sources, struct seed_choice *ret)
{
	*ret = (struct seed_choice){ 0 };
	choose_trust(sources, ret);
	if (ret->trust) {
		ret->token = ret->trust->token;
		ret->assignment = seed_assignment(ret->trust);
	}
	for (size_t i = 0; i < sources->n; i++) {
		const struct seed_source *source = &sources->source[i];
		if (!source->seed) {
			if (source->problem[0] && !ret->problem[0])
				(void)snprintf(ret->problem, sizeof(ret->problem), "%s", source->problem); // both equally long
			continue;
		}
		if (!ret->network && has_network(source->seed))
			ret->network = source->seed;
		if (!ret->proxy)
			ret->proxy = source->seed->proxy;
		if (ret->state_disk == SEED_DISK_NONE && source->seed->state_disk != SEED_DISK_NONE) {
			ret->state_disk = source->seed->state_disk;
			ret->state_disk_serial = source->seed->state_disk_serial;
		}
		if (!ret->trust || source->seed == ret->trust)
			continue;
		if (!ret->token && source->seed->token && pins_meet(source->seed, ret->trust))
			ret->token = source->seed->token;
		else if (source->seed->token && !pins_meet(source->seed, ret->trust) && !ret->problem[0])
			(void)snprintf(ret->problem, sizeof(ret->problem),
				"the token of seed %s is ignored: it does not repeat a pin of seed %s, whose region counts",
				source->name, ret->trust_name);
	}
}

static bool is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] && !isspace((unsigned char)text[i]))
			return false;
	return true;
}

static void add_text(struct seed_sources *sources, const struct image_facts *image, const char *name, const char *text,
	size_t n)
{
	if (sources->n == SEED_MAX_SOURCES || is_blank(text, n))
		return;
	struct seed_source *source = &sources->source[sources->n++];
	*source = (struct seed_source){ 0 };
	(void)snprintf(source->name, sizeof(source->name), "%s", name); // all are short
	if (!image_allows_source(image, name)) {
		(void)snprintf(source->problem, sizeof(source->problem),
			"a seed from %s is here, but the recipe of this image does not allow that source", name);
		return;
	}
	struct diag diag = { 0 };
	if (seed_parse(text, n, name, &source->seed, &diag) < 0) {
		source->seed = NULL;
		(void)snprintf(source->problem, sizeof(source->problem), "%s", diag_text(&diag)); // cut is fine
	}
}

static void add_file(struct seed_sources *sources, const struct image_facts *image, const char *name, const char *path)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	struct diag diag = { 0 };
	int r = file_read(path, SEED_FILE_BYTES, &text, &n, &diag);
	if (r >= 0) {
		add_text(sources, image, name, text, n);
		crypto_wipe(text, n);
	} else if (r != -ENOENT && r != -ENOTDIR && sources->n < SEED_MAX_SOURCES) {
		struct seed_source *source = &sources->source[sources->n++];
		*source = (struct seed_source){ 0 };
		(void)snprintf(source->name, sizeof(source->name), "%s", name);
		(void)snprintf(source->problem, sizeof(source->problem), "%s: %s", name, strerror(-r));
	}
}

static bool value_is_safe(const char *value)
{
	for (; *value; value++)
		if (!isalnum((unsigned char)*value) && !strchr(":/.-_[]", *value))
			return false;
	return true;
}

static void list_add(char *list, size_t n_list, const char *value)
{
	size_t n = strlen(list);
	(void)snprintf(list + n, n_list - n, "%s\"%s\"", n ? ", " : "", value); // a cut list does not parse: refused
}

char *seed_text_from_cmdline(const char *cmdline, char ret_problem[static SEED_PROBLEM_MAX])
{
	char *copy AUTO_FREE = strdup(cmdline);
	char urls[1024] = "", pins[512] = "", proxy[256] = "";
	ret_problem[0] = '\0';
	if (!copy)
		return NULL;
	for (char *saved = NULL, *word = strtok_r(copy, " \t\n", &saved); word; word = strtok_r(NULL, " \t\n", &saved)) {
		if (str_starts(word, "hearth.token")) {
			(void)snprintf(ret_problem, SEED_PROBLEM_MAX,
				"cmdline: a token on the kernel command line is refused, everybody can read it there; put it into "
				"the ISO, a stick or an SMBIOS credential");
			return NULL;
		}
		if (str_starts(word, "hearth.region=") && value_is_safe(word + 14))
			list_add(urls, sizeof(urls), word + 14);
		else if (str_starts(word, "hearth.pin=") && value_is_safe(word + 11))
			list_add(pins, sizeof(pins), word + 11);
		else if (str_starts(word, "hearth.proxy=") && value_is_safe(word + 13))
			(void)snprintf(proxy, sizeof(proxy), "proxy: \"%s\"\n", word + 13); // a cut one does not parse: refused
	}
	if (!urls[0])
		return NULL;
	return str_format("version: 1\nregion:\n  urls: [%s]\n%s%s%s%s", urls, pins[0] ? "  pins: [" : "", pins,
		pins[0] ? "]\n" : "", proxy);
}

static void add_cmdline(struct seed_sources *sources, const struct image_facts *image, const char *root)
{
	char *cmdline AUTO_FREE = NULL;
	char problem[SEED_PROBLEM_MAX];
	if (file_read(root_path(root, "/proc/cmdline").text, 64 << 10, &cmdline, NULL, NULL) < 0)
		return;
	char *text AUTO_FREE = seed_text_from_cmdline(cmdline, problem);
	if (text) {
		add_text(sources, image, "cmdline", text, strlen(text));
	} else if (problem[0] && sources->n < SEED_MAX_SOURCES) {
		struct seed_source *source = &sources->source[sources->n++];
		*source = (struct seed_source){ .name = "cmdline" };
		memcpy(source->problem, problem, sizeof(problem));
	}
}

static void add_stick(struct seed_sources *sources, const struct image_facts *image)
{
	static const char device[] = "/dev/disk/by-label/HEARTHSEED";
	static const struct {
		const char *name, *options;
	} types[] = { { "vfat", NULL }, { "iso9660", NULL }, { "ext4", "noload" } }; // else read-only still replays the journal
	char folder[64], path[128];
	(void)snprintf(folder, sizeof(folder), "/run/hearth/stick-%d", (int)getpid()); // fits; hearth-state looks too
	if (!file_exists(device) || (mkdir(folder, 0700) < 0 && errno != EEXIST))
		return;
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		if (mount(device, folder, types[i].name, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, types[i].options) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/hearth/seed.yaml", folder); // fits
		add_file(sources, image, "stick", path);
		(void)snprintf(path, sizeof(path), "%s/seed.yaml", folder);
		add_file(sources, image, "stick", path);
		(void)umount2(folder, MNT_DETACH); // a stick that was pulled out is gone already
		break;
	}
	(void)rmdir(folder); // empty, or still in use by nobody
}

void seed_sources_load(const char *root, const struct image_facts *image, bool look_at_stick, struct seed_sources *ret)
{
	*ret = (struct seed_sources){ 0 };
	add_file(ret, image, "smbios", root_path(root, "/run/credentials/@system/hearth.seed").text);
	add_file(ret, image, "initrd", root_path(root, RUN_SEED_FOLDER "/30-initrd.yaml").text);
	add_file(ret, image, "iso", root_path(root, RUN_SEED_FOLDER "/40-iso.yaml").text);
	if (look_at_stick)
		add_stick(ret, image);
	add_cmdline(ret, image, root);
	add_file(ret, image, "builtin", root_path(root, "/usr/lib/hearth/seed.yaml").text);
	for (size_t i = 0; i < image->n_allowed; i++) {
		size_t n = strlen(ret->looked);
		(void)snprintf(ret->looked + n, sizeof(ret->looked) - n, "%s%s", n ? ", " : "", image->allowed_sources[i]);
	}
}
