// What is written out: the ISO (BIOS by isolinux, UEFI by a UKI in an appended ESP, hybrid for sticks; root and
// payload stored once, as files of the ISO 9660 file system) and the PXE set.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/seed.h"
#include "image/build.h"
#include "image/pack.h"
#include "image/run.h"
#include "image/volume.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

void volume_label(const char root_sha256[static SHA256_HEX], char ret[static VOLUME_TEXT])
{
	snprintf(ret, VOLUME_TEXT, "HEARTH_%.16s", root_sha256);
	for (char *c = ret; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

static int text_write(const char *folder, const char *name, const char *text, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", folder, name);

	return path && text ? file_write_volatile(path, text, strlen(text), 0644, reterr) : -ENOMEM;
}

static int uki_make(const struct build *build, const char *work, struct diag *reterr)
{
	AUTO_FREE char *linux_ = str_format("--linux=%s/vmlinuz", build->out);
	AUTO_FREE char *initrd = str_format("--initrd=%s/stage1.img", build->out);
	AUTO_FREE char *cmdline = str_format("--cmdline=%s", build->recipe->cmdline);
	AUTO_FREE char *uname = str_format("--uname=%s", build->kernel_version);
	AUTO_FREE char *output = str_format("--output=%s/BOOTX64.EFI", work);
	static const char release[] = "--os-release=ID=hearth\nNAME=Hearth\nPRETTY_NAME=\"Hearth " HEARTH_VERSION
				      "\"\nVERSION_ID=" HEARTH_VERSION "\n";

	if (!linux_ || !initrd || !cmdline || !uname || !output)
		return -ENOMEM;
	return run_program((const char *const[]){ "ukify", "build", linux_, initrd, cmdline, uname, release, output,
				   "--stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub", NULL },
		reterr);
}

// A FAT file system with \EFI\BOOT\BOOTX64.EFI, a little larger than its content.
static int esp_make(const char *work, struct diag *reterr)
{
	AUTO_FREE char *uki = str_format("%s/BOOTX64.EFI", work);
	AUTO_FREE char *esp = str_format("%s/esp.img", work);
	struct stat st;

	if (!uki || !esp)
		return -ENOMEM;
	if (stat(uki, &st) < 0)
		return diag_set(reterr, -errno, uki, "could not be read: %s", strerror(errno));
	// clusters, two FATs and folders fit into 2 MiB more
	AUTO_FREE char *size = str_format("%jd", (intmax_t)((st.st_size + (3 << 20)) / (1 << 20) * 1024));
	if (!size)
		return -ENOMEM;
	(void)unlink(esp);
	int rc = run_program((const char *const[]){ "mkfs.vfat", "--invariant", "-i", "48454152", "-n", "HEARTH-ESP", "-C", esp,
				     size, NULL }, reterr);
	if (rc == 0)
		rc = run_program((const char *const[]){ "mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", NULL }, reterr);
	if (rc == 0)
		rc = run_program((const char *const[]){ "mcopy", "-i", esp, uki, "::/EFI/BOOT/BOOTX64.EFI", NULL }, reterr);
	return rc;
}

// isolinux.cfg: one entry, no menu, no waiting; the serial line too.
static char *isolinux_config(const struct build *build)
{
	return str_format("serial 0 115200\ndefault hearth\nprompt 0\ntimeout 0\nlabel hearth\n"
			  "  kernel /boot/vmlinuz\n  initrd /boot/stage1.img\n  append %s\n", build->recipe->cmdline);
}

static int iso_arguments(const struct build *build, const char *work, const char *iso, struct words *argv)
{
	char volume[VOLUME_TEXT], dates[32];
	struct tm tm;
	time_t epoch = (time_t)build->epoch_sec;

	volume_label(build->root_sha256, volume);
	gmtime_r(&epoch, &tm);
	strftime(dates, sizeof(dates), "%Y%m%d%H%M%S00", &tm);
	int rc = words_add_many(argv, (const char *const[]){ "xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-V", volume,
		"-iso-level", "3", "-r", "--set_all_file_dates", dates, "-isohybrid-mbr", "/usr/lib/ISOLINUX/isohdpfx.bin",
		"-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",
		"-boot-info-table", "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
		"-append_partition", "2", "0xef", NULL });
	if (rc == 0)
		rc = words_add_format(argv, "%s/esp.img", work);
	if (rc == 0)
		rc = words_add_many(argv, (const char *const[]){ "-partition_offset", "16", "-graft-points",
			"/isolinux/isolinux.bin=/usr/lib/ISOLINUX/isolinux.bin",
			"/isolinux/ldlinux.c32=/usr/lib/syslinux/modules/bios/ldlinux.c32", NULL });
	const char *const from_work[] = { "isolinux/isolinux.cfg", "isolinux.cfg", "hearth/seed.yaml", "seed.yaml" };
	for (size_t i = 0; i < N_ELEMENTS(from_work) && rc == 0; i += 2)
		rc = words_add_format(argv, "/%s=%s/%s", from_work[i], work, from_work[i + 1]);
	const char *const from_out[] = { "boot/vmlinuz", "vmlinuz", "boot/stage1.img", "stage1.img", "hearth/image.json",
		"image.json" };
	for (size_t i = 0; i < N_ELEMENTS(from_out) && rc == 0; i += 2)
		rc = words_add_format(argv, "/%s=%s/%s", from_out[i], build->out, from_out[i + 1]);
	if (rc == 0)
		rc = words_add_format(argv, "/root-%s.erofs=%s/root-%s.erofs", build->root_sha256, build->out, build->root_sha256);
	if (rc == 0 && *build->payload_sha256)
		rc = words_add_format(argv, "/payload-%s.erofs=%s/payload-%s.erofs", build->payload_sha256, build->out,
			build->payload_sha256);
	return rc;
}

static int iso_make(struct build *build, const char *work, const char *iso, struct diag *reterr)
{
	AUTO_FREE char *config = isolinux_config(build);
	CLEANUP(words_done) struct words argv = { 0 };
	char seed[SEED_FILE_BYTES + 1];
	struct stat st;

	memset(seed, '\n', SEED_FILE_BYTES);
	seed[SEED_FILE_BYTES] = '\0';
	int rc = uki_make(build, work, reterr);
	if (rc == 0)
		rc = esp_make(work, reterr);
	if (rc == 0)
		rc = text_write(work, "isolinux.cfg", config, reterr);
	if (rc == 0)
		rc = text_write(work, "seed.yaml", seed, reterr);
	if (rc == 0)
		rc = iso_arguments(build, work, iso, &argv);
	if (rc == 0)
		rc = run_program((const char *const *)argv.items, reterr);
	if (rc == 0 && stat(iso, &st) < 0)
		rc = diag_set(reterr, -errno, iso, "could not be read: %s", strerror(errno));
	if (rc == 0)
		build->iso_bytes = (uint64_t)st.st_size;
	return rc;
}

int build_iso(struct build *build, struct diag *reterr)
{
	AUTO_FREE char *work = str_format("%s/iso.%d", build->cache, (int)getpid());
	AUTO_FREE char *iso = str_format("%s/hearth.iso", build->out);

	if (!work || !iso)
		return -ENOMEM;
	step_begin("ISO");
	(void)unlink(iso); // xorriso would append a session to an old one
	int rc = file_make_folders(work, 0755);
	if (rc == 0)
		rc = iso_make(build, work, iso, reterr);
	int removed = remove_tree(work, rc < 0 ? NULL : reterr);
	if (rc == 0)
		rc = removed;
	if (rc == 0)
		step_end();
	return rc;
}

int build_pxe(struct build *build, struct diag *reterr)
{
	static const char *const linked[] = { "vmlinuz", "stage1.img", "image.json", "cmdline" };
	AUTO_FREE char *folder = str_format("%s/pxe", build->out);
	AUTO_FREE char *root = str_format("%s/root-%s.erofs", build->out, build->root_sha256);
	AUTO_FREE char *inside = str_format("root-%s.erofs", build->root_sha256);
	AUTO_FREE char *cpio = str_format("%s/pxe/root.img", build->out);
	AUTO_FREE char *script = str_format("#!ipxe\nkernel vmlinuz initrd=stage1.img initrd=root.img %s\n"
					    "initrd --name stage1.img stage1.img\ninitrd --name root.img root.img\nboot\n",
		build->recipe->cmdline);
	CLEANUP(pack_freep) struct pack *pack = NULL;
	int rc = folder && root && inside && cpio && script ? file_make_folders(folder, 0755) : -ENOMEM;

	for (size_t i = 0; i < N_ELEMENTS(linked) && rc == 0; i++) {
		AUTO_FREE char *from = str_format("%s/%s", build->out, linked[i]);
		AUTO_FREE char *to = str_format("%s/%s", folder, linked[i]);
		rc = from && to ? file_link_or_copy(from, to, reterr) : -ENOMEM;
	}
	// A cpio of its own: any boot loader that takes two initrds can hand it over.
	if (rc == 0)
		rc = pack_open(cpio, PACK_FORMAT_CPIO, 0, build->epoch_sec, &pack, reterr);
	if (rc == 0)
		rc = pack_file(pack, inside, 0644, root, reterr);
	if (rc == 0)
		rc = pack_close(pack, reterr);
	return rc < 0 ? rc : text_write(folder, "boot.ipxe", script, reterr);
}
