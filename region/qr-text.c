// SPDX-License-Identifier: Apache-2.0
#include "region/qr-text.h"

#include "base/crypto.h"

#include <qrencode.h>

enum { MARGIN = 4 }; // the quiet zone of ISO 18004

static bool is_light(const QRcode *qr, int x, int y)
{
	if (y >= qr->width + MARGIN)
		return false; // the half line below the last one
	bool inside = x >= 0 && y >= 0 && x < qr->width && y < qr->width;
	return !inside || !(qr->data[y * qr->width + x] & 1);
}

char *qr_text(const char *text, unsigned *ret_columns)
{
	static const char *const blocks[2][2] = { { " ", "\xe2\x96\x84" },
		{ "\xe2\x96\x80", "\xe2\x96\x88" } }; // [upper is light][lower is light]
	QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	char *lines = NULL;
	size_t n = 0;
	if (!qr)
		return NULL;
	FILE *f = open_memstream(&lines, &n);
	for (int y = -MARGIN; f && y < qr->width + MARGIN; y += 2) {
		for (int x = -MARGIN; x < qr->width + MARGIN; x++)
			fputs(blocks[is_light(qr, x, y)][is_light(qr, x, y + 1)], f);
		fputc('\n', f);
	}
	*ret_columns = (unsigned)qr->width + 2 * MARGIN;
	crypto_wipe(qr->data, (size_t)qr->width * (size_t)qr->width); // it is the text
	QRcode_free(qr);
	if (!f || fclose(f) != 0) {
		free(lines);
		return NULL;
	}
	return lines;
}
