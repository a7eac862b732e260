// The rules of a region for tests, as short as can be; behind cmocka.h. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/cluster-config.h"

// @more: what stands behind them, "servers: 3".
static inline struct cluster_config *test_config(const char *more)
{
	struct cluster_config *config = NULL;
	struct diag diag = { 0 };
	AUTO_FREE char *text = str_format("{provider: hetzner, region: fsn, buildingBlock: rtz, "
					  "envType: prod, domain: example.org, "
					  "urls: ['https://10.0.2.2:7443'], %s}",
		more);
	if (cluster_config_parse(text, strlen(text), "test", NULL, &config, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return config;
}
