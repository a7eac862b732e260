// ELF files that are made here: what they need is found in a root, or the program and the library are named.
// SPDX-License-Identifier: Apache-2.0
#include "image/elf.h"
#include "image/pack.h"
#include "image/shared.h"

#include "base/file.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define LIBS "usr/lib/x86_64-linux-gnu/"

enum { MAX_BYTES = 4096, STRINGS_AT = 1024, DYNAMIC_AT = 512, ADDRESS = 0x400000 };

struct made {
	char bytes[MAX_BYTES];
	size_t n;
};

// An ELF file with these names; @loader and @run_path NULL: none; a "=" before the latter: as DT_RPATH. @needed: blanks between them.
static struct made made(const char *loader, const char *run_path, const char *needed)
{
	struct made made = { .n = MAX_BYTES };
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_DYN,
		.e_phoff = sizeof(head), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 };
	Elf64_Dyn dynamic[16] = { { .d_tag = DT_STRTAB, .d_un.d_ptr = ADDRESS + STRINGS_AT },
		{ .d_tag = DT_STRSZ, .d_un.d_val = MAX_BYTES - STRINGS_AT } };
	size_t n_dynamic = 2, at = STRINGS_AT + 1;
	AUTO_FREE char *words = strdup(needed);
	char *save = NULL;

	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		dynamic[n_dynamic++] = (Elf64_Dyn){ .d_tag = DT_NEEDED, .d_un.d_val = at - STRINGS_AT };
		at += (size_t)(stpcpy(made.bytes + at, word) - (made.bytes + at)) + 1;
	}
	if (run_path) {
		bool is_old = *run_path == '=';
		dynamic[n_dynamic++] = (Elf64_Dyn){ .d_tag = is_old ? DT_RPATH : DT_RUNPATH, .d_un.d_val = at - STRINGS_AT };
		at += (size_t)(stpcpy(made.bytes + at, run_path + is_old) - (made.bytes + at)) + 1;
	}
	Elf64_Phdr headers[3] = {
		{ .p_type = PT_LOAD, .p_vaddr = ADDRESS, .p_filesz = MAX_BYTES },
		{ .p_type = PT_DYNAMIC, .p_offset = DYNAMIC_AT, .p_filesz = (n_dynamic + 1) * sizeof(*dynamic) },
		{ .p_type = loader ? PT_INTERP : PT_NULL, .p_offset = at, .p_filesz = loader ? strlen(loader) + 1 : 0 },
	};
	if (loader)
		(void)stpcpy(made.bytes + at, loader);
	memcpy(made.bytes, &head, sizeof(head));
	memcpy(made.bytes + sizeof(head), headers, sizeof(headers));
	memcpy(made.bytes + DYNAMIC_AT, dynamic, sizeof(dynamic));
	return made;
}

static void what_a_file_needs_is_read(void **state)
{
	struct made file = made(LOADER, "/usr/lib/x:$ORIGIN/../y", "liba.so.1 libb.so.2");
	struct elf_needs needs = { 0 };

	assert_int_equal(elf_needs_read(file.bytes, file.n, &needs, NULL), 0);
	assert_int_equal(needs.libraries.n, 2);
	assert_string_equal(needs.libraries.items[0], "liba.so.1");
	assert_string_equal(needs.libraries.items[1], "libb.so.2");
	assert_string_equal(needs.loader, LOADER);
	assert_string_equal(needs.run_path, "/usr/lib/x:$ORIGIN/../y");
	elf_needs_done(&needs);
	file.bytes[offsetof(Elf64_Ehdr, e_type)] = ET_REL; // a kernel module
	assert_int_equal(elf_needs_read(file.bytes, file.n, &needs, NULL), 0);
	assert_int_equal(needs.libraries.n, 0);
	assert_false(needs.is_foreign);
}

// Firmware and boot loaders' modules lie in a root, too.
static void a_file_of_another_machine_is_let_be(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct made file = made(LOADER, NULL, "liba.so.1");
		struct elf_needs needs = { 0 };
		file.bytes[i ? EI_DATA : EI_CLASS] = i ? ELFDATA2MSB : ELFCLASS32;
		assert_int_equal(elf_needs_read(file.bytes, i ? file.n : 52, &needs, NULL), 0); // a header of 32 bit has 52 bytes
		assert_true(needs.is_foreign);
		assert_null(needs.loader);
		assert_int_equal(needs.libraries.n, 0);
	}
}

// The compiler made this one, with whatever it writes nowadays.
static void the_test_itself_needs_libc(void **state)
{
	AUTO_FREE char *bytes = NULL;
	struct elf_needs needs = { 0 };
	struct diag diag = { 0 };
	size_t n;

	assert_int_equal(file_read("/proc/self/exe", 64 << 20, &bytes, &n, NULL), 0);
	if (elf_needs_read(bytes, n, &needs, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_true(words_has(&needs.libraries, "libc.so.6"));
	assert_true(words_has(&needs.libraries, "libcmocka.so.0"));
	assert_string_equal(needs.loader, LOADER);
	elf_needs_done(&needs);
}

static void what_is_not_inside_of_the_file_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t n; // bytes of the value
		const char *says;
	} rows[] = {
		{ 0, 'X', 1, "begin with" },
		{ offsetof(Elf64_Ehdr, e_phoff), MAX_BYTES - 100, 8, "program headers" },
		{ offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, 8, "program headers" },
		{ offsetof(Elf64_Ehdr, e_phentsize), 32, 2, "56 bytes" },
		{ 64 + 56 + offsetof(Elf64_Phdr, p_offset), MAX_BYTES, 8, "dynamic section" },
		{ 64 + 56 + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX, 8, "dynamic section" },
		{ 64 + 112 + offsetof(Elf64_Phdr, p_offset), UINT64_MAX, 8, "loader" },
		{ 64 + 112 + offsetof(Elf64_Phdr, p_filesz), 3, 8, "a name" },
		{ 64 + offsetof(Elf64_Phdr, p_vaddr), ADDRESS + MAX_BYTES, 8, "the names" },
		{ 64 + offsetof(Elf64_Phdr, p_offset), UINT64_MAX, 8, "the names" },
		{ DYNAMIC_AT + 8, 0, 8, "the names" }, { DYNAMIC_AT + 16 + 8, MAX_BYTES, 8, "the names" },
		{ DYNAMIC_AT + 16 + 8, 0, 8, "a name" }, { DYNAMIC_AT + 32 + 8, MAX_BYTES - STRINGS_AT, 8, "a name" },
		{ DYNAMIC_AT + 32 + 8, UINT64_MAX, 8, "a name" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct made file = made(LOADER, NULL, "liba.so.1");
		struct elf_needs needs = { 0 };
		struct diag diag = { 0 };
		memcpy(file.bytes + rows[i].at, &rows[i].value, rows[i].n); // little endian, as the file
		if (elf_needs_read(file.bytes, file.n, &needs, &diag) != -EINVAL || !strstr(diag.message, rows[i].says))
			fail_msg("row %zu: %s", i, diag_text(&diag));
	}
	struct made file = made(NULL, NULL, "");
	assert_int_equal(elf_needs_read(file.bytes, 40, &(struct elf_needs){ 0 }, NULL), -EINVAL);
}

static void put(struct pack *pack, const char *path, const char *loader, const char *run_path, const char *needed)
{
	struct made file = made(loader, run_path, needed);

	assert_int_equal(pack_bytes(pack, path, 0755, file.bytes, file.n, NULL), 0);
}

// A root as Debian's: what is in lib and lib64 lies in usr/.
static int checked(const char *left_out, struct diag *reterr)
{
	static const struct {
		const char *path, *target, *loader, *run_path, *needed; // @target: a symlink
	} files[] = {
		{ .path = "lib", .target = "usr/lib" }, { .path = "lib64", .target = "usr/lib64" },
		{ .path = "usr/lib64/ld-linux-x86-64.so.2", .target = "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" },
		{ LIBS "ld-linux-x86-64.so.2", NULL, NULL, NULL, "" }, { LIBS "libc.so.6", NULL, LOADER, NULL, "ld-linux-x86-64.so.2" },
		{ LIBS "libnl-3.so.200.26", NULL, NULL, NULL, "libc.so.6" }, { .path = LIBS "libnl-3.so.200", .target = "libnl-3.so.200.26" },
		{ LIBS "libnl-route.so.200", NULL, NULL, NULL, "libnl-3.so.200 libc.so.6" },
		{ LIBS "systemd/libshared.so", NULL, NULL, NULL, "libc.so.6" }, { "usr/lib/own/libown.so", NULL, NULL, NULL, "libc.so.6" },
		{ "usr/bin/hearth-net", NULL, LOADER, NULL, "libnl-route.so.200 libc.so.6" },
		{ "usr/bin/systemctl", NULL, LOADER, "/usr/lib/none:/lib/x86_64-linux-gnu/systemd", "libcore.so libshared.so" },
		{ "usr/bin/own", NULL, LOADER, "${ORIGIN}/../lib/own", "libown.so" },
		// its folder is known to systemctl alone, and its name is loaded then
		{ LIBS "systemd/libcore.so", NULL, NULL, NULL, "libc.so.6 libshared.so" },
		{ "usr/lib/plugins/p.so", NULL, NULL, NULL, "liboptional.so" }, // somebody opens it who may have that loaded
		{ "usr/bin/old", NULL, LOADER, "=/usr/lib/old", "libold.so" }, { "usr/lib/old/libold.so", NULL, NULL, NULL, "libolder.so" },
		{ "usr/lib/old/libolder.so", NULL, NULL, NULL, "libc.so.6" },
		{ "usr/bin/static", NULL, NULL, NULL, "" },
	};
	char tar[] = "/tmp/test-shared-XXXXXX";
	CLEANUP(pack_freep) struct pack *pack = NULL;
	int fd = mkstemp(tar);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pack_open(tar, PACK_FORMAT_TAR, 0, 1, &pack, NULL), 0);
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		if (str_equal(files[i].path, left_out))
			continue;
		if (files[i].target)
			assert_int_equal(pack_link(pack, files[i].path, files[i].target, NULL), 0);
		else
			put(pack, files[i].path, files[i].loader, files[i].run_path, files[i].needed);
	}
	assert_int_equal(pack_bytes(pack, "usr/bin/script", 0755, "#!/bin/sh\n", 10, NULL), 0);
	assert_int_equal(pack_bytes(pack, LIBS "libtext.so", 0644, "INPUT(x)", 8, NULL), 0);
	assert_int_equal(pack_bytes(pack, "etc/empty", 0644, "", 0, NULL), 0);
	struct made foreign = made("/lib/ld-linux.so.2", NULL, "libnowhere.so");
	foreign.bytes[EI_CLASS] = ELFCLASS32;
	assert_int_equal(pack_bytes(pack, LIBS "libtext32.so", 0644, foreign.bytes, foreign.n, NULL), 0);
	if (str_equal(left_out, "usr/bin/own"))
		put(pack, "usr/bin/own", LOADER, NULL, "libtext.so"); // a file of this name, and no library
	if (str_equal(left_out, "usr/bin/old"))
		put(pack, "usr/bin/old", LOADER, NULL, "libtext32.so"); // one of another machine
	if (str_equal(left_out, "usr/bin/static"))
		assert_int_equal(pack_bytes(pack, "usr/bin/static", 0755, ELFMAG "\2\1cut off", SELFMAG + 9, NULL), 0);
	assert_int_equal(pack_close(pack, NULL), 0);
	int rc = shared_check(tar, reterr);
	(void)unlink(tar);
	return rc;
}

static void a_root_without_a_library_is_refused_by_program_and_library(void **state)
{
	static const struct {
		const char *left_out, *where, *says;
	} rows[] = {
		{ LIBS "libnl-route.so.200", "usr/bin/hearth-net", "needs the library libnl-route.so.200, which is not in the image" },
		{ LIBS "libnl-3.so.200", "usr/bin/hearth-net", "needs the library libnl-3.so.200 by " LIBS "libnl-route.so.200, which" },
		{ LIBS "libnl-3.so.200.26", "usr/bin/hearth-net", "libnl-3.so.200 by" }, // the link stays
		{ LIBS "systemd/libshared.so", "usr/bin/systemctl", "libshared.so, which" },
		{ "usr/lib/own/libown.so", "usr/bin/own", "libown.so, which" },
		{ "usr/lib/old/libolder.so", "usr/bin/old", "libolder.so by usr/lib/old/libold.so, which" },
		{ LIBS "systemd/libcore.so", "usr/bin/systemctl", "libcore.so, which" },
		{ "usr/lib64/ld-linux-x86-64.so.2", "usr/bin/hearth-net", "the loader " LOADER }, { "lib64", "usr/bin/hearth-net", "the loader " LOADER },
		{ "usr/bin/own", "usr/bin/own", "libtext.so, which" }, { "usr/bin/old", "usr/bin/old", "libtext32.so, which" },
		 { "usr/bin/static", "usr/bin/static", "ELF: is cut off" },
	};
	struct diag diag = { 0 };

	if (checked("", &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(checked("lib", &diag), -ENOENT); // systemctl's folder is /lib/...
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		diag = (struct diag){ 0 };
		int rc = checked(rows[i].left_out, &diag);
		if (rc != (strstr(rows[i].says, "ELF") ? -EINVAL : -ENOENT) || !str_equal(diag.where, rows[i].where) ||
			!strstr(diag.message, rows[i].says))
			fail_msg("without %s: %d, %s", rows[i].left_out, rc, diag_text(&diag));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_file_needs_is_read),
		cmocka_unit_test(a_file_of_another_machine_is_let_be),
		cmocka_unit_test(the_test_itself_needs_libc),
		cmocka_unit_test(what_is_not_inside_of_the_file_is_refused),
		cmocka_unit_test(a_root_without_a_library_is_refused_by_program_and_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
