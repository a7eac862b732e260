// The facts of the image that stage 1 works with: /etc/hearth/stage1.conf, KEY=VALUE lines written by hearth-image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/hearth-init/say.h"

#include <stdint.h>

struct conf {
	char version[MAX_TEXT], root_name[MAX_TEXT], volume[MAX_TEXT], verity_root[MAX_TEXT];
	uint64_t verity_blocks; // data blocks of 4096 bytes; the hash tree begins right behind them
};
extern struct conf conf; // loaded once, at the start

void conf_load(void); // or gives up
