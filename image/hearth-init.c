// Stage 1: the /init of the small initramfs. Says who this machine is, finds the root file by its hash (in the
// initramfs or on the medium it was booted from), puts dm-verity over it, lays a tmpfs over that, carries over what
// only stage 1 can see (seeds, credentials), and becomes systemd. Nothing here decides anything about regions.
// It ends in exactly two ways: exec of systemd, or one sentence on every console and a reboot a minute later.
//
// This file is the order of things; the folder of the same name has the parts. Nothing but libc is linked.
// Sources: Documentation/filesystems/ramfs-rootfs-initramfs.rst, systemd-stub(7).
// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/carry.h"
#include "image/hearth-init/conf.h"
#include "image/hearth-init/file.h"
#include "image/hearth-init/medium.h"
#include "image/hearth-init/modules.h"
#include "image/hearth-init/root.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void introduce(void)
{
	char vendor[128], product[128], serial[128];

	read_line("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	read_line("/sys/class/dmi/id/product_name", product, sizeof(product));
	read_line("/sys/class/dmi/id/product_serial", serial, sizeof(serial));
	say("Hearth %s on %s %s, serial %s; looking for %.17s...", conf.version, vendor[0] ? vendor : "(no vendor)",
		product[0] ? product : "(no product)", serial[0] ? serial : "(none)", conf.root_name);
}

// Free the memory of the initramfs: everything on its own file system but the root file and mount points in use.
static void initramfs_remove(const char *folder, dev_t device, bool top)
{
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[4096];
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (top && strcmp(entry->d_name, conf.root_name) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", top ? "" : folder, entry->d_name);
		if (lstat(path, &st) < 0 || st.st_dev != device)
			continue;
		if (S_ISDIR(st.st_mode)) {
			initramfs_remove(path, device, false);
			(void)rmdir(path); // fails for a folder that still holds a mount point: right
		} else {
			(void)unlink(path);
		}
	}
	if (dir)
		closedir(dir);
}

static void become_systemd(const struct timespec *started)
{
	static const char *const moved[] = { "/run", "/dev", "/sys", "/proc", NULL };
	char *const argv[] = { (char *)"/usr/lib/systemd/systemd", NULL };
	struct stat root;
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	say("root file found, verified as it is read; starting the system %lld.%02ld s after kernel start, stage 1 took %ld ms",
		(long long)now.tv_sec, now.tv_nsec / 10000000,
		(now.tv_sec - started->tv_sec) * 1000 + (now.tv_nsec - started->tv_nsec) / 1000000);
	for (size_t i = 0; moved[i]; i++) {
		char target[64];
		snprintf(target, sizeof(target), "/root.d/root%s", moved[i]);
		mkdir(target, 0755);
		if (mount(moved[i], target, NULL, MS_MOVE, NULL) < 0)
			give_up("%s could not be moved into the root: %s", moved[i], strerror(errno));
	}
	if (stat("/", &root) == 0)
		initramfs_remove("/", root.st_dev, true);
	if (chdir("/root.d/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		give_up("the root could not be switched: %s", strerror(errno));
	execv(argv[0], argv);
	give_up("systemd could not be started: %s", strerror(errno));
}

static bool cmdline_has(const char *word)
{
	char *text = read_file("/proc/cmdline", 8192, NULL), *save = NULL;
	bool found = false;

	for (char *w = text ? strtok_r(text, " \n", &save) : NULL; w && !found; w = strtok_r(NULL, " \n", &save))
		found = strcmp(w, word) == 0;
	free(text);
	return found;
}

int main(void)
{
	char device[MAX_TEXT], path[2 * MAX_TEXT];
	struct timespec started;

	if (getpid() != 1) {
		fprintf(stderr, "hearth-init: is the first process of a Hearth initramfs, not a command\n");
		return 2;
	}
	clock_gettime(CLOCK_BOOTTIME, &started);
	umask(0);
	mount_or_give_up("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_give_up("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_give_up("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	consoles_open();
	mount_or_give_up("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	mkdir("/run/hearth", 0755);
	mkdir("/run/hearth/seed.d", 0700);
	conf_load();
	introduce();
	modules_open();
	module_want("virtio_rng"); // first randomness: without it early TLS waits ten seconds

	snprintf(path, sizeof(path), "/%s", conf.root_name);
	if (access(path, R_OK) == 0) {
		facts_write(NULL);
	} else if (cmdline_has("hearth.medium=initramfs")) {
		give_up("%s is not in the initramfs: the boot loader has to load it as a second initrd", conf.root_name);
	} else {
		medium_wait(device);
		snprintf(path, sizeof(path), "/run/hearth/medium/%s", conf.root_name);
		facts_write(device);
		seed_copy("/run/hearth/medium/hearth/seed.yaml", "/run/hearth/seed.d/40-iso.yaml");
	}
	seed_copy("/hearth/seed.yaml", "/run/hearth/seed.d/30-initrd.yaml");
	credentials_copy();
	root_mount(path);
	become_systemd(&started);
}
