// What becomes of a volume, by what is found of it; records; and what hearthd and hearth-volumes tell each other. Real disks
// and mounts: tests/e2e/test-volumes.py.
// SPDX-License-Identifier: Apache-2.0
#include "agent/volume-disk.h"
#include "agent/volumes-exchange.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct volume_wish on_state = { .name = "vol0", .source = VOLUME_ON_STATE, .bytes = 512 << 20 };
static const struct volume_wish on_disk = { .name = "disk0", .source = VOLUME_ON_DISK, .serial = "S1" };

static struct volume_record record_of(const struct volume_wish *wish, const char *node)
{
	struct volume_record record = { .cluster = "c", .source = wish->source, .bytes = 1 << 30 };
	(void)snprintf(record.node, sizeof(record.node), "%s", node);
	(void)snprintf(record.name, sizeof(record.name), "%s", wish->name);
	(void)snprintf(record.serial, sizeof(record.serial), "%s", wish->serial ? wish->serial : "");
	return record;
}

static struct volume_seen nothing(void)
{
	return (struct volume_seen){ .durable = true, .state_free_bytes = UINT64_C(3) << 30, .n_disks = 1,
		.disk = { .path = "/dev/vdb", .size_bytes = 1 << 30 } };
}

static void expect(const struct volume_wish *wish, const struct volume_seen *seen, enum volume_verdict verdict, const char *says)
{
	char sentence[VOLUME_SENTENCE_MAX];
	assert_int_equal(volume_decide(wish, "c", "n1", seen, sentence), verdict);
	if (says ? !strstr(sentence, says) : sentence[0])
		fail_msg("\"%s\" does not say \"%s\"", sentence, says ? says : "");
}

static void share_of_state_is_made_once(void **state)
{
	struct volume_seen seen = nothing();
	expect(&on_state, &seen, VOLUME_MAKE, NULL);
	seen.has_image = true;
	seen.image_bytes = on_state.bytes;
	expect(&on_state, &seen, VOLUME_MOUNT, NULL); // also when the power went before it was recorded
	seen.image_bytes = 256 << 20;
	expect(&on_state, &seen, VOLUME_MOUNT, "has 256 MiB and keeps them");
	seen.has_record = true;
	seen.record = record_of(&on_state, "n1");
	seen.mounted = true;
	expect(&on_state, &seen, VOLUME_IS_READY, NULL);
	seen.mounted = seen.has_image = false;
	expect(&on_state, &seen, VOLUME_REFUSED, "its file is gone");
}

static void share_of_state_leaves_room_for_the_node(void **state)
{
	struct volume_seen seen = nothing();
	seen.state_free_bytes = 700 << 20;
	expect(&on_state, &seen, VOLUME_REFUSED, "STATE has 700 MiB free; volume vol0 takes 512 MiB");
	seen.durable = false;
	expect(&on_state, &seen, VOLUME_REFUSED, "this machine has none");
}

static void only_a_blank_disk_becomes_a_volume(void **state)
{
	struct volume_seen seen = nothing();
	expect(&on_disk, &seen, VOLUME_MAKE, NULL);
	(void)snprintf(seen.disk.found, sizeof(seen.disk.found), "a file system (xfs), label \"data\"");
	expect(&on_disk, &seen, VOLUME_REFUSED, "/dev/vdb holds a file system (xfs), label \"data\" (serial S1)");
	seen = nothing();
	seen.disk.making[DISK_MARK_VOLUME] = seen.disk.has_data = true;
	expect(&on_disk, &seen, VOLUME_MAKE_AGAIN, NULL);
	seen.disk.making[DISK_MARK_VOLUME] = false;
	seen.disk.making[DISK_MARK_STATE] = true;
	expect(&on_disk, &seen, VOLUME_REFUSED, "never touched"); // a STATE that was being made is not ours to start over
	seen = nothing();
	seen.n_disks = 0;
	expect(&on_disk, &seen, VOLUME_REFUSED, "has none");
	seen.n_disks = 2;
	expect(&on_disk, &seen, VOLUME_REFUSED, "2 disks");
	seen = nothing();
	seen.is_state = true;
	expect(&on_disk, &seen, VOLUME_REFUSED, "this node's STATE");
	seen = nothing();
	seen.excluded = true;
	expect(&on_disk, &seen, VOLUME_REFUSED, "removable");
}

static void labelled_disk_is_used_only_by_its_owner(void **state)
{
	struct volume_seen seen = nothing();
	seen.n_partitions = 1;
	expect(&on_disk, &seen, VOLUME_REFUSED, "no record of whose");
	seen.has_label = true;
	seen.label = record_of(&on_disk, "n1");
	expect(&on_disk, &seen, VOLUME_MOUNT, NULL); // also after STATE was lost
	seen.n_partitions = 2;
	expect(&on_disk, &seen, VOLUME_REFUSED, "2 partitions");
	seen.n_partitions = 1;
	seen.label = record_of(&on_disk, "n2");
	expect(&on_disk, &seen, VOLUME_REFUSED, "holds volume disk0 of node n2 in cluster c, not disk0 of this node");
}

static void a_name_stays_with_what_was_ready(void **state)
{
	struct volume_seen seen = nothing();
	seen.has_record = true;
	seen.record = record_of(&on_disk, "n1");
	expect(&on_disk, &seen, VOLUME_REFUSED, "which is blank now");
	(void)snprintf(seen.record.serial, sizeof(seen.record.serial), "S0");
	expect(&on_disk, &seen, VOLUME_REFUSED, "was made on the disk with serial S0 and stays there, not on S1");
	seen.record = record_of(&on_disk, "n2");
	expect(&on_disk, &seen, VOLUME_REFUSED, "is of node n2");
	seen.record = record_of(&on_disk, "n1");
	seen.record.source = VOLUME_ON_STATE;
	expect(&on_disk, &seen, VOLUME_REFUSED, "was made on STATE");
}

static void record_on_a_disk_is_checked(void **state)
{
	char path[] = "/tmp/hearth-test-volume-XXXXXX", bytes[VOLUME_LABEL_BYTES + 1] = "";
	struct volume_record record = record_of(&on_disk, "n1"), back;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_int_equal(volume_label_read(path, &back), -ENOENT);
	assert_int_equal(volume_label_write(path, &record), 0);
	assert_int_equal(volume_label_read(path, &back), 0);
	assert_string_equal(back.cluster, "c");
	assert_string_equal(back.node, "n1");
	assert_string_equal(back.name, "disk0");
	assert_string_equal(back.serial, "S1");
	assert_int_equal(back.bytes, 1 << 30);
	assert_int_equal(pread(fd, bytes, VOLUME_LABEL_BYTES, VOLUME_LABEL_OFFSET), VOLUME_LABEL_BYTES);
	for (size_t i = 0; i < strlen(bytes); i++) { // any flipped bit of magic, hash or content
		bytes[i] ^= 1;
		assert_true(volume_label_decode(bytes, &back) < 0);
		bytes[i] ^= 1;
	}
	assert_int_equal(volume_label_decode(bytes, &back), 0);
	(void)close(fd);
	(void)unlink(path);
}

static const char assignment_text[] =
	"{\"node\":{\"name\":\"n1\"},\"role\":\"server\",\"cluster\":{\"name\":\"c\"},\"storage\":{\"kind\":\"static\",\"class\":\"hearth-local\","
	"\"volumes\":[{\"name\":\"vol0\",\"source\":\"state\",\"bytes\":536870912},{\"name\":\"disk0\",\"source\":\"disk\",\"serial\":\"S \\\"1\"}],"
	"\"all\":[{\"node\":\"n1\",\"name\":\"vol0\",\"path\":\"/var/lib/hearth/volumes/vol0\",\"bytes\":536870912}]}}";

static struct assignment *assignment_of(const char *text)
{
	struct assignment *a = NULL;
	struct diag diag = { 0 };
	if (assignment_decode(text, strlen(text), &a, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return a;
}

static void wish_reaches_hearth_volumes_whole(void **state)
{
	struct assignment *a CLEANUP(assignment_freep) = assignment_of(assignment_text);
	struct volumes_wanted wanted CLEANUP(volumes_wanted_done) = { 0 };
	char *text AUTO_FREE = volumes_wanted_format(a, true);
	assert_int_equal(a->storage->cluster.n_volumes, 1);
	assert_int_equal(volumes_wanted_parse(text, strlen(text), &wanted, NULL), 0);
	assert_string_equal(wanted.cluster, "c");
	assert_string_equal(wanted.node, "n1");
	assert_true(wanted.durable);
	assert_int_equal(wanted.n, 2);
	assert_int_equal(wanted.wishes[0].bytes, 512 << 20);
	assert_int_equal(wanted.wishes[1].source, VOLUME_ON_DISK);
	assert_string_equal(wanted.wishes[1].serial, "S \"1");
}

static void answer_counts_only_for_its_wish(void **state)
{
	struct volume_wish wishes[] = { on_state, on_disk };
	struct volume_result results[] = { { .ready = true, .bytes = 7 }, { .sentence = "no \"disk\"" } };
	struct volumes_answer answer CLEANUP(volumes_answer_done) = { 0 };
	char *text AUTO_FREE = volumes_answer_format("{\"a\":1}", wishes, results, 2);
	assert_int_equal(volumes_answer_parse(text, strlen(text), "{\"a\":2}", &answer, NULL), -ENOENT);
	assert_int_equal(volumes_answer_parse(text, strlen(text), "{\"a\":1}", &answer, NULL), 0);
	assert_int_equal(answer.n_waiting, 1);
	assert_int_equal(answer.n_sentences, 1);
	assert_string_equal(answer.sentence, "no \"disk\"");
	const struct value *vol0 = value_find(answer.volumes, "vol0");
	assert_string_equal(value_text(value_find(vol0, "path")), "/var/lib/hearth/volumes/vol0");
	assert_true(value_find(vol0, "ready")->boolean);
}

static void wrong_storage_is_refused_by_key(void **state)
{
	static const struct {
		const char *storage, *where, *words;
	} rows[] = {
		{ "[]", "storage", "object" },
		{ "{\"kind\":\"nfs\",\"class\":\"c\"}", "storage.kind", "static or local-path" },
		{ "{\"kind\":\"static\"}", "storage.class", "missing" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"../x\"}]}", "storage.volumes.name", "lower case" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a.b\"}]}", "storage.volumes.name", "at most 40" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a\",\"source\":\"usb\"}]}", "storage.volumes.source", "state or disk" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a\",\"source\":\"state\",\"bytes\":4096}]}", "", "bytes" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a\",\"source\":\"disk\"}]}", "storage.volumes.serial", "serial" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a\",\"source\":\"disk\",\"serial\":\"1\"},{\"name\":\"a\","
		  "\"source\":\"disk\",\"serial\":\"2\"}]}", "storage.volumes", "twice" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"volumes\":[{\"name\":\"a\",\"source\":\"disk\",\"serial\":\"1\"},{\"name\":\"b\","
		  "\"source\":\"disk\",\"serial\":\"1\"}]}", "storage.volumes", "on one disk" },
		{ "{\"kind\":\"static\",\"class\":\"c\",\"all\":[{\"node\":\"n\",\"name\":\"v\",\"bytes\":99999999}]}", "storage.all.path", "path" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text AUTO_FREE = str_format("{\"node\":{\"name\":\"n\"},\"role\":\"server\",\"storage\":%s}", rows[i].storage);
		struct assignment *a = NULL;
		struct diag diag = { 0 };
		assert_int_equal(assignment_decode(text, strlen(text), &a, &diag), -EINVAL);
		if (!strstr(diag_text(&diag), rows[i].where) || !strstr(diag_text(&diag), rows[i].words))
			fail_msg("row %zu: %s", i, diag_text(&diag));
	}
	struct assignment *none CLEANUP(assignment_freep) =
		assignment_of("{\"node\":{\"name\":\"n\"},\"role\":\"worker\",\"storage\":null}");
	assert_false(none->storage->wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_of_state_is_made_once),
		cmocka_unit_test(share_of_state_leaves_room_for_the_node),
		cmocka_unit_test(only_a_blank_disk_becomes_a_volume),
		cmocka_unit_test(labelled_disk_is_used_only_by_its_owner),
		cmocka_unit_test(a_name_stays_with_what_was_ready),
		cmocka_unit_test(record_on_a_disk_is_checked),
		cmocka_unit_test(wish_reaches_hearth_volumes_whole),
		cmocka_unit_test(answer_counts_only_for_its_wish),
		cmocka_unit_test(wrong_storage_is_refused_by_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
