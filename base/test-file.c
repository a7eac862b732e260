// Files: limits, replacement as a whole, and damage that is set aside.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/hearth-test-file-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static size_t count_files(void)
{
	DIR *dir = opendir(".");
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void file_write_replaces_content_and_mode(void **state)
{
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t n = 0;

	umask(077);
	assert_int_equal(file_write_atomic("a", "one", 3, 0644, NULL), 0);
	assert_int_equal(file_write_volatile("a", "second\0x", 8, 0600, NULL), 0);
	assert_int_equal(file_read("a", 8, &text, &n, NULL), 0);
	assert_int_equal(n, 8);
	assert_memory_equal(text, "second\0x", 9);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_write_atomic("a", "", 0, 0644, NULL), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(count_files(), 1);
	assert_int_equal(file_remove("a"), 0);
	assert_int_equal(file_remove("a"), 0);
	assert_false(file_exists("a"));
}

static void file_read_keeps_to_its_limit(void **state)
{
	AUTO_FREE char *text = NULL, *proc = NULL;
	struct diag diag = { 0 };

	assert_int_equal(file_write_volatile("b", "12345", 5, 0600, NULL), 0);
	assert_int_equal(file_read("b", 4, &text, NULL, &diag), -E2BIG);
	assert_string_equal(diag_text(&diag), "b: must not be longer than 4 bytes");
	assert_int_equal(file_read("b", 5, &text, NULL, NULL), 0);
	assert_string_equal(text, "12345");
	assert_int_equal(file_read("none", 5, &proc, NULL, &diag), -ENOENT);
	assert_int_equal(file_read(".", 5, &proc, NULL, &diag), -EISDIR);
	assert_int_equal(file_read("/proc/self/status", 65536, &proc, NULL, &diag), 0); // its size says 0
	assert_non_null(strstr(proc, "Name:"));
	assert_int_equal(file_remove("b"), 0);
}

static void file_write_leaves_the_old_file_when_it_fails(void **state)
{
	AUTO_FREE char *text = NULL;
	struct diag diag = { 0 };

	assert_int_equal(file_write_volatile("c", "old", 3, 0600, NULL), 0);
	pid_t pid = fork(); // a limit on file size, as a full disk would do it
	if (pid == 0) {
		struct rlimit limit = { 4096, 4096 };
		static char large[100000];
		signal(SIGXFSZ, SIG_IGN);
		_exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
					file_write_atomic("c", large, sizeof(large), 0600, NULL) == -EFBIG ?
				0 :
				1);
	}
	int status = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(file_read("c", 10, &text, NULL, NULL), 0);
	assert_string_equal(text, "old");
	assert_int_equal(count_files(), 1); // no temp file stays
	assert_int_equal(file_write_atomic("no/such/folder", "x", 1, 0600, &diag), -ENOENT);
	assert_int_equal(file_remove("c"), 0);
}

// A reader beside a writer sees whole files only, whenever it looks.
static void file_readers_never_see_half_a_file(void **state)
{
	static char ones[60000], twos[50000];

	memset(ones, '1', sizeof(ones));
	memset(twos, '2', sizeof(twos));
	assert_int_equal(file_save_checked("d", ones, sizeof(ones), 0600, NULL), 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			const char *bytes = i % 2 ? ones : twos;
			if (file_write_volatile("d2", bytes, i % 2 ? sizeof(ones) : sizeof(twos), 0600, NULL) < 0 ||
				file_save_checked("d", bytes, i % 2 ? sizeof(ones) : sizeof(twos), 0600, NULL) < 0)
				_exit(1);
		}
		_exit(0);
	}
	int status = 1;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		AUTO_FREE char *text = NULL;
		size_t n = 0;
		assert_int_equal(file_load_checked("d", 100000, &text, &n, NULL), 0);
		assert_memory_equal(text, n == sizeof(ones) ? ones : twos, n);
		assert_true(n == sizeof(ones) || n == sizeof(twos));
	}
	assert_int_equal(status, 0);
	assert_int_equal(file_remove("d"), 0);
	assert_int_equal(file_remove("d2"), 0);
}

static void damage(const char *path, size_t at)
{
	AUTO_FREE char *text = NULL;
	size_t n;

	assert_int_equal(file_read(path, 1000, &text, &n, NULL), 0);
	text[at] ^= 1;
	assert_int_equal(file_write_volatile(path, text, n, 0600, NULL), 0);
}

static void file_damage_is_set_aside_and_never_deleted(void **state)
{
	static const size_t at[] = { 0, 20, 80, 84 };
	AUTO_FREE char *text = NULL;
	struct diag diag = { 0 };
	size_t n = 0;

	assert_int_equal(file_save_checked("e", "hello", 5, 0600, NULL), 0);
	assert_int_equal(file_load_checked("e", 5, &text, &n, NULL), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(n, 5);
	for (size_t i = 0; i < N_ELEMENTS(at); i++) {
		char name[32];
		char *none = NULL;
		assert_int_equal(file_save_checked("e", "hello", 5, 0600, NULL), 0);
		damage("e", at[i]);
		assert_int_equal(file_load_checked("e", 5, &none, &n, &diag), -EBADMSG);
		assert_null(none);
		assert_false(file_exists("e"));
		(void)snprintf(name, sizeof(name), "e.damaged-%zu", i + 1); // always fits
		assert_true(file_exists(name));
		assert_non_null(strstr(diag.message, name));
		assert_int_equal(file_load_checked("e", 5, &none, &n, &diag), -ENOENT);
	}
	assert_int_equal(file_write_volatile("e", "", 0, 0600, NULL), 0); // cut to nothing
	char *none = NULL;
	assert_int_equal(file_load_checked("e", 5, &none, &n, &diag), -EBADMSG);
	assert_int_equal(count_files(), N_ELEMENTS(at) + 1);
}

static void file_checked_tells_its_hash_and_what_it_holds(void **state)
{
	char saved[SHA256_HEX + 1], loaded[SHA256_HEX + 1];
	AUTO_FREE char *text = NULL;

	assert_int_equal(file_save_hashed("h", "abc", 3, 0600, saved, NULL), 0);
	assert_string_equal(saved, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); // FIPS 180-4's example
	assert_int_equal(file_load_hashed("h", 3, &text, loaded, NULL), 0);
	assert_string_equal(text, "abc");
	assert_string_equal(loaded, saved);
	assert_true(file_holds_checked("h", "abc", 3));
	assert_false(file_holds_checked("h", "abd", 3));
	assert_false(file_holds_checked("h", "ab", 2));
	assert_false(file_holds_checked("h", "abcd", 4));
	assert_false(file_holds_checked("missing", "", 0));
	assert_int_equal(file_write_volatile("h", "abc", 3, 0600, NULL), 0); // it never was a checked file
	assert_false(file_holds_checked("h", "abc", 3));
}

static void file_checked_content_may_be_empty_or_binary(void **state)
{
	char *text = NULL;
	size_t n = 9;

	assert_int_equal(file_save_checked("f", "", 0, 0600, NULL), 0);
	assert_int_equal(file_load_checked("f", 0, &text, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(file_save_checked("f", "\0\xff\n", 3, 0600, NULL), 0);
	assert_int_equal(file_load_checked("f", 3, &text, &n, NULL), 0);
	assert_memory_equal(text, "\0\xff\n", 4);
	free(text);
}

static void file_make_folders_makes_all_of_them(void **state)
{
	assert_int_equal(file_make_folders("x/y//z/", 0700), 0);
	assert_int_equal(file_make_folders("x/y/z", 0700), 0);
	assert_true(file_exists("x/y/z"));
	assert_int_equal(file_write_volatile("x/file", "", 0, 0600, NULL), 0);
	assert_int_equal(file_make_folders("x/file", 0700), -ENOTDIR);
	assert_int_equal(file_make_folders("x/file/y", 0700), -ENOTDIR);
	assert_int_equal(file_make_folders("/", 0700), 0);
}

static void file_leftovers_of_power_cuts_are_removed_and_nothing_else(void **state)
{
	static const char *const stay[] = { "l/a", "l/a.new-0123456", "l/a.new-0123456G",
		"l/a.new-012345678", "l/a.new-0123ABCD", "l/.new-01234567",
		"l/a.new-01234567.damaged-1", "l/b.new-89abcdef" };
	AUTO_CLOSE int fd = -1;

	assert_int_equal(file_make_folders("l/c.new-01234567", 0700), 0);
	for (size_t i = 0; i < N_ELEMENTS(stay); i++)
		assert_int_equal(file_write_volatile(stay[i], "x", 1, 0600, NULL), 0);
	assert_int_equal(symlink("a", "l/d.new-01234567"), 0);
	assert_int_equal(file_write_volatile("l/a.new-01234567", "x", 1, 0600, NULL), 0);
	fd = open("l/b.new-89abcdef", O_WRONLY | O_CLOEXEC); // somebody is writing this one
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(file_remove_leftovers("l"), 0);
	assert_false(file_exists("l/a.new-01234567"));
	for (size_t i = 0; i < N_ELEMENTS(stay); i++)
		assert_true(file_exists(stay[i]));
	assert_true(file_exists("l/c.new-01234567"));
	assert_true(file_exists("l/d.new-01234567"));
	assert_int_equal(file_remove_leftovers("missing"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_write_replaces_content_and_mode),
		cmocka_unit_test(file_read_keeps_to_its_limit),
		cmocka_unit_test(file_write_leaves_the_old_file_when_it_fails),
		cmocka_unit_test(file_readers_never_see_half_a_file),
		cmocka_unit_test(file_damage_is_set_aside_and_never_deleted),
		cmocka_unit_test(file_checked_tells_its_hash_and_what_it_holds),
		cmocka_unit_test(file_checked_content_may_be_empty_or_binary),
		cmocka_unit_test(file_make_folders_makes_all_of_them),
		cmocka_unit_test(file_leftovers_of_power_cuts_are_removed_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
