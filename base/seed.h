// The seed: the few facts a node needs for first contact (docs/seed.md). Parsing and the rules of one source; how
// several sources come together is agent/'s business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { SEED_MAX_URLS = 8, SEED_MAX_PINS = 4, SEED_MAX_KEYS = 8, SEED_FILE_BYTES = 64 << 10 };

enum seed_disk { SEED_DISK_NONE, SEED_DISK_BLANK, SEED_DISK_SERIAL };

struct seed {
	size_t n_urls, n_pins, n_signing_keys;
	char *urls[SEED_MAX_URLS]; // https://host[:port], no path
	uint8_t pins[SEED_MAX_PINS][32];
	char *token;               // join token or NULL
	char *signing_keys[SEED_MAX_KEYS]; // PEM P-256 public keys
	char *proxy; // http://[USER:PASSWORD@]HOST:PORT; "": none, whatever was known before; NULL: nothing is said
	enum seed_disk state_disk;
	char *state_disk_serial;
	struct value *document; // the whole document, for `network`, `nodes`, `assignment`
};
struct seed *seed_free(struct seed *seed);
DEFINE_CLEANUP(seed)
/* Parse seed.yaml. Trailing newlines and NUL padding of the ISO's 64 KiB file are fine. Refused: unknown keys, a token
 * without a pin, an URL that is not https. Never puts the token in a message. */
int seed_parse(const char *text, size_t n, const char *name, struct seed **ret, struct diag *reterr);
/* network of the `nodes:` entry that matches serial, uuid or one of the MACs, else the general `network`; NULL: none. */
const struct value *seed_network(const struct seed *seed, const char *serial, const char *uuid,
	const char *const *macs, size_t n_macs);
