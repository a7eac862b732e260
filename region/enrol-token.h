// A join token that an enrolment shows: reserved, taken over, refused. What a token is worth is decided
// in token.h; this is what follows from it. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* @text is the token. A good one approves; anything else leaves a reason in @enrolment, which goes on as
 * a pending entry. 0 or negative errno. */
int enrolment_show_token(struct region *region, struct enrolment *enrolment, const char *text);
// The key that reserved a token was heard: nobody takes its place for now.
int enrolment_token_heard(struct region *region, const struct enrolment *enrolment);
