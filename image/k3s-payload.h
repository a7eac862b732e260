// A payload folder (docs/contracts.md) with a K3s release: the self-extracting binary, and its air-gap images if given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* @k3s     an executable K3s (release binary)
 * @version NULL: asked from the binary itself (`k3s --version`)
 * @kind    of payload.json: "k3s-release" when it is known which one, else "k3s-binary"
 * @images  the release's air-gap archive (.tar, .tar.zst, .tar.gz), or NULL
 * @folder  is made; must not exist
 * 0; -EINVAL the file is no x86-64 program or does not say that it is K3s. */
int k3s_payload_from_file(const char *k3s, const char *version, const char *kind, const char *images, const char *folder,
	struct diag *reterr);
