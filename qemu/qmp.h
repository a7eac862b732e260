// One command to a running QEMU over its QMP socket. Source: QEMU docs/interop/qmp-spec.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

/* Connect, negotiate, run @command with @arguments_json (NULL: none), disconnect. Events are skipped.
 * *ret_value (may be NULL) is what it returned. 0; -ENOENT, -ECONNREFUSED: QEMU does not run; -ETIMEDOUT; -EREMOTEIO
 * with QEMU's own words. */
int qmp_run(const char *socket_path, const char *command, const char *arguments_json, unsigned timeout_sec,
	struct value **ret_value, struct diag *reterr);
