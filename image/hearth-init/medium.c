// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/medium.h"
#include "image/hearth-init/conf.h"
#include "image/hearth-init/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEDIUM_WAIT_SEC = 60 }; // USB sticks and BMC virtual media take tens of seconds to appear

// Is there an ISO 9660 file system with our volume label? (ECMA-119 8.4: primary descriptor in sector 16)
static bool medium_is_ours(const char *device)
{
	char sector[2048];
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool ours = fd >= 0 && pread(fd, sector, sizeof(sector), 16 * 2048) == (ssize_t)sizeof(sector) &&
		    memcmp(sector + 1, "CD001", 5) == 0 && strlen(conf.volume) <= 32 &&
		    memcmp(sector + 40, conf.volume, strlen(conf.volume)) == 0;

	if (fd >= 0)
		close(fd);
	return ours;
}

static bool medium_try(const char *name, char ret_device[static MAX_TEXT])
{
	static char complained[MAX_TEXT]; // the device that was complained of last: it is looked at ten times a second
	char path[2 * MAX_TEXT], device[MAX_TEXT];
	bool again;

	snprintf(device, sizeof(device), "/dev/%s", name);
	if (!medium_is_ours(device))
		return false;
	again = strcmp(complained, device) == 0;
	if (mount(device, "/run/hearth/medium", "iso9660", MS_RDONLY, NULL) < 0) {
		if (!again)
			say("%s has our volume %s but cannot be mounted: %s", device, conf.volume, strerror(errno));
		snprintf(complained, sizeof(complained), "%s", device);
		return false;
	}
	snprintf(path, sizeof(path), "/run/hearth/medium/%s", conf.root_name);
	if (access(path, R_OK) == 0) {
		snprintf(ret_device, MAX_TEXT, "%s", device);
		return true;
	}
	if (!again)
		say("%s has our volume %s but not the file %s of this build: passed over", device, conf.volume, conf.root_name);
	snprintf(complained, sizeof(complained), "%s", device);
	umount2("/run/hearth/medium", MNT_DETACH);
	return false;
}

// Every block device that is no loop, ram or device-mapper, whole disks and partitions (/sys/class/block has both).
static bool medium_find(char ret_device[static MAX_TEXT], char *ret_seen, size_t seen_size)
{
	DIR *dir = opendir("/sys/class/block");
	bool found = false;

	ret_seen[0] = '\0';
	for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
		const char *name = entry->d_name;
		if (name[0] == '.' || strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0 ||
			strncmp(name, "dm-", 3) == 0 || strncmp(name, "fd", 2) == 0)
			continue;
		size_t n = strlen(ret_seen);
		snprintf(ret_seen + n, seen_size - n, "%s%s", n ? ", " : "", name);
		found = medium_try(name, ret_device);
	}
	if (dir)
		closedir(dir);
	return found;
}

void medium_wait(char ret_device[static MAX_TEXT])
{
	// The quick ones first: a virtual disk is found before the drivers of every other controller are loaded.
	static const char *const buses[] = { "virtio", "scsi", "pci", "usb", "vmbus", "platform" };
	char seen[MAX_TEXT] = "";

	module_want("isofs");
	mkdir("/run/hearth/medium", 0755);
	for (int tenths = 0; tenths < 10 * MEDIUM_WAIT_SEC; tenths++) {
		for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
			if (modules_coldplug(buses[i]) && medium_find(ret_device, seen, sizeof(seen)))
				return;
		if (medium_find(ret_device, seen, sizeof(seen)))
			return;
		if (tenths % 50 == 20)
			say("waiting for the boot medium with volume %s; seen so far: %s", conf.volume,
				seen[0] ? seen : "no block device at all");
		usleep(100 * 1000);
	}
	give_up("no boot medium with volume %s and file %s after %d seconds (seen: %s): is the stick or virtual CD still "
		"connected?", conf.volume, conf.root_name, MEDIUM_WAIT_SEC, seen[0] ? seen : "no block device at all");
}
