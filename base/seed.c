// One seed: grammar, then the rules that hold within one source. The token never gets into a message.
// SPDX-License-Identifier: Apache-2.0
#include "base/seed.h"
#include "base/crypto.h"
#include "base/url.h"
#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

enum { TOKEN_MAX = 128, DISK_SERIAL_MAX = 128 };
#define TOKEN_LABEL "hjt_"

struct seed *seed_free(struct seed *seed)
{
	if (!seed)
		return NULL;
	for (size_t i = 0; i < seed->n_urls; i++)
		free(seed->urls[i]);
	for (size_t i = 0; i < seed->n_signing_keys; i++)
		free(seed->signing_keys[i]);
	if (seed->token)
		crypto_wipe(seed->token, strlen(seed->token));
	free(seed->token);
	const struct value *token = value_path(seed->document, "region", "token", NULL);
	if (token && token->text)
		crypto_wipe(token->text, strlen(token->text));
	const struct value *proxy = value_find(seed->document, "proxy");
	if (proxy && proxy->text)
		crypto_wipe(proxy->text, strlen(proxy->text)); // it may hold a password
	value_free(seed->document);
	if (seed->proxy)
		crypto_wipe(seed->proxy, strlen(seed->proxy));
	free(seed->proxy);
	free(seed->state_disk_serial);
	free(seed);
	return NULL;
}

static int refuse(const struct value *value, struct diag *reterr, const char *message)
{
	char where[32];

	(void)snprintf(where, sizeof(where), "%u:%u", value->line, value->column); // always fits
	return diag_set(reterr, -EINVAL, where, "%s", message);
}

// A list of texts with at least one and at most @max members; absent is an empty one.
static int check_list(const struct value *list, const char *what, size_t max, struct diag *reterr)
{
	char message[96];

	if (!list || (list->type == VALUE_ARRAY && list->n > 0 && list->n <= max))
		return 0;
	(void)snprintf(message, sizeof(message), "%s: must be a list of 1-%zu entries", what, max); // always fits
	return refuse(list, reterr, message);
}

static int decode_urls(struct seed *seed, const struct value *list, struct diag *reterr)
{
	const char *text;
	int r = check_list(list, "region.urls", SEED_MAX_URLS, reterr);

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		if ((r = value_string(&list->items[i], "region.urls", &text, reterr)) < 0)
			return r;
		if (url_origin(text, &seed->urls[seed->n_urls]) < 0)
			return refuse(&list->items[i], reterr,
				"region.urls: must be https://HOST or https://HOST:PORT without a path");
		seed->n_urls++;
	}
	return r;
}

static int decode_pins(struct seed *seed, const struct value *list, struct diag *reterr)
{
	const char *text;
	int r = check_list(list, "region.pins", SEED_MAX_PINS, reterr);

	for (size_t i = 0; list && r == 0 && i < list->n; i++) {
		if ((r = value_string(&list->items[i], "region.pins", &text, reterr)) < 0)
			return r;
		if (pin_parse(text, seed->pins[seed->n_pins]) < 0)
			return refuse(&list->items[i], reterr,
				"region.pins: must be sha256: and 64 lower-case hex digits (the SHA-256 of the CA's public key)");
		seed->n_pins++;
	}
	return r;
}

static int decode_signing_keys(struct seed *seed, const struct value *list, struct diag *reterr)
{
	const char *text;
	uint8_t pin[SHA256_BYTES];
	int r = check_list(list, "region.signingKeys", SEED_MAX_KEYS, reterr);

	for (size_t i = 0; list && r == 0 && i < list->n; i++) {
		if ((r = value_string(&list->items[i], "region.signingKeys", &text, reterr)) < 0)
			return r;
		if (public_key_pem_pin(text, pin) < 0)
			return refuse(&list->items[i], reterr, "region.signingKeys: must be P-256 public keys in PEM");
		char *copy = strdup(text);
		if (!copy)
			return diag_set(reterr, -ENOMEM, "", "no memory");
		seed->signing_keys[seed->n_signing_keys++] = copy;
	}
	return r;
}

static bool is_token(const char *text)
{
	size_t n = strlen(text);

	if (!str_starts(text, TOKEN_LABEL) || n == strlen(TOKEN_LABEL) || n > TOKEN_MAX)
		return false;
	for (const char *p = text + strlen(TOKEN_LABEL); *p; p++)
		if (!isalnum((unsigned char)*p))
			return false;
	return true;
}

static int decode_token(struct seed *seed, const struct value *token, struct diag *reterr)
{
	const char *text = value_text(token);

	if (!token)
		return 0;
	if (!text || !is_token(text)) // without its text: it may be a token with a slip
		return refuse(token, reterr, "region.token: must be hjt_ and letters and digits, as the region printed it");
	if (seed->n_pins == 0)
		return refuse(token, reterr, "region.token: is only allowed together with region.pins; without a pin "
					     "the token could go to a stranger");
	seed->token = strdup(text);
	return seed->token ? 0 : diag_set(reterr, -ENOMEM, "", "no memory");
}

static int decode_region(struct seed *seed, const struct value *region, struct diag *reterr)
{
	static const char *const keys[] = { "urls", "pins", "token", "signingKeys", NULL };
	const struct value *urls = value_find(region, "urls");
	int r;

	if (!region)
		return 0;
	if ((r = value_only_keys(region, "region", keys, reterr)) < 0)
		return r;
	if (!urls)
		return refuse(region, reterr, "region.urls: is missing");
	if ((r = decode_urls(seed, urls, reterr)) < 0)
		return r;
	if ((r = decode_pins(seed, value_find(region, "pins"), reterr)) < 0)
		return r;
	if ((r = decode_signing_keys(seed, value_find(region, "signingKeys"), reterr)) < 0)
		return r;
	return decode_token(seed, value_find(region, "token"), reterr);
}

static int decode_proxy(struct seed *seed, const struct value *proxy, struct diag *reterr)
{
	const char *text = value_text(proxy);

	if (!proxy)
		return 0;
	if (str_equal(text, "none"))
		seed->proxy = strdup("");
	else if (!text || url_proxy(text, &seed->proxy) == -EINVAL) // without its text: it may hold a password
		return refuse(proxy, reterr, "proxy: must be http://HOST:PORT, http://USER:PASSWORD@HOST:PORT or none");
	return seed->proxy ? 0 : diag_set(reterr, -ENOMEM, "", "no memory");
}

static int decode_state_disk(struct seed *seed, const struct value *disk, struct diag *reterr)
{
	static const char *const keys[] = { "serial", NULL };
	const char *text = value_text(disk);
	int r;

	if (!disk || str_equal(text, "none"))
		return 0;
	if (str_equal(text, "blank")) {
		seed->state_disk = SEED_DISK_BLANK;
		return 0;
	}
	if (disk->type != VALUE_OBJECT)
		return refuse(disk, reterr, "stateDisk: must be blank, none, or {serial: X}");
	if ((r = value_only_keys(disk, "stateDisk", keys, reterr)) < 0)
		return r;
	if ((r = value_string(value_find(disk, "serial"), "stateDisk.serial", &text, reterr)) < 0)
		return r;
	if (!*text || strlen(text) > DISK_SERIAL_MAX)
		return refuse(disk, reterr, "stateDisk.serial: must have 1-128 characters");
	seed->state_disk = SEED_DISK_SERIAL;
	seed->state_disk_serial = strdup(text);
	return seed->state_disk_serial ? 0 : diag_set(reterr, -ENOMEM, "", "no memory");
}

static int check_node(const struct value *node, struct diag *reterr)
{
	static const char *const node_keys[] = { "match", "network", NULL };
	static const char *const match_keys[] = { "serial", "uuid", "mac", NULL };
	const struct value *match = value_find(node, "match"), *network = value_find(node, "network");
	const char *text;
	int r = value_only_keys(node, "nodes", node_keys, reterr);

	if (r < 0)
		return r;
	if ((r = value_only_keys(match, "nodes.match", match_keys, reterr)) < 0)
		return r;
	if (match->n == 0)
		return refuse(match, reterr, "nodes.match: must have serial, uuid or mac");
	for (size_t i = 0; i < match->n; i++)
		if ((r = value_string(&match->items[i], "nodes.match", &text, reterr)) < 0)
			return r;
	if (!network || network->type != VALUE_OBJECT)
		return refuse(network ? network : node, reterr, "nodes.network: must be a netplan document");
	return 0;
}

static int check_nodes(const struct value *nodes, struct diag *reterr)
{
	int r = 0;

	if (nodes && nodes->type != VALUE_ARRAY)
		return refuse(nodes, reterr, "nodes: must be a list");
	for (size_t i = 0; nodes && r == 0 && i < nodes->n; i++)
		r = check_node(&nodes->items[i], reterr);
	return r;
}

static int decode(struct seed *seed, struct diag *reterr)
{
	static const char *const keys[] = { "version", "region", "network", "nodes", "proxy", "stateDisk", "assignment", NULL };
	const struct value *document = seed->document, *network = value_find(document, "network"),
			   *assignment = value_find(document, "assignment");
	int64_t version;
	int r;

	if ((r = value_only_keys(document, "seed", keys, reterr)) < 0)
		return r;
	if ((r = value_int(value_find(document, "version"), "version", 1, 1, &version, reterr)) < 0)
		return r;
	if ((r = decode_region(seed, value_find(document, "region"), reterr)) < 0)
		return r;
	if (network && network->type != VALUE_OBJECT)
		return refuse(network, reterr, "network: must be a netplan document");
	if ((r = check_nodes(value_find(document, "nodes"), reterr)) < 0)
		return r;
	if ((r = decode_proxy(seed, value_find(document, "proxy"), reterr)) < 0)
		return r;
	if (assignment && assignment->type != VALUE_OBJECT)
		return refuse(assignment, reterr, "assignment: must be an object");
	if (assignment && seed->n_urls > 0)
		return refuse(assignment, reterr, "assignment: stands instead of region; a seed must not have both");
	return decode_state_disk(seed, value_find(document, "stateDisk"), reterr);
}

int seed_parse(const char *text, size_t n, const char *name, struct seed **ret, struct diag *reterr)
{
	CLEANUP(seed_freep) struct seed *seed = calloc(1, sizeof(*seed));

	if (!seed)
		return diag_set(reterr, -ENOMEM, name, "no memory");
	if (n > SEED_FILE_BYTES)
		return diag_set(reterr, -E2BIG, name, "must not be longer than %d bytes, not %zu", SEED_FILE_BYTES, n);
	while (n > 0 && (text[n - 1] == '\0' || text[n - 1] == '\n')) // padding of the ISO's file
		n--;
	int r = yaml_parse(text, n, SEED_FILE_BYTES, name, &seed->document, reterr);
	if (r < 0)
		return r;
	r = decode(seed, reterr);
	if (r < 0) {
		diag_prefix(reterr, name);
		return r;
	}
	*ret = TAKE_PTR(seed);
	return 0;
}

// Every key of the match must fit; a fact the machine does not have fits nothing.
static bool matches(const struct value *match, const char *serial, const char *uuid, const char *const *macs, size_t n_macs)
{
	const char *want_serial = value_text(value_find(match, "serial")), *want_uuid = value_text(value_find(match, "uuid")),
		   *want_mac = value_text(value_find(match, "mac"));
	bool has_mac = false;

	if (want_serial && (!serial || strcmp(want_serial, serial) != 0))
		return false;
	if (want_uuid && (!uuid || strcasecmp(want_uuid, uuid) != 0))
		return false;
	for (size_t i = 0; want_mac && i < n_macs; i++)
		has_mac |= strcasecmp(want_mac, macs[i]) == 0;
	return has_mac || !want_mac;
}

const struct value *seed_network(const struct seed *seed, const char *serial, const char *uuid,
	const char *const *macs, size_t n_macs)
{
	const struct value *nodes = value_find(seed->document, "nodes");

	for (size_t i = 0; nodes && i < nodes->n; i++)
		if (matches(value_find(&nodes->items[i], "match"), serial, uuid, macs, n_macs))
			return value_find(&nodes->items[i], "network");
	return value_find(seed->document, "network");
}
