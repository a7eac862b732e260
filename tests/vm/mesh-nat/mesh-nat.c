// Nodes of a mesh in network namespaces, some behind NAT: hearthd's own mesh code sets a real WireGuard link in each, the
// region's chooses and repairs the endpoints. Only HTTP between the two is left out: texts are handed over, and the region
// sees each node come from where a real TCP connection of it comes from. Needs root and a kernel with WireGuard and nftables.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/mesh-candidates.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/socket.h>

enum { NODES_MAX = 8, TICK_MSEC = 250, REPORT_SEC = 5, REGION_PORT = 7443, TALK_PORT = 9000 };

struct member {
	const char *name;
	int netns_fd, number;
	char key[64], since[64];
	struct agent agent;
	uint64_t mark, reported_usec;
	char *reported_candidates;
};
static struct member members[NODES_MAX];
static size_t n_members;
static int home_fd, region_fd;

#define MUST(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("mesh-nat: FAILED: line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));         \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

#define FILTER "add table ip fw; add chain ip fw input { type filter hook input priority 0; policy accept; };"                    \
	"add rule ip fw input udp dport 51820 drop; add chain ip fw output { type filter hook output priority 0; policy accept; };" \
	"add rule ip fw output udp sport 51820 drop"

static void enter(int fd)
{
	MUST(setns(fd, CLONE_NEWNET) == 0);
}

static void run(const char *format, ...) PRINTF_LIKE(1, 2);
static void run(const char *format, ...)
{
	char command[512];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0) {
		printf("mesh-nat: FAILED: %s\n", command);
		exit(1);
	}
}

static int netns_open(const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

// --- the region, as region-side.c says ---

static FILE *to_region, *from_region;

static void region_start(const char *program)
{
	int to[2], from[2];
	MUST(pipe(to) == 0 && pipe(from) == 0);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		MUST(dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1);
		(void)close(to[1]);
		(void)execl(program, program, "/tmp/mesh-nat.db", (char *)NULL);
		_exit(1);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	to_region = fdopen(to[1], "w");
	from_region = fdopen(from[0], "r");
	MUST(to_region && from_region);
}

// The number that it answers; *ret_text, which the caller frees, is what follows.
static int region_ask(char **ret_text, const char *format, ...) PRINTF_LIKE(2, 3);
static int region_ask(char **ret_text, const char *format, ...)
{
	char *line AUTO_FREE = NULL, *end;
	size_t n_alloc = 0;
	va_list arguments;
	va_start(arguments, format);
	(void)vfprintf(to_region, format, arguments);
	va_end(arguments);
	MUST(fputc('\n', to_region) == '\n' && fflush(to_region) == 0 && getline(&line, &n_alloc, from_region) > 0);
	int r = (int)strtol(line, &end, 10);
	MUST(r >= 0);
	end[strcspn(end, "\n")] = '\0';
	if (ret_text)
		*ret_text = strdup(*end == ' ' ? end + 1 : end);
	return r;
}

// --- the networks: a wire of the internet, 192.0.2.0/24, nodes on it, and sites behind NAT ---

static void on_the_internet(const char *name, const char *address)
{
	run("ip netns add %s && ip link add i-%s type veth peer name eth0 netns %s", name, name, name);
	run("ip link set i-%s master internet up && ip -n %s addr add %s/24 dev eth0", name, name, address);
	run("ip -n %s link set lo up && ip -n %s link set eth0 up", name, name);
}

static void nft(const char *netns, const char *commands)
{
	int fd = netns_open(netns);
	enter(fd);
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
	MUST(context && nft_run_cmd_from_buffer(context, commands) == 0);
	nft_ctx_free(context);
	enter(home_fd);
	(void)close(fd);
}

// Every site has the same network inside.
static void behind_nat(const char *name, const char *outside)
{
	char gateway[32];
	(void)snprintf(gateway, sizeof(gateway), "gw-%s", name);
	on_the_internet(gateway, outside);
	run("ip netns add %s && ip -n %s link add inside type veth peer name eth0 netns %s", name, gateway, name);
	run("ip -n %s addr add 192.168.1.1/24 dev inside && ip -n %s link set inside up", gateway, gateway);
	run("ip -n %s addr add 192.168.1.%zu/24 dev eth0 && ip -n %s link set lo up && ip -n %s link set eth0 up", name, 10 + n_members,
		name, name);
	run("ip -n %s route add default via 192.168.1.1 && ip netns exec %s sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'", name, gateway);
	nft(gateway, "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; };"
		     "add rule ip nat post oifname \"eth0\" masquerade;"
		     "add table ip fw; add chain ip fw forward { type filter hook forward priority 0; policy accept; };"
		     "add rule ip fw forward iifname \"eth0\" ct state new drop;"
		     "add chain ip fw input { type filter hook input priority 0; policy accept; };"
		     "add rule ip fw input iifname \"eth0\" meta l4proto udp drop");
}

static struct member *join(const char *name)
{
	struct member *m = &members[n_members++];
	CLEANUP(value_freep) struct value *document = NULL;
	CLEANUP(network_freep) struct network *network = NULL;
	static const struct netconf_options options = { .without_networkd = true };
	struct diag diag = { 0 };
	char path[64];
	uint8_t key[32];
	m->name = name;
	m->netns_fd = netns_open(name);
	crypto_random(key, sizeof(key));
	char *text AUTO_FREE = base64_encode(key, sizeof(key));
	(void)snprintf(path, sizeof(path), "/tmp/%s.key", name);
	MUST(file_write_volatile(path, text, strlen(text), 0600, NULL) == 0);
	enter(m->netns_fd);
	struct assignment *assignment = calloc(1, sizeof(*assignment));
	MUST(assignment);
	assignment->mesh_link = "hearth0";
	assignment->mesh_port = 51820;
	m->agent = (struct agent){ .assignment = assignment, .network_is_assigned = true, .poke_fd = socket(AF_INET, SOCK_DGRAM, 0), .mesh_mtu_fd = -1 };
	m->agent.options.root = "/tmp/root";
	MUST(sd_event_default(&m->agent.event) >= 0); // for timers that this program does not wait for
	char *json AUTO_FREE = str_format("{\"version\": 2, \"tunnels\": {\"hearth0\": {\"mode\": \"wireguard\", \"key\": \"%s\", \"port\": 51820,"
					  "\"mtu\": 1380, \"addresses\": [\"10.66.0.%zu/16\"]}}}",
		path, 10 + n_members);
	MUST(json_parse(json, strlen(json), 0, &document, NULL) == 0);
	if (netconf_decode(document, &network, &diag) < 0 || netconf_apply(network, &options, NULL, &diag) < 0) {
		printf("mesh-nat: FAILED: %s\n", diag_text(&diag));
		exit(1);
	}
	char command[80], *end;
	(void)snprintf(command, sizeof(command), "wg pubkey <%s", path);
	FILE *f = popen(command, "r");
	MUST(f && fgets(m->key, sizeof(m->key), f) && (end = strchr(m->key, '\n')));
	*end = '\0';
	(void)pclose(f);
	enter(home_fd);
	m->number = region_ask(NULL, "join %s", m->key);
	MUST(m->number == (int)n_members);
	return m;
}

// --- one tick of everybody ---

// Where the region sees this node come from; false when it cannot be reached.
static bool come_to_region(char ret[static INET_ADDRSTRLEN])
{
	struct sockaddr_in region = { .sin_family = AF_INET, .sin_port = htons(REGION_PORT) }, from;
	socklen_t n = sizeof(from);
	(void)inet_pton(AF_INET, "192.0.2.1", &region.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)connect(fd, (struct sockaddr *)&region, sizeof(region)); // goes on in the background
	struct pollfd wait = { .fd = region_fd, .events = POLLIN };
	int accepted = poll(&wait, 1, 1000) == 1 ? accept(region_fd, (struct sockaddr *)&from, &n) : -1;
	if (accepted >= 0) {
		(void)inet_ntop(AF_INET, &from.sin_addr, ret, INET_ADDRSTRLEN);
		(void)close(accepted);
	}
	(void)close(fd);
	return accepted >= 0;
}

// As hearthd does: at once when something is new, else every few seconds.
static void report(struct member *m, uint64_t now_usec)
{
	struct agent *a = &m->agent;
	struct json_out rows = { 0 };
	char remote[INET_ADDRSTRLEN];
	bool news = a->mesh_mark != m->mark || !str_equal(a->mesh_candidates, m->reported_candidates);
	if (!news && m->reported_usec && now_usec - m->reported_usec < REPORT_SEC * USEC_PER_SEC)
		return;
	if (!come_to_region(remote))
		return;
	mesh_health_to_json(&a->peers, 256, true, now_usec, &rows);
	char *mesh AUTO_FREE = json_out_take(&rows);
	(void)region_ask(NULL, "report %d %s {\"facts\":{\"meshCandidates\":%s},\"mesh\":%s}", m->number, remote, a->mesh_candidates, mesh);
	m->reported_usec = now_usec;
	m->mark = a->mesh_mark;
	str_set(&m->reported_candidates, a->mesh_candidates);
}

static void tick_one(struct member *m, uint64_t now_usec)
{
	struct agent *a = &m->agent;
	struct diag diag = { 0 };
	char *answer AUTO_FREE = NULL;
	char nowhere[INET_ADDRSTRLEN];
	enter(m->netns_fd);
	a->links = netconf_links_free(a->links);
	MUST(netconf_links(&a->links, NULL) == 0);
	for (size_t i = 0; i < a->links->n; i++) // its end of a veth is this machine's port
		a->links->links[i].wired |= str_equal(a->links->links[i].name, "eth0");
	agent_mesh_act(a);
	report(m, now_usec);
	if (come_to_region(nowhere) && region_ask(&answer, "mesh %d %s", m->number, m->since) > 0) {
		if (mesh_peers_update(&a->peers, answer, strlen(answer), &diag) < 0) {
			printf("mesh-nat: FAILED: %s\n", diag_text(&diag));
			exit(1);
		}
		(void)snprintf(m->since, sizeof(m->since), "%s", a->peers.generation);
		a->peers_known = true;
		agent_mesh_news(a);
		agent_mesh_act(a);
	}
	if (a->mesh_problem)
		printf("%s: %s\n", m->name, a->mesh_problem);
	enter(home_fd);
}

// --- what is asked of it ---

// A TCP connection through the mesh, from one node to another, and a byte back.
static bool talks(const struct member *from, const struct member *to)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(TALK_PORT) };
	char text[32], byte = 0;
	int one = 1;
	(void)snprintf(text, sizeof(text), "10.66.0.%d", 10 + to->number);
	(void)inet_pton(AF_INET, text, &address.sin_addr);
	enter(to->netns_fd);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	MUST(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 1) == 0);
	enter(from->netns_fd);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address)); // goes on in the background
	enter(home_fd);
	struct pollfd wait = { .fd = listener, .events = POLLIN };
	int accepted = poll(&wait, 1, 1000) == 1 ? accept(listener, NULL, NULL) : -1;
	if (accepted >= 0) {
		MUST(write(accepted, "x", 1) == 1);
		wait.fd = fd;
		(void)(poll(&wait, 1, 1000) == 1 && read(fd, &byte, 1));
		(void)close(accepted);
	}
	(void)close(fd);
	(void)close(listener);
	return byte == 'x';
}

static const struct mesh_peer *peer_of(const struct member *m, const struct member *of)
{
	const struct mesh_peer *peer = mesh_peers_find(&m->agent.peers, of->key);
	MUST(peer);
	return peer;
}

static void show(void)
{
	for (size_t i = 0; i < n_members; i++) {
		char sentence[512];
		mesh_health_sentence(&members[i].agent.peers, time_boot_usec(), sentence, sizeof(sentence));
		printf("  %s %s\n", members[i].name, sentence);
		for (size_t j = 0; j < members[i].agent.peers.n; j++) {
			const struct mesh_peer *peer = &members[i].agent.peers.peers[j];
			printf("    %s: endpoint %s, keepalive %u, roamed %s, handshake %lld s ago\n", peer->name,
				peer->endpoint ? peer->endpoint : "none", peer->keepalive_sec, peer->roamed ? peer->roamed : "no",
				(long long)peer->handshake_ago_sec);
		}
	}
}

static void until(unsigned sec, const char *what, bool (*holds)(const struct member *, const struct member *), const struct member *from,
	const struct member *to)
{
	uint64_t started_usec = time_boot_usec(), now_usec;
	while ((now_usec = time_boot_usec()) - started_usec < sec * USEC_PER_SEC) {
		for (size_t i = 0; i < n_members; i++)
			tick_one(&members[i], now_usec);
		(void)region_ask(NULL, "step");
		if (holds(from, to)) {
			printf("ok: %s (%.1f s)\n", what, (double)(time_boot_usec() - started_usec) / USEC_PER_SEC);
			(void)fflush(stdout);
			return;
		}
		(void)poll(NULL, 0, TICK_MSEC);
	}
	show();
	printf("mesh-nat: FAILED: %s: not in %u s\n", what, sec);
	exit(1);
}

static bool is_named(const struct member *from, const struct member *to)
{
	char sentence[512], wanted[128];
	const struct mesh_peer *peer = peer_of(from, to);
	mesh_health_sentence(&from->agent.peers, time_boot_usec(), sentence, sizeof(sentence));
	(void)snprintf(wanted, sizeof(wanted), "%s at %s", peer->name, peer->endpoint ? peer->endpoint : "?");
	return strstr(sentence, wanted) && strstr(sentence, "no answer") && strstr(sentence, "is UDP 51820 to it filtered?");
}

static bool is_named_when_missed(const struct member *from, const struct member *to)
{
	MUST(!talks(from, to));
	return is_named(from, to);
}

static bool is_withdrawn(const struct member *from, const struct member *to)
{
	const struct mesh_peer *peer = peer_of(from, to);
	return !peer->endpoint && !peer->roamed && peer->in_kernel;
}

static bool is_offered(const struct member *from, const struct member *to)
{
	return peer_of(from, to)->endpoint != NULL;
}

static bool is_not_named(const struct member *from, const struct member *to)
{
	return !is_named(from, to);
}

static void listen_as_region(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(REGION_PORT) };
	region_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(bind(region_fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(region_fd, 16) == 0);
}

int main(int argc, char *argv[])
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	MUST(home_fd >= 0 && argc == 2);
	region_start(argv[1]);
	run("mkdir -p /tmp/root/state/hearth && ip link add internet type bridge && ip addr add 192.0.2.1/24 dev internet");
	run("ip link set internet up && ip link set lo up");
	listen_as_region();
	on_the_internet("pub", "192.0.2.7");
	struct member *pub = join("pub");
	behind_nat("one", "192.0.2.101");
	struct member *one = join("one");
	behind_nat("two", "192.0.2.102");
	struct member *two = join("two");

	until(60, "a node behind NAT reaches a public one", talks, one, pub);
	until(60, "and is reached by it", talks, pub, one);
	MUST(!peer_of(pub, one)->endpoint && peer_of(one, pub)->keepalive_sec == 25);
	until(120, "two nodes behind two NATs, with the same network inside, meet by what the public one sees", talks, one, two);

	run("ip -n pub addr del 192.0.2.7/24 dev eth0 && ip -n pub addr add 192.0.2.9/24 dev eth0");
	until(30, "the public node has another address", talks, one, pub);
	MUST(str_equal(peer_of(one, pub)->endpoint, "192.0.2.9:51820"));
	run("ip -n gw-one addr del 192.0.2.101/24 dev eth0 && ip -n gw-one addr add 192.0.2.111/24 dev eth0");
	until(60, "a NAT has another address", talks, pub, one);
	until(120, "and who met through it meets again", talks, two, one);
	run("ip netns exec one wg set hearth0 peer %s endpoint 192.0.2.250:9", pub->key);
	until(60, "an endpoint that leads nowhere is put right", talks, one, pub);

	nft("pub", FILTER);
	until(60, "a filtered port is a sentence that names it", is_named_when_missed, one, pub);
	nft("pub", "delete table ip fw");
	until(60, "which goes away with the filter", talks, one, pub);
	(void)poll(NULL, 0, 3000); // the end of that connection has had its answers
	nft("pub", FILTER);
	until(90, "a way that is dead is found without anybody's traffic, too", is_named, one, pub);
	nft("pub", "delete table ip fw");
	until(60, "and that it is not any more", is_not_named, one, pub);

	behind_nat("shut", "192.0.2.103");
	nft("gw-shut", "add rule ip fw forward oifname \"eth0\" ip daddr != 192.0.2.9 ip daddr != 192.0.2.1 meta l4proto udp drop");
	struct member *shut = join("shut");
	until(60, "a NAT that lets nobody else in", talks, shut, pub);
	until(60, "is tried", is_offered, one, shut);
	until(120, "and given up without a handshake", is_withdrawn, one, shut);
	printf("mesh-nat: all passed\n");
	return 0;
}
