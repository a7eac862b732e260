// The kernel's words about a request that failed.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netlink-error.h"

#include "base/util.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

int netlink_error_code(const struct nlmsghdr *answer)
{
	if (nlmsg_datalen(answer) < (int)sizeof(struct nlmsgerr))
		return -EBADMSG;
	return ((const struct nlmsgerr *)nlmsg_data(answer))->error;
}

// The attributes behind the error and the request that it echoes; false when there are none.
static bool find_attributes(const struct nlmsghdr *answer, struct nlattr *ret[NLMSGERR_ATTR_MAX + 1])
{
	const struct nlmsgerr *error = nlmsg_data(answer);
	size_t offset = sizeof(*error), n = (size_t)nlmsg_datalen(answer);
	if (n < sizeof(*error) || !(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return false;
	if (!(answer->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof(error->msg))
		offset += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof(error->msg));
	return offset < n && nla_parse(ret, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)nlmsg_data(answer) + offset),
				     (int)(n - offset), NULL) == 0;
}

// The attribute that stands at byte @offset of @request; -1: none does.
static int attribute_at(const struct nlmsghdr *request, uint32_t offset)
{
	struct nlattr attribute;
	if (!request || offset < NLMSG_HDRLEN || offset > request->nlmsg_len ||
		request->nlmsg_len - offset < sizeof(attribute))
		return -1;
	memcpy(&attribute, (const char *)request + offset, sizeof(attribute));
	return attribute.nla_type & NLA_TYPE_MASK;
}

void netlink_error_words(const struct nlmsghdr *answer, const struct nlmsghdr *request, char *buffer, size_t n_buffer)
{
	struct nlattr *fields[NLMSGERR_ATTR_MAX + 1];
	char words[160] = "", place[64] = "";
	buffer[0] = '\0';
	if (!find_attributes(answer, fields))
		return;
	struct nlattr *at = fields[NLMSGERR_ATTR_OFFS], *missing = fields[NLMSGERR_ATTR_MISS_TYPE];
	if (fields[NLMSGERR_ATTR_MSG])
		(void)nla_strlcpy(words, fields[NLMSGERR_ATTR_MSG], sizeof(words));
	int attribute = at && nla_len(at) >= 4 ? attribute_at(request, nla_get_u32(at)) : -1;
	if (missing && nla_len(missing) >= 4)
		(void)snprintf(place, sizeof(place), "attribute %u is missing", nla_get_u32(missing));
	else if (attribute >= 0)
		(void)snprintf(place, sizeof(place), "attribute %d at byte %u", attribute, nla_get_u32(at));
	(void)snprintf(buffer, n_buffer, words[0] && place[0] ? "%s (%s)" : "%s%s", words, place);
}
