// Stage 1: the modules' cpio from the cache and, behind it, a small one with hearth-init and the facts of this build.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "image/build.h"
#include "image/pack.h"
#include "image/run.h"
#include "image/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { STAGE1_PART_MAX = 64 << 20, STAGE1_ZSTD_LEVEL = 19 };

// docs/contracts.md, image.json. Caller frees.
static char *image_json(const struct build *build)
{
	const struct recipe *recipe = build->recipe;
	struct json_out out = { 0 };

	json_out_object_begin(&out);
	json_out_member(&out, "version", HEARTH_VERSION);
	json_out_member(&out, "recipe", recipe->name);
	json_out_member_int(&out, "builtSec", build->epoch_sec);
	json_out_member(&out, "kernel", build->kernel_version);
	json_out_member(&out, "rootSha256", build->root_sha256);
	json_out_member(&out, "rootVerity", build->root_verity);
	json_out_member_int(&out, "rootBytes", (int64_t)build->root_bytes);
	json_out_member(&out, "payloadSha256", *build->payload_sha256 ? build->payload_sha256 : NULL);
	json_out_member_int(&out, "payloadBytes", (int64_t)build->payload_bytes);
	json_out_member(&out, "kubernetes", build->kubernetes ? build->kubernetes : "none");
	json_out_member(&out, "cni", recipe->cni);
	json_out_member(&out, "stateDisk", recipe->state_disk);
	json_out_key(&out, "allowedSeedSources");
	json_out_array_begin(&out);
	for (size_t i = 0; i < recipe->seed_sources.n; i++)
		json_out_string(&out, recipe->seed_sources.items[i]);
	json_out_array_end(&out);
	json_out_member_bool(&out, "lab", recipe->lab);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static int head_make(const struct build *build, const char *path, const char *json, const char *scratch, struct diag *reterr)
{
	char volume[VOLUME_TEXT];
	CLEANUP(pack_freep) struct pack *pack = NULL;
	AUTO_FREE char *init = str_format("%s/hearth-init", build->bin);

	volume_label(build->root_sha256, volume);
	AUTO_FREE char *conf = str_format("VERSION=%s\nROOT=root-%s.erofs\nVOLUME=%s\nVERITY_ROOT=%s\nVERITY_BLOCKS=%" PRIu64 "\n",
		HEARTH_VERSION, build->root_sha256, volume, build->root_verity, build->verity_blocks);
	if (!init || !conf)
		return -ENOMEM;
	if (!file_exists(init))
		return diag_set(reterr, -ENOENT, init, "was not built");
	int rc = run_program((const char *const[]){ "strip", "-o", scratch, init, NULL }, reterr);
	if (rc == 0)
		rc = pack_open(path, PACK_FORMAT_CPIO, STAGE1_ZSTD_LEVEL, build->epoch_sec, &pack, reterr);
	if (rc == 0)
		rc = pack_file(pack, "init", 0755, scratch, reterr);
	if (rc == 0)
		rc = pack_bytes(pack, "etc/hearth/stage1.conf", 0644, conf, strlen(conf), reterr);
	if (rc == 0)
		rc = pack_bytes(pack, "etc/hearth/image.json", 0644, json, strlen(json), reterr);
	(void)unlink(scratch);
	return rc < 0 ? rc : pack_close(pack, reterr);
}

// Append @part to the open file, then zeros up to four bytes: the kernel looks for the next cpio there.
static int part_append(FILE *f, const char *part, struct diag *reterr)
{
	AUTO_FREE char *bytes = NULL;
	size_t n;
	int rc = file_read(part, STAGE1_PART_MAX, &bytes, &n, reterr);

	if (rc < 0)
		return rc;
	if (fwrite(bytes, 1, n, f) != n || fwrite("\0\0\0", 1, (4 - n % 4) % 4, f) != (4 - n % 4) % 4)
		return diag_set(reterr, -EIO, part, "could not be appended to stage1.img");
	return 0;
}

static int join(const char *path, const char *head, const char *modules, struct diag *reterr)
{
	AUTO_FCLOSE FILE *f = fopen(path, "we");

	if (!f)
		return diag_set(reterr, -errno, path, "could not be made: %s", strerror(errno));
	int rc = part_append(f, modules, reterr);
	if (rc == 0)
		rc = part_append(f, head, reterr);
	if (rc == 0 && fflush(f) != 0)
		rc = diag_set(reterr, -errno, path, "could not be written: %s", strerror(errno));
	return rc;
}

int build_stage1(struct build *build, struct diag *reterr)
{
	AUTO_FREE char *json = image_json(build);
	AUTO_FREE char *head = str_format("%s/stage1-head.%d", build->cache, (int)getpid());
	AUTO_FREE char *scratch = str_format("%s/init.%d", build->cache, (int)getpid());
	AUTO_FREE char *modules = str_format("%s/stage1-modules.img", build->kernel);
	AUTO_FREE char *stage1 = str_format("%s/stage1.img", build->out);
	AUTO_FREE char *kernel = str_format("%s/vmlinuz", build->kernel);
	AUTO_FREE char *vmlinuz = str_format("%s/vmlinuz", build->out);
	AUTO_FREE char *facts = str_format("%s/image.json", build->out);
	AUTO_FREE char *cmdline = str_format("%s/cmdline", build->out);
	struct stat st;

	if (!json || !head || !scratch || !modules || !stage1 || !kernel || !vmlinuz || !facts || !cmdline)
		return -ENOMEM;
	int rc = head_make(build, head, json, scratch, reterr);
	if (rc == 0)
		rc = join(stage1, head, modules, reterr);
	(void)unlink(head);
	if (rc == 0)
		rc = file_link_or_copy(kernel, vmlinuz, reterr);
	if (rc == 0)
		rc = file_write_volatile(facts, json, strlen(json), 0644, reterr);
	if (rc == 0)
		rc = file_write_volatile(cmdline, build->recipe->cmdline, strlen(build->recipe->cmdline), 0644, reterr);
	if (rc == 0 && stat(stage1, &st) < 0)
		rc = diag_set(reterr, -errno, stage1, "could not be read: %s", strerror(errno));
	if (rc == 0)
		build->stage1_bytes = (uint64_t)st.st_size;
	return rc;
}
