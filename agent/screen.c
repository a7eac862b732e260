// SPDX-License-Identifier: Apache-2.0
#include "agent/screen.h"
#include "base/utf8.h"
#include <errno.h>
#include <qrencode.h>

enum { BIG_ROWS = 5, BIG_COLUMNS = 6, MAX_ADDRESSES = 3, MAX_TRIES = 8 };
// The QR picture of a code (version 1: 21 modules, a margin of 2) stands below the big code, right of the sentence.
enum { QR_COLUMNS = 25, QR_ROWS = 13, QR_TOP_ROW = 12 };

static const char *text_of(const struct value *status, const char *key)
{
	const char *text = value_text(value_find(status, key));
	return text ? text : "";
}

static const char *name_of(const struct value *status)
{
	const char *name = text_of(status, "name"), *serial = text_of(status, "serial");
	return *name ? name : *serial ? serial : "unnamed";
}

// Values come from the region and from DMI, and this is a terminal: what they hold must not move its cursor.
static void put_field(FILE *out, const char *label, const char *value)
{
	char *text AUTO_FREE = strdup(value);
	if (text)
		utf8_make_printable(text);
	fprintf(out, "  %-8s %s\n\n", label, text ? text : "");
}

static const struct value *list_of(const struct value *status, const char *key, size_t *ret_n)
{
	const struct value *list = value_find(status, key);
	bool any = list && list->type == VALUE_ARRAY;
	*ret_n = any ? list->n : 0;
	return any ? list->items : NULL;
}

// --- VLANs that are offered: each has a digit ---

static const struct value *vlans_of(const struct value *status, size_t *ret_n)
{
	const struct value *vlans = list_of(status, "vlans", ret_n);
	if (*ret_n > SCREEN_MAX_VLANS)
		*ret_n = SCREEN_MAX_VLANS;
	return vlans;
}

static bool is_used(const struct value *vlan)
{
	bool used;
	return value_bool(value_find(vlan, "used"), "used", &used, NULL) == 0 && used;
}

static unsigned id_of(const struct value *vlan)
{
	int64_t id;
	return value_int(value_find(vlan, "id"), "id", 1, 4094, &id, NULL) == 0 ? (unsigned)id : 0;
}

bool screen_vlan_of(const struct value *status, char key, const char **ret_mac, unsigned *ret_id)
{
	size_t n;
	const struct value *vlans = vlans_of(status, &n);
	size_t i = key > '0' ? (size_t)(key - '1') : 0; // "no VLAN" is said of any port
	if (key < '0' || key > '9' || i >= n || !value_text(value_find(&vlans[i], "mac")) || !id_of(&vlans[i]))
		return false;
	*ret_mac = value_text(value_find(&vlans[i], "mac"));
	*ret_id = key == '0' ? 0 : id_of(&vlans[i]);
	return true;
}

// "VLAN 42 (mgmt) on eth0, in use"
static void put_vlan(FILE *out, const struct value *vlan)
{
	const char *name = text_of(vlan, "name");
	fprintf(out, "VLAN %u%s%s%s on %s%s", id_of(vlan), *name ? " (" : "", name, *name ? ")" : "", text_of(vlan, "link"),
		is_used(vlan) ? ", in use" : "");
}

static char *vlans_line(const struct value *status)
{
	char *text = NULL;
	size_t n_text = 0, n;
	const struct value *vlans = vlans_of(status, &n);
	bool used = false;
	FILE *out = n ? open_memstream(&text, &n_text) : NULL;
	if (!out)
		return strdup("");
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s %zu for ", i ? "," : " | press", i + 1);
		put_vlan(out, &vlans[i]);
		used |= is_used(&vlans[i]);
	}
	fputs(used ? ", 0 for none" : "", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void put_vlans(FILE *out, const struct value *status)
{
	size_t n;
	const struct value *vlans = vlans_of(status, &n);
	bool used = false;
	if (n)
		fputs("\n  VLANs seen on the wire; a digit has one tried:\n", out);
	for (size_t i = 0; i < n; i++) {
		char *text = NULL;
		size_t n_text = 0;
		FILE *one = open_memstream(&text, &n_text);
		if (!one)
			return;
		put_vlan(one, &vlans[i]);
		if (fclose(one) == 0) {
			utf8_make_printable(text);
			fprintf(out, "    %zu  %s\n", i + 1, text);
		}
		free(text);
		used |= is_used(&vlans[i]);
	}
	if (used)
		fputs("    0  none\n", out);
}

static char *state_line(const struct value *status)
{
	const char *code = text_of(status, "code");
	char *vlans AUTO_FREE = vlans_line(status);
	char *line = str_format("hearth: %s | %s | %s%s%s%s%s", name_of(status), text_of(status, "phase"), *code ? "code " : "", code,
		*code ? " | " : "", text_of(status, "sentence"), vlans ? vlans : "");
	if (line)
		utf8_make_printable(line);
	return line;
}

// --- the serial line ---

static struct screen_warning *said_warning(struct screen_said *said, const char *line)
{
	for (size_t i = 0; i < N_ELEMENTS(said->warnings); i++)
		if (str_equal(said->warnings[i].line, line))
			return &said->warnings[i];
	return NULL;
}

// The place of a warning that was not said yet: a free one, or that of the one that is gone for longest.
static struct screen_warning *place_for(struct screen_said *said)
{
	struct screen_warning *place = &said->warnings[0];
	for (size_t i = 1; place->line && i < N_ELEMENTS(said->warnings); i++) {
		struct screen_warning *one = &said->warnings[i];
		if (!one->line || (!one->is_there && (place->is_there || one->seen_usec < place->seen_usec)))
			place = one;
	}
	return place;
}

static int put_warning(FILE *out, const struct value *status, const char *warning, uint64_t now_usec, struct screen_said *said)
{
	char *line AUTO_FREE = str_format("hearth: %s | warning | %s", name_of(status), warning);
	if (!line)
		return -ENOMEM;
	utf8_make_printable(line);
	struct screen_warning *place = said_warning(said, line);
	if (!place) {
		fprintf(out, "%s\n", line);
		place = place_for(said);
		free(place->line);
		place->line = TAKE_PTR(line);
	}
	place->is_there = true;
	place->seen_usec = now_usec;
	return 0;
}

// What was there until now, and what has been gone for so long that it is news when it comes again.
static void forget_old(struct screen_said *said, uint64_t now_usec)
{
	for (size_t i = 0; i < N_ELEMENTS(said->warnings); i++) {
		struct screen_warning *one = &said->warnings[i];
		if (one->is_there)
			one->seen_usec = now_usec;
		else if (one->line && now_usec - one->seen_usec > SCREEN_FORGET_USEC)
			str_set(&one->line, NULL);
		one->is_there = false;
	}
}

static int put_lines(FILE *out, const struct value *status, char **state_take, uint64_t now_usec, struct screen_said *said)
{
	size_t n;
	const struct value *warnings = list_of(status, "warnings", &n);
	bool is_new = !str_equal(*state_take, said->state);
	int r = 0;
	forget_old(said, now_usec);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (value_text(&warnings[i]))
			r = put_warning(out, status, value_text(&warnings[i]), now_usec, said);
	for (size_t i = 0; is_new && i < N_ELEMENTS(said->warnings); i++)
		if (!said->warnings[i].is_there)
			str_set(&said->warnings[i].line, NULL);
	if (r < 0 || !is_new)
		return r;
	fprintf(out, "%s\n", *state_take);
	free(said->state);
	said->state = TAKE_PTR(*state_take);
	return 0;
}

void screen_said_done(struct screen_said *said)
{
	free(said->state);
	for (size_t i = 0; i < N_ELEMENTS(said->warnings); i++)
		free(said->warnings[i].line);
	*said = (struct screen_said){ 0 };
}

char *screen_lines(const struct value *status, uint64_t now_usec, struct screen_said *said)
{
	char *text = NULL, *state AUTO_FREE = state_line(status);
	size_t n = 0;
	FILE *out = state ? open_memstream(&text, &n) : NULL;
	if (!out)
		return NULL;
	int r = put_lines(out, status, &state, now_usec, said);
	if (fclose(out) == 0 && r == 0)
		return text;
	free(text);
	return NULL;
}

// Five rows of five columns each, most significant bit left; the alphabet of the codes (Crockford base32) and the dash.
static const struct {
	char character;
	unsigned char rows[BIG_ROWS];
} big_font[] = {
	{ '0', { 0x0e, 0x13, 0x15, 0x19, 0x0e } }, { '1', { 0x04, 0x0c, 0x04, 0x04, 0x0e } },
	{ '2', { 0x1e, 0x01, 0x0e, 0x10, 0x1f } }, { '3', { 0x1e, 0x01, 0x0e, 0x01, 0x1e } },
	{ '4', { 0x12, 0x12, 0x1f, 0x02, 0x02 } }, { '5', { 0x1f, 0x10, 0x1e, 0x01, 0x1e } },
	{ '6', { 0x0e, 0x10, 0x1e, 0x11, 0x0e } }, { '7', { 0x1f, 0x02, 0x04, 0x08, 0x08 } },
	{ '8', { 0x0e, 0x11, 0x0e, 0x11, 0x0e } }, { '9', { 0x0e, 0x11, 0x0f, 0x01, 0x0e } },
	{ 'A', { 0x0e, 0x11, 0x1f, 0x11, 0x11 } }, { 'B', { 0x1e, 0x11, 0x1e, 0x11, 0x1e } },
	{ 'C', { 0x0f, 0x10, 0x10, 0x10, 0x0f } }, { 'D', { 0x1e, 0x11, 0x11, 0x11, 0x1e } },
	{ 'E', { 0x1f, 0x10, 0x1e, 0x10, 0x1f } }, { 'F', { 0x1f, 0x10, 0x1e, 0x10, 0x10 } },
	{ 'G', { 0x0f, 0x10, 0x13, 0x11, 0x0f } }, { 'H', { 0x11, 0x11, 0x1f, 0x11, 0x11 } },
	{ 'J', { 0x07, 0x02, 0x02, 0x12, 0x0c } }, { 'K', { 0x12, 0x14, 0x18, 0x14, 0x12 } },
	{ 'M', { 0x11, 0x1b, 0x15, 0x11, 0x11 } }, { 'N', { 0x11, 0x19, 0x15, 0x13, 0x11 } },
	{ 'P', { 0x1e, 0x11, 0x1e, 0x10, 0x10 } }, { 'Q', { 0x0e, 0x11, 0x15, 0x12, 0x0d } },
	{ 'R', { 0x1e, 0x11, 0x1e, 0x14, 0x13 } }, { 'S', { 0x0f, 0x10, 0x0e, 0x01, 0x1e } },
	{ 'T', { 0x1f, 0x04, 0x04, 0x04, 0x04 } }, { 'V', { 0x11, 0x11, 0x11, 0x0a, 0x04 } },
	{ 'W', { 0x11, 0x11, 0x15, 0x1b, 0x11 } }, { 'X', { 0x11, 0x0a, 0x04, 0x0a, 0x11 } },
	{ 'Y', { 0x11, 0x0a, 0x04, 0x04, 0x04 } }, { 'Z', { 0x1f, 0x02, 0x04, 0x08, 0x1f } },
	{ '-', { 0x00, 0x00, 0x0e, 0x00, 0x00 } },
};

static unsigned char big_row(char character, unsigned row)
{
	for (size_t i = 0; i < N_ELEMENTS(big_font); i++)
		if (big_font[i].character == character)
			return big_font[i].rows[row];
	return 0;
}

static void put_big(FILE *out, const char *text)
{
	for (unsigned row = 0; row < BIG_ROWS; row++) {
		fputs("  ", out);
		for (const char *c = text; *c; c++)
			for (int bit = BIG_COLUMNS - 1; bit >= 0; bit--)
				fputc(big_row(*c, row) >> bit & 1 ? '#' : ' ', out);
		fputc('\n', out);
	}
}

// Two modules above each other are one character cell; the console font of Linux has the half blocks.
static void put_qr(FILE *out, const char *text, unsigned column)
{
	unsigned terminal_row = QR_TOP_ROW;
	QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	if (!qr)
		return; // the code stands above in letters
	for (int y = -2; y < qr->width + 2; y += 2) {
		fprintf(out, "\033[%u;%uH", terminal_row++, column);
		for (int x = -2; x < qr->width + 2; x++) {
			bool dark[2];
			for (int half = 0; half < 2; half++) {
				int row = y + half;
				bool inside = x >= 0 && row >= 0 && x < qr->width && row < qr->width;
				dark[half] = inside && (qr->data[row * qr->width + x] & 1);
			}
			fputs(dark[0] ? dark[1] ? " " : "\xe2\x96\x84" : dark[1] ? "\xe2\x96\x80" : "\xe2\x96\x88", out);
		}
	}
	QRcode_free(qr);
}

// @first begins the first line, @rest, which is as wide, the others.
static void put_wrapped(FILE *out, const char *value, unsigned columns, const char *first, const char *rest)
{
	unsigned width = columns > 24 ? columns - 2 - (unsigned)strlen(rest) : 20, at = 0;
	char *copy AUTO_FREE = strdup(value), *text = copy;
	if (!copy)
		return;
	utf8_make_printable(copy);
	fputs(first, out);
	while (*text) {
		size_t n = strcspn(text, " ");
		if (at && at + 1 + n > width) {
			fprintf(out, "\n%s", rest);
			at = 0;
		}
		if (at) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, n, out);
		at += (unsigned)n;
		text += n;
		text += *text == ' ';
	}
	fputc('\n', out);
}

// --- where the network is the question ---

static void put_addresses(FILE *out, const struct value *status)
{
	size_t n;
	const struct value *found = list_of(value_find(status, "facts"), "meshCandidates", &n);
	for (size_t i = 0; i < n && i < MAX_ADDRESSES; i++) {
		int64_t prefix = 0;
		(void)value_int(value_find(&found[i], "prefix"), "prefix", 0, 128, &prefix, NULL); // 0 then
		char *text AUTO_FREE = str_format("%s/%d on %s", text_of(&found[i], "address"), (int)prefix, text_of(&found[i], "link"));
		if (text)
			utf8_make_printable(text);
		fprintf(out, "  %-8s %s\n", i ? "" : "address", text ? text : "");
	}
	if (n)
		fputc('\n', out);
}

static bool network_is_the_question(const struct value *status)
{
	static const char *const phases[] = { "link", "region", "network" };
	bool is = value_find(status, "networkRefused");
	for (size_t i = 0; i < N_ELEMENTS(phases); i++)
		is |= str_equal(text_of(status, "phase"), phases[i]);
	return is;
}

static void put_try(FILE *out, const struct value *one, unsigned columns)
{
	int64_t at_usec = 0;
	char at[32];
	(void)value_int(value_find(one, "atUsec"), "atUsec", 0, INT64_MAX, &at_usec, NULL); // 0 then
	(void)snprintf(at, sizeof(at), "%7lld s  ", (long long)(at_usec / 1000000 % 10000000));
	char *text AUTO_FREE = str_format("%s: %s", text_of(one, "network"), text_of(one, "text"));
	put_wrapped(out, text ? text : "", columns, at, "           ");
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

// The last tries, each with its reason, as many as there is room for: @rows beside the two of the heading.
static void put_tries(FILE *out, const struct value *status, unsigned columns, unsigned rows)
{
	size_t n, first;
	const struct value *tries = list_of(status, "networkTries", &n);
	char *texts[MAX_TRIES];
	size_t n_texts = 0;
	for (first = n; first > 0 && n_texts < MAX_TRIES; first--) {
		size_t length = 0;
		FILE *one = open_memstream(&texts[n_texts], &length);
		if (!one)
			break;
		put_try(one, &tries[first - 1], columns);
		if (fclose(one) != 0 || lines_of(texts[n_texts]) > rows) {
			free(texts[n_texts]);
			break;
		}
		rows -= lines_of(texts[n_texts++]);
	}
	if (n_texts)
		fputs("\n  networks that were tried, in seconds since the start:\n", out);
	while (n_texts > 0) {
		fputs(texts[--n_texts], out);
		free(texts[n_texts]);
	}
}

char *screen_dashboard(const struct value *status, unsigned columns, unsigned rows)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	if (!out)
		return NULL;
	const char *code = text_of(status, "code"), *kubernetes = text_of(status, "kubernetes");
	bool has_qr = *code && columns >= 80 && rows >= QR_TOP_ROW + QR_ROWS;
	fputs("\033[2J", out);
	if (has_qr) {
		columns -= QR_COLUMNS + 2; // for the text beside it
		put_qr(out, code, columns + 1);
	}
	fputs("\033[H\n", out);
	put_field(out, "Hearth", name_of(status));
	put_field(out, "phase", text_of(status, "phase"));
	if (*code) {
		put_big(out, code);
		fputc('\n', out);
	}
	put_wrapped(out, text_of(status, "sentence"), columns, "  ", "  ");
	put_vlans(out, status);
	size_t n_warnings;
	const struct value *warnings = list_of(status, "warnings", &n_warnings);
	for (size_t i = 0; i < n_warnings; i++) {
		fputs("\n  warning:\n", out);
		put_wrapped(out, value_text(&warnings[i]) ? value_text(&warnings[i]) : "", columns, "  ", "  ");
	}
	fputc('\n', out);
	put_addresses(out, status);
	put_field(out, "seed", text_of(status, "seedSource"));
	if (!str_equal(kubernetes, "none")) // what an image without a payload says
		put_wrapped(out, kubernetes, columns, "  ", "  ");
	if (network_is_the_question(status)) {
		fputs("  key s: the safe network (DHCP on every wired port), and back\n", out);
		if (fflush(out) == 0 && lines_of(text) + 3 < rows)
			put_tries(out, status, columns, rows - 3 - lines_of(text));
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
