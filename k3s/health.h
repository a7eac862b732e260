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
