// K3s' own certificates on this node: which leaf expires first. K3s renews them itself, but only when it starts; a server
// that runs for a year stops working on the day. CAs (ten years) are left out.
// Source: docs.k3s.io "k3s certificate": client and server certificates are valid for 365 days and renewed at start when
// they are expired or within 120 days of it (90 before 1.32).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum { K3S_CERTIFICATE_WARN_DAYS = 30 };

struct k3s_certificate {
	char name[300]; // "server/tls/client-admin.crt"
	int64_t not_after_sec;
};
/* The leaf that expires first below @data (K3s' data folder): *.crt in server/tls, server/tls/etcd and agent. What is no
 * certificate is passed over. -ENOENT: there is none. */
int k3s_certificate_soonest(const char *data, struct k3s_certificate *ret);
