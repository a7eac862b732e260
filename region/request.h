// One HTTP request as a handler sees it: what was asked, by whom, and how to answer or wait.
// Nothing of the HTTP library shows here except the opaque connection. Handlers run under the
// region's lock. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/route.h"
#include "region/store.h"

enum { WAIT_TOPIC_TEXT = ID_TEXT, MAX_WAIT_SEC = 300 };

struct MHD_Connection;
struct MHD_Response;

struct request {
	struct MHD_Connection *connection;
	char method[8];
	char *path;
	const struct route *route;
	char *body; // NUL-terminated
	size_t n_body, n_body_alloc;
	bool body_too_big, close_after;
	struct peer_facts peer;
	char key[KEY_TEXT];  // of the client certificate, or ""
	const uint8_t *spki; // borrowed from the connection
	size_t n_spki;
	struct node *node; // of that key, or NULL
	char remote[64];
	bool is_prepared;
	int prepared; // what route->prepare said
	// answer
	struct MHD_Response *response;
	unsigned status;
	bool commit; // what this request wrote must be durable before the answer leaves
	bool keep;   // what it wrote stays although the answer is a refusal (a wrong code counts)
	// waiting
	uint64_t started_usec, deadline_usec;
	char topic[WAIT_TOPIC_TEXT];
	bool wants_wait, due;
	struct request **list; // the list it is in, or NULL
	struct request *next, *previous;
};

const char *request_query(const struct request *request, const char *name);  // NULL when absent
const char *request_header(const struct request *request, const char *name); // NULL when absent
// Answers. The first one counts. All return 0 or -ENOMEM, so that handlers end with `return
// request_answer_...()`.
int request_answer_json(struct request *request, unsigned status, struct json_out *out_take);
int request_answer_error(struct request *request, unsigned status, const char *code,
	const char *format, ...) PRINTF_LIKE(4, 5);
int request_answer_bytes(
	struct request *request, unsigned status, const char *type, char *bytes_take, size_t n);
int request_answer_empty(struct request *request, unsigned status);
/* A file from @fd_take, with ranges and HEAD; @n_size its size. */
int request_answer_file(struct request *request, int fd_take, uint64_t size, const char *type);
void request_answer_header(
	struct request *request, const char *name, const char *value); // after an answer
// Parse the body as JSON, or answer 400 and return -EBADMSG.
int request_json(struct request *request, struct value **ret);
/* Wait until region_wake(@topic), or the query's waitSec or @max_sec is over: true when the handler
 * is to return 0 without an answer and will be called again; false when the time is over (or none
 * was asked for). The first call sets the time. */
bool request_wait(struct request *request, const char *topic, int64_t max_sec);
// The handler runs again for a request that waited: nobody spoke just now.
bool request_waited(const struct request *request);
