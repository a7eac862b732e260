// What a node reports of the platform, its volumes and its jobs, as HTML of the page.
// SPDX-License-Identifier: Apache-2.0
#include "region/page-view.h"

static const char *text_of(const struct value *object, const char *key)
{
	const char *text = value_text(value_find(object, key));
	return text && text[0] ? text : NULL;
}

static int64_t number_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

static void put_age(FILE *f, int64_t sec)
{
	if (sec < 120)
		fprintf(f, "%lld s", (long long)sec);
	else if (sec < 7200)
		fprintf(f, "%lld min", (long long)(sec / 60));
	else if (sec < 2 * 86400)
		fprintf(f, "%lld h", (long long)(sec / 3600));
	else
		fprintf(f, "%lld days", (long long)(sec / 86400));
}

static void put_size(FILE *f, int64_t n_bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double size = (double)n_bytes;
	size_t unit = 0;
	while (size >= 1024 && unit + 1 < N_ELEMENTS(units)) {
		size /= 1024;
		unit++;
	}
	fprintf(f, size < 10 && size != (double)(int)size ? " %.1f %s" : " %.0f %s", size,
		units[unit]);
}

static void put_first(FILE *f, const struct value *first)
{
	fputs("<p class=\"warning\">", f);
	html_escape(f, text_of(first, "kind"));
	fputs(" <code>", f);
	if (text_of(first, "namespace")) {
		html_escape(f, text_of(first, "namespace"));
		fputc('/', f);
	}
	html_escape(f, text_of(first, "name"));
	if (value_find(first, "ageSec")) {
		fputs("</code> has not been ready for ", f);
		put_age(f, number_of(first, "ageSec"));
	} else {
		fputs("</code> is not ready", f);
	}
	if (text_of(first, "message")) {
		fputs(": <span class=\"message\">", f);
		html_escape(f, text_of(first, "message"));
		fputs("</span>", f);
	}
	fputs("</p>", f);
}

static void put_platform(FILE *f, const struct value *platform)
{
	int64_t n = number_of(platform, "n"), n_ready = number_of(platform, "nReady");
	if (!platform)
		return;
	fprintf(f,
		"<div class=\"platform\"><span>Platform</span><progress max=\"%lld\" "
		"value=\"%lld\"></progress><span class=\"%s\">%lld of %lld ready</span></div>",
		(long long)(n ? n : 1), (long long)n_ready, n > 0 && n == n_ready ? "good" : "wait",
		(long long)n_ready, (long long)n);
	if (value_find(platform, "first"))
		put_first(f, value_find(platform, "first"));
}

static void put_volumes(FILE *f, const struct value *volumes)
{
	if (!volumes || volumes->n == 0)
		return;
	fputs("<ul class=\"parts\"><li class=\"what\">Volumes</li>", f);
	for (size_t i = 0; i < volumes->n; i++) {
		const struct value *volume = &volumes->items[i],
				   *ready = value_find(volume, "ready");
		bool is_ready = ready && ready->boolean;
		fputs("<li><code>", f);
		html_escape(f, volumes->keys[i]);
		fputs("</code>", f);
		if (number_of(volume, "bytes") > 0)
			put_size(f, number_of(volume, "bytes"));
		if (!is_ready) {
			fputs(" <span class=\"wait\">", f);
			html_escape(f, text_of(volume, "sentence") ? text_of(volume, "sentence")
								   : "is not made yet");
			fputs("</span>", f);
		}
		fputs("</li>", f);
	}
	fputs("</ul>", f);
}

static void put_jobs(FILE *f, const struct value *jobs)
{
	if (!jobs || jobs->n == 0)
		return;
	fputs("<ul class=\"parts\"><li class=\"what\">Jobs</li>", f);
	for (size_t i = 0; i < jobs->n; i++) {
		const struct value *job = &jobs->items[i];
		bool failed = str_equal(text_of(job, "state"), "failed");
		fputs("<li><code>", f);
		html_escape(f, jobs->keys[i]);
		fputs(failed ? "</code> <span class=\"bad\">" : "</code> <span>", f);
		html_escape(f, text_of(job, "state"));
		if (text_of(job, "sentence")) {
			fputs(": ", f);
			html_escape(f, text_of(job, "sentence"));
		}
		fputs("</span></li>", f);
	}
	fputs("</ul>", f);
}

void page_parts(FILE *f, const struct value *node)
{
	put_platform(f, value_find(node, "platform"));
	put_volumes(f, value_find(node, "volumes"));
	put_jobs(f, value_find(node, "jobs"));
}
