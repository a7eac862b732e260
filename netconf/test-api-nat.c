// The API address: the ruleset as text, and, where the kernel lets us have a network namespace, what it does.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/address.h"
#include "netconf/api-nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static const struct api_nat sample = {
	.api_address = "10.66.0.1", .target_address = "10.66.0.12", .mesh_address = "10.66.0.11"};

static void the_ruleset_replaces_its_table_in_one_transaction(void **state)
{
	AUTO_FREE char *text = NULL;
	struct diag diag = {0};
	assert_int_equal(api_nat_render(&sample, &text, &diag), 0);
	assert_string_equal(text,
		"table inet hearth\n"
		"delete table inet hearth\n"
		"table inet hearth {\n"
		"\tchain output {\n"
		"\t\ttype nat hook output priority -100; policy accept;\n"
		"\t\tip daddr 10.66.0.1 tcp dport 6443 dnat ip to 10.66.0.12:6443\n"
		"\t}\n"
		"\tchain prerouting {\n"
		"\t\ttype nat hook prerouting priority -100; policy accept;\n"
		"\t\tip daddr 10.66.0.1 tcp dport 6443 dnat ip to 10.66.0.12:6443\n"
		"\t}\n"
		"\tchain postrouting {\n"
		"\t\ttype nat hook postrouting priority 100; policy accept;\n"
		"\t\tip daddr 10.66.0.12 tcp dport 6443 ct status dnat ct original ip daddr 10.66.0.1 snat ip to "
		"10.66.0.11\n"
		"\t}\n"
		"}\n");
}

static void ipv6_addresses_get_brackets(void **state)
{
	const struct api_nat nat = {.api_address = "fd00::1", .target_address = "fd00::c", .mesh_address = "fd00::b",
		.port = 7443};
	AUTO_FREE char *text = NULL;
	struct diag diag = {0};
	assert_int_equal(api_nat_render(&nat, &text, &diag), 0);
	assert_non_null(strstr(text, "\t\tip6 daddr fd00::1 tcp dport 7443 dnat ip6 to [fd00::c]:7443\n"));
	assert_non_null(strstr(text, "snat ip6 to fd00::b\n"));
}

static void what_is_no_address_is_refused(void **state)
{
	const struct api_nat rows[] = {
		{.api_address = "10.66.0.1/32", .target_address = "10.66.0.12", .mesh_address = "10.66.0.11"},
		{.api_address = "10.66.0.1", .target_address = "x; flush ruleset", .mesh_address = "10.66.0.11"},
		{.api_address = "10.66.0.1", .target_address = "fd00::1", .mesh_address = "10.66.0.11"},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = NULL;
		struct diag diag = {0};
		assert_int_equal(api_nat_render(&rows[i], &text, &diag), -EINVAL);
		assert_null(text);
		assert_string_equal(diag.where, "api");
	}
}

static int connect_to(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(6443)};
	struct timeval limit = {.tv_sec = 2};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int shell(const char *command)
{
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_connection_to_the_api_address_reaches_the_target(void **state)
{
	const struct api_nat nat = {.api_address = "10.66.0.1", .target_address = "10.66.0.11",
		.mesh_address = "10.66.0.11"};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(6443)}, from;
	socklen_t n_from = sizeof(from);
	struct diag diag = {0};
	char text[32];
	if (unshare(CLONE_NEWNET) < 0 || shell("ip link set lo up && ip addr add 10.66.0.11/32 dev lo && "
					       "ip addr add 10.66.0.1/32 dev lo") != 0)
		skip();
	if (api_nat_apply(&nat, &diag) < 0) {
		print_message("no nftables here: %s\n", diag_text(&diag));
		skip();
	}
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "10.66.0.11", &own.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(connect_to("10.66.0.1"), 0);
	AUTO_CLOSE int accepted = accept(fd, (struct sockaddr *)&from, &n_from);
	assert_true(accepted >= 0);
	assert_string_equal(inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)), "10.66.0.11");
	assert_int_equal(api_nat_apply(&nat, &diag), 0); // again: replaces itself
	assert_int_equal(connect_to("10.66.0.1"), 0);
	assert_int_equal(api_nat_remove(&diag), 0);
	assert_int_equal(api_nat_remove(&diag), 0); // no table is success
	assert_int_equal(connect_to("10.66.0.1"), -ECONNREFUSED);
}

// The other server: its own namespace, the mesh is a veth pair; tells by @out_fd who connected.
static int other_server(int ready_fd, int go_fd, int out_fd)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(6443)}, from = {0};
	socklen_t n_from = sizeof(from);
	char byte = 0;
	if (unshare(CLONE_NEWNET) < 0 || write(ready_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1 ||
		shell("ip addr add 10.66.0.12/16 dev mesh1 && ip link set mesh1 up") != 0)
		return 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 || listen(fd, 4) < 0 || write(ready_fd, &byte, 1) != 1)
		return 2;
	int accepted = accept(fd, (struct sockaddr *)&from, &n_from);
	return accepted < 0 || write(out_fd, &from.sin_addr, 4) != 4;
}

static void a_connection_goes_to_another_server_from_the_mesh_address(void **state)
{
	const struct api_nat nat = {.api_address = "10.66.0.1", .target_address = "10.66.0.12",
		.mesh_address = "10.66.0.11"};
	int ready[2], go[2], out[2], status;
	struct diag diag = {0};
	uint8_t seen[4] = {0};
	char byte = 0;
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_true(pipe(ready) == 0 && pipe(go) == 0 && pipe(out) == 0);
	pid_t child = fork();
	if (child == 0)
		_exit(other_server(ready[1], go[0], out[1]));
	assert_int_equal(read(ready[0], &byte, 1), 1);
	AUTO_FREE char *commands = str_format("ip link set lo up && ip link add mesh0 type veth peer name mesh1 netns %d && "
					      "ip addr add 10.66.0.11/16 dev mesh0 && ip link set mesh0 up && "
					      "ip addr add 10.66.0.1/32 dev lo",
		(int)child);
	bool has_links = shell(commands) == 0, has_nat = has_links && api_nat_apply(&nat, &diag) == 0;
	assert_int_equal(write(go[1], &byte, 1), 1);
	if (has_nat) {
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(connect_to("10.66.0.1"), 0);
		assert_int_equal(read(out[0], seen, 4), 4);
	}
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!has_nat)
		skip();
	assert_memory_equal(seen, ((const uint8_t[]){10, 66, 0, 11}), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ruleset_replaces_its_table_in_one_transaction),
		cmocka_unit_test(ipv6_addresses_get_brackets),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_connection_to_the_api_address_reaches_the_target),
		cmocka_unit_test(a_connection_goes_to_another_server_from_the_mesh_address),
	};
	return cmocka_run_group_tests_name("api-nat", tests, NULL, NULL);
}
