// The database of a server that joins a restored cluster: K3s joins with an empty one. Source: docs.k3s.io "k3s
// etcd-snapshot", Restoring Snapshots ("Backup and delete ${datadir}/server/db on each peer").
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* @server/db becomes @server/db-before-restore-@number; its snapshots come back. K3s must not run. May be done again after a
 * power cut at any point, as long as K3s was not started in between. -errno. */
int restore_database_put_aside(const char *server, int64_t number);
int restore_database_forget(const char *server, int64_t number); // what was put aside; nothing there is success
