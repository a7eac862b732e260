// The stable API address by nftables.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/api-nat.h"
#include "netconf/address.h"

#include <errno.h>
#include <nftables/libnftables.h>

int api_nat_render(const struct api_nat *nat, char **ret, struct diag *reterr)
{
	struct ip api, target, mesh;
	char api_text[ADDRESS_TEXT], target_text[ADDRESS_TEXT], mesh_text[ADDRESS_TEXT], to[ADDRESS_TEXT];
	unsigned port = nat->port ? nat->port : 6443;
	if (ip_parse(nat->api_address, &api) < 0 || ip_parse(nat->target_address, &target) < 0 ||
		ip_parse(nat->mesh_address, &mesh) < 0)
		return diag_set(reterr, -EINVAL, "api", "must be addresses, not \"%s\", \"%s\", \"%s\"", nat->api_address,
			nat->target_address, nat->mesh_address);
	if (api.family != target.family || api.family != mesh.family)
		return diag_set(reterr, -EINVAL, "api", "%s, %s and %s must be of one address family", nat->api_address,
			nat->target_address, nat->mesh_address);
	const char *family = api.family == AF_INET ? "ip" : "ip6";
	(void)ip_format(&api, api_text);
	(void)ip_format(&target, target_text);
	(void)ip_format(&mesh, mesh_text);
	(void)endpoint_format(&target, (uint16_t)port, to);
	// "table" before "delete table": deleting what is not there would fail the transaction
	char *text = str_format("table inet hearth\n"
				"delete table inet hearth\n"
				"table inet hearth {\n"
				"\tchain output {\n"
				"\t\ttype nat hook output priority -100; policy accept;\n"
				"\t\t%s daddr %s tcp dport %u dnat %s to %s\n"
				"\t}\n"
				"\tchain prerouting {\n"
				"\t\ttype nat hook prerouting priority -100; policy accept;\n"
				"\t\t%s daddr %s tcp dport %u dnat %s to %s\n"
				"\t}\n"
				"\tchain postrouting {\n"
				"\t\ttype nat hook postrouting priority 100; policy accept;\n"
				"\t\t%s daddr %s tcp dport %u ct status dnat ct original %s daddr %s snat %s to %s\n"
				"\t}\n"
				"%s%s"
				"}\n",
		family, api_text, port, family, to, family, api_text, port, family, to, family, target_text, port,
		family, api_text, family, mesh_text, nat->more_chains ? nat->more_chains : "",
		nat->more_chains ? "\n" : "");
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

static int run(const char *commands, struct diag *reterr)
{
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!context)
		return -ENOMEM;
	int error = nft_ctx_buffer_output(context) || nft_ctx_buffer_error(context) ? -ENOMEM : 0;
	if (error == 0 && nft_run_cmd_from_buffer(context, commands) != 0) {
		const char *words = nft_ctx_get_error_buffer(context);
		size_t n = words ? strcspn(words, "\n") : 0;
		error = words && strstr(words, "Operation not permitted") ? -EPERM : -EIO;
		(void)diag_set(reterr, error, "nftables", "table inet hearth: %.*s", (int)n, words ? words : "");
	}
	nft_ctx_free(context);
	return error;
}

int api_nat_apply(const struct api_nat *nat, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	int error = api_nat_render(nat, &text, reterr);
	return error < 0 ? error : run(text, reterr);
}

int api_nat_remove(struct diag *reterr)
{
	return run("table inet hearth\ndelete table inet hearth\n", reterr);
}
