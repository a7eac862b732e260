// One path of the mesh, asked for a packet of a size: a datagram that nobody may fragment to the peer's discard port, where
// nobody listens, so that its kernel says that it came (ICMP port unreachable). Needs no right but a socket.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* @address of the peer in the mesh, by the mesh's link @link and no other. *ret_fd, closed by the caller. -EINVAL no address, else
 * the kernel's errno. */
int mesh_path_open(const char *address, const char *link, int *ret_fd);
// Send a packet of @size bytes in all. 0; -EMSGSIZE the link carries less; else the kernel's errno.
int mesh_path_send(int fd, unsigned size);
// 1 it came; 0 nothing was heard yet; negative errno: something else was.
int mesh_path_heard(int fd);
