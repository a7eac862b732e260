// resolv.conf.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/resolv.h"

#include "base/file.h"

#include <ctype.h>

enum { WORD_TEXT = 256 };

void resolv_add_server(struct resolv *resolv, const char *server, const char *link)
{
	char text[ADDRESS_TEXT];
	struct ip ip;
	(void)snprintf(text, sizeof(text), "%s", server);
	text[strcspn(text, "#%")] = '\0'; // networkd writes ADDRESS#SERVER-NAME
	if (ip_parse(text, &ip) < 0)
		return;
	(void)ip_format(&ip, text);
	// a link-local server needs the link behind it: the zone it came with, else the link it belongs to
	if (ip.family == AF_INET6 && ip_is_link_local(&ip)) {
		const char *zone = strchr(server, '%');
		size_t n = strlen(text), n_zone = zone ? strcspn(zone + 1, "#") : strlen(link);
		if (n_zone == 0 || n + 1 + n_zone >= sizeof(text))
			return;
		(void)snprintf(text + n, sizeof(text) - n, "%%%.*s", (int)n_zone, zone ? zone + 1 : link);
	}
	for (size_t i = 0; i < resolv->n_servers; i++)
		if (str_equal(resolv->servers[i], text))
			return;
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

// The next word of the line at *@line, into @word; false: no more.
static bool next_word(const char **line, char word[static WORD_TEXT])
{
	const char *start = *line + strspn(*line, " ");
	size_t n = strcspn(start, " \n");
	*line = start + n;
	word[0] = '\0'; // too long for an address or a domain: none
	if (n < WORD_TEXT)
		(void)snprintf(word, WORD_TEXT, "%.*s", (int)n, start);
	return n > 0;
}

void resolv_add_state(struct resolv *resolv, const char *state, const char *link)
{
	char word[WORD_TEXT];
	for (const char *line = state; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		bool has_servers = str_starts(line, "DNS="), has_domains = str_starts(line, "DOMAINS=");
		const char *at = line + strcspn(line, "=\n") + 1;
		while ((has_servers || has_domains) && next_word(&at, word)) {
			if (has_servers)
				resolv_add_server(resolv, word, link);
			else
				resolv_add_search(resolv, word);
		}
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
			resolv_add_server(resolv, ip_format(&declaration->servers[j], text), claims->claims[i].name);
		for (size_t j = 0; j < declaration->n_search; j++)
			resolv_add_search(resolv, declaration->search[j]);
	}
	for (size_t i = 0; i < claims->n; i++) {
		const struct kernel_link *one = claims->claims[i].link;
		AUTO_FREE char *path = one ? str_format("/run/systemd/netif/links/%d", one->index) : NULL;
		AUTO_FREE char *state = NULL;
		if (path && file_read(path, 64 << 10, &state, NULL, NULL) == 0) // no file: networkd does not manage it
			resolv_add_state(resolv, state, claims->claims[i].name);
	}
}
