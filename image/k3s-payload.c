// SPDX-License-Identifier: Apache-2.0
#include "image/k3s-payload.h"

#include "base/file.h"
#include "base/json.h"
#include "image/run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int must_be_program(const char *path, struct diag *reterr)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;

	if (fd < 0)
		return diag_set(reterr, -errno, path, "could not be opened: %s", strerror(errno));
	if (read(fd, &head, sizeof(head)) != (ssize_t)sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
		head.e_machine != EM_X86_64)
		return diag_set(reterr, -EINVAL, path, "must be an x86-64 program");
	return 0;
}

// "k3s version v1.34.1+k3s1 (24fc436e)": the third word.
static int version_ask(const char *k3s, char **ret, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	char version[64];
	int rc = run_capture((const char *const[]){ k3s, "--version", NULL }, &text, reterr);

	if (rc < 0)
		return rc;
	if (sscanf(text, "k3s version %63s", version) != 1)
		return diag_set(reterr, -EINVAL, k3s, "does not say \"k3s version ...\" when asked with --version");
	return (*ret = strdup(version)) ? 0 : -ENOMEM;
}

static int copy_into(const char *from, const char *folder, const char *name, struct diag *reterr)
{
	AUTO_FREE char *to = str_format("%s/%s", folder, name);

	return to ? run_program((const char *const[]){ "cp", "--reflink=auto", from, to, NULL }, reterr) : -ENOMEM;
}

int k3s_payload_from_file(const char *k3s, const char *version, const char *kind, const char *images, const char *folder, struct diag *reterr)
{
	AUTO_FREE char *asked = NULL;
	AUTO_FREE char *bin = str_format("%s/bin", folder);
	AUTO_FREE char *image_folder = str_format("%s/images", folder);
	AUTO_FREE char *program = str_format("%s/bin/k3s", folder);
	AUTO_FREE char *facts = str_format("%s/payload.json", folder);
	struct json_out out = { 0 };
	int rc = bin && image_folder && program && facts ? must_be_program(k3s, reterr) : -ENOMEM;

	if (rc == 0)
		rc = file_make_folders(bin, 0755);
	if (rc == 0)
		rc = file_make_folders(image_folder, 0755);
	if (rc == 0)
		rc = copy_into(k3s, bin, "k3s", reterr);
	if (rc == 0 && chmod(program, 0755) < 0)
		rc = diag_set(reterr, -errno, program, "could not be made executable: %s", strerror(errno));
	if (rc == 0 && !version)
		rc = version_ask(program, &asked, reterr);
	if (rc == 0 && images) {
		const char *slash = strrchr(images, '/');
		rc = copy_into(images, image_folder, slash ? slash + 1 : images, reterr);
	}
	if (rc < 0)
		return rc;
	AUTO_FREE char *what = str_format("K3s %s", version ? version : asked);
	json_out_object_begin(&out);
	json_out_member(&out, "kubernetes", what);
	json_out_member(&out, "kind", kind);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	return text ? file_write_volatile(facts, text, strlen(text), 0644, reterr) : -ENOMEM;
}
