// What the cache of hearth-image keeps.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static char cache[] = "/tmp/test-build-files-XXXXXX";

static int cache_make(void **state)
{
	return mkdtemp(cache) ? 0 : -1;
}

static int cache_drop(void **state)
{
	return remove_tree(cache, NULL);
}

static bool there(const char *kind, int i)
{
	AUTO_FREE char *path = str_format("%s/%s%d", cache, kind, i);

	return file_exists(path);
}

// A folder with something in it that was used @sec seconds after 1970.
static void add(const char *kind, int i, time_t sec)
{
	AUTO_FREE char *path = str_format("%s/%s%d", cache, kind, i);
	AUTO_FREE char *inside = str_format("%s/%s%d/file", cache, kind, i);
	const struct timespec times[2] = { { .tv_sec = sec }, { .tv_sec = sec } };

	assert_int_equal(file_make_folders(path, 0755), 0);
	assert_int_equal(file_write_volatile(inside, "x", 1, 0644, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void cache_keeps_what_was_used_last(void **state)
{
	AUTO_FREE char *oldest = str_format("%s/kernel-0", cache);
	AUTO_FREE char *missing = str_format("%s/kernel-x", cache);

	for (int i = 0; i < CACHE_KEPT + 2; i++)
		add("kernel-", i, 1000 + i);
	add("base-", 0, 1);
	assert_int_equal(cache_prune(cache, "kernel-", oldest, NULL), 0); // used now: the youngest of all
	assert_true(there("kernel-", 0));
	assert_false(there("kernel-", 1));
	assert_false(there("kernel-", 2));
	for (int i = 3; i < CACHE_KEPT + 2; i++)
		assert_true(there("kernel-", i));
	assert_true(there("base-", 0)); // another kind
	assert_int_equal(cache_prune(cache, "kernel-", missing, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_keeps_what_was_used_last),
	};

	return cmocka_run_group_tests(tests, cache_make, cache_drop);
}
