#!/usr/bin/env python3
# Networks that cannot reach the region, assigned by the region itself: each is undone in time and says so, and the machine is
# reached again, with the network it had; so too when hearthd is killed or the power is cut in the middle. A person at the console starts the safe network
# by one key. Ten networks; with "long" fifty, and a power cut with a region that stays away.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402

DEADLINE_SEC, PATIENT_SEC = 3, 60  # of networks that cannot hold, of those that can on a machine under load
LATE_SEC = 6  # what a machine under load may take to notice and to undo
UPLINK, SEGMENT = "52:54:76", "52:54:77"  # how the MACs of the lab begin
ON_TRIAL = "on trial; the region has to answer through it"
UNDONE = "with it the region does not answer any more"
GONE_ON = ("mesh", "k3s")


def uplink_mac(machine):
    return machine.sh("cat /sys/class/net/*/address | grep -i '^%s' | head -n 1" % UPLINK).strip()


def good_network(mac):
    return {"ethernets": {"up": {"match": {"macaddress": mac}}},
            "bonds": {"bond0": {"interfaces": ["up"], "dhcp4": True, "parameters": {"mode": "active-backup"}}}}


def bad_networks(mac):
    """Documents that take the uplink with this MAC away from the region, each by a mistake of its own."""
    def uplink(**more):
        return {"up": {"match": {"macaddress": mac}, **more}}
    return [
        ("a gateway of another network", {"ethernets": uplink(
            addresses=["192.0.2.10/24"], routes=[{"to": "default", "via": "192.0.2.1"}])}),
        ("a VLAN that nobody has", {"ethernets": uplink(), "vlans": {"v99": {"id": 99, "link": "up", "dhcp4": True}}}),
        ("a bond that waits for its second port", {"ethernets": uplink(), "bonds": {"bond0": {
            "interfaces": ["up"], "dhcp4": True, "parameters": {"mode": "802.3ad", "mii-monitor-interval": 100, "min-links": 2}}}}),
        ("an uplink that is off", {"ethernets": uplink(**{"activation-mode": "off"})}),
        ("no address", {"ethernets": uplink(**{"link-local": []})}),
        ("a blackhole in front of the region", {"ethernets": uplink(
            dhcp4=True, routes=[{"to": "10.0.2.2/32", "type": "blackhole"}])}),
        ("a rule that leads nowhere", {"ethernets": uplink(
            dhcp4=True, routes=[{"to": "0.0.0.0/0", "type": "unreachable", "table": 99}],
            **{"routing-policy": [{"to": "10.0.2.0/24", "table": 99, "priority": 10}]})}),
        ("a VRF around the uplink", {"ethernets": uplink(dhcp4=True), "vrfs": {"blue": {"table": 77, "interfaces": ["up"]}}}),
        ("the region's own address", {"ethernets": uplink(dhcp4=True), "dummy-devices": {"dup": {"addresses": ["10.0.2.2/32"]}}}),
    ]


def assign(region, number, bad=True, network=None):
    """Another LAN; a bad one is said to be where the uplink is, which then has no DHCP and no way to the region. @network: a
    netplan document beside a good LAN, good or bad itself."""
    path = region.dir + "/cluster.yaml"
    with open(path) as f:
        cluster = json.load(f)
    cluster["lan"] = {"prefix": "10.%d.0.0/24" % (100 + number), "macPrefix": UPLINK if bad and not network else SEGMENT}
    cluster.pop("network", None)
    if network:
        cluster["network"] = network
    with open(path, "w") as f:
        json.dump(cluster, f)
    region.stop()
    region.start()


def tries(machine):
    return machine.status()["networkTries"]


def wait_try(machine, text, since_usec, timeout_sec=90):
    """The first try or reason of the assigned network after @since_usec (of this boot) that says so."""
    return labs.wait_for('the timeline to say "%s"' % text, timeout_sec, lambda: next(
        (t for t in tries(machine) if t["atUsec"] > since_usec and text in t["text"]), None), 0.3)


def now_usec(machine):
    return int(float(machine.sh("cut -d' ' -f1 /proc/uptime")) * 1e6)


def press(machine, key):
    """A key at the serial console."""
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(os.path.join(machine.lab.folder, machine.name, "console.sock"))
        console.sendall(key)


def set_deadline(machine, seconds):
    machine.sh("mkdir -p /run/systemd/system/hearthd.service.d; printf '[Service]\\nExecStart=\\nExecStart=/usr/lib/hearth/hearthd "
               "--network-deadline %d\\n' >/run/systemd/system/hearthd.service.d/trial.conf; systemctl daemon-reload; "
               "systemctl restart hearthd" % seconds)
    labs.wait_for("hearthd to be back", 60, lambda: machine.status()["networkTries"])


def goes_on(machine, timeout_sec=240):
    return labs.wait_for("%s to be enrolled with its network" % machine.name, timeout_sec,
                         lambda: machine.last()["phase"] in GONE_ON)


def check_bad(c, machine, region, n_bad):
    kinds = [("the LAN at the uplink", None)] + bad_networks(uplink_mac(machine))
    usual = machine.exec("hearth-net", "show")
    for number in range(n_bad):
        what, network = kinds[number % len(kinds)]
        since = now_usec(machine)
        assign(region, number, network=network)
        begun = wait_try(machine, ON_TRIAL, since)
        over = wait_try(machine, UNDONE, begun["atUsec"])
        took = (over["atUsec"] - begun["atUsec"]) / 1e6
        c.claim("bad network %d, %s, is undone in time (%.1f s)" % (number + 1, what, took), took < DEADLINE_SEC + LATE_SEC, (begun, over))
        c.claim("nothing of it is left, nothing is missing", lambda: labs.wait_for(
            "the network of before", 30, lambda: machine.exec("hearth-net", "show") == usual, 1),
            lambda: (usual, machine.exec("hearth-net", "show")))
    c.claim("the console says that it was on trial", lambda: machine.wait_said("is on trial: the region has to answer", 30))
    c.claim("the console says why it was undone, and what there is instead", lambda: machine.wait_said(
        "does not hold: " + UNDONE + "; meanwhile there is ", 30), lambda: machine.last())
    told = lambda: [node.get("networkRefused", {}).get("reason") for node in region.list()["nodes"]]  # noqa: E731
    c.claim("the region says who refuses its network, and why", lambda: labs.wait_for(
        "the report", 60, lambda: told() == [UNDONE]), told)
    c.claim("the timeline says why", UNDONE in machine.exec("hearthctl", "timeline"))


def check_start(c, machine):
    """A site whose machines refuse what they were assigned, and which then loses its power."""
    machine.power("cut")
    machine.power("on")
    machine.wait_answers()
    c.claim("after a start it says what it refuses", lambda: machine.wait_said("does not hold: " + UNDONE + "; meanwhile there is the last good one", 240),
            lambda: machine.last())
    c.claim("and goes on over the network below", lambda: goes_on(machine), lambda: machine.last())


def check_good(c, machine, number):
    stands = lambda: "10.%d.0." % (100 + number) in machine.sh("ip -4 addr") and "networkRefused" not in machine.status()  # noqa: E731
    c.claim("a good one stands after it", lambda: labs.wait_for("its address", 150, stands) and goes_on(machine, 90),
            lambda: (machine.last(), tries(machine)))


def check_repair(c, machine, number):
    """Somebody at a shell of the node takes an address of the confirmed network."""
    line = labs.wait_for("its address", 30, lambda: next((words for words in map(str.split, machine.sh("ip -o -4 addr").splitlines())
                                                          if words[3].startswith("10.%d.0." % (100 + number))), None))
    link, address = line[1], line[3]
    said = "network: %s: add address %s" % (link, address)
    log = lambda: machine.sh("journalctl --no-pager --output=cat --unit=hearthd").splitlines().count(said)  # noqa: E731
    before = log()
    machine.sh("ip addr del %s dev %s" % (address, link))
    c.claim("an address that is taken by hand comes back", lambda: labs.wait_for(
        "it", 30, lambda: address in machine.sh("ip -o -4 addr show dev %s" % link)), lambda: machine.sh("ip addr"))
    c.claim("and the journal says so", lambda: labs.wait_for("its line", 10, lambda: log() == before + 1), log)


def check_kill(c, machine, region, number):
    since = now_usec(machine)
    assign(region, number)
    begun = wait_try(machine, ON_TRIAL, since)
    assign(region, number + 1, bad=False)  # it is heard of once the bad one is undone
    machine.sh("kill -9 $(systemctl show -P MainPID hearthd)")
    c.claim("hearthd killed in the middle: undone at its start", lambda: wait_try(
        machine, "hearthd was restarted before it was confirmed: undone", begun["atUsec"]), lambda: tries(machine))
    check_good(c, machine, number + 1)


def check_safe(c, machine):
    press(machine, b"s")
    c.claim("the key s gives the safe network", lambda: machine.wait_said("the safe network is on", 60), lambda: machine.last())
    c.claim("and a warning says whose wish it was", any("person at the console" in w for w in machine.status()["warnings"]))
    since = len(machine.lines())
    press(machine, b"s")
    c.claim("once more: the assigned one is back", lambda: labs.wait_for("the usual network", 60, lambda: any(
        line["phase"] in GONE_ON for line in machine.lines()[since:])), lambda: machine.last())


def check_cut(c, machine, region, number, silent):
    since = now_usec(machine)
    assign(region, number)
    wait_try(machine, ON_TRIAL, since)
    machine.power("cut")
    if silent:
        region.stop()
    else:
        assign(region, number + 1, bad=False)
    machine.power("on")
    machine.wait_answers()
    c.claim("power cut in the middle: undone at the next start", lambda: wait_try(machine, "was never confirmed and is undone", 0),
            lambda: tries(machine))
    if silent:
        set_deadline(machine, DEADLINE_SEC)
        c.claim("with a silent region something else has to prove it", lambda: wait_try(
            machine, "the region was silent before", 0, 180), lambda: tries(machine))
        c.claim("and as nothing does it is undone", lambda: wait_try(
            machine, "neither the region nor the mesh nor the gateway answers", 0), lambda: tries(machine))
        assign(region, number + 1, bad=False)
    check_good(c, machine, number + 1)


def test(c, bin_folder, cache, folder, is_long):
    image, n_bad = parts.image(bin_folder, cache, None, c.say), 50 if is_long else 10
    with labs.Site(bin_folder, cache, folder, image) as site:
        region = site.region
        region.init()
        region.start()
        machine = site.guest("tried", 11, region.seed(token=True))
        machine.start()
        c.claim("the first assigned network proves itself", lambda: goes_on(machine, lines.BOOT_TIMEOUT_SEC), lambda: machine.last())
        set_deadline(machine, DEADLINE_SEC)
        check_bad(c, machine, region, n_bad)
        check_start(c, machine)
        set_deadline(machine, PATIENT_SEC)
        assign(region, n_bad, bad=False, network=good_network(uplink_mac(machine)))
        check_good(c, machine, n_bad)
        c.claim("it is the bond that the region says", lambda: labs.wait_for("its route", 30, lambda: "bond0" in machine.sh(
            "ip -4 route show default")), lambda: machine.sh("ip -4 route; ip -4 addr"))
        check_repair(c, machine, n_bad)
        check_kill(c, machine, region, n_bad + 1)
        check_safe(c, machine)
        check_cut(c, machine, region, n_bad + 3, is_long)


what = sys.argv.pop(1) if sys.argv[1:] == ["long"] else None
checks.main("trial-long" if what else "trial", lambda *words: test(*words, what is not None))
