// The keys of routing policy rules.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>

static int decode_prefix(const struct value *item, const char *key, const char *what, struct rule *rule,
	struct address *ret, struct diag *reterr)
{
	const struct value *value = value_find(item, key);
	struct address address;
	if (!value)
		return 0;
	if (!netplan_scalar(value) || address_parse(netplan_scalar(value), false, &address) < 0)
		return netplan_refuse(value, reterr, "%s.%s: must be a prefix or an address, not \"%s\"", what, key,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	if (rule->family && rule->family != address.ip.family)
		return netplan_refuse(item, reterr, "%s: from and to must be of one address family", what);
	rule->family = address.ip.family;
	address_mask(&address);
	if (address.prefix) // 0: any address, which the kernel shows as none
		*ret = address;
	return 0;
}

static int decode_rule(const struct value *item, const char *what, struct rule *ret, struct diag *reterr)
{
	static const char *const known[] = {"from", "to", "table", "priority", "mark", "type-of-service", NULL};
	const struct {
		const char *key;
		uint32_t max, *field;
	} numbers[] = {
		{"table", UINT32_MAX, &ret->table}, {"priority", INT32_MAX, &ret->priority}, {"mark", UINT32_MAX, &ret->mark}};
	char path[NETPLAN_PATH_TEXT];
	uint32_t tos = 0;
	*ret = (struct rule){0};
	int error = netplan_need_type(item, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(item, what, known, reterr);
	if (error == 0)
		error = decode_prefix(item, "from", what, ret, &ret->from, reterr);
	if (error == 0)
		error = decode_prefix(item, "to", what, ret, &ret->to, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(numbers); i++) {
		const struct value *value = value_find(item, numbers[i].key);
		netplan_path_set(path, "%s.%s", what, numbers[i].key);
		if (value)
			error = netplan_number(value, path, 0, numbers[i].max, numbers[i].field, reterr);
	}
	const struct value *service = value_find(item, "type-of-service");
	netplan_path_set(path, "%s.type-of-service", what);
	if (error == 0 && service)
		error = netplan_number(service, path, 0, 255, &tos, reterr);
	if (error < 0)
		return error;
	if (!ret->family)
		return netplan_refuse(item, reterr, "%s: needs from or to", what);
	if (tos & 3) // inet_validate_dscp()
		return netplan_refuse(service, reterr, "%s: must be a multiple of 4 (the kernel takes no ECN bits), not %u", path,
			tos);
	ret->tos = (uint8_t)tos;
	ret->has_priority = value_find(item, "priority") != NULL;
	return 0;
}

int netplan_decode_rules(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->n_rules + value->n > NETWORK_MAX_RULES)
		return netplan_refuse(value, reterr, "%s: at most %d rules on one link", what, NETWORK_MAX_RULES);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		struct rule rule;
		netplan_path_set_element(path, what, i);
		error = decode_rule(&value->items[i], path, &rule, reterr);
		if (error < 0)
			return error;
		if (netplan_grow((void **)&declaration->rules, declaration->n_rules, sizeof(rule)) < 0 ||
			netplan_grow((void **)&declaration->rules_where, declaration->n_rules,
				sizeof(*declaration->rules_where)) < 0)
			return -ENOMEM;
		declaration->rules_where[declaration->n_rules] = netplan_place(declaration, &value->items[i]);
		declaration->rules[declaration->n_rules++] = rule;
	}
	return error;
}
