// SPDX-License-Identifier: Apache-2.0
#include "region/request.h"

#include "base/time.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>

const char *request_query(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static int request_answer(struct request *request, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return -ENOMEM;
	if (request->response) {
		MHD_destroy_response(response);
		return 0;
	}
	request->response = response;
	request->status = status;
	return 0;
}

int request_answer_bytes(
	struct request *request, unsigned status, const char *type, char *bytes_take, size_t n)
{
	struct MHD_Response *response =
		bytes_take ? MHD_create_response_from_buffer_with_free_callback(n, bytes_take, free)
			   : NULL;
	if (!response) {
		free(bytes_take);
		return -ENOMEM;
	}
	(void)MHD_add_response_header(
		response, MHD_HTTP_HEADER_CONTENT_TYPE, type); // fails only without memory
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return request_answer(request, status, response);
}

int request_answer_json(struct request *request, unsigned status, struct json_out *out_take)
{
	char *text = json_out_take(out_take);
	return request_answer_bytes(
		request, status, "application/json", text, text ? strlen(text) : 0);
}

int request_answer_error(
	struct request *request, unsigned status, const char *code, const char *format, ...)
{
	struct json_out out = { 0 };
	AUTO_FREE char *sentence = NULL;
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&sentence, format, arguments) < 0)
		sentence = NULL;
	va_end(arguments);
	json_out_object_begin(&out);
	json_out_member(&out, "error", sentence);
	json_out_member(&out, "code", code);
	json_out_object_end(&out);
	return request_answer_json(request, status, &out);
}

int request_answer_empty(struct request *request, unsigned status)
{
	return request_answer(request, status, MHD_create_response_from_buffer_static(0, ""));
}

void request_answer_header(struct request *request, const char *name, const char *value)
{
	if (request->response)
		(void)MHD_add_response_header(
			request->response, name, value); // fails only for malformed names
}

// "bytes=A-B", "bytes=A-", "bytes=-N" of a body of @size bytes. 0 none or not understood, 1 a
// range, -ERANGE.
static int parse_range(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
	unsigned long long first = 0, last = 0;
	int n = 0;
	if (!header || !str_starts(header, "bytes=") || strchr(header, ','))
		return 0;
	const char *spec = header + 6;
	if (spec[0] == '-' && sscanf(spec, "-%llu%n", &last, &n) == 1 && !spec[n]) {
		if (last == 0 || size == 0)
			return -ERANGE;
		*ret_first = last >= size ? 0 : size - last;
		*ret_last = size - 1;
		return 1;
	}
	if (spec[0] < '0' || spec[0] > '9' || sscanf(spec, "%llu-%n", &first, &n) != 1 || n == 0)
		return 0;
	if (!spec[n])
		last = size ? size - 1 : 0;
	else if (spec[n] < '0' || spec[n] > '9' || sscanf(spec + n, "%llu", &last) != 1 ||
		 last < first)
		return 0;
	if (first >= size)
		return -ERANGE;
	*ret_first = first;
	*ret_last = last >= size ? size - 1 : last;
	return 1;
}

int request_answer_file(struct request *request, int fd_take, uint64_t size, const char *type)
{
	AUTO_CLOSE int fd = fd_take;
	uint64_t first = 0, last = size ? size - 1 : 0;
	int range = parse_range(request_header(request, "Range"), size, &first, &last);
	char text[96];
	if (range < 0) {
		int r = request_answer_error(request, 416, "range",
			"the range lies outside the %llu bytes", (unsigned long long)size);
		(void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
		request_answer_header(request, "Content-Range", text);
		return r;
	}
	struct MHD_Response *response =
		MHD_create_response_from_fd_at_offset64(range ? last - first + 1 : size, fd, first);
	if (!response)
		return -ENOMEM;
	(void)TAKE_FD(fd); // the response closes it
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Accept-Ranges", "bytes");
	if (range) {
		(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu",
			(unsigned long long)first, (unsigned long long)last,
			(unsigned long long)size);
		(void)MHD_add_response_header(response, "Content-Range", text);
	}
	return request_answer(request, range ? 206 : 200, response);
}

int request_json(struct request *request, struct value **ret)
{
	struct diag diag = { 0 };
	int r = json_parse(request->body ? request->body : "", request->n_body, 0, ret, &diag);
	if (r < 0)
		(void)request_answer_error(request, 400, "bad-json", "%s",
			diag_text(&diag)); // -EBADMSG says it was answered
	return r < 0 ? -EBADMSG : 0;
}

bool request_waited(const struct request *request)
{
	return request->deadline_usec != 0;
}

bool request_wait(struct request *request, const char *topic, int64_t max_sec)
{
	if (request->deadline_usec == 0) {
		const char *text = request_query(request, "waitSec");
		unsigned long seconds =
			text && text[0] >= '0' && text[0] <= '9' ? strtoul(text, NULL, 10) : 0;
		unsigned long max = max_sec < 0 ? 0 : (unsigned long)max_sec;
		if (seconds > max)
			seconds = max;
		request->deadline_usec = request->started_usec + seconds * USEC_PER_SEC;
	}
	if (time_boot_usec() >= request->deadline_usec)
		return false;
	(void)snprintf(request->topic, sizeof(request->topic), "%s", topic);
	request->wants_wait = true;
	return true;
}
