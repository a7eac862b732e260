#!/usr/bin/env python3
# First boot in a real rack (docs/first-contact.md), each machine from power on to its assignment by the real region.
# Without arguments: static networks in the seed's table, beside a port that leads nowhere and a BMC's USB card; a trunk whose VLAN
# a person picks at the console, with the region behind a proxy. "networks": IPv6 alone by SLAAC and by DHCPv6, a VLAN of the
# seed, a bond whose partner is not ready.
# SPDX-License-Identifier: Apache-2.0
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import rack  # noqa: E402
import parts  # noqa: E402

ENROLLED = ("network", "mesh", "k3s")  # it has its assignment
TABLE = """
nodes:
  - match: {serial: another}
    network: {version: 2, ethernets: {x: {addresses: [10.9.9.9/24]}}}
  - match: {mac: "52:54:76:00:00:0B"}
    network:
      version: 2
      ethernets:
        port:
          match: {macaddress: "52:54:76:00:00:0b"}
          addresses: [10.0.2.77/24]
          routes: [{to: default, via: 10.0.2.2}]
"""
VLAN = """
network:
  version: 2
  ethernets:
    port: {match: {macaddress: "52:54:78:00:00:17"}}
  vlans:
    mgmt: {id: 42, link: port, dhcp4: true}
"""
BOND = """
network:
  version: 2
  ethernets:
    one: {match: {macaddress: "52:54:78:00:00:18"}}
    two: {match: {macaddress: "52:54:78:00:01:18"}}
  bonds:
    bond0:
      interfaces: [one, two]
      dhcp4: true
      parameters: {mode: 802.3ad, mii-monitor-interval: 100}
"""


def seed(region, url=None, more=""):
    """With a token of its own, and another address of the region."""
    text = region.seed(token=True)
    if url:
        text, n = re.subn(r"(?m)^(\s*)urls:.*\n(?:\1 *- .*\n)*", r'\1urls: ["%s"]' % url + "\n", text)
        if n != 1:
            raise parts.Problem("the seed has no urls")
    return text + more


def press(machine, key):
    """A key on the serial line, as a person types it."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(os.path.join(machine.lab.folder, machine.name, "console.sock"))
        one.sendall(key.encode())
        time.sleep(1)  # alone: keys in a heap are noise


def enrolled(c, machine, timeout_sec=300):
    c.claim(machine.name + ": it has its assignment",
            lambda: labs.wait_for("it", timeout_sec, lambda: machine.last()["phase"] in ENROLLED),
            lambda: "\n".join("%(phase)s | %(sentence)s" % line for line in machine.lines()))


def tries(machine):
    return [(one["network"], one["text"]) for one in machine.status()["networkTries"]]


def addresses(machine, *words):
    return machine.exec("ip", "-br", "addr", "show", *words)


def static(site, text):
    """Both the other ports come first, so that whoever asks them one after the other would be late."""
    machine = site.guest("static", 11, text, nic=["nowhere", "usb", "uplink"])
    machine.start()
    return machine


def check_static(c, site, machine):
    enrolled(c, machine)
    c.claim("static: by the entry of the table that has its MAC", lambda: "10.0.2.77/24" in addresses(machine), lambda: addresses(machine))
    c.claim("static: the seed's network was the only try below the assigned one",
            lambda: {name for name, _ in tries(machine)} <= {"seed", "assigned"}, lambda: tries(machine))
    card = "cd /sys/class/net; for n in *; do case $(readlink -f $n/device) in */usb*) echo $n;; esac; done"
    usb = machine.sh(card).strip()
    c.claim("static: the BMC's card is there, and is left alone",
            lambda: usb and "UP" not in machine.exec("ip", "-br", "link", "show", usb).split()[1] and
            usb not in machine.sh("cat /run/systemd/network/*.network"), lambda: addresses(machine))
    machine.power("cut")
    machine = static(site, site.region.seed())  # as if the table had been on a stick that is gone
    c.claim("static: it comes back with its address when the table is gone", lambda: labs.wait_for(
        "the address", 240, lambda: "10.0.2.77/24" in addresses(machine) and " 10.0.2.15" not in addresses(machine)),
        lambda: addresses(machine))
    c.claim("static: and finds its region", lambda: labs.wait_for("no warning", 120, lambda: machine.last()["phase"] in ENROLLED and
            not any("silent" in w for w in machine.status()["warnings"])), lambda: machine.status())
    machine.power("cut")


class Trunk:
    """A port where everything is tagged; only the proxy behind it knows the region's name."""

    def __init__(self, site):
        self.gateway = rack.Gateway(site.folder + "/gw")
        self.port = rack.Trunk(self.gateway, [site.folder + "/wire"], 42, {42: "mgmt", 100: "storage"}, heard=[7])
        port = site.region.port
        self.proxy = rack.Proxy({"region.invalid:7443": port, "10.0.2.2:%d" % port: port})  # the second comes with the assignment
        text = seed(site.region, "https://region.invalid:7443", "proxy: http://10.0.2.2:%d\n" % self.proxy.port)
        self.machine = site.guest("trunk", 12, text, nic=["wire=" + site.folder + "/wire", "nowhere"])
        self.machine.start()

    def stop(self):
        self.machine.power("cut")
        self.proxy.stop()
        self.port.stop()
        self.gateway.stop()


def check_trunk(c, trunk):
    machine = trunk.machine
    c.claim("trunk: VLANs of LLDP and of the wire are offered, those with names first", lambda: labs.wait_for(
        "the offer", 300, lambda: re.search(r"press 1 for VLAN 42 \(mgmt\) on \w+, 2 for VLAN 100 \(storage\) on \w+, 3 for VLAN 7 on",
                                            machine.console())), lambda: machine.console()[-3000:])
    c.claim("trunk: it says where it is plugged in", lambda: machine.wait_said("leaf-3 port Ethernet7 by LLDP", 120))
    press(machine, "1")
    c.claim("trunk: the pick is shown", lambda: labs.wait_for(
        "it", 120, lambda: "VLAN 42 (mgmt) on" in machine.console() and ", in use" in machine.console()), lambda: machine.console()[-3000:])
    enrolled(c, machine)
    c.claim("trunk: its address is in the VLAN", lambda: "10.0.2.15/24" in addresses(machine, "vlan42"), lambda: addresses(machine))
    c.claim("trunk: the proxy was asked for the region by its name", lambda: trunk.proxy.asked and
            trunk.proxy.asked[0] == "CONNECT region.invalid:7443", lambda: trunk.proxy.asked)
    c.claim("trunk: once the region answers nothing is offered, and no port is promiscuous any more",
            lambda: "vlans" not in machine.status() and "1" not in machine.sh(
                "for n in /sys/class/net/e*/flags; do echo $(($(cat $n) / 256 % 2)); done").split(), lambda: machine.sh("ip -d link"))
    asked = len(trunk.proxy.asked)
    machine.power("cut")
    machine.power("on")
    c.claim("trunk: after a power cut nobody has to press a key", lambda: labs.wait_for(
        "the proxy to be asked again", 300, lambda: len(trunk.proxy.asked) > asked), lambda: machine.console()[-3000:])
    c.claim("trunk: and it is enrolled as it was", lambda: labs.wait_for(
        "no warning", 120, lambda: machine.last()["phase"] in ENROLLED and not any("silent" in w for w in machine.status()["warnings"])),
        lambda: machine.status())


def first(c, site):
    machine, trunk = static(site, seed(site.region, more=TABLE)), Trunk(site)
    try:
        check_static(c, site, machine)
        check_trunk(c, trunk)
    finally:
        trunk.stop()


def networks(c, site):
    at, ends = site.folder, []

    def gateway(name, ipv6=False):
        ends.insert(0, rack.Gateway(at + "/" + name, ipv6))
        return ends[0]

    def port(kind, *words):
        ends.insert(0, kind(*words))
        return ends[0]
    region6 = "https://[fd76::2]:%d" % site.region.port
    try:
        managed = port(rack.Managed, gateway("g6", True), [at + "/w6"])
        port(rack.Trunk, gateway("gv"), [at + "/wv"], 42)
        waiting = port(rack.WaitingBond, gateway("gb"), [at + "/b0", at + "/b1"], 1)
        slaac = site.guest("slaac", 21, seed(site.region, region6), nic=["nowhere", "uplink6"])
        dhcp6 = site.guest("dhcp6", 22, seed(site.region, region6), nic=["wire=" + at + "/w6"])
        vlan = site.guest("vlan", 23, seed(site.region, more=VLAN), nic=["wire=" + at + "/wv"])
        bond = site.guest("bond", 24, seed(site.region, more=BOND), nic=["wire=" + at + "/b0", "wire=" + at + "/b1"])
        for machine in (bond, slaac, dhcp6, vlan):
            machine.start()
        enrolled(c, slaac)
        c.claim("slaac: an address of its own making, and no IPv4", lambda: re.search(r"fd76::\S*ff:fe", addresses(slaac)) and
                " 10.0." not in addresses(slaac), lambda: addresses(slaac))
        enrolled(c, dhcp6)
        c.claim("dhcp6: the leased address alone", lambda: "fd76::1:7/128" in addresses(dhcp6) and
                not re.search(r"fd76::\S*ff:fe", addresses(dhcp6)) and managed.n_leases, lambda: addresses(dhcp6))
        enrolled(c, vlan)
        c.claim("vlan: its address is in the seed's VLAN", lambda: "10.0.2.15/24" in addresses(vlan, "mgmt"), lambda: addresses(vlan))
        c.claim("vlan: the seed's VLAN was not offered as well", "press" not in vlan.console(), lambda: vlan.console()[-2000:])
        enrolled(c, bond, 600)
        c.claim("bond: it spoke LACP, and nobody answered", waiting.n_lacp > 0, waiting.n_lacp)
        c.claim("bond: one member carries", lambda: "10.0.2.15/24" in addresses(bond), lambda: addresses(bond))
        c.claim("bond: the try and its reason are told", lambda: "seed" in [name for name, _ in tries(bond)], lambda: tries(bond))
    finally:
        site.lab.down()
        for end in ends:
            end.stop()


def test(c, bin_folder, cache, folder, run):
    image = parts.image(bin_folder, cache, None, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        region = site.region
        if run is networks:
            region.listen = "[::]"
        region.init(urls=[region.url, "https://[fd76::2]:%d" % region.port, "https://region.invalid:7443",
                          "https://127.0.0.1:%d" % region.port])
        region.start()
        run(c, site)


what = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] == "networks" else None
checks.main("rack-" + what if what else "rack", lambda *words: test(*words, networks if what else first))
