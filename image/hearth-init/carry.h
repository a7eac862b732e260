// What only stage 1 can see and the system needs: seeds, credentials, and how this machine was booted.
// SPDX-License-Identifier: Apache-2.0
#pragma once

void seed_copy(const char *from, const char *to); // nothing when there is none; one that is too long is said and left
void credentials_copy(void);
// docs/contracts.md, boot.json and image.json. @device is NULL when the root came inside the initramfs.
void facts_write(const char *device);
