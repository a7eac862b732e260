// SPDX-License-Identifier: Apache-2.0
#include "region/enrol-token.h"

#include "base/time.h"
#include "region/enrol.h"
#include "region/token.h"

#include <errno.h>

static int token_refuse(struct enrolment *enrolment, const char *problem, char *sentence_take)
{
	(void)snprintf(enrolment->token_problem, sizeof(enrolment->token_problem), "%s", problem);
	free(enrolment->token_sentence);
	enrolment->token_sentence = sentence_take;
	return sentence_take ? 0 : -ENOMEM;
}

static char *used_sentence(const struct token_use *use)
{
	char when[32];
	if (!use)
		return strdup("the join token was used before; compare the code instead");
	return str_format("the join token was used by %s at %s; a person has to compare the code",
		use->name[0] ? use->name : "another machine",
		time_format_utc(use->reserved_sec, when));
}

static int token_reserve(
	struct region *region, struct enrolment *enrolment, const struct token_use *taken_over)
{
	struct token_use use = { .burned = enrolment->durable,
		.reserved_sec = region_now_sec(region) };
	CLEANUP(node_freep) struct node *old = NULL;
	int r = 0;
	if (taken_over) {
		if (store_node_by_key(region->store, taken_over->key, &old) >= 0)
			r = node_revoke(region, old, "rules",
				"its reserved token went to the same machine with a new key");
		if (r < 0 || (r = store_token_use_remove(region->store, taken_over->id)) < 0)
			return r;
	}
	use.heard_sec = use.reserved_sec;
	(void)snprintf(use.id, sizeof(use.id), "%s/%.20s", enrolment->token_hash, enrolment->key);
	(void)snprintf(use.hash, sizeof(use.hash), "%s", enrolment->token_hash);
	(void)snprintf(use.key, sizeof(use.key), "%s", enrolment->key);
	(void)snprintf(use.uuid, sizeof(use.uuid), "%s", enrolment->uuid);
	return store_token_use_put(region->store, &use);
}

// A reservation that ran out goes when somebody else takes the token: its node, which never kept
// its key, is revoked.
static int token_drop_lapsed(struct region *region, const struct token *token,
	struct token_use *const *uses, size_t n, int64_t now_sec)
{
	size_t n_held = n;
	for (size_t i = 0; i < n && n_held >= (size_t)token->count; i++) {
		CLEANUP(node_freep) struct node *node = NULL;
		if (uses[i]->burned ||
			uses[i]->reserved_sec + region->config->token_reserve_sec > now_sec)
			continue;
		int r = store_node_by_key(region->store, uses[i]->key, &node);
		if (r >= 0 && node->state == NODE_RESERVED)
			r = node_revoke(region, node, "rules",
				"its reservation ran out and another machine took the token");
		if ((r < 0 && r != -ENOENT) ||
			(r = store_token_use_remove(region->store, uses[i]->id)) < 0)
			return r;
		n_held--;
	}
	return 0;
}

int enrolment_name_token(struct region *region, const struct enrolment *enrolment, const char *name)
{
	struct token_use **uses;
	size_t n;
	int r = enrolment->token_hash[0]
			? store_token_use_list(region->store, enrolment->token_hash, &uses, &n)
			: -ENOENT;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (str_equal(uses[i]->key, enrolment->key)) {
			(void)snprintf(uses[i]->name, sizeof(uses[i]->name), "%s", name);
			r = store_token_use_put(region->store, uses[i]);
		}
	token_use_list_free(uses, n);
	return r;
}

int enrolment_claim_token(struct region *region, struct enrolment *enrolment)
{
	struct token_use **uses;
	bool claimed = false;
	size_t n;
	if (!enrolment->token_hash[0])
		return 0;
	int r = store_token_use_list(region->store, enrolment->token_hash, &uses, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0 && !claimed; i++) {
		if (uses[i]->burned || !uses[i]->uuid[0] ||
			str_equal(uses[i]->key, enrolment->key) ||
			!str_equal(uses[i]->uuid, enrolment->uuid))
			continue;
		r = token_reserve(region, enrolment, uses[i]);
		claimed = true;
	}
	token_use_list_free(uses, n);
	if (!claimed)
		enrolment->token_hash[0] = '\0'; // it came by its code alone
	return r;
}

// A refusal that a person can read, as opposed to a store that fails.
static bool admission_refused(int r)
{
	return r == -EEXIST || r == -ERANGE || r == -EINVAL;
}

static int token_admit(struct region *region, struct enrolment *enrolment,
	const struct token *token, const struct token_use *taken_over, struct diag *reterr)
{
	const struct admission admission = { .actor = "token",
		.may_be_server = str_equal(token->role, "server"),
		.node_name = token->node,
		.durable = enrolment->durable,
		.by_token = true };
	int r = token_reserve(region, enrolment, taken_over);
	return r < 0 ? r : enrolment_admit(region, enrolment, &admission, reterr);
}

/* Who held the token's place goes and @enrolment comes, or nothing changes: who is refused takes no
 * place. */
static int token_take(struct region *region, struct enrolment *enrolment, const struct token *token,
	struct token_use *const *uses, size_t n, const struct token_use *taken_over)
{
	struct diag diag = { 0 };
	// The usual reason comes first: nobody is told of a revocation that is undone at once.
	int r = taken_over ? enrolment_check_wg_key(region, enrolment, taken_over->key, &diag) : 0;
	if (r >= 0 && (r = store_mark(region->store)) >= 0) {
		if (!taken_over)
			r = token_drop_lapsed(region, token, uses, n, region_now_sec(region));
		if (r >= 0)
			r = token_admit(region, enrolment, token, taken_over, &diag);
		int ended = r < 0 ? store_undo(region->store) : store_release(region->store);
		if (ended < 0)
			return ended;
	}
	if (!admission_refused(r))
		return r;
	enrolment->token_hash[0] = '\0';
	return token_refuse(enrolment, "used",
		str_format("the join token cannot be used: %s", diag_text(&diag)));
}

// A reservation's holder may speak as an enrolment and, with its certificate, as a node: any
// request counts.
static int uses_hear(
	struct region *region, struct token_use *const *uses, size_t n, const char *uuid)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(node_freep) struct node *node = NULL;
		CLEANUP(enrolment_freep) struct enrolment *enrolment = NULL;
		if (uses[i]->burned || !uuid[0] || !str_equal(uses[i]->uuid, uuid))
			continue; // only their silence is asked for
		int r = store_enrolment_by_key(region->store, uses[i]->key, &enrolment);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r >= 0 && enrolment->heard_sec > uses[i]->heard_sec)
			uses[i]->heard_sec = enrolment->heard_sec;
		r = store_node_by_key(region->store, uses[i]->key, &node);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r >= 0 && node->seen_sec > uses[i]->heard_sec)
			uses[i]->heard_sec = node->seen_sec;
	}
	return 0;
}

static int refuse_for(struct region *region, struct enrolment *enrolment,
	enum token_verdict verdict, const struct token *token, const struct token_use *use,
	int64_t takeover_sec)
{
	char when[32];
	if (verdict == TOKEN_UNKNOWN)
		return token_refuse(enrolment, "unknown",
			strdup("this region knows no such join token; a person has to compare the "
			       "code"));
	if (verdict == TOKEN_EXPIRED)
		return token_refuse(enrolment, "expired",
			str_format("the join token expired at %s; a person has to compare the code",
				time_format_utc(token->expires_sec, when)));
	if (takeover_sec < 0)
		return token_refuse(enrolment, "used", used_sentence(use));
	return token_refuse(enrolment, "used",
		str_format(
			"the join token was used by another key of this machine; it passes to this "
			"key once the other was silent for %lld s, or a person compares the code",
			(long long)region->config->takeover_silence_sec));
}

// Why a token that is good does not approve this machine; NULL when it does.
static const char *bar_of(const struct enrolment *enrolment, const char **ret_sentence)
{
	if (enrolment->replaces[0]) {
		*ret_sentence =
			"a node with the same hardware is enrolled already; a person has to "
			"approve the replacement by its code";
		return "replacement";
	}
	*ret_sentence =
		"the machine was booted without authentication; a person has to compare the "
		"code, the token was not used";
	return enrolment->unauthenticated ? "boot" : NULL;
}

// The token of @enrolment's hash. *ret_takeover_sec: token_takeover_sec() while it is USED, else
// -1.
static int token_apply(
	struct region *region, struct enrolment *enrolment, int64_t *ret_takeover_sec)
{
	CLEANUP(token_freep) struct token *token = NULL;
	struct token_use **uses = NULL;
	const struct token_use *use;
	const char *sentence;
	size_t n = 0;
	const struct token_question question = { enrolment->key, enrolment->uuid,
		region_now_sec(region), region->config->token_reserve_sec,
		region->config->takeover_silence_sec };
	*ret_takeover_sec = -1;
	int r = store_token_by_hash(region->store, enrolment->token_hash, &token);
	if (r >= 0)
		r = store_token_use_list(region->store, enrolment->token_hash, &uses, &n);
	if (r < 0 && r != -ENOENT)
		return r;
	r = uses_hear(region, uses, n, enrolment->uuid);
	enum token_verdict verdict = token_decide(token, uses, n, &question, &use);
	const char *bar = bar_of(enrolment, &sentence);
	if (r >= 0 &&
		(verdict == TOKEN_UNKNOWN || verdict == TOKEN_EXPIRED || verdict == TOKEN_USED)) {
		if (verdict == TOKEN_USED && !bar)
			*ret_takeover_sec = token_takeover_sec(uses, n, &question);
		r = refuse_for(region, enrolment, verdict, token, use, *ret_takeover_sec);
	} else if (r >= 0 && bar) {
		r = token_refuse(enrolment, bar, strdup(sentence));
	} else if (r >= 0) {
		enrolment->token_problem[0] = '\0';
		r = token_take(region, enrolment, token, uses, verdict == TOKEN_FREE ? n : 0,
			verdict == TOKEN_TAKEOVER ? use : NULL);
	}
	token_use_list_free(uses, n);
	return r;
}

static void audit_refusal(struct region *region, const struct enrolment *enrolment)
{
	region_audit(region, enrolment->remote, "token refused", enrolment->id, "%s: %s",
		enrolment->token_problem, enrolment->token_sentence);
}

int enrolment_show_token(struct region *region, struct enrolment *enrolment, const char *text)
{
	int64_t takeover_sec;
	token_hash(text, enrolment->token_hash);
	int r = token_apply(region, enrolment, &takeover_sec);
	if (r < 0 || !enrolment->token_problem[0])
		return r;
	audit_refusal(region, enrolment);
	if (takeover_sec < 0)
		enrolment->token_hash[0] =
			'\0'; // nothing to wait for: it goes on without the token
	return 0;
}

int enrolment_retry_token(
	struct region *region, struct enrolment *enrolment, int64_t *ret_again_sec)
{
	CLEANUP(node_freep) struct node *replaced = NULL;
	int64_t takeover_sec, wait_sec;
	int r = hardware_find(
		region, enrolment->key, enrolment->uuid, enrolment->serial, &replaced);
	if (r < 0)
		return r;
	// Meanwhile the other key may have become a node for good.
	(void)snprintf(enrolment->replaces, sizeof(enrolment->replaces), "%s",
		replaced ? replaced->id : "");
	if ((r = token_apply(region, enrolment, &takeover_sec)) < 0)
		return r;
	*ret_again_sec = 0;
	if (enrolment->token_problem[0] && takeover_sec < 0) {
		audit_refusal(region, enrolment);
		enrolment->token_hash[0] = '\0';
	} else if (enrolment->token_problem[0]) {
		wait_sec = takeover_sec - region_now_sec(region);
		*ret_again_sec = wait_sec < 1 ? 1 : wait_sec;
	}
	return store_enrolment_put(region->store, enrolment);
}
