// /boot on the plain-HTTP listener, for firmware that can do no better: static files, the script,
// and a seed without a token. Nothing secret is reachable from here. SPDX-License-Identifier:
// Apache-2.0
#include "region/api.h"

#include "base/file.h"
#include "region/admin.h"
#include "region/boot-script.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// A file at or below the boot folder; links that lead out of it are refused by the kernel.
static int open_below(const char *folder, const char *name, uint64_t *ret_size)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	struct stat st;
	AUTO_CLOSE int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return -errno;
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, folder_fd, name, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

static bool has_file(const struct region *region, const char *name)
{
	uint64_t size;
	AUTO_CLOSE int fd = region->boot_dir ? open_below(region->boot_dir, name, &size) : -1;
	return fd >= 0;
}

// The image's own kernel arguments, or NULL: one line, plain characters.
static char *image_cmdline(const struct region *region)
{
	AUTO_FREE char *path = region->boot_dir ? str_format("%s/cmdline", region->boot_dir) : NULL;
	AUTO_FREE char *text = NULL;
	if (!path || file_read(path, 4096, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '|' || *c == '&')
			return NULL;
	return text[0] ? TAKE_PTR(text) : NULL;
}

// "NAME " of the node that owns @mac, or "".
static void name_of_mac(struct region *region, const char *mac, char ret[static 80])
{
	struct node **nodes;
	char lower[18] = "";
	size_t n;
	ret[0] = '\0';
	if (!mac || strlen(mac) != 17)
		return;
	for (size_t i = 0; i < 17; i++) { // nothing else of the facts may be asked for
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return;
		lower[i] = (char)tolower((unsigned char)mac[i]);
	}
	if (store_node_list_mac(region->store, lower, &nodes, &n) < 0)
		return;
	if (n > 0)
		(void)snprintf(ret, 80, "%s ", nodes[n - 1]->name);
	node_list_free(nodes, n);
}

static int answer_script(struct region *region, struct request *request)
{
	AUTO_FREE char *cmdline = image_cmdline(region);
	const char *root = has_file(region, "root.img")	   ? "root.img"
			   : has_file(region, "root.cpio") ? "root.cpio"
							   : NULL;
	char name[80];
	name_of_mac(region, request_query(request, "mac"), name);
	char *text = boot_script(root, cmdline, name);
	return request_answer_bytes(request, 200, "text/plain", text, text ? strlen(text) : 0);
}

static int answer_seed(struct region *region, struct request *request)
{
	AUTO_FREE char *seed = NULL;
	struct diag diag = { 0 };
	size_t n = 0;
	int r = seed_text(region, NULL, NULL, &seed, &diag);
	if (r < 0)
		return r;
	char *cpio = boot_seed_cpio(seed, &n);
	return request_answer_bytes(request, 200, "application/octet-stream", cpio, n);
}

int api_boot(struct region *region, struct request *request)
{
	const char *name = request->path + strlen("/boot/");
	uint64_t size;
	if (str_equal(name, "boot.ipxe"))
		return answer_script(region, request);
	if (str_equal(name, "seed.img") || str_equal(name, "seed.cpio"))
		return answer_seed(region, request);
	int fd = region->boot_dir && name[0] ? open_below(region->boot_dir, name, &size) : -ENOENT;
	if (fd < 0)
		return request_answer_error(
			request, 404, "not-found", "the boot folder has no such file");
	return request_answer_file(request, fd, size, "application/octet-stream");
}
