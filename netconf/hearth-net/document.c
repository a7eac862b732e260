// Which files make the document, and in which order.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/command.h"

#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>

// netplan's folders: a name in an earlier one hides it in the later ones; all are read in the order of their names.
static const char *const folders[] = {"/run/netplan", "/etc/netplan", "/lib/netplan"};

struct found_file {
	char *name;
	size_t folder;
};

static int compare_found(const void *a, const void *b)
{
	const struct found_file *one = a, *other = b;
	int order = strcmp(one->name, other->name);
	return order ? order : (one->folder > other->folder) - (one->folder < other->folder);
}

static int find_files(struct found_file **ret, size_t *ret_n)
{
	struct found_file *found = NULL;
	size_t n = 0;
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		DIR *dir = opendir(folders[i]);
		for (struct dirent *entry; dir && (entry = readdir(dir));) {
			const char *dot = strrchr(entry->d_name, '.');
			if (!str_equal(dot, ".yaml"))
				continue;
			struct found_file *grown = realloc(found, (n + 1) * sizeof(*grown));
			if (!grown)
				abort();
			found = grown;
			found[n++] = (struct found_file){strdup(entry->d_name), i};
		}
		if (dir)
			(void)closedir(dir); // read only
	}
	if (n)
		qsort(found, n, sizeof(*found), compare_found);
	*ret = found;
	*ret_n = n;
	return 0;
}

static int add_document(struct network *network, const char *path, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	int error = yaml_load(path, 0, &document, reterr);
	if (error < 0)
		return error;
	error = network_decode(network, document, reterr);
	if (error < 0)
		diag_prefix(reterr, path);
	return error;
}

int load_network(const struct arguments *arguments, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	struct found_file *found = NULL;
	size_t n = 0;
	int error = 0;
	if (!network)
		return -ENOMEM;
	if (arguments->file)
		error = add_document(network, arguments->file, reterr);
	else
		error = find_files(&found, &n);
	for (size_t i = 0; error == 0 && i < n; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folders[found[i].folder], found[i].name);
		bool is_hidden = i > 0 && str_equal(found[i].name, found[i - 1].name);
		if (!is_hidden)
			error = path ? add_document(network, path, reterr) : -ENOMEM;
	}
	if (error == 0 && !arguments->file && n == 0)
		error = diag_set(reterr, -ENOENT, "", "no netplan file in /etc/netplan, /run/netplan or /lib/netplan; name "
						      "one by --file");
	for (size_t i = 0; i < n; i++)
		free(found[i].name);
	free(found);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(network);
	return 0;
}
