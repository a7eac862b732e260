#!/usr/bin/env python3
# What only a real K3s can tell, with the official binary of ./hearth test --k3s FILE; without one it skips.
# test-k3s.py snapshot: a lone server makes a snapshot when it is told to, the region knows where it lies, and the cluster goes
# back to it. test-k3s.py restore: three servers and a worker go back to a snapshot of a server that is not the first.
# test-k3s.py tokens: both of K3s' tokens become others on a server and a worker; the old ones are good for nothing any more.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import cluster as clusters  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
from parts import Problem  # noqa: E402

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


def mark(line, name):
    line.kubectl("create", "configmap", name, "-n", "default")


def marks(line):
    return {one["metadata"]["name"] for one in line.kubectl.json("get", "configmaps", "-n", "default")["items"]}


def restore(c, line, machine, name):
    """Takes the cluster back: the region says so when it is done. Without --force nothing happens."""
    region, node = line.site.region, machine.status()["name"]
    refused = ""
    try:
        region.admin("cluster", "restore", node, name)
    except Problem as e:
        refused = str(e)
    c.claim("without --force it is refused, with what is lost", "--force does it" in refused and "is lost" in refused, refused)
    c.claim("... and nothing is under way", region.list()["restore"] is None, region.list()["restore"])
    region.admin("cluster", "restore", node, name, "--force")

    def done():
        told = region.list()["restore"]
        if told["state"] == "failed":
            raise RuntimeError("the restore failed: " + told["sentence"])
        return told["state"] == "done"
    line.watch("the region to say that it is restored", 1800, done)
    line.watch("the restored server to be Ready", READY_SEC, lambda: any(
        n["metadata"]["name"] == node and labs.node_ready(n) for n in line.nodes()) and region_ready(region, node))


def region_ready(region, node):
    return next(n["ready"] for n in region.list()["nodes"] if n["name"] == node)


def check_marks(c, line):
    found = marks(line)
    c.claim("what was there before the snapshot is there again", "before" in found, found)
    c.claim("what came after it is gone", "after" not in found, found)


def test_snapshot(c, bin_folder, cache, folder):
    line = lines.Line(bin_folder, cache, folder, c.say, K3S)
    try:
        machine = bring_up(line)
        mark(line, "before")
        name = make_snapshot(c, line, machine)
        mark(line, "after")
        restore(c, line, machine, name)
        check_marks(c, line)
        machine.power("cut")
        machine.power("on")
        line.watch("the server to be Ready after a power cut", READY_SEC, lambda: machine.status()["ready"])
        check_marks(c, line)  # it was not restored once more
        mark(line, "later")
    finally:
        line.tear_down()


def test_restore(c, bin_folder, cache, folder):
    cluster = clusters.Cluster(bin_folder, cache, folder, c.say, K3S)
    try:
        cluster.start()
        cluster.watch("the region to choose the first server", READY_SEC, cluster.choose_first)
        cluster.watch("the first server to hand its cluster over", READY_SEC, lambda: cluster.use(cluster.first) or True)
        cluster.watch("all servers to vote and everybody to be Ready", clusters.BOOT_TIMEOUT_SEC, cluster.all_ready, 10)
        for machine in cluster.machines:
            cluster.names[machine.name] = machine.status()["name"]
        other = cluster.others()[0]
        mark(cluster, "before")
        name = make_snapshot(c, cluster, other)
        mark(cluster, "after")
        cluster.use(other)
        restore(c, cluster, other, name)
        check_marks(c, cluster)
        cluster.first = other
        cluster.watch("all servers to vote again, one after the other", clusters.BOOT_TIMEOUT_SEC, cluster.all_ready, 10)
        members = cluster.members(other)
        c.claim("etcd has three voters", cluster.are_voters(members, 3), members)
        for machine in cluster.servers:
            left = machine.sh("ls -d /var/lib/rancher/k3s/server/db-before-restore-* 2>/dev/null || true").strip()
            c.claim("%s keeps nothing of the old cluster once it votes" % machine.name, not left, left)
        check_marks(c, cluster)
    finally:
        cluster.tear_down()


def token_of(machine, name):
    return machine.exec("cat", "/var/lib/rancher/k3s/server/" + name).strip()


def asks(machine, user, token):
    """What K3s' own endpoint for joining answers who shows this token."""
    secret = token.rsplit(":", 1)[-1]
    _, out, _ = machine.exec("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-u", "%s:%s" % (user, secret),
                             "https://127.0.0.1:6443/v1-k3s/readyz", timeout=40, check=False)
    return out


def rotate(c, line, name):
    region = line.site.region
    said = region.admin("secret", "rotate", name)
    c.say(said.strip())

    def done():
        told = region.list()
        failed = [job["sentence"] for job in told["jobs"] if job["state"] == "failed"]
        if failed or told["rollout"] and told["rollout"]["state"] == "failed":
            raise RuntimeError("%s: %s" % (name, failed or told["rollout"]["sentence"]))
        return not told["jobs"] and told["rollout"] and told["rollout"]["state"] == "done"
    line.watch(name + " to be rotated", 2400, done)


def test_tokens(c, bin_folder, cache, folder):
    cluster = clusters.Cluster(bin_folder, cache, folder, c.say, K3S, servers=1, workers=1)
    try:
        cluster.start()
        cluster.watch("the region to choose the first server", READY_SEC, cluster.choose_first)
        cluster.watch("the first server to hand its cluster over", READY_SEC, lambda: cluster.use(cluster.first) or True)
        cluster.watch("both to be Ready", READY_SEC, lambda: [labs.node_ready(n) for n in cluster.nodes()] == [True, True])
        server = cluster.first
        cluster.watch("the region to know that", 120, lambda: region_ready(cluster.site.region, server.status()["name"]))
        before = {"server": token_of(server, "token"), "node": token_of(server, "agent-token")}
        c.claim("the tokens of before are good", all(asks(server, user, before[user]) in ("200", "503") for user in before), before.keys())
        for name, user, file in (("k3s-server-token", "server", "token"), ("k3s-agent-token", "node", "agent-token")):
            rotate(c, cluster, name)
            now = token_of(server, file)
            c.claim("%s: K3s has another one" % name, now != before[user])
            c.claim("%s: the old one is refused" % name, asks(server, user, before[user]) == "401", asks(server, user, before[user]))
            c.claim("%s: the new one is good" % name, asks(server, user, now) == "200", asks(server, user, now))
            c.claim("%s: both nodes are Ready with it" % name, lambda: cluster.watch("both to be Ready", READY_SEC, lambda: [
                labs.node_ready(n) for n in cluster.nodes()] == [True, True]))
        log = server.sh("journalctl -b --no-pager | cat")
        secrets = [token_of(server, file).rsplit(":", 1)[-1] for file in ("token", "agent-token")]
        c.claim("no token is in the journal", not any(secret in log for secret in secrets))
        for machine in cluster.machines:
            machine.power("cut")
            machine.power("on")
        cluster.watch("both to be Ready again by themselves", READY_SEC, lambda: all(m.status()["ready"] for m in cluster.machines))
        make_snapshot(c, cluster, server)
    finally:
        cluster.tear_down()


TESTS = {"snapshot": test_snapshot, "restore": test_restore, "tokens": test_tokens}


def main():
    what = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if what not in TESTS:
        sys.exit("test-k3s.py: name one of: " + " ".join(sorted(TESTS)))
    if not K3S:
        print("this needs a real K3s: ./hearth test --k3s FILE")
        sys.exit(77)
    checks.main("k3s-" + what, TESTS[what])


main()
