// fuzzes: k3s
// Lists of Flux' objects from an API server: one document is given as a list of every kind.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flux.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void check_order(const struct flux *flux)
{
	for (size_t i = 0; i < flux->n_edges; i++) {
		const struct flux_edge *edge = &flux->edges[i];

		if (edge->waiter >= flux->n || edge->waited >= flux->n)
			abort();
		if (edge->waited >= edge->waiter && flux->n_cycles == 0)
			abort(); // what is waited for stands first
	}
	for (size_t i = 0; i < flux->n; i++) {
		const char *message = flux->objects[i].message;

		if (flux->objects[i].ready == (message != NULL))
			abort();
		if (message && (strlen(message) > FLUX_MESSAGE_MAX || strpbrk(message, "\n\033\r") ||
				       !utf8_valid(message, strlen(message), NULL)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct value *list CLEANUP(value_freep) = NULL, *again CLEANUP(value_freep) = NULL;
	struct flux *flux CLEANUP(flux_freep) = flux_new();
	char sentence[FLUX_SENTENCE_MAX];
	struct json_out out = {0};
	char *text AUTO_FREE = NULL;

	if (!flux || json_parse((const char *)bytes, n_bytes, 0, &list, NULL) < 0)
		return 0;
	for (size_t kind = 0; kind < N_FLUX_KINDS; kind++)
		if (flux_add(flux, (enum flux_kind)kind, list, NULL) < 0)
			return 0;
	if (flux_arrange(flux, NULL) < 0)
		return 0;
	check_order(flux);
	flux_sentence(flux, 1795608000, sentence);
	if (!sentence[0] != !flux_first(flux) || !utf8_valid(sentence, strlen(sentence), NULL))
		abort();
	flux_suspended(flux, sentence);
	flux_to_json(flux, 1795608000, &out);
	text = json_out_take(&out);
	if (text && json_parse(text, strlen(text), 0, &again, NULL) < 0)
		abort();
	return 0;
}
