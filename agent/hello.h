// Judge a region's hello (DESIGN 5, "Hello: the pin and the time"). Pure: bytes in, verdict out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/ladder.h"
#include "base/crypto.h"

enum { HELLO_MAX_BYTES = 64 << 10, HELLO_MAX_ROUND_TRIP_SEC = 10 };

struct hello {
	char *ca_pem;
	uint8_t *ca_spki; // DER
	size_t n_ca_spki;
	uint8_t ca_pin[32];
	int64_t region_msec; // the signed time plus half the round trip
	int64_t error_msec;  // half the round trip
};
void hello_done(struct hello *hello);
/* @pins: 32 bytes each; @n_pins 0 accepts any CA (then no token may be sent and a person confirms the code).
 * REGION_FOUND and *ret; REGION_WRONG_PIN; REGION_BAD_HELLO; with the reason in reterr. */
enum region_contact hello_check(const char *json, size_t n, const uint8_t nonce[static 32], const uint8_t (*pins)[32],
	size_t n_pins, uint64_t round_trip_usec, struct hello *ret, struct diag *reterr);
