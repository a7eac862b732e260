// SPDX-License-Identifier: Apache-2.0
#include "agent/payload.h"
#include "agent/root-path.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "k3s/oci-pull.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { HASH_CHUNK = 1 << 20, BACKOFF_CAP_SEC = 30, VERIFY_NICE = 5 };

struct payload {
	sd_event *event;
	char root[256], sha256[SHA256_HEX + 1];
	uint64_t max_bytes;
	bool durable;
	void (*on_change)(void *user);
	void *user;
	enum step_state state;
	char *problem, *path, *kubernetes;
	char progress[64];
	sd_event_source *child, *timer;
	unsigned n_failures;
	bool waiting; // backing off
	bool held, verified, replaced;
	struct http_client *client;
	char *url, *repository;
	struct oci_source source;
	struct oci_fetch *fetch;
	unsigned percent;
};

static void look(struct payload *p);

static int on_backoff_over(sd_event_source *source, uint64_t usec, void *user)
{
	struct payload *p = user;
	p->waiting = false;
	look(p);
	return 0;
}

static void failed(struct payload *p, const char *problem)
{
	str_set(&p->problem, problem);
	p->state = STEP_FAILED;
	uint64_t delay = USEC_PER_SEC + time_backoff_usec(p->n_failures, USEC_PER_SEC, BACKOFF_CAP_SEC * USEC_PER_SEC);
	if (p->n_failures < 16)
		p->n_failures++;
	p->timer = sd_event_source_disable_unref(p->timer);
	p->waiting = sd_event_add_time_relative(p->event, &p->timer, CLOCK_BOOTTIME, delay, 0, on_backoff_over, p) >= 0;
	p->on_change(p->user);
}

// --- mount and link ---

static int mount_by_loop(const char *path, const char *folder)
{
	int control AUTO_CLOSE = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
	if (control < 0 || file < 0)
		return -errno;
	int index = ioctl(control, LOOP_CTL_GET_FREE);
	if (index < 0)
		return -errno;
	char device[32];
	(void)snprintf(device, sizeof(device), "/dev/loop%d", index); // fits
	int loop AUTO_CLOSE = open(device, O_RDONLY | O_CLOEXEC);
	if (loop < 0)
		return -errno;
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
	};
	if (ioctl(loop, LOOP_CONFIGURE, &config) < 0)
		return -errno;
	return mount(device, folder, "erofs", MS_RDONLY | MS_NODEV, NULL) < 0 ? -errno : 0;
}

static bool is_mounted(const char *folder)
{
	char *marker AUTO_FREE = str_format("%s/payload.json", folder);
	return marker && file_exists(marker);
}

// The kernel reads EROFS straight from a file on a real file system; from tmpfs it needs a loop device.
static int mount_erofs(const char *path, const char *folder)
{
	if (mount(path, folder, "erofs", MS_RDONLY | MS_NODEV, NULL) == 0)
		return 0;
	return mount_by_loop(path, folder);
}

/* In place of what is mounted: the new one is mounted beside first, so that a file system that cannot be mounted changes
 * nothing. The old one is detached: what runs from it keeps it. */
static int switch_payload(const struct payload *p, const char *folder)
{
	struct root_path beside = root_path(p->root, RUN_PAYLOAD_NEXT);
	(void)umount2(beside.text, MNT_DETACH); // of a hearthd that died here; none is fine
	int r = file_make_folders(beside.text, 0755);
	if (r == 0)
		r = mount_erofs(p->path, beside.text);
	if (r < 0)
		return r;
	(void)unlink(root_path(p->root, RUN_PAYLOAD_MOUNTED).text); // until it is true again
	// A bind, because what lies below a shared mount cannot be moved.
	if (umount2(folder, MNT_DETACH) < 0 || mount(beside.text, folder, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	(void)umount2(beside.text, MNT_DETACH); // it is in its place, or the next try begins anew
	return r;
}

static int mount_payload(struct payload *p)
{
	struct root_path folder = root_path(p->root, RUN_PAYLOAD);
	int r = file_make_folders(folder.text, 0755);
	if (r < 0)
		return r;
	if (!is_mounted(folder.text))
		return mount_erofs(p->path, folder.text);
	p->replaced = true; // not ours, or without the note that it is
	return switch_payload(p, folder.text);
}

// Links of an older payload to what the mounted one does not have.
static int drop_dangling(const char *folder, const char *mounted)
{
	char path[1024], now[1024];
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
			continue;
		ssize_t n = readlink(path, now, sizeof(now) - 1);
		if (n < 0)
			continue;
		now[n] = '\0';
		if (str_starts(now, mounted) && now[strlen(mounted)] == '/' && access(now, F_OK) < 0)
			(void)unlink(path); // one that stays leads nowhere, as before
	}
	(void)closedir(dir); // read only
	return 0;
}

static int link_all(const struct payload *p, const char *from, const char *to)
{
	char source[1024], target[1024], now[1024];
	struct root_path folder = root_path(p->root, to), mounted = root_path(p->root, RUN_PAYLOAD);
	int r = file_make_folders(folder.text, 0755);
	if (r < 0)
		return r;
	(void)snprintf(source, sizeof(source), "%s/%s", mounted.text, from); // both are short
	DIR *dir = opendir(source);
	(void)drop_dangling(folder.text, mounted.text); // a folder that cannot be read is found out below
	if (!dir)
		return errno == ENOENT ? 0 : -errno; // a payload without this part
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(target, sizeof(target), "%s/%s", folder.text, entry->d_name) >= (int)sizeof(target) ||
			snprintf(source, sizeof(source), "%s/%s/%s", mounted.text, from, entry->d_name) >= (int)sizeof(source)) {
			r = -ENAMETOOLONG;
			break;
		}
		ssize_t n = readlink(target, now, sizeof(now) - 1);
		if (n >= 0) {
			now[n] = '\0';
			if (str_equal(now, source))
				continue;
			(void)unlink(target); // a link of an older payload; symlink() below tells if it stayed
		}
		if (symlink(source, target) < 0 && errno != EEXIST)
			r = -errno;
	}
	(void)closedir(dir); // read only
	return r;
}

static void read_description(struct payload *p)
{
	struct value *document CLEANUP(value_freep) = NULL;
	if (json_load(root_path(p->root, RUN_PAYLOAD "/payload.json").text, 64 << 10, &document, NULL) == 0)
		str_set(&p->kubernetes, value_text(value_find(document, "kubernetes")));
}

static void use(struct payload *p)
{
	const char *step = "mounting it";
	int r = mount_payload(p);
	if (r == 0) {
		step = "linking its CNI plugins";
		r = link_all(p, "cni", "/opt/cni/bin");
	}
	if (r == 0) {
		step = "linking its images";
		r = link_all(p, "images", "/var/lib/rancher/k3s/agent/images");
	}
	if (r < 0) {
		char text[256];
		(void)snprintf(text, sizeof(text), "%s failed: %s", step, strerror(-r)); // short words
		failed(p, text);
		return;
	}
	if (file_write_volatile(root_path(p->root, RUN_PAYLOAD_MOUNTED).text, p->sha256, SHA256_HEX, 0644, NULL) < 0)
		p->n_failures = 0; // without the note a restarted hearthd verifies once more
	read_description(p);
	str_set(&p->problem, NULL);
	p->state = STEP_DONE;
	p->on_change(p->user);
}

// A hearthd before us in this boot has verified and mounted it: the mount holds the very file that was hashed.
static bool mounted_before(const struct payload *p)
{
	char *text AUTO_FREE = NULL;
	return is_mounted(root_path(p->root, RUN_PAYLOAD).text) &&
	       file_read(root_path(p->root, RUN_PAYLOAD_MOUNTED).text, 128, &text, NULL, NULL) >= 0 && str_equal(text, p->sha256);
}

// --- verify, in a child: hashing hundreds of MB would stop the event loop ---

static int hash_file(const char *path, char ret_hex[static SHA256_HEX + 1])
{
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
	struct sha256_stream *stream CLEANUP(sha256_stream_freep) = sha256_stream_new();
	char *chunk AUTO_FREE = malloc(HASH_CHUNK);
	uint8_t hash[32];
	ssize_t n;
	if (fd < 0 || !stream || !chunk)
		return fd < 0 ? -errno : -ENOMEM;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); // a hint
	while ((n = read(fd, chunk, HASH_CHUNK)) > 0)
		sha256_stream_add(stream, chunk, (size_t)n);
	if (n < 0)
		return -errno;
	sha256_stream_end(stream, hash);
	hex_encode(hash, sizeof(hash), ret_hex);
	return 0;
}

static int on_verified(sd_event_source *source, const siginfo_t *info, void *user)
{
	struct payload *p = user;
	p->child = sd_event_source_disable_unref(p->child);
	if (info->si_code == CLD_EXITED && info->si_status == 0) {
		p->n_failures = 0;
		p->verified = true;
		str_set(&p->problem, NULL);
		if (p->held)
			p->on_change(p->user);
		else
			use(p);
		return 0;
	}
	bool fetched = !str_starts(p->path, root_path(p->root, RUN_MEDIUM).text);
	if (info->si_code == CLD_EXITED && info->si_status == 2) {
		if (fetched)
			(void)unlink(p->path); // it is ours and wrong: fetch it again
		failed(p, fetched ? "the stored file is damaged (its SHA-256 is another); it is fetched again"
				  : "the file on the boot medium is damaged (its SHA-256 is another)");
	} else {
		failed(p, "its file cannot be read to the end");
	}
	return 0;
}

static void verify(struct payload *p)
{
	pid_t pid = fork();
	if (pid == 0) {
		char hex[SHA256_HEX + 1];
		if (nice(VERIFY_NICE) < 0)
			errno = 0; // at full priority then
		int r = hash_file(p->path, hex);
		_exit(r < 0 ? 1 : str_equal(hex, p->sha256) ? 0 : 2);
	}
	int r = pid < 0 ? -errno : sd_event_add_child(p->event, &p->child, pid, WEXITED, on_verified, p);
	if (r >= 0)
		r = sd_event_source_set_child_process_own(p->child, true); // freed while it runs: killed and reaped
	if (r < 0) {
		failed(p, strerror(-r));
		return;
	}
	p->state = STEP_RUNNING;
	(void)snprintf(p->progress, sizeof(p->progress), "verifying it"); // fits
	p->on_change(p->user);
}

// --- find and fetch ---

static bool found_at(struct payload *p, const char *folder)
{
	char *path = str_format("%s%s/payload-%s.erofs", p->root, folder, p->sha256);
	if (!path || !file_exists(path)) {
		free(path);
		return false;
	}
	free(p->path);
	p->path = path;
	return true;
}

static int on_progress(uint64_t n_done, uint64_t n_total, void *user)
{
	struct payload *p = user;
	unsigned percent = n_total ? (unsigned)(n_done * 100 / n_total) : 0;
	if (percent / 10 != p->percent / 10) {
		(void)snprintf(p->progress, sizeof(p->progress), "fetching it from the region, %u %%", percent / 10 * 10);
		p->on_change(p->user);
	}
	p->percent = percent;
	return 0;
}

static void on_fetched(const struct oci_fetched *fetched, void *user)
{
	struct payload *p = user;
	p->fetch = NULL;
	if (fetched->error < 0)
		failed(p, fetched->diag ? diag_text(fetched->diag) : strerror(-fetched->error));
	else
		look(p);
}

static void fetch(struct payload *p)
{
	char digest[OCI_DIGEST_TEXT];
	struct root_path folder = root_path(p->root, p->durable ? STATE_PAYLOAD : RUN_PAYLOAD_FILES);
	char *path AUTO_FREE = str_format("%s/payload-%s.erofs", folder.text, p->sha256);
	(void)snprintf(digest, sizeof(digest), "sha256:%s", p->sha256); // exactly fits
	p->source = (struct oci_source){ .client = p->client, .url = p->url, .repository = p->repository };
	p->state = STEP_RUNNING;
	p->percent = 0;
	(void)snprintf(p->progress, sizeof(p->progress), "fetching it from the region"); // fits
	int r = path ? file_make_folders(folder.text, 0700) : -ENOMEM;
	if (r == 0)
		r = oci_fetch_blob_file(&p->source, digest, path, p->max_bytes, on_progress, on_fetched, p, &p->fetch);
	if (r < 0)
		failed(p, strerror(-r));
}

static void look(struct payload *p)
{
	if (p->state == STEP_DONE || p->child || p->fetch || p->waiting || (p->held && p->verified))
		return;
	if (found_at(p, RUN_MEDIUM) || found_at(p, STATE_PAYLOAD) || found_at(p, RUN_PAYLOAD_FILES)) {
		verify(p);
	} else if (p->client && p->url && p->repository) {
		fetch(p);
	} else {
		p->state = STEP_RUNNING;
		(void)snprintf(p->progress, sizeof(p->progress), "it is not on this machine; the region has it");
	}
}

int payload_new(sd_event *event, const char *root, const char *sha256, uint64_t max_bytes, bool durable,
	void (*on_change)(void *user), void *user, struct payload **ret)
{
	uint8_t hash[32];
	if (hex_decode(sha256, hash, 32) < 0)
		return -EINVAL;
	struct payload *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->event = sd_event_ref(event);
	(void)snprintf(p->root, sizeof(p->root), "%s", root); // checked at start of hearthd
	memcpy(p->sha256, sha256, SHA256_HEX + 1);
	p->max_bytes = max_bytes;
	p->durable = durable;
	p->on_change = on_change;
	p->user = user;
	*ret = p;
	if (mounted_before(p)) {
		read_description(p);
		p->state = STEP_DONE;
	} else {
		look(p);
	}
	return 0;
}

struct payload *payload_free(struct payload *p)
{
	if (!p)
		return NULL;
	oci_fetch_cancel(p->fetch);
	sd_event_source_disable_unref(p->child);
	sd_event_source_disable_unref(p->timer);
	free(p->problem);
	free(p->path);
	free(p->kubernetes);
	free(p->url);
	free(p->repository);
	sd_event_unref(p->event);
	free(p);
	return NULL;
}

void payload_offer_region(struct payload *p, struct http_client *client, const char *url, const char *repository)
{
	if (p->fetch && p->client != client) {
		oci_fetch_cancel(p->fetch);
		p->fetch = NULL;
	}
	p->client = client;
	if (!p->fetch) {
		str_set(&p->url, url);
		str_set(&p->repository, repository);
	}
	look(p);
}

void payload_hold(struct payload *p)
{
	p->held = p->state != STEP_DONE;
}

bool payload_is_verified(const struct payload *p)
{
	return p->held && p->verified && !p->waiting;
}

void payload_use(struct payload *p)
{
	use(p);
}

bool payload_replaced(const struct payload *p)
{
	return p->replaced;
}

bool payload_mounted(const char *root, char ret_sha256[static 65])
{
	char *text AUTO_FREE = NULL;
	uint8_t hash[32];
	if (!is_mounted(root_path(root, RUN_PAYLOAD).text) ||
		file_read(root_path(root, RUN_PAYLOAD_MOUNTED).text, 128, &text, NULL, NULL) < 0 || hex_decode(text, hash, 32) < 0)
		return false;
	memcpy(ret_sha256, text, SHA256_HEX + 1);
	return true;
}

void payload_tidy(const struct payload *p)
{
	struct root_path folder = root_path(p->root, STATE_PAYLOAD);
	char *mine AUTO_FREE = str_format("payload-%s.erofs", p->sha256);
	DIR *dir = mine ? opendir(folder.text) : NULL;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char *path AUTO_FREE = str_format("%s/%s", folder.text, entry->d_name);
		if (path && str_starts(entry->d_name, "payload-") && !str_equal(entry->d_name, mine))
			(void)unlink(path); // at the next payload again
	}
	if (dir)
		(void)closedir(dir); // read only
}

void payload_retry(struct payload *p)
{
	p->timer = sd_event_source_disable_unref(p->timer);
	p->waiting = false;
	p->n_failures = 0;
	look(p);
}

enum step_state payload_state(const struct payload *p)
{
	return p->state;
}

const char *payload_problem(const struct payload *p)
{
	return p->problem;
}

const char *payload_progress(const struct payload *p)
{
	return p->progress[0] ? p->progress : "looking for it";
}

const char *payload_kubernetes(const struct payload *p)
{
	return p->kubernetes;
}

const char *payload_sha256(const struct payload *p)
{
	return p->sha256;
}
