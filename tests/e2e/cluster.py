# Three servers and a worker: from four plugs at once to a cluster, and what it must survive: a server without power, the
# first one without power, a server whose disk was replaced by a blank one. Shared by the demo, test-cluster and the soak.
# SPDX-License-Identifier: Apache-2.0
import calendar
import json
import os
import re
import shutil
import time

import lab as labs
import line as lines
import parts
from parts import Problem

BOOT_TIMEOUT_SEC = 1500  # all Ready; about eight minutes under TCG on two cores that have nothing else to do
BACK_TIMEOUT_SEC = 600  # a server that lost its power is Ready again
ROLLOUT_TIMEOUT_SEC = 1800
API_FLOOR_SEC = 90  # the API answers again by every way: etcd's election, and who held the address is given up
STABLE = "10.66.0.1"
# Three control planes on two emulated cores stall for longer than 20 s now and then. The documented values are proven on
# the two machines of the line; here the region overrides them, and status shows them as overrides.
OVERRIDES = {"kube-controller-manager-arg": ["node-monitor-grace-period=80s"]}
NAMES = ("one", "two", "three")
STORAGE = {"kind": "static", "class": "hearth-local", "volumes": [{"name": "vol0", "source": "state", "sizeMiB": 256}]}


class Cluster(lines.Line):
    """A Line of more machines: self.servers, self.workers, and self.machines, all of them."""

    def __init__(self, bin_folder, cache, folder, say, k3s=None, servers=3, workers=1, flux=False):
        """flux: what the bootstrap brings is reconciled by the real kustomize-controller."""
        super().__init__(bin_folder, cache, folder, say, k3s)
        self.flux = flux
        self.n_servers, self.n_workers, self.steps, self.learners, self.names = servers, workers, [], set(), {}

    def prepare(self):
        """The region, and every machine described; nothing is on yet."""
        site = self.site
        stages, more = None, {}
        if self.flux:
            parts.workload(site.layout, site.folder, "count")
            stages, more["storage"] = parts.flux_bootstrap(site.cache, site.layout, site.folder + "/stages", self.claiming()), STORAGE
        site.publish(stages, servers=self.n_servers, k3s={"over": "mesh", "cni": "bridge", "overrides": OVERRIDES}, **more)
        site.region.start()
        self.say("region: https://127.0.0.1:%d" % site.region.port)
        self.servers, self.workers, self.ports = [], [], {}
        for i in range(self.n_servers):
            name = NAMES[i] if i < len(NAMES) else "server-%d" % (i + 1)
            port = self.ports[name] = self.api_port if i == 0 else parts.free_port()
            self.servers.append(site.guest(name, 11 + i, self.seed("server", "hzfsnr-k8s-%dp" % (i + 1)), memory=2048, cpus=1,
                                           disk="4G,serial=STATE-" + name, forward="%d:6443" % port))
        for i in range(self.n_workers):
            name = "worker" if self.n_workers == 1 else "worker-%d" % (i + 1)
            number = self.n_servers + i
            self.workers.append(site.guest(name, 11 + number, self.seed("worker", "hzfsnr-k8s-%dp" % (number + 1)), memory=1024,
                                           cpus=1, disk="4G,serial=STATE-" + name))
        self.machines, self.first = self.servers + self.workers, None

    def claiming(self):
        """The stages of the demo and a workload with a claim; the default class is the one of cluster.yaml's storage."""
        folder = self.site.folder + "/claiming"
        shutil.copytree(parts.TOP + "/tests/e2e/bootstrap", folder, ignore=shutil.ignore_patterns("25-storage"))
        shutil.copytree(parts.TOP + "/tests/e2e/bootstrap-storage/50-sync", folder + "/50-sync", dirs_exist_ok=True)
        return folder

    def seed(self, role, node):
        """A seed whose token is good for one node of that name, so that which machine is which does not depend on luck."""
        with open(self.site.region.seed_path()) as f:
            text = f.read()
        token = self.site.region.admin("token", "--role", role, "--node", node).strip()
        return text.replace(re.search(r"hjt_\w+", text).group(0), token)

    def start(self, boot_url=None):
        self.prepare()
        self.say("power on: %s, all at once, each with a token in its seed" % ", ".join(m.name for m in self.machines))
        self.powered = time.monotonic()
        for machine in self.machines:
            machine.start()

    def choose_first(self):
        """Whichever enrolled first makes the cluster."""
        name = self.site.region.list()["firstServer"]
        serial = next((n["serial"] for n in self.site.region.list()["nodes"] if name in (n["name"], n["id"])), None)
        self.first = next((s for s in self.servers if s.serial == serial), None)
        return self.first

    def others(self):
        """The servers that are not the first."""
        return [s for s in self.servers if s is not self.first]

    # ---- what the API says -----------------------------------------------------------------------------------------

    def use(self, server):
        """kubectl asks this server's API from now on."""
        self.kubectl.port = self.ports[server.name]
        self.kubectl.load()

    def conditions(self):
        """name -> (Ready, EtcdIsVoter or None, its reason)."""
        found = {}
        for node in self.nodes():
            voter = next((c for c in node["status"].get("conditions", []) if c["type"] == "EtcdIsVoter"), {})
            found[node["metadata"]["name"]] = (labs.node_ready(node), voter.get("status"), voter.get("reason"))
        self.learners.add(tuple(sorted(i for i, (_, kind) in self.members(self.first).items() if kind == "learner")))
        return found

    def all_ready(self):
        found = self.conditions()
        return len(found) == len(self.machines) and all(ready for ready, _, _ in found.values()) and sum(
            status == "True" for _, status, _ in found.values()) == self.n_servers

    def wait_first(self, timeout_sec=BOOT_TIMEOUT_SEC):
        """The first server's API answers: seconds since power on."""
        begun = time.monotonic()
        self.watch("the region to choose the first server", timeout_sec, self.choose_first)
        self.watch("the first server to hand its cluster over", max(1, timeout_sec - (time.monotonic() - begun)),
                   lambda: self.use(self.first) or True)
        return self.step("the first server's API answers", self.powered)

    def wait_ready(self, timeout_sec=BOOT_TIMEOUT_SEC):
        begun = time.monotonic()

        def left():
            return max(1, timeout_sec - (time.monotonic() - begun))
        if not self.first:
            self.wait_first(timeout_sec)
        self.watch("all servers to vote and everybody to be Ready", left(), self.all_ready, 10)
        self.step("power-on to all Ready", self.powered)
        self.watch("all machines to be steady", left(), lambda: all(m.last()["phase"] == "steady" for m in self.machines))
        self.step("power-on to all steady, the bootstrap applied", self.powered)
        for machine in self.machines:
            self.names[machine.name] = machine.status()["name"]

    def step(self, what, since):
        sec = round(time.monotonic() - since, 1)
        self.steps.append({"step": what, "sec": sec})
        self.say("%s: %.1f s" % (what, sec))
        return sec

    def report(self):
        """As a line's. Peers that have nothing to say to each other need no handshake: etcd makes every two servers talk, and
        a worker talks to one server at least."""
        report = super().report()
        fresh = {(row["from"], row["to"]) for row in report["mesh"] if row["handshake_sec_ago"] is not None and row["handshake_sec_ago"] < 180}
        servers = [m.name for m in self.servers]
        report["passed"] = all(n["ready"] for n in report["nodes"]) and report["pods_running"] >= len(self.machines) and all(
            (a, b) in fresh for a in servers for b in servers if a != b) and all(
            any((m.name, s) in fresh for s in servers) for m in self.workers)
        report["steps"] = self.steps
        return report

    # ---- power and disks -------------------------------------------------------------------------------------------

    def answers(self, machine, address=STABLE):
        """The API answers this machine at the address, with a read that needs etcd's majority; else what curl says."""
        agent = "/var/lib/rancher/k3s/agent/"
        code, out, err = machine.exec(
            "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--cacert", agent + "server-ca.crt", "--cert",
            agent + "client-kubelet.crt", "--key", agent + "client-kubelet.key",
            "https://%s:6443/api/v1/nodes/%s" % (address, self.names[machine.name]), timeout=40, check=False)
        return (code == 0 and out == "200"), "%s %s" % (out, err.strip()[-200:])

    def others_answer(self, off, timeout_sec=API_FLOOR_SEC):
        """The worker and every other server reach the API by the stable address: the seconds until they all did."""
        begun, asked = time.monotonic(), [m for m in self.machines if m is not off]
        waiting = {m.name: "not asked" for m in asked}
        while waiting:
            self.show()
            for machine in asked:
                if machine.name in waiting:
                    good, waiting[machine.name] = self.answers(machine)
                    if good:
                        del waiting[machine.name]
            if waiting and time.monotonic() - begun > timeout_sec:
                raise Problem("%d s without %s the API does not answer at %s: %s" % (timeout_sec, off.name, STABLE, waiting))
        return time.monotonic() - begun

    def renewed_after(self, machine, since):
        """The Node is Ready, votes if it is a server, by a heartbeat after @since (this machine's wall clock)."""
        name = self.names[machine.name]
        node = self.kubectl.json("get", "node", name)
        lease = self.kubectl.json("get", "lease", "-n", "kube-node-lease", name)["spec"]["renewTime"]
        when = calendar.timegm(time.strptime(lease[:19], "%Y-%m-%dT%H:%M:%S"))
        voter = any(c["type"] == "EtcdIsVoter" and c["status"] == "True" for c in node["status"]["conditions"])
        return labs.node_ready(node) and when > since + 2 and (voter or machine not in self.servers)

    def another_server(self, than):
        return next(s for s in self.servers if s is not than)

    def cut(self, machine, off_sec=0):
        """Power cut of one machine: the API answers without it, it comes back by itself. Returns both times."""
        self.use(self.another_server(machine))
        self.say("power cut: %s (%s)" % (machine.name, self.names[machine.name]))
        machine.power("cut")
        self.site.lab_off.add(machine.name)
        answered = self.others_answer(machine)
        self.steps.append({"step": "power cut of %s: the API answers everybody else" % machine.name, "sec": round(answered, 1)})
        self.say("the API answers all others by %s after %.1f s" % (STABLE, answered))
        time.sleep(max(0, off_sec - answered))
        since, begun = time.time(), time.monotonic()
        machine.power("on")
        self.seen.pop(machine.name, None)
        self.site.lab_off.discard(machine.name)
        self.watch(machine.name + " to be Ready again by itself", BACK_TIMEOUT_SEC, lambda: self.renewed_after(machine, since), 5)
        back = self.step("power cut of %s: power-on to Ready again" % machine.name, begun)
        return answered, back

    def claim_place(self):
        """The machine on which the claim's volume lies, and the volume's path there; the pod never leaves that machine."""
        claim = self.kubectl.json("get", "pvc", "data-count-0")
        volume = self.kubectl.json("get", "pv", claim["spec"]["volumeName"])
        terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        name = terms[0]["matchExpressions"][0]["values"][0]
        return next(m for m in self.machines if self.names[m.name] == name), volume["spec"]["local"]["path"]

    def replace_disk(self, machine):
        """A blank disk in a server: a person approves "replaces NAME", it rejoins under its name. Returns the seconds."""
        self.use(self.another_server(machine))
        name, before = self.names[machine.name], self.member(machine)
        self.say("%s (%s) gets a blank disk" % (machine.name, name))
        machine.power("cut")
        disk = os.path.join(self.site.lab.folder, machine.name, "disk0.raw")
        size = os.path.getsize(disk)
        os.unlink(disk)
        with open(disk, "wb") as f:
            f.truncate(size)
        since, begun = time.time(), time.monotonic()
        machine.power("on")
        self.seen.pop(machine.name, None)
        code = self.watch("%s to show a code" % machine.name, 300, lambda: next(
            (line["code"] for line in reversed(machine.lines()) if line["code"]), None), 0)
        entry = next(e for e in self.site.region.list()["enrolments"] if e["serial"] == machine.serial)
        if entry.get("replaces") != name:
            raise Problem('the entry says it replaces "%s", not "%s"' % (entry.get("replaces"), name))
        self.say("%s shows %s, and the region says it replaces %s: hearth-region approve %s %s" % (
            machine.name, code, name, machine.serial, code))
        labs.wait_for("the region to take the code", 30, lambda: self.site.region.approve(machine.serial, code))
        self.step("replaced disk of %s: power-on to approved" % machine.name, begun)
        self.watch(machine.name + " to rejoin as " + name, BOOT_TIMEOUT_SEC, lambda: self.renewed_after(machine, since) and
                   self.member(machine) != before, 5)
        sec = self.step("replaced disk of %s: power-on to Ready under its old name" % machine.name, begun)
        if machine.status()["name"] != name:
            raise Problem("it came back as " + machine.status()["name"])
        return before, self.member(machine), sec

    def roll(self):
        """A rolling restart of K3s on every node: one at a time, and the API answers all the while. Returns the seconds."""
        began, seen, together = time.monotonic(), [], []

        def over():
            said = json.loads(self.site.region.admin("rollout", "status", "--json"))["rollout"]
            if said["node"] and said["node"] not in seen:
                self.say("rollout: %s: %s" % (said["node"], said["sentence"]))
                seen.append(said["node"])
            if said["state"] == "failed":
                return said
            cordoned = [n["metadata"]["name"] for n in self.nodes() if n["spec"].get("unschedulable")]
            together.append(cordoned)
            return said if said["state"] == "done" and not cordoned else None
        since = {m.name: self.started_usec(m) for m in self.machines}
        self.use(self.first)
        self.site.region.admin("rollout", "start", "--restart")
        said = self.watch("the rollout", ROLLOUT_TIMEOUT_SEC, over, 5)
        if said["state"] != "done":
            raise Problem("the rollout failed: " + said["sentence"])
        if max(len(names) for names in together) > 1:
            raise Problem("more than one node was cordoned: %s" % max(together, key=len))
        if sorted(seen) != sorted(self.names.values()):
            raise Problem("it was the turn of %s only" % seen)
        same = [m.name for m in self.machines if self.started_usec(m) == since[m.name]]
        if same:
            raise Problem("K3s of %s was not restarted" % same)
        self.watch("all to be Ready after the rollout", BACK_TIMEOUT_SEC, self.all_ready, 5)
        return self.step("rolling restart of every node", began)

    def started_usec(self, machine):
        """When K3s was started there, by systemd."""
        unit = "k3s.service" if machine in self.servers else "k3s-agent.service"
        return machine.exec("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit).strip()

    def member(self, machine):
        """The name of its etcd member, from its Node."""
        node = self.kubectl.json("get", "node", self.names[machine.name])
        return node["metadata"].get("annotations", {}).get("etcd.k3s.cattle.io/node-name")

    def members(self, server):
        """etcd's own list as this server has it: {ID: (name, "voter" or "learner")}; one that has not started has no name."""
        tls = "/var/lib/rancher/k3s/server/tls/etcd/"
        text = server.exec("curl", "-sS", "--max-time", "20", "--cacert", tls + "server-ca.crt", "--cert", tls + "client.crt", "--key",
                           tls + "client.key", "-d", "{}", "https://127.0.0.1:2379/v3/cluster/member/list", timeout=40)
        return {m["ID"]: (m.get("name", ""), "learner" if m.get("isLearner") else "voter") for m in json.loads(text).get("members", [])}

    @staticmethod
    def are_voters(members, n):
        """Are these n, and all of them voters?"""
        return [kind for _, kind in members.values()] == ["voter"] * n

    def admissions(self):
        """What the region decided, oldest first: ("admit" or "votes", node)."""
        found = []
        for text in self.site.region.admin("audit").splitlines():
            words = re.split(r"\s{2,}", text)
            if len(words) > 3 and words[2] in ("admit", "etcd member"):
                found.append((words[0], "admit" if words[2] == "admit" else "votes", words[3]))
        if found and found[0][0] > found[-1][0]:
            found.reverse()
        return [row[1:] for row in found]
