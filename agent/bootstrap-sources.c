// The places a bootstrap is pulled from.
// SPDX-License-Identifier: Apache-2.0
#include "agent/bootstrap-sources.h"
#include "base/json.h"
#include <errno.h>

void bootstrap_places_done(struct bootstrap_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(places[i].url);
}

// HOST[:PORT] of a URL; borrowed, *ret_n its length.
static const char *host_of(const char *url, size_t *ret_n)
{
	const char *host = strstr(url, "://") + 3; // checked by the assignment's decoder

	*ret_n = strcspn(host, "/");
	return host;
}

static const struct value *of_host(const struct value *object, const char *url)
{
	size_t n;
	const char *host = host_of(url, &n);

	for (size_t i = 0; object && object->type == VALUE_OBJECT && i < object->n; i++)
		if (strlen(object->keys[i]) == n && strncmp(object->keys[i], host, n) == 0)
			return &object->items[i];
	return NULL;
}

static int place_make(const struct assignment *assignment, const struct value *logins, const char *url,
	struct bootstrap_place *ret)
{
	size_t n = strlen(url);
	const struct value *login;

	while (n && url[n - 1] == '/')
		n--;
	if (n > 3 && strncmp(url + n - 3, "/v2", 3) == 0)
		n -= 3;
	*ret = (struct bootstrap_place){.url = strndup(url, n), .plain = str_starts(url, "http://")};
	if (!ret->url)
		return -ENOMEM;
	login = of_host(logins, ret->url);
	ret->ca_pem = value_text(value_find(of_host(assignment->registry_configs, ret->url), "caPem"));
	ret->username = value_text(value_find(login, "username")); // a login has both: store.c sees to it
	ret->password = ret->username ? value_text(value_find(login, "password")) : NULL;
	ret->proxy = ret->plain ? assignment->proxy_http : assignment->proxy_https;
	return 0;
}

int bootstrap_places(const struct assignment *assignment, const struct value *logins,
	struct bootstrap_place ret[static BOOTSTRAP_MAX_SOURCES])
{
	const struct value *mirrors = value_find(assignment->registry_mirrors, assignment->bootstrap_registry);
	char *itself AUTO_FREE = str_format("https://%s", assignment->bootstrap_registry);
	size_t n = 0;
	int r = itself ? 0 : -ENOMEM;

	if (!mirrors)
		mirrors = value_find(assignment->registry_mirrors, "*");
	for (size_t i = 0; r == 0 && mirrors && i < mirrors->n && n < BOOTSTRAP_MAX_SOURCES - 1; i++) {
		r = place_make(assignment, logins, value_text(&mirrors->items[i]), &ret[n]);
		n += r == 0;
	}
	if (r == 0) {
		r = place_make(assignment, logins, itself, &ret[n]);
		n += r == 0;
	}
	if (r < 0)
		bootstrap_places_done(ret, n);
	return r < 0 ? r : (int)n;
}

void bootstrap_sources_done(struct bootstrap_sources *sources)
{
	bootstrap_places_done(sources->places, sources->n);
	value_free_secret(sources->logins);
	*sources = (struct bootstrap_sources){0};
}

void bootstrap_clients_done(struct bootstrap_clients *clients)
{
	for (size_t i = 0; i < N_ELEMENTS(clients->of); i++)
		clients->of[i] = http_client_free(clients->of[i]);
}

static int client_make(sd_event *event, const struct assignment *assignment, const struct bootstrap_place *place,
	struct http_client **ret)
{
	return http_client_new(event,
		&(struct http_trust_config){
			.trust = place->plain    ? HTTP_TRUST_INSECURE_HOST_ALLOWED
				 : place->ca_pem ? HTTP_TRUST_CA
						 : HTTP_TRUST_SYSTEM,
			.ca_pem = place->plain ? NULL : place->ca_pem,
			.proxy = place->proxy,
			.no_proxy = assignment->proxy_no,
		},
		ret);
}

int bootstrap_sources_make(sd_event *event, const struct assignment *assignment, const struct oci_source *region,
	const char *registries, struct bootstrap_sources *ret, struct bootstrap_clients *ret_clients, struct diag *reterr)
{
	struct bootstrap_sources sources CLEANUP(bootstrap_sources_done) = {0};
	int n, r = 0;

	if (!assignment->bootstrap_registry) {
		*ret = (struct bootstrap_sources){.n = 1, .items = {*region}};
		return 0;
	}
	if (registries && json_parse(registries, strlen(registries), 0, &sources.logins, NULL) < 0)
		return diag_set(reterr, -EBADMSG, "registries", "the stored logins are damaged"); // no value in the message
	n = bootstrap_places(assignment, sources.logins, sources.places);
	if (n < 0)
		return n;
	sources.n = (size_t)n;
	for (size_t i = 0; r == 0 && i < sources.n; i++) {
		const struct bootstrap_place *place = &sources.places[i];

		r = client_make(event, assignment, place, &ret_clients->of[i]);
		sources.items[i] = (struct oci_source){.client = ret_clients->of[i], .url = place->url,
			.repository = assignment->bootstrap_repository, .username = place->username, .password = place->password};
	}
	if (r < 0)
		return r;
	*ret = sources;
	sources = (struct bootstrap_sources){0};
	return 0;
}
