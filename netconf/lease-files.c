// SPDX-License-Identifier: Apache-2.0
#include "netconf/lease-files.h"

// "\nDHCP=yes\n"; "" is no line of it.
static void value_of(const char *file, const char *label, char ret[static 8])
{
	const char *at = strstr(file, label);
	(void)snprintf(ret, 8, "%.*s", at ? (int)strcspn(at + strlen(label), "\n") : 0, at ? at + strlen(label) : "");
}

static bool has(const char *value, const char *what)
{
	return str_equal(value, "yes") || str_equal(value, what);
}

bool lease_file_gives_up(const char *before, const char *after)
{
	char dhcp[8], dhcp_after[8], ra[8], ra_after[8];
	value_of(before, "\nDHCP=", dhcp);
	value_of(after, "\nDHCP=", dhcp_after);
	value_of(before, "\nIPv6AcceptRA=", ra);
	value_of(after, "\nIPv6AcceptRA=", ra_after);
	return (has(dhcp, "ipv4") && !has(dhcp_after, "ipv4")) || (has(dhcp, "ipv6") && !has(dhcp_after, "ipv6")) ||
	       (has(ra, "yes") && !has(ra_after, "yes"));
}

void lease_files_done(struct lease_files *now)
{
	config_files_done(&now->files);
	kernel_free(now->kernel);
}

int lease_files_read(const char *networkd_folder, struct lease_files *ret, struct diag *reterr)
{
	int error = networkd_read(networkd_folder, &ret->files, reterr);
	return error < 0 ? error : kernel_read(KERNEL_LINKS, &ret->kernel, reterr);
}

// The link of 10-hearth-LINK.network gives its addresses to a bond or a bridge; in a VRF it has its own.
static bool is_port(const struct lease_files *now, const char *file_name)
{
	char name[IFNAMSIZ];
	const char *from = file_name + strlen(NETWORKD_PREFIX), *dot = strrchr(file_name, '.');
	(void)snprintf(name, sizeof(name), "%.*s", (int)(dot - from), from);
	const struct kernel_link *one = kernel_link_by_name(now->kernel, name);
	return one && one->master_index && !str_equal(one->port_kind, "vrf");
}

bool lease_files_keep(const struct lease_files *now, const struct change *change)
{
	if (change->type != CHANGE_FILE_WRITE)
		return change->type == CHANGE_FILE_REMOVE;
	const struct config_file *before = config_files_find(&now->files, change->file.name);
	return before && lease_file_gives_up(before->content, change->file.content) && !is_port(now, change->file.name);
}
