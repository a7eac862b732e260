// The payload: the file payload-SHA256.erofs found on the boot medium or in STATE, or fetched from the region by its
// digest; verified in a child process, mounted read-only, its CNI plugins and images linked where K3s looks for them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/ladder.h"
#include "base/http.h"

struct payload;
/* @sha256: 64 hex digits. @durable: a fetched file goes to STATE, else to /run. Starts looking at once. @on_change runs
 * from the event loop. */
int payload_new(sd_event *event, const char *root, const char *sha256, uint64_t max_bytes, bool durable,
	void (*on_change)(void *user), void *user, struct payload **ret);
struct payload *payload_free(struct payload *payload); // a mount stays
DEFINE_CLEANUP(payload)
/* Right after payload_new(): fetch and verify, but leave what is mounted alone until payload_use(). For a payload that is to
 * take the place of one that K3s runs from. */
void payload_hold(struct payload *payload);
bool payload_is_verified(const struct payload *payload); // held, its file is here and good
/* Mount a held one in place of what is mounted; programs that run from the old one keep it. The state tells how it went:
 * STEP_DONE, or STEP_FAILED and held again. */
void payload_use(struct payload *payload);
// Something else was mounted before in this boot: K3s may still run from that.
bool payload_replaced(const struct payload *payload);
// SHA-256 that a hearthd of this boot mounted and noted; false: none. What is mounted is what was verified then.
bool payload_mounted(const char *root, char ret_sha256[static 65]);
// Remove the files of other payloads from STATE. Call when K3s runs from this one.
void payload_tidy(const struct payload *payload);
/* Where it can be fetched, when it is nowhere here; the client is borrowed until payload_free() or the next call. */
void payload_offer_region(struct payload *payload, struct http_client *client, const char *url, const char *repository);
void payload_retry(struct payload *payload); // end the backoff
enum step_state payload_state(const struct payload *payload);
const char *payload_problem(const struct payload *payload);  // NULL: none
const char *payload_progress(const struct payload *payload); // "fetching, 40 %"
const char *payload_kubernetes(const struct payload *payload); // of payload.json, once mounted
const char *payload_sha256(const struct payload *payload);
