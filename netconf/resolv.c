// resolv.conf.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/resolv.h"

#include "base/file.h"

#include <ctype.h>

void resolv_add_server(struct resolv *resolv, const char *server)
{
	char text[ADDRESS_TEXT];
	struct ip ip;
	(void)snprintf(text, sizeof(text), "%s", server);
	text[strcspn(text, "#%")] = '\0'; // networkd writes ADDRESS#SERVER-NAME, and %LINK behind link-local ones
	if (ip_parse(text, &ip) < 0)
		return;
	(void)ip_format(&ip, text);
	for (size_t i = 0; i < resolv->n_servers; i++)
		if (str_equal(resolv->servers[i], text))
			return;
	// a link-local server needs the link behind it: kept only with the zone it came with
	if (ip.family == AF_INET6 && ip_is_link_local(&ip)) {
		const char *zone = strchr(server, '%');
		if (!zone || strlen(text) + strcspn(zone, "#") >= sizeof(text))
			return;
		(void)strncat(text, zone, strcspn(zone, "#"));
	}
	if (resolv->n_servers < RESOLV_MAX_SERVERS)
		memcpy(resolv->servers[resolv->n_servers++], text, sizeof(text));
}

void resolv_add_search(struct resolv *resolv, const char *domain)
{
	size_t n = strlen(domain);
	if (n == 0 || n > 253 || resolv->n_search == RESOLV_MAX_SEARCH || domain[0] == '~')
		return;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)domain[i]) && !strchr("._-", domain[i]))
			return; // it comes from a DHCP server
	for (size_t i = 0; i < resolv->n_search; i++)
		if (str_equal(resolv->search[i], domain))
			return;
	memcpy(resolv->search[resolv->n_search++], domain, n + 1);
}

static void add_words(struct resolv *resolv, const char *line, void (*add)(struct resolv *, const char *))
{
	char word[256];
	while (*line && *line != '\n') {
		size_t n = strcspn(line, " \n");
		if (n && n < sizeof(word)) {
			memcpy(word, line, n);
			word[n] = '\0';
			add(resolv, word);
		}
		line += n;
		line += strspn(line, " ");
	}
}

void resolv_add_state(struct resolv *resolv, const char *state)
{
	for (const char *line = state; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (str_starts(line, "DNS="))
			add_words(resolv, line + strlen("DNS="), resolv_add_server);
		else if (str_starts(line, "DOMAINS="))
			add_words(resolv, line + strlen("DOMAINS="), resolv_add_search);
	}
}

char *resolv_render(const struct resolv *resolv)
{
	char *text = NULL;
	size_t n_text;
	FILE *out = open_memstream(&text, &n_text);
	if (!out)
		return NULL;
	(void)fprintf(out, "# Hearth's: declared name servers, then those of leases.\n");
	for (size_t i = 0; i < resolv->n_servers; i++)
		(void)fprintf(out, "nameserver %s\n", resolv->servers[i]);
	for (size_t i = 0; i < resolv->n_search; i++)
		(void)fprintf(out, "%s%s%s", i ? " " : "search ", resolv->search[i],
			i + 1 == resolv->n_search ? "\n" : "");
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void resolv_collect(struct resolv *resolv, const struct claims *claims)
{
	char text[ADDRESS_TEXT];
	for (size_t i = 0; i < claims->n; i++) {
		const struct declaration *declaration = claims->claims[i].declaration;
		for (size_t j = 0; j < declaration->n_servers; j++)
			resolv_add_server(resolv, ip_format(&declaration->servers[j], text));
		for (size_t j = 0; j < declaration->n_search; j++)
			resolv_add_search(resolv, declaration->search[j]);
	}
	for (size_t i = 0; i < claims->n; i++) {
		const struct kernel_link *one = claims->claims[i].link;
		AUTO_FREE char *path = one ? str_format("/run/systemd/netif/links/%d", one->index) : NULL;
		AUTO_FREE char *state = NULL;
		if (path && file_read(path, 64 << 10, &state, NULL, NULL) == 0) // no file: networkd does not manage it
			resolv_add_state(resolv, state);
	}
}
