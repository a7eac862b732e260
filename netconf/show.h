// The actual network as a netplan document, so that a running machine can be taken over: the document decodes, and its plan
// against the same kernel is empty. Pure.
//
// Shown: Ethernet ports, bonds, bridges, VLANs, VRFs, dummies and WireGuard links that are up or have settings; addresses
// that do not expire; routes and rules that a person or Hearth made; an MTU, a MAC or an option that is not what a new
// link of the kind would have. An address that expires shows as dhcp4, dhcp6 or nothing (router advertisements).
// Left out, and named in a comment with the reason: links of containers and of kinds Hearth does not make, what routing
// programs, DHCP and router advertisements made, and what netplan has no word for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"

/* @kernel is sorted and its WireGuard devices are read (one that is absent is left out).
 *   key_folder  absolute; NULL: /etc/wireguard. Keys are never printed: the document names files in this folder, and
 *               a comment says that the keys have to be put there.
 * NULL: out of memory; the caller frees. */
char *show_text(const struct kernel *kernel, const char *key_folder);
