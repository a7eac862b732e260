// SPDX-License-Identifier: Apache-2.0
#include "agent/blank.h"
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>

static const char *const marks[N_DISK_MARKS] = {
	[DISK_MARK_STATE] = "HEARTH-STATE is being made on this disk (a power cut came in between).\n",
	[DISK_MARK_VOLUME] = "HEARTH-VOL is being made on this disk (a power cut came in between).\n",
};

bool disk_is_blank(const struct disk_facts *disk, char sentence[static BLANK_SENTENCE_MAX])
{
	sentence[0] = '\0';
	if (disk->open_error == EBUSY)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s is in use", disk->path);
	else if (disk->open_error)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s cannot be opened: %s", disk->path, strerror(disk->open_error));
	else if (disk->n_holders)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s is held by %u other device%s", disk->path, disk->n_holders,
			disk->n_holders == 1 ? "" : "s");
	else if (disk->found[0])
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s holds %s", disk->path, disk->found);
	else if (disk->n_partitions)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s has %u partition%s", disk->path, disk->n_partitions,
			disk->n_partitions == 1 ? "" : "s");
	else if (disk->read_error)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s cannot be read: %s", disk->path, strerror(disk->read_error));
	else if (disk->has_data)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s holds data of an unknown kind at byte %llu", disk->path,
			(unsigned long long)disk->data_offset);
	else if (disk->size_bytes < 2 * BLANK_EDGE_BYTES)
		(void)snprintf(sentence, BLANK_SENTENCE_MAX, "%s is too small", disk->path);
	return sentence[0] == '\0';
}

bool disk_is_half_made(const struct disk_facts *disk, enum disk_mark mark)
{
	return disk->making[mark] && !disk->open_error && !disk->read_error && !disk->n_holders && !disk->n_partitions &&
	       !disk->has_volume;
}

// --- probing ---

static void add_found(struct disk_facts *disk, const char *format, const char *what, const char *label)
{
	size_t n = strlen(disk->found);
	char one[160];
	(void)snprintf(one, sizeof(one), format, what); // cut is fine for people
	(void)snprintf(disk->found + n, sizeof(disk->found) - n, "%s%s%s%s%s", n ? ", " : "", one, label ? ", label \"" : "",
		label ? label : "", label ? "\"" : "");
}

static const char *probe_value(blkid_probe probe, const char *name)
{
	const char *text = NULL;
	return blkid_probe_lookup_value(probe, name, &text, NULL) == 0 ? text : NULL;
}

// Every superblock and every partition table, wherever libblkid knows to look (also at the end of the disk).
static void look_for_signatures(int fd, struct disk_facts *disk)
{
	blkid_probe probe = blkid_new_probe();
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0) {
		disk->read_error = disk->read_error ? disk->read_error : EIO;
		if (probe)
			blkid_free_probe(probe);
		return;
	}
	(void)blkid_probe_enable_superblocks(probe, 1); // these three cannot fail on a live probe
	(void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_LABEL |
						       BLKID_SUBLKS_BADCSUM);
	(void)blkid_probe_enable_partitions(probe, 1);
	(void)blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
	int r = 0;
	for (int i = 0; i < 16 && (r = blkid_do_probe(probe)) == 0; i++) {
		const char *type = probe_value(probe, "TYPE"), *usage = probe_value(probe, "USAGE");
		const char *table = probe_value(probe, "PTTYPE");
		if (table)
			add_found(disk, "a partition table (%s)", table, NULL);
		if (!type)
			continue;
		disk->has_volume = true;
		if (str_equal(usage, "filesystem"))
			add_found(disk, "a file system (%s)", type, probe_value(probe, "LABEL"));
		else if (str_equal(usage, "raid"))
			add_found(disk, "a member of a RAID or volume group (%s)", type, probe_value(probe, "LABEL"));
		else if (str_equal(usage, "crypto"))
			add_found(disk, "an encrypted volume (%s)", type, probe_value(probe, "LABEL"));
		else
			add_found(disk, "a volume (%s)", type, probe_value(probe, "LABEL"));
	}
	if (r < 0 && !disk->read_error)
		disk->read_error = EIO; // not looked at everywhere: not blank
	blkid_free_probe(probe);
}

// First byte that is not zero in [from, to), as an offset; to when there is none; -errno.
static int64_t first_data(int fd, uint64_t from, uint64_t to, char *chunk, size_t n_chunk)
{
	for (uint64_t at = from; at < to;) {
		size_t want = to - at < n_chunk ? (size_t)(to - at) : n_chunk;
		ssize_t n = pread(fd, chunk, want, (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i])
				return (int64_t)at + i;
		at += (uint64_t)n;
	}
	return (int64_t)to;
}

static void look_at_edge(int fd, struct disk_facts *disk, uint64_t from, uint64_t to)
{
	static char chunk[64 << 10];
	int64_t at = disk->has_data || disk->read_error ? (int64_t)to : first_data(fd, from, to, chunk, sizeof(chunk));
	if (at < 0) {
		disk->read_error = (int)-at;
	} else if ((uint64_t)at < to) {
		disk->has_data = true;
		disk->data_offset = (uint64_t)at;
	}
}

/* Between the edges: samples all over the disk, and where ext keeps its first spare superblock (1, 2, 4 KiB blocks). A disk
 * of which only the edges were wiped is somebody's accident, not blank. */
static void look_inside(int fd, struct disk_facts *disk)
{
	static const uint64_t spares[] = { UINT64_C(8193) << 10, UINT64_C(16384) << 11, UINT64_C(32768) << 12 };
	const uint64_t step = disk->size_bytes / BLANK_SAMPLES / BLANK_SAMPLE_BYTES * BLANK_SAMPLE_BYTES;
	for (size_t i = 0; i < N_ELEMENTS(spares); i++)
		if (spares[i] + BLANK_SAMPLE_BYTES <= disk->size_bytes)
			look_at_edge(fd, disk, spares[i], spares[i] + BLANK_SAMPLE_BYTES);
	for (uint64_t at = step; step && at + BLANK_SAMPLE_BYTES <= disk->size_bytes; at += step)
		look_at_edge(fd, disk, at, at + BLANK_SAMPLE_BYTES);
}

static bool has_mark(int fd, enum disk_mark mark)
{
	char sector[512];
	return pread(fd, sector, sizeof(sector), 0) == sizeof(sector) &&
	       memcmp(sector, marks[mark], strlen(marks[mark]) + 1) == 0;
}

static unsigned count_entries(const char *folder, const char *prefix)
{
	unsigned n = 0;
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		n += entry->d_name[0] != '.' && (!prefix || str_starts(entry->d_name, prefix));
	if (dir)
		(void)closedir(dir); // read only
	return n;
}

static void look_at_kernel(const char *path, struct disk_facts *disk)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char folder[300];
	(void)snprintf(folder, sizeof(folder), "/sys/class/block/%s/holders", name); // device names are short
	disk->n_holders = count_entries(folder, NULL);
	(void)snprintf(folder, sizeof(folder), "/sys/class/block/%s", name);
	disk->n_partitions = count_entries(folder, name);
}

static int size_of(int fd, uint64_t *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) < 0 ? -errno : 0;
	*ret = (uint64_t)st.st_size;
	return 0;
}

void disk_probe(const char *path, struct disk_facts *ret)
{
	struct stat st;
	*ret = (struct disk_facts){ 0 };
	(void)snprintf(ret->path, sizeof(ret->path), "%s", path); // for people
	bool is_block = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	if (is_block)
		look_at_kernel(path, ret);
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_block ? O_EXCL : 0));
	if (fd < 0) {
		ret->open_error = errno;
		return;
	}
	int r = size_of(fd, &ret->size_bytes);
	if (r < 0) {
		ret->read_error = -r;
		return;
	}
	for (int i = 0; i < N_DISK_MARKS; i++)
		ret->making[i] = has_mark(fd, (enum disk_mark)i);
	look_for_signatures(fd, ret);
	uint64_t edge = ret->size_bytes < BLANK_EDGE_BYTES ? ret->size_bytes : BLANK_EDGE_BYTES;
	look_at_edge(fd, ret, 0, edge);
	look_at_edge(fd, ret, ret->size_bytes - edge, ret->size_bytes);
	look_inside(fd, ret);
}

// --- the mark ---

static int write_at(int fd, const void *bytes, size_t n, uint64_t offset)
{
	ssize_t written = pwrite(fd, bytes, n, (off_t)offset);
	return written < 0 ? -errno : (size_t)written == n ? 0 : -EIO;
}

int disk_mark_making(const char *path, enum disk_mark mark, struct diag *reterr)
{
	char sector[512] = { 0 };
	int fd AUTO_CLOSE = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (fd < 0)
		return diag_set(reterr, -errno, path, "cannot be opened for writing: %s", strerror(errno));
	memcpy(sector, marks[mark], strlen(marks[mark]));
	int r = write_at(fd, sector, sizeof(sector), 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? diag_set(reterr, r, path, "cannot be written: %s", strerror(-r)) : 0;
}

static int clear_edge(int fd, uint64_t from, uint64_t to)
{
	static const char zeros[64 << 10];
	int r = 0;
	while (r == 0 && from < to) {
		size_t n = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		r = write_at(fd, zeros, n, from);
		from += n;
	}
	return r;
}

int disk_clear_making(const char *path, enum disk_mark mark, struct diag *reterr)
{
	uint64_t size = 0;
	int fd AUTO_CLOSE = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (fd < 0)
		return diag_set(reterr, -errno, path, "cannot be opened for writing: %s", strerror(errno));
	if (!has_mark(fd, mark))
		return diag_set(reterr, -EINVAL, path, "does not carry our mark");
	int r = size_of(fd, &size);
	uint64_t edge = size < BLANK_EDGE_BYTES ? size : BLANK_EDGE_BYTES;
	if (r == 0)
		r = clear_edge(fd, size - edge, size);
	if (r == 0)
		r = clear_edge(fd, 512, edge); // the mark stays until systemd-repart's last write
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? diag_set(reterr, r, path, "cannot be cleared: %s", strerror(-r)) : 0;
}
