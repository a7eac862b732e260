// Runs a fuzz target once over every file of the folders named on the command line: the corpus as a normal test.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static int run_file(const char *folder, const char *name)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -1;
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	size_t max = 16u << 20, n;
	uint8_t *bytes = malloc(max);
	if (!bytes) {
		fclose(f);
		return -1;
	}
	n = fread(bytes, 1, max, f);
	fclose(f);
	uint8_t *exact = malloc(n ? n : 1); // exact size, so that a sanitizer sees one byte too far
	if (exact) {
		memcpy(exact, bytes, n);
		LLVMFuzzerTestOneInput(exact, n);
	}
	free(exact);
	free(bytes);
	return 0;
}

int main(int argc, char *argv[])
{
	int n_files = 0;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (!dir) {
			fprintf(stderr, "%s: cannot be opened: %m\n", argv[i]);
			return 1;
		}
		for (struct dirent *entry; (entry = readdir(dir));) {
			if (entry->d_name[0] == '.')
				continue;
			if (run_file(argv[i], entry->d_name) < 0) {
				fprintf(stderr, "%s/%s: cannot be read\n", argv[i], entry->d_name);
				return 1;
			}
			n_files++;
		}
		closedir(dir);
	}
	printf("%d inputs\n", n_files);
	return n_files > 0 ? 0 : 1;
}
