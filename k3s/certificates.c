// SPDX-License-Identifier: Apache-2.0
#include "k3s/certificates.h"
#include "base/crypto.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>

enum { CERTIFICATE_MAX_BYTES = 64 << 10 };

static const char *const folders[] = {"server/tls", "server/tls/etcd", "agent"};

static void look_at(const char *data, const char *folder, const char *name, struct k3s_certificate *soonest)
{
	struct cert_facts facts CLEANUP(cert_facts_done) = {0};
	char *path AUTO_FREE = str_format("%s/%s/%s", data, folder, name), *pem AUTO_FREE = NULL;

	if (!path || file_read(path, CERTIFICATE_MAX_BYTES, &pem, NULL, NULL) < 0 ||
		cert_facts_from_pem(pem, &facts, NULL) < 0 || facts.is_ca)
		return;
	if (*soonest->name && facts.not_after_sec >= soonest->not_after_sec)
		return;
	soonest->not_after_sec = facts.not_after_sec;
	snprintf(soonest->name, sizeof(soonest->name), "%s/%s", folder, name);
}

int k3s_certificate_soonest(const char *data, struct k3s_certificate *ret)
{
	struct k3s_certificate soonest = {0};

	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		char *path AUTO_FREE = str_format("%s/%s", data, folders[i]);
		DIR *dir = path ? opendir(path) : NULL;

		for (struct dirent *entry; dir && (entry = readdir(dir));)
			if (fnmatch("*.crt", entry->d_name, FNM_PERIOD) == 0)
				look_at(data, folders[i], entry->d_name, &soonest);
		if (dir)
			(void)closedir(dir); // read only
	}
	if (!*soonest.name)
		return -ENOENT;
	*ret = soonest;
	return 0;
}
