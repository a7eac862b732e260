#!/usr/bin/env python3
# What only a real K3s can tell, with the official binary of ./hearth test --k3s FILE; without one it skips.
# test-k3s.py snapshot: a lone server makes a snapshot when it is told to, and the region knows where it lies.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402

K3S = os.environ.get("HEARTH_K3S")
READY_SEC = 1200
SNAPSHOTS = "/var/lib/rancher/k3s/server/db/snapshots"


def snapshots(region):
    return json.loads(region.admin("snapshot", "list", "--json"))["snapshots"]


def make_snapshot(c, line, machine):
    """Has one made on a machine, waits until the region lists it: its name."""
    region, node = line.site.region, machine.status()["name"]
    before = {one["name"] for one in snapshots(region)}
    job = json.loads(region.admin("snapshot", node, "--json"))["job"]
    made = line.watch("the snapshot to be listed", 300, lambda: next(
        (one for one in snapshots(region) if one["name"] not in before), None))
    c.claim("the snapshot is named after its job, and lies on the server that was named", made["node"] == node and
            made["name"].startswith("hearth-" + job.removeprefix("j-") + "-"), made)
    size = machine.exec("stat", "-c", "%s", SNAPSHOTS + "/" + made["name"]).strip()
    c.claim("its size is what the region says", size == str(made["bytes"]) and made["bytes"] > 1 << 20, (size, made))
    c.claim("the audit log has what was made", made["name"] in region.admin("audit"), region.admin("audit"))
    c.claim("the job is over", not region.list()["jobs"], region.list()["jobs"])
    return made["name"]


def bring_up(line):
    machine = line.start_alone()
    line.watch("the server to hand its cluster over", READY_SEC, lambda: line.kubectl.load() or True)
    line.watch("the server to be Ready", READY_SEC, lambda: [labs.node_ready(n) for n in line.nodes()] == [True])
    return machine


def test_snapshot(c, bin_folder, cache, folder):
    line = lines.Line(bin_folder, cache, folder, c.say, K3S)
    try:
        make_snapshot(c, line, bring_up(line))
    finally:
        line.tear_down()


TESTS = {"snapshot": test_snapshot}


def main():
    what = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if what not in TESTS:
        sys.exit("test-k3s.py: name one of: " + " ".join(sorted(TESTS)))
    if not K3S:
        print("this needs a real K3s: ./hearth test --k3s FILE")
        sys.exit(77)
    checks.main("k3s-" + what, TESTS[what])


main()
