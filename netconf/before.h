// The network of the kernel so exactly that a change can be undone by it: what show.h leaves out because it is usual (an
// MTU of 1500, a link that is down) is said here where the tried network may change it. Pure but for the key copies.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"
#include "netconf/network.h"

/* The netplan document of @kernel (sorted, WireGuard read), with regard to @tried. Kinds and aliases in @kernel are not to be
 * trusted afterwards: what is a container's link else is said here like hardware, by its name.
 *   confirmed   what is confirmed until then; NULL: nothing
 *   key_folder  where before_save_keys() puts the keys the document names
 * -EINVAL: the kernel's network cannot be written as a document, reterr says why; -ENOMEM. The caller frees. */
int before_document(struct kernel *kernel, const struct network *tried, const struct network *confirmed, const char *key_folder,
	char **ret, struct network **ret_network, struct diag *reterr);
// The keys of @before's WireGuard links as @kernel has them, durable and 0600, into the folder its document names.
int before_save_keys(const struct network *before, const struct kernel *kernel, struct diag *reterr);
