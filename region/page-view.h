// The page as HTML: what a person sees. Writes only; what is shown is decided by page.c. Everything
// from outside is escaped here. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

struct page_frame {
	const char *title, *cluster;
	const char *said; // a sentence about what the last form did, or ""
	bool said_is_error;
	const char *csrf; // NULL: not logged in
};
void page_begin(FILE *f, const struct page_frame *frame);
void page_end(FILE *f);
void page_login(FILE *f);
/* @list: the answer of the admin call "list". @now_sec: for "seen n s ago". */
void page_cluster(FILE *f, const struct value *list); // jobs, rollout, older settings
void page_machines(FILE *f, const struct value *list, const char *csrf, int64_t now_sec);
/* The platform's state, volumes and jobs of @node, an entry of that list; nothing where it has
 * none. */
void page_parts(FILE *f, const struct value *node);
void html_escape(FILE *f, const char *text); // NULL writes nothing

extern const char page_style[], page_script[];
