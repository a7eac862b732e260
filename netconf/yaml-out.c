// Lines of a YAML document.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/yaml-out.h"

#include "base/utf8.h"

#include <strings.h>

// Documents have many thousand lines: no printf, and no strspn, which makes a table each time.
static void begin_line(struct yaml_place *at)
{
	for (int i = 0; i < at->depth; i++)
		(void)fputs("  ", at->out);
	if (at->is_item)
		(void)fputs(at->has_dash ? "  " : "- ", at->out);
	at->has_dash = true;
}

struct yaml_place yaml_below(const struct yaml_place *at)
{
	return (struct yaml_place){.out = at->out, .depth = at->depth + (at->is_item ? 2 : 1)};
}

struct yaml_place yaml_item(const struct yaml_place *at)
{
	return (struct yaml_place){.out = at->out, .depth = at->depth + (at->is_item ? 1 : 0), .is_item = true};
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word_of_yaml(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

// May @text stand without quotes, and is it a text then, for YAML 1.1 and 1.2?
static bool is_plain(const char *text)
{
	enum { LONGEST_WORD = 5 };
	size_t n = 0, n_dots = 0, n_slashes = 0;
	if (!is_letter_or_digit(text[0]) && text[0] != '/')
		return false;
	for (; text[n]; n++) {
		n_dots += text[n] == '.';
		n_slashes += text[n] == '/';
		if (!is_letter_or_digit(text[n]) && !strchr("._/+-", text[n]))
			return false;
	}
	if (n <= LONGEST_WORD && is_word_of_yaml(text))
		return false;
	// what begins with a digit is a number to somebody, but for addresses and what has a slash
	return !is_digit(text[0]) || n_dots > 2 || n_slashes;
}

static void put_quoted(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		uint32_t code = 0xfffd;
		n = utf8_sequence(text, left, &code);
		if (n == 0) {
			n = 1;
			code = 0xfffd; // no text at all: the sign for that
		}
		if (code == '"' || code == '\\')
			(void)fprintf(out, "\\%c", (char)code);
		else if (code >= 0x20 && code < 0x7f)
			(void)fputc((char)code, out);
		else
			(void)fprintf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
	}
	(void)fputc('"', out);
}

static void put_scalar(FILE *out, const char *text)
{
	if (is_plain(text))
		(void)fputs(text, out);
	else
		put_quoted(out, text);
}

void yaml_put_key(struct yaml_place *at, const char *key)
{
	begin_line(at);
	put_scalar(at->out, key);
	(void)fputc(':', at->out);
}

void yaml_put_text(struct yaml_place *at, const char *key, const char *text)
{
	yaml_put_key(at, key);
	(void)fputc(' ', at->out);
	put_scalar(at->out, text);
	(void)fputc('\n', at->out);
}

void yaml_put_number(struct yaml_place *at, const char *key, uint32_t number)
{
	yaml_put_key(at, key);
	(void)fprintf(at->out, " %u\n", number);
}

void yaml_put_bool(struct yaml_place *at, const char *key, bool yes)
{
	yaml_put_key(at, key);
	(void)fprintf(at->out, " %s\n", yes ? "true" : "false");
}

void yaml_put_element(const struct yaml_place *at, const char *text)
{
	struct yaml_place element = yaml_item(at);
	begin_line(&element);
	put_scalar(at->out, text);
	(void)fputc('\n', at->out);
}

void yaml_put_list(struct yaml_place *at, const char *key, size_t n)
{
	yaml_put_key(at, key);
	(void)fputs(n ? "\n" : " []\n", at->out);
}

void yaml_put_texts(struct yaml_place *at, const char *key, char *const texts[], size_t n)
{
	yaml_put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		yaml_put_element(at, texts[i]);
}

void yaml_put_ips(struct yaml_place *at, const char *key, const struct ip *ips, size_t n)
{
	char text[ADDRESS_TEXT];
	yaml_put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		yaml_put_element(at, ip_format(&ips[i], text));
}

void yaml_put_addresses(struct yaml_place *at, const char *key, const struct address *addresses, size_t n)
{
	char text[ADDRESS_TEXT];
	yaml_put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		yaml_put_element(at, address_format(&addresses[i], text));
}
