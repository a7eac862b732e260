// Program headers, dynamic section, its strings. Sections are not looked at: strip may take them away.
// SPDX-License-Identifier: Apache-2.0
#include "image/elf.h"

#include <elf.h>
#include <errno.h>

struct file {
	const char *bytes;
	size_t n;
	const char *headers; // n_headers of Elf64_Phdr, not aligned
	size_t n_headers;
	struct diag *reterr;
};

static int refuse(const struct file *file, const char *rule)
{
	return diag_set(file->reterr, -EINVAL, "", "ELF: %s", rule);
}

static Elf64_Phdr header_at(const struct file *file, size_t i)
{
	Elf64_Phdr header;

	memcpy(&header, file->headers + i * sizeof(header), sizeof(header));
	return header;
}

// @length bytes at @offset of the file; NULL: they are not all there.
static const char *range(const struct file *file, uint64_t offset, uint64_t length)
{
	return offset <= file->n && length <= file->n - offset ? file->bytes + offset : NULL;
}

// The same at an address in memory.
static const char *range_in_memory(const struct file *file, uint64_t address, uint64_t length)
{
	for (size_t i = 0; i < file->n_headers; i++) {
		Elf64_Phdr header = header_at(file, i);
		if (header.p_type != PT_LOAD || address < header.p_vaddr || address - header.p_vaddr > header.p_filesz ||
			length > header.p_filesz - (address - header.p_vaddr) || header.p_offset > UINT64_MAX - header.p_filesz)
			continue;
		return range(file, header.p_offset + (address - header.p_vaddr), length);
	}
	return NULL;
}

static int file_open(struct file *file, bool *ret_has_needs)
{
	Elf64_Ehdr head;

	if (file->n < sizeof(head))
		return refuse(file, "is cut off");
	memcpy(&head, file->bytes, sizeof(head));
	*ret_has_needs = head.e_type == ET_EXEC || head.e_type == ET_DYN;
	if (!*ret_has_needs)
		return 0;
	file->n_headers = head.e_phnum;
	if (head.e_phentsize != sizeof(Elf64_Phdr) && head.e_phnum)
		return refuse(file, "must have program headers of 56 bytes");
	file->headers = range(file, head.e_phoff, (uint64_t)head.e_phnum * sizeof(Elf64_Phdr));
	return file->headers ? 0 : refuse(file, "the program headers are not inside of it");
}

static int copy_text(const struct file *file, const char *strings, uint64_t n_strings, uint64_t at, char **ret)
{
	if (at >= n_strings || !memchr(strings + at, '\0', n_strings - at))
		return refuse(file, "a name of the dynamic section is not inside of it");
	free(*ret);
	*ret = strdup(strings + at);
	return *ret ? 0 : -ENOMEM;
}

struct dynamic {
	const char *entries;
	size_t n;
	const char *strings; // NULL: none
	uint64_t n_strings;
};

static Elf64_Dyn entry_at(const struct dynamic *dynamic, size_t i)
{
	Elf64_Dyn entry;

	memcpy(&entry, dynamic->entries + i * sizeof(entry), sizeof(entry));
	return entry;
}

static int dynamic_open(const struct file *file, const Elf64_Phdr *header, struct dynamic *ret)
{
	uint64_t address = 0;

	*ret = (struct dynamic){ .entries = range(file, header->p_offset, header->p_filesz) };
	if (!ret->entries)
		return refuse(file, "the dynamic section is not inside of it");
	for (size_t n = header->p_filesz / sizeof(Elf64_Dyn); ret->n < n && entry_at(ret, ret->n).d_tag != DT_NULL; ret->n++) {
		Elf64_Dyn entry = entry_at(ret, ret->n);
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			ret->n_strings = entry.d_un.d_val;
	}
	if (ret->n_strings == 0)
		return 0;
	ret->strings = range_in_memory(file, address, ret->n_strings);
	return ret->strings ? 0 : refuse(file, "the names of the dynamic section are not inside of it");
}

static int dynamic_read(const struct file *file, const Elf64_Phdr *header, struct elf_needs *ret)
{
	struct dynamic dynamic;
	AUTO_FREE char *rpath = NULL;
	int rc = dynamic_open(file, header, &dynamic);

	for (size_t i = 0; i < dynamic.n && rc == 0; i++) {
		Elf64_Dyn entry = entry_at(&dynamic, i);
		AUTO_FREE char *library = NULL;
		if (entry.d_tag == DT_RUNPATH)
			rc = copy_text(file, dynamic.strings, dynamic.n_strings, entry.d_un.d_val, &ret->run_path);
		else if (entry.d_tag == DT_RPATH)
			rc = copy_text(file, dynamic.strings, dynamic.n_strings, entry.d_un.d_val, &rpath);
		if (entry.d_tag != DT_NEEDED)
			continue;
		if (ret->libraries.n == ELF_MAX_NEEDED)
			return refuse(file, "must not need more than 256 libraries");
		rc = copy_text(file, dynamic.strings, dynamic.n_strings, entry.d_un.d_val, &library);
		if (rc == 0)
			rc = words_add(&ret->libraries, library);
	}
	ret->is_inherited = !ret->run_path;
	if (rc == 0 && !ret->run_path)
		ret->run_path = TAKE_PTR(rpath);
	return rc;
}

bool elf_is(const void *bytes, size_t n)
{
	return n >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static bool is_foreign(const uint8_t *bytes, size_t n)
{
	return n > EI_DATA && (bytes[EI_CLASS] != ELFCLASS64 || bytes[EI_DATA] != ELFDATA2LSB);
}

int elf_needs_read(const void *bytes, size_t n, struct elf_needs *ret, struct diag *reterr)
{
	struct file file = { .bytes = bytes, .n = n, .reterr = reterr };
	struct elf_needs needs = { .is_foreign = is_foreign(bytes, n) };
	bool has_needs = false;
	int rc = !elf_is(bytes, n)   ? refuse(&file, "must begin with \\177ELF")
		 : needs.is_foreign ? 0
				    : file_open(&file, &has_needs);

	for (size_t i = 0; has_needs && i < file.n_headers && rc == 0; i++) {
		Elf64_Phdr header = header_at(&file, i);
		if (header.p_type == PT_INTERP) {
			const char *text = range(&file, header.p_offset, header.p_filesz);
			rc = text ? copy_text(&file, text, header.p_filesz, 0, &needs.loader)
				  : refuse(&file, "the loader's name is not inside of it");
		} else if (header.p_type == PT_DYNAMIC) {
			rc = dynamic_read(&file, &header, &needs);
		}
	}
	if (rc < 0) {
		elf_needs_done(&needs);
		return rc;
	}
	*ret = needs;
	return 0;
}

void elf_needs_done(struct elf_needs *needs)
{
	words_done(&needs->libraries);
	free(needs->loader);
	free(needs->run_path);
	*needs = (struct elf_needs){ 0 };
}
