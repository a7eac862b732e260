// The settings of bonds, bridges and ports of bridges.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/link-options.h"

#include <errno.h>
#include <linux/if_link.h>
#include <strings.h>

enum { MSEC_PER_SEC = 1000, HUNDREDTHS_PER_SEC = 100 };

static const char *const bond_modes[] = {"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad",
	"balance-tlb", "balance-alb", NULL};
static const char *const lacp_rates[] = {"slow", "fast", NULL};
static const char *const hash_policies[] = {"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac",
	NULL};
static const char *const ad_selects[] = {"stable", "bandwidth", "count", NULL};
static const char *const arp_validates[] = {"none", "active", "backup", "all", "filter", "filter_active",
	"filter_backup", NULL};
static const char *const arp_all_targets[] = {"any", "all", NULL};
static const char *const fail_over_macs[] = {"none", "active", "follow", NULL};
static const char *const reselects[] = {"always", "better", "failure", NULL};

// The modes come first: what others need of it can then be looked up at position 0.
static const struct link_option bond_options[] = {
	{LINK_OPTION_BOND, "mode", IFLA_BOND_MODE, 1, .only_when_down = true, .only_without_ports = true, .max = 6,
		.words = bond_modes},
	{LINK_OPTION_BOND, "lacp-rate", IFLA_BOND_AD_LACP_RATE, 1, .only_when_down = true, .max = 1, .words = lacp_rates},
	{LINK_OPTION_BOND, "mii-monitor-interval", IFLA_BOND_MIIMON, 4, .max = INT32_MAX},
	{LINK_OPTION_BOND, "min-links", IFLA_BOND_MIN_LINKS, 4, .max = INT32_MAX},
	{LINK_OPTION_BOND, "transmit-hash-policy", IFLA_BOND_XMIT_HASH_POLICY, 1, .max = 5, .words = hash_policies},
	{LINK_OPTION_BOND, "ad-select", IFLA_BOND_AD_SELECT, 1, .only_when_down = true, .max = 2, .words = ad_selects},
	{LINK_OPTION_BOND, "all-members-active", IFLA_BOND_ALL_SLAVES_ACTIVE, 1, .max = 1, .boolean = true},
	{LINK_OPTION_BOND, "arp-interval", IFLA_BOND_ARP_INTERVAL, 4, .max = INT32_MAX},
	{LINK_OPTION_BOND, "arp-validate", IFLA_BOND_ARP_VALIDATE, 4, .max = 6, .words = arp_validates},
	{LINK_OPTION_BOND, "arp-all-targets", IFLA_BOND_ARP_ALL_TARGETS, 4, .max = 1, .words = arp_all_targets},
	{LINK_OPTION_BOND, "up-delay", IFLA_BOND_UPDELAY, 4, .max = INT32_MAX},
	{LINK_OPTION_BOND, "down-delay", IFLA_BOND_DOWNDELAY, 4, .max = INT32_MAX},
	{LINK_OPTION_BOND, "fail-over-mac-policy", IFLA_BOND_FAIL_OVER_MAC, 1, .only_without_ports = true, .max = 2,
		.words = fail_over_macs},
	{LINK_OPTION_BOND, "gratuitous-arp", IFLA_BOND_NUM_PEER_NOTIF, 1, .max = 255},
	{LINK_OPTION_BOND, "packets-per-member", IFLA_BOND_PACKETS_PER_SLAVE, 4, .max = 65535},
	{LINK_OPTION_BOND, "primary-reselect-policy", IFLA_BOND_PRIMARY_RESELECT, 1, .max = 2, .words = reselects},
	{LINK_OPTION_BOND, "resend-igmp", IFLA_BOND_RESEND_IGMP, 4, .max = 255},
	{LINK_OPTION_BOND, "learn-packet-interval", IFLA_BOND_LP_INTERVAL, 4, .min = 1, .max = INT32_MAX},
};
static const struct link_option bridge_options[] = {
	{LINK_OPTION_BRIDGE, "stp", IFLA_BR_STP_STATE, 4, .max = 1, .boolean = true},
	{LINK_OPTION_BRIDGE, "priority", IFLA_BR_PRIORITY, 2, .max = 65535},
	// 2-30 s with STP; 0 without: a port forwards at once
	{LINK_OPTION_BRIDGE, "forward-delay", IFLA_BR_FORWARD_DELAY, 4, .seconds = true, .max = 3000},
	{LINK_OPTION_BRIDGE, "hello-time", IFLA_BR_HELLO_TIME, 4, .seconds = true, .min = 100, .max = 1000},
	{LINK_OPTION_BRIDGE, "max-age", IFLA_BR_MAX_AGE, 4, .seconds = true, .min = 600, .max = 4000},
	{LINK_OPTION_BRIDGE, "ageing-time", IFLA_BR_AGEING_TIME, 4, .seconds = true, .max = 100000000},
};
static const struct link_option port_options[] = {
	{LINK_OPTION_BRIDGE_PORT, "path-cost", IFLA_BRPORT_COST, 4, .min = 1, .max = 65535},
	{LINK_OPTION_BRIDGE_PORT, "port-priority", IFLA_BRPORT_PRIORITY, 2, .max = 63},
	{LINK_OPTION_BRIDGE_PORT, "hairpin", IFLA_BRPORT_MODE, 1, .max = 1, .boolean = true},
	{LINK_OPTION_BRIDGE_PORT, "port-mac-learning", IFLA_BRPORT_LEARNING, 1, .max = 1, .boolean = true},
	{LINK_OPTION_BRIDGE_PORT, "neigh-suppress", IFLA_BRPORT_NEIGH_SUPPRESS, 1, .max = 1, .boolean = true},
};
_Static_assert(N_ELEMENTS(bond_options) <= LINK_OPTIONS_MAX, "a table is longer than its values");
_Static_assert(N_ELEMENTS(bridge_options) <= LINK_OPTIONS_MAX, "a table is longer than its values");
_Static_assert(N_ELEMENTS(port_options) <= LINK_OPTIONS_MAX, "a table is longer than its values");

static const struct { // other spellings that netplan takes
	enum link_option_kind of;
	const char *old, *key;
} spellings[] = {
	{LINK_OPTION_BOND, "all-slaves-active", "all-members-active"},
	{LINK_OPTION_BOND, "gratuitious-arp", "gratuitous-arp"},
	{LINK_OPTION_BOND, "packets-per-slave", "packets-per-member"},
	{LINK_OPTION_BRIDGE, "aging-time", "ageing-time"},
};

const struct link_option *link_options_of(enum link_option_kind kind, size_t *ret_n)
{
	switch (kind) {
	case LINK_OPTION_BOND:
		*ret_n = N_ELEMENTS(bond_options);
		return bond_options;
	case LINK_OPTION_BRIDGE:
		*ret_n = N_ELEMENTS(bridge_options);
		return bridge_options;
	case LINK_OPTION_BRIDGE_PORT:
		*ret_n = N_ELEMENTS(port_options);
		return port_options;
	}
	*ret_n = 0;
	return NULL;
}

int link_option_find(enum link_option_kind kind, const char *key)
{
	size_t n;
	const struct link_option *table = link_options_of(kind, &n);
	for (size_t i = 0; i < N_ELEMENTS(spellings); i++)
		if (spellings[i].of == kind && str_equal(spellings[i].old, key))
			key = spellings[i].key;
	for (size_t i = 0; i < n; i++)
		if (str_equal(table[i].key, key))
			return (int)i;
	return -ENOENT;
}

// How many of the kernel's units one of the document's plain numbers is, if the option is a time at all.
static bool is_time(const struct link_option *option, uint32_t *ret_per_sec, uint64_t *ret_plain_usec)
{
	static const char *const milliseconds[] = {"mii-monitor-interval", "arp-interval", "up-delay", "down-delay"};
	if (option->seconds || str_equal(option->key, "learn-packet-interval")) {
		*ret_per_sec = option->seconds ? HUNDREDTHS_PER_SEC : 1;
		*ret_plain_usec = 1000000;
		return true;
	}
	for (size_t i = 0; i < N_ELEMENTS(milliseconds); i++) {
		if (str_equal(option->key, milliseconds[i])) {
			*ret_per_sec = MSEC_PER_SEC;
			*ret_plain_usec = 1000;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *word;
	uint64_t usec;
} time_units[] = { // systemd.time(7)
	{"us", 1}, {"usec", 1}, {"ms", 1000}, {"msec", 1000}, {"s", 1000000}, {"sec", 1000000}, {"second", 1000000},
	{"seconds", 1000000}, {"m", 60000000}, {"min", 60000000}, {"minute", 60000000}, {"minutes", 60000000},
	{"h", 3600000000}, {"hr", 3600000000}, {"hour", 3600000000}, {"hours", 3600000000},
	{"d", 86400000000}, {"day", 86400000000}, {"days", 86400000000},
};

static uint64_t unit_usec(const char *word, size_t n)
{
	for (size_t i = 0; i < N_ELEMENTS(time_units); i++)
		if (strlen(time_units[i].word) == n && memcmp(time_units[i].word, word, n) == 0)
			return time_units[i].usec;
	return 0;
}

// "100", "1.5", "1s", "1min 30s" to microseconds; @plain_usec: what a number without a unit counts.
static int parse_time(const char *text, uint64_t plain_usec, uint64_t *ret_usec)
{
	enum { MAX_DIGITS = 12 }; // no product below gets near 2^64
	uint64_t sum = 0;
	bool has_part = false;
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		uint64_t whole = 0, fraction = 0, fraction_unit = 1;
		size_t n = strspn(text, "0123456789");
		if (n == 0 || n > MAX_DIGITS)
			return -EINVAL;
		for (; n; n--)
			whole = whole * 10 + (uint64_t)(*text++ - '0');
		if (*text == '.') {
			n = strspn(++text, "0123456789");
			if (n == 0 || n > 6)
				return -EINVAL;
			for (; n; n--, fraction_unit *= 10)
				fraction = fraction * 10 + (uint64_t)(*text++ - '0');
		}
		text += strspn(text, " ");
		n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		uint64_t unit = n ? unit_usec(text, n) : plain_usec;
		text += n;
		if (unit == 0 || whole > UINT64_MAX / 4 / unit)
			return -EINVAL;
		sum += whole * unit + fraction * unit / fraction_unit;
		if (sum > UINT64_MAX / 4)
			return -EINVAL;
		has_part = true;
	}
	*ret_usec = sum;
	return has_part ? 0 : -EINVAL;
}

static int parse_word(const struct link_option *option, const char *text, uint32_t *ret, struct diag *reterr)
{
	char list[256] = "";
	for (uint32_t i = 0; option->words[i]; i++) {
		if (str_equal(option->words[i], text)) {
			*ret = i;
			return 0;
		}
		size_t n = strlen(list);
		(void)snprintf(list + n, sizeof(list) - n, "%s%s", i == 0 ? "" : option->words[i + 1] ? ", " : " or ",
			option->words[i]); // the longest table fits
	}
	return diag_set(reterr, -EINVAL, "", "must be %s, not \"%s\"", list, text);
}

static int parse_boolean(const char *text, uint32_t *ret, struct diag *reterr)
{
	static const char *const yes[] = {"true", "on", "yes", "y"}, *const no[] = {"false", "off", "no", "n"};
	for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret = strcasecmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return diag_set(reterr, -EINVAL, "", "must be true or false, not \"%s\"", text);
}

static int parse_number(const struct link_option *option, const char *text, uint32_t *ret, struct diag *reterr)
{
	size_t n = strlen(text);
	uint64_t number = 0;
	if (n == 0 || n > 12 || strspn(text, "0123456789") != n)
		return diag_set(reterr, -EINVAL, "", "must be a number %u-%u, not \"%s\"", option->min, option->max, text);
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (number < option->min || number > option->max)
		return diag_set(reterr, -EINVAL, "", "must be a number %u-%u, not \"%s\"", option->min, option->max, text);
	*ret = (uint32_t)number;
	return 0;
}

int link_option_parse(const struct link_option *option, const char *text, uint32_t *ret, struct diag *reterr)
{
	uint32_t per_sec;
	uint64_t plain_usec, usec;
	if (option->words)
		return parse_word(option, text, ret, reterr);
	if (option->boolean)
		return parse_boolean(text, ret, reterr);
	if (!is_time(option, &per_sec, &plain_usec))
		return parse_number(option, text, ret, reterr);
	const char *unit = plain_usec == 1000 ? "milliseconds" : "seconds";
	if (parse_time(text, plain_usec, &usec) < 0)
		return diag_set(reterr, -EINVAL, "", "must be a time in %s, or with a unit like 500ms or 2s, not \"%s\"",
			unit, text);
	uint64_t per_unit_usec = 1000000 / per_sec, value = usec / per_unit_usec;
	if (value < option->min || value > option->max)
		return diag_set(reterr, -EINVAL, "", "must be %llu-%llu %s, not \"%s\"",
			(unsigned long long)(option->min * per_unit_usec / plain_usec),
			(unsigned long long)(option->max * per_unit_usec / plain_usec), unit, text);
	*ret = (uint32_t)value;
	return 0;
}

const char *link_option_format(const struct link_option *option, uint32_t value, char buffer[static 32])
{
	uint32_t n_words = 0;
	while (option->words && option->words[n_words])
		n_words++;
	if (value < n_words)
		(void)snprintf(buffer, 32, "%s", option->words[value]);
	else if (option->boolean && value <= 1)
		(void)snprintf(buffer, 32, "%s", value ? "true" : "false");
	else if (option->seconds && value % HUNDREDTHS_PER_SEC)
		(void)snprintf(buffer, 32, "%u.%02u", value / HUNDREDTHS_PER_SEC, value % HUNDREDTHS_PER_SEC);
	else
		(void)snprintf(buffer, 32, "%u", option->seconds ? value / HUNDREDTHS_PER_SEC : value);
	return buffer;
}

void link_options_set(struct link_options *options, size_t position, uint32_t value)
{
	options->has |= 1u << position;
	options->value[position] = value;
}

bool link_options_have(const struct link_options *options, size_t position)
{
	return (options->has >> position & 1) != 0;
}

uint32_t link_options_of_root(void)
{
	return 1u << link_option_find(LINK_OPTION_BRIDGE, "forward-delay") | 1u << link_option_find(LINK_OPTION_BRIDGE, "hello-time") |
	       1u << link_option_find(LINK_OPTION_BRIDGE, "max-age");
}

uint32_t link_options_differ(const struct link_options *wanted, const struct link_options *have)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < LINK_OPTIONS_MAX; i++)
		if (link_options_have(wanted, i) && (!link_options_have(have, i) || have->value[i] != wanted->value[i]))
			bits |= 1u << i;
	return bits;
}
