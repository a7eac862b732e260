// SPDX-License-Identifier: Apache-2.0
#include "region/snapshot.h"

#include "region/job-run.h"

#include <errno.h>

bool snapshot_name_valid(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	size_t n = strspn(name, letters);
	return n > 0 && n <= SNAPSHOT_NAME_MAX && !name[n] && *name != '.';
}

static const struct value *find(const struct value *status)
{
	const struct value *snapshots = value_find(status, "snapshots");
	return snapshots && snapshots->type == VALUE_NULL ? NULL : snapshots;
}

static int check_one(const struct value *item, struct diag *reterr)
{
	const char *name;
	int64_t number;
	if (item->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "snapshots", "must be objects");
	int r = value_string(value_find(item, "name"), "snapshots.name", &name, reterr);
	if (r < 0 ||
		(r = value_int(value_find(item, "bytes"), "snapshots.bytes", 0, INT64_MAX, &number,
			 reterr)) < 0 ||
		(r = value_int(value_find(item, "createdSec"), "snapshots.createdSec", 0, INT64_MAX,
			 &number, reterr)) < 0)
		return r;
	if (!snapshot_name_valid(name))
		return diag_set(reterr, -EINVAL, "snapshots.name",
			"must be 1-%d of letters, digits, dash, dot, underscore, not \"%.40s\"",
			SNAPSHOT_NAME_MAX, name);
	return 0;
}

int snapshots_check(const struct value *body, struct diag *reterr)
{
	const struct value *snapshots = find(body);
	int r = 0;
	if (!snapshots)
		return 0;
	if (snapshots->type != VALUE_ARRAY || snapshots->n > SNAPSHOT_MAX)
		return diag_set(
			reterr, -EINVAL, "snapshots", "must be a list of at most %d", SNAPSHOT_MAX);
	for (size_t i = 0; r >= 0 && i < snapshots->n; i++)
		r = check_one(&snapshots->items[i], reterr);
	return r;
}

bool snapshot_at(const struct value *status, size_t i, struct snapshot *ret)
{
	const struct value *snapshots = find(status);
	if (!snapshots || i >= snapshots->n)
		return false;
	const struct value *item = &snapshots->items[i];
	struct snapshot found = { .name = value_text(value_find(item, "name")) };
	if (!found.name ||
		value_int(value_find(item, "bytes"), "bytes", 0, INT64_MAX, &found.n_bytes, NULL) <
			0 ||
		value_int(value_find(item, "createdSec"), "createdSec", 0, INT64_MAX,
			&found.created_sec, NULL) < 0)
		return false;
	*ret = found;
	return true;
}

bool snapshot_of_name(const struct value *status, const char *name, struct snapshot *ret)
{
	struct snapshot one;
	for (size_t i = 0; snapshot_at(status, i, &one); i++)
		if (str_equal(one.name, name)) {
			*ret = one;
			return true;
		}
	return false;
}

// ---- the order

// Which of the servers.
static int choose(const struct membership *membership, const struct node *node, size_t *ret,
	struct diag *reterr)
{
	size_t named = node ? membership_server(membership, node->id) : SIZE_MAX;
	if (node && named == SIZE_MAX)
		return diag_set(reterr, -EINVAL, node->name,
			"must be a server of the cluster: only those have etcd");
	for (size_t i = 0; i < membership->n_servers; i++) {
		const struct admission_server *server = &membership->servers[i];
		if ((node && i != named) || !server->ready || server->silent || !server->voter)
			continue;
		*ret = i;
		return 0;
	}
	return diag_set(reterr, -EHOSTDOWN, node ? node->name : membership->cluster->name,
		"no snapshot can be made: %s; hearth-region list says what it waits for",
		node ? "this server is not Ready, or does not vote in etcd"
		     : "no server is Ready and votes in etcd");
}

int snapshot_make(struct region *region, const char *actor, const struct node *node,
	char ret_id[static ID_TEXT], char ret_name[static STORE_NAME_TEXT], struct diag *reterr)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	int r = membership_load(region, &membership);
	if (r < 0)
		return r;
	size_t server = 0;
	if ((r = choose(&membership, node, &server, reterr)) < 0)
		return r;
	const struct node *on = membership.nodes[server];
	if ((r = job_make(region, JOB_ETCD_SNAPSHOT, on, ret_id)) < 0)
		return r;
	(void)snprintf(ret_name, STORE_NAME_TEXT, "%s", on->name);
	region_audit(region, actor, "job", on->name, "%s: %s", ret_id, JOB_ETCD_SNAPSHOT);
	return membership_step(region);
}
