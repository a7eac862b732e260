// Judging disks and choosing STATE. Real file systems, RAID members and partition tables: tests/integration/blank-disk.
// SPDX-License-Identifier: Apache-2.0
#include "agent/state-disk.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct state_disk disk(const char *path, uint64_t gib)
{
	struct state_disk d = { 0 };
	(void)snprintf(d.facts.path, sizeof(d.facts.path), "%s", path);
	d.facts.size_bytes = gib << 30;
	return d;
}

static enum state_verdict choose(const struct state_disk *disks, size_t n, struct state_wish wish, size_t *ret_disk,
	char *sentence)
{
	const char *code;
	return state_choose(disks, n, &wish, ret_disk, &code, sentence);
}

static void refusal_names_disk_and_content(void **state)
{
	char sentence[BLANK_SENTENCE_MAX];
	struct disk_facts d = { .path = "/dev/vda", .size_bytes = 1 << 30, .found = "a file system (ext4), label \"data\"" };
	assert_false(disk_is_blank(&d, sentence));
	assert_string_equal(sentence, "/dev/vda holds a file system (ext4), label \"data\"");
	d = (struct disk_facts){ .path = "/dev/vda", .size_bytes = 1 << 30, .open_error = EBUSY };
	assert_false(disk_is_blank(&d, sentence));
	assert_string_equal(sentence, "/dev/vda is in use");
	d = (struct disk_facts){ .path = "/dev/vda", .size_bytes = 1 << 30, .n_holders = 1 };
	assert_false(disk_is_blank(&d, sentence));
	assert_string_equal(sentence, "/dev/vda is held by 1 other device");
	d = (struct disk_facts){ .path = "/dev/vda", .size_bytes = 1 << 30, .has_data = true, .data_offset = 4095 };
	assert_false(disk_is_blank(&d, sentence));
	assert_non_null(strstr(sentence, "unknown kind at byte 4095"));
	d = (struct disk_facts){ .path = "/dev/vda", .size_bytes = 1 << 30, .read_error = EIO };
	assert_false(disk_is_blank(&d, sentence));
	d = (struct disk_facts){ .path = "/dev/vda", .size_bytes = 1 << 30 };
	assert_true(disk_is_blank(&d, sentence));
}

static void state_partition_is_used_whatever_else_is_there(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10), disk("/dev/vdb", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	disks[1].n_state_partitions = 1;
	(void)snprintf(disks[1].state_partition, sizeof(disks[1].state_partition), "/dev/vdb1");
	assert_int_equal(choose(disks, 2, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_USE);
	assert_int_equal(chosen, 1);
	disks[0].n_state_partitions = 1;
	assert_int_equal(choose(disks, 2, (struct state_wish){ 0 }, &chosen, sentence), STATE_NONE);
	assert_non_null(strstr(sentence, "more than one"));
}

static void blank_disk_needs_permission(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	assert_int_equal(choose(disks, 1, (struct state_wish){ 0 }, &chosen, sentence), STATE_NONE);
	assert_non_null(strstr(sentence, "stateDisk"));
	assert_int_equal(choose(disks, 1, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_MAKE);
	assert_int_equal(chosen, 0);
}

static void smallest_comfortable_blank_disk_is_taken(void **state)
{
	struct state_disk disks[] = { disk("/dev/sda", 4000), disk("/dev/sdb", 200), disk("/dev/sdc", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	assert_int_equal(choose(disks, 3, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_MAKE);
	assert_int_equal(chosen, 1);
	assert_int_equal(choose(disks + 2, 1, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_MAKE);
}

static void foreign_and_excluded_disks_are_left_alone(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10), disk("/dev/vdb", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	(void)snprintf(disks[0].facts.found, sizeof(disks[0].facts.found), "a volume (LVM2_member)");
	disks[1].excluded = true;
	assert_int_equal(choose(disks, 2, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_NONE);
	assert_non_null(strstr(sentence, "/dev/vda holds a volume (LVM2_member)"));
	assert_non_null(strstr(sentence, "never touched"));
	assert_null(strstr(sentence, "/dev/vdb"));
}

static void serial_of_the_seed_picks_one_disk_that_must_be_blank(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10), disk("/dev/vdb", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	(void)snprintf(disks[1].serial, sizeof(disks[1].serial), "S2");
	assert_int_equal(choose(disks, 2, (struct state_wish){ .serial = "S2" }, &chosen, sentence), STATE_MAKE);
	assert_int_equal(chosen, 1);
	disks[1].facts.has_data = true;
	assert_int_equal(choose(disks, 2, (struct state_wish){ .serial = "S2" }, &chosen, sentence), STATE_NONE);
	assert_int_equal(choose(disks, 2, (struct state_wish){ .serial = "S9" }, &chosen, sentence), STATE_NONE);
	assert_non_null(strstr(sentence, "serial S9"));
}

static void half_made_state_is_taken_up_again(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10) };
	char sentence[STATE_SENTENCE_MAX];
	size_t chosen = 9;
	disks[0].facts.making[DISK_MARK_STATE] = disks[0].facts.has_data = true;
	assert_int_equal(choose(disks, 1, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_MAKE);
}

static void mark_tells_our_half_made_disk_from_foreign_data(void **state)
{
	char path[] = "/tmp/hearth-test-blank-XXXXXX", sentence[BLANK_SENTENCE_MAX];
	struct disk_facts d;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 32 << 20), 0);
	disk_probe(path, &d);
	assert_true(disk_is_blank(&d, sentence));
	assert_false(d.making[DISK_MARK_STATE]);
	assert_int_equal(disk_clear_making(path, DISK_MARK_STATE, NULL), -EINVAL);
	assert_int_equal(disk_mark_making(path, DISK_MARK_STATE, NULL), 0);
	assert_int_equal(pwrite(fd, "x", 1, 2 << 20), 1);
	assert_int_equal(pwrite(fd, "y", 1, 31 << 20), 1);
	disk_probe(path, &d);
	assert_true(d.making[DISK_MARK_STATE]);
	assert_int_equal(disk_clear_making(path, DISK_MARK_STATE, NULL), 0);
	disk_probe(path, &d);
	assert_true(d.making[DISK_MARK_STATE]); // until the partition table overwrites it
	assert_int_equal(d.data_offset, 0);
	assert_int_equal(pwrite(fd, (char[512]){ 0 }, 512, 0), 512);
	disk_probe(path, &d);
	assert_true(disk_is_blank(&d, sentence));
	(void)close(fd);
	(void)unlink(path);
}

static void volume_behind_the_mark_is_foreign(void **state)
{
	struct state_disk disks[] = { disk("/dev/vda", 10) };
	char path[] = "/tmp/hearth-test-blank-XXXXXX", sentence[STATE_SENTENCE_MAX];
	const uint32_t swap[] = { 1, 1000 }; // version, last page
	size_t chosen = 9;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 32 << 20), 0);
	assert_int_equal(disk_mark_making(path, DISK_MARK_STATE, NULL), 0);
	disk_probe(path, &disks[0].facts);
	assert_true(disk_is_half_made(&disks[0].facts, DISK_MARK_STATE));
	assert_int_equal(pwrite(fd, swap, sizeof(swap), 1024), sizeof(swap));
	assert_int_equal(pwrite(fd, "SWAPSPACE2", 10, 4086), 10);
	disk_probe(path, &disks[0].facts);
	assert_true(disks[0].facts.making[DISK_MARK_STATE]);
	assert_false(disk_is_half_made(&disks[0].facts, DISK_MARK_STATE));
	assert_int_equal(choose(disks, 1, (struct state_wish){ .blank_allowed = true }, &chosen, sentence), STATE_NONE);
	assert_non_null(strstr(sentence, "swap"));
	disks[0].facts = (struct disk_facts){ .making[DISK_MARK_STATE] = true, .n_holders = 1 };
	assert_false(disk_is_half_made(&disks[0].facts, DISK_MARK_STATE));
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_names_disk_and_content),
		cmocka_unit_test(state_partition_is_used_whatever_else_is_there),
		cmocka_unit_test(blank_disk_needs_permission),
		cmocka_unit_test(smallest_comfortable_blank_disk_is_taken),
		cmocka_unit_test(foreign_and_excluded_disks_are_left_alone),
		cmocka_unit_test(serial_of_the_seed_picks_one_disk_that_must_be_blank),
		cmocka_unit_test(half_made_state_is_taken_up_again),
		cmocka_unit_test(mark_tells_our_half_made_disk_from_foreign_data),
		cmocka_unit_test(volume_behind_the_mark_is_foreign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
