// Every path of the agent goes through here, so that it also runs under another root (hearthd --root DIR, tests).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

struct root_path {
	char text[512];
};
// @root (no final slash; "" is the real one) + @absolute. Use .text inside the full expression.
static inline struct root_path root_path(const char *root, const char *absolute)
{
	struct root_path path;
	(void)snprintf(path.text, sizeof(path.text), "%s%s", root, absolute); // roots are checked at start
	return path;
}

#define RUN_STATUS "/run/hearth/status.json"
#define RUN_STATE "/run/hearth/state.json"
#define RUN_IMAGE "/run/hearth/image.json"
#define RUN_BOOT "/run/hearth/boot.json"
#define RUN_SEED_FOLDER "/run/hearth/seed.d"
#define RUN_MEDIUM "/run/hearth/medium" // the boot medium: payload-SHA.erofs lies at its top
#define RUN_PAYLOAD "/run/hearth/payload"
#define RUN_PAYLOAD_NEXT "/run/hearth/payload.next" // a moment: the one that takes its place
#define RUN_PAYLOAD_MOUNTED "/run/hearth/payload.sha256" // what is mounted there
#define RUN_PAYLOAD_FILES "/run/hearth/payload.d"
#define RUN_K3S_STARTED "/run/hearth/k3s-started"
#define RUN_K3S_RESTART_DUE "/run/hearth/k3s-restart-due" // what K3s runs with may be older than what is here
#define STATE_IDENTITY "/state/hearth/identity"
#define STATE_ASSIGNMENT "/state/hearth/assignment.json"
#define STATE_REGION "/state/hearth/region.json"
#define STATE_MESH "/state/hearth/mesh.json"
#define STATE_SECRETS "/state/hearth/secrets"
#define STATE_PAYLOAD "/state/hearth/payload"
#define RUN_API_NAT "/run/hearth/api-nat" // where the stable API address leads
#define STATE_K3S_RESTART "/state/hearth/k3s-restart" // the restart number that K3s was started with
#define STATE_K3S_RESTORE "/state/hearth/k3s-restore" // which restores of etcd were done here
#define STATE_WAS_READY "/state/hearth/k3s-was-ready"
#define STATE_VOLUMES "/state/hearth/volumes"
#define RUN_VOLUMES_WANTED "/run/hearth/volumes-wanted.json"
#define RUN_VOLUMES "/run/hearth/volumes.json"
#define RUN_K3S_COMMAND "/run/hearth/k3s-command.json" // for hearth-k3s; 0600
#define RUN_K3S_COMMAND_DONE "/run/hearth/k3s-command-done.json" // its answer
#define RUN_VLAN_PICK "/run/hearth/vlan-pick" // the same with a VLAN (vlan-pick.h)
#define STATE_VLAN_PICK "/state/hearth/vlan-pick"
#define STATE_FIRST_CONTACT "/state/hearth/first-contact.json" // first-contact.h
#define STATE_REFUSED_NETWORK "/state/hearth/refused-network.json" // refused-network.h
#define RUN_SAFE_NETWORK "/run/hearth/safe-network" // a person at a console pressed the key: hearthd takes it away
