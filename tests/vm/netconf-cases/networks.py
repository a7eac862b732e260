# Random networks that are valid: four cards, bonds, bridges, VLANs, VRFs, dummies and tunnels on each other, with addresses,
# routes, rules and DHCP. The name says which one, so that it can be made again; netplan's generator is asked whether it takes
# them (tests/vm/netconf-reference).
# SPDX-License-Identifier: Apache-2.0
import base64
import json
import random

SECTIONS = {"card": "ethernets", "dummy": "dummy-devices", "bond": "bonds", "vlan": "vlans", "bridge": "bridges", "vrf": "vrfs",
            "tunnel": "tunnels"}
MODES = ("active-backup", "802.3ad", "balance-rr", "balance-xor", "broadcast", "balance-tlb", "balance-alb")
WATCHED = ("802.3ad", "balance-tlb", "balance-alb")  # the kernel takes no others without a monitor
MTUS = (1280, 1400, 1600, 9000)
HASHES = ("layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4")


def new_name(rng):
    return name("%08x" % rng.getrandbits(32))


def name(number):
    return "random-%s.yaml" % number


def number(name_of_one):
    return name_of_one[len("random-"):-len(".yaml")]


def is_random(name_of_one):
    return name_of_one.startswith("random-")


def document(name_of_one):
    """One line: JSON is YAML."""
    return json.dumps({"network": Network(random.Random(name_of_one)).found})


class Link:
    def __init__(self, name, kind, body):
        self.name, self.kind, self.body = name, kind, body
        self.is_port, self.is_parent, self.has_link_below, self.vrf = False, False, False, None
        self.gateways = []  # (family, address of this link, gateway)


class Network:
    def __init__(self, rng):
        self.rng, self.links, self.n_metrics = rng, [], 100
        # Numbers that no two things of one network share, and many of two networks do.
        self.subnets, self.far = rng.sample(range(1, 60), 50), rng.sample(range(100, 250), 140)
        self.priorities, self.ids = rng.sample(range(100, 30000), 50), rng.sample(range(1, 4095), 20)
        self.make_links()
        self.set_port_costs()
        self.set_mtus()
        for link in self.links:
            if not link.is_port and link.kind != "vrf":
                self.set_addresses(link)
        for link in self.links:
            if link.kind == "vrf":
                self.set_vrf(link)
        self.found = {"version": 2}
        if self.chance(0.3):
            self.found["renderer"] = "networkd"
        for link in self.links:
            self.found.setdefault(SECTIONS[link.kind], {})[link.name] = link.body

    def chance(self, share):
        return self.rng.random() < share

    def some(self, links, most):
        return self.rng.sample(links, min(len(links), self.rng.randint(0, most)))

    def add(self, name, kind, **body):
        self.links.append(Link(name, kind, body))
        return self.links[-1]

    def free(self, *kinds):
        return [link for link in self.links if link.kind in kinds and not link.is_port]

    def alone(self, *kinds):
        """Those that may become a port: nothing is on top of them."""
        return [link for link in self.free(*kinds) if not link.is_parent]

    def make_links(self):
        renamed = self.rng.randrange(60)  # seldom one of them: each leaves its old name only at the next start
        for i in range(4):
            match = {"match": {"macaddress": "52:54:00:00:00:0%d" % i}}
            if i == renamed:
                self.add("uplink", "card", **match, **{"set-name": "lan0"})
            elif self.chance(0.15):
                self.add("port%d" % i, "card", **match)
            elif self.chance(0.8):
                self.add("eth%d" % i, "card")
        for name in ("d0", "d1"):
            if self.chance(0.3):
                self.add(name, "dummy")
        for name in self.rng.choice(((), ("bond0",), ("bond0",), ("bond0", "bond1"))):
            self.add_bond(name)
        self.add_vlans("low", 2, "card", "bond", "dummy")
        for name in self.rng.choice(((), (), ("br0",), ("br0", "br1"))):
            self.add_bridge(name)
        self.add_vlans("vlan", 2, "bridge", "bond", "vlan", "card")
        for i in range(self.rng.choice((0, 0, 1, 2))):
            self.add_tunnel(i)
        for i, name in enumerate(self.rng.choice(((), (), ("blue",), ("blue", "red")))):
            self.add_vrf(name, 1000 + i)

    def take(self, ports, master):
        for port in ports:
            port.is_port, master.has_link_below = True, True
        return [port.name for port in ports]

    def add_bond(self, name):
        bond = self.add(name, "bond")
        ports = bond.body["interfaces"] = self.take(self.some(self.alone("card"), 2), bond)
        bond.mode = mode = self.rng.choice(MODES)
        found = bond.body["parameters"] = {"mode": mode}
        if mode in ("active-backup", "balance-xor") and self.chance(0.3):
            found.update({"arp-interval": 500, "arp-ip-targets": ["10.200.0.%d" % self.rng.randint(1, 9)], "arp-all-targets": "any"})
        elif mode in WATCHED or self.chance(0.7):
            found["mii-monitor-interval"] = 100
            if self.chance(0.3):
                found.update({"up-delay": 200, "down-delay": 100 * self.rng.randint(0, 3)})
        if mode == "802.3ad":
            found.update({"lacp-rate": self.rng.choice(("slow", "fast")), "min-links": self.rng.randint(0, 2),
                          "ad-select": self.rng.choice(("stable", "bandwidth", "count"))})
        if mode in ("802.3ad", "balance-xor", "balance-tlb") and self.chance(0.6):
            found["transmit-hash-policy"] = self.rng.choice(HASHES)
        if mode in ("active-backup", "balance-tlb", "balance-alb") and ports and self.chance(0.5):
            found.update({"primary": self.rng.choice(ports), "primary-reselect-policy": self.rng.choice(("always", "better", "failure"))})
        if mode == "balance-rr" and self.chance(0.5):
            found["packets-per-member"] = self.rng.randint(0, 5)
        if self.chance(0.2):
            found["all-members-active"] = True

    def add_vlans(self, prefix, most, *kinds):
        for i in range(self.rng.randint(0, most)):
            parents = self.free(*kinds)
            if not parents:
                return
            parent = self.rng.choice(parents)
            parent.is_parent = True
            number = self.ids.pop()
            vlan = self.add("%s%d" % (prefix, self.rng.choice((i, i + 2))), "vlan", id=number, link=parent.name)
            vlan.has_link_below = True

    def add_bridge(self, name):
        bridge = self.add(name, "bridge")
        may = [link for link in self.alone("card", "bond", "vlan", "dummy") if getattr(link, "mode", "") not in MODES[5:]]
        ports = bridge.body["interfaces"] = self.take(self.some(may, 3), bridge)
        if self.chance(0.7):
            found = bridge.body["parameters"] = {"stp": self.chance(0.5)}
            found.update({"forward-delay": self.rng.randint(4, 15), "ageing-time": self.rng.choice((60, 300)),
                          "priority": 4096 * self.rng.randint(0, 15)} if self.chance(0.6) else {})

    def set_port_costs(self):
        """netplan reads a file that names links before they are told twice, and then says that a port has a cost already."""
        bridges = {link.name: link for link in self.links if link.kind == "bridge"}
        if bridges.keys() & {link.body.get("link") for link in self.links}:
            return
        for bridge in bridges.values():
            ports = bridge.body["interfaces"]
            if ports and self.chance(0.5):
                bridge.body.setdefault("parameters", {}).update(
                    {"path-cost": {ports[0]: self.rng.randint(1, 200)}, "port-priority": {ports[-1]: self.rng.randint(0, 63)}})

    def add_tunnel(self, number):
        peers = []
        for _ in range(self.rng.randint(0, 3)):
            key = base64.b64encode(bytes(self.rng.randrange(256) for _ in range(32))).decode()
            peer = {"keys": {"public": key}, "allowed-ips": ["10.%d.0.0/16" % self.far.pop(), "fd%02x::/16" % self.far.pop()]}
            if self.chance(0.3):
                peer["keys"]["shared"] = "/etc/wireguard/wg0.psk"
            if self.chance(0.6):
                peer["endpoint"] = self.rng.choice(("192.0.2.%d:51820", "[2001:db8::%d]:51820")) % self.rng.randint(1, 99)
            if self.chance(0.5):
                peer["keepalive"] = self.rng.randint(1, 60)
            peers.append(peer)
        tunnel = self.add("wg%d" % number, "tunnel", mode="wireguard", key="/etc/wireguard/wg0.key", port=51820 + number, peers=peers)
        if self.chance(0.3):
            tunnel.body["mark"] = self.rng.randint(1, 99)

    def add_vrf(self, name, table):
        may = [link for link in self.free("card", "dummy", "bond", "vlan", "bridge", "tunnel") if not link.vrf]
        ports = self.some(may, 2)
        vrf = self.add(name, "vrf", table=table, interfaces=[port.name for port in ports])
        for port in ports:
            port.vrf = vrf

    def set_mtus(self):
        """One for all, one below the other along each chain, or of some links that have nothing to do with another one's."""
        how = self.rng.choice(("all", "chains", "some"))
        if how == "all":
            mtu = self.rng.choice(MTUS)
            for link in self.links:
                if link.kind not in ("vrf", "tunnel"):
                    link.body["mtu"] = mtu
        elif how == "chains":
            self.set_mtus_of_chains()
        else:
            for link in self.links:
                if not (link.is_port or link.is_parent or link.has_link_below) and link.kind in ("card", "dummy", "tunnel") and self.chance(0.3):
                    link.body["mtu"] = self.rng.choice(MTUS)

    def set_mtus_of_chains(self):
        """A VLAN's and a bridge's is at most that of what is below; a bond's is that of its ports. Links come in that order."""
        mtus = {}
        for link in self.links:
            below = [mtus[name] for name in (*link.body.get("interfaces", ()), link.body.get("link")) if name in mtus]
            if link.kind in ("vrf", "tunnel"):
                continue
            if link.kind == "bond":
                mtus[link.name] = self.rng.choice(MTUS)
                for port in link.body["interfaces"]:
                    mtus[port] = self.found_link(port).body["mtu"] = mtus[link.name]
            else:
                mtus[link.name] = self.rng.choice([mtu for mtu in MTUS if mtu <= min(below, default=MTUS[-1])])
            link.body["mtu"] = mtus[link.name]

    def found_link(self, name):
        return next(link for link in self.links if link.name == name)

    def set_addresses(self, link):
        if self.chance(0.15):
            return
        body, addresses = link.body, []
        for family in self.rng.choice(((), (4,), (4,), (4, 4), (6,), (4, 6))):
            number, host = self.subnets.pop(), self.rng.randint(2, 99)
            form = "10.%d.0.%d" if family == 4 else "fd%02d::%d"
            address, gateway = form % (number, host), form % (number, 1)
            link.gateways.append((family, address, gateway))
            full = address + ("/24" if family == 4 else "/64")
            addresses.append({full: {"lifetime": "forever"}} if self.chance(0.1) else full)
            if self.chance(0.3):  # of the same subnet, before it or behind it
                second = form % (number, host + 100) + ("/24" if family == 4 else "/64")
                addresses.insert(len(addresses) - self.rng.randint(0, 1), second)
        if addresses:
            body["addresses"] = addresses
        if link.kind != "tunnel" and self.chance(0.2):
            self.set_dhcp(body)
        for key, values, share in (("accept-ra", (True, False), 0.2), ("ipv6-privacy", (True, False), 0.1), ("optional", (True,), 0.1),
                                   ("link-local", ([], ["ipv6"]), 0.2)):
            if self.chance(share):
                body[key] = self.rng.choice(values)
        if self.chance(0.2):
            body["nameservers"] = {"addresses": ["192.0.2.%d" % self.rng.randint(1, 9), "2001:db8::53"], "search": ["rack.example"]}
        if link.kind in ("bond", "bridge") and self.chance(0.15):
            body["macaddress"] = "02:00:00:00:%02x:%02x" % (self.rng.randrange(256), self.rng.randrange(256))
        if link.kind == "dummy" and not link.is_parent and self.chance(0.1):
            body["activation-mode"] = self.rng.choice(("manual", "off"))
            return  # nothing of what follows stands on a link that is down
        self.set_routes(link)
        self.set_rules(link)

    def set_dhcp(self, body):
        overrides = {"use-dns": self.chance(0.5), "route-metric": self.rng.randint(50, 500)} if self.chance(0.4) else None
        for key in self.some(("dhcp4", "dhcp6"), 2):
            body[key] = True
            if overrides:  # netplan wants the same for both
                body[key + "-overrides"] = overrides

    def destination(self, family):
        return "10.%d.0.0/16" % self.far.pop() if family == 4 else "fd%02x:1::/32" % self.far.pop()

    def set_routes(self, link):
        routes = []
        for family, address, gateway in link.gateways:
            for _ in range(self.rng.randint(0, 2)):
                route = {"to": self.destination(family)}
                how = self.rng.choice(("via", "via", "via", "via", "default", "scope", "type", "on-link"))
                if how == "type":
                    route["type"] = self.rng.choice(("blackhole", "unreachable", "prohibit"))
                elif how == "scope" and family == 4:
                    route["scope"] = "link"
                else:
                    route["via"] = gateway
                if how == "default":
                    self.n_metrics += 1
                    route.update({"to": "default", "metric": self.n_metrics})
                if how == "on-link":
                    route.update({"via": "10.77.0.1" if family == 4 else "fd77::1", "on-link": True})
                if how == "via":
                    route.update({"mtu": 1300} if self.chance(0.2) else {"metric": self.rng.randint(1, 999)} if self.chance(0.3) else {})
                    route.update({"from": address} if self.chance(0.2) else {})
                if self.chance(0.2) and not link.vrf:
                    route["table"] = self.rng.randint(200, 205)
                routes.append(route)
        if routes:
            link.body["routes"] = routes

    def set_rules(self, link):
        rules = []
        for family, address, _ in link.gateways:
            if self.chance(0.25):
                rule = {"from": address, "table": self.rng.randint(200, 205), "priority": self.priorities.pop()}
                rule.update({"to": self.destination(family)} if self.chance(0.3) else {})
                rule.update({"mark": self.rng.randint(1, 99)} if self.chance(0.3) else {})
                rules.append(rule)
        if rules:
            link.body["routing-policy"] = rules

    def set_vrf(self, vrf):
        vrf.gateways = [one for port in self.links if port.vrf is vrf and "activation-mode" not in port.body for one in port.gateways]
        routes = [{"to": self.destination(family), "via": gateway} for family, _, gateway in vrf.gateways if self.chance(0.4)]
        rules = [{"to": self.destination(4), "priority": self.priorities.pop()}] if self.chance(0.3) else []
        for key, found in (("routes", routes), ("routing-policy", rules)):
            if found:
                vrf.body[key] = found
