// SPDX-License-Identifier: Apache-2.0
#include "region/token.h"

#include "base/crypto.h"

void token_generate(char ret[static TOKEN_TEXT])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t random[32];
	crypto_random(random, sizeof(random));
	memcpy(ret, "hjt_", 4);
	for (size_t i = 0; i < sizeof(random); i++)
		ret[4 + i] = alphabet[random[i] & 31];
	ret[TOKEN_TEXT - 1] = '\0';
	crypto_wipe(random, sizeof(random));
}

void token_hash(const char *text, char ret[static KEY_TEXT])
{
	uint8_t hash[SHA256_BYTES];
	sha256(text, strlen(text), hash);
	hex_encode(hash, sizeof(hash), ret);
}

static bool use_holds(const struct token_use *use, const struct token_question *question)
{
	return use->burned || use->reserved_sec + question->reserve_sec > question->now_sec;
}

// Reserved by another key of the machine that asks.
static bool use_is_own_machine(const struct token_use *use, const struct token_question *question)
{
	return !use->burned && use->uuid[0] && str_equal(use->uuid, question->uuid) &&
	       !str_equal(use->key, question->key);
}

int64_t token_takeover_sec(
	struct token_use *const *uses, size_t n_uses, const struct token_question *question)
{
	int64_t earliest_sec = -1;
	for (size_t i = 0; i < n_uses; i++) {
		int64_t free_sec = uses[i]->heard_sec + question->takeover_silence_sec;
		if (use_is_own_machine(uses[i], question) &&
			(earliest_sec < 0 || free_sec < earliest_sec))
			earliest_sec = free_sec;
	}
	return earliest_sec;
}

enum token_verdict token_decide(const struct token *token, struct token_use *const *uses,
	size_t n_uses, const struct token_question *question, const struct token_use **ret_use)
{
	const struct token_use *last = NULL, *given_up = NULL;
	int64_t n_held = 0;
	*ret_use = NULL;
	if (!token)
		return TOKEN_UNKNOWN;
	for (size_t i = 0; i < n_uses; i++) {
		if (!use_holds(uses[i], question))
			continue;
		if (str_equal(uses[i]->key, question->key)) {
			*ret_use = uses[i];
			return TOKEN_OWN;
		}
		n_held++;
		last = uses[i];
		if (use_is_own_machine(uses[i], question) &&
			uses[i]->heard_sec + question->takeover_silence_sec <= question->now_sec)
			given_up = uses[i];
	}
	if (token->expires_sec <= question->now_sec)
		return TOKEN_EXPIRED;
	if (n_held < token->count)
		return TOKEN_FREE;
	*ret_use = given_up ? given_up : last;
	return given_up ? TOKEN_TAKEOVER : TOKEN_USED;
}

const char *token_problem(enum token_verdict verdict)
{
	switch (verdict) {
	case TOKEN_FREE:
	case TOKEN_OWN:
	case TOKEN_TAKEOVER:
		return NULL;
	case TOKEN_USED:
		return "used";
	case TOKEN_EXPIRED:
		return "expired";
	case TOKEN_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}
