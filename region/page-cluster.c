// What the page says of the cluster as a whole: the rollout, jobs that servers do, older settings.
// SPDX-License-Identifier: Apache-2.0
#include "region/page-view.h"

enum { REFUSED_MAX = 10 }; // a bad network is refused by all: they are one piece of news

static const char *text_of(const struct value *object, const char *key)
{
	const char *text = value_text(value_find(object, key));
	return text && text[0] ? text : NULL;
}

static long long number_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

static void paragraph(FILE *f, const char *class, const char *const texts[], size_t n)
{
	fprintf(f, "<p class=\"%s\">", class);
	for (size_t i = 0; i < n; i++)
		html_escape(f, texts[i] ? texts[i] : "");
	fputs("</p>\n", f);
}

static void page_job(FILE *f, const struct value *job)
{
	bool failed = str_equal(text_of(job, "state"), "failed");
	const char *const texts[] = { text_of(job, "kind"), " ", text_of(job, "node"), ": ",
		text_of(job, "state"), text_of(job, "server") ? ", by " : "",
		text_of(job, "server"), text_of(job, "sentence") ? ": " : "",
		text_of(job, "sentence"), failed ? "; hearth-region job retry " : "",
		failed ? text_of(job, "id") : "" };
	paragraph(f, failed ? "warning bad" : "sentence", texts, N_ELEMENTS(texts));
}

static void page_restore(FILE *f, const struct value *restore)
{
	const char *state = text_of(restore, "state");
	const char *const texts[] = { "Restore of ", text_of(restore, "snapshot"), " on ",
		text_of(restore, "node"), ", ", state, ": ", text_of(restore, "sentence") };
	if (state && !str_equal(state, "done") && !str_equal(state, "undone"))
		paragraph(f, str_equal(state, "failed") ? "warning bad" : "sentence", texts,
			N_ELEMENTS(texts));
}

static void page_secrets(FILE *f, const struct value *names)
{
	for (size_t i = 0; names && i < names->n; i++) {
		const char *name = value_text(&names->items[i]);
		bool rotates = name && str_starts(name, "k3s-");
		const char *const texts[] = { "A revoked node may know the secret ", name,
			": hearth-region secret ", rotates ? "rotate " : "set ", name };
		paragraph(f, "warning", texts, N_ELEMENTS(texts));
	}
}

static void page_refused_networks(FILE *f, const struct value *nodes)
{
	size_t n = 0;
	for (size_t i = 0; nodes && i < nodes->n; i++) {
		const struct value *refused = value_find(&nodes->items[i], "networkRefused");
		const char *const texts[] = { text_of(&nodes->items[i], "name"), " refuses its network of cluster.yaml and keeps another: ",
			text_of(refused, "reason") };
		if (refused && ++n <= REFUSED_MAX)
			paragraph(f, "warning", texts, N_ELEMENTS(texts));
	}
	if (n > REFUSED_MAX)
		fprintf(f, "<p class=\"warning\">%zu more node%s: <code>hearth-region list</code></p>\n", n - REFUSED_MAX,
			n - REFUSED_MAX == 1 ? " does" : "s do");
}

void page_cluster(FILE *f, const struct value *list)
{
	const struct value *jobs = value_find(list, "jobs"), *rollout = value_find(list, "rollout");
	const char *state = text_of(rollout, "state");
	long long n_older = number_of(list, "nOlderSettings");
	for (size_t i = 0; jobs && i < jobs->n; i++)
		page_job(f, &jobs->items[i]);
	page_restore(f, value_find(list, "restore"));
	page_secrets(f, value_find(list, "secretsToRotate"));
	page_refused_networks(f, value_find(list, "nodes"));
	if (state && !str_equal(state, "done")) {
		const char *const texts[] = { "Rollout ", state, ": ",
			text_of(rollout, "sentence") };
		paragraph(f, str_equal(state, "failed") ? "warning bad" : "sentence", texts,
			N_ELEMENTS(texts));
	}
	if (n_older > 0 && !str_equal(state, "running"))
		fprintf(f,
			"<p class=\"warning\">%lld node%s older settings: "
			"<code>hearth-region rollout start</code></p>\n",
			n_older, n_older == 1 ? " runs" : "s run");
}
