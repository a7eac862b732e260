// What a node's K3s runs from and is set to: payload, overrides, profile, names in its
// certificate. They reach a node that runs K3s already only when it is its turn in a rollout, so
// each member keeps the text it was given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/cluster-config.h"

/* The newest settings of node @name by cluster.yaml, as JSON text: the same settings give the same
 * bytes. {"payload": {...}|null, "profile": "documented", "overrides": {...}, "nodeOverrides":
 * {...} if it has some, "tlsSan": [names]}. NULL: no memory; the caller frees. */
char *settings_newest(const struct cluster_config *config, const char *name);
// The members of `k3s` that come from settings: profile, overrides, nodeOverrides.
void settings_put_k3s(const struct value *settings, struct json_out *out);
void settings_put_names(const struct value *settings, struct json_out *out); // into an open list
void settings_put_payload(const struct value *settings, struct json_out *out); // the key, too
/* Does a node that reports @payload_sha256 (64 hex digits or "") run from the payload of
 * @settings? Without a payload of the region (the image's own) everything fits. */
bool settings_payload_fits(const struct value *settings, const char *payload_sha256);
