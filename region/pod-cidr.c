// SPDX-License-Identifier: Apache-2.0
#include "region/pod-cidr.h"

enum pod_cidr_verdict pod_cidr_decide(const struct cidr *range, const char *reported,
	const char *const *seen, size_t n_seen, const char *const *others, size_t n_others)
{
	struct cidr wanted, other;
	bool confirmed = false;
	if (cidr_parse(reported, "podCidr", true, &wanted, NULL) < 0)
		return POD_CIDR_MALFORMED;
	if (!cidr_contains(range, &wanted) || wanted.length == range->length)
		return POD_CIDR_OUTSIDE;
	for (size_t i = 0; i < n_seen && !confirmed; i++)
		confirmed = seen[i] &&
			    cidr_parse(seen[i], "podCidrsSeen", true, &other, NULL) >= 0 &&
			    cidr_equal(&other, &wanted);
	if (!confirmed)
		return POD_CIDR_UNCONFIRMED;
	for (size_t i = 0; i < n_others; i++)
		if (cidr_parse(others[i], "podCidr", true, &other, NULL) >= 0 &&
			cidr_overlaps(&other, &wanted))
			return POD_CIDR_OVERLAPS;
	return POD_CIDR_ACCEPTED;
}

const char *pod_cidr_phrase(enum pod_cidr_verdict verdict)
{
	switch (verdict) {
	case POD_CIDR_ACCEPTED:
		return "accepted";
	case POD_CIDR_MALFORMED:
		return "is no range";
	case POD_CIDR_OUTSIDE:
		return "lies outside the cluster's pod range";
	case POD_CIDR_UNCONFIRMED:
		return "is not confirmed by a server yet";
	case POD_CIDR_OVERLAPS:
		return "overlaps another node's";
	}
	return "";
}
