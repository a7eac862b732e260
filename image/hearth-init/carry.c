// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/carry.h"
#include "image/hearth-init/file.h"
#include "image/hearth-init/modules.h"
#include "image/hearth-init/say.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEED_MAX_BYTES = 64 << 10,      // as base/seed.h; the ISO's extent is exactly that long
	CREDENTIAL_MAX_BYTES = 1 << 20, // systemd's own CREDENTIAL_SIZE_MAX
};

// Without the newlines and zeros that fill the ISO's preallocated file.
static size_t without_padding(const char *text, size_t n)
{
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	return n;
}

void seed_copy(const char *from, const char *to)
{
	size_t n = 0;
	char *text = read_file(from, SEED_MAX_BYTES + 1, &n);
	int rc = 0;

	if (!text)
		return;
	size_t n_seed = without_padding(text, n);
	if (n > SEED_MAX_BYTES) // half a seed could pass for a whole one
		say("the seed %s is left out: it must be at most %d bytes long", from, SEED_MAX_BYTES);
	else if (n_seed > 0)
		rc = write_file(to, text, n_seed, 0600);
	if (rc < 0)
		say("the seed %s could not be carried over: %s", from, strerror(-rc));
	explicit_bzero(text, n);
	free(text);
}

// systemd-stub(7) leaves credentials in /.extra/credentials/NAME.cred; PID 1 looks for them there only in an initrd.
void credentials_copy(void)
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
		int rc = bytes ? write_file(to, bytes, n, 0400) : -errno;
		if (rc < 0)
			say("the credential %s could not be carried over: %s", entry->d_name, strerror(-rc));
		if (bytes)
			explicit_bzero(bytes, n);
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

void facts_write(const char *device)
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
