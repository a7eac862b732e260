// SPDX-License-Identifier: Apache-2.0
#include "region/admission.h"

static bool is_up(const struct admission_server *server)
{
	return server->ready && !server->silent;
}

static char *wait_for_state(void)
{
	return strdup(
		"this server's key is not kept on a disk yet, and a server without STATE does "
		"not join; look at its screen for what STATE lacks");
}

static char *wait_for_first(const struct admission_question *question)
{
	if (!question->first && question->is_server && !question->durable)
		return wait_for_state(); // else it would be the first
	if (!question->first)
		return str_format("cluster %s has no server yet; approve a node as server first",
			question->cluster);
	if (!question->handed_over)
		return str_format("the first server %s has not handed over the cluster yet; this "
				  "node joins as soon as it has",
			question->first);
	if (question->is_server && !question->ever_ready)
		return str_format("the first server %s handed over the cluster but was not Ready "
				  "yet; servers join as soon as it is",
			question->first);
	if (question->n_servers == 0)
		return str_format(
			"no server of cluster %s is left, and a cluster that was Ready is never "
			"made anew by itself; bring back a server with its disk, or give up what "
			"was in it: hearth-region cluster anew %s",
			question->cluster, question->cluster);
	return NULL;
}

static char *wait_for_leaving(const struct admission_question *question)
{
	for (size_t i = 0; i < question->n_leaving; i++) {
		const struct admission_leaving *leaving = &question->leaving[i];
		bool own_name = str_equal(leaving->name, question->name);
		const char *what = own_name		   ? "the former"
				   : leaving->same_machine ? "this machine was"
				   : leaving->was_server   ? "server"
							   : "node";
		const char *which = leaving->same_machine && !own_name ? ", which" : "";
		if (!own_name && !leaving->same_machine &&
			!(question->is_server && leaving->was_server))
			continue;
		if (leaving->failed)
			return str_format(
				"%s %s%s could not be removed from the cluster: %s; mend that, "
				"then hearth-region job retry %s",
				what, leaving->name, which,
				leaving->sentence ? leaving->sentence : "", leaving->job);
		if (!leaving->server)
			return str_format("%s %s%s has to be removed from the cluster first, and "
					  "no server is Ready to do it; bring one back",
				what, leaving->name, which);
		return str_format(
			"%s %s%s is being removed from the cluster by %s; this one is next", what,
			leaving->name, which, leaving->server);
	}
	return NULL;
}

static char *wait_for_server(const struct admission_server *server)
{
	const char *sentence =
		server->sentence && server->sentence[0] ? server->sentence : "it gave no reason";
	if (server->silent && !server->quarantined)
		return str_format("server %s %s and is silent now; look at its screen, or "
				  "hearth-region revoke %s",
			server->name,
			server->joined ? "is a member of the cluster" : "began to join",
			server->name);
	if (!server->joined && !server->quarantined)
		return str_format("server %s is joining; this one is next", server->name);
	if (!server->ready)
		return str_format("server %s is not Ready: %.200s", server->name, sentence);
	if (!server->voter)
		return str_format("server %s is no voting member of etcd at present; this one is "
				  "next when it votes again",
			server->name);
	return NULL;
}

bool admission_decide(const struct admission_question *question, char **ret_sentence)
{
	char *sentence = wait_for_first(question);
	if (!sentence)
		sentence = wait_for_leaving(question);
	if (!sentence && question->is_server && !question->durable)
		sentence = wait_for_state();
	bool waits = sentence != NULL;
	for (size_t i = 0; !waits && question->is_server && i < question->n_servers; i++) {
		const struct admission_server *server = &question->servers[i];
		waits = !is_up(server) || !server->voter || !server->joined;
		if (waits)
			sentence = wait_for_server(server);
	}
	// Memory that ran out while a sentence was made lets nobody in.
	if (!waits && (!question->first || !question->handed_over || question->n_servers == 0 ||
			      (question->is_server && !question->ever_ready)))
		waits = true;
	*ret_sentence = sentence;
	return !waits;
}

size_t admission_join_by(
	const struct admission_server *servers, size_t n_servers, const char *first)
{
	size_t best = SIZE_MAX;
	int best_worth = -1;
	for (size_t i = 0; i < n_servers; i++) {
		int worth = (is_up(&servers[i]) && servers[i].voter ? 8 : 0) +
			    (is_up(&servers[i]) ? 4 : 0) + (servers[i].joined ? 2 : 0) +
			    (first && str_equal(servers[i].name, first) ? 1 : 0);
		if (worth <= best_worth)
			continue;
		best = i;
		best_worth = worth;
	}
	return best;
}

bool admission_may_leave(const struct admission_server *servers, size_t n_servers, size_t n_removed,
	size_t leaving, struct quorum *ret)
{
	struct quorum quorum = { .n_voters = n_removed };
	for (size_t i = 0; i < n_servers; i++) {
		quorum.n_voters += servers[i].joined;
		quorum.n_left += servers[i].joined && i != leaving && is_up(&servers[i]);
	}
	quorum.n_needed = quorum.n_voters / 2 + 1;
	*ret = quorum;
	return leaving >= n_servers || !servers[leaving].joined || quorum.n_left >= quorum.n_needed;
}
