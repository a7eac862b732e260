// Who may lay the bootstrap: a Kubernetes Lease, held by one server at a time. Deciding is pure; a foreign holder is
// judged by how long *we* have seen it not renew, never by comparing clocks (client-go's rule).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/kube.h"

enum { LEASE_DURATION_SEC = 30, LEASE_RENEW_SEC = 10, LEASE_TEXT = 64, LEASE_NOTE_MAX = 128 };

/* What the holder leaves to those after it, kept by whoever writes the Lease. The digest of the last bootstrap that was
 * entirely ready. */
#define LEASE_NOTE "hearth.openova.io/last-ready"

// What was seen of the Lease so far.
struct lease_seen {
	char holder[254], renewed[LEASE_TEXT], version[LEASE_TEXT]; // "" before the first look
	char note[LEASE_NOTE_MAX]; // "" none, or one that is longer
	uint64_t since_usec; // when this renewal was first seen
};
enum lease_action { LEASE_CREATE, LEASE_TAKE, LEASE_RENEW, LEASE_WAIT };
/* @lease: the object, or NULL when there is none. Updates @seen. LEASE_WAIT: another one holds it. */
enum lease_action lease_step(struct lease_seen *seen, const struct value *lease, const char *self, uint64_t now_usec);

/* Which note counts: what stands in the Lease (@seen), whoever wrote it; but for what we set and did not come to write yet
 * (@own), while the Lease is ours or has none. Either may be "". Pure. */
const char *lease_note_newest(enum lease_action action, const char *own, const char *seen);

struct lease;
typedef void (*lease_changed_t)(struct lease *lease, void *user);
/* Try for the Lease @name in kube-system as @self, renewing while held; @on_changed when holding starts or ends, and when
 * another note was read. @kube is borrowed and must outlive it. Losing contact for LEASE_DURATION_SEC ends holding by itself. */
int lease_new(sd_event *event, struct kube *kube, const char *name, const char *self, lease_changed_t on_changed,
	void *user, struct lease **ret);
struct lease *lease_free(struct lease *lease);
DEFINE_CLEANUP(lease)
bool lease_held(const struct lease *lease);
const char *lease_holder(const struct lease *lease); // last seen holder, "" unknown
const char *lease_note(const struct lease *lease);   // what was read or set last, "" none
/* Our own: written at once while held, else when the Lease becomes ours and nobody's note stands in it. One that is longer
 * than LEASE_NOTE_MAX - 1 is not taken. */
void lease_set_note(struct lease *lease, const char *note);
/* Look on only: what is held is held no more, others may take it when it was silent for long enough; nothing is taken. */
void lease_set_watching(struct lease *lease, bool watching);
