// SPDX-License-Identifier: Apache-2.0
#include "agent/state-disk.h"
#include "base/file.h"
#include <blkid/blkid.h>
#include <dirent.h>

#define STATE_LABEL "HEARTH-STATE"

static const uint64_t state_min_bytes = UINT64_C(768) << 20, state_comfortable_bytes = UINT64_C(20) << 30;

static bool is_better(const struct state_disk *a, const struct state_disk *b)
{
	bool a_fits = a->facts.size_bytes >= state_comfortable_bytes, b_fits = b->facts.size_bytes >= state_comfortable_bytes;
	if (a_fits != b_fits)
		return a_fits;
	if (a_fits)
		return a->facts.size_bytes < b->facts.size_bytes;
	return a->facts.size_bytes > b->facts.size_bytes;
}

static void append(char sentence[static STATE_SENTENCE_MAX], const char *text)
{
	size_t n = strlen(sentence);
	(void)snprintf(sentence + n, STATE_SENTENCE_MAX - n, "%s%s", n ? "; " : "", text); // cut is fine for people
}

static enum state_verdict choose_existing(const struct state_disk *disks, size_t n_disks, size_t *ret_disk,
	const char **ret_code, char sentence[static STATE_SENTENCE_MAX])
{
	unsigned n_found = 0;
	for (size_t i = 0; i < n_disks; i++) {
		n_found += disks[i].n_state_partitions;
		if (disks[i].n_state_partitions) {
			*ret_disk = i;
			append(sentence, disks[i].state_partition);
		}
	}
	if (n_found == 1) {
		sentence[0] = '\0';
		return STATE_USE;
	}
	*ret_code = "two-states";
	append(sentence, "there is more than one partition labelled " STATE_LABEL
			 ": pull the disk out that is not this machine's");
	return STATE_NONE;
}

static enum state_verdict choose_blank(const struct state_disk *disks, size_t n_disks, const struct state_wish *wish,
	size_t *ret_disk, const char **ret_code, char sentence[static STATE_SENTENCE_MAX])
{
	char why[BLANK_SENTENCE_MAX];
	bool found = false;
	*ret_code = "no-disk";
	for (size_t i = 0; i < n_disks; i++) {
		const struct state_disk *disk = &disks[i];
		if (disk->excluded || (wish->serial && !str_equal(disk->serial, wish->serial)))
			continue;
		if (!disk_is_half_made(&disk->facts, DISK_MARK_STATE) && !disk_is_blank(&disk->facts, why)) {
			*ret_code = "foreign-disk";
			append(sentence, why);
		} else if (disk->facts.size_bytes < state_min_bytes) {
			(void)snprintf(why, sizeof(why), "%.120s is smaller than 768 MiB", disk->facts.path);
			append(sentence, why);
		} else if (!found || is_better(disk, &disks[*ret_disk])) {
			*ret_disk = i;
			found = true;
		}
	}
	if (found) {
		sentence[0] = '\0';
		return STATE_MAKE;
	}
	if (sentence[0])
		append(sentence, "a disk that is not blank is never touched");
	else if (wish->serial)
		(void)snprintf(sentence, STATE_SENTENCE_MAX, "the seed names the disk with serial %s for STATE, and it is not here",
			wish->serial);
	else
		append(sentence, "this machine has no disk that could be STATE");
	return STATE_NONE;
}

enum state_verdict state_choose(const struct state_disk *disks, size_t n_disks, const struct state_wish *wish,
	size_t *ret_disk, const char **ret_code, char sentence[static STATE_SENTENCE_MAX])
{
	sentence[0] = '\0';
	*ret_code = "";
	for (size_t i = 0; i < n_disks; i++)
		if (disks[i].n_state_partitions)
			return choose_existing(disks, n_disks, ret_disk, ret_code, sentence);
	if (!wish->blank_allowed && !wish->serial) {
		*ret_code = "not-allowed";
		append(sentence, "neither seed nor image allows a disk to become STATE (stateDisk)");
		return STATE_NONE;
	}
	return choose_blank(disks, n_disks, wish, ret_disk, ret_code, sentence);
}

// --- finding ---

static void read_attribute(const char *name, const char *attribute, char *ret, size_t n)
{
	char path[400], *text AUTO_FREE = NULL;
	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, attribute); // names are short
	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	size_t end = strlen(text);
	while (end > 0 && text[end - 1] == ' ')
		text[--end] = '\0';
	(void)snprintf(ret, n, "%s", text); // serial numbers fit
}

static bool is_disk_name(const char *name)
{
	static const char *const others[] = { ".", "loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock" };
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		if (str_starts(name, others[i]))
			return false;
	return true;
}

unsigned disk_find_partitions(const char *path, const char *label, char *ret, size_t n_ret)
{
	unsigned n_found = 0;
	blkid_probe probe = blkid_new_probe_from_filename(path);
	if (!probe)
		return 0;
	blkid_partlist list = blkid_probe_get_partitions(probe);
	int n = list ? blkid_partlist_numof_partitions(list) : 0;
	for (int i = 0; i < n; i++) {
		blkid_partition partition = blkid_partlist_get_partition(list, i);
		if (!str_equal(blkid_partition_get_name(partition), label))
			continue;
		size_t end = strlen(path);
		const char *dash = path[end - 1] >= '0' && path[end - 1] <= '9' ? "p" : ""; // nvme0n1 -> nvme0n1p1
		(void)snprintf(ret, n_ret, "%s%s%d", path, dash, blkid_partition_get_partno(partition)); // names are short
		n_found++;
	}
	blkid_free_probe(probe);
	return n_found;
}

size_t state_disks_find(struct state_disk *disks, size_t max_disks, const char *boot_device, bool probe_blank)
{
	size_t n = 0;
	DIR *dir = opendir("/sys/block");
	for (struct dirent *entry; dir && n < max_disks && (entry = readdir(dir));) {
		char path[300], text[64];
		if (!is_disk_name(entry->d_name))
			continue;
		struct state_disk *disk = &disks[n++];
		*disk = (struct state_disk){ 0 };
		(void)snprintf(path, sizeof(path), "/dev/%s", entry->d_name); // names are short
		(void)snprintf(disk->facts.path, sizeof(disk->facts.path), "%.127s", path);
		read_attribute(entry->d_name, "device/serial", disk->serial, sizeof(disk->serial));
		if (!disk->serial[0])
			read_attribute(entry->d_name, "serial", disk->serial, sizeof(disk->serial));
		read_attribute(entry->d_name, "removable", text, sizeof(text));
		disk->excluded = str_equal(text, "1") || (boot_device && str_starts(boot_device, path));
		read_attribute(entry->d_name, "ro", text, sizeof(text));
		disk->excluded |= str_equal(text, "1");
		disk->n_state_partitions =
			disk_find_partitions(path, STATE_LABEL, disk->state_partition, sizeof(disk->state_partition));
		if (probe_blank && !disk->excluded && !disk->n_state_partitions)
			disk_probe(path, &disk->facts);
	}
	if (dir)
		(void)closedir(dir); // read only
	return n;
}
