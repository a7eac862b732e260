# The WireGuard keys of two machines become others while they talk through the mesh. Shared by test-line and whoever has two
# machines up.
# SPDX-License-Identifier: Apache-2.0
import json
import time

import lab as labs
from parts import Problem

PORT = 9009
# Says a number, waits for its echo, notes when that came: what is lost in either direction is a gap, a connection that breaks
# or mixes something up is the end. One process a round, as starting them is what an emulated machine is slowest at.
TALK = r"""n=0
while [ ! -e /run/mesh-talk.stop ]; do
	n=$((n+1)); echo $n; read -r back || { echo "closed after $n" >/run/mesh-talk.broken; exit 1; }
	[ "$back" = $n ] || { echo "$back came back for $n" >/run/mesh-talk.broken; exit 1; }
	read -r up rest </proc/uptime; echo $up >>/run/mesh-talk; sleep 0.05
done"""
DONE_TIMEOUT_SEC = 180  # about ten seconds for two nodes


class Talk:
    """A TCP connection through the mesh from one machine to another, in use until it is ended."""

    def __init__(self, machine, peer, peer_address):
        self.machine = machine
        peer.sh("systemd-run --quiet --collect --unit=mesh-echo socat TCP-LISTEN:%d,bind=%s,reuseaddr PIPE" % (PORT, peer_address))
        machine.exec("sh", "-c", 'rm -f /run/mesh-talk*; printf "%s\n" "$0" >/run/mesh-talk.sh', TALK)
        machine.sh("systemd-run --quiet --collect --unit=mesh-talk socat TCP:%s:%d,retry=20,interval=0.5 "
                   "'EXEC:sh /run/mesh-talk.sh'" % (peer_address, PORT))

    def times(self):
        return [float(text) for text in self.machine.sh("cat /run/mesh-talk 2>/dev/null; true").split()]

    def says(self, n):
        """It has said at least so many."""
        return len(self.times()) >= n

    def end(self):
        """(why it broke or "", how many rounds, the longest time between two)"""
        self.machine.sh("touch /run/mesh-talk.stop; sleep 1")
        broken = self.machine.sh("cat /run/mesh-talk.broken 2>/dev/null; true").strip()
        times = self.times()
        return broken, len(times), max([after - before for before, after in zip(times, times[1:])] or [0])


def key_of(machine):
    return machine.exec("wg", "show", "hearth0", "public-key").strip()


def status(region):
    return {row["node"]: row for row in json.loads(region.admin("mesh-key", "status", "--json"))}


def peers_are(machine, key):
    """Of all its peers this one is another machine's, and no other key of that is left."""
    return machine.exec("wg", "show", "hearth0", "peers").split() == [key]


def check(c, region, machines, names, addresses):
    """machines: two, with nobody else in the mesh; names and addresses in the mesh: by the machine's name."""
    before = {m.name: key_of(m) for m in machines}
    begun = time.monotonic()
    one, two = machines
    talks = [Talk(one, two, addresses[two.name]), Talk(two, one, addresses[one.name])]
    for talk in talks:
        labs.wait_for("%s to talk through the mesh" % talk.machine.name, 60, lambda talk=talk: talk.says(5))
    region.admin("mesh-key", "rotate", "all")

    def all_done():
        found = status(region)
        return all(found[names[m.name]]["state"] == "done" for m in machines) and found
    found = labs.wait_for("both keys to be others", DONE_TIMEOUT_SEC, all_done, 1)
    for machine, other in ((one, two), (two, one)):
        key = key_of(machine)
        c.claim("%s uses another WireGuard key, and status names it" % machine.name,
                key != before[machine.name] and found[names[machine.name]]["publicKey"] == key and
                not found[names[machine.name]]["nextPublicKey"], found)
        c.claim("its peer has that one alone", lambda: labs.wait_for("the old key to go", 60, lambda: peers_are(other, key)),
                lambda other=other: other.exec("wg", "show", "hearth0"))
        audit = [line for line in region.admin("audit").splitlines() if "mesh-key" in line and names[machine.name] in line]
        c.claim("the timeline has each step of it", len(audit) >= 3 and all(
            any(what in line and text in line for line in audit) for what, text in (
                ("mesh-key rotate", before[machine.name]), ("mesh-key switch", "0 of its peers"), ("mesh-key done", key))), audit)
    check_stop(c, region, one, names[one.name])
    for talk in talks:
        n = len(talk.times())
        c.claim("%s still talks" % talk.machine.name, lambda: labs.wait_for("it to go on", 60, lambda: talk.says(n + 5)))
        broken, rounds, gap = talk.end()
        c.claim("its TCP connection through the mesh lived through it: %d rounds, the longest took %.2f s" % (rounds, gap), not broken,
                broken)
    c.say("two keys rotated and one stopped in %.0f s" % (time.monotonic() - begun))


def check_stop(c, region, machine, name):
    key = key_of(machine)
    region.admin("mesh-key", "rotate", name)
    region.admin("mesh-key", "stop", name)
    c.claim("a rotation that is stopped is given up", lambda: labs.wait_for(
        "it to be given up", 60, lambda: status(region)[name]["state"] == "given up"), lambda: status(region))

    def kept():
        left = machine.sh("ls /state/hearth/identity").split()
        return key_of(machine) == key and "wg-next.key" not in left and "wg-old.key" not in left
    c.claim("%s keeps its key and has no other one" % machine.name, lambda: labs.wait_for("no next key", 60, kept))
    try:
        region.admin("mesh-key", "stop", name)
        c.claim("there is nothing more to stop", False)
    except Problem as e:
        c.claim("there is nothing more to stop", "rotates no key" in str(e), e)
