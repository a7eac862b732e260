// The payload: a folder with the Kubernetes part (docs/contracts.md) as payload-<sha256>.erofs. Making it takes longer
// than anything else that changes rarely, so it is cached by the folder's names, sizes and times.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "image/build.h"
#include "image/pack.h"
#include "image/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { PAYLOAD_JSON_MAX = 64 << 10 };

static int folder_key(const struct build *build, const char *folder, char ret_key[static 17], struct diag *reterr)
{
	CLEANUP(words_done) struct words files = { 0 }, lines = { 0 };
	int rc = tree_list(folder, &files, reterr);

	if (rc == 0)
		rc = words_add_format(&lines, "payload 1 %s %s %" PRId64, folder, build->recipe->payload_compression,
			build->epoch_sec);
	for (size_t i = 0; i < files.n && rc == 0; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folder, files.items[i]);
		struct stat st;
		if (!path)
			return -ENOMEM;
		if (lstat(path, &st) < 0)
			return diag_set(reterr, -errno, path, "could not be read: %s", strerror(errno));
		rc = words_add_format(&lines, "%s %jd %jd.%09ld %o", files.items[i], (intmax_t)st.st_size,
			(intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (unsigned)st.st_mode);
	}
	if (rc < 0)
		return rc;
	AUTO_FREE char *text = words_join(&lines, "\n");
	if (!text)
		return -ENOMEM;
	cache_key(text, ret_key);
	return 0;
}

static int what_it_is(struct build *build, const char *folder, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/payload.json", folder);
	CLEANUP(value_freep) struct value *document = NULL;
	const char *text;
	int rc = path ? json_load(path, PAYLOAD_JSON_MAX, &document, reterr) : -ENOMEM;

	if (rc < 0)
		return rc;
	if (!value_find(document, "kubernetes"))
		return diag_set(reterr, -EINVAL, path, "must have the key kubernetes: what it is, with its version");
	rc = value_string(value_find(document, "kubernetes"), "kubernetes", &text, reterr);
	if (rc == 0 && !(build->kubernetes = strdup(text)))
		rc = -ENOMEM;
	return rc;
}

// payload.erofs and its hash in the folder @work.
static int payload_make(const struct build *build, const char *folder, const char *work, struct diag *reterr)
{
	AUTO_FREE char *file = str_format("%s/payload.erofs", work);
	AUTO_FREE char *hash = str_format("%s/sha256", work);
	char hex[SHA256_HEX + 1];
	int rc = file && hash ? file_make_folders(work, 0755) : -ENOMEM;

	if (rc == 0)
		rc = erofs_make(build, build->recipe->payload_compression, folder, false, file, reterr);
	if (rc == 0)
		rc = sha256_file(file, hex, reterr);
	return rc < 0 ? rc : file_write_volatile(hash, hex, SHA256_HEX, 0644, reterr);
}

int build_payload(struct build *build, const char *folder, struct diag *reterr)
{
	char key[17];
	struct stat st;
	int rc = what_it_is(build, folder, reterr);

	if (rc == 0)
		rc = folder_key(build, folder, key, reterr);
	if (rc < 0)
		return rc;
	AUTO_FREE char *cached = str_format("%s/payload-%s", build->cache, key);
	AUTO_FREE char *work = str_format("%s/payload-%s.%d", build->cache, key, (int)getpid());
	AUTO_FREE char *known = NULL;
	if (!cached || !work)
		return -ENOMEM;
	if (!file_exists(cached)) {
		step_begin("payload: %s", build->kubernetes);
		rc = payload_make(build, folder, work, reterr);
		if (rc == 0)
			rc = cache_publish(work, cached, reterr);
		if (rc < 0) {
			(void)remove_tree(work, NULL); // the first error is the one to show
			return rc;
		}
		step_end();
	}
	rc = cache_prune(build->cache, "payload-", cached, reterr);
	AUTO_FREE char *hash = str_format("%s/sha256", cached);
	AUTO_FREE char *file = str_format("%s/payload.erofs", cached);
	if (!hash || !file)
		return -ENOMEM;
	if (rc == 0)
		rc = file_read(hash, SHA256_HEX, &known, NULL, reterr);
	if (rc < 0)
		return rc;
	snprintf(build->payload_sha256, sizeof(build->payload_sha256), "%s", known);
	AUTO_FREE char *path = str_format("%s/payload-%s.erofs", build->out, known);
	rc = path ? file_link_or_copy(file, path, reterr) : -ENOMEM;
	if (rc == 0 && stat(path, &st) < 0)
		rc = diag_set(reterr, -errno, path, "could not be read: %s", strerror(errno));
	if (rc == 0)
		build->payload_bytes = (uint64_t)st.st_size;
	return rc;
}
