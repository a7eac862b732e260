// Which files make the document, and in which order.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/command.h"

#include "base/file.h"
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

static int add_found(struct found_file **found, size_t *n, const char *name, size_t folder)
{
	struct found_file *grown = realloc(*found, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*found = grown;
	grown[*n] = (struct found_file){strdup(name), folder};
	if (!grown[*n].name)
		return -ENOMEM;
	(*n)++;
	return 0;
}

// As netplan's *.yaml, which leaves out what begins with a dot.
static bool is_document(const char *name)
{
	const char *dot = strrchr(name, '.');
	return name[0] != '.' && str_equal(dot, ".yaml");
}

// A folder that is not there is none; one that cannot be read is an error: half a network is worse than none.
static int find_in(size_t folder, struct found_file **found, size_t *n, struct diag *reterr)
{
	DIR *dir = opendir(folders[folder]);
	int error = dir ? 0 : -errno;
	if (error == -ENOENT)
		return 0;
	while (error == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry) {
			error = -errno;
			break;
		}
		if (is_document(entry->d_name))
			error = add_found(found, n, entry->d_name, folder);
	}
	if (dir)
		(void)closedir(dir); // read only
	return error < 0 ? diag_set(reterr, error, folders[folder], "cannot be read: %s", strerror(-error)) : 0;
}

static int find_files(struct found_file **found, size_t *n, struct diag *reterr)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(folders); i++)
		error = find_in(i, found, n, reterr);
	if (*n)
		qsort(*found, *n, sizeof(**found), compare_found);
	return error;
}

// *ret_text is the caller's, and takes the place of another.
static int add_document(struct network *network, const char *path, char **ret_text, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	size_t n;
	free(TAKE_PTR(*ret_text));
	bool is_stdin = str_equal(path, "-");
	const char *name = is_stdin ? "stdin" : path;
	int error = file_read(is_stdin ? "/dev/stdin" : path, YAML_MAX_BYTES, ret_text, &n, reterr);
	if (error == 0)
		error = yaml_parse(*ret_text, n, 0, name, &document, reterr);
	return error < 0 ? error : network_decode(network, document, name, reterr);
}

int load_network(const struct arguments *arguments, struct network **ret, char **ret_text, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	struct found_file *found = NULL;
	size_t n = 0;
	int error = 0;
	if (!network)
		return -ENOMEM;
	if (arguments->file)
		error = add_document(network, arguments->file, &text, reterr);
	else
		error = find_files(&found, &n, reterr);
	for (size_t i = 0; error == 0 && i < n; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folders[found[i].folder], found[i].name);
		bool is_hidden = i > 0 && str_equal(found[i].name, found[i - 1].name);
		if (!is_hidden)
			error = path ? add_document(network, path, &text, reterr) : -ENOMEM;
	}
	if (error == 0 && !arguments->file && n == 0)
		error = diag_set(reterr, -ENOENT, "", "no netplan file in /run/netplan, /etc/netplan or /lib/netplan; name "
						      "one with --file");
	for (size_t i = 0; i < n; i++)
		free(found[i].name);
	free(found);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(network);
	if (ret_text)
		*ret_text = arguments->file ? TAKE_PTR(text) : NULL;
	return 0;
}
