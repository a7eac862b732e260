// The subcommands of hearth-region: options that all share, and one function each (cmd-*.c).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { MAX_ARGUMENTS = 16 };

struct command_options {
	const char *dir, *socket, *listen, *boot_listen, *layout, *boot_dir, *cluster_config, *out;
	const char *node, *role, *server, *name;
	const char *urls[8];
	size_t n_urls;
	int64_t count, ttl_sec, max, max_per_address;
	int64_t timeout_sec;
	bool no_token, json, restart, force;
	const char *arguments[MAX_ARGUMENTS];
	size_t n_arguments;
};

/* Results: the exit code. 2 for wrong use (one line was printed). */
int cmd_init(const struct command_options *options);
int cmd_serve(const struct command_options *options);
int cmd_approve(const struct command_options *options);
int cmd_list(const struct command_options *options);
int cmd_show(const struct command_options *options);
int cmd_deny(const struct command_options *options);
int cmd_revoke(const struct command_options *options);
int cmd_release(const struct command_options *options);
int cmd_token(const struct command_options *options);
int cmd_seed(const struct command_options *options);
int cmd_kubeconfig(const struct command_options *options);
int cmd_secret(const struct command_options *options);
int cmd_bootstrap(const struct command_options *options);
int cmd_audit(const struct command_options *options);
int cmd_peer(const struct command_options *options);
int cmd_mesh_key(const struct command_options *options);
int cmd_rollout(const struct command_options *options);
int cmd_cluster(const struct command_options *options);
int cmd_snapshot(const struct command_options *options);
int cmd_job(const struct command_options *options);
int cmd_clock(const struct command_options *options);

// "hearth-region: where: message" on stderr; returns 1.
int command_failed(const struct diag *diag, int error);
int command_wrong_use(const char *sentence); // returns 2
void command_make_printable(struct value *value); // what machines say of themselves, for a terminal
void command_print_json(const struct value *value); // a line; NULL and no memory: "null"
// Jobs, refused networks, the rollout and older settings of the answer to `list`, when there is something to say.
void command_print_cluster(const struct value *answer);
// Path of admin.sock: --socket, else beside a --dir that is not the default, else
// /run/hearth-region/admin.sock.
char *command_socket(const struct command_options *options);
/* Ask the running region and show errors. 0 with *ret, or the exit code. */
int command_ask(const struct command_options *options, const char *call, char *args_json_take,
	struct value **ret);
