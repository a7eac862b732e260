# In the guest: netconf beside a running systemd-networkd, with real peers in a network namespace: dnsmasq, radvd, lldpd, and a
# Linux bond as LACP partner. One site, one document, applied once; each case is one sentence about it.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import subprocess
import sys
import time

NET = "/job/hearth-net"
WAIT_SEC = int(os.environ.get("REAL_WAIT_SEC", "150"))  # of a machine under load; alone each is there within seconds
MAC = "52:54:00:00:06:01"  # of the card that comes and goes
OTHER_MAC = "52:54:00:00:06:02"  # of one that comes before it the second time, and takes the name it had from the kernel
ROUTER = "02:00:00:00:31:01"  # bridge or bond: the gateway stays the same one

DOCUMENT = """network:
  version: 2
  ethernets:
    p0: {}
    p1: {}
    slaac: {ipv6-privacy: true, nameservers: {addresses: [192.0.2.53], search: [declared.example]}}
    stateful: {dhcp6: true}
    deaf: {accept-ra: false, addresses: ["2001:db8:6::5/64"]}
    near: {dhcp4: true, dhcp4-overrides: {route-metric: 50, hostname: door}}
    far: {dhcp4: true, dhcp4-overrides: {route-metric: 500, use-dns: false, use-mtu: false, send-hostname: false}}
    aside: {dhcp4: true, dhcp4-overrides: {use-routes: false}, addresses: [10.70.0.5/24]}
    card:
      match: {macaddress: "%s"}
      set-name: lan0
      addresses: [10.80.0.5/24]
      dhcp4: true
      dhcp4-overrides: {use-routes: false, use-dns: false}
    other: {match: {macaddress: "%s"}, set-name: lan1, addresses: [10.81.0.5/24]}
  bonds:
    bond0:
      interfaces: [p0, p1]
      addresses: [10.31.0.5/24]
      parameters: {mode: 802.3ad, mii-monitor-interval: 100, lacp-rate: fast}
  vlans:
    bond0.30:
      id: 30
      link: bond0
      dhcp4: true
      addresses: [10.30.0.5/24, "2001:db8:30::5/64"]
      routes: [{to: 10.99.0.0/16, via: 10.30.0.1}]
  vrfs:
    mgmt: {table: 1000, interfaces: [bond0.30]}
""" % (MAC, OTHER_MAC)

DNSMASQ = """port=0
user=root
bind-dynamic
no-ping
no-resolv
leasefile-ro
log-dhcp
log-facility=/run/site/dnsmasq.log
dhcp-authoritative
interface=lan.30
dhcp-range=set:vlan,10.30.0.100,10.30.0.110,255.255.255.0,10m
dhcp-option=tag:vlan,option:router,10.30.0.1
dhcp-option=tag:vlan,option:dns-server,10.30.0.53
interface=near
dhcp-range=set:near,10.40.0.100,10.40.0.110,255.255.255.0,10m
dhcp-option=tag:near,option:router,10.40.0.1
dhcp-option=tag:near,option:dns-server,10.40.0.53
dhcp-option=tag:near,option:domain-name,near.example
dhcp-option=tag:near,option:mtu,1400
interface=far
dhcp-range=set:far,10.50.0.100,10.50.0.110,255.255.255.0,10m
dhcp-option=tag:far,option:router,10.50.0.1
dhcp-option=tag:far,option:dns-server,10.50.0.53
dhcp-option=tag:far,option:mtu,1400
interface=aside
dhcp-range=set:aside,10.70.0.100,10.70.0.110,255.255.255.0,10m
dhcp-option=tag:aside,option:router,10.70.0.1
dhcp-option=tag:aside,option:dns-server,10.70.0.53
interface=stateful
dhcp-range=set:stateful,2001:db8:3::100,2001:db8:3::110,64,10m
dhcp-option=tag:stateful,option6:dns-server,[2001:db8:3::53]
"""

RADVD = """interface slaac {
	AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600;
	prefix 2001:db8:2::/64 { AdvOnLink on; AdvAutonomous on; };
	RDNSS 2001:db8:2::53 { AdvRDNSSLifetime 600; };
};
interface stateful {
	AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600; AdvManagedFlag on; AdvDefaultPreference low;
	prefix 2001:db8:3::/64 { AdvOnLink on; AdvAutonomous off; };
};
interface deaf {
	AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600;
	prefix 2001:db8:6::/64 { AdvOnLink on; AdvAutonomous on; };
};
interface lan.30 {
	AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600; IgnoreIfMissing on;
	prefix 2001:db8:30::/64 { AdvOnLink on; AdvAutonomous on; };
};
"""

LLDPD = """configure system hostname rack-switch
configure lldp tx-interval 2
"""


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command), done.returncode, done.stdout + done.stderr))
    return done.stdout + (done.stderr if done.returncode else "")


def ip(words):
    return run("ip", *words.split())


def site(words):
    return run("ip", "-n", "site", *words.split())


def shown(words):
    return json.loads(run("ip", "-j", "-d", *words.split()) or "[]")


def until(what, look, *, seconds=WAIT_SEC):
    """Until look() is something; that. @what may be a function that says it then."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.2)


def must(what, found):
    if not found:
        raise AssertionError(what)


# --- what there is ---

def addresses(link, family="inet"):
    return [one for entry in shown("addr show dev " + link) for one in entry.get("addr_info", [])
            if one["family"] == family and one["scope"] == "global" and not one.get("tentative")]


def leased(link, prefix):
    """The address that a server or a router gave."""
    family = "inet6" if ":" in prefix else "inet"
    return next((one["local"] for one in addresses(link, family) if one.get("dynamic") and one["local"].startswith(prefix)), None)


def routes(table="main", family="-4"):
    done = run("ip", family, "-j", "route", "show", "table", str(table), check=False)
    return json.loads(done) if done.startswith("[") else []  # a table without a route is an error to ip


def default_routes(family="-4", table="main"):
    return {hop["dev"]: one for one in routes(table, family) if one["dst"] == "default" for hop in one.get("nexthops", [one])}


def member(name):
    return shown("link show dev " + name)[0]["linkinfo"]["info_slave_data"]


def bond():
    return shown("link show dev bond0")[0]["linkinfo"]["info_data"].get("ad_info", {})


def neighbours():
    text = run("networkctl", "lldp", "--json=short", check=False)
    said = json.loads(text) if text.startswith("{") else {}  # networkd does not answer at its restart
    return {one["InterfaceName"]: sorted((n.get("SystemName"), n.get("PortDescription")) for n in one["Neighbors"])
            for one in said.get("Neighbors", []) if one["Neighbors"]}


def plan():
    return run(NET, "plan", check=False).strip()


def managed():
    """What the first case has to find again: without what counts down."""
    return {
        "addresses": sorted((one["local"], one["prefixlen"], bool(one.get("dynamic"))) for family in ("inet", "inet6")
                            for one in addresses("bond0.30", family)),
        "routes": sorted((one["dst"], one.get("gateway", ""), one.get("protocol", ""), one.get("metric", 0))
                         for family in ("-4", "-6") for one in routes(1000, family) if "linkdown" not in one["flags"]
                         and not one["dst"].startswith(("fe80", "ff00", "multicast", "local", "broadcast", "anycast"))
                         and one.get("type") is None),
        "neighbours": {name: seen for name, seen in neighbours().items() if name in ("p0", "p1")},
        "master": shown("link show dev bond0.30")[0].get("master"),
    }


def same_as(before):
    now = managed()
    return now == before and plan() == "nothing to change"


def stands_again(before, what):
    try:
        until("as before " + what, lambda: same_as(before))
    except AssertionError:
        raise AssertionError("%s: was %s, is %s; plan: %s" % (what, json.dumps(before), json.dumps(managed()), plan())) from None


# --- the site ---

def start_site():
    os.makedirs("/run/site", exist_ok=True)
    run("ip", "netns", "add", "site")
    run("ip", "netns", "exec", "site", "sh", "-c", "cd /proc/sys/net/ipv6/conf && echo 1 >all/forwarding && echo 1 >default/forwarding")
    site("link set lo up")
    for name, address in (("p0", ""), ("p1", ""), ("slaac", "2001:db8:2::1/64"), ("stateful", "2001:db8:3::1/64"),
                          ("deaf", "2001:db8:6::1/64"), ("near", "10.40.0.1/24"), ("far", "10.50.0.1/24"),
                          ("aside", "10.70.0.1/24")):
        ip("link add %s type veth peer name %s netns site" % (name, name))
        if address:
            site("addr add %s dev %s%s" % (address, name, " nodad" if ":" in address else ""))
            site("link set %s up" % name)
    partner(ready=False)
    for name, text in (("dnsmasq.conf", DNSMASQ), ("radvd.conf", RADVD), ("lldpd.conf", LLDPD)):
        with open("/run/site/" + name, "w") as f:
            f.write(text)
    serve("dnsmasq", "--keep-in-foreground", "--conf-file=/run/site/dnsmasq.conf")
    serve("radvd", "--nodaemon", "--config=/run/site/radvd.conf", "--logmethod=stderr", "--pidfile=/run/site/radvd.pid")
    os.makedirs("/run/lldpd", exist_ok=True)
    serve("lldpd", "-d", "-u", "/run/site/lldpd.socket", "-I", "p0,p1", "-O", "/run/site/lldpd.conf")


def serve(*command):
    with open("/run/site/%s.out" % command[0], "w") as out:
        subprocess.Popen(["ip", "netns", "exec", "site", *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def partner(ready):
    """The other end of the bond's members: a switch that knows of no bond yet, or an LACP partner."""
    if ready:
        site("link del lan")
        site("link add lan address %s type bond mode 802.3ad miimon 100 lacp_rate fast" % ROUTER)
    else:
        site("link add lan address %s type bridge forward_delay 0" % ROUTER)
    for name in ("p0", "p1"):
        if ready:
            site("link set %s down" % name)
        site("link set %s master lan" % name)
        site("link set %s up" % name)
    site("link set lan up")
    site("link add lan.30 link lan type vlan id 30")
    site("link set lan.30 up")
    site("addr add 10.31.0.1/24 dev lan")
    site("addr add 10.30.0.1/24 dev lan.30")
    site("addr add 2001:db8:30::1/64 dev lan.30 nodad")


def reaches(address, *via):
    return subprocess.run(["ping", "-q", "-c", "1", "-W", "2", *via, address], capture_output=True, check=False).returncode == 0


def seen_by_server(link):
    """The names that the server got with the last request of this link."""
    with open("/run/site/dnsmasq.log") as f:
        said = f.read()
    return re.findall(r"DHCPACK\(%s\) [0-9.]+ [0-9a-f:]+ ?(\S*)$" % link, said, re.M)


# --- the cases ---

def partner_that_is_not_ready():
    """a bond whose partner is not ready yet carries by one member: the gateway answers, and the VLAN above gets a lease"""
    until("the gateway answers over bond0", lambda: reaches("10.31.0.1"))
    until("a lease on bond0.30", lambda: leased("bond0.30", "10.30.0.1"))
    active = bond()["aggregator"]
    carrying = [name for name in ("p0", "p1") if member(name)["ad_aggregator_id"] == active]
    must("one member carries, not %s" % carrying, len(carrying) == 1)
    must("partner %s" % bond().get("partner_mac"), bond()["partner_mac"] == "00:00:00:00:00:00")


def partner_that_is_ready():
    """once the LACP partner is ready its MAC is seen and both members carry"""
    partner(ready=True)
    wanted = json.loads(site("-j link show dev lan"))[0]["address"]
    until("partner %s with two ports" % wanted, lambda: bond().get("partner_mac") == wanted and bond().get("num_ports") == 2)
    for name in ("p0", "p1"):
        until("%s collects and distributes" % name, lambda n=name: {"collecting", "distributing", "in_sync"} <=
              set(member(n).get("ad_actor_oper_port_state_str", [])) & set(member(n).get("ad_partner_oper_port_state_str", [])))
    until("the gateway answers over bond0", lambda: reaches("10.31.0.1"))
    must("the second plan: " + plan(), plan() == "nothing to change")


def everything_on_a_vlan_on_a_bond_in_a_vrf():
    """static + DHCP + RA + LLDP on a VLAN on a bond in a VRF: all in the VRF's table, nothing of it in the main one"""
    def seen():
        return {"lease": leased("bond0.30", "10.30.0.1"), "prefix": leased("bond0.30", "2001:db8:30:"),
                "default route": default_routes("-4", 1000), "default route by RA": default_routes("-6", 1000),
                "LLDP": [neighbours().get(name) for name in ("p0", "p1")] == [[("rack-switch", name)] for name in ("p0", "p1")]}
    until(lambda: "on bond0.30: %s, LLDP: %s" % (json.dumps(seen()), neighbours()), lambda: all(seen().values()))
    for family in ("-4", "-6"):
        must("bond0.30 has a default route in the main table", "bond0.30" not in default_routes(family))
    until("the gateway answers in the VRF", lambda: reaches("10.30.0.1", "-I", "mgmt"))


def reload_leaves_it():
    """networkctl reload, with changed files too, leaves address, route, lease, neighbour and an empty plan"""
    before = managed()
    run("networkctl", "reload")
    stands_again(before, "after a reload")
    os.utime("/run/systemd/network/10-hearth-bond0.30.network")
    run("networkctl", "reload")
    stands_again(before, "after a reload of a file that was written again")
    run("networkctl", "reconfigure", "bond0.30", "bond0", "p0", "p1")
    stands_again(before, "after networkctl reconfigure")


def restart_leaves_it():
    """a restart of systemd-networkd leaves them"""
    before = managed()
    run("systemctl", "restart", "systemd-networkd")
    stands_again(before, "after a restart of networkd")


def carrier_comes_back():
    """carrier lost on both members and back again: they are as before, without hearth-net"""
    before = managed()
    for name in ("p0", "p1"):
        site("link set %s down" % name)
    until("bond0.30 has no carrier", lambda: "LOWER_UP" not in shown("link show dev bond0.30")[0]["flags"])
    until("networkd saw it", lambda: "no-carrier" in run("networkctl", "status", "bond0.30", check=False))
    must("the static address went with the carrier", any(one["local"] == "10.30.0.5" for one in addresses("bond0.30")))
    for name in ("p0", "p1"):
        site("link set %s up" % name)
    stands_again(before, "after carrier came back")


def slaac_only():
    """IPv6 only by router advertisements: an address, a temporary one that is preferred, a default route"""
    until("two addresses by SLAAC", lambda: len(addresses("slaac", "inet6")) >= 2)
    kinds = {bool(one.get("temporary")) for one in addresses("slaac", "inet6")}
    must("one temporary address and one that stays: %s" % addresses("slaac", "inet6"), kinds == {True, False})
    until("a default route by RA", lambda: default_routes("-6").get("slaac"))
    source = json.loads(run("ip", "-6", "-j", "route", "get", "2001:db8:2::99"))[0]["prefsrc"]
    must("%s is not a temporary address" % source, source in [one["local"] for one in addresses("slaac", "inet6") if one.get("temporary")])


def dhcp6_stateful():
    """DHCPv6 gives the address, the router the default route"""
    until("an address of DHCPv6", lambda: leased("stateful", "2001:db8:3::1"))
    must("no address but that: %s" % addresses("stateful", "inet6"), len(addresses("stateful", "inet6")) == 1)
    until("a default route by RA", lambda: default_routes("-6").get("stateful"))


def deaf_to_routers():
    """accept-ra: false: no address, no route, though a router speaks"""
    def heard():
        with open("/proc/net/dev_snmp6/deaf") as f:
            return int(re.search(r"Icmp6InRouterAdvertisements\s+(\d+)", f.read()).group(1))
    until("two advertisements came in", lambda: heard() >= 2)
    with open("/proc/sys/net/ipv6/conf/deaf/accept_ra") as f:
        must("the kernel takes them itself", f.read().strip() == "0")
    must("addresses: %s" % addresses("deaf", "inet6"), [one["local"] for one in addresses("deaf", "inet6")] == ["2001:db8:6::5"])
    must("a default route", "deaf" not in default_routes("-6"))


def overrides():
    """overrides: metric, host name sent or not, MTU of the server or not, no routes, and all else of the lease"""
    until("leases", lambda: leased("near", "10.40.0.1") and leased("far", "10.50.0.1") and leased("aside", "10.70.0.1"))
    found = until("default routes of two uplinks", lambda: len(default_routes()) >= 2 and default_routes())
    must("default routes: %s" % json.dumps(found), {name: one.get("metric") for name, one in found.items() if name in
                                                  ("near", "far", "aside")} == {"near": 50, "far": 500})
    until("near has the server's MTU", lambda: shown("link show dev near")[0]["mtu"] == 1400)
    must("far has the server's MTU", shown("link show dev far")[0]["mtu"] == 1500)
    must("names: %s" % seen_by_server("near"), set(seen_by_server("near")) == {"door"})
    must("names: %s" % seen_by_server("far"), set(seen_by_server("far")) == {""})
    must("names: %s" % seen_by_server("aside"), set(seen_by_server("aside")) == {os.uname().nodename})
    must("the plan: " + plan(), plan() == "nothing to change")


def uplink_by_metric():
    """of two uplinks the one with the lower metric carries; without its carrier the other, and it comes back"""
    def way():
        return json.loads(run("ip", "-j", "route", "get", "198.51.100.7"))[0]["dev"]
    must("the way out is by %s" % way(), way() == "near")
    site("link set near down")
    until("the way out is by far", lambda: way() == "far")
    site("link set near up")
    until("the way out is by near again", lambda: way() == "near")


def resolv_conf():
    """resolv.conf: the declared server, then those of leases and routers, none of a link that does not want them"""
    run(NET, "apply")  # once more: hearthd looks by itself when leases come
    with open("/run/hearth/resolv.conf") as f:
        text = f.read()
    servers = re.findall(r"^nameserver (\S+)$", text, re.M)
    must("the declared one is not the first: %s" % text, servers and servers[0] == "192.0.2.53")
    learned = {"2001:db8:2::53", "2001:db8:3::53", "10.40.0.53", "10.70.0.53", "10.30.0.53"}  # of far none is wanted
    must("servers: %s" % servers, len(servers) == 3 and set(servers[1:]) <= learned)  # more than three glibc does not take
    must("domains: %s" % text, re.search(r"^search declared\.example$", text, re.M))


def lease_gives_way():
    """a link that is tried with a static address has its lease no more; undone, it has it again"""
    with open("/run/site/tried.yaml", "w") as f:
        f.write(DOCUMENT.replace("    far: {dhcp4: true, ", "    far: {addresses: [10.50.0.7/24], "))
    with open("/run/site/try.out", "w") as out:
        trial = subprocess.Popen([NET, "try", "--timeout", "600", "--file", "/run/site/tried.yaml"], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out)
    try:
        until("far has its static address only", lambda: [one["local"] for one in addresses("far")] == ["10.50.0.7"])
        must("a route of the lease stays: %s" % routes(), not [one for one in routes() if one["dev"] == "far" and one["protocol"] == "dhcp"])
        run(NET, "revert")
        must("the trial ended with %d" % trial.wait(WAIT_SEC), trial.returncode == 3)
    finally:
        trial.kill()
    until("far has its lease again", lambda: leased("far", "10.50.0.1") and default_routes().get("far"))
    until("the plan is empty", lambda: plan() == "nothing to change")


def start_hearthd():
    """With the same document, from a seed: a node without a region."""
    root = "/run/node"
    for folder in ("/run/hearth/seed.d", "/state/hearth"):
        os.makedirs(root + folder, exist_ok=True)
    with open(root + "/run/hearth/state.json", "w") as f:
        json.dump({"state": "disk", "durable": True, "sentence": ""}, f)
    with open(root + "/run/hearth/seed.d/40-iso.yaml", "w") as f:
        f.write("version: 1\nassignment:\n  node: {name: n}\n  role: worker\n")
        f.writelines("  %s\n" % line for line in DOCUMENT.splitlines())
    with open("/run/site/hearthd.out", "w") as out:
        return subprocess.Popen(["/job/hearthd", "--root", root], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                env=dict(os.environ, LD_LIBRARY_PATH="/job/lib"))


def hot_plug():
    """with hearthd resident, a card that is pulled and plugged in again, as the second one now, is back by name, address and lease"""
    def there():
        return os.path.exists("/sys/class/net/lan0")

    def whole():
        return there() and any(one["local"] == "10.80.0.5" for one in addresses("lan0")) and leased("lan0", "10.0.2.")
    until("lan0 has both of its addresses", whole)
    before = shown("link show dev lan0")[0]["ifindex"]
    hearthd = start_hearthd()
    try:
        until("hearthd has taken the network", lambda: "it came with the seed" in told())
        print("host: unplug", flush=True)
        until("lan0 is gone", lambda: not there())
        until(lambda: "a link that is not there is waited for, not failed: " + plan(), lambda: plan() == "nothing to change")
        # whoever applies it meanwhile takes nothing from the card; hearthd may have the lock for a moment
        until("an apply without the card", lambda: "changes made" in run(NET, "apply", check=False))
        print("host: plug-other", flush=True)
        until("the other has its name and address", lambda: os.path.exists("/sys/class/net/lan1") and addresses("lan1"))
        print("host: plug", flush=True)
        until("another card is lan0", lambda: there() and shown("link show dev lan0")[0]["ifindex"] != before)
        until("its address and its lease", whole)
        must("the other has another name now", os.path.exists("/sys/class/net/lan1"))
        must("the second plan: " + plan(), plan() == "nothing to change")
    finally:
        hearthd.terminate()
        hearthd.wait()


def told():
    with open("/run/site/hearthd.out") as f:
        return f.read()


def no_warning():
    """neither networkd nor udev has a word against our files"""
    said = run("journalctl", "-b", "-o", "cat", "-u", "systemd-networkd", "-p", "warning").splitlines()
    for unit in ("systemd-networkd", "systemd-udevd"):
        said += [line for line in run("journalctl", "-b", "-o", "cat", "-u", unit).splitlines()
                 if "10-hearth" in line and "onfiguring with" not in line]
    bad = sorted({line for line in said if not line.startswith("-- ")})
    must("\n".join(bad), not bad)


CASES = (partner_that_is_not_ready, partner_that_is_ready, everything_on_a_vlan_on_a_bond_in_a_vrf, slaac_only, dhcp6_stateful,
         deaf_to_routers, overrides, resolv_conf, reload_leaves_it, restart_leaves_it, carrier_comes_back, uplink_by_metric,
         lease_gives_way, hot_plug, no_warning)


def main():
    names = sys.argv[1:]
    failures = 0
    if not names:
        start_site()
        os.makedirs("/etc/netplan", exist_ok=True)
        with open("/etc/netplan/real.yaml", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            f.write(DOCUMENT)
        print(run(NET, "apply"), flush=True)
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        since = time.monotonic()
        try:
            case()
            problem = ""
        except (AssertionError, RuntimeError, KeyError, IndexError, ValueError) as error:
            problem = "%s: %s" % (type(error).__name__, error)
        failures += bool(problem)
        print("%s (%.1f s): %s" % ("FAILED: " + problem if problem else "ok", time.monotonic() - since, case.__doc__), flush=True)
    print("real: %d failed" % failures, flush=True)
    return 1 if failures else 0


sys.exit(main())
