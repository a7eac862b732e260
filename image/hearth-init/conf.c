// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/conf.h"
#include "image/hearth-init/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf conf;

void conf_load(void)
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
