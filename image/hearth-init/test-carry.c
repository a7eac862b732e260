// Seeds as stage 1 carries them over: without padding, private, whole or not at all.
// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/carry.h"
#include "image/hearth-init/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { SEED_MAX = 64 << 10 };

static char from[] = "/tmp/test-carry-from-XXXXXX", to[] = "/tmp/test-carry-to-XXXXXX";

static int files_make(void **state)
{
	close(mkstemp(from));
	close(mkstemp(to));
	return 0;
}

static int files_drop(void **state)
{
	unlink(to);
	return unlink(from);
}

// What came of a seed of @text and as many newlines as make it @n bytes; NULL when nothing came.
static char *carried(const char *text, size_t n)
{
	char *bytes = malloc(n), *got;

	memset(bytes, '\n', n);
	memcpy(bytes, text, strlen(text));
	unlink(to);
	assert_int_equal(write_file(from, bytes, n, 0600), 0);
	free(bytes);
	seed_copy(from, to);
	got = read_file(to, 2 * SEED_MAX, NULL);
	return got;
}

static void a_seed_is_carried_without_its_padding(void **state)
{
	struct stat st;
	char *got = carried("version: 1\n", SEED_MAX); // the ISO's file

	assert_string_equal(got, "version: 1");
	free(got);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(carried("", SEED_MAX)); // not seeded
}

static void a_seed_that_is_too_long_is_not_cut(void **state)
{
	static char text[SEED_MAX + 3];
	char *got;

	memset(text, '#', SEED_MAX);
	got = carried(text, SEED_MAX);
	assert_int_equal(strlen(got), SEED_MAX);
	free(got);
	memset(text, '#', SEED_MAX + 1);
	assert_null(carried(text, SEED_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_is_carried_without_its_padding),
		cmocka_unit_test(a_seed_that_is_too_long_is_not_cut),
	};

	return cmocka_run_group_tests(tests, files_make, files_drop);
}
