// What every decoder of netplan's keys needs: texts, lists, and refusals that say where.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-value.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>

void netplan_path_set(char path[static NETPLAN_PATH_TEXT], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(path, NETPLAN_PATH_TEXT, format, arguments);
	va_end(arguments);
}

void netplan_path_set_element(char path[static NETPLAN_PATH_TEXT], const char *what, size_t i)
{
	char digits[24], *digit = digits + sizeof(digits);
	size_t n = strnlen(what, NETPLAN_PATH_TEXT - sizeof(digits));
	*--digit = '\0';
	*--digit = ']';
	do
		*--digit = (char)('0' + i % 10);
	while (i /= 10);
	*--digit = '[';
	memcpy(path, what, n);
	memcpy(path + n, digit, (size_t)(digits + sizeof(digits) - digit));
}

struct place netplan_place(const struct declaration *declaration, const struct value *value)
{
	return (struct place){.file = declaration->file, .line = value->line, .column = value->column};
}

static int refuse_at(struct place place, struct diag *reterr, const char *format, va_list arguments)
{
	char message[DIAG_MESSAGE_MAX];
	(void)vsnprintf(message, sizeof(message), format, arguments);
	return place_refuse(reterr, -EINVAL, &place, "%s", message);
}

int netplan_refuse(const struct value *value, struct diag *reterr, const char *format, ...)
{
	struct place place = {.line = value ? value->line : 1, .column = value ? value->column : 1};
	va_list arguments;
	va_start(arguments, format);
	int error = refuse_at(place, reterr, format, arguments);
	va_end(arguments);
	return error;
}

int netplan_refuse_key(const struct value *member, struct diag *reterr, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int error = refuse_at((struct place){.line = member->key_line, .column = member->key_column}, reterr, format, arguments);
	va_end(arguments);
	return error;
}

// What other tools, and people, call netplan's keys.
static const struct {
	const char *word, *key;
} synonyms[] = {{"allowedips", "allowed-ips"}, {"destination", "to"}, {"dev", "link"}, {"dhcp", "dhcp4"}, {"dns", "nameservers"},
	{"dst", "to"}, {"fwmark", "mark"}, {"gateway", "via"}, {"gateway", "gateway4"}, {"hwaddr", "macaddress"},
	{"hwaddress", "macaddress"}, {"ip", "addresses"}, {"ipv4", "addresses"}, {"ipv6", "addresses"}, {"listen-port", "port"},
	{"mac", "macaddress"}, {"members", "interfaces"}, {"miimon", "mii-monitor-interval"}, {"nameserver", "nameservers"},
	{"networks", "network"}, {"next-hop", "via"}, {"nexthop", "via"}, {"persistent-keepalive", "keepalive"},
	{"ports", "interfaces"}, {"preshared", "shared"}, {"preshared-key", "shared"}, {"private-key", "key"},
	{"public-key", "public"}, {"raw-device", "link"}, {"servers", "addresses"}, {"slaves", "interfaces"}, {"source", "from"},
	{"src", "from"}, {"vid", "id"}, {"vlan-id", "id"}, {"vlan-raw-device", "link"},
	{"xmit-hash-policy", "transmit-hash-policy"}, {"xmit_hash_policy", "transmit-hash-policy"}};

static bool has_word(const char *word, const char *const words[])
{
	for (size_t i = 0; words[i]; i++)
		if (str_equal(word, words[i]))
			return true;
	return false;
}

static const char *meant_by(const char *word, const char *const known[])
{
	for (size_t i = 0; i < N_ELEMENTS(synonyms); i++)
		if (strcasecmp(word, synonyms[i].word) == 0 && has_word(synonyms[i].key, known))
			return synonyms[i].key;
	return value_nearest(word, known);
}

int netplan_refuse_unknown(const struct value *member, const char *key, const char *what, const char *const known[],
	struct diag *reterr)
{
	const char *meant = meant_by(key, known);
	char list[768] = "";
	if (meant)
		return netplan_refuse_key(member, reterr, "%s: unknown key \"%.64s\"; did you mean \"%s\"?", what, key, meant);
	for (size_t i = 0, n = 0; known[i] && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", known[i]);
	return netplan_refuse_key(member, reterr, "%s: unknown key \"%.64s\"; known are %s", what, key, list);
}

int netplan_only_keys(const struct value *object, const char *what, const char *const known[], struct diag *reterr)
{
	struct diag diag = {0};
	int error = value_only_keys(object, what, known, &diag);
	if (error == 0 || !object || object->type != VALUE_OBJECT) {
		if (error < 0 && reterr)
			*reterr = diag;
		return error;
	}
	size_t i = 0;
	while (has_word(object->keys[i], known)) // there is one
		i++;
	return netplan_refuse_unknown(&object->items[i], object->keys[i], what, known, reterr);
}

int netplan_need_type(const struct value *value, enum value_type type, const char *what, struct diag *reterr)
{
	if (value->type == type)
		return 0;
	return netplan_refuse(value, reterr, "%s: must be %s", what, type == VALUE_OBJECT ? "a mapping" : "a list");
}

const char *netplan_scalar(const struct value *value)
{
	if (value->type == VALUE_NUMBER || value->type == VALUE_STRING || value->type == VALUE_BOOL)
		return value->text;
	return NULL;
}

int netplan_number(const struct value *value, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
	struct diag *reterr)
{
	const char *text = value->type == VALUE_NULL ? "0" : netplan_scalar(value);
	uint64_t number = 0;
	size_t n = text ? strspn(text, "0123456789") : 0;
	bool is_bad = !text || n == 0 || text[n] || (value->type == VALUE_NULL && value->text && value->text[0]);
	for (size_t i = 0; !is_bad && i < n && number <= UINT32_MAX; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (is_bad || number < min || number > max)
		return netplan_refuse(value, reterr, "%s: must be a number %u-%u, not \"%.64s\"", what, min, max,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	*ret = (uint32_t)number;
	return 0;
}

int netplan_bool(const struct value *value, const char *what, bool *ret, struct diag *reterr)
{
	static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "n", "y"};
	const char *text = netplan_scalar(value);
	for (size_t i = 0; text && i < N_ELEMENTS(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return netplan_refuse(value, reterr, "%s: must be true or false, not \"%.64s\"", what, text ? text : "");
}

int netplan_set_text(char **field, const struct value *value, const char *what, struct diag *reterr)
{
	const char *text = netplan_scalar(value);
	if (!text || !*text)
		return netplan_refuse(value, reterr, "%s: must be a text", what);
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

int netplan_append_text(char ***list, size_t *n, const char *text)
{
	char **grown = realloc(*list, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[*n] = text ? strdup(text) : NULL;
	if (text && !grown[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

int netplan_add_text(char ***list, size_t *n, const char *text)
{
	for (size_t i = 0; i < *n; i++)
		if (str_equal((*list)[i], text))
			return 0;
	return netplan_append_text(list, n, text);
}

int netplan_grow(void **array, size_t n, size_t size)
{
	if (n & (n - 1))
		return 0;
	void *grown = realloc(*array, (n ? n * 2 : 1) * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}
