// SPDX-License-Identifier: Apache-2.0
#include "agent/volume-disk.h"
#include "agent/disk-program.h"
#include "agent/root-path.h"
#include "agent/state-disk.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statvfs.h>
#include <linux/loop.h>

enum { UDEV_WAIT_MSEC = 30000, DEVICE_WAIT_MSEC = 5000, LOOK_EVERY_MSEC = 50, LOOP_TRIES = 16 };

static int folder_sync(const char *path)
{
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

// --- paths ---

struct paths {
	char mount_point[128], record[128], image[128], unfinished[128];
};

static struct paths paths_of(const char *name) // a checked one, short
{
	struct paths p;
	(void)snprintf(p.mount_point, sizeof(p.mount_point), VOLUME_FOLDER "/%s", name);
	(void)snprintf(p.record, sizeof(p.record), STATE_VOLUMES "/%s.json", name);
	(void)snprintf(p.image, sizeof(p.image), STATE_VOLUMES "/%s.img", name);
	(void)snprintf(p.unfinished, sizeof(p.unfinished), STATE_VOLUMES "/%s.img.making", name);
	return p;
}

static bool is_mounted(const char *mount_point)
{
	struct stat here, above;
	return stat(mount_point, &here) == 0 && stat(VOLUME_FOLDER, &above) == 0 && here.st_dev != above.st_dev;
}

// --- records ---

int volume_label_read(const char *path, struct volume_record *ret)
{
	char bytes[VOLUME_LABEL_BYTES];
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = pread(fd, bytes, sizeof(bytes), VOLUME_LABEL_OFFSET);
	if (n != sizeof(bytes))
		return n < 0 ? -errno : -ENOENT;
	return volume_label_decode(bytes, ret);
}

int volume_label_write(const char *path, const struct volume_record *record)
{
	char bytes[VOLUME_LABEL_BYTES];
	int r = volume_label_encode(record, bytes);
	if (r < 0)
		return r;
	int fd AUTO_CLOSE = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (fd < 0)
		return -errno;
	ssize_t n = pwrite(fd, bytes, sizeof(bytes), VOLUME_LABEL_OFFSET);
	if (n != sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	return fsync(fd) < 0 ? -errno : 0;
}

static bool record_load(const char *path, struct volume_record *ret)
{
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	return file_load_checked(path, VOLUME_LABEL_BYTES, &text, &n, NULL) == 0 && volume_record_parse(text, n, ret, NULL) == 0;
}

size_t volume_records_load(struct volume_record *ret, size_t max)
{
	size_t n = 0;
	DIR *dir = opendir(STATE_VOLUMES);
	for (struct dirent *entry; dir && n < max && (entry = readdir(dir));) {
		size_t end = strlen(entry->d_name);
		char *path AUTO_FREE = str_format(STATE_VOLUMES "/%s", entry->d_name);
		if (path && end > 5 && str_equal(entry->d_name + end - 5, ".json") && record_load(path, &ret[n]) &&
			strlen(ret[n].name) == end - 5 && strncmp(ret[n].name, entry->d_name, end - 5) == 0)
			n++;
	}
	if (dir)
		(void)closedir(dir); // read only
	return n;
}

// --- looking ---

static unsigned find_serial(const char *serial, const char *boot_device, const struct state_disk **ret)
{
	static struct state_disk disks[STATE_MAX_DISKS];
	size_t n = state_disks_find(disks, STATE_MAX_DISKS, boot_device, false);
	unsigned n_found = 0;
	for (size_t i = 0; i < n; i++)
		if (str_equal(disks[i].serial, serial)) {
			*ret = &disks[i];
			n_found++;
		}
	return n_found;
}

static void look_at_disks(const struct volume_wish *wish, const struct volume_owner *owner, struct volume_seen *seen,
	char partition[static 128])
{
	const struct state_disk *found = NULL;
	// STATE may be there before the last driver is loaded: no such disk is believed when udev has nothing left to do.
	for (int waited = 0;; waited += LOOK_EVERY_MSEC) {
		seen->n_disks = find_serial(wish->serial, owner->boot_device, &found);
		if (seen->n_disks || waited >= UDEV_WAIT_MSEC || !file_exists("/run/udev/queue"))
			break;
		(void)poll(NULL, 0, LOOK_EVERY_MSEC);
	}
	if (seen->n_disks != 1)
		return;
	seen->disk = found->facts; // its path
	seen->excluded = found->excluded;
	seen->is_state = found->n_state_partitions > 0;
	if (seen->excluded || seen->is_state)
		return;
	seen->n_partitions = disk_find_partitions(found->facts.path, VOLUME_PARTITION_LABEL, partition, 128);
	if (seen->n_partitions)
		seen->has_label = volume_label_read(found->facts.path, &seen->label) == 0;
	else
		disk_probe(found->facts.path, &seen->disk);
}

static void look(const struct volume_wish *wish, const struct volume_owner *owner, const struct paths *p,
	struct volume_seen *seen, char partition[static 128])
{
	struct statvfs fs;
	struct stat st;
	*seen = (struct volume_seen){ .durable = owner->durable, .mounted = is_mounted(p->mount_point) };
	seen->has_record = owner->durable && record_load(p->record, &seen->record);
	if (wish->source == VOLUME_ON_STATE) {
		seen->has_image = stat(p->image, &st) == 0;
		seen->image_bytes = seen->has_image ? (uint64_t)st.st_size : 0;
		if (statvfs("/state", &fs) == 0)
			seen->state_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	} else if (!seen->mounted) {
		look_at_disks(wish, owner, seen, partition);
	}
}

// --- making ---

static int fail(struct volume_result *result, int error, const char *what, const char *path)
{
	(void)snprintf(result->sentence, sizeof(result->sentence), "%s %s: %s; it is tried again; if that goes on, the disk below it "
		"is full or broken", path, what, strerror(error < 0 ? -error : error)); // cut is fine for people
	return -1;
}

/* The file is written in full under another name and gets its own by the last step: what is called .img is whole. All its
 * blocks are taken now, so that STATE never runs full under it later. */
static int make_image(const struct volume_wish *wish, const struct paths *p, struct volume_result *result)
{
	const char *const mkfs[] = { "mkfs.ext4", "-q", "-F", "-b", "4096", "-L", VOLUME_PARTITION_LABEL, "-m", "0", p->unfinished, NULL };
	int r = file_make_folders(STATE_VOLUMES, 0700);
	if (r < 0)
		return fail(result, r, "cannot be made", STATE_VOLUMES);
	if (unlink(p->unfinished) < 0 && errno != ENOENT) // of an attempt that a power cut ended
		return fail(result, errno, "cannot be removed", p->unfinished);
	int fd AUTO_CLOSE = open(p->unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(result, errno, "cannot be made", p->unfinished);
	r = posix_fallocate(fd, 0, (off_t)wish->bytes);
	if (r == 0 && (r = disk_program_run(mkfs)) > 0)
		r = -EIO;
	if (r == 0 && (fsync(fd) < 0 || rename(p->unfinished, p->image) < 0))
		r = -errno;
	if (r == 0)
		r = folder_sync(STATE_VOLUMES);
	if (r != 0)
		(void)unlink(p->unfinished); // else the next attempt does
	return r == 0 ? 0 : fail(result, r, "cannot be made", p->image);
}

// Mark, record, then systemd-repart, whose last write is the partition table: only then is the disk a volume.
static int make_disk(const struct volume_seen *seen, const struct volume_record *record, char partition[static 128],
	struct volume_result *result)
{
	const char *path = seen->disk.path;
	const char *const repart[] = { "systemd-repart", "--dry-run=no", "--empty=require", "--discard=no", "--no-pager",
		"--no-legend", "--definitions=/usr/lib/hearth/repart-volume.d", path, NULL };
	struct diag diag = { 0 };
	int r = disk_is_half_made(&seen->disk, DISK_MARK_VOLUME) ? disk_clear_making(path, DISK_MARK_VOLUME, &diag)
								  : disk_mark_making(path, DISK_MARK_VOLUME, &diag);
	if (r == 0)
		r = volume_label_write(path, record);
	if (r == 0 && (r = disk_program_run(repart)) > 0)
		r = -EIO;
	if (r < 0)
		return fail(result, r, "cannot be made a volume", path);
	for (int waited = 0; waited < DEVICE_WAIT_MSEC; waited += LOOK_EVERY_MSEC) {
		if (disk_find_partitions(path, VOLUME_PARTITION_LABEL, partition, 128) == 1 && file_exists(partition))
			return 0;
		(void)poll(NULL, 0, LOOK_EVERY_MSEC); // devtmpfs hears of it a moment later
	}
	return fail(result, ENODEV, "has no partition after systemd-repart", path);
}

// --- mounting ---

// A loop device over the file (its sectors are as large as the blocks of the ext4 in it), without a cache of its own, that goes when it is unmounted.
static int loop_attach(const char *path, char device[static 128])
{
	const char *const modprobe[] = { "modprobe", "loop", NULL };
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, .block_size = 4096 };
	int file AUTO_CLOSE = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		return -errno;
	if (!file_exists("/dev/loop-control"))
		(void)disk_program_run(modprobe); // the next open says it
	int control AUTO_CLOSE = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	config.fd = (uint32_t)file;
	for (int i = 0; i < LOOP_TRIES; i++) { // somebody else may take the free one first
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return -errno;
		(void)snprintf(device, 128, "/dev/loop%d", number);
		int loop = open(device, O_RDWR | O_CLOEXEC);
		if (loop < 0)
			return -errno;
		if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			return loop; // open until it is mounted: else it clears itself
		int error = errno;
		(void)close(loop); // not configured
		if (error != EBUSY)
			return -error;
	}
	return -EBUSY;
}

/* The folder is made just before: as long as a volume is not mounted there is none, and a pod waits instead of writing into
 * memory. */
static int mount_device(const char *device, const char *mount_point, struct volume_result *result)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
	const char *const check[] = { "e2fsck", "-p", device, NULL };
	int r = file_make_folders(mount_point, 0755);
	if (r < 0)
		return fail(result, r, "cannot be made", mount_point);
	if (mount(device, mount_point, "ext4", flags, NULL) == 0)
		return 0;
	int error = errno, rc = disk_program_run(check);
	if (rc >= 0 && rc < 4 && mount(device, mount_point, "ext4", flags, NULL) == 0)
		return 0;
	(void)rmdir(mount_point); // a pod must not find it
	return fail(result, error, rc >= 4 ? "cannot be mounted, and e2fsck -p does not mend it" : "cannot be mounted", device);
}

static int mount_volume(const struct volume_wish *wish, const struct paths *p, const char *partition,
	struct volume_result *result)
{
	char device[128];
	if (wish->source == VOLUME_ON_DISK)
		return mount_device(partition, p->mount_point, result);
	int loop AUTO_CLOSE = loop_attach(p->image, device);
	if (loop < 0)
		return fail(result, loop, "gets no loop device", p->image);
	return mount_device(device, p->mount_point, result);
}

// Of the device that is mounted, as the kernel knows it.
static uint64_t bytes_of(const char *mount_point)
{
	char path[128], *text AUTO_FREE = NULL;
	struct stat st;
	if (stat(mount_point, &st) < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(st.st_dev), minor(st.st_dev));
	return file_read(path, 64, &text, NULL, NULL) == 0 ? strtoull(text, NULL, 10) * 512 : 0;
}

// From here on it counts as one that was ready: it is durable before anybody hears of it.
static int record_save(const struct volume_record *record, const struct paths *p, struct volume_result *result)
{
	char *text AUTO_FREE = volume_record_format(record);
	int r = text ? file_make_folders(STATE_VOLUMES, 0700) : -ENOMEM;
	if (r >= 0)
		r = file_save_checked(p->record, text, strlen(text), 0600, NULL);
	return r < 0 ? fail(result, r, "cannot be written", p->record) : 0;
}

void volume_keep(const struct volume_wish *wish, const struct volume_owner *owner, struct volume_result *ret)
{
	const struct paths p = paths_of(wish->name);
	struct volume_record record = { .source = wish->source };
	struct volume_seen seen;
	char partition[128] = "";
	*ret = (struct volume_result){ 0 };
	look(wish, owner, &p, &seen, partition);
	enum volume_verdict verdict = volume_decide(wish, owner->cluster, owner->node, &seen, ret->sentence);
	if (verdict == VOLUME_REFUSED)
		return;
	(void)snprintf(record.cluster, sizeof(record.cluster), "%s", owner->cluster); // these three are names, checked
	(void)snprintf(record.node, sizeof(record.node), "%s", owner->node);
	(void)snprintf(record.name, sizeof(record.name), "%s", wish->name);
	(void)snprintf(record.serial, sizeof(record.serial), "%s", wish->serial ? wish->serial : "");
	record.bytes = wish->serial ? seen.disk.size_bytes : wish->bytes;
	if (verdict == VOLUME_MAKE || verdict == VOLUME_MAKE_AGAIN) {
		log_notice("volume %s is made on %s", wish->name, wish->serial ? seen.disk.path : "STATE");
		if ((wish->serial ? make_disk(&seen, &record, partition, ret) : make_image(wish, &p, ret)) < 0)
			return;
	}
	if (verdict != VOLUME_IS_READY && mount_volume(wish, &p, partition, ret) < 0)
		return;
	ret->bytes = record.bytes = bytes_of(p.mount_point);
	if (!seen.has_record && owner->durable && record_save(&record, &p, ret) < 0)
		return;
	ret->ready = true;
}
