# First process of the guest: every configuration of tests/netplan is taken by netplan's generator and by hearth-net, and some
# of them lead to the same state of the kernel by netplan (its generator and networkd, as at a start) and by `hearth-net apply`,
# as iproute2 shows it. Before each the cards are plugged in anew, and nothing of the one before is left.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import netstate

NET = ["./hearth-net"]
DRIVER = "/sys/bus/virtio/drivers/virtio_net/"
NETWORKD_CONF = "/usr/lib/systemd/networkd.conf.d/"  # where the image has Hearth's
UDEV_RULES = {"75-net-description.rules", "80-net-setup-link.rules"}
BUS = "org.freedesktop.network1"
HAS_SYSTEMD = os.path.exists("/run/systemd/system")
SETTLE_SEC, STILL_SEC = 30, 0.8
STATE = """ip -d -j addr; echo
for family in -4 -6; do ip $family -d -j route show table all; echo; ip $family -d -j rule; echo; done
wg show all dump"""
# Where Hearth differs from netplan on purpose.
BY_DESIGN = {
    "protocol",  # of addresses, routes and rules: 72, by which Hearth knows what is its own
    "ifalias",   # "hearth", by which it knows its links
    "altnames",  # udev's; a .link file of netplan's for an MTU leaves them out
}
QUIET_KINDS = {"dummy", "vrf", "wireguard"}  # nobody sends router advertisements there; networkd writes their settings all the same
ANY_PORT = r"^/wireguard: only the \w+: wg0\t\S+\t\S+\t\d+\toff$"
ON_PURPOSE = (  # configuration, what of it differs, why
    ("activation.yaml", r"10\.72\.0\.", "the addresses of a link that is down are on it already; networkd waits until it is up"),
    ("route-types.yaml", r"10\.57\.0\.0/16", "a blackhole with a gateway: netplan takes it and networkd leaves it out"),
    ("bond-802.3ad-slow.yaml", r'xmit_hash_policy: "vlan\+srcmac"', "netplan takes vlan+srcmac, networkd does not know it"),
    ("ipv6-privacy-and-mtu.yaml", "/settings/eth0/mtu", "networkd sets it before the link is up, and the kernel then forgets it"),
    ("wireguard-in-vrf.yaml", ANY_PORT, "no port is said: the kernel takes any"),
    ("wireguard-keys-private.yaml", ANY_PORT, "no port is said: the kernel takes any"),
    ("loopback.yaml", "/settings/lo/addr_gen_mode", "lo makes no address of itself, whichever its mode"),
    ("match-glob.yaml", r'^/links/eth\d/flags: only the second: UP$|^/settings/eth\d/accept_ra: "1" and "0"$',
     "networkd takes a card's alternative names, here enp0s3, for names, and so for its own"),
    ("values-of-nothing.yaml", r"10\.140\.0\.", "netplan takes lifetime: Forever; networkd knows forever alone, and leaves the address out"),
    # networkd makes a MAC of the machine's id, which is new at every start of a node; Hearth leaves it to the kernel
    ("", r'^/links/[^/]+/(address: .* and "made up"|permaddr: null and .*)$', "the MAC of a virtual link for which the document has none"),
)


def run(*command, check=True, given=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=given)
    if check and done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command), done.returncode, done.stdout + done.stderr))
    return done


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def settings(links):
    """What the kernel does with IPv6 of a link; iproute2 does not show it."""
    found = {}
    for path in glob.glob("/proc/sys/net/ipv6/conf/*/"):
        name = path.split("/")[-2]
        kind = links.get(name, {}).get("linkinfo", {}).get("info_kind")
        keys = {"mtu", "disable_ipv6", "addr_gen_mode", "accept_ra", "use_tempaddr"}
        if kind in QUIET_KINDS:
            keys -= {"accept_ra", "use_tempaddr"}
        if kind == "vrf":
            keys -= {"addr_gen_mode"}  # the kernel gives it no address in any mode
        for key in keys:
            with open(path + key) as f:
                found[name + "/" + key] = f.read().strip()
    return found


def of_vrf(route, tables):
    """A VRF's own route over a gateway: networkd's goes out of the VRF's device, where no neighbour answers; Hearth's out of the
    port that has the gateway's subnet."""
    family, _, found = route.partition(" ")
    found = json.loads(found)
    if found.get("table") not in tables or "gateway" not in found:
        return route
    found["dev"], found["flags"] = "of the VRF", [flag for flag in found["flags"] if flag != "onlink"]
    return family + " " + json.dumps(found)


def state():
    found = netstate.read(run("sh", "-c", STATE).stdout, BY_DESIGN, link_local=False)
    kinds = [link.get("linkinfo", {}) for link in found["links"].values()]
    tables = {str(kind["info_data"]["table"]) for kind in kinds if kind.get("info_kind") == "vrf"}
    return dict(found, routes=sorted(of_vrf(route, tables) for route in found["routes"]), settings=settings(found["links"]))


def differences(name, ours, theirs):
    return [found for found in netstate.differences(ours, theirs)
            if not any(case in ("", name) and re.search(pattern, found) for case, pattern, _ in ON_PURPOSE)]


class Networkd:
    """systemd-networkd, from one start to the next without anything of the last one."""
    process = None

    def start(self):
        with open("/run/networkd.log", "w") as log:
            self.process = subprocess.Popen(["/usr/lib/systemd/systemd-networkd"], stdout=log, stderr=log)
        end = time.monotonic() + SETTLE_SEC
        while run("busctl", "get-property", BUS, "/" + BUS.replace(".", "/"), BUS + ".Manager", "OperationalState", check=False).returncode:
            if time.monotonic() > end:
                raise RuntimeError("networkd does not start: " + self.words())
            time.sleep(0.05)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def words(self):
        with open("/run/networkd.log", errors="replace") as f:
            return f.read()[-1500:]

    def is_done(self):
        """It has done with each link what it can do."""
        for path in glob.glob("/run/systemd/netif/links/*"):
            with open(path) as f:
                if not re.search(r"^ADMIN_STATE=(configured|unmanaged|linger)$", f.read(), re.M):
                    return False
        return True


NETWORKD = Networkd()


def plug(how):
    for card in CARDS:
        write(DRIVER + how, card)
    run("udevadm", "settle")


def empty():
    """The cards pulled, and nothing of netplan or hearth-net left."""
    NETWORKD.stop()
    plug("unbind")
    links = [link["ifname"] for link in json.loads(run("ip", "-j", "link").stdout)]
    for family, lines in (("-0", ["link del " + name for name in links if name != "lo"] + ["link set lo up", "addr flush dev lo scope global"]),
                          *((family, [what + " proto " + protocol for protocol in ("72", "static")
                                      for what in ("route flush table all", "rule flush")]) for family in ("-4", "-6"))):
        run("ip", family, "-force", "-batch", "-", check=False, given="".join(line + "\n" for line in lines))
    for pattern in ("/etc/netplan/*", "/run/systemd/network/*", "/run/udev/rules.d/*", NETWORKD_CONF + "*",
                    "/run/systemd/netif/*/*", "/run/systemd/netif/state"):
        for file in glob.glob(pattern):
            os.remove(file)
    for folder in ("/var/lib/hearth/net", "/run/hearth"):
        shutil.rmtree(folder, ignore_errors=True)
    run("udevadm", "control", "--reload")


def put(name, folder="/etc/netplan"):
    for old in glob.glob(folder + "/*"):
        os.remove(old)
    path = "netplan/" + name
    for file in sorted(glob.glob(path + "/*.yaml")) if os.path.isdir(path) else [path]:
        shutil.copy(file, folder)
        os.chmod(folder + "/" + os.path.basename(file), 0o600)


def accepted(name):
    put(name)
    put(name, "/run/generated/etc/netplan")
    with concurrent.futures.ThreadPoolExecutor() as both:
        theirs = both.submit(run, "/usr/libexec/netplan/generate", "--root-dir", "/run/generated", check=False)
        ours = run(*NET, "plan", "--without-networkd", check=False)
    bad = ["netplan: " + theirs.result().stderr.strip()] if theirs.result().returncode else []
    return bad + (["hearth-net: " + ours.stderr.strip()] if ours.returncode else [])


def still():
    """The state, once it has stood still for a while."""
    last, since, end = None, time.monotonic(), time.monotonic() + SETTLE_SEC
    while time.monotonic() < end:
        now = state()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STILL_SEC:
            break
        time.sleep(0.1)
    return last


def at_start(name):
    """netplan as a start has it: its generator, then the cards, then networkd."""
    put(name)
    run("/usr/libexec/netplan/generate")
    run("udevadm", "control", "--reload")
    plug("bind")
    NETWORKD.start()


def while_it_runs(name):
    """netplan as a person has it: the command, on a machine whose cards and networkd are there."""
    plug("bind")
    NETWORKD.start()
    put(name)
    run("netplan", "apply")


def same_state(name):
    empty()
    plug("bind")
    shutil.copy("10-hearth.conf", NETWORKD_CONF)
    NETWORKD.start()
    put(name)
    run(*NET, "apply")
    ours = still()
    again = run(*NET, "plan", check=False).stdout
    bad = [] if again == "nothing to change\n" else ["the second plan: " + again]

    empty()
    (while_it_runs if HAS_SYSTEMD else at_start)(name)
    end, since = time.monotonic() + SETTLE_SEC, time.monotonic()
    while True:  # the same, and networkd is done or has nothing more to do for a while: a lease does not come here
        found = differences(name, ours, state())
        if found:
            since = time.monotonic()
        if time.monotonic() > end or (not found and (NETWORKD.is_done() or time.monotonic() - since > STILL_SEC)):
            break
        time.sleep(0.1)
    return bad + found


def begin():
    """What a start has done before a network is wanted."""
    write("/etc/machine-id", "68656172746868656172746868656172\n")
    for folder in ("/run/systemd/netif/links", "/run/systemd/netif/leases", "/run/systemd/netif/lldp", "/run/systemd/network",
                   NETWORKD_CONF, "/run/dbus", "/etc/wireguard", "/run/generated/etc/netplan"):
        os.makedirs(folder, exist_ok=True)
    for folder in ("", "/links", "/leases", "/lldp"):
        shutil.chown("/run/systemd/netif" + folder, "systemd-network", "systemd-network")
    for path in glob.glob("/usr/lib/udev/rules.d/*"):
        if os.path.basename(path) not in UDEV_RULES:
            os.remove(path)  # of disks, keyboards and the like
    os.remove("/usr/share/dbus-1/system-services/%s.service" % BUS)  # it is not started by whoever asks for it
    write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")  # an address is there at once, or not at all
    for key in ("wg0.key", "wg0.psk"):  # networkd reads them as its own user
        write("/etc/wireguard/" + key, run("wg", "genkey").stdout)
        os.chmod("/etc/wireguard/" + key, 0o640)
        shutil.chown("/etc/wireguard/" + key, "root", "systemd-network")
    os.chmod("/etc/wireguard", 0o755)
    if HAS_SYSTEMD:
        run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")
        for path in glob.glob("/usr/lib/systemd/system-generators/systemd-*"):
            os.remove(path)  # netplan has systemd look at all of its units anew, each time
        run("udevadm", "control", "--reload")
    else:
        subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"], stderr=subprocess.DEVNULL)
        subprocess.Popen(["/usr/lib/systemd/systemd-udevd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("modprobe", "virtio_net")
    run("udevadm", "settle")
    return sorted((name for name in os.listdir(DRIVER) if name.startswith("virtio")), key=lambda name: int(name[6:]))


def main():
    failures, begun = 0, time.monotonic()
    with open("job.json") as f:
        job = json.load(f)
    for what, check, names in (("same state", same_state, job["state"]), ("accepted", accepted, job["accepted"])):
        for name in names:
            try:
                bad = check(name)
            except RuntimeError as error:
                bad = [str(error)]
            failures += bool(bad)
            print("[%3.0f s] %s: %s: %s" % (time.monotonic() - begun, what, name, "; ".join(bad)[:3000] if bad else "ok"), flush=True)
    print("reference: %d failed" % failures, flush=True)
    return 1 if failures else 0


signal.signal(signal.SIGCHLD, signal.SIG_DFL)
CARDS = begin()
sys.exit(main())
