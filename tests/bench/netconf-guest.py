# The inside of the bench of netconf: both sides of each row, one after the other in one guest. Its numbers are one line of
# JSON, microseconds and KiB, for the bench outside.
# SPDX-License-Identifier: Apache-2.0
import base64
import glob
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

ADDRESSES, ROUTES, PEERS, MANY_PEERS = 1000, 5000, 1000, 5000
PAIRS, PAIRS_OF_NETWORKD, ROUNDS = 5, 2, 21
HERE = os.path.dirname(os.path.abspath(__file__))
COUNTED = os.path.exists(HERE + "/counted")  # the clock counts instructions, so that a disk's time would be taken for some
NET, BENCH, STATE = HERE + "/hearth-net", HERE + "/bench-netconf", ("/dev/shm" if COUNTED else HERE) + "/state"
SHOWN = ["plan", "--file", HERE + "/n.yaml", "--without-networkd", "--state", STATE]


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (" ".join(command)[:300], done.returncode, (done.stdout + done.stderr)[-2000:]))
    return done.stdout


def say(text):
    print("bench: " + text, flush=True)


def key(number):
    return base64.b64encode(hashlib.sha256(b"peer %d" % number).digest()).decode()


def peer(number):
    """Its public key, endpoint, allowed address."""
    return key(number), "10.98.%d.%d:51820" % (number >> 8, number & 255), "10.90.%d.%d/32" % (number >> 8, number & 255)


def addresses():
    return ["10.1.%d.%d/16" % (i >> 8, i & 255) for i in range(1, ADDRESSES + 1)]


def routes():
    return ["10.%d.%d.0/24" % (100 + (i >> 8), i & 255) for i in range(ROUTES)]


def write(name, text):
    with open(HERE + "/" + name, "w") as f:
        f.write(text)


def write_files():
    """The same network thrice: for netplan and hearth-net, for ip -batch and wg setconf; and 5,000 peers."""
    write("wg.key", key(-1) + "\n")
    private = key(-1)
    yaml = ["network:", "  version: 2", "  renderer: networkd", "  dummy-devices:", "    lan0:", "      addresses:"]
    yaml += ["      - " + a for a in addresses()] + ["      routes:"]
    yaml += ["      - {to: %s, via: 10.1.255.254}" % r for r in routes()]
    yaml += ["  tunnels:", "    wg0:", "      mode: wireguard", "      key: %s/wg.key" % HERE, "      port: 51820", "      peers:"]
    conf = ["[Interface]", "PrivateKey = " + private, "ListenPort = 51820"]
    for public, endpoint, allowed in map(peer, range(PEERS)):
        yaml += ["      - keys: {public: %s}" % public, "        endpoint: %s" % endpoint, "        allowed-ips: [%s]" % allowed]
        conf += ["[Peer]", "PublicKey = " + public, "Endpoint = " + endpoint, "AllowedIPs = " + allowed]
    batch = ["link add lan0 type dummy", "link add wg0 type wireguard", "link set lan0 up"]
    batch += ["address add %s dev lan0" % a for a in addresses()]
    batch += ["route add %s via 10.1.255.254 dev lan0" % r for r in routes()] + ["link set wg0 up"]
    write("n.yaml", "\n".join(yaml) + "\n")
    write("wg.conf", "\n".join(conf) + "\n")
    write("batch", "\n".join(batch) + "\n")
    write("peers", "".join("%s %s %s\n" % peer(i) for i in range(MANY_PEERS)))


def sync_conf(port):
    conf = ["[Interface]", "PrivateKey = " + key(-1), "ListenPort = 51820"]
    for number in range(MANY_PEERS):
        public, endpoint, allowed = peer(number)
        endpoint = "10.99.0.1:%d" % port if number == 0 else endpoint
        conf += ["[Peer]", "PublicKey = " + public, "Endpoint = " + endpoint, "AllowedIPs = " + allowed]
    write("many.conf", "\n".join(conf) + "\n")


def everything_is_there(run_there):
    shown = (("ip", "-4", "-o", "address", "show", "lan0"), ("ip", "route", "show", "via", "10.1.255.254"),
             ("wg", "show", "wg0", "peers"))
    have = tuple(len(run_there(*command).splitlines()) for command in shown)
    if have != (ADDRESSES, ROUTES, PEERS):
        raise RuntimeError("wrong numbers of addresses, routes and peers: %s" % (have,))


class Namespace:
    """A network of its own, empty at first."""

    def __enter__(self):
        run("ip", "netns", "add", "bench")
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        run("ip", "netns", "del", "bench")
        shutil.rmtree(STATE, ignore_errors=True)

    def run(self, *command):
        return run("ip", "netns", "exec", "bench", *command)

    def measured(self, *command):
        """(microseconds, KiB at its peak)"""
        usec, kib = self.run(BENCH, "run", *command).splitlines()[-1].split()
        return int(usec), int(kib)


def apply(namespace):
    return namespace.measured(NET, "apply", "--file", HERE + "/n.yaml", "--without-networkd", "--state", STATE)[0]


ROUTE, CONTROL, DUMP = 0, 16, 0x300  # NETLINK_ROUTE, GENL_ID_CTRL, NLM_F_DUMP: numbers, as strace shows them with -X raw
SOCKET = re.compile(r"^(\d+) +socket\(0x10, [^,]+, (\w+)")  # AF_NETLINK
OPENED = re.compile(r"^(\d+) +(?:socket\(|<\.\.\. socket resumed).*= (\d+)$")
SENT = re.compile(r"^(\d+) +send(?:to|msg|mmsg)\((\w+), (.*)$")
MESSAGE = re.compile(r"nlmsg_type=(\w+), nlmsg_flags=(\w+)")


def writes(log):
    """How many messages to the kernel in a log of strace were no questions: they made, changed or removed something."""
    asked, protocols, n = {}, {}, 0
    for line in log:
        socket, opened, sent = SOCKET.match(line), OPENED.match(line), SENT.match(line)
        if socket:
            asked[socket.group(1)] = int(socket.group(2), 0)
        if opened and opened.group(1) in asked:
            protocols[opened.group(1), int(opened.group(2))] = asked.pop(opened.group(1))
        for kind, flags in MESSAGE.findall(sent.group(3)) if sent else ():
            kind, flags = int(kind, 0), int(flags, 0)
            if protocols[sent.group(1), int(sent.group(2), 0)] == ROUTE:
                n += kind % 4 != 2  # RTM_NEWx, RTM_DELx, RTM_GETx, RTM_SETx
            else:
                n += kind != CONTROL and flags & DUMP != DUMP
    return n


def count_writes(namespace):
    log = HERE + "/strace"
    namespace.run("strace", "-f", "-X", "raw", "-s", "0", "-e", "abbrev=none", "-e",
                  "trace=socket,sendto,sendmsg,sendmmsg", "-o", log, NET, "apply", "--file", HERE + "/n.yaml", "--without-networkd", "--state", STATE)
    with open(log) as f:
        return writes(f)


def from_nothing(numbers):
    first, again, floor, peak = [], [], [], 0
    for pair in range(PAIRS):
        with Namespace() as namespace:
            peak = max(peak, namespace.measured(NET, *SHOWN)[1])
            first.append(apply(namespace))
            everything_is_there(namespace.run)
            again.append(apply(namespace))
            peak = max(peak, namespace.measured(NET, *SHOWN)[1])
        with Namespace() as namespace:
            floor.append(namespace.measured("sh", "-c", "ip -batch %s/batch && wg setconf wg0 %s/wg.conf" % (HERE, HERE))[0])
            everything_is_there(namespace.run)
        say("pair %d: hearth-net %d ms, again %d ms; ip and wg %d ms" % (
            pair + 1, first[-1] / 1e3, again[-1] / 1e3, floor[-1] / 1e3))
    with Namespace() as namespace:
        numbers["first_writes"] = count_writes(namespace)
        numbers["again_writes"] = count_writes(namespace)
        if numbers["first_writes"] < ADDRESSES + ROUTES:
            raise RuntimeError("strace shows only %d messages of the first apply" % numbers["first_writes"])
    numbers.update(first=statistics.median(first), again=statistics.median(again), floor=statistics.median(floor), peak_kib=peak)


def configured():
    states = {}
    for name in ("lan0", "wg0"):
        try:
            with open("/sys/class/net/%s/ifindex" % name) as f, open("/run/systemd/netif/links/" + f.read().strip()) as g:
                states[name] = "ADMIN_STATE=configured" in g.read().splitlines()
        except FileNotFoundError:
            states[name] = False
    return all(states.values())


def clean_root():
    for pattern in ("/etc/netplan/*", "/run/systemd/network/*", "/run/systemd/networkd.conf.d/*"):
        for file in glob.glob(pattern):
            os.remove(file)
    shutil.rmtree(STATE, ignore_errors=True)
    for name in ("lan0", "wg0"):
        run("ip", "link", "del", name, check=False)
    run("systemctl", "restart", "systemd-networkd.service")
    time.sleep(5)  # both sides begin with a networkd at rest


def of_networkd(numbers):
    ours, theirs = [], []
    os.chmod(HERE + "/wg.key", 0o644)  # networkd reads it as a user of its own
    for pair in range(PAIRS_OF_NETWORKD):
        clean_root()
        start = time.monotonic()
        run(NET, "apply", "--file", HERE + "/n.yaml", "--state", STATE)
        ours.append((time.monotonic() - start) * 1e6)
        everything_is_there(run)
        clean_root()
        run("cp", HERE + "/n.yaml", "/etc/netplan/n.yaml")
        os.chmod("/etc/netplan/n.yaml", 0o600)
        start = time.monotonic()
        run("netplan", "generate")
        run("networkctl", "reload")
        while not configured():
            if time.monotonic() - start > 1500:
                raise RuntimeError("networkd did not finish: " + run("networkctl", "status", "lan0", "wg0", check=False)[-3000:])
            time.sleep(0.05)
        theirs.append((time.monotonic() - start) * 1e6)
        everything_is_there(run)
        say("pair %d: hearth-net %d ms, netplan and networkd %d ms" % (pair + 1, ours[-1] / 1e3, theirs[-1] / 1e3))
    clean_root()
    numbers.update(with_networkd=statistics.median(ours), networkd=statistics.median(theirs))


def one_of_many(numbers):
    with Namespace() as namespace:
        namespace.run("ip", "link", "add", "wg0", "type", "wireguard")
        namespace.run("wg", "set", "wg0", "listen-port", "51820", "private-key", HERE + "/wg.key")
        namespace.run("ip", "link", "set", "wg0", "up")
        numbers["delta"] = int(namespace.run(BENCH, "delta", "wg0", HERE + "/peers", str(ROUNDS)))
        expect = "%s\t10.99.0.1:%d" % (peer(0)[0], 2000 + ROUNDS - 1)
        shown = namespace.run("wg", "show", "wg0", "endpoints").splitlines()
        if len(shown) != MANY_PEERS or expect not in shown:
            raise RuntimeError("the delta did not do what it should")
        theirs = []
        for i in range(PAIRS):
            sync_conf(3000 + i)
            theirs.append(namespace.measured("wg", "syncconf", "wg0", HERE + "/many.conf")[0])
            if "%s\t10.99.0.1:%d" % (peer(0)[0], 3000 + i) not in namespace.run("wg", "show", "wg0", "endpoints"):
                raise RuntimeError("wg syncconf did not do what it should")
        numbers["syncconf"] = statistics.median(theirs)
        say("one endpoint of %d: %d us by a delta, %d us by wg syncconf" % (MANY_PEERS, numbers["delta"], numbers["syncconf"]))


def main():
    numbers = {}
    write_files()
    for part in (from_nothing,) if COUNTED else (from_nothing, of_networkd, one_of_many):  # the last: the kernel takes a minute to forget 5,000 peers
        part(numbers)
    print("numbers: " + json.dumps(numbers), flush=True)


try:
    main()
except RuntimeError as e:
    sys.exit("bench: FAILED: %s" % e)
