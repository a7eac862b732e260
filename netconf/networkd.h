// systemd-networkd's part: DHCP, router advertisements and LLDP on the links that ask for them. The files that say so
// are generated here, so that networkd and we never fight over one link; rendering is pure. The only file with sd-bus.
// Sources: systemd.network(5), systemd.link(5), networkd.conf(5), org.freedesktop.network1(5).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/claim.h"

#define NETWORKD_PREFIX "10-hearth-"
#define NETWORKD_CONF "networkd.conf.d/10-hearth.conf" // beside networkd's folder

struct config_file {
	char *name, *content; // name inside networkd's folder, or "../" NETWORKD_CONF
};
struct config_files {
	struct config_file *files;
	size_t n;
};
void config_files_done(struct config_files *files);
const struct config_file *config_files_find(const struct config_files *files, const char *name);
int config_files_add(struct config_files *files, const char *name, char *content_take);

/* A .network file per link (by its final name), .link files for set-name and for our virtual links, networkd.conf. A card
 * that @network names and that is not there has its files, too: it is renamed and asks for addresses at once when it is
 * plugged (in again). The MAC to know it by comes from its match, else from its .link file in @have. */
int networkd_render(const struct network *network, const struct claims *claims, const struct config_files *have,
	struct config_files *ret);
// Our files as they are in @folder; a missing folder has none.
int networkd_read(const char *folder, struct config_files *ret, struct diag *reterr);
/* Make the marker @run_folder/networkd-reload that says networkd does not know its files yet; before the first change. */
int networkd_owe(const char *run_folder, struct diag *reterr);
bool networkd_owes(const char *run_folder);
/* Write, or with @content NULL remove. */
int networkd_write(const char *folder, const char *name, const char *content, struct diag *reterr);
/* Tell networkd over D-Bus: reload, or @restart when networkd.conf changed. Started when it does not run. Removes the
 * marker. Never waits for a lease. -ENOTCONN: no D-Bus yet; the marker stays, call again. */
int networkd_tell(const char *run_folder, bool restart, struct diag *reterr);
