// The page: login, list of machines, and the forms that approve, deny, revoke. Server-rendered;
// every form repeats the session's CSRF token. Also /v1/admin, the same calls for programs that
// have logged in. SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"
#include "region/api.h"
#include "region/form.h"
#include "region/page-view.h"
#include "region/session.h"

#include "base/log.h"

#include <errno.h>

static void add_page_headers(struct request *request)
{
	request_answer_header(request, "Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; "
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
	request_answer_header(request, "X-Content-Type-Options", "nosniff");
	request_answer_header(request, "Referrer-Policy", "no-referrer");
	request_answer_header(request, "Strict-Transport-Security", "max-age=31536000");
}

static int answer_asset(struct request *request, const char *type, const char *text)
{
	int r = request_answer_bytes(request, 200, type, strdup(text), strlen(text));
	add_page_headers(request);
	return r;
}

// To the list; to the machine @id there, unless it is NULL or no id.
static int answer_redirect(struct request *request, const char *id)
{
	char location[ID_TEXT + 2] = "/";
	int r = request_answer_empty(request, 303);
	size_t n = id ? strlen(id) : 0;
	if (n > 0 && n < ID_TEXT && strspn(id, "-0123456789abcdefn") == n)
		(void)snprintf(location, sizeof(location), "/#%s", id);
	request_answer_header(request, "Location", location);
	add_page_headers(request);
	return r;
}

static int list_machines(struct region *region, struct value **ret)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	int r = admin_call(region, "page", "list", NULL, &out, NULL);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	return r < 0 ? r : !text ? -ENOMEM : json_parse(text, strlen(text), 256 << 20, ret, NULL);
}

static int answer_page(
	struct region *region, struct request *request, unsigned status, const char *said)
{
	const struct session *session =
		session_of_cookie(region->sessions, request_header(request, "Cookie"));
	CLEANUP(value_freep) struct value *list = NULL;
	char kept[512] = "", *text = NULL;
	bool is_error = said != NULL;
	size_t n = 0;
	int r = session ? list_machines(region, &list) : 0;
	if (r < 0)
		return r;
	if (session && !said)
		session_take_said(region->sessions, session, kept, &is_error);
	FILE *f = open_memstream(&text, &n);
	if (!f)
		return -ENOMEM;
	page_begin(f,
		&(struct page_frame){ .title = session ? "Hearth region" : "Hearth region: log in",
			.cluster = region->config->name,
			.said = said ? said : kept,
			.said_is_error = is_error,
			.csrf = session ? session->csrf : NULL });
	if (session)
		page_machines(f, list, session->csrf, region_now_sec(region));
	else
		page_login(f);
	page_end(f);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	r = request_answer_bytes(request, status, "text/html; charset=utf-8", text, n);
	add_page_headers(request);
	return r;
}

int api_page(struct region *region, struct request *request)
{
	if (str_equal(request->path, "/page/style.css"))
		return answer_asset(request, "text/css", page_style);
	if (str_equal(request->path, "/page/page.js"))
		return answer_asset(request, "text/javascript", page_script);
	if (!str_equal(request->path, "/"))
		return request_answer_error(request, 404, "not-found", "there is no such page");
	return answer_page(region, request, 200, NULL);
}

enum login { LOGIN_UNTRIED, LOGIN_FITS, LOGIN_WRONG, LOGIN_TOO_SOON };

int api_login_prepare(struct region *region, struct request *request)
{
	AUTO_FREE char *password = form_value(request->body, "password"), *hash = NULL;
	pthread_mutex_lock(&region->lock);
	bool may = session_try_begin(region->sessions, request->remote);
	int r = may ? store_meta_get(region->store, "adminPassword", &hash) : 0;
	pthread_mutex_unlock(&region->lock);
	bool fits = may && r >= 0 && password && password_fits(password, hash);
	if (password)
		crypto_wipe(password, strlen(password));
	if (!may)
		return LOGIN_TOO_SOON;
	pthread_mutex_lock(&region->lock);
	session_try_end(region->sessions, request->remote, fits || r < 0);
	pthread_mutex_unlock(&region->lock);
	return r < 0 ? r : fits ? LOGIN_FITS : LOGIN_WRONG;
}

int api_login(struct region *region, struct request *request)
{
	char cookie[128];
	if (request->prepared < 0)
		return request->prepared;
	if (request->prepared == LOGIN_TOO_SOON)
		return answer_page(
			region, request, 429, "A wrong password costs two seconds: wait a moment.");
	if (request->prepared != LOGIN_FITS) {
		// In the journal, which is bounded: strangers do not fill the database.
		log_warning("page: a wrong password from %s", request->remote);
		return answer_page(region, request, 403, "That is not the password.");
	}
	const struct session *session = session_start(region->sessions);
	if (!session)
		return -ENOMEM;
	int r = answer_redirect(request, NULL);
	(void)snprintf(cookie, sizeof(cookie),
		"hearth-session=%s; Path=/; Secure; HttpOnly; SameSite=Strict", session->id);
	request_answer_header(request, "Set-Cookie", cookie);
	region_audit(region, "admin", "login", request->remote, "at the page");
	return r;
}

static char *call_arguments(const struct request *request)
{
	static const char *const names[] = { "node", "code", "role" };
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		AUTO_FREE char *text = form_value(request->body, names[i]);
		if (text && text[0])
			json_out_member(&out, names[i], text);
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

// Do @call with the form's fields and leave a sentence for the next page.
static int do_call(struct region *region, struct request *request, const struct session *session,
	const char *call, const char *done)
{
	CLEANUP(value_freep) struct value *args = NULL;
	AUTO_FREE char *text = call_arguments(request);
	struct json_out out = { 0 };
	struct diag diag = { 0 };
	if (!text || json_parse(text, strlen(text), 0, &args, NULL) < 0)
		return request_answer_error(request, 400, "bad-form", "the form cannot be read");
	json_out_object_begin(&out);
	int r = admin_call(region, "admin (page)", call, args, &out, &diag);
	json_out_done(&out);
	session_say(region->sessions, session, r < 0,
		r < 0 ? (diag.message[0] ? diag_text(&diag) : strerror(-r)) : done);
	request->commit = true;
	return answer_redirect(request, r < 0 ? value_text(value_find(args, "node")) : NULL);
}

int api_page_post(struct region *region, struct request *request)
{
	static const struct {
		const char *path, *call, *done;
	} forms[] = {
		{ "/page/approve", "approve", "Approved: the machine gets its certificate now." },
		{ "/page/deny", "deny", "Denied." },
		{ "/page/revoke", "revoke",
			"Revoked: its key is refused from now on. Rotate the secrets it "
			"received." },
		{ "/page/release", "release", "The quarantine is over." },
	};
	const struct session *session =
		session_of_cookie(region->sessions, request_header(request, "Cookie"));
	AUTO_FREE char *csrf = form_value(request->body, "csrf");
	if (!session)
		return answer_page(region, request, 401, "The session is over: log in again.");
	if (!session_csrf_fits(session, csrf))
		return request_answer_error(
			request, 403, "csrf", "the form was not made by this page");
	if (str_equal(request->path, "/page/logout")) {
		session_end(region->sessions, session);
		return answer_redirect(request, NULL);
	}
	for (size_t i = 0; i < N_ELEMENTS(forms); i++)
		if (str_equal(forms[i].path, request->path))
			return do_call(region, request, session, forms[i].call, forms[i].done);
	return request_answer_error(request, 404, "not-found", "there is no such form");
}

int api_admin(struct region *region, struct request *request)
{
	const struct session *session =
		session_of_cookie(region->sessions, request_header(request, "Cookie"));
	CLEANUP(value_freep) struct value *args = NULL;
	struct json_out out = { 0 };
	struct diag diag = { 0 };
	if (!session || !session_csrf_fits(session, request_header(request, "Hearth-Csrf")))
		return request_answer_error(request, 403, "csrf",
			"the header Hearth-Csrf must repeat the token of the session");
	int r = request_json(request, &args);
	if (r < 0)
		return r;
	json_out_object_begin(&out);
	r = admin_call(
		region, "admin (api)", request->path + strlen("/v1/admin/"), args, &out, &diag);
	json_out_object_end(&out);
	request->commit = request->keep = true;
	if (r >= 0)
		return request_answer_json(request, 200, &out);
	json_out_done(&out);
	return request_answer_error(request,
		r == -ENOSYS || r == -ENOENT ? 404
		: r == -EPERM		     ? 403
					     : 400,
		"refused", "%s", diag.message[0] ? diag_text(&diag) : strerror(-r));
}
