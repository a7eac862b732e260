#!/usr/bin/env python3
# One machine on its way from a blank disk to Ready, with everything that may die on that way dying: the region away at its boot,
# power cut while STATE is made, between enrolment and STATE and while K3s starts, hearthd killed by -9 at every rung it waits on,
# the region killed by -9 at several. It ends Ready, by the same token, and its identity does not change once it is durable.
# Then the double of K3s is asked, from inside that server, what it must share with K3s.
# SPDX-License-Identifier: Apache-2.0
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402

# In the guest: kill hearthd once at each rung it is seen on, by its cgroup, with nothing but the shell's own words (an emulated
# machine is slow at starting programs). What was killed, and when, stands in /run/killed.
KILLER = """
left=' %s '
while [ "$left" != ' ' ]; do
	sleep 0.05
	read -r text 2>/dev/null </run/hearth/status.json || [ -n "$text" ] || continue
	phase=${text#*'"phase":"'}
	phase=${phase%%%%'"'*}
	case $left in *" $phase "*) ;; *) continue ;; esac
	read -r pid 2>/dev/null </sys/fs/cgroup/system.slice/hearthd.service/cgroup.procs || continue
	kill -9 "$pid" && echo "$phase" >>/run/killed
	left=${left%%%%" $phase "*}' '${left#*" $phase "}
done
"""
RUNGS = ["seed", "link", "region", "clock", "enrolled", "assignment", "network", "mesh", "k3s", "cluster-network", "node-ready",
         "bootstrap", "steady"]
MUST_DIE = {"k3s", "node-ready", "bootstrap", "steady"}  # the machine waits on these for seconds; the others may pass unseen
rng = random.Random(1)  # of the moments; a soak tries many
REGION_DIES_AT = ("enrolled", "k3s", "node-ready", "bootstrap")


class Way:
    """The machine, and what has been killed on its way."""

    def __init__(self, c, site, machine):
        self.c, self.site, self.machine, self.region = c, site, machine, site.region
        self.killed, self.killer_boot, self.identity, self.region_died = set(), None, None, []

    def send_killer(self):
        """Set the killer on this boot of the machine."""
        self.machine.wait_answers()
        left = " ".join(r for r in RUNGS if r not in self.killed)
        self.machine.exec("setsid", "-f", "sh", "-c", "exec </dev/null >/dev/null 2>&1;" + KILLER % left)

    def take_killed(self):
        code, out, _ = self.machine.exec("cat", "/run/killed", timeout=20, check=False)
        if code == 0:
            self.killed |= set(out.split())

    def cut(self, why):
        self.c.say("power cut: " + why)
        self.machine.power("cut")
        if self.region.process:
            self.check_identity()
        self.machine.power("on")

    def check_identity(self):
        """The durable identity the region knows: once there is one it stays."""
        now = self.region.identity(self.machine.serial)
        if self.identity and now != self.identity:
            raise parts.Problem("the machine had the identity %s and has %s now" % (self.identity, now))
        self.identity = now

    def kill_region(self, phase):
        self.c.say("the region is killed by -9 while the machine is at " + phase)
        self.region_died.append(phase)
        self.region.stop(signal.SIGKILL)
        time.sleep(1)
        self.region.start()

    def walk(self, until, timeout_sec):
        """Until that phase; the region dies on the way where it shall."""
        def look():
            phase = self.machine.last()["phase"]
            if phase in REGION_DIES_AT and phase not in self.region_died:
                self.kill_region(phase)
            return phase == until
        labs.wait_for("the machine to be at " + until, timeout_sec, look, 0.2)


def first_boot(c, way):
    """The region comes later; cuts while STATE is made and between enrolment and STATE."""
    machine, region = way.machine, way.region
    machine.start()
    labs.wait_for("the system to start", 240, lambda: "starting the system" in machine.console(), 0.05)
    time.sleep(rng.uniform(0.5, 3))
    way.cut("while the disk becomes STATE")
    c.claim("the region is away: said so on the console", lambda: machine.wait_said("does not answer", 240), machine.last)
    way.send_killer()
    c.claim("hearthd dies at region", lambda: labs.wait_for("the kill", 60, lambda: way.take_killed() or "region" in way.killed))
    region.start()
    labs.wait_for("the region to hear of the machine", 240, lambda: region.entry(machine.serial), 0.02)
    way.cut("between enrolment and STATE")


def test(c, bin_folder, cache, folder):
    payload_folder, kubernetes = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        site.publish()
        kubectl = labs.Kubectl(site, payload_folder, parts.free_port())
        with open(site.region.seed_path()) as f:
            seed = f.read()
        machine = site.guest("server", 11, seed, disk="4G", memory=3072, cpus=2, forward="%d:6443" % kubectl.port)
        way = Way(c, site, machine)
        first_boot(c, way)
        way.send_killer()
        way.walk("k3s", 240)
        way.take_killed()
        c.claim("the token enrolled the machine: it never needed a code", not any(line["code"] for line in machine.lines()), machine.lines)
        labs.wait_for("K3s to start", 240, lambda: machine.wait_said("K3s is starting", 240))
        time.sleep(rng.uniform(1, 15))
        way.take_killed()
        way.cut("while K3s starts for the first time")
        way.send_killer()
        c.claim("the machine is steady in the end", lambda: way.walk("steady", lines.BOOT_TIMEOUT_SEC) or True, machine.last)
        labs.wait_for("hearthd to be killed at steady, too", 60, lambda: way.take_killed() or "steady" in way.killed)
        c.claim("and again after the last kill", lambda: labs.wait_for("steady", 120, lambda: machine.status()["phase"] == "steady"))
        way.check_identity()
        nodes = kubectl.json("get", "nodes")["items"]
        c.claim("its node is Ready", len(nodes) == 1 and labs.node_ready(nodes[0]), [n["status"] for n in nodes])
        c.claim("the region knows one machine, approved by its token", [n["state"] for n in site.region.list()["nodes"]] == ["approved"] and
                not site.region.list()["enrolments"], site.region.list)
        c.claim("its identity is durable", way.identity is not None)
        c.say("hearthd was killed at: %s; the region at: %s" % (
            " ".join(r for r in RUNGS if r in way.killed), " ".join(way.region_died)))
        c.claim("hearthd was killed at every rung that takes its time", MUST_DIE <= way.killed, way.killed)
        if "double" in kubernetes:
            ask_double(c, machine)


def ask_double(c, machine):
    with open(parts.TOP + "/tests/e2e/double-checks") as f:
        code, out, err = machine.exec("sh", "-c", f.read(), timeout=400, check=False)
    for verdict, sentence in re.findall(r"^(ok|FAIL) +(.*)$", out, re.M):
        c.claim("the double: " + sentence, verdict == "ok", out if verdict != "ok" else "")
    c.claim("the double was asked to the end", code == 0, (code, out[-500:], err[-500:]))


checks.main("kill", test)
