// The keys of leases: whether there are any, and what of them is used. networkd gets them.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>
#include <strings.h>

int netplan_decode_dhcp4(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_bool(value, what, &declaration->dhcp4, reterr);
}

int netplan_decode_dhcp6(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_bool(value, what, &declaration->dhcp6, reterr);
}

int netplan_decode_identifier(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!netplan_scalar(value) || strcasecmp(netplan_scalar(value), "mac") != 0)
		return netplan_refuse(value, reterr,
			"%s: must be mac (the machine's id is new at every boot), not \"%s\"", what,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	return 0;
}

static int decode_domains(struct dhcp_overrides *overrides, const struct value *value, const char *what,
	struct diag *reterr)
{
	bool yes;
	if (str_equal(netplan_scalar(value), "route"))
		return netplan_set_text(&overrides->use_domains, value, what, reterr);
	if (netplan_bool(value, what, &yes, NULL) < 0)
		return netplan_refuse(value, reterr, "%s: must be true, false or route, not \"%s\"", what,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	char *word = strdup(yes ? "true" : "false");
	if (!word)
		return -ENOMEM;
	free(overrides->use_domains);
	overrides->use_domains = word;
	return 0;
}

static int decode_hostname(struct dhcp_overrides *overrides, const struct value *value, const char *what,
	struct diag *reterr)
{
	const char *text = netplan_scalar(value);
	if (!text || !*text || strlen(text) > 64 ||
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != strlen(text))
		return netplan_refuse(value, reterr, "%s: must be a host name, not \"%s\"", what, text ? text : "");
	return netplan_set_text(&overrides->hostname, value, what, reterr);
}

static int decode_overrides(struct dhcp_overrides *overrides, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"hostname", "route-metric", "send-hostname", "use-dns", "use-domains",
		"use-hostname", "use-mtu", "use-ntp", "use-routes", NULL};
	const struct {
		const char *key;
		bool *no; // the field says that it is not used
	} switches[] = {
		{"send-hostname", &overrides->no_send_hostname}, {"use-dns", &overrides->no_dns},
		{"use-hostname", &overrides->no_hostname}, {"use-mtu", &overrides->no_mtu},
		{"use-ntp", &overrides->no_ntp}, {"use-routes", &overrides->no_routes},
	};
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(value, what, known, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(switches); i++) {
		const struct value *member = value_find(value, switches[i].key);
		bool yes = false;
		netplan_path_set(path, "%s.%s", what, switches[i].key);
		if (member && (error = netplan_bool(member, path, &yes, reterr)) == 0)
			*switches[i].no = !yes;
	}
	const struct value *hostname = value_find(value, "hostname"), *domains = value_find(value, "use-domains");
	const struct value *metric = value_find(value, "route-metric");
	netplan_path_set(path, "%s.hostname", what);
	if (error == 0 && hostname)
		error = decode_hostname(overrides, hostname, path, reterr);
	netplan_path_set(path, "%s.use-domains", what);
	if (error == 0 && domains)
		error = decode_domains(overrides, domains, path, reterr);
	netplan_path_set(path, "%s.route-metric", what);
	if (error == 0 && metric) {
		error = netplan_number(metric, path, 0, UINT32_MAX, &overrides->metric, reterr);
		overrides->has_metric = true;
	}
	return error;
}

int netplan_decode_dhcp4_overrides(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return decode_overrides(&declaration->dhcp4_overrides, value, what, reterr);
}

int netplan_decode_dhcp6_overrides(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return decode_overrides(&declaration->dhcp6_overrides, value, what, reterr);
}
