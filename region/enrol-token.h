// A join token that an enrolment shows: reserved, taken over, refused. What a token is worth is
// decided in token.h; this is what follows from it. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* @text is the token. A good one approves; anything else leaves a reason in @enrolment, which goes
 * on as a pending entry. It keeps the token's hash only while another key of the same machine holds
 * the token: then it may ask again. 0 or negative errno. */
int enrolment_show_token(struct region *region, struct enrolment *enrolment, const char *text);
/* The pending @enrolment that kept its token's hash asks again: once the machine's other key was
 * silent for long enough, it is admitted. *ret_again_sec: when it is worth asking again (never
 * below 1), or 0 when that is settled; @enrolment is written in any case. Call it between
 * store_mark() and store_release(). */
int enrolment_retry_token(
	struct region *region, struct enrolment *enrolment, int64_t *ret_again_sec);
/* A person approves @enrolment by its code while another key of the same machine holds its token:
 * the token goes over at once and the other key is revoked, so that the machine has one place, not
 * two. */
int enrolment_claim_token(struct region *region, struct enrolment *enrolment);
// Who used the token, for the sentence that the next one gets.
int enrolment_name_token(
	struct region *region, const struct enrolment *enrolment, const char *name);
