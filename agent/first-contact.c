// SPDX-License-Identifier: Apache-2.0
#include "agent/first-contact.h"
#include "base/json.h"
#include <errno.h>

void first_contact_done(struct first_contact *known)
{
	value_free(known->document);
	*known = (struct first_contact){ 0 };
}

static const struct value *seed_of(const struct first_contact *known)
{
	const struct value *seed = value_find(known->document, "seed");
	return seed && seed->type == VALUE_OBJECT ? seed : NULL;
}

int first_contact_parse(const char *json, size_t n, struct first_contact *ret, struct diag *reterr)
{
	static const enum network_candidate candidates[] = { NETWORK_VLAN, NETWORK_SEED, NETWORK_DHCP };
	struct first_contact known = { 0 };
	int r = json_parse(json, n, FIRST_CONTACT_BYTES, &known.document, reterr);
	if (r < 0)
		return r;
	const char *name = value_text(value_find(known.document, "network"));
	for (size_t i = 0; i < N_ELEMENTS(candidates); i++)
		if (str_equal(name, network_candidate_name(candidates[i])))
			known.candidate = candidates[i];
	if (known.candidate == NETWORK_ASSIGNED || (known.candidate == NETWORK_SEED && !seed_of(&known))) {
		first_contact_done(&known);
		return diag_set(reterr, -EINVAL, "network", "must be VLAN, DHCP, or seed with a network in \"seed\"");
	}
	*ret = known;
	return 0;
}

char *first_contact_format(enum network_candidate candidate, const struct value *seed)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "network", network_candidate_name(candidate));
	json_out_key(&out, "seed");
	if (seed)
		json_out_value(&out, seed);
	else
		json_out_string(&out, NULL);
	json_out_object_end(&out);
	return json_out_take(&out);
}

const struct value *first_contact_seed(const struct first_contact *known, const struct value *seed)
{
	return seed ? seed : seed_of(known);
}

enum network_candidate first_contact_carried(const struct first_contact *known, const struct value *seed)
{
	const struct value *then = seed_of(known);
	return !seed || (then && value_equal(seed, then)) ? known->candidate : NETWORK_ASSIGNED;
}
