// SPDX-License-Identifier: Apache-2.0
#include "region/page-view.h"

#include "base/time.h"

// N_COLOURS: one for every rung of a node (docs/contracts.md), so that none is there twice.
enum { TIMELINE_WIDTH = 640, TIMELINE_HEIGHT = 26, MAX_RUNGS = 32, N_COLOURS = 13 };

void html_escape(FILE *f, const char *text)
{
	for (const char *c = text ? text : ""; *c; c++)
		switch (*c) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			fputc(*c, f);
		}
}

static void element(FILE *f, const char *open, const char *text, const char *close)
{
	fputs(open, f);
	html_escape(f, text);
	fputs(close, f);
}

static const char *text_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_STRING && value->text[0] ? value->text : NULL;
}

static int64_t number_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

static bool is_true(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_BOOL && value->boolean;
}

void page_begin(FILE *f, const struct page_frame *frame)
{
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	      "<meta name=\"color-scheme\" content=\"light dark\"><title>",
		f);
	html_escape(f, frame->title);
	fputs("</title><link rel=\"stylesheet\" href=\"/page/style.css\">"
	      "<script src=\"/page/page.js\" defer></script></head><body>\n<header><div "
	      "class=\"brand\">"
	      "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"M12 2c1 4 6 6 6 12a6 6 0 "
	      "0 1-12 0c0-3 2-4 2-7 2 1 3 2 3 4"
	      " 1-2 2-5 1-9z\"/></svg><strong>Hearth</strong>",
		f);
	element(f, "<span class=\"cluster\">", frame->cluster, "</span></div>");
	if (frame->csrf) {
		element(f,
			"<form method=\"post\" action=\"/page/logout\"><input type=\"hidden\" "
			"name=\"csrf\" value=\"",
			frame->csrf, "\"><button class=\"quiet\">Log out</button></form>");
	}
	fputs("</header>\n<main>\n", f);
	if (frame->said && frame->said[0])
		element(f,
			frame->said_is_error ? "<p class=\"said bad\" role=\"alert\">"
					     : "<p class=\"said\" role=\"status\">",
			frame->said, "</p>\n");
}

void page_end(FILE *f)
{
	fputs("</main></body></html>\n", f);
}

void page_login(FILE *f)
{
	fputs("<section class=\"login\"><h1>Log in</h1><form method=\"post\" "
	      "action=\"/page/login\">"
	      "<input type=\"hidden\" name=\"user\" value=\"admin\" autocomplete=\"username\">"
	      "<label for=\"password\">Password of the administrator</label>"
	      "<input id=\"password\" name=\"password\" type=\"password\" "
	      "autocomplete=\"current-password\" autofocus required>"
	      "<button>Log in</button></form>"
	      "<p class=\"hint\">It was shown once by <code>hearth-region "
	      "init</code>.</p></section>\n",
		f);
}

// ---- timeline

struct segment {
	const char *rung;
	double from_sec, to_sec;
};

static size_t timeline_segments(const struct value *timeline, struct segment *ret)
{
	size_t n = 0;
	double last = 0;
	for (size_t i = 0;
		timeline && timeline->type == VALUE_ARRAY && i < timeline->n && n < MAX_RUNGS;
		i++) {
		double sec = (double)number_of(&timeline->items[i], "firstUsec") / 1e6;
		if (!text_of(&timeline->items[i], "rung") || sec <= 0)
			continue;
		ret[n++] = (struct segment){ text_of(&timeline->items[i], "rung"), last,
			sec > last ? sec : last };
		last = sec > last ? sec : last;
	}
	return n;
}

static void page_timeline(FILE *f, const struct value *timeline)
{
	struct segment segments[MAX_RUNGS];
	size_t n = timeline_segments(timeline, segments);
	double total = n ? segments[n - 1].to_sec : 0;
	if (total <= 0)
		return;
	fprintf(f,
		"<figure class=\"timeline\"><svg viewBox=\"0 0 %d %d\" "
		"preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"timeline since kernel start\">",
		TIMELINE_WIDTH, TIMELINE_HEIGHT);
	for (size_t i = 0; i < n; i++) {
		double x = segments[i].from_sec / total * TIMELINE_WIDTH;
		double width = (segments[i].to_sec - segments[i].from_sec) / total * TIMELINE_WIDTH;
		fprintf(f,
			"<rect class=\"r%zu\" x=\"%.1f\" y=\"0\" width=\"%.1f\" "
			"height=\"%d\"><title>",
			i % N_COLOURS, x, width < 1.5 ? 1.5 : width, TIMELINE_HEIGHT);
		html_escape(f, segments[i].rung);
		fprintf(f, " %.2f s</title></rect>", segments[i].to_sec);
	}
	fputs("</svg><figcaption>", f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "<span><i class=\"r%zu\"></i>", i % N_COLOURS);
		html_escape(f, segments[i].rung);
		fprintf(f, " <b>%.1f s</b></span>", segments[i].to_sec);
	}
	fputs("</figcaption></figure>", f);
}

// ---- machines

static void page_form(FILE *f, const char *action, const char *id, const char *csrf)
{
	fprintf(f, "<form method=\"post\" action=\"/page/%s\">", action);
	element(f, "<input type=\"hidden\" name=\"csrf\" value=\"", csrf, "\">");
	element(f, "<input type=\"hidden\" name=\"node\" value=\"", id, "\">");
}

static void page_hardware(FILE *f, const struct value *machine)
{
	const struct value *macs = value_find(machine, "macs"), *lldp = value_find(machine, "lldp");
	fputs("<dl>", f);
	if (text_of(machine, "serial"))
		element(f, "<div><dt>Serial</dt><dd>", text_of(machine, "serial"), "</dd></div>");
	if (text_of(machine, "product"))
		element(f, "<div><dt>Product</dt><dd>", text_of(machine, "product"), "</dd></div>");
	if (text_of(machine, "remote"))
		element(f, "<div><dt>Speaks from</dt><dd>", text_of(machine, "remote"),
			"</dd></div>");
	for (size_t i = 0; macs && i < macs->n && i < 4; i++)
		element(f,
			i ? " <span class=\"mac\">" : "<div><dt>MAC</dt><dd><span class=\"mac\">",
			value_text(&macs->items[i]), "</span>");
	if (macs && macs->n)
		fputs("</dd></div>", f);
	for (size_t i = 0; lldp && lldp->type == VALUE_ARRAY && i < lldp->n && i < 2; i++) {
		element(f, "<div><dt>Switch</dt><dd>", text_of(&lldp->items[i], "system"), " ");
		element(f, "", text_of(&lldp->items[i], "port"), "</dd></div>");
	}
	fputs("</dl>", f);
}

static void page_seen(FILE *f, const struct value *machine, int64_t now_sec)
{
	int64_t ago_sec = now_sec - number_of(machine, "seenSec");
	if (ago_sec < 120)
		fprintf(f, "<span class=\"seen\">heard %lld s ago</span>",
			(long long)(ago_sec < 0 ? 0 : ago_sec));
	else
		fprintf(f, "<span class=\"seen late\">silent for %lld min</span>",
			(long long)(ago_sec / 60));
}

static void page_pending(FILE *f, const struct value *entry, const char *csrf, int64_t now_sec)
{
	const char *id = text_of(entry, "id"), *state = text_of(entry, "state");
	bool waits = str_equal(state, "pending");
	element(f, waits ? "<article class=\"pending\" id=\"" : "<article class=\"gone\" id=\"", id,
		"\"><div class=\"head\">");
	element(f, "<h3>", text_of(entry, "serial") ? text_of(entry, "serial") : id, "</h3>");
	element(f, waits ? "<span class=\"chip wait\">" : "<span class=\"chip bad\">", state,
		"</span>");
	page_seen(f, entry, now_sec);
	fputs("</div>", f);
	if (text_of(entry, "replaces"))
		element(f, "<p class=\"warning\">Claims the hardware of ",
			text_of(entry, "replaces"),
			", which has another key. Approving it revokes that node.</p>");
	if (is_true(entry, "unauthenticatedBoot"))
		fputs("<p class=\"warning\">Booted over plain HTTP without Secure Boot: its pin "
		      "and its code are only as good as the "
		      "boot network.</p>",
			f);
	if (!waits || text_of(entry, "tokenProblem"))
		element(f, "<p class=\"sentence\">", text_of(entry, "sentence"), "</p>");
	page_hardware(f, entry);
	if (!waits) {
		fputs("</article>\n", f);
		return;
	}
	int64_t n_wrong = number_of(entry, "wrongCodes");
	if (n_wrong > 0)
		fprintf(f,
			"<p class=\"warning bad\">Wrong codes so far: %lld. The fifth closes this "
			"entry.</p>",
			(long long)n_wrong);
	fputs("<div class=\"actions\">", f);
	page_form(f, "approve", id, csrf);
	element(f, "<label for=\"code-", id, "\">Code on the machine&#39;s screen</label>");
	element(f, "<input class=\"code\" id=\"code-", id,
		"\" name=\"code\" placeholder=\"XXXX-XXXX\" maxlength=\"16\" autocomplete=\"off\" "
		"autocapitalize=\"characters\" spellcheck=\"false\" required>");
	fputs("<select name=\"role\" aria-label=\"role\">", f);
	if (text_of(entry, "replaces"))
		fputs("<option value=\"\">role as before</option>", f);
	fputs("<option value=\"worker\">worker</option><option "
	      "value=\"server\">server</option></select><button>Approve</button></form>",
		f);
	page_form(f, "deny", id, csrf);
	fputs("<button class=\"danger\">Deny</button></form></div></article>\n", f);
}

static const char *node_chip(const struct value *node)
{
	const char *state = text_of(node, "state");
	if (str_equal(state, "revoked") || str_equal(state, "quarantined"))
		return "<span class=\"chip bad\">";
	return is_true(node, "ready") ? "<span class=\"chip good\">" : "<span class=\"chip wait\">";
}

static void page_node(FILE *f, const struct value *node, const char *csrf, int64_t now_sec)
{
	const char *state = text_of(node, "state");
	bool revoked = str_equal(state, "revoked"), ready = is_true(node, "ready") && !revoked;
	const struct value *warnings = value_find(node, "warnings");
	fputs(revoked ? "<article class=\"node gone\"><div class=\"head\">"
		      : "<article class=\"node\"><div class=\"head\">",
		f);
	element(f, "<h3>", text_of(node, "name"), "</h3>");
	element(f, node_chip(node),
		ready					     ? "Ready"
		: revoked || str_equal(state, "quarantined") ? state
		: text_of(node, "phase")		     ? text_of(node, "phase")
							     : state,
		"</span>");
	element(f, "<span class=\"role\">", text_of(node, "role"), "</span>");
	page_seen(f, node, now_sec);
	fputs("</div>", f);
	if (!revoked && text_of(node, "sentence"))
		element(f, "<p class=\"sentence\">", text_of(node, "sentence"), "</p>");
	for (size_t i = 0;
		!revoked && warnings && warnings->type == VALUE_ARRAY && i < warnings->n && i < 8;
		i++)
		element(f, "<p class=\"warning\">", value_text(&warnings->items[i]), "</p>");
	if (!revoked) {
		page_parts(f, node);
		page_timeline(f, value_find(node, "timeline"));
	}
	fputs("<details><summary>Details</summary>", f);
	page_hardware(f, node);
	if (text_of(node, "code"))
		element(f, "<p>Code at enrolment: <code>", text_of(node, "code"), "</code></p>");
	if (!revoked) {
		page_form(f, "revoke", text_of(node, "id"), csrf);
		fputs("<label class=\"sure\"><input type=\"checkbox\" name=\"sure\" value=\"yes\" "
		      "required> decommission this node: its key "
		      "is refused from now on</label><button "
		      "class=\"danger\">Revoke</button></form>",
			f);
	}
	if (str_equal(state, "quarantined")) {
		page_form(f, "release", text_of(node, "id"), csrf);
		fputs("<button>End quarantine</button></form>", f);
	}
	fputs("</details></article>\n", f);
}

static bool entry_waits(const struct value *entry)
{
	return str_equal(text_of(entry, "state"), "pending");
}

static void page_entries(FILE *f, const struct value *entries, bool waiting, const char *title,
	const char *csrf, int64_t now_sec)
{
	bool any = false;
	for (size_t i = 0; entries && i < entries->n; i++) {
		if (entry_waits(&entries->items[i]) != waiting)
			continue;
		if (!any)
			fprintf(f, "<h2>%s</h2>\n", title);
		any = true;
		page_pending(f, &entries->items[i], csrf, now_sec);
	}
}

static void page_counts(FILE *f, const struct value *nodes, const struct value *entries)
{
	size_t n_nodes = 0, n_ready = 0, n_waiting = 0;
	for (size_t i = 0; nodes && i < nodes->n; i++) {
		bool revoked = str_equal(text_of(&nodes->items[i], "state"), "revoked");
		n_nodes += !revoked;
		n_ready += !revoked && is_true(&nodes->items[i], "ready");
	}
	for (size_t i = 0; entries && i < entries->n; i++)
		n_waiting += entry_waits(&entries->items[i]);
	fprintf(f,
		"<ul class=\"counts\"><li><b>%zu</b> nodes</li><li class=\"good\"><b>%zu</b> "
		"Ready</li>"
		"<li class=\"%s\"><b>%zu</b> waiting for approval</li></ul>\n",
		n_nodes, n_ready, n_waiting ? "wait" : "", n_waiting);
}

void page_machines(FILE *f, const struct value *list, const char *csrf, int64_t now_sec)
{
	const struct value *nodes = value_find(list, "nodes"),
			   *entries = value_find(list, "enrolments");
	page_counts(f, nodes, entries);
	if (value_find(list, "firstServer") && !text_of(list, "firstServer"))
		fputs("<p class=\"warning\">The cluster has no server yet: approve a machine as "
		      "server, "
		      "or boot one with the seed that init made.</p>\n",
			f);
	page_cluster(f, list);
	page_entries(f, entries, true, "Waiting for approval", csrf, now_sec);
	fputs("<h2>Nodes</h2>\n", f);
	if (!nodes || nodes->n == 0)
		fputs("<p class=\"empty\">No node yet. Boot a machine from the Hearth image with "
		      "this region&#39;s seed.</p>\n",
			f);
	for (int revoked = 0; revoked < 2; revoked++) // those that are gone come last
		for (size_t i = 0; nodes && i < nodes->n; i++)
			if (str_equal(text_of(&nodes->items[i], "state"), "revoked") == revoked)
				page_node(f, &nodes->items[i], csrf, now_sec);
	page_entries(f, entries, false, "Denied or closed", csrf, now_sec);
}
