// hearth-region: the reference region. One table of subcommands; each group has its own file.
// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/log.h"

#include <getopt.h>

// What every subcommand that asks the running region takes.
#define ASKS "dir socket"

static const struct {
	const char *name;
	int (*run)(const struct command_options *options);
	const char *takes; // its options; --help is everybody's
	const char *help;
} commands[] = {
	{ "init", cmd_init, "dir cluster-config",
		"--cluster-config FILE|defaults     make a region: CA, keys, first token and "
		"seed" },
	{ "serve", cmd_serve, ASKS " listen boot-listen max-per-address layout boot-dir",
		"                                  run it" },
	{ "list", cmd_list, ASKS " json",
		"                                  nodes and machines waiting for approval" },
	{ "show", cmd_show, ASKS " json",
		"NODE                              one of them, with its timeline" },
	{ "approve", cmd_approve, ASKS " role name json",
		"NODE CODE [--role R] [--name N]    approve a machine by the code on its screen" },
	{ "deny", cmd_deny, ASKS, "NODE                              refuse a waiting machine" },
	{ "revoke", cmd_revoke, ASKS " force",
		"NODE [--force]                    decommission a node" },
	{ "release", cmd_release, ASKS,
		"NODE                              end a node's quarantine" },
	{ "rollout", cmd_rollout, ASKS " restart timeout json",
		"start [--restart] [--timeout SEC] | status | stop | resume\n"
		"                                                new settings or a restart, node by "
		"node" },
	{ "job", cmd_job, ASKS, "retry ID | drop ID                a job of a server that failed" },
	{ "snapshot", cmd_snapshot, ASKS " json",
		"[NODE] | list                     a snapshot of etcd, made on a server; which lie "
		"where" },
	{ "cluster", cmd_cluster, ASKS " force",
		"anew CLUSTER | restore NODE SNAPSHOT [--force] | undo\n"
		"                                                give up a cluster that has no server "
		"left; take it\n"
		"                                                back to a snapshot; give that up" },
	{ "token", cmd_token, ASKS " node role count ttl",
		"[--node NAME] [--role R] [--count N] [--ttl SEC]   a join token" },
	{ "seed", cmd_seed, ASKS " no-token role out url",
		"[--no-token] [--role R] [--out FILE] [--url URL...]  a seed (with a token of its "
		"own)" },
	{ "kubeconfig", cmd_kubeconfig, ASKS " server out",
		"CLUSTER [--server ADDRESS] [--out FILE]   a working admin kubeconfig" },
	{ "peer", cmd_peer, ASKS " out json",
		"add NAME [--out FILE]|list|servers|remove NAME   a laptop as a peer of the mesh: "
		"its wg-quick\n"
		"                                                file; servers: the [Peer] sections as "
		"they are now" },
	{ "mesh-key", cmd_mesh_key, ASKS " json",
		"rotate NODE|all | status | stop NODE   another WireGuard key for a node; no connection\n"
		"                                                breaks" },
	{ "secret", cmd_secret, ASKS,
		"set NAME | rotate TOKEN           store a secret from standard input, sealed; another\n"
		"                                                k3s-server-token or k3s-agent-token" },
	{ "bootstrap", cmd_bootstrap, ASKS,
		"set DIGEST|none                   the bootstrap artifact nodes pull; none: cluster.yaml's "
		"again" },
	{ "audit", cmd_audit, ASKS " max", "[--max N]                         who decided what" },
	{ "clock", cmd_clock, "dir",
		"accept                            the clock is right: the next start may trust "
		"it" },
};

static void print_help(void)
{
	printf("hearth-region: the region that Hearth nodes enrol with\n\n");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		printf("  %-11s %s\n", commands[i].name, commands[i].help);
	printf("\nOptions:\n"
	       "  --dir DIR           database and keys (/var/lib/hearth-region)\n"
	       "  --socket PATH       admin socket (/run/hearth-region/admin.sock; with --dir: "
	       "DIR/admin.sock)\n"
	       "  --listen A:PORT     HTTPS ([::]:7443)\n"
	       "  --boot-listen A:P   plain HTTP for firmware ([::]:7080), or none\n"
	       "  --max-per-address N connections of one address at HTTPS (15000)\n"
	       "  --layout DIR        OCI layout served at /v2\n"
	       "  --boot-dir DIR      files served at /boot\n"
	       "  --json              list, show, approve, peer list, mesh-key, rollout, snapshot: output for scripts\n"
	       "A subcommand refuses the options of others.\n");
}

enum {
	OPT_DIR = 256,
	OPT_SOCKET,
	OPT_LISTEN,
	OPT_BOOT_LISTEN,
	OPT_LAYOUT,
	OPT_BOOT_DIR,
	OPT_CLUSTER_CONFIG,
	OPT_OUT,
	OPT_NODE,
	OPT_ROLE,
	OPT_SERVER,
	OPT_NAME,
	OPT_URL,
	OPT_COUNT,
	OPT_TTL,
	OPT_MAX,
	OPT_MAX_PER_ADDRESS,
	OPT_TIMEOUT,
	OPT_NO_TOKEN,
	OPT_RESTART,
	OPT_FORCE,
	OPT_JSON,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "boot-listen", required_argument, NULL, OPT_BOOT_LISTEN },
	{ "layout", required_argument, NULL, OPT_LAYOUT },
	{ "boot-dir", required_argument, NULL, OPT_BOOT_DIR },
	{ "cluster-config", required_argument, NULL, OPT_CLUSTER_CONFIG },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "server", required_argument, NULL, OPT_SERVER },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "url", required_argument, NULL, OPT_URL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "max", required_argument, NULL, OPT_MAX },
	{ "max-per-address", required_argument, NULL, OPT_MAX_PER_ADDRESS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "restart", no_argument, NULL, OPT_RESTART },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "no-token", no_argument, NULL, OPT_NO_TOKEN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool parse_count(const char *text, int64_t *ret)
{
	char *end;
	*ret = strtoll(text, &end, 10);
	return *text && !*end && *ret > 0;
}

// Which of them were given is kept as bits.
_Static_assert(N_ELEMENTS(long_options) <= 32, "one bit for each option");

// 0 go on, 1 help was asked for, 2 wrong use.
static int parse_options(
	int argc, char *argv[], struct command_options *options, uint32_t *ret_given)
{
	const struct {
		int option;
		const char **text;
	} texts[] = { { OPT_DIR, &options->dir }, { OPT_SOCKET, &options->socket },
		{ OPT_LISTEN, &options->listen }, { OPT_BOOT_LISTEN, &options->boot_listen },
		{ OPT_LAYOUT, &options->layout }, { OPT_BOOT_DIR, &options->boot_dir },
		{ OPT_CLUSTER_CONFIG, &options->cluster_config }, { OPT_OUT, &options->out },
		{ OPT_NODE, &options->node }, { OPT_ROLE, &options->role },
		{ OPT_SERVER, &options->server }, { OPT_NAME, &options->name } };
	const struct {
		int option;
		int64_t *number;
	} numbers[] = { { OPT_COUNT, &options->count }, { OPT_TTL, &options->ttl_sec },
		{ OPT_MAX, &options->max }, { OPT_MAX_PER_ADDRESS, &options->max_per_address },
		{ OPT_TIMEOUT, &options->timeout_sec } };
	int index = -1;
	for (int option; (option = getopt_long(argc, argv, "h", long_options, &index)) != -1;
		index = -1) {
		if (index >= 0)
			*ret_given |= UINT32_C(1) << index;
		for (size_t i = 0; i < N_ELEMENTS(texts); i++)
			if (texts[i].option == option)
				*texts[i].text = optarg;
		for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
			if (numbers[i].option == option && !parse_count(optarg, numbers[i].number))
				return command_wrong_use("--count, --ttl, --max, --timeout and "
							 "--max-per-address take a number from 1");
		if (option == OPT_URL && options->n_urls == N_ELEMENTS(options->urls))
			return command_wrong_use("--url may stand there eight times");
		if (option == OPT_URL)
			options->urls[options->n_urls++] = optarg;
		options->no_token |= option == OPT_NO_TOKEN;
		options->json |= option == OPT_JSON;
		options->restart |= option == OPT_RESTART;
		options->force |= option == OPT_FORCE;
		if (option == OPT_HELP || option == 'h')
			return 1;
		if (option == '?')
			return 2;
	}
	for (; optind < argc; optind++) {
		if (options->n_arguments == MAX_ARGUMENTS)
			return command_wrong_use("too many arguments");
		options->arguments[options->n_arguments++] = argv[optind];
	}
	return 0;
}

static bool takes_option(const char *takes, const char *option)
{
	size_t n = strlen(option);
	for (const char *word = takes; *word; word += strspn(word, " ")) {
		size_t n_word = strcspn(word, " ");
		if (n_word == n && strncmp(word, option, n) == 0)
			return true;
		word += n_word;
	}
	return false;
}

// The first option that was given and is not among @takes, or NULL.
static const char *foreign_option(const char *takes, uint32_t given)
{
	for (size_t i = 0; long_options[i].name; i++)
		if (given & UINT32_C(1) << i && !takes_option(takes, long_options[i].name))
			return long_options[i].name;
	return NULL;
}

int main(int argc, char *argv[])
{
	struct command_options options = { .dir = "/var/lib/hearth-region" };
	uint32_t given = 0;
	log_open("hearth-region");
	int parsed = parse_options(argc, argv, &options, &given);
	if (parsed == 1 || (parsed == 0 && options.n_arguments == 0 && argc == 1)) {
		print_help();
		return parsed == 1 ? 0 : 2;
	}
	if (parsed == 2)
		return 2;
	const char *name = options.n_arguments ? options.arguments[0] : "";
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		if (str_equal(commands[i].name, name)) {
			const char *foreign = foreign_option(commands[i].takes, given);
			if (foreign) {
				fprintf(stderr,
					"hearth-region: %s takes no --%s (see hearth-region "
					"--help)\n",
					name, foreign);
				return 2;
			}
			options.n_arguments--;
			memmove(options.arguments, options.arguments + 1,
				options.n_arguments * sizeof(options.arguments[0]));
			return commands[i].run(&options);
		}
	fprintf(stderr, "hearth-region: no command \"%s\" (see hearth-region --help)\n", name);
	return 2;
}
