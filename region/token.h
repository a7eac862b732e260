// Join tokens: their text, their hash, and what a token is worth for the key that shows it (DESIGN
// 5). Pure; the store keeps tokens and uses. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store.h"

enum { TOKEN_TEXT = 4 + 32 + 1 };

void token_generate(
	char ret[static TOKEN_TEXT]); // "hjt_" + 32 characters of base32: 160 random bits
void token_hash(const char *text, char ret[static KEY_TEXT]);

enum token_verdict {
	TOKEN_FREE,	// a use is left: reserve it
	TOKEN_OWN,	// this key has a use already
	TOKEN_TAKEOVER, // the use *ret_use is given up: same UUID, silent old key, not burned
	TOKEN_USED,
	TOKEN_EXPIRED,
	TOKEN_UNKNOWN,
};

struct token_question {
	const char *key, *uuid;
	int64_t now_sec, reserve_sec, takeover_silence_sec;
};
/* What @token (NULL: none with that hash) with its @uses is worth. *ret_use: the use that OWN,
 * TAKEOVER or USED is about, borrowed from @uses, else NULL. */
enum token_verdict token_decide(const struct token *token, struct token_use *const *uses,
	size_t n_uses, const struct token_question *question, const struct token_use **ret_use);
/* When the same machine's place may be taken, if the key that reserved it stays silent: the
 * earliest of all uses with this UUID that are not burned; -1: there is none. */
int64_t token_takeover_sec(
	struct token_use *const *uses, size_t n_uses, const struct token_question *question);
// "used", "expired", "unknown" for the API; NULL when the token is good.
const char *token_problem(enum token_verdict verdict);
