// SPDX-License-Identifier: Apache-2.0
#include "region/member-report.h"

#include "base/crypto.h"

#include <errno.h>

static const struct value *find(const struct value *body, const char *key)
{
	const struct value *value = value_find(body, key);
	return value && value->type == VALUE_NULL ? NULL : value;
}

static int decode_text(const struct value *object, const char *key, const char *what, size_t max,
	const char **ret, struct diag *reterr)
{
	const struct value *value = find(object, key);
	if (!value)
		return 0;
	int r = value_string(value, what, ret, reterr);
	if (r >= 0 && strlen(*ret) > max)
		r = diag_set(reterr, -EINVAL, what, "must be at most %zu bytes long, not %zu", max,
			strlen(*ret));
	return r;
}

static int decode_object(
	const struct value *body, const char *key, const struct value **ret, struct diag *reterr)
{
	*ret = find(body, key);
	return *ret && (*ret)->type != VALUE_OBJECT
		       ? diag_set(reterr, -EINVAL, key, "must be an object")
		       : 0;
}

static int decode_etcd(const struct value *body, struct member_report *ret, struct diag *reterr)
{
	const struct value *etcd;
	int r = decode_object(body, "etcd", &etcd, reterr);
	if (r < 0 || !etcd)
		return r;
	ret->has_etcd = true;
	r = value_bool(value_find(etcd, "voter"), "etcd.voter", &ret->voter, reterr);
	return r < 0 ? r : decode_text(etcd, "name", "etcd.name", 127, &ret->etcd_name, reterr);
}

static bool is_job_id(const char *id)
{
	return str_starts(id, "j-") && strlen(id) == 18 && strspn(id + 2, "0123456789abcdef") == 16;
}

static int check_job(const char *id, const struct value *job, struct diag *reterr)
{
	const char *state = NULL, *sentence = "";
	if (!is_job_id(id))
		return diag_set(reterr, -EINVAL, "jobs",
			"an id must be j- and 16 hex digits, not \"%.40s\"", id);
	if (job->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "jobs", "%s must be an object", id);
	int r = value_string(value_find(job, "state"), "jobs.state", &state, reterr);
	if (r < 0)
		return r;
	if (!str_equal(state, "running") && !str_equal(state, "done") &&
		!str_equal(state, "failed"))
		return diag_set(reterr, -EINVAL, "jobs.state",
			"must be running, done or failed, not \"%.40s\"", state);
	return decode_text(
		job, "sentence", "jobs.sentence", REPORT_MAX_SENTENCE, &sentence, reterr);
}

static int decode_jobs(const struct value *body, struct member_report *ret, struct diag *reterr)
{
	int r = decode_object(body, "jobs", &ret->jobs, reterr);
	if (r < 0 || !ret->jobs)
		return r;
	if (ret->jobs->n > REPORT_MAX_JOBS)
		return diag_set(reterr, -EINVAL, "jobs", "must be at most %d, not %zu",
			REPORT_MAX_JOBS, ret->jobs->n);
	for (size_t i = 0; i < ret->jobs->n && r >= 0; i++)
		r = check_job(ret->jobs->keys[i], &ret->jobs->items[i], reterr);
	return r;
}

static int check_certificates(const struct value *body, struct diag *reterr)
{
	const struct value *certificates;
	const char *text = "";
	int r = decode_object(body, "certificates", &certificates, reterr);
	if (r < 0 || !certificates ||
		(r = decode_text(
			 certificates, "soonest", "certificates.soonest", 40, &text, reterr)) < 0)
		return r;
	return decode_text(certificates, "name", "certificates.name", 255, &text, reterr);
}

int member_report_decode(const struct value *body, struct member_report *ret, struct diag *reterr)
{
	struct member_report decoded = { .etcd_name = "", .restart = -1, .payload_sha256 = "" };
	const struct value *restart = find(body, "k3sRestart");
	uint8_t hash[SHA256_BYTES];
	int r = decode_etcd(body, &decoded, reterr);
	if (r < 0 || (r = decode_jobs(body, &decoded, reterr)) < 0 ||
		(r = check_certificates(body, reterr)) < 0 ||
		(restart && (r = value_int(restart, "k3sRestart", 0, REPORT_MAX_RESTART,
				     &decoded.restart, reterr)) < 0) ||
		(r = decode_text(body, "payloadSha256", "payloadSha256", SHA256_HEX,
			 &decoded.payload_sha256, reterr)) < 0)
		return r;
	if (decoded.payload_sha256[0] && hex_decode(decoded.payload_sha256, hash, sizeof(hash)) < 0)
		return diag_set(
			reterr, -EINVAL, "payloadSha256", "must be 64 lower-case hex digits");
	*ret = decoded;
	return 0;
}

bool member_report_job(const struct member_report *report, const char *id, const char **ret_state,
	const char **ret_sentence)
{
	const struct value *job = value_find(report->jobs, id);
	const char *sentence = value_text(value_find(job, "sentence"));
	if (!job)
		return false;
	*ret_state = value_text(value_find(job, "state"));
	*ret_sentence = sentence ? sentence : "";
	return true;
}

char *member_report_certificates(const struct value *status)
{
	const struct value *certificates = value_find(status, "certificates");
	const char *soonest = value_text(value_find(certificates, "soonest")),
		   *name = value_text(value_find(certificates, "name"));
	return soonest ? str_format("the certificate %s of K3s on this node ends %s; K3s makes new "
				    "ones "
				    "when it starts: hearth-region rollout start --restart",
				 name ? name : "", soonest)
		       : NULL;
}
