// What etcd and kubelet of this node say of themselves, as one sentence: the time before there is a Node to read. Pure.
// Source: etcd "Monitoring" (/health: {"health":"true|false","reason":"..."}); kubelet's /healthz.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum { HEALTH_SENTENCE_MAX = 200 };
/* @status: HTTP, 0 when nobody answered; @body NUL-terminated or NULL. "" when it is healthy. Control characters of an
 * answer are shown as '?'. */
void etcd_health_sentence(int status, const char *body, char ret[static HEALTH_SENTENCE_MAX]);
void kubelet_health_sentence(int status, const char *body, char ret[static HEALTH_SENTENCE_MAX]);
/* What is said of one of them, steady: at the start they come and go from look to look. The first answer counts at once,
 * another one when it came HEALTH_LOOKS times in a row. Zeroed: not asked yet. */
enum { HEALTH_LOOKS = 3 };
struct health_look {
	bool known;
	unsigned n; // how often @next came in a row
	char said[HEALTH_SENTENCE_MAX], next[HEALTH_SENTENCE_MAX];
};
void health_look_take(struct health_look *look, const char *sentence);
/* The one sentence of both, or NULL. @etcd NULL: there is none here (a worker). The kubelet is spoken of once etcd is healthy:
 * it waits for that. */
const char *health_looks_sentence(const struct health_look *etcd, const struct health_look *kubelet);
