// SPDX-License-Identifier: Apache-2.0
#include "region/hand-over.h"

static char *differs_sentence(const struct hand_over_question *question)
{
	if (str_equal(question->known_ca_hash, question->ca_hash))
		return str_format(
			"this cluster has the CA with the hash %s and so has %s (%s), but its "
			"certificate or token is another one; a person has to look at that server",
			question->known_ca_hash, question->name, question->ca_hash);
	return str_format(
		"this cluster has the CA with the hash %s, %s runs one whose CA has the hash %s; a "
		"CA changes only by a job of the region: a person has to look at that server",
		question->known_ca_hash, question->name, question->ca_hash);
}

static char *refused_sentence(const struct hand_over_question *question)
{
	const struct admission_server *server = question->server;
	const char *lack = !question->handed_over ? "the first server has not handed over yet"
			   : !server		  ? "it is no server of this cluster"
			   : !server->ready	  ? "it is not Ready"
						  : "it does not vote in etcd";
	return str_format(
		"only the node assigned as first server may hand over the cluster, and a server "
		"that is Ready and votes may renew its kubeconfig; of %s: %s",
		question->name, lack);
}

enum hand_over_verdict hand_over_decide(
	const struct hand_over_question *question, char **ret_sentence)
{
	const struct admission_server *server = question->server;
	bool member = question->handed_over && server && server->ready && server->voter;
	*ret_sentence = NULL;
	if (!question->first && !member) {
		*ret_sentence = refused_sentence(question);
		return HAND_OVER_REFUSED;
	}
	if (question->handed_over && question->same)
		return question->first ? HAND_OVER_ALL : HAND_OVER_KUBECONFIG;
	// What the first server made and was never Ready it may make again.
	if (question->first && !(question->handed_over && question->ever_ready))
		return HAND_OVER_ALL;
	*ret_sentence = differs_sentence(question);
	return HAND_OVER_DIFFERS;
}

size_t hand_over_renewer(const struct admission_server *servers, const bool *certificates_end,
	size_t n_servers, size_t first)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < n_servers; i++)
		if (servers[i].ready && !servers[i].silent && servers[i].voter &&
			!certificates_end[i] && (best == SIZE_MAX || i == first))
			best = i;
	return best;
}
