// Snapshots of etcd in statuses, and who makes one. SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/job.h"
#include "region/snapshot.h"
#include "region/status-parts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *parse(const char *text)
{
	struct value *value = NULL;
	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

#define ONE "{\"name\":\"etcd-snapshot-s1-1\",\"bytes\":5,\"createdSec\":7}"

static void shapes_are_checked(void **state)
{
	const struct {
		const char *json;
		int expected;
	} rows[] = {
		{ "{}", 0 },
		{ "{\"snapshots\":null}", 0 },
		{ "{\"snapshots\":[" ONE "," ONE "]}", 0 },
		{ "{\"snapshots\":{}}", -EINVAL },
		{ "{\"snapshots\":[1]}", -EINVAL },
		{ "{\"snapshots\":[{\"name\":\"a\",\"bytes\":-1,\"createdSec\":7}]}", -EINVAL },
		{ "{\"snapshots\":[{\"name\":\"a\",\"bytes\":1}]}", -EINVAL },
		{ "{\"snapshots\":[{\"name\":\"../a\",\"bytes\":1,\"createdSec\":7}]}", -EINVAL },
		{ "{\"snapshots\":[{\"name\":\"a b\",\"bytes\":1,\"createdSec\":7}]}", -EINVAL },
		{ "{\"snapshots\":[{\"name\":\"\",\"bytes\":1,\"createdSec\":7}]}", -EINVAL },
		{ "{\"snapshots\":[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE
		  "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]}",
			-EINVAL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *body = parse(rows[i].json);
		if (status_parts_check(body, NULL) != rows[i].expected)
			fail_msg("%s", rows[i].json);
	}
}

static void one_is_found_by_its_name(void **state)
{
	CLEANUP(value_freep) struct value *status = parse("{\"snapshots\":[" ONE "]}");
	struct snapshot found;
	assert_true(snapshot_of_name(status, "etcd-snapshot-s1-1", &found));
	assert_int_equal(found.n_bytes, 5);
	assert_int_equal(found.created_sec, 7);
	assert_false(snapshot_of_name(status, "etcd-snapshot-s1-2", &found));
	assert_false(snapshot_of_name(NULL, "etcd-snapshot-s1-1", &found));
}

static void a_server_does_its_own_work_itself(void **state)
{
	struct admission_server servers[] = { { .name = "s1", .ready = true, .voter = true },
		{ .name = "s2", .ready = true, .voter = true } };
	struct job job = { .kind = JOB_ETCD_SNAPSHOT, .node = "s2" };
	assert_int_equal(job_place(&job, servers, 2, SIZE_MAX), 1);
	assert_int_equal(job_place(&job, servers, 2, 0), 1);
	servers[1].silent = true;
	assert_int_equal(job_place(&job, servers, 2, 1), SIZE_MAX); // nobody else has its etcd
	servers[1] = (struct admission_server){ .name = "s2" };
	assert_int_equal(job_place(&job, servers, 2, 1), SIZE_MAX);
	strcpy(job.kind, JOB_ROTATE_TOKEN);
	strcpy(job.node, "s1");
	assert_int_equal(job_place(&job, servers, 2, SIZE_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_are_checked),
		cmocka_unit_test(one_is_found_by_its_name),
		cmocka_unit_test(a_server_does_its_own_work_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
