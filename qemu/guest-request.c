// SPDX-License-Identifier: Apache-2.0
#include "qemu/guest-request.h"

#include "base/json.h"
#include <errno.h>

static const int64_t max_id = INT64_C(1) << 53; // what every JSON reader keeps exact

void guest_request_done(struct guest_request *request)
{
	for (size_t i = 0; i < request->n_args; i++)
		free(request->args[i]);
	free(request->args);
	*request = (struct guest_request){.id = -1};
}

static int decode_args(const struct value *argv, struct guest_request *request, struct diag *reterr)
{
	if (!argv || argv->type != VALUE_ARRAY || argv->n < 1 || argv->n > GUEST_MAX_ARGS)
		return diag_set(reterr, -EINVAL, "argv", "must be a list of 1-%d strings", GUEST_MAX_ARGS);
	request->args = calloc(argv->n + 1, sizeof(*request->args));
	if (!request->args)
		return -ENOMEM;
	for (size_t i = 0; i < argv->n; i++) {
		const char *text;
		int r = value_string(&argv->items[i], "argv", &text, reterr);
		if (r < 0)
			return r;
		request->args[i] = strdup(text);
		if (!request->args[i])
			return -ENOMEM;
		request->n_args++;
	}
	return 0;
}

int guest_request_parse(const char *line, size_t n, struct guest_request *ret, struct diag *reterr)
{
	static const char *const keys[] = {"id", "argv", "timeoutSec", NULL};
	CLEANUP(value_freep) struct value *value = NULL;
	int64_t timeout_sec = 60;

	*ret = (struct guest_request){.id = -1};
	int r = json_parse(line, n, GUEST_REQUEST_BYTES, &value, reterr);
	if (r < 0)
		return r;
	if (value->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "request", "must be an object");
	r = value_int(value_find(value, "id"), "id", 0, max_id, &ret->id, reterr);
	if (r < 0)
		return r;
	r = value_only_keys(value, "request", keys, reterr);
	if (r < 0)
		return r;
	if (value_find(value, "timeoutSec")) {
		r = value_int(value_find(value, "timeoutSec"), "timeoutSec", 1, GUEST_TIMEOUT_MAX_SEC, &timeout_sec,
			reterr);
		if (r < 0)
			return r;
	}
	ret->timeout_sec = (unsigned)timeout_sec;
	r = decode_args(value_find(value, "argv"), ret, reterr);
	if (r < 0) {
		int64_t id = ret->id;
		guest_request_done(ret);
		ret->id = id;
	}
	return r;
}

static char *with_newline(char *json_take)
{
	char *line = json_take ? str_format("%s\n", json_take) : NULL;
	free(json_take);
	return line;
}

char *guest_request_format(const struct guest_request *request)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member_int(&out, "id", request->id);
	json_out_key(&out, "argv");
	json_out_array_begin(&out);
	for (size_t i = 0; i < request->n_args; i++)
		json_out_string(&out, request->args[i]);
	json_out_array_end(&out);
	json_out_member_int(&out, "timeoutSec", request->timeout_sec);
	json_out_object_end(&out);
	return with_newline(json_out_take(&out));
}

void guest_answer_done(struct guest_answer *answer)
{
	free(answer->out);
	free(answer->err);
	*answer = (struct guest_answer){.id = -1};
}

int guest_answer_parse(const char *line, size_t n, struct guest_answer *ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	const char *out, *err;
	int64_t exit_code;

	*ret = (struct guest_answer){.id = -1};
	int r = json_parse(line, n, GUEST_ANSWER_BYTES, &value, reterr);
	if (r < 0)
		return r;
	r = value_int(value_find(value, "id"), "id", -1, max_id, &ret->id, reterr);
	if (r < 0)
		return r;
	r = value_int(value_find(value, "exit"), "exit", 0, 255, &exit_code, reterr);
	if (r < 0)
		return r;
	r = value_string(value_find(value, "stdout"), "stdout", &out, reterr);
	if (r < 0)
		return r;
	r = value_string(value_find(value, "stderr"), "stderr", &err, reterr);
	if (r < 0)
		return r;
	if (value_find(value, "cut")) {
		r = value_bool(value_find(value, "cut"), "cut", &ret->is_cut, reterr);
		if (r < 0)
			return r;
	}
	ret->exit = (int)exit_code;
	ret->out = strdup(out);
	ret->err = strdup(err);
	if (!ret->out || !ret->err) {
		guest_answer_done(ret);
		return -ENOMEM;
	}
	return 0;
}

char *guest_answer_format(const struct guest_answer *answer)
{
	struct json_out out = {0};
	json_out_object_begin(&out);
	json_out_member_int(&out, "id", answer->id);
	json_out_member_int(&out, "exit", answer->exit);
	json_out_member(&out, "stdout", answer->out ? answer->out : "");
	json_out_member(&out, "stderr", answer->err ? answer->err : "");
	if (answer->is_cut) {
		json_out_key(&out, "cut");
		json_out_bool(&out, true);
	}
	json_out_object_end(&out);
	return with_newline(json_out_take(&out));
}
