// The region's half of mesh-nat.c, without its HTTP: a store, a cluster without a LAN template, nodes that report and ask. It is a
// program of its own, as agent and region are never linked together. A request is a line on stdin, its answer one on stdout:
//   join PUBLIC-KEY                a node with this WireGuard key: its number, 1 for the first
//   report NUMBER REMOTE STATUS    PUT /v1/status {"facts": ..., "mesh": ...}, coming from REMOTE: 0
//   mesh NUMBER SINCE              GET /v1/mesh?since=: 1 and the answer, or 0: there is nothing new
//   step                           what the region does every few seconds: 0
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/mesh-offer.h"
#include "region/mesh-reach.h"

enum { NODES_MAX = 8 };

static struct region region = { .epoch = "0123456789abcdef", .wake_fd = -1 };
static struct node nodes[NODES_MAX + 1];

static int start(const char *database)
{
	static const char rules[] = "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, domain: example.org, urls: "
				    "['https://192.0.2.1:7443']}";
	region.offers = calloc(1, sizeof(*region.offers));
	int r = cluster_config_parse(rules, strlen(rules), "cluster.yaml", NULL, &region.config, NULL);
	return r < 0 ? r : region.offers ? store_open(database, true, &region.store, NULL) : -1;
}

static int join(const char *public_key)
{
	int number = 1;
	while (nodes[number].number)
		number++;
	struct node *node = &nodes[number];
	*node = (struct node){ .number = number, .state = NODE_APPROVED };
	(void)snprintf(node->id, sizeof(node->id), "n-%d", number);
	(void)snprintf(node->key, sizeof(node->key), "%d", number);
	(void)snprintf(node->name, sizeof(node->name), "node-%d", number);
	(void)snprintf(node->wg_public, sizeof(node->wg_public), "%s", public_key);
	int r = region_mesh_changed(&region, node);
	return r < 0 || (r = store_node_put(region.store, node)) < 0 ? r : number;
}

static int report(int number, const char *remote, const char *status)
{
	struct node *node = &nodes[number];
	CLEANUP(value_freep) struct value *document = NULL;
	(void)snprintf(node->remote, sizeof(node->remote), "%s", remote);
	int r = json_parse(status, strlen(status), 0, &document, NULL);
	if (r < 0 || (r = mesh_reach_settle(&region, node, value_find(document, "facts"))) < 0 ||
		(r = store_node_put(region.store, node)) < 0)
		return r;
	return mesh_reach_report(&region, node, value_find(document, "mesh"));
}

static int mesh(int number, const char *since)
{
	AUTO_FREE char *answer = NULL;
	int r = mesh_answer(&region, &nodes[number], since, &answer);
	printf("%d %s\n", r, answer ? answer : "");
	return r;
}

// A negative number ends it: mesh-nat.c says so.
static int serve(char *line)
{
	char *rest = line;
	const char *verb = strsep(&rest, " "), *first = strsep(&rest, " ");
	int number = first ? atoi(first) : 0, r;
	if (str_equal(verb, "mesh"))
		return mesh(number, rest && *rest ? rest : NULL);
	if (str_equal(verb, "join")) {
		r = join(first);
	} else if (str_equal(verb, "report")) {
		const char *remote = strsep(&rest, " ");
		r = report(number, remote, rest);
	} else {
		r = mesh_reach_step(&region);
	}
	printf("%d\n", r);
	return r;
}

int main(int argc, char *argv[])
{
	AUTO_FREE char *line = NULL;
	size_t n_alloc = 0;
	if (argc != 2 || start(argv[1]) < 0)
		return 1;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	while (getline(&line, &n_alloc, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (serve(line) < 0)
			return 1;
	}
	return 0;
}
