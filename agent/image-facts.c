// SPDX-License-Identifier: Apache-2.0
#include "agent/image-facts.h"
#include "agent/root-path.h"
#include "base/json.h"

enum { IMAGE_FILE_MAX = 64 << 10 };

static void take_text(const struct value *object, const char *key, char *ret, size_t n)
{
	const char *text = value_text(value_find(object, key));
	if (text)
		(void)snprintf(ret, n, "%s", text); // a cut version text is still good for people
}

static bool take_bool(const struct value *object, const char *key)
{
	const struct value *v = value_find(object, key);
	return v && v->type == VALUE_BOOL && v->boolean;
}

static int64_t take_int(const struct value *object, const char *key)
{
	int64_t number;
	const struct value *v = value_find(object, key);
	return v && value_int(v, key, 0, INT64_MAX, &number, NULL) == 0 ? number : 0;
}

static void load_boot(const char *root, struct image_facts *ret)
{
	struct value *boot CLEANUP(value_freep) = NULL;
	if (json_load(root_path(root, RUN_BOOT).text, IMAGE_FILE_MAX, &boot, NULL) < 0)
		return;
	take_text(boot, "firmware", ret->firmware, sizeof(ret->firmware));
	ret->unauthenticated = take_bool(boot, "unauthenticated");
}

void image_facts_load(const char *root, struct image_facts *ret)
{
	*ret = (struct image_facts){ .version = HEARTH_VERSION };
	load_boot(root, ret);
	struct value *image CLEANUP(value_freep) = NULL;
	if (json_load(root_path(root, RUN_IMAGE).text, IMAGE_FILE_MAX, &image, NULL) < 0) {
		static const char *const all[] = { "smbios", "initrd", "iso", "stick", "cmdline", "builtin" };
		for (size_t i = 0; i < N_ELEMENTS(all); i++)
			(void)snprintf(ret->allowed_sources[ret->n_allowed++], 16, "%s", all[i]); // all are short
		return;
	}
	take_text(image, "version", ret->version, sizeof(ret->version));
	take_text(image, "recipe", ret->recipe, sizeof(ret->recipe));
	take_text(image, "kubernetes", ret->kubernetes, sizeof(ret->kubernetes));
	take_text(image, "payloadSha256", ret->payload_sha256, sizeof(ret->payload_sha256));
	ret->built_sec = take_int(image, "builtSec");
	ret->payload_bytes = (uint64_t)take_int(image, "payloadBytes");
	ret->cni_bridge = str_equal(value_text(value_find(image, "cni")), "bridge");
	ret->state_disk_blank = str_equal(value_text(value_find(image, "stateDisk")), "blank");
	ret->lab = take_bool(image, "lab");
	const struct value *allowed = value_find(image, "allowedSeedSources");
	for (size_t i = 0; allowed && allowed->type == VALUE_ARRAY && i < allowed->n; i++) {
		const char *source = value_text(&allowed->items[i]);
		if (source && ret->n_allowed < IMAGE_MAX_SOURCES && strlen(source) < 16)
			(void)snprintf(ret->allowed_sources[ret->n_allowed++], 16, "%s", source);
	}
}

bool image_allows_source(const struct image_facts *image, const char *source)
{
	for (size_t i = 0; i < image->n_allowed; i++)
		if (str_equal(image->allowed_sources[i], source))
			return true;
	return false;
}
