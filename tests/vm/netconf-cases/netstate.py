# What iproute2 and wg say of a network, as a value that can be compared.
# SPDX-License-Identifier: Apache-2.0
import json
import re

# Numbers of links, clocks, counters, what a carrier or a neighbour makes of a link at this moment, and limits of its driver.
OF_THE_MOMENT = {
    "ifindex", "link_index", "link_netnsid", "event", "promiscuity", "allmulti", "group", "txqlen", "qdisc", "operstate",
    "num_tx_queues", "num_rx_queues", "min_mtu", "max_mtu", "gso_max_size", "gso_max_segs", "tso_max_size", "tso_max_segs",
    "gro_max_size", "gso_ipv4_max_size", "gro_ipv4_max_size", "parentbus", "parentdev",
    "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "hold_timer", "message_age_timer", "forward_delay_timer",
    "topology_change_ack", "config_pending", "topology_change", "root_id", "root_port", "root_path_cost", "designated_root",
    "designated_bridge", "designated_cost", "designated_port", "state", "mii_status", "active_slave", "link_failure_count",
    "queue_id", "ad_info", "ad_aggregator_id", "ad_actor_oper_port_state", "ad_actor_oper_port_state_str",
    "ad_partner_oper_port_state", "ad_partner_oper_port_state_str", "tentative", "dadfailed", "fdb_n_learned",
    "topology_change_detected"}
OF_THE_PORT = {"no", "id"}  # a bridge numbers its ports in the order in which they came
# A card that is promiscuous for what stands on it (a VLAN that is a bridge's port) and goes into a VRF or out of it then has that
# for its own flag afterwards, whoever moves it: the kernel's vrf takes it down and up again with all its flags.
FLAGS_OF_THE_MOMENT = {"LOWER_UP", "NO-CARRIER", "M-DOWN", "linkdown", "dead", "PROMISC", "ALLMULTI"}
DECLARED_MACS = ("52:54:00:", "02:00:00:")  # of network cards and documents; all others the kernel made up


def mac(value):
    return value if value.startswith(DECLARED_MACS) else "made up"


def plain(value, key="", passing=frozenset()):
    if isinstance(value, dict):
        passing = passing | OF_THE_PORT if key == "info_slave_data" else passing
        return {k: plain(v, k, passing) for k, v in sorted(value.items()) if k not in OF_THE_MOMENT and k not in passing}
    if key == "flags":
        return sorted(set(value) - FLAGS_OF_THE_MOMENT)
    if isinstance(value, list):
        return [plain(v, key, passing) for v in value]
    if isinstance(value, str):
        if value.startswith("fe80:"):
            return "fe80:: made of the address"
        if len(value) == 17 and value.count(":") == 5:
            return mac(value)
        if re.fullmatch(r"[0-9a-f]{4}\.[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}", value):  # a bridge's: its priority and MAC
            return value[:5]
    return value


def tunnel(line):
    """A link or a peer, as wg dumps it: without handshakes and counters, its prefixes in order."""
    columns = line.split("\t")
    if len(columns) < 9:
        return line
    return "\t".join([*columns[:4], ",".join(sorted(columns[4].split(","))), columns[8]])


def is_link_local(found):
    return any(str(found.get(key, "")).startswith("fe80:") for key in ("local", "dst"))


def read(text, passing=frozenset(), link_local=True):
    """The output of `state`: links with their addresses, routes, rules, WireGuard. link_local: with what the kernel gives a
    link by itself, a while after it has a carrier."""
    lines = [line for line in text.split("\n") if line]
    addresses, routes4, rules4, routes6, rules6 = (json.loads(line) for line in lines[:5])
    links = {}
    for link in addresses:
        if link:
            of_link = sorted(json.dumps(plain(one, passing=passing)) for one in link.pop("addr_info", [])
                             if link_local or not is_link_local(one))
            links[link["ifname"]] = dict(plain(link, passing=passing), addr_info=of_link)
    for link in links.values():  # of an ARP monitor that there was: nobody is asked without an interval
        data = link.get("linkinfo", {}).get("info_data", {})
        if not data.get("arp_interval"):
            data.pop("arp_ip_target", None)
    for link in links.values():  # these modes move MACs between the ports, as one or the other is active
        mode = links.get(link.get("master"), {}).get("linkinfo", {}).get("info_data", {}).get("mode")
        if mode in ("balance-tlb", "balance-alb"):
            link["address"] = link["permaddr"] = "of the moment"
    multicast = ("multicast", "ff00::/8")
    kept = {"-4": routes4, "-6": routes6}
    routes = sorted("%s %s" % (family, json.dumps(plain(route, passing=passing))) for family, found in kept.items()
                    for route in found if route.get("type") not in multicast and route.get("dst") not in multicast
                    and (link_local or not is_link_local(route)))
    rules = sorted("%s %s" % (family, json.dumps(plain(rule, passing=passing))) for family, found in
                   (("-4", rules4), ("-6", rules6)) for rule in found
                   if not ("l3mdev" in rule and rule.get("protocol") == "kernel"))  # of the first VRF, and then there for good
    return {"links": links, "routes": routes, "rules": rules, "wireguard": sorted(map(tunnel, lines[5:]))}


def differences(one, other, path=""):
    if isinstance(one, dict) and isinstance(other, dict):
        return [d for key in sorted(set(one) | set(other)) for d in differences(one.get(key), other.get(key), path + "/" + key)]
    if isinstance(one, list) and isinstance(other, list):
        return (["%s: only the first: %s" % (path, item) for item in one if item not in other] +
                ["%s: only the second: %s" % (path, item) for item in other if item not in one])
    return [] if one == other else ["%s: %s and %s" % (path, json.dumps(one), json.dumps(other))]
