// SPDX-License-Identifier: Apache-2.0
#include "region/boot-script.h"

char *boot_script(const char *root, const char *cmdline, const char *name)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	if (!f)
		return NULL;
	fputs("#!ipxe\n", f);
	fprintf(f, "echo Hearth: %s${net0/mac} boots from its region\n", name ? name : "");
	fputs("kernel vmlinuz initrd=stage1.img", f);
	if (root)
		fprintf(f, " initrd=%s", root);
	fprintf(f, " initrd=seed.img %s || goto failed\n", cmdline ? cmdline : BOOT_CMDLINE);
	fputs("initrd --name stage1.img stage1.img || goto failed\n", f);
	if (root)
		fprintf(f, "initrd --name %s %s || goto failed\n", root, root);
	fputs("initrd --name seed.img seed.img || goto failed\n", f);
	fputs("boot || goto failed\n", f);
	fputs(":failed\necho Hearth: the region does not serve what this machine needs; next try "
	      "in 10 s\n",
		f);
	fputs("sleep 10\nchain boot.ipxe\n", f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void put_padding(FILE *f, size_t n, size_t multiple)
{
	for (; n % multiple; n++)
		fputc('\0', f);
}

static void put_entry(
	FILE *f, unsigned inode, unsigned mode, const char *name, const char *bytes, size_t n)
{
	size_t n_name = strlen(name) + 1;
	fprintf(f, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode, mode, 0u,
		0u, mode & 040000 ? 2u : 1u, 0u, (unsigned)n, 0u, 0u, 0u, 0u, (unsigned)n_name, 0u);
	fwrite(name, 1, n_name, f);
	put_padding(f, 110 + n_name, 4);
	fwrite(bytes, 1, n, f);
	put_padding(f, n, 4);
}

char *boot_seed_cpio(const char *seed, size_t *ret_n)
{
	char *bytes = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&bytes, &n);
	if (!f)
		return NULL;
	put_entry(f, 1, 040755, "hearth", "", 0);
	put_entry(f, 2, 0100600, "hearth/seed.yaml", seed, strlen(seed));
	put_entry(f, 0, 0, "TRAILER!!!", "", 0);
	fflush(f);
	put_padding(f, n, 512);
	if (fclose(f) != 0) {
		free(bytes);
		return NULL;
	}
	*ret_n = n;
	return bytes;
}
