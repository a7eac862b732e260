// hearth-state: find STATE, or make it on a blank disk that seed or image allow, or say why not; mount it and what lies
// on it. Runs once, early in the boot. `hearth-state probe DISK...` only looks.
// SPDX-License-Identifier: Apache-2.0
#include "agent/disk-program.h"
#include "agent/image-facts.h"
#include "agent/root-path.h"
#include "agent/seed-sources.h"
#include "agent/state-disk.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Blocks are allocated when a file is written, so that ext4's ordered mode puts them on disk before the file's metadata:
 * containerd records an unpacked image durably without syncing its files, and after a power cut they would be empty. */
#define STATE_OPTIONS "nodelalloc"
enum { UDEV_WAIT_MSEC = 60000, DISK_WAIT_MSEC = 10000, LOOK_EVERY_MSEC = 100 };

struct place { // below /state, and where it is seen
	const char *from, *to;
	const char *tmpfs; // size without STATE
};
static const struct place places[] = {
	{ "/state/var/lib/rancher", "/var/lib/rancher", "size=60%" },
	{ "/state/var/lib/kubelet", "/var/lib/kubelet", "size=30%" },
	{ "/state/var/lib/containerd", "/var/lib/containerd", "size=60%" },
	{ "/state/var/lib/cni", "/var/lib/cni", "size=8m" },
	{ "/state/var/log", "/var/log", "size=64m" },
	{ "/state/etc/rancher/node", "/etc/rancher/node", "size=1m" }, // K3s' node password
};
#define STATE_FOLDER "/state"

static void write_answer(const char *state, const char *device, bool durable, const char *sentence, const char *code)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "state", state);
	json_out_member(&out, "device", device);
	json_out_member_bool(&out, "durable", durable);
	json_out_member(&out, "sentence", sentence);
	json_out_member(&out, "code", code);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	struct diag diag = { 0 };
	if (!text || file_write_volatile(RUN_STATE, text, strlen(text), 0644, &diag) < 0)
		log_error("state.json cannot be written: %s", diag_text(&diag));
}

// --- waiting for disks ---

static void wait_for_change(int msec)
{
	struct pollfd fd = { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN };
	if (fd.fd >= 0)
		(void)inotify_add_watch(fd.fd, "/run/udev", IN_DELETE | IN_CREATE); // without it the timeout does
	(void)poll(&fd, 1, msec); // either way we look again
	if (fd.fd >= 0)
		(void)close(fd.fd); // only a watch
}

static bool any_state(const struct state_disk *disks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (disks[i].n_state_partitions)
			return true;
	return false;
}

static bool any_candidate(const struct state_disk *disks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!disks[i].excluded)
			return true;
	return false;
}

/* Disks appear while udev loads drivers. A STATE that is there ends the wait at once; no STATE is believed only when
 * udev has nothing left to do, and no disk at all only after some more time. */
static size_t find_disks(struct state_disk *disks, const char *boot_device, bool wants_disk)
{
	uint64_t start = time_boot_usec();
	for (;;) {
		size_t n = state_disks_find(disks, STATE_MAX_DISKS, boot_device, false);
		uint64_t waited_msec = (time_boot_usec() - start) / USEC_PER_MSEC;
		bool busy = file_exists("/run/udev/queue");
		if (any_state(disks, n) || (busy && waited_msec > UDEV_WAIT_MSEC) ||
			(!busy && (any_candidate(disks, n) || !wants_disk || waited_msec > DISK_WAIT_MSEC)))
			return state_disks_find(disks, STATE_MAX_DISKS, boot_device, true);
		wait_for_change(LOOK_EVERY_MSEC);
	}
}

// --- making and mounting ---

static int make_state(const struct state_disk *disk, struct diag *reterr)
{
	const char *path = disk->facts.path;
	const char *const repart[] = { "systemd-repart", "--dry-run=no", "--empty=require", "--discard=no", "--no-pager",
		"--no-legend", "--definitions=/usr/lib/hearth/repart.d", path, NULL };
	struct disk_facts again;
	char sentence[BLANK_SENTENCE_MAX];
	int r = 0;
	disk_probe(path, &again); // a last look: nothing may have come in between
	if (disk_is_half_made(&again, DISK_MARK_STATE)) {
		log_notice("%s: STATE was being made here when the power went; starting over", path);
		r = disk_clear_making(path, DISK_MARK_STATE, reterr);
	} else {
		if (!disk_is_blank(&again, sentence))
			return diag_set(reterr, -EBUSY, "", "%s", sentence);
		r = disk_mark_making(path, DISK_MARK_STATE, reterr);
	}
	if (r < 0)
		return r;
	log_notice("%s is blank and becomes STATE", path);
	r = disk_program_run(repart);
	return r == 0 ? 0 : diag_set(reterr, -EIO, path, "systemd-repart failed (%d)", r);
}

static int mount_partition(const char *partition, struct diag *reterr)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
	const char *const check[] = { "e2fsck", "-p", partition, NULL };
	for (int i = 0; i < 50 && !file_exists(partition); i++)
		wait_for_change(LOOK_EVERY_MSEC); // the kernel tells devtmpfs a moment after the table was written
	if (mount(partition, STATE_FOLDER, "ext4", flags, STATE_OPTIONS) == 0)
		return 0;
	int error = errno;
	if (disk_program_run(check) >= 0 && mount(partition, STATE_FOLDER, "ext4", flags, STATE_OPTIONS) == 0)
		return 0;
	return diag_set(reterr, -error, partition, "STATE cannot be mounted: %s", strerror(error));
}

static int bind_places(struct diag *reterr)
{
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		int r = file_make_folders(places[i].from, 0755);
		if (r >= 0)
			r = file_make_folders(places[i].to, 0755);
		// A bind mount takes nosuid and nodev of /state along, which containers' file systems may not have.
		if (r >= 0 && mount(places[i].from, places[i].to, NULL, MS_BIND, NULL) < 0)
			r = -errno;
		if (r >= 0 && mount(NULL, places[i].to, NULL, MS_BIND | MS_REMOUNT | MS_NOATIME, NULL) < 0)
			r = -errno;
		if (r < 0)
			return diag_set(reterr, r, places[i].to, "cannot be mounted: %s", strerror(-r));
	}
	return 0;
}

static int mount_tmpfs(const char *to, const char *options)
{
	int r = file_make_folders(to, 0755);
	if (r < 0)
		return r;
	return mount("tmpfs", to, "tmpfs", MS_NOATIME, options) < 0 ? -errno : 0;
}

static void mount_memory(void)
{
	int r = mount_tmpfs(STATE_FOLDER, "size=64m,mode=0700");
	if (r >= 0)
		r = mount_tmpfs(RUN_PAYLOAD_FILES, "size=60%,mode=0700");
	for (size_t i = 0; i < N_ELEMENTS(places) && r >= 0; i++)
		r = mount_tmpfs(places[i].to, places[i].tmpfs);
	if (r < 0)
		log_error("memory file systems cannot be mounted: %s", strerror(-r));
}

static void unmount(const char *path)
{
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		; // whatever lies on it
}

// What a hearth-state before this one mounted that ended before it said so: on its mounts everything would be busy.
static void unmount_all(void)
{
	for (size_t i = N_ELEMENTS(places); i > 0; i--)
		unmount(places[i - 1].to);
	unmount(RUN_PAYLOAD_FILES);
	unmount(STATE_FOLDER);
}

// --- the run ---

static int use_state(const char *partition, struct diag *reterr)
{
	int r = file_make_folders(STATE_FOLDER, 0755);
	if (r >= 0)
		r = mount_partition(partition, reterr);
	if (r >= 0)
		r = bind_places(reterr);
	if (r < 0)
		return r;
	write_answer("disk", partition, true, "", "");
	return 0;
}

static int partition_after_making(const struct state_disk *made, char *ret, size_t n, struct diag *reterr)
{
	static struct state_disk disks[STATE_MAX_DISKS];
	size_t n_disks = state_disks_find(disks, STATE_MAX_DISKS, NULL, false);
	for (size_t i = 0; i < n_disks; i++) {
		if (!str_equal(disks[i].facts.path, made->facts.path) || !disks[i].n_state_partitions)
			continue;
		(void)snprintf(ret, n, "%s", disks[i].state_partition); // same size
		return 0;
	}
	return diag_set(reterr, -ENODEV, made->facts.path, "has no STATE partition after systemd-repart");
}

static int find_or_make(const struct seed_choice *seed, const struct image_facts *image)
{
	static struct state_disk disks[STATE_MAX_DISKS];
	char sentence[STATE_SENTENCE_MAX], device[128], partition[128];
	const char *code = "";
	size_t chosen = 0;
	struct diag diag = { 0 };
	struct state_wish wish = {
		.blank_allowed = image->state_disk_blank || seed->state_disk == SEED_DISK_BLANK,
		.serial = seed->state_disk == SEED_DISK_SERIAL ? seed->state_disk_serial : NULL,
	};
	disk_boot_device(device, sizeof(device));
	size_t n = find_disks(disks, device[0] ? device : NULL, wish.blank_allowed || wish.serial);
	enum state_verdict verdict = state_choose(disks, n, &wish, &chosen, &code, sentence);
	int r = 0;
	if (verdict == STATE_MAKE) {
		write_answer("making", disks[chosen].facts.path, false, "STATE is being made", "");
		r = make_state(&disks[chosen], &diag);
		if (r == 0)
			r = partition_after_making(&disks[chosen], partition, sizeof(partition), &diag);
	} else if (verdict == STATE_USE) {
		(void)snprintf(partition, sizeof(partition), "%s", disks[chosen].state_partition); // same size
	}
	if (verdict != STATE_NONE && r == 0)
		r = use_state(partition, &diag);
	if (verdict != STATE_NONE && r == 0)
		return 0;
	if (r < 0) {
		(void)snprintf(sentence, sizeof(sentence), "%s", diag_text(&diag)); // cut is fine for people
		code = "failed";
	}
	log_warning("no STATE: %s", sentence);
	mount_memory();
	write_answer("none", NULL, false, sentence, code);
	return 0;
}

static int run_boot(void)
{
	struct image_facts image;
	struct seed_sources sources;
	struct seed_choice seed;
	if (file_exists(RUN_STATE)) {
		struct value *before CLEANUP(value_freep) = NULL;
		if (json_load(RUN_STATE, 64 << 10, &before, NULL) == 0 &&
			!str_equal(value_text(value_find(before, "state")), "making"))
			return 0; // started a second time in one boot
	}
	unmount_all();
	int r = file_make_folders("/run/hearth", 0755);
	if (r < 0)
		return r;
	image_facts_load("", &image);
	seed_sources_load("", &image, true, &sources);
	seed_choose(&sources, &seed);
	r = find_or_make(&seed, &image);
	seed_sources_done(&sources);
	return r;
}

static int run_probe(int n_paths, char *paths[])
{
	int rc = 0;
	for (int i = 0; i < n_paths; i++) {
		struct disk_facts disk;
		char sentence[BLANK_SENTENCE_MAX];
		disk_probe(paths[i], &disk);
		if (disk_is_blank(&disk, sentence)) {
			printf("%s is blank\n", paths[i]);
		} else {
			printf("%s\n", sentence);
			rc = 1;
		}
	}
	return rc;
}

static const char help[] = "hearth-state: find or make STATE and mount it (started by systemd, once per boot)\n"
			   "\n"
			   "  hearth-state                 do that\n"
			   "  hearth-state probe DISK...   say whether each disk (or file) is blank, or what is on it; exit 1 if\n"
			   "                               one is not\n";

int main(int argc, char *argv[])
{
	log_open("hearth-state");
	if (argc >= 2 && (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))) {
		fputs(help, stdout);
		return 0;
	}
	if (argc >= 3 && str_equal(argv[1], "probe"))
		return run_probe(argc - 2, argv + 2);
	if (argc > 1) {
		fprintf(stderr, "hearth-state: takes no arguments, or \"probe DISK...\"\n");
		return 2;
	}
	int r = run_boot();
	if (r < 0)
		log_error("%s", strerror(-r));
	return r < 0 ? 1 : 0;
}
