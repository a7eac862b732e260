// UTF-8 sequences (RFC 3629, section 4).
// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

size_t utf8_sequence(const char *text, size_t n, uint32_t *ret_code)
{
	const uint8_t *b = (const uint8_t *)text;
	uint32_t code, least;
	size_t length;

	if (n == 0)
		return 0;
	if (b[0] < 0x80) {
		code = b[0], least = 0, length = 1;
	} else if (b[0] >= 0xc2 && b[0] <= 0xdf) {
		code = b[0] & 0x1f, least = 0x80, length = 2;
	} else if (b[0] >= 0xe0 && b[0] <= 0xef) {
		code = b[0] & 0x0f, least = 0x800, length = 3;
	} else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
		code = b[0] & 0x07, least = 0x10000, length = 4;
	} else {
		return 0;
	}
	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (b[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (ret_code)
		*ret_code = code;
	return length;
}

size_t utf8_encode(uint32_t code, char ret[static 4])
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | code >> 6);
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | code >> 12);
		ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | code >> 18);
	ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static bool is_ascii(const char text[static 8])
{
	uint64_t bytes;

	memcpy(&bytes, text, sizeof(bytes));
	return !(bytes & 0x8080808080808080);
}

bool utf8_valid(const char *text, size_t n, size_t *ret_at)
{
	for (size_t at = 0; at < n;) {
		if (at + 8 <= n && is_ascii(text + at)) { // most texts are nothing else
			at += 8;
			continue;
		}
		size_t length = utf8_sequence(text + at, n - at, NULL);
		if (length == 0) {
			if (ret_at)
				*ret_at = at;
			return false;
		}
		at += length;
	}
	return true;
}

void utf8_make_printable(char *text)
{
	for (char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c, next = (unsigned char)c[1];

		if (byte < ' ' || byte == 0x7f)
			*c = '?';
		else if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
			c[0] = c[1] = '?';
	}
}
