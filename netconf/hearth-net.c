// hearth-net: plan, apply and show the network of this machine from a netplan document.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network.h"

#include "base/json.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/file.h>
#include <sys/stat.h>

struct arguments {
	const char *file; // NULL: netplan's folders
	bool json;
	struct netconf_options options;
};

static int fail(const struct diag *diag, int error)
{
	fprintf(stderr, "hearth-net: %s\n", diag->message[0] ? diag_text(diag) : strerror(-error));
	return 1;
}

// --- the document ---

// netplan's folders: a name in an earlier one hides it in the later ones; all are read in the order of their names.
static const char *const folders[] = {"/run/netplan", "/etc/netplan", "/lib/netplan"};

struct found_file {
	char *name;
	size_t folder;
};

static int compare_found(const void *a, const void *b)
{
	const struct found_file *one = a, *other = b;
	int order = strcmp(one->name, other->name);
	return order ? order : (one->folder > other->folder) - (one->folder < other->folder);
}

static int find_files(struct found_file **ret, size_t *ret_n)
{
	struct found_file *found = NULL;
	size_t n = 0;
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		DIR *dir = opendir(folders[i]);
		for (struct dirent *entry; dir && (entry = readdir(dir));) {
			const char *dot = strrchr(entry->d_name, '.');
			if (!str_equal(dot, ".yaml"))
				continue;
			struct found_file *grown = realloc(found, (n + 1) * sizeof(*grown));
			if (!grown)
				abort();
			found = grown;
			found[n++] = (struct found_file){strdup(entry->d_name), i};
		}
		if (dir)
			(void)closedir(dir); // read only
	}
	if (n)
		qsort(found, n, sizeof(*found), compare_found);
	*ret = found;
	*ret_n = n;
	return 0;
}

static int add_document(struct network *network, const char *path, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	int error = yaml_load(path, 0, &document, reterr);
	if (error < 0)
		return error;
	error = network_decode(network, document, reterr);
	if (error < 0)
		diag_prefix(reterr, path);
	return error;
}

static int load_network(const struct arguments *arguments, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	struct found_file *found = NULL;
	size_t n = 0;
	int error = 0;
	if (!network)
		return -ENOMEM;
	if (arguments->file)
		error = add_document(network, arguments->file, reterr);
	else
		error = find_files(&found, &n);
	for (size_t i = 0; error == 0 && i < n; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folders[found[i].folder], found[i].name);
		bool is_hidden = i > 0 && str_equal(found[i].name, found[i - 1].name);
		if (!is_hidden)
			error = path ? add_document(network, path, reterr) : -ENOMEM;
	}
	if (error == 0 && !arguments->file && n == 0)
		error = diag_set(reterr, -ENOENT, "", "no netplan file in /etc/netplan, /run/netplan or /lib/netplan; name "
						      "one by --file");
	for (size_t i = 0; i < n; i++)
		free(found[i].name);
	free(found);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(network);
	return 0;
}

// --- subcommands ---

static int run_plan(const struct arguments *arguments)
{
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	int error = load_network(arguments, &network, &diag);
	if (error == 0)
		error = netconf_plan(network, &arguments->options, &plan, &diag);
	if (error < 0)
		return fail(&diag, error);
	AUTO_FREE char *text = arguments->json ? plan_json(plan) : plan_text(plan);
	if (!text)
		return fail(&diag, -ENOMEM);
	if (arguments->json)
		puts(text);
	else
		printf("%s%s", text, plan_n_changes(plan) ? "" : "nothing to change\n");
	return 0;
}

// One writer at a time.
static int lock(void)
{
	(void)mkdir("/run/hearth", 0755); // mostly there; open() tells what is wrong
	int fd = open("/run/hearth/net.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int error = -errno;
	if (fd >= 0)
		(void)close(fd); // nothing was written
	return error;
}

static int run_apply(const struct arguments *arguments)
{
	CLEANUP(network_freep) struct network *network = NULL;
	struct diag diag = {0};
	size_t n_changes = 0;
	int error = load_network(arguments, &network, &diag);
	if (error < 0)
		return fail(&diag, error);
	AUTO_CLOSE int lock_fd = lock();
	if (lock_fd < 0) {
		(void)diag_set(&diag, lock_fd, "/run/hearth/net.lock",
			lock_fd == -EWOULDBLOCK ? "another hearth-net is at work (%s)" : "cannot be locked: %s",
			strerror(-lock_fd));
		return fail(&diag, lock_fd);
	}
	error = netconf_apply(network, &arguments->options, &n_changes, &diag);
	if (error < 0)
		return fail(&diag, error);
	if (arguments->json)
		printf("{\"changes\": %zu}\n", n_changes);
	else
		printf("%zu change%s made\n", n_changes, n_changes == 1 ? "" : "s");
	return 0;
}

static void show_link_text(const struct netconf_link *one, const struct netconf_peer_status *peers, size_t n_peers)
{
	printf("%s: %s%s, mtu %u%s%s%s%s%s\n", one->name, one->up ? "up" : "down", one->carrier ? ", carrier" : "",
		one->mtu, one->kind[0] ? ", " : "", one->kind, one->driver[0] ? ", driver " : "", one->driver,
		one->wired ? ", wired port" : "");
	if (one->mac[0])
		printf("    mac %s\n", one->mac);
	for (size_t i = 0; i < one->n_addresses; i++)
		printf("    %s%s\n", one->addresses[i].text, one->addresses[i].permanent ? "" : " (lease)");
	for (size_t i = 0; i < n_peers; i++) {
		printf("    peer %s %s, ", peers[i].public_key, peers[i].endpoint[0] ? peers[i].endpoint : "no endpoint");
		if (peers[i].handshake_ago_sec < 0)
			printf("no handshake yet\n");
		else
			printf("handshake %lld s ago\n", (long long)peers[i].handshake_ago_sec);
	}
}

static void show_link_json(struct json_out *out, const struct netconf_link *one,
	const struct netconf_peer_status *peers, size_t n_peers)
{
	json_out_object_begin(out);
	json_out_member(out, "name", one->name);
	json_out_member(out, "kind", one->kind[0] ? one->kind : NULL);
	json_out_member(out, "mac", one->mac[0] ? one->mac : NULL);
	json_out_member(out, "permanentMac", one->permanent_mac[0] ? one->permanent_mac : NULL);
	json_out_member(out, "driver", one->driver[0] ? one->driver : NULL);
	json_out_member_bool(out, "up", one->up);
	json_out_member_bool(out, "carrier", one->carrier);
	json_out_member_bool(out, "wired", one->wired);
	json_out_member_int(out, "mtu", one->mtu);
	json_out_key(out, "addresses");
	json_out_array_begin(out);
	for (size_t i = 0; i < one->n_addresses; i++) {
		json_out_object_begin(out);
		json_out_member(out, "address", one->addresses[i].text);
		json_out_member_bool(out, "permanent", one->addresses[i].permanent);
		json_out_object_end(out);
	}
	json_out_array_end(out);
	if (str_equal(one->kind, "wireguard")) {
		json_out_key(out, "peers");
		json_out_array_begin(out);
		for (size_t i = 0; i < n_peers; i++) {
			json_out_object_begin(out);
			json_out_member(out, "publicKey", peers[i].public_key);
			json_out_member(out, "endpoint", peers[i].endpoint[0] ? peers[i].endpoint : NULL);
			json_out_member_int(out, "handshakeAgoSec", peers[i].handshake_ago_sec);
			json_out_object_end(out);
		}
		json_out_array_end(out);
	}
	json_out_object_end(out);
}

static int run_show(const struct arguments *arguments)
{
	CLEANUP(netconf_links_freep) struct netconf_links *links = NULL;
	struct json_out out = {0};
	struct diag diag = {0};
	int error = netconf_links(&links, &diag);
	if (error < 0)
		return fail(&diag, error);
	json_out_array_begin(&out);
	for (size_t i = 0; i < links->n; i++) {
		AUTO_FREE struct netconf_peer_status *peers = NULL;
		size_t n_peers = 0;
		if (str_equal(links->links[i].kind, "wireguard"))
			(void)netconf_peers_status(links->links[i].name, &peers, &n_peers, NULL); // none when not root
		if (arguments->json)
			show_link_json(&out, &links->links[i], peers, n_peers);
		else
			show_link_text(&links->links[i], peers, n_peers);
	}
	json_out_array_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	if (arguments->json)
		puts(text ? text : "[]");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct arguments *);
	const char *help;
} commands[] = {
	{"plan", run_plan, "print what apply would change"},
	{"apply", run_apply, "make the kernel and systemd-networkd so"},
	{"show", run_show, "print links, addresses and WireGuard peers"},
};

static void print_help(void)
{
	puts("hearth-net: the network of this machine from a netplan document\n");
	puts("  hearth-net COMMAND [--file FILE] [--json] [--without-networkd]\n");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		printf("  %-8s%s\n", commands[i].name, commands[i].help);
	puts("\n  --file FILE          this document instead of those in /etc/netplan, /run/netplan, /lib/netplan\n"
	     "  --json               output for programs\n"
	     "  --without-networkd   kernel only: no files, no DHCP, no resolv.conf");
}

int main(int argc, char *argv[])
{
	static const struct option known[] = {{"file", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
		{"without-networkd", no_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct arguments arguments = {0};
	for (int c; (c = getopt_long(argc, argv, "f:jh", known, NULL)) >= 0;) {
		switch (c) {
		case 'f':
			arguments.file = optarg;
			break;
		case 'j':
			arguments.json = true;
			break;
		case 'w':
			arguments.options.without_networkd = true;
			break;
		case 'h':
			print_help();
			return 0;
		default:
			return 2; // getopt said what is wrong
		}
	}
	for (size_t i = 0; optind + 1 == argc && i < N_ELEMENTS(commands); i++)
		if (str_equal(argv[optind], commands[i].name))
			return commands[i].run(&arguments);
	fprintf(stderr, "hearth-net: name one command: plan, apply or show (--help tells more)\n");
	return 2;
}
