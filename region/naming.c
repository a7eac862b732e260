// SPDX-License-Identifier: Apache-2.0
#include "region/naming.h"

#include <ctype.h>
#include <errno.h>

struct code {
	const char *name, *code;
	char letter;
	const char *provider; // regions: the code of the provider they belong to
};

static const struct code providers[] = {
	{ "hetzner", "hz", 'h', NULL },
	{ "huawei", "hw", 'w', NULL },
	{ "oracle", "oci", 'o', NULL },
	{ "aws", "aws", 'a', NULL },
	{ "gcp", "gcp", 'g', NULL },
	{ "azure", "az", 'z', NULL },
	{ "contabo", "ct", 'c', NULL },
};
static const struct code regions[] = {
	{ "fsn", "fsn", 'f', "hz" },
	{ "nbg", "nbg", 'n', "hz" },
	{ "hel", "hel", 'l', "hz" },
	{ "ash", "ash", 'a', "hz" },
	{ "hil", "hil", 'i', "hz" },
	{ "sin", "sin", 's', "hz" },
	{ "apse", "apse", 'p', "hw" },
	{ "cnn", "cnn", 'c', "hw" },
	{ "las", "las", 'q', "hw" },
	{ "mer", "mer", 'r', "hw" },
	{ "dxb", "dxb", 'x', "oci" },
	{ "fra", "fra", 'r', "oci" },
	{ "sg", "sg", 'g', "oci" },
	{ "iad", "iad", 'd', "oci" },
	{ "syd", "syd", 'y', "oci" },
	{ "eu", "eu", 'e', "ct" },
};
static const struct code blocks[] = { { "rtz", "rtz", 'r', NULL }, { "dmz", "dmz", 'd', NULL },
	{ "mgt", "mgt", 'm', NULL } };
static const struct code envs[] = { { "prod", "prod", 'p', NULL }, { "stg", "stg", 's', NULL },
	{ "uat", "uat", 'u', NULL }, { "dev", "dev", 'd', NULL }, { "poc", "poc", 'c', NULL } };
static const char *const reserved[] = { "system", "flux", "crossplane", "catalyst", "gitea", NULL };

static const struct code *code_find(
	const struct code *codes, size_t n, const char *word, const char *provider)
{
	for (size_t i = 0; i < n; i++)
		if ((!provider || str_equal(codes[i].provider, provider)) &&
			(str_equal(codes[i].name, word) || str_equal(codes[i].code, word)))
			return &codes[i];
	return NULL;
}

static bool is_reserved(const char *word)
{
	for (size_t i = 0; reserved[i]; i++)
		if (str_equal(reserved[i], word))
			return true;
	return str_starts(word, "kube-");
}

static bool is_word(const char *text, size_t min, size_t max)
{
	size_t n = strlen(text);
	if (n < min || n > max || !islower((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]))
			return false;
	return true;
}

static int decode_letter(const struct value *own, const char *what, char *ret, struct diag *reterr)
{
	const char *letter;
	int r = value_string(value_find(own, "letter"), what, &letter, reterr);
	if (r < 0)
		return r;
	if (strlen(letter) != 1 || !islower((unsigned char)letter[0]))
		return diag_set(
			reterr, -EINVAL, what, "must be one lower-case letter, not \"%s\"", letter);
	*ret = letter[0];
	return 0;
}

static int decode_own_provider(const struct value *own, struct naming *naming, struct diag *reterr)
{
	static const char *const keys[] = { "name", "code", "letter", NULL };
	const char *name, *code;
	int r = value_only_keys(own, "provider", keys, reterr);
	if (r < 0 ||
		(r = value_string(value_find(own, "name"), "provider.name", &name, reterr)) < 0 ||
		(r = value_string(value_find(own, "code"), "provider.code", &code, reterr)) < 0 ||
		(r = decode_letter(own, "provider.letter", &naming->provider_letter, reterr)) < 0)
		return r;
	if (!is_word(name, 3, 32) || is_reserved(name))
		return diag_set(reterr, -EINVAL, "provider.name",
			"must be 3-32 of a-z and 0-9 and not reserved, not \"%s\"", name);
	if (!is_word(code, 2, 3))
		return diag_set(reterr, -EINVAL, "provider.code",
			"must be two or three of a-z and 0-9, not \"%s\"", code);
	for (size_t i = 0; i < N_ELEMENTS(providers); i++)
		if (str_equal(providers[i].code, code) || str_equal(providers[i].name, name) ||
			providers[i].letter == naming->provider_letter)
			return diag_set(reterr, -EINVAL, "provider",
				"\"%s\" (%s, %c) collides with %s (%s, %c) of the convention", name,
				code, naming->provider_letter, providers[i].name, providers[i].code,
				providers[i].letter);
	(void)snprintf(naming->provider, sizeof(naming->provider), "%s", name);
	(void)snprintf(naming->provider_code, sizeof(naming->provider_code), "%s", code);
	return 0;
}

static int decode_provider(const struct value *value, struct naming *naming, struct diag *reterr)
{
	const char *word;
	if (value && value->type == VALUE_OBJECT)
		return decode_own_provider(value, naming, reterr);
	int r = value_string(value, "provider", &word, reterr);
	if (r < 0)
		return r;
	const struct code *code = code_find(providers, N_ELEMENTS(providers), word, NULL);
	if (!code)
		return diag_set(reterr, -EINVAL, "provider",
			"must be one of hetzner, huawei, oracle, aws, gcp, azure, contabo, or "
			"{name, code, letter} of your own, not \"%s\"",
			word);
	(void)snprintf(naming->provider, sizeof(naming->provider), "%s", code->name);
	(void)snprintf(naming->provider_code, sizeof(naming->provider_code), "%s", code->code);
	naming->provider_letter = code->letter;
	return 0;
}

static int decode_own_region(const struct value *own, struct naming *naming, struct diag *reterr)
{
	static const char *const keys[] = { "code", "letter", NULL };
	const char *code;
	int r = value_only_keys(own, "region", keys, reterr);
	if (r < 0 ||
		(r = value_string(value_find(own, "code"), "region.code", &code, reterr)) < 0 ||
		(r = decode_letter(own, "region.letter", &naming->region_letter, reterr)) < 0)
		return r;
	if (!is_word(code, 3, 3))
		return diag_set(reterr, -EINVAL, "region.code",
			"must be three of a-z and 0-9, not \"%s\"", code);
	if (naming->region_letter == naming->provider_letter)
		return diag_set(reterr, -EINVAL, "region.letter",
			"the provider's letter takes precedence: not \"%c\" again",
			naming->region_letter);
	for (size_t i = 0; i < N_ELEMENTS(regions); i++)
		if (str_equal(regions[i].provider, naming->provider_code) &&
			(str_equal(regions[i].code, code) ||
				regions[i].letter == naming->region_letter))
			return diag_set(reterr, -EINVAL, "region",
				"\"%s\" (%c) collides with %s (%c) of the convention", code,
				naming->region_letter, regions[i].code, regions[i].letter);
	(void)snprintf(naming->region, sizeof(naming->region), "%s", code);
	return 0;
}

static int decode_region(const struct value *value, struct naming *naming, struct diag *reterr)
{
	const char *word;
	if (value && value->type == VALUE_OBJECT)
		return decode_own_region(value, naming, reterr);
	int r = value_string(value, "region", &word, reterr);
	if (r < 0)
		return r;
	const struct code *code =
		code_find(regions, N_ELEMENTS(regions), word, naming->provider_code);
	if (!code)
		return diag_set(reterr, -EINVAL, "region",
			"must be a region of %s or {code, letter} of your own, not \"%s\"",
			naming->provider, word);
	(void)snprintf(naming->region, sizeof(naming->region), "%s", code->code);
	naming->region_letter = code->letter;
	return 0;
}

static int decode_coded(const struct value *config, const char *key, const struct code *codes,
	size_t n, char *ret, size_t n_ret, char *ret_letter, struct diag *reterr)
{
	const char *word;
	int r = value_string(value_find(config, key), key, &word, reterr);
	if (r < 0)
		return r;
	const struct code *code = code_find(codes, n, word, NULL);
	if (!code)
		return diag_set(reterr, -EINVAL, key,
			"must be a code of the naming convention (%s, %s, %s%s), not \"%s\"",
			codes[0].code, codes[1].code, codes[2].code, n > 3 ? ", dev, poc" : "",
			word);
	(void)snprintf(ret, n_ret, "%s", code->code);
	*ret_letter = code->letter;
	return 0;
}

int naming_decode(const struct value *config, struct naming *ret, struct diag *reterr)
{
	struct naming naming = { 0 };
	const char *app = "k8s";
	int r = decode_provider(value_find(config, "provider"), &naming, reterr);
	if (r < 0 || (r = decode_region(value_find(config, "region"), &naming, reterr)) < 0 ||
		(r = decode_coded(config, "buildingBlock", blocks, N_ELEMENTS(blocks), naming.block,
			 sizeof(naming.block), &naming.block_letter, reterr)) < 0 ||
		(r = decode_coded(config, "envType", envs, N_ELEMENTS(envs), naming.env,
			 sizeof(naming.env), &naming.env_letter, reterr)) < 0)
		return r;
	if (value_find(config, "app") &&
		(r = value_string(value_find(config, "app"), "app", &app, reterr)) < 0)
		return r;
	if (!is_word(app, 2, 16) || is_reserved(app))
		return diag_set(reterr, -EINVAL, "app",
			"must be 2-16 of a-z and 0-9 and not reserved, not \"%s\"", app);
	(void)snprintf(naming.app, sizeof(naming.app), "%s", app);
	*ret = naming;
	return 0;
}

void naming_cluster(const struct naming *naming, char ret[static NAME_TEXT])
{
	(void)snprintf(ret, NAME_TEXT, "%s-%s-%s-%s", naming->provider_code, naming->region,
		naming->block, naming->env);
}

void naming_node(const struct naming *naming, unsigned number, char ret[static NAME_TEXT])
{
	(void)snprintf(ret, NAME_TEXT, "%s%s%c-%s-%u%c", naming->provider_code, naming->region,
		naming->block_letter, naming->app, number, naming->env_letter);
}

void naming_location(const struct naming *naming, char ret[static 5])
{
	ret[0] = naming->provider_letter;
	ret[1] = naming->region_letter;
	ret[2] = naming->block_letter;
	ret[3] = naming->env_letter;
	ret[4] = '\0';
}

unsigned naming_node_number(const struct naming *naming, const char *name)
{
	char prefix[NAME_TEXT], again[NAME_TEXT];
	(void)snprintf(prefix, sizeof(prefix), "%s%s%c-%s-", naming->provider_code, naming->region,
		naming->block_letter, naming->app);
	if (!name || !str_starts(name, prefix) || strlen(name) >= NAME_TEXT)
		return 0;
	unsigned long number = strtoul(name + strlen(prefix), NULL, 10);
	if (number == 0 || number > 1000000)
		return 0;
	naming_node(naming, (unsigned)number, again);
	return str_equal(again, name) ? (unsigned)number : 0;
}

static int compare_unsigned(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

unsigned naming_lowest_free(const unsigned *used, size_t n_used)
{
	unsigned free_number = 1;
	AUTO_FREE unsigned *sorted = n_used ? malloc(n_used * sizeof(*sorted)) : NULL;
	if (!sorted)
		return n_used ? 0 : 1;
	memcpy(sorted, used, n_used * sizeof(*sorted));
	qsort(sorted, n_used, sizeof(*sorted), compare_unsigned);
	for (size_t i = 0; i < n_used && sorted[i] <= free_number; i++)
		if (sorted[i] == free_number)
			free_number++;
	return free_number;
}
