// Who may ask for what: the decision for every kind of peer, the table against
// docs/region-api.yaml, default deny. SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "region/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct peer_facts nobody = { 0 };
static const struct peer_facts self_signed = {
	.has_certificate = true, .is_p256 = true, .self_signed = true, .in_date = true
};
static const struct peer_facts foreign = {
	.has_certificate = true, .is_p256 = true, .in_date = true
};
static const struct peer_facts node = { .has_certificate = true,
	.is_p256 = true,
	.ours = true,
	.in_date = true,
	.known = true,
	.approved = true };

#define WITH(base, ...)                                                                            \
	({                                                                                         \
		struct peer_facts facts_ = base;                                                   \
		__VA_ARGS__;                                                                       \
		facts_;                                                                            \
	})

static void each_class_admits_its_own_only(void **state)
{
	const struct peer_facts expired = WITH(node, facts_.in_date = false),
				revoked =
					WITH(node, facts_.revoked = true, facts_.approved = false),
				unknown = WITH(node, facts_.known = false, facts_.approved = false),
				server = WITH(node, facts_.server = true),
				pull = WITH(nobody, facts_.has_pull_credential = true),
				admin = WITH(nobody, facts_.has_session = true),
				revoked_self = WITH(
					self_signed, facts_.known = true, facts_.revoked = true),
				rsa = WITH(self_signed, facts_.is_p256 = false),
				known_self = WITH(
					self_signed, facts_.known = true, facts_.approved = true);
	const struct {
		enum peer_class required;
		const struct peer_facts *peer;
		enum peer_verdict verdict;
	} rows[] = {
		{ PEER_ANY, &nobody, PEER_ADMITTED },
		{ PEER_KEY, &nobody, PEER_NO_CERTIFICATE },
		{ PEER_KEY, &self_signed, PEER_ADMITTED },
		{ PEER_KEY, &foreign, PEER_FOREIGN },
		{ PEER_KEY, &node, PEER_ADMITTED },
		{ PEER_KEY, &revoked_self, PEER_REVOKED },
		{ PEER_KEY, &rsa, PEER_WRONG_KEY_KIND },
		{ PEER_NODE, &nobody, PEER_NO_CERTIFICATE },
		{ PEER_NODE, &self_signed, PEER_FOREIGN },
		{ PEER_NODE, &foreign, PEER_FOREIGN },
		{ PEER_NODE, &known_self, PEER_FOREIGN },
		{ PEER_NODE, &node, PEER_ADMITTED },
		{ PEER_NODE, &expired, PEER_EXPIRED },
		{ PEER_NODE, &revoked, PEER_REVOKED },
		{ PEER_NODE, &unknown, PEER_UNKNOWN },
		{ PEER_NODE, &admin, PEER_NO_CERTIFICATE },
		{ PEER_NODE, &pull, PEER_NO_CERTIFICATE },
		{ PEER_NODE_OR_EXPIRED, &expired, PEER_ADMITTED },
		{ PEER_NODE_OR_EXPIRED, &revoked, PEER_REVOKED },
		{ PEER_NODE_OR_EXPIRED, &foreign, PEER_FOREIGN },
		{ PEER_NODE_OR_EXPIRED, &unknown, PEER_UNKNOWN },
		{ PEER_SERVER, &node, PEER_NOT_SERVER },
		{ PEER_SERVER, &server, PEER_ADMITTED },
		{ PEER_NODE_OR_PULL, &nobody, PEER_NO_CREDENTIAL },
		{ PEER_NODE_OR_PULL, &pull, PEER_ADMITTED },
		{ PEER_NODE_OR_PULL, &node, PEER_ADMITTED },
		{ PEER_NODE_OR_PULL, &self_signed, PEER_FOREIGN },
		{ PEER_NODE_OR_PULL, &revoked, PEER_REVOKED },
		{ PEER_ADMIN, &node, PEER_NO_SESSION },
		{ PEER_ADMIN, &server, PEER_NO_SESSION },
		{ PEER_ADMIN, &admin, PEER_ADMITTED },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (peer_admit(rows[i].required, rows[i].peer) != rows[i].verdict)
			fail_msg("row %zu: %s", i,
				peer_verdict_code(peer_admit(rows[i].required, rows[i].peer)));
}

static void every_refusal_has_a_word_a_sentence_and_a_status(void **state)
{
	for (enum peer_verdict verdict = PEER_NO_CERTIFICATE; verdict <= PEER_NO_SESSION;
		verdict++) {
		assert_true(strlen(peer_verdict_code(verdict)) > 3 &&
			    strlen(peer_verdict_sentence(verdict)) > 15);
		assert_true(
			peer_verdict_status(verdict) == 401 || peer_verdict_status(verdict) == 403);
	}
}

static void what_is_not_in_the_table_is_denied(void **state)
{
	static const char *const paths[] = { "/v1", "/v1/", "/v1/hello/", "/v1/helloo",
		"/v1/enrolment", "/v2", "/admin", "/boot/vmlinuz", "/region.db", "//v1/hello", "",
		"/v1/assignment/x", "/page" };
	unsigned status;
	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		assert_null(route_find(api_routes, n_api_routes, "GET", paths[i], &status));
		assert_int_equal(status, 404);
	}
	assert_null(route_find(api_routes, n_api_routes, "DELETE", "/v1/assignment", &status));
	assert_int_equal(status, 405);
	assert_null(route_find(api_routes, n_api_routes, "GE", "/v1/assignment", &status));
	assert_null(route_find(api_routes, n_api_routes, "GET HEAD", "/v2/", &status));
	assert_non_null(route_find(api_routes, n_api_routes, "HEAD", "/v2/a/blobs/b", &status));
}

static void plain_http_serves_boot_alone(void **state)
{
	unsigned status;
	for (size_t i = 0; i < n_api_routes; i++)
		assert_null(
			route_find(boot_routes, n_boot_routes, "GET", api_routes[i].path, &status));
	for (size_t i = 0; i < n_boot_routes; i++)
		assert_true(str_starts(boot_routes[i].path, "/boot/"));
}

static const char *class_name(enum peer_class class)
{
	switch (class) {
	case PEER_ANY:
		return "any";
	case PEER_KEY:
		return "key";
	case PEER_NODE:
		return "node";
	case PEER_NODE_OR_EXPIRED:
		return "node-or-expired";
	case PEER_SERVER:
		return "server";
	case PEER_NODE_OR_PULL:
		return "node-or-pull";
	case PEER_ADMIN:
		return "admin";
	}
	return "";
}

// The path of the document with its parameters filled in.
static void fill_path(const char *path, char *ret, size_t n)
{
	size_t out = 0;
	for (; *path && out + 2 < n; path++) {
		if (*path == '{') {
			path += strcspn(path, "}");
			ret[out++] = 'x';
		} else {
			ret[out++] = *path;
		}
	}
	ret[out] = '\0';
}

static void the_document_and_the_table_say_the_same(void **state)
{
	CLEANUP(value_freep) struct value *document = NULL;
	static const char *const methods[][2] = { { "get", "GET" }, { "put", "PUT" },
		{ "post", "POST" } };
	struct diag diag = { 0 };
	bool named[64] = { false };
	if (yaml_load(TEST_SOURCE_DIR "/docs/region-api.yaml", 0, &document, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	const struct value *paths = value_find(document, "paths");
	assert_true(paths && paths->n > 15 && n_api_routes < N_ELEMENTS(named));
	for (size_t i = 0; i < paths->n; i++)
		for (size_t m = 0; m < N_ELEMENTS(methods); m++) {
			const struct value *operation = value_find(&paths->items[i], methods[m][0]);
			char path[256];
			unsigned status;
			if (!operation)
				continue;
			fill_path(paths->keys[i], path, sizeof(path));
			const struct route *route =
				route_find(api_routes, n_api_routes, methods[m][1], path, &status);
			if (!route)
				fail_msg("%s %s is documented, but there is no route",
					methods[m][1], path);
			assert_string_equal(class_name(route->peer),
				value_text(value_find(operation, "x-peer")));
			named[route - api_routes] = true;
		}
	for (size_t i = 0; i < n_api_routes; i++)
		if (!named[i])
			fail_msg("%s %s is not documented", api_routes[i].methods,
				api_routes[i].path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_admits_its_own_only),
		cmocka_unit_test(every_refusal_has_a_word_a_sentence_and_a_status),
		cmocka_unit_test(what_is_not_in_the_table_is_denied),
		cmocka_unit_test(plain_http_serves_boot_alone),
		cmocka_unit_test(the_document_and_the_table_say_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
