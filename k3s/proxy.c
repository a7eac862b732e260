// SPDX-License-Identifier: Apache-2.0
#include "k3s/proxy.h"
#include <errno.h>

static const char *const own[] = {"127.0.0.0/8", "::1", "localhost", ".svc", ".cluster.local", NULL};

// Is @word one of the comma-separated words of @list?
static bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; at && *at;) {
		size_t n_at = strcspn(at, ",");

		if (n_at == n && strncmp(at, word, n) == 0)
			return true;
		at += n_at + (at[n_at] == ',');
	}
	return false;
}

// @list becomes "@list,@word" unless it has the word. False: out of memory.
static bool list_add(char **list, const char *word)
{
	char *longer;

	if (!word || !*word || list_has(*list, word))
		return true;
	longer = *list && **list ? str_format("%s,%s", *list, word) : strdup(word);
	if (!longer)
		return false;
	free(*list);
	*list = longer;
	return true;
}

char *k3s_proxy_environment(const struct k3s_proxy *proxy)
{
	char *no AUTO_FREE = NULL;
	bool good = true;

	if (!proxy->http && !proxy->https)
		return strdup("");
	for (size_t i = 0; own[i]; i++)
		good = good && list_add(&no, own[i]);
	for (size_t i = 0; proxy->always && proxy->always[i]; i++)
		good = good && list_add(&no, proxy->always[i]);
	good = good && list_add(&no, proxy->no);
	if (!good)
		return NULL;
	return str_format("%s%s%s%s%s%sNO_PROXY=\"%s\"\n", proxy->http ? "HTTP_PROXY=\"" : "", proxy->http ? proxy->http : "",
		proxy->http ? "\"\n" : "", proxy->https ? "HTTPS_PROXY=\"" : "", proxy->https ? proxy->https : "",
		proxy->https ? "\"\n" : "", no);
}

int k3s_url_host(const char *url, char *ret, size_t size)
{
	const char *host = url ? strstr(url, "://") : NULL;
	size_t n;

	if (!host)
		return -EINVAL;
	host += 3;
	if (*host == '[') {
		host++;
		n = strcspn(host, "]");
		if (host[n] != ']')
			return -EINVAL;
	} else {
		n = strcspn(host, ":/?#");
	}
	if (n == 0 || n >= size)
		return -EINVAL;
	memcpy(ret, host, n);
	ret[n] = '\0';
	return 0;
}
