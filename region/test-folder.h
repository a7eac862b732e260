// A folder with a region's database in it, for unit tests. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

struct test_folder {
	char path[64], database[96]; // the database is made by whoever opens it
};

// For a set-up and a tear-down: 0, else nothing is there, or something of others.
static inline int test_folder_make(struct test_folder *folder)
{
	strcpy(folder->path, "/tmp/hearth-region-test.XXXXXX");
	if (!mkdtemp(folder->path))
		return -1;
	(void)snprintf(folder->database, sizeof(folder->database), "%s/region.db", folder->path);
	return 0;
}

static inline int test_folder_remove(const struct test_folder *folder)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		char file[128];
		(void)snprintf(file, sizeof(file), "%s%s", folder->database, ends[i]);
		(void)unlink(file); // not each of them exists
	}
	return rmdir(folder->path);
}

// A region with a store and the rules of @config, and nobody to wake.
static inline int test_region_make(
	struct test_folder *folder, const char *config, struct region *ret)
{
	struct diag diag = { 0 };
	*ret = (struct region){ .wake_fd = -1 };
	int r = test_folder_make(folder);
	if (r == 0)
		r = cluster_config_parse(config, strlen(config), "test", NULL, &ret->config, &diag);
	return r < 0 ? r : store_open(folder->database, true, &ret->store, &diag);
}

static inline int test_region_remove(const struct test_folder *folder, struct region *region)
{
	store_close(region->store);
	cluster_config_free(region->config);
	return test_folder_remove(folder);
}
