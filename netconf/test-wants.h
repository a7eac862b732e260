// A network from a text, for tests; behind cmocka.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/yaml.h"
#include "netconf/network.h"

static inline struct network *wants(const char *yaml)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct network *network = NULL;
	struct diag diag = {0};
	if (yaml_parse(yaml, strlen(yaml), 0, "n.yaml", &document, &diag) < 0 ||
		netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return network;
}
