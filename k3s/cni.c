// The conflist and the masquerade chain as text. See cni.h for why the bridge plugin does not masquerade.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/cni.h"
#include "base/json.h"
#include <arpa/inet.h>
#include <errno.h>

struct range {
	int family;
	uint8_t address[16];
	unsigned prefix;
	char text[64]; // canonical
};

static int range_parse(const char *what, const char *text, struct range *ret, struct diag *reterr)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = text ? strchr(text, '/') : NULL;
	struct range range = {0};
	char *end;
	unsigned long prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(host) || slash[1] < '0' || slash[1] > '9')
		return diag_set(reterr, -EINVAL, what, "must be a range ADDRESS/BITS, not \"%s\"", text ? text : "");
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	prefix = strtoul(slash + 1, &end, 10);
	range.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (*end || prefix > (range.family == AF_INET6 ? 128 : 32) ||
		inet_pton(range.family, host, range.address) != 1)
		return diag_set(reterr, -EINVAL, what, "must be a range ADDRESS/BITS, not \"%s\"", text);
	range.prefix = (unsigned)prefix;
	for (unsigned bit = range.prefix; bit < (range.family == AF_INET6 ? 128U : 32U); bit++)
		range.address[bit / 8] &= (uint8_t)~(0x80U >> (bit % 8));
	(void)inet_ntop(range.family, range.address, host, sizeof(host)); // host is large enough for every address
	snprintf(range.text, sizeof(range.text), "%s/%u", host, range.prefix);
	*ret = range;
	return 0;
}

static bool range_inside(const struct range *inner, const struct range *outer)
{
	if (inner->family != outer->family || inner->prefix < outer->prefix)
		return false;
	for (unsigned bit = 0; bit < outer->prefix; bit++)
		if ((inner->address[bit / 8] ^ outer->address[bit / 8]) & (0x80U >> (bit % 8)))
			return false;
	return true;
}

static int pod_range_parse(const char *pod_cidr, const char *cluster_pod_cidr, struct range *ret_pod,
	struct range *ret_cluster, struct diag *reterr)
{
	int r = range_parse("podCIDR", pod_cidr, ret_pod, reterr);

	if (r == 0)
		r = range_parse("podCidr", cluster_pod_cidr, ret_cluster, reterr);
	if (r < 0)
		return r;
	if (!range_inside(ret_pod, ret_cluster))
		return diag_set(reterr, -ERANGE, "podCIDR", "%s lies outside the cluster's pod range %s", ret_pod->text,
			ret_cluster->text);
	return 0;
}

int cni_conflist_render(const char *pod_cidr, const char *cluster_pod_cidr, unsigned mtu, char **ret,
	struct diag *reterr)
{
	struct json_out out = {0};
	struct range pod, cluster;
	int r = pod_range_parse(pod_cidr, cluster_pod_cidr, &pod, &cluster, reterr);

	if (r < 0)
		return r;
	if (mtu < 1280 || mtu > 9000)
		return diag_set(reterr, -EINVAL, "mtu", "must be 1280-9000, not %u", mtu);
	json_out_object_begin(&out);
	json_out_member(&out, "cniVersion", "1.0.0");
	json_out_member(&out, "name", "hearth");
	json_out_key(&out, "plugins");
	json_out_array_begin(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "type", "bridge");
	json_out_member(&out, "bridge", CNI_BRIDGE);
	json_out_member_bool(&out, "isDefaultGateway", true);
	json_out_member_bool(&out, "forceAddress", true); // a node that came back with another range
	json_out_member_bool(&out, "ipMasq", false);
	json_out_member_bool(&out, "hairpinMode", true); // a pod reaches itself through its service
	json_out_member_int(&out, "mtu", mtu);
	json_out_key(&out, "ipam");
	json_out_object_begin(&out);
	json_out_member(&out, "type", "host-local");
	json_out_member(&out, "dataDir", "/run/hearth/cni"); // no pod outlives a reboot, nor may its address
	json_out_key(&out, "ranges");
	json_out_array_begin(&out);
	json_out_array_begin(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "subnet", pod.text);
	json_out_object_end(&out);
	json_out_array_end(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	json_out_object_end(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "type", "portmap");
	json_out_key(&out, "capabilities");
	json_out_object_begin(&out);
	json_out_member_bool(&out, "portMappings", true);
	json_out_object_end(&out);
	json_out_object_end(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	*ret = json_out_take(&out);
	return *ret ? 0 : -ENOMEM;
}

int cni_masquerade_rules(const char *pod_cidr, const char *cluster_pod_cidr, const char *mesh_cidr, char **ret,
	struct diag *reterr)
{
	struct range pod, cluster, mesh;
	const char *family;
	int r = pod_range_parse(pod_cidr, cluster_pod_cidr, &pod, &cluster, reterr);

	if (r == 0)
		r = range_parse("meshCidr", mesh_cidr, &mesh, reterr);
	if (r < 0)
		return r;
	if (range_inside(&mesh, &cluster) || range_inside(&cluster, &mesh))
		return diag_set(reterr, -EINVAL, "meshCidr", "%s overlaps the cluster's pod range %s", mesh.text,
			cluster.text);
	family = pod.family == AF_INET6 ? "ip6" : "ip";
	if (mesh.family == pod.family)
		*ret = str_format("chain pod-masquerade {\n"
				  "\ttype nat hook postrouting priority srcnat; policy accept;\n"
				  "\t%s saddr %s %s daddr != { %s, %s } masquerade\n"
				  "}\n",
			family, pod.text, family, cluster.text, mesh.text);
	else
		*ret = str_format("chain pod-masquerade {\n"
				  "\ttype nat hook postrouting priority srcnat; policy accept;\n"
				  "\t%s saddr %s %s daddr != %s masquerade\n"
				  "}\n",
			family, pod.text, family, cluster.text);
	return *ret ? 0 : -ENOMEM;
}
