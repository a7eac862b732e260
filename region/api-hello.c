// First contact: who the region is and what time it has, signed (DESIGN 5).
// SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "base/contact.h"
#include "base/time.h"

int api_healthz(struct region *region, struct request *request)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "status", "ok");
	json_out_member(&out, "version", HEARTH_VERSION);
	json_out_object_end(&out);
	return request_answer_json(request, 200, &out);
}

int api_hello(struct region *region, struct request *request)
{
	const char *nonce_text = request_query(request, "nonce");
	AUTO_FREE uint8_t *nonce = NULL, *signature = NULL;
	AUTO_FREE char *signature_text = NULL;
	uint8_t message[HELLO_MESSAGE_BYTES];
	struct diag diag = { 0 };
	size_t n_nonce = 0, n_signature;
	if (!nonce_text || base64url_decode(nonce_text, &nonce, &n_nonce) < 0 ||
		n_nonce != NONCE_BYTES)
		return request_answer_error(
			request, 400, "bad-nonce", "nonce must be 32 bytes in unpadded base64url");
	if (region_check_clock(region, &diag) < 0)
		return request_answer_error(request, 503, "clock", "%s", diag_text(&diag));
	int64_t now_msec = time_wall_msec();
	hello_message(nonce, (uint64_t)now_msec, region->ca_sha256, region->server_sha256, message);
	int r = key_sign(region->server_key, message, sizeof(message), &signature, &n_signature);
	if (r < 0)
		return r;
	signature_text = base64_encode(signature, n_signature);
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "ca", region->ca_pem);
	json_out_member(&out, "server", region->server_pem);
	json_out_member_int(&out, "timeMsec", now_msec);
	json_out_member(&out, "nonce", nonce_text);
	json_out_member(&out, "signature", signature_text);
	json_out_object_end(&out);
	return request_answer_json(request, 200, &out);
}
