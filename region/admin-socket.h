// admin.sock: how hearth-region's subcommands reach the running region. One request per connection:
// a JSON line { "call", "args" }, a JSON line back { "ok": true, ... } or { "ok": false, "error" }.
// Who may: root and the user the region runs as, by SO_PEERCRED. SPDX-License-Identifier:
// Apache-2.0
#pragma once

#include "base/value.h"
#include "region/region.h"

#include <systemd/sd-event.h>

struct admin_socket;
int admin_socket_start(struct region *region, sd_event *event, const char *path,
	struct admin_socket **ret, struct diag *reterr);
struct admin_socket *admin_socket_stop(struct admin_socket *socket);

// The other end: ask the region at @path. @args_json: a JSON object. *ret: the answer object when
// it was ok.
int admin_ask(const char *path, const char *call, const char *args_json, struct value **ret,
	struct diag *reterr);
