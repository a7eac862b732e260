// Files for systemd-networkd, and the call that makes it read them.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/networkd.h"

#include "base/file.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <systemd/sd-bus.h>

void config_files_done(struct config_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->files[i].name);
		free(files->files[i].content);
	}
	free(files->files);
	*files = (struct config_files){0};
}

const struct config_file *config_files_find(const struct config_files *files, const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (str_equal(files->files[i].name, name))
			return &files->files[i];
	return NULL;
}

int config_files_add(struct config_files *files, const char *name, char *content_take)
{
	AUTO_FREE char *content = content_take;
	struct config_file *grown = content ? realloc(files->files, (files->n + 1) * sizeof(*grown)) : NULL;
	if (!grown)
		return -ENOMEM;
	files->files = grown;
	grown[files->n] = (struct config_file){strdup(name), NULL};
	if (!grown[files->n].name)
		return -ENOMEM;
	grown[files->n++].content = TAKE_PTR(content);
	return 0;
}

// --- rendering ---

#define VIRTUAL "all-virtual-links" // longer than a link's name can be: the file of no set-name

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static const char *both_or(bool v4, bool v6)
{
	return v4 && v6 ? "yes" : v4 ? "ipv4" : v6 ? "ipv6" : "no";
}

static const struct declaration *find_declaration(const struct claims *claims, const char *id)
{
	for (size_t i = 0; id && i < claims->n; i++)
		if (str_equal(claims->claims[i].declaration->id, id))
			return claims->claims[i].declaration;
	return NULL;
}

// A hostname or one of few words. Decoding refuses others; a line break is never written, whoever let it in.
static bool is_plain(const char *text)
{
	return text && text[0] &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == strlen(text);
}

// Whom nobody but us has anything to do with. Dummies, tunnels and VRFs have no one to ask for an address.
static bool is_ours_alone(const struct claim *claim)
{
	switch (claim->declaration->kind) {
	case DECLARATION_DUMMY:
	case DECLARATION_WIREGUARD:
	case DECLARATION_VRF:
		return true;
	case DECLARATION_ETHERNET:
	case DECLARATION_BOND:
	case DECLARATION_BRIDGE:
	case DECLARATION_VLAN:
	case N_DECLARATION_KINDS:
		break;
	}
	return claim->link && (claim->link->flags & IFF_LOOPBACK);
}

static void put_link(FILE *out, const struct declaration *declaration, bool is_port)
{
	(void)fprintf(out, "[Link]\n");
	if (declaration->mtu && !is_port) // a port's may be its bond's
		(void)fprintf(out, "MTUBytes=%u\n", declaration->mtu);
	if (declaration->activation != ACTIVATION_UP) // its state is not networkd's
		(void)fprintf(out, "ActivationPolicy=manual\n");
	bool is_required = !declaration->optional && declaration->activation == ACTIVATION_UP && !is_port;
	(void)fprintf(out, "RequiredForOnline=%s\n\n", yes_no(is_required));
}

static void put_port(FILE *out, const struct declaration *declaration)
{
	(void)fprintf(out, "[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=%s\nEmitLLDP=no\n"
			   "KeepMaster=yes\nKeepConfiguration=yes\n",
		yes_no(declaration->kind == DECLARATION_ETHERNET));
}

static void put_network(FILE *out, const struct declaration *declaration)
{
	bool has_link_local6 = !declaration->has_link_local || declaration->link_local6; // else nobody can be asked
	bool accept_ra = declaration->has_accept_ra ? declaration->accept_ra : true;     // netplan's default
	(void)fprintf(out, "[Network]\nDHCP=%s\nLinkLocalAddressing=%s\nIPv6AcceptRA=%s\nLLDP=%s\nEmitLLDP=no\n"
			   "KeepMaster=yes\nKeepConfiguration=%s\n",
		both_or(declaration->dhcp4, declaration->dhcp6 && has_link_local6),
		declaration->has_link_local ? both_or(declaration->link_local4, declaration->link_local6) : "ipv6",
		yes_no(accept_ra && has_link_local6),
		yes_no(declaration->kind == DECLARATION_ETHERNET), // others hear none
		declaration->critical ? "yes" : "static");
	if (declaration->has_privacy)
		(void)fprintf(out, "IPv6PrivacyExtensions=%s\n", yes_no(declaration->privacy));
	if (declaration->mtu6)
		(void)fprintf(out, "IPv6MTUBytes=%u\n", declaration->mtu6);
	if (declaration->ignore_carrier)
		(void)fprintf(out, "ConfigureWithoutCarrier=yes\n");
}

// What both protocols have of a lease. A name for this machine is never taken from one.
static void put_lease(FILE *out, const struct dhcp_overrides *overrides)
{
	(void)fprintf(out, "UseHostname=no\nSendRelease=no\n");
	if (overrides->no_dns)
		(void)fprintf(out, "UseDNS=no\n");
	if (overrides->no_ntp)
		(void)fprintf(out, "UseNTP=no\n");
	if (overrides->no_send_hostname)
		(void)fprintf(out, "SendHostname=no\n");
	if (is_plain(overrides->hostname))
		(void)fprintf(out, "Hostname=%s\n", overrides->hostname);
	if (is_plain(overrides->use_domains))
		(void)fprintf(out, "UseDomains=%s\n", overrides->use_domains);
}

/* Is an IPv6 route said with a metric that networkd gives to what routers say? 1024 is the usual one of both, and of two
 * such routes the kernel makes one with two gateways, which is nobody's. */
static bool says_routers_metric(const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct declaration *declaration = claims->claims[i].declaration;
		for (size_t j = 0; j < declaration->n_routes; j++) {
			uint32_t metric = declaration->routes[j].metric;
			if (declaration->routes[j].destination.ip.family == AF_INET6 &&
				(metric == 512 || metric == 1024 || metric == 2048))
				return true;
		}
	}
	return false;
}

static void put_dhcp(FILE *out, const struct claims *claims, const struct declaration *declaration, uint32_t table)
{
	const struct dhcp_overrides *v4 = &declaration->dhcp4_overrides, *v6 = &declaration->dhcp6_overrides;
	(void)fprintf(out, "\n[DHCPv4]\nClientIdentifier=mac\nRouteMetric=%u\nUseMTU=%s\n",
		v4->has_metric ? v4->metric : 100, yes_no(!v4->no_mtu));
	put_lease(out, v4);
	if (v4->no_routes)
		(void)fprintf(out, "UseRoutes=no\nUseGateway=no\n");
	if (table) // networkd does not know the VRF: its master is ours
		(void)fprintf(out, "RouteTable=%u\n", table);
	(void)fprintf(out, "\n[DHCPv6]\nDUIDType=link-layer\n");
	put_lease(out, v6);
	bool gives_way = !v6->has_metric && says_routers_metric(claims);
	if (!table && !v6->has_metric && !gives_way && !v6->no_routes && !v6->no_dns && !v6->no_mtu)
		return;
	(void)fprintf(out, "\n[IPv6AcceptRA]\n"); // with DHCPv6 routes and an MTU come from here
	if (table)
		(void)fprintf(out, "RouteTable=%u\n", table);
	if (v6->has_metric)
		(void)fprintf(out, "RouteMetric=%u\n", v6->metric);
	if (gives_way) // by the router's preference
		(void)fprintf(out, "RouteMetric=513:1025:2049\n");
	if (v6->no_routes)
		(void)fprintf(out, "UseGateway=no\nUseRoutePrefix=no\n");
	if (v6->no_dns)
		(void)fprintf(out, "UseDNS=no\n");
	if (v6->no_mtu)
		(void)fprintf(out, "UseMTU=no\n");
}

static char *render_network(const struct claims *claims, const struct claim *claim)
{
	const struct declaration *declaration = claim->declaration;
	const struct declaration *master = find_declaration(claims, declaration->master);
	bool is_vrf = master && master->kind == DECLARATION_VRF, is_port = master && !is_vrf;
	char *text = NULL;
	size_t n_text = 0;
	if (is_ours_alone(claim))
		return str_format("# %s is Hearth's alone.\n[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n", claim->name,
			claim->name);
	FILE *out = open_memstream(&text, &n_text);
	if (!out)
		return NULL;
	(void)fprintf(out, "# Hearth's, for %s; static addresses and routes are not here.\n[Match]\nName=%s\n\n",
		claim->name, claim->name);
	put_link(out, declaration, is_port);
	if (is_port) {
		put_port(out, declaration);
	} else {
		put_network(out, declaration);
		put_dhcp(out, claims, declaration, is_vrf ? master->vrf_table : 0);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

// Does the .link file that renames the port have a MAC to know it by, and which?
static bool lasting_mac(const struct claim *claim, uint8_t ret[static 6])
{
	const struct kernel_link *one = claim->link;
	if (one->has_permanent_mac)
		memcpy(ret, one->permanent_mac, 6);
	else if (claim->declaration->match_mac && mac_parse(claim->declaration->match_mac, ret) == 0)
		return true; // what it has now may be what the declaration gave it
	else if (one->has_mac)
		memcpy(ret, one->mac, 6);
	return one->has_permanent_mac || one->has_mac;
}

// udev renames by this when the port is plugged in again, or at a restart of udev.
static char *render_rename(const struct declaration *declaration, const uint8_t mac[static 6])
{
	char text[18], wanted[18] = "";
	if (declaration->has_mac)
		(void)mac_format(declaration->mac, wanted);
	return str_format("[Match]\nPermanentMACAddress=%s\n\n[Link]\nName=%s\n%s%s%s", mac_format(mac, text), declaration->set_name,
		declaration->has_mac ? "MACAddressPolicy=none\nMACAddress=" : "", wanted, declaration->has_mac ? "\n" : "");
}

static int render_link_files(const struct claims *claims, struct config_files *files)
{
	char name[64];
	uint8_t mac[6];
	AUTO_FREE char *list = calloc(claims->n + 1, IFNAMSIZ); // a name without its NUL, and the space before it
	size_t n_list = 0;
	if (!list)
		return -ENOMEM;
	int error = 0;
	for (size_t i = 0; error == 0 && i < claims->n; i++) {
		const struct claim *claim = &claims->claims[i];
		if (claim->declaration->kind != DECLARATION_ETHERNET) {
			n_list += (size_t)snprintf(list + n_list, IFNAMSIZ + 1, " %s", claim->name);
		} else if (claim->declaration->set_name && lasting_mac(claim, mac)) {
			(void)snprintf(name, sizeof(name), NETWORKD_PREFIX "%s.link", claim->name);
			error = config_files_add(files, name, render_rename(claim->declaration, mac));
		}
	}
	if (error == 0 && n_list)
		error = config_files_add(files, NETWORKD_PREFIX VIRTUAL ".link",
			str_format("[Match]\nOriginalName=%s\n\n[Link]\nNamePolicy=keep\nMACAddressPolicy=none\n", list + 1));
	return error;
}

// The one name that a match fits, whatever else the card is; NULL: there may be several.
static const char *matched_name(const struct declaration *declaration)
{
	bool is_more = declaration->match_wired || declaration->match_mac || declaration->n_match_drivers;
	return !is_more && declaration->match_name && claim_is_exact(declaration->match_name) ? declaration->match_name : NULL;
}

// The name that a card has once it is there; NULL: only then that is known.
static const char *name_of_awaited(const struct claims *claims, const struct declaration *declaration)
{
	const char *name = declaration->set_name    ? declaration->set_name
			   : declaration->has_match ? matched_name(declaration)
						    : declaration->id;
	bool is_there = declaration->kind != DECLARATION_ETHERNET || find_declaration(claims, declaration->id);
	return is_there || !name || !link_name_valid(name) ? NULL : name;
}

// Of a MAC that a match names, else what is known of the card from the time when it was there.
static char *render_awaited_rename(const struct declaration *declaration, const struct config_file *have)
{
	static const char label[] = "PermanentMACAddress=";
	const char *at = have ? strstr(have->content, label) : NULL;
	uint8_t mac[6];
	char text[18] = "";
	if (at)
		(void)snprintf(text, sizeof(text), "%.17s", at + strlen(label));
	bool is_known = (declaration->match_mac && mac_parse(declaration->match_mac, mac) == 0) || mac_parse(text, mac) == 0;
	return is_known ? render_rename(declaration, mac) : NULL;
}

static int render_awaited(const struct claims *claims, const struct declaration *declaration,
	const struct config_files *have, struct config_files *files)
{
	struct claim claim = {.declaration = declaration};
	char file_name[64];
	const char *name = name_of_awaited(claims, declaration);
	if (!name)
		return 0;
	(void)snprintf(claim.name, sizeof(claim.name), "%s", name);
	(void)snprintf(file_name, sizeof(file_name), NETWORKD_PREFIX "%s.network", name);
	if (config_files_find(files, file_name))
		return 0; // another card has that name now
	int error = config_files_add(files, file_name, render_network(claims, &claim));
	(void)snprintf(file_name, sizeof(file_name), NETWORKD_PREFIX "%s.link", name);
	if (error < 0 || !declaration->set_name)
		return error;
	char *content = render_awaited_rename(declaration, have ? config_files_find(have, file_name) : NULL);
	return content ? config_files_add(files, file_name, content) : 0;
}

int networkd_render(const struct network *network, const struct claims *claims, const struct config_files *have,
	struct config_files *ret)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	char name[64];
	int error = config_files_add(&files, "../" NETWORKD_CONF,
		strdup("[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
		       "ManageForeignNextHops=no\n"));
	for (size_t i = 0; error == 0 && i < claims->n; i++) {
		(void)snprintf(name, sizeof(name), NETWORKD_PREFIX "%s.network", claims->claims[i].name);
		error = config_files_add(&files, name, render_network(claims, &claims->claims[i]));
	}
	if (error == 0)
		error = render_link_files(claims, &files);
	for (size_t i = 0; error == 0 && i < network->n; i++)
		error = render_awaited(claims, &network->declarations[i], have, &files);
	if (error < 0)
		return error;
	*ret = files;
	files = (struct config_files){0};
	return 0;
}

// --- files ---

enum { CONFIG_MAX_BYTES = 64 << 10 };

static int read_one(const char *folder, const char *name, struct config_files *files, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", folder, name);
	char *content = NULL;
	if (!path)
		return -ENOMEM;
	int error = file_read(path, CONFIG_MAX_BYTES, &content, NULL, reterr);
	if (error == -ENOENT)
		return 0; // removed meanwhile
	return error < 0 ? error : config_files_add(files, name, content);
}

// Comments of the image's file are no difference.
static void drop_comments(char *text)
{
	char *to = text;
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		n += line[n] == '\n';
		if (!strchr("#;\n", line[0])) {
			memmove(to, line, n);
			to += n;
		}
		line += n;
	}
	*to = '\0';
}

// Ours in /run, else the same file as the image may bring it: then nothing has to be restarted.
static int read_conf(const char *folder, struct config_files *files, struct diag *reterr)
{
	char *content = NULL;
	int error = read_one(folder, "../" NETWORKD_CONF, files, reterr);
	if (error < 0 || files->n || file_read("/usr/lib/systemd/" NETWORKD_CONF, CONFIG_MAX_BYTES, &content, NULL, NULL) < 0)
		return error;
	drop_comments(content);
	return config_files_add(files, "../" NETWORKD_CONF, content);
}

int networkd_read(const char *folder, struct config_files *ret, struct diag *reterr)
{
	CLEANUP(config_files_done) struct config_files files = {0};
	int error = read_conf(folder, &files, reterr);
	DIR *dir = opendir(folder);
	if (!dir && errno != ENOENT)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	for (struct dirent *entry; error == 0 && dir && (entry = readdir(dir));) {
		const char *dot = strrchr(entry->d_name, '.');
		if (str_starts(entry->d_name, NETWORKD_PREFIX) && (str_equal(dot, ".network") || str_equal(dot, ".link")))
			error = read_one(folder, entry->d_name, &files, reterr);
	}
	if (dir)
		(void)closedir(dir); // read only
	if (error < 0)
		return error;
	*ret = files;
	files = (struct config_files){0};
	return 0;
}

int networkd_owe(const char *run_folder, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/networkd-reload", run_folder);
	if (!path)
		return -ENOMEM;
	int error = file_make_folders(run_folder, 0755);
	if (error < 0)
		return diag_set(reterr, error, run_folder, "cannot be made: %s", strerror(-error));
	return file_write_volatile(path, "", 0, 0644, reterr);
}

bool networkd_owes(const char *run_folder)
{
	AUTO_FREE char *path = str_format("%s/networkd-reload", run_folder);
	return path && file_exists(path);
}

int networkd_write(const char *folder, const char *name, const char *content, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", folder, name);
	AUTO_FREE char *parent = path ? strdup(path) : NULL;
	if (!parent)
		return -ENOMEM;
	if (!content) {
		if (unlink(path) < 0 && errno != ENOENT)
			return diag_set(reterr, -errno, path, "cannot be removed: %s", strerror(errno));
		return 0;
	}
	int error = file_make_folders(folder, 0755); // "../" of a missing folder leads nowhere
	*strrchr(parent, '/') = '\0';
	if (error == 0)
		error = file_make_folders(parent, 0755);
	if (error < 0)
		return diag_set(reterr, error, parent, "cannot be made: %s", strerror(-error));
	return file_write_volatile(path, content, strlen(content), 0644, reterr);
}

// --- D-Bus ---

static int bus_call(sd_bus *bus, const char *destination, const char *path, const char *interface, const char *method,
	const char *types, const char *unit, struct diag *reterr)
{
	sd_bus_message *call = NULL, *answer = NULL;
	sd_bus_error problem = SD_BUS_ERROR_NULL;
	int error = sd_bus_message_new_method_call(bus, &call, destination, path, interface, method);
	if (error >= 0 && unit)
		error = sd_bus_message_append(call, types, unit, "replace");
	if (error >= 0) {
		(void)sd_bus_message_set_auto_start(call, 0); // a unit is started by systemd, not by D-Bus
		error = sd_bus_call(bus, call, 5 * USEC_PER_SEC, &problem, &answer);
	}
	if (error < 0)
		(void)diag_set(reterr, error, "networkd", "%s: %s", method,
			problem.message ? problem.message : strerror(-error));
	sd_bus_error_free(&problem);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(call);
	return error < 0 ? error : 0;
}

static int bus_unit(sd_bus *bus, const char *method, struct diag *reterr)
{
	return bus_call(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		method, "ss", "systemd-networkd.service", reterr);
}

int networkd_tell(const char *run_folder, bool restart, struct diag *reterr)
{
	AUTO_FREE char *marker = str_format("%s/networkd-reload", run_folder);
	sd_bus *bus = NULL;
	if (!marker)
		return -ENOMEM;
	int error = sd_bus_open_system(&bus);
	if (error < 0)
		return diag_set(reterr, -ENOTCONN, "networkd", "D-Bus cannot be reached yet: %s", strerror(-error));
	if (restart) {
		error = bus_unit(bus, "RestartUnit", reterr);
	} else {
		error = bus_call(bus, "org.freedesktop.network1", "/org/freedesktop/network1",
			"org.freedesktop.network1.Manager", "Reload", NULL, NULL, reterr);
		if (error == -ETIMEDOUT)
			error = 0; // it has the message and answers when its links are done
		else if (error < 0)
			error = bus_unit(bus, "StartUnit", reterr); // it does not run: a start reads all files
	}
	sd_bus_flush_close_unref(bus);
	if (error == 0)
		(void)unlink(marker); // staying there costs one more reload
	return error;
}
