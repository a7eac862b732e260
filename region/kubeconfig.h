// An administrator's kubeconfig: what a server handed over, under the cluster's name and
// with an address of the API that the server certificate covers. Pure. SPDX-License-Identifier:
// Apache-2.0
#pragma once

#include "region/assign.h"

enum { KUBECONFIG_URL = 300, KUBECONFIG_MAX_SEC = 2 * 366 * 86400 };

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
/* May @given be kept? It has the CA @ca_pem and a client's certificate and key, and that ends within
 * KUBECONFIG_MAX_SEC of @now_sec (K3s gives it a year): one that never ended would be the newest
 * for ever. -EINVAL with the rule. */
int kubeconfig_check(const char *given, const char *ca_pem, int64_t now_sec, struct diag *reterr);
/* The client's certificate in @stored ends within 30 days of @now_sec, or its end cannot be read:
 * another one is wanted. */
bool kubeconfig_ends_soon(const char *stored, int64_t now_sec);
/* The client's certificate in @given, which was checked, ends after the one in @stored, or the end
 * of that cannot be read. */
bool kubeconfig_is_newer(const char *given, const char *stored);
/* One sentence when the client's certificate in @stored ends within 30 days of @now_sec, else
 * NULL; the caller frees. */
char *kubeconfig_warning(const char *stored, int64_t now_sec);
