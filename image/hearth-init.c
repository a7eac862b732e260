// Stage 1: the /init of the small initramfs. Says who this machine is, finds the root file by its hash (in the
// initramfs or on the medium it was booted from), puts dm-verity over it, lays a tmpfs over that, carries over what
// only stage 1 can see (seeds, credentials), and becomes systemd. Nothing here decides anything about regions.
// It ends in exactly two ways: exec of systemd, or one sentence on every console and a reboot a minute later.
//
// The facts of the image lie in /etc/hearth/stage1.conf (KEY=VALUE lines written by hearth-image).
// Sources: Documentation/filesystems/ramfs-rootfs-initramfs.rst, device-mapper/verity.rst, linux/dm-ioctl.h,
// linux/loop.h, systemd-stub(7), modprobe's modules.dep and modules.alias.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_CONSOLES = 8,
	MAX_TEXT = 512,
	SEED_MAX_BYTES = 64 << 10,      // as base/seed.h; the ISO's extent is exactly that long
	CREDENTIAL_MAX_BYTES = 1 << 20, // systemd's own CREDENTIAL_SIZE_MAX
	MEDIUM_WAIT_SEC = 60,           // USB sticks and BMC virtual media take tens of seconds to appear
	REBOOT_AFTER_SEC = 60,
};

static struct {
	char version[MAX_TEXT], root_name[MAX_TEXT], volume[MAX_TEXT], verity_root[MAX_TEXT];
	uint64_t verity_blocks; // data blocks of 4096 bytes; the hash tree begins right behind them
} conf;

static struct {
	int fds[MAX_CONSOLES];
	size_t n;
} consoles;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void say_text(const char *text)
{
	char line[2 * MAX_TEXT];
	int n = snprintf(line, sizeof(line), "hearth: %s\n", text);

	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	for (size_t i = 0; i < consoles.n; i++)
		(void)!write(consoles.fds[i], line, (size_t)n); // a console that is gone must not stop the boot
}

static void say(const char *format, ...)
{
	char text[MAX_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_text(text);
}

static void give_up(const char *format, ...)
{
	char text[MAX_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_text(text);
	say("this machine cannot start; it tries again in %d seconds", REBOOT_AFTER_SEC);
	sleep(REBOOT_AFTER_SEC);
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

// --- small files

// At most @max bytes, NUL-terminated behind them; the caller frees. NULL with errno.
static char *read_file(const char *path, size_t max, size_t *ret_n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(max + 1);
	size_t n = 0;

	while (text && n < max) {
		ssize_t got = read(fd, text + n, max - n);
		if (got < 0) {
			free(text);
			text = NULL;
		}
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (text) {
		text[n] = '\0';
		if (ret_n)
			*ret_n = n;
	}
	return text;
}

static void read_line(const char *path, char *ret, size_t size)
{
	char *text = read_file(path, size - 1, NULL);

	snprintf(ret, size, "%s", text ? text : "");
	ret[strcspn(ret, "\n")] = '\0';
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\' || (unsigned char)*c > '~')
			*c = '?';
	free(text);
}

static int write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < n && rc == 0;) {
		ssize_t put = write(fd, (const char *)bytes + done, n - done);
		if (put < 0)
			rc = -errno;
		else
			done += (size_t)put;
	}
	close(fd);
	return rc;
}

// Without the newlines and zeros that fill the ISO's preallocated file.
static size_t without_padding(const char *text, size_t n)
{
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	return n;
}

// --- the start

static void mount_or_give_up(const char *what, const char *where, const char *type, unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, data) < 0 && errno != EBUSY)
		give_up("%s could not be mounted as %s: %s", where, type, strerror(errno));
}

static void consoles_open(void)
{
	char names[MAX_TEXT];
	char *save = NULL;

	read_line("/sys/class/tty/console/active", names, sizeof(names));
	for (char *name = strtok_r(names, " ", &save); name && consoles.n < MAX_CONSOLES;
		name = strtok_r(NULL, " ", &save)) {
		char path[MAX_TEXT];
		snprintf(path, sizeof(path), "/dev/%s", name);
		int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			consoles.fds[consoles.n++] = fd;
	}
}

static void conf_load(void)
{
	char *text = read_file("/etc/hearth/stage1.conf", 16 << 10, NULL);
	const struct {
		const char *key;
		char *into;
	} keys[] = { { "VERSION=", conf.version }, { "ROOT=", conf.root_name }, { "VOLUME=", conf.volume },
		{ "VERITY_ROOT=", conf.verity_root } };
	char *save = NULL;

	if (!text)
		give_up("stage 1 has no /etc/hearth/stage1.conf: this initramfs was not made by hearth-image");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
				snprintf(keys[i].into, MAX_TEXT, "%s", line + strlen(keys[i].key));
		if (strncmp(line, "VERITY_BLOCKS=", 14) == 0)
			conf.verity_blocks = strtoull(line + 14, NULL, 10);
	}
	free(text);
	if (!conf.root_name[0] || !conf.verity_root[0] || conf.verity_blocks == 0)
		give_up("stage 1 does not name its root file: this initramfs was not made by hearth-image");
}

static void introduce(void)
{
	char vendor[128], product[128], serial[128];

	read_line("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	read_line("/sys/class/dmi/id/product_name", product, sizeof(product));
	read_line("/sys/class/dmi/id/product_serial", serial, sizeof(serial));
	say("Hearth %s on %s %s, serial %s; looking for %.17s...", conf.version, vendor[0] ? vendor : "(no vendor)",
		product[0] ? product : "(no product)", serial[0] ? serial : "(none)", conf.root_name);
}

// --- modules: modules.dep and modules.alias of stage 1 are the list of what it carries

static struct {
	char folder[MAX_TEXT], *dep, *alias;
} modules;

static void modules_open(void)
{
	struct utsname name;
	char path[MAX_TEXT + 32];

	uname(&name);
	snprintf(modules.folder, sizeof(modules.folder), "/lib/modules/%s", name.release);
	snprintf(path, sizeof(path), "%s/modules.dep", modules.folder);
	modules.dep = read_file(path, 4 << 20, NULL);
	snprintf(path, sizeof(path), "%s/modules.alias", modules.folder);
	modules.alias = read_file(path, 4 << 20, NULL);
	if (!modules.dep || !modules.alias)
		give_up("stage 1 has no modules for kernel %s: kernel and stage 1 belong to different builds", name.release);
}

static int module_insert(const char *relative)
{
	char path[2 * MAX_TEXT];
	snprintf(path, sizeof(path), "%s/%s", modules.folder, relative);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
	close(fd);
	return rc == -EEXIST ? 0 : rc;
}

static bool module_has_name(const char *path, size_t n, const char *name)
{
	const char *base = memrchr(path, '/', n);

	base = base ? base + 1 : path;
	size_t n_base = n - (size_t)(base - path);
	if (n_base < 3 || memcmp(base + n_base - 3, ".ko", 3) != 0 || n_base - 3 != strlen(name))
		return false;
	for (size_t i = 0; i < n_base - 3; i++) // kmod: '-' and '_' are the same letter
		if (base[i] != name[i] && !((base[i] == '-' || base[i] == '_') && (name[i] == '-' || name[i] == '_')))
			return false;
	return true;
}

// modules.dep: "path: dependency dependency ..." with the deepest dependency last. 1: stage 1 has no such module.
static int module_load(const char *name)
{
	for (const char *line = modules.dep; *line;) {
		size_t n_line = strcspn(line, "\n"), n_path = strcspn(line, ":\n");
		if (module_has_name(line, n_path, name)) {
			char text[4096], *words[64], *save = NULL;
			size_t n_words = 0;
			if (n_line >= sizeof(text))
				return -E2BIG;
			memcpy(text, line, n_line);
			text[n_line] = '\0';
			for (char *word = strtok_r(text, ": ", &save); word && n_words < 64; word = strtok_r(NULL, ": ", &save))
				words[n_words++] = word;
			int rc = 0;
			for (size_t i = n_words; i-- > 0 && rc == 0;)
				rc = module_insert(words[i]);
			return rc;
		}
		line += n_line + (line[n_line] == '\n');
	}
	return 1;
}

// One that is built into the kernel is not in modules.dep: what needs it will say so.
static void module_want(const char *name)
{
	int rc = module_load(name);

	if (rc < 0)
		say("module %s could not be loaded: %s", name, strerror(-rc));
}

// modules.alias: "alias PATTERN NAME"
static void modules_load_alias(const char *modalias)
{
	for (const char *line = modules.alias; *line;) {
		size_t n_line = strcspn(line, "\n");
		char pattern[MAX_TEXT], name[128];
		if (n_line < sizeof(pattern) && sscanf(line, "alias %511s %127s", pattern, name) == 2 &&
			fnmatch(pattern, modalias, 0) == 0)
			module_want(name);
		line += n_line + (line[n_line] == '\n');
	}
}

// Load drivers for every device of @bus that was not looked at before; was there any?
static bool modules_coldplug(const char *bus)
{
	static char *seen[1024]; // a rack server has some 300 distinct modaliases
	static size_t n_seen;
	char folder[MAX_TEXT];
	bool any = false;

	snprintf(folder, sizeof(folder), "/sys/bus/%s/devices", bus);
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[2 * MAX_TEXT], modalias[MAX_TEXT];
		bool known = false;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/modalias", folder, entry->d_name);
		read_line(path, modalias, sizeof(modalias));
		for (size_t i = 0; i < n_seen && !known; i++)
			known = strcmp(seen[i], modalias) == 0;
		if (!modalias[0] || known || n_seen == sizeof(seen) / sizeof(seen[0]))
			continue;
		seen[n_seen++] = strdup(modalias);
		modules_load_alias(modalias);
		any = true;
	}
	if (dir)
		closedir(dir);
	return any;
}

// --- the root file

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

static void medium_wait(char ret_device[static MAX_TEXT])
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

// A read-only loop device over @path; the device's name goes to @ret_device.
static void loop_attach(const char *path, char ret_device[static 32])
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_READ_ONLY, .block_size = 4096 };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		give_up("the kernel has no loop devices: %s", strerror(errno));
	snprintf(ret_device, 32, "/dev/loop%d", number);
	int loop = open(ret_device, O_RDONLY | O_CLOEXEC), file = open(path, O_RDONLY | O_CLOEXEC);
	if (loop < 0 || file < 0)
		give_up("%s could not be opened: %s", loop < 0 ? ret_device : path, strerror(errno));
	config.fd = (uint32_t)file;
	if (ioctl(loop, LOOP_CONFIGURE, &config) < 0)
		give_up("%s could not be attached to %s: %s", path, ret_device, strerror(errno));
	close(file);
	close(loop);
	close(control);
}

struct dm_request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char parameters[2048];
};

static void dm_call(int fd, unsigned long command, struct dm_request *request, uint32_t flags, const char *step)
{
	request->head.version[0] = DM_VERSION_MAJOR;
	request->head.data_size = sizeof(*request);
	request->head.data_start = sizeof(request->head);
	request->head.flags = flags;
	snprintf(request->head.name, sizeof(request->head.name), "hearth-root");
	if (ioctl(fd, command, request) < 0)
		give_up("the root file could not be put under dm-verity (%s): %s", step, strerror(errno));
}

// dm-verity over @loop: every block is checked against the hash in stage 1 when it is first read.
static void verity_open(const char *loop)
{
	struct dm_request request = { 0 };
	int fd;

	module_want("dm-verity");
	mkdir("/dev/mapper", 0755);
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up("the kernel has no device mapper: %s", strerror(errno));
	dm_call(fd, DM_DEV_CREATE, &request, 0, "create");

	memset(&request, 0, sizeof(request));
	request.head.target_count = 1;
	request.target.length = conf.verity_blocks * 8;
	snprintf(request.target.target_type, sizeof(request.target.target_type), "verity");
	snprintf(request.parameters, sizeof(request.parameters), "1 %s %s 4096 4096 %llu %llu sha256 %s -", loop, loop,
		(unsigned long long)conf.verity_blocks, (unsigned long long)conf.verity_blocks, conf.verity_root);
	dm_call(fd, DM_TABLE_LOAD, &request, DM_READONLY_FLAG, "load");

	memset(&request, 0, sizeof(request));
	dm_call(fd, DM_DEV_SUSPEND, &request, DM_READONLY_FLAG, "resume");
	mknod("/dev/hearth-root", S_IFBLK | 0600, makedev((unsigned)major(request.head.dev), (unsigned)minor(request.head.dev)));
	close(fd);
}

static void root_mount(const char *path)
{
	char loop[32];

	module_want("loop");
	module_want("crc32c_generic"); // libcrc32c asks for it by name, and nobody here answers request_module()
	module_want("erofs");
	module_want("overlay");
	loop_attach(path, loop);
	verity_open(loop);
	mkdir("/root.d", 0755);
	mkdir("/root.d/lower", 0755);
	if (mount("/dev/hearth-root", "/root.d/lower", "erofs", MS_RDONLY, NULL) < 0)
		give_up("%s", errno == EIO || errno == EINVAL ?
			"the root file does not have the content that stage 1 was made for: it is damaged or was changed; write the medium anew" :
			"the root file cannot be mounted: the kernel has no EROFS");
	mount_or_give_up("tmpfs", "/root.d/write", "tmpfs", 0, "mode=0755");
	mkdir("/root.d/write/upper", 0755);
	mkdir("/root.d/write/work", 0755);
	mount_or_give_up("overlay", "/root.d/root", "overlay", 0,
		"lowerdir=/root.d/lower,upperdir=/root.d/write/upper,workdir=/root.d/write/work");
	if (access("/root.d/root/usr/lib/systemd/systemd", X_OK) < 0)
		give_up("the root file %s has no systemd: it is damaged or of another kind (%s)", conf.root_name, strerror(errno));
	(void)unlink("/dev/hearth-root"); // the mount holds the device
}

// --- what only stage 1 can see

static void seed_copy(const char *from, const char *to)
{
	size_t n = 0;
	char *text = read_file(from, SEED_MAX_BYTES, &n);

	if (!text)
		return;
	size_t n_seed = without_padding(text, n);
	int rc = n_seed > 0 ? write_file(to, text, n_seed, 0600) : 0;
	if (rc < 0)
		say("the seed %s could not be carried over: %s", from, strerror(-rc));
	explicit_bzero(text, n);
	free(text);
}

// systemd-stub(7) leaves credentials in /.extra/credentials/NAME.cred; PID 1 looks for them there only in an initrd.
static void credentials_copy(void)
{
	DIR *dir = opendir("/.extra/credentials");

	if (!dir)
		return;
	mkdir("/run/credentials", 0755);
	mkdir("/run/credentials/@encrypted", 0700);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char from[MAX_TEXT], to[MAX_TEXT];
		size_t n_name = strlen(entry->d_name), n = 0;
		if (n_name <= 5 || strcmp(entry->d_name + n_name - 5, ".cred") != 0)
			continue;
		snprintf(from, sizeof(from), "/.extra/credentials/%s", entry->d_name);
		snprintf(to, sizeof(to), "/run/credentials/@encrypted/%.*s", (int)(n_name - 5), entry->d_name);
		char *bytes = read_file(from, CREDENTIAL_MAX_BYTES, &n);
		if (!bytes || write_file(to, bytes, n, 0400) < 0)
			say("the credential %s could not be carried over: %s", entry->d_name, strerror(errno));
		free(bytes);
	}
	closedir(dir);
	setenv("ENCRYPTED_CREDENTIALS_DIRECTORY", "/run/credentials/@encrypted", 1);
}

// UEFI's SecureBoot variable: four bytes of attributes, then 1 when it is enforced.
static bool secure_boot_enforced(void)
{
	size_t n = 0;

	module_want("efivarfs");
	mkdir("/efivars", 0755);
	if (mount("efivarfs", "/efivars", "efivarfs", MS_RDONLY, NULL) < 0)
		return false;
	char *bytes = read_file("/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", 16, &n);
	bool enforced = bytes && n == 5 && bytes[4] == 1;
	free(bytes);
	umount2("/efivars", MNT_DETACH);
	return enforced;
}

// docs/contracts.md, boot.json. @device is NULL when the root came inside the initramfs.
static void facts_write(const char *device)
{
	bool uefi = access("/sys/firmware/efi", F_OK) == 0;
	bool unauthenticated = !device && !(uefi && secure_boot_enforced());
	char json[4 * MAX_TEXT];
	size_t n = 0;
	int n_json = snprintf(json, sizeof(json),
		"{\"medium\":\"%s\",\"device\":%s%s%s,\"mount\":%s,\"firmware\":\"%s\",\"unauthenticated\":%s}\n",
		device ? "iso" : "initramfs", device ? "\"" : "", device ? device : "null", device ? "\"" : "",
		device ? "\"/run/hearth/medium\"" : "null", uefi ? "uefi" : "bios", unauthenticated ? "true" : "false");
	char *image = read_file("/etc/hearth/image.json", 64 << 10, &n);

	if (!image || write_file("/run/hearth/image.json", image, n, 0644) < 0 ||
		write_file("/run/hearth/boot.json", json, (size_t)n_json, 0644) < 0)
		give_up("the facts of the image could not be written to /run/hearth: %s", strerror(errno));
	free(image);
}

// --- the end

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
