// What a node's status says of its part in the cluster: etcd, jobs, what K3s runs with, when its
// certificates end. Strict about sizes and shapes; a part of status_body_decode() (body.h). Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"

enum { REPORT_MAX_JOBS = 64, REPORT_MAX_SENTENCE = 4096, REPORT_MAX_RESTART = 1 << 30 };

struct member_report { // texts are borrowed from the document
	bool has_etcd, voter;
	const char *etcd_name;	    // "" while it has none
	const struct value *jobs;   // checked, may be NULL
	int64_t restart;	    // -1: it did not say
	const char *payload_sha256; // "" the same, else 64 hex digits
};
int member_report_decode(const struct value *body, struct member_report *ret, struct diag *reterr);
/* State and sentence that @report gives for the job @id. false: it says nothing of it. */
bool member_report_job(const struct member_report *report, const char *id, const char **ret_state,
	const char **ret_sentence);
/* One sentence when a certificate of K3s on the node ends soon (@status: the whole document, may be
 * NULL); NULL when none does. The caller frees. */
char *member_report_certificates(const struct value *status);
