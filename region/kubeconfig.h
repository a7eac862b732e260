// An administrator's kubeconfig: what a server handed over, under the cluster's name and
// with an address of the API that the server certificate covers. Pure. SPDX-License-Identifier:
// Apache-2.0
#pragma once

#include "region/assign.h"

enum { KUBECONFIG_URL = 300 };

/* The URL of the API server for @wanted: "HOST", "HOST:PORT" or "https://HOST[:PORT]", 6443 unless
 * it says otherwise; NULL: the stable address of the API. HOST must be a name of the API server's
 * certificate: those that assignments put into tls-san for @servers, and the loopback names that
 * K3s always adds. -EINVAL with the rule and the names. */
int kubeconfig_server(const struct cluster_config *config, struct node *const *servers,
	size_t n_servers, const char *wanted, char ret[static KUBECONFIG_URL], struct diag *reterr);
/* @stored with cluster and context named @name, user NAME-admin, and @server. The caller wipes and
 * frees. -EBADMSG: @stored is no kubeconfig with a CA and a client's credentials. */
int kubeconfig_make(
	const char *stored, const char *name, const char *server, char **ret, struct diag *reterr);
/* The client's certificate in @stored ends within 30 days of @now_sec (K3s gives it a year). false:
 * it does not, or has no end that is known. */
bool kubeconfig_ends_soon(const char *stored, int64_t now_sec);
// The client's certificate in @given ends before the one in @stored. false: one of them is not
// known.
bool kubeconfig_is_older(const char *given, const char *stored);
/* One sentence when the client's certificate in @stored ends within 30 days of @now_sec, else
 * NULL; the caller frees. */
char *kubeconfig_warning(const char *stored, int64_t now_sec);
