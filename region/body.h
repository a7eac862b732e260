// Request bodies of the API: strict decoding into structs whose texts are borrowed from the parsed
// document. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/member-report.h"

struct enrolment_body {
	const char *commitment; // base64 of 32 bytes, checked
	const char *token;	// may be NULL
	const char *wg_public;	// base64 of 32 bytes, checked
	bool durable;
	const struct value *facts; // object, checked
	const char *uuid, *serial; // "" when absent or a well-known placeholder
	bool unauthenticated_boot;
};
int enrolment_body_decode(
	const struct value *body, struct enrolment_body *ret, struct diag *reterr);

struct enrolment_change {
	const char *node_nonce; // base64 of 32 bytes, or NULL
	bool durable;
};
int enrolment_change_decode(
	const struct value *body, struct enrolment_change *ret, struct diag *reterr);

struct status_body {
	const char *phase, *sentence;
	const char *pod_cidr;		    // may be NULL
	const struct value *pod_cidrs_seen; // object of texts, may be NULL
	const struct value *facts;	    // may be NULL
	bool ready;
	struct member_report report;
};
int status_body_decode(const struct value *body, struct status_body *ret, struct diag *reterr);

struct cluster_body {
	const char *ca_cert, *ca_hash, *kubeconfig;
	const char *server_token;      // may be NULL
	const struct value *endpoints; // array of texts, may be NULL
	bool ever_ready;
};
int cluster_body_decode(const struct value *body, struct cluster_body *ret, struct diag *reterr);
int renew_body_decode(const struct value *body, const char **ret_csr, struct diag *reterr);
