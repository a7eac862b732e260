// SPDX-License-Identifier: Apache-2.0
#include "qemu/lab.h"

#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

// A UDP port that is free now; other labs keep theirs, since their QEMUs are bound to them.
static int find_segment_port(uint16_t *ret)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 || getsockname(fd, (struct sockaddr *)&address, &n) < 0)
		return -errno;
	*ret = ntohs(address.sin_port);
	return 0;
}

static int lab_make(const char *path, struct lab *lab, struct diag *reterr)
{
	int r = find_segment_port(&lab->segment_port);
	if (r < 0)
		return diag_set(reterr, r, path, "no UDP port for the segment: %s", strerror(-r));
	AUTO_FREE char *text = str_format("{\"segmentPort\":%u}\n", lab->segment_port);
	return text ? file_write_volatile(path, text, strlen(text), 0644, reterr) : -ENOMEM;
}

int lab_open(const char *folder, struct lab *ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	int64_t port;

	int r = file_make_folders(folder, 0755);
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	AUTO_FREE char *absolute = realpath(folder, NULL);
	if (!absolute)
		return diag_set(reterr, -errno, folder, "cannot be opened: %s", strerror(errno));
	if (strlen(absolute) + 1 + LAB_NAME_MAX + sizeof("/" LAB_FILE_CONSOLE) > 107)
		return diag_set(reterr, -ENAMETOOLONG, absolute, "is too long for unix sockets in it (at most %zu)",
			107 - 1 - LAB_NAME_MAX - sizeof("/" LAB_FILE_CONSOLE));
	AUTO_FREE char *path = str_format("%s/lab.json", absolute);
	if (!path)
		return -ENOMEM;
	struct lab lab = {0};
	if (!file_exists(path)) {
		r = lab_make(path, &lab, reterr);
		if (r < 0)
			return r;
	} else {
		r = json_load(path, 4096, &value, reterr);
		if (r == 0)
			r = value_int(value_find(value, "segmentPort"), "segmentPort", 1, 65535, &port, reterr);
		if (r < 0)
			return r;
		lab.segment_port = (uint16_t)port;
	}
	lab.folder = TAKE_PTR(absolute);
	*ret = lab;
	return 0;
}

void lab_done(struct lab *lab)
{
	free(lab->folder);
	*lab = (struct lab){0};
}

char *lab_path(const struct lab *lab, const char *node, const char *file)
{
	return str_format("%s/%s/%s", lab->folder, node, file);
}

int lab_node_load(const struct lab *lab, const char *name, struct lab_node **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	AUTO_FREE char *path = lab_path(lab, name, LAB_FILE_NODE);
	if (!path)
		return -ENOMEM;
	if (strchr(name, '/') || !file_exists(path))
		return diag_set(reterr, -ENOENT, name, "is no node of the lab %s", lab->folder);
	int r = yaml_load(path, LAB_SPEC_BYTES, &value, reterr); // JSON is YAML, with numbers kept as texts
	return r < 0 ? r : lab_node_decode(value, ret, reterr);
}

static int by_number(const void *a, const void *b)
{
	const struct lab_node *const *x = a, *const *y = b;
	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

int lab_nodes(const struct lab *lab, struct lab_node ***ret, size_t *ret_n, struct diag *reterr)
{
	struct lab_node **nodes = calloc(LAB_MAX_NODES, sizeof(*nodes));
	DIR *dir = nodes ? opendir(lab->folder) : NULL;
	size_t n = 0;
	int r = 0;

	if (!dir) {
		r = nodes ? -errno : -ENOMEM;
		free(nodes);
		return diag_set(reterr, r, lab->folder, "cannot be read: %s", strerror(-r));
	}
	for (struct dirent *entry; r == 0 && n < LAB_MAX_NODES && (entry = readdir(dir));) {
		AUTO_FREE char *path = lab_path(lab, entry->d_name, LAB_FILE_NODE);
		if (entry->d_name[0] == '.' || !path || !file_exists(path))
			continue;
		r = lab_node_load(lab, entry->d_name, &nodes[n], reterr);
		if (r == 0)
			n++;
	}
	(void)closedir(dir);
	if (r < 0) {
		lab_spec_done(nodes, n);
		return r;
	}
	qsort(nodes, n, sizeof(*nodes), by_number);
	*ret = nodes;
	*ret_n = n;
	return 0;
}

static int make_absolute(char **path, const char *what, struct diag *reterr)
{
	if (!*path)
		return 0;
	char *absolute = realpath(*path, NULL);
	if (!absolute)
		return diag_set(reterr, -errno, what, "\"%s\" cannot be opened: %s", *path, strerror(errno));
	free(*path);
	*path = absolute;
	return 0;
}

int lab_node_keep(const struct lab *lab, struct lab_node *node, struct diag *reterr)
{
	struct lab_node **others;
	size_t n_others;
	int r = lab_node_validate(node, reterr);
	if (r == 0)
		r = make_absolute(&node->iso, "iso", reterr);
	if (r == 0)
		r = make_absolute(&node->kernel, "kernel", reterr);
	if (r == 0)
		r = make_absolute(&node->initrd, "initrd", reterr);
	if (r == 0)
		r = make_absolute(&node->smbios_seed, "smbiosSeed", reterr);
	for (size_t i = 0; r == 0 && i < node->n_disks; i++)
		r = make_absolute(&node->disks[i].file, "disks", reterr);
	if (r == 0)
		r = lab_nodes(lab, &others, &n_others, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_others; i++)
		if (others[i]->number == node->number && !str_equal(others[i]->name, node->name))
			r = diag_set(reterr, -EEXIST, "number", "%u is the number of \"%s\"", node->number,
				others[i]->name);
	lab_spec_done(others, n_others);
	AUTO_FREE char *folder = lab_path(lab, node->name, "");
	AUTO_FREE char *path = lab_path(lab, node->name, LAB_FILE_NODE);
	AUTO_FREE char *text = lab_node_format(node);
	if (r < 0)
		return r;
	if (!folder || !path || !text)
		return -ENOMEM;
	r = file_make_folders(folder, 0755);
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	return file_write_volatile(path, text, strlen(text), 0644, reterr);
}

int lab_node_console_open(const struct lab *lab, const char *name, int *ret_fd, struct diag *reterr)
{
	AUTO_FREE char *log_path = lab_path(lab, name, LAB_FILE_CONSOLE_LOG);
	AUTO_FREE char *started_path = lab_path(lab, name, LAB_FILE_STARTED);
	AUTO_FREE char *started = NULL;
	if (!log_path || !started_path)
		return -ENOMEM;
	AUTO_CLOSE int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diag_set(reterr, -errno, name, "has no console log: %s", strerror(errno));
	if (file_read(started_path, 64, &started, NULL, NULL) == 0 && lseek(fd, (off_t)atoll(started), SEEK_SET) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
