# In the guest: every configuration of tests/netplan is taken by netplan's generator and by hearth-net, and some of them lead
# to the same state of the kernel by `netplan apply` and by `hearth-net apply`, from the same start, as iproute2 shows it.
# SPDX-License-Identifier: Apache-2.0
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

import netstate

PAIRS = {"eth%d" % i: "52:54:00:00:06:0%d" % i for i in range(4)}  # the other ends are in the namespace "peers"
CARDS = {"52:54:00:00:00:01": "ens1", "52:54:00:aa:bb:01": "ens2"}  # what only a card has: a driver and a permanent MAC
NET = ["./hearth-net"]
SETTLE_SEC, STILL_SEC = 60, 1.5
STATE = """ip -d -j addr; echo
for family in -4 -6; do ip $family -d -j route show table all; echo; ip $family -d -j rule; echo; done
wg show all dump"""
# Where Hearth differs from netplan on purpose.
BY_DESIGN = {
    "protocol",  # of addresses, routes and rules: 72, by which Hearth knows what is its own
    "ifalias",   # "hearth", by which it knows its links
}
ON_PURPOSE = (  # configuration, what of it differs, why
    ("activation.yaml", r"10\.72\.0\.", "the addresses of a link that is down are on it already; networkd waits until it is up"),
    ("route-types.yaml", r"10\.57\.0\.0/16", "a blackhole with a gateway: netplan takes it and networkd leaves it out"),
    # networkd makes a MAC of the machine's id, which is new at every start of a node; Hearth leaves it to the kernel
    ("", r'^/links/[^/]+/address: .* and "made up"$', "the MAC of a virtual link for which the document has none"),
)


def run(*command, check=True, given=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=given)
    if check and done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command), done.returncode, done.stdout + done.stderr))
    return done


def settings():
    """What the kernel does with IPv6 of a link; iproute2 does not show it."""
    found = {}
    for path in glob.glob("/proc/sys/net/ipv6/conf/*/"):
        for name in ("mtu", "accept_ra", "use_tempaddr", "disable_ipv6", "addr_gen_mode"):
            with open(path + name) as f:
                found[path.split("/")[-2] + "/" + name] = f.read().strip()
    return found


def raw():
    return run("sh", "-c", STATE).stdout


def state():
    return dict(netstate.read(raw(), BY_DESIGN, link_local=False), settings=settings())


def differences(name, ours, theirs):
    return [found for found in netstate.differences(ours, theirs)
            if not any(case in ("", name) and re.search(pattern, found) for case, pattern, _ in ON_PURPOSE)]


def batch(*words, lines):
    run(*words, "-force", "-batch", "-", check=False, given="".join(line + "\n" for line in lines))


def clean():
    """As after the start: virtual links gone, the others as new, and nothing of netplan or hearth-net left."""
    for pattern in ("/run/systemd/network/*", "/etc/netplan/*", "/run/udev/rules.d/*netplan*", "/run/systemd/networkd.conf.d/*"):
        for file in glob.glob(pattern):
            os.remove(file)
    for folder in ("/var/lib/hearth/net", "/run/hearth"):
        shutil.rmtree(folder, ignore_errors=True)
    # first of all: what it still knows it would give to the new links
    run("systemctl", "reset-failed", "systemd-networkd.service", check=False)
    run("systemctl", "restart", "systemd-networkd.service")
    lines = ["addr flush dev lo scope global"]
    for link in json.loads(run("ip", "-j", "link").stdout):
        name, card = link["ifname"], CARDS.get(link.get("permaddr", link["address"]))
        if card:
            lines += ["link set %s down" % name, "link set %s name %s" % (name, card), "addr flush dev %s" % card,
                      "link set %s nomaster mtu 1500 alias ''" % card]
        elif name != "lo":
            lines.append("link del " + name)
    lines += ["link add %s address %s type veth peer name %s netns peers" % (nic, mac, nic) for nic, mac in PAIRS.items()]
    batch("ip", lines=lines)
    batch("ip", "-n", "peers", lines=["link set %s up" % nic for nic in PAIRS])
    for family in ("-4", "-6"):
        batch("ip", family, lines=[what + " proto " + protocol for protocol in ("72", "static")
                                   for what in ("route flush table all", "rule flush")])
    run("udevadm", "settle", check=False)


def settled(is_wanted=lambda now: True):
    """The state once it stands still and is the wanted one, or the last one."""
    last, since, end = None, time.monotonic(), time.monotonic() + SETTLE_SEC
    while time.monotonic() < end:
        now = state()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STILL_SEC and is_wanted(now):
            break
        time.sleep(0.2)
    return last


def document(name):
    folder = "netplan/" + name
    return sorted(glob.glob(folder + "/*.yaml")) if os.path.isdir(folder) else [folder]


def put(name):
    for old in glob.glob("/etc/netplan/*"):
        os.remove(old)
    for file in document(name):
        shutil.copy(file, "/etc/netplan/")
        os.chmod("/etc/netplan/" + os.path.basename(file), 0o600)


def accepted(name):
    put(name)
    theirs = run("/usr/libexec/netplan/generate", "--root-dir", "/run/generated", check=False)
    ours = run(*NET, "plan", check=False)
    bad = ["netplan: " + theirs.stderr.strip()] if theirs.returncode else []
    return bad + (["hearth-net: " + ours.stderr.strip()] if ours.returncode else [])


class SameState:
    def __init__(self):
        clean()
        self.start = settled()

    def begin(self, name):
        clean()
        now = settled(lambda found: found == self.start)
        put(name)
        return ["the start: " + d for d in netstate.differences(self.start, now)]

    def __call__(self, name):
        bad = self.begin(name)
        run(*NET, "apply")
        ours = settled()
        again = run(*NET, "plan", check=False).stdout
        bad += self.begin(name)
        run("netplan", "apply")
        bad += differences(name, ours, settled(lambda found: not differences(name, ours, found)))
        return bad + ([] if again == "nothing to change\n" else ["the second plan: " + again])


def main():
    failures, began = 0, time.monotonic()
    with open("job.json") as f:
        job = json.load(f)
    os.makedirs("/etc/wireguard", exist_ok=True)
    for key in ("wg0.key", "wg0.psk"):  # networkd reads them as its own user
        with open("/etc/wireguard/" + key, "w") as f:
            f.write(run("wg", "genkey").stdout)
        os.chmod("/etc/wireguard/" + key, 0o640)
        shutil.chown("/etc/wireguard/" + key, "root", "systemd-network")
    os.chmod("/etc/wireguard", 0o755)
    os.makedirs("/run/generated/etc")
    os.symlink("/etc/netplan", "/run/generated/etc/netplan")
    run("ip", "netns", "add", "peers")
    for what, check, names in (("accepted", accepted, job["accepted"]), ("same state", SameState(), job["state"])):
        for name in names:
            try:
                bad = check(name)
            except RuntimeError as error:
                bad = [str(error)]
            failures += bool(bad)
            print("%s: %s: %s" % (what, name, "; ".join(bad)[:3000] if bad else "ok"), flush=True)
        print("after %d s" % (time.monotonic() - began), flush=True)
    print("reference: %d failed" % failures, flush=True)
    return 1 if failures else 0


sys.exit(main())
