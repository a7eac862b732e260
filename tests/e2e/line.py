# The line of issue and demo: two machines, one from ISO with a token in its seed, one by PXE with a pin and a code, from
# power on until both are Ready and the bootstrap's workload runs.
# SPDX-License-Identifier: Apache-2.0
import os
import sys
import time

import lab as labs
import parts
from parts import Problem

BOOT_TIMEOUT_SEC = 900  # both Ready and the workload there; about four minutes under TCG on two cores


class Line:
    def __init__(self, bin_folder, cache, folder, say, k3s=None, firmware=("uefi", "bios")):
        self.bin, self.cache, self.folder, self.say, self.firmware = bin_folder, cache, folder, say, firmware
        self.started = time.monotonic()
        self.payload_folder, self.kubernetes = parts.payload(bin_folder, cache, k3s, say)
        say("Kubernetes: " + self.kubernetes)
        image_folder = parts.image(bin_folder, cache, self.payload_folder, say)
        say("image: " + image_folder)
        self.site = labs.Site(bin_folder, cache, folder, image_folder, say)
        self.api_port = parts.free_port()
        self.kubectl = labs.Kubectl(self.site, self.payload_folder, self.api_port)
        self.seen = {}

    def prepare(self):
        """The region, and the first machine with its seeded ISO; nothing is on yet."""
        site = self.site
        site.publish()
        site.region.start()
        self.say("region: https://127.0.0.1:%d" % site.region.port)
        iso = site.seeded_iso()
        self.first = site.lab.add("first", 11, boot="iso", firmware=self.firmware[0], iso=iso, memory=3072, cpus=2,
                                  disk="4G,serial=STATE-first", forward="%d:6443" % self.api_port)

    def start_alone(self):
        """Only the first machine on: returns it."""
        self.prepare()
        self.machines = [self.first]
        self.powered = time.monotonic()
        self.first.start()
        return self.first

    def start(self, boot_url=None):
        """Region, seeded ISO, both machines on."""
        self.prepare()
        site = self.site
        self.second = site.lab.add("second", 12, boot="pxe", firmware=self.firmware[1], pxe_url=boot_url or site.region.boot_url(),
                                   memory=2048, cpus=1, disk="4G,serial=STATE-second")
        self.machines = [self.first, self.second]
        self.say("power on: first (ISO, %s, token in its seed), second (PXE, %s, pin and code)" % self.firmware)
        self.powered = time.monotonic()
        for machine in self.machines:
            machine.start()

    def show(self):
        """One line per change of a machine's phase."""
        for machine in self.machines:
            lines = machine.lines()
            for line in lines[self.seen.get(machine.name, 0):]:
                text = "%-7s %-16s %s" % (machine.name, line["phase"], line["sentence"])
                if line["code"]:
                    text += "  [code %s]" % line["code"]
                self.say(text)
            self.seen[machine.name] = len(lines)

    def watch(self, what, timeout_sec, check, every_sec=3):
        asked = 0.0

        def look():
            nonlocal asked
            self.show()
            if time.monotonic() - asked < every_sec:
                return None  # asking costs the machine that is watched its time
            for name in self.site.lab.off():
                if name not in self.site.lab_off:
                    raise RuntimeError("%s is off: QEMU ended" % name)
            try:
                return check()
            finally:
                asked = time.monotonic()
        try:
            return labs.wait_for(what, timeout_sec, look)
        except RuntimeError as e:
            raise Problem(str(e)) from None

    def approve_second(self):
        """Read the code on the second machine's serial line, approve that machine with it."""
        def code():
            return next((line["code"] for line in reversed(self.second.lines()) if line["code"]), None)
        found = self.watch("the second machine's code on its serial line", 300, code, 0)
        self.say("second shows the code %s on its serial line: hearth-region approve %s %s --role worker" % (
            found, self.second.serial, found))
        labs.wait_for("the region to take the code", 30, lambda: self.site.region.approve(self.second.serial, found, "worker"))

    def nodes(self):
        return self.kubectl.json("get", "nodes")["items"]

    def pods(self):
        return self.kubectl.json("get", "pods", "-n", "hearth-demo", "-l", "app=web")["items"]

    def wait_ready(self, timeout_sec=BOOT_TIMEOUT_SEC):
        def both_ready():
            nodes = self.nodes()
            return len(nodes) == len(self.machines) and all(labs.node_ready(n) for n in nodes)

        def workload():
            pods = [p for p in self.pods() if p["status"].get("phase") == "Running" and
                    all(c["ready"] for c in p["status"].get("containerStatuses", [])) and p["status"].get("podIP")]
            return len({p["spec"]["nodeName"] for p in pods}) == len(self.machines)
        begun = time.monotonic()
        self.watch("the first server to hand its cluster over", timeout_sec, lambda: self.kubectl.load() or True)
        self.watch("both nodes to be Ready", timeout_sec - (time.monotonic() - begun), both_ready)
        self.say("both nodes are Ready")
        self.watch("the bootstrap's workload to run on both", timeout_sec - (time.monotonic() - begun), workload)
        self.say("the workload runs on both nodes")
        self.watch("both machines to be steady", 120, lambda: all(m.last()["phase"] == "steady" for m in self.machines))

    def statuses(self):
        """What the region knows of each machine: by the name of the lab."""
        listed = self.site.region.list()["nodes"]
        return {m.name: next(n for n in listed if n.get("serial") == m.serial) for m in self.machines}

    def report(self):
        listed = self.statuses()
        keys, nodes, mesh, components = {}, [], [], []
        kube = {n["metadata"]["name"]: n for n in self.nodes()}
        for machine in self.machines:
            keys[machine.exec("wg", "show", "hearth0", "public-key").strip()] = machine.name
        for machine in self.machines:
            status, known = machine.status(), listed[machine.name]
            memory = self.memory(machine)
            nodes.append({
                "name": known["name"], "machine": machine.name, "boot": machine.options["boot"],
                "firmware": machine.options.get("firmware", "bios"), "role": known["role"],
                "ready": known["name"] in kube and labs.node_ready(kube[known["name"]]),
                "timeline": [{"rung": t["rung"], "sec": round(t["firstUsec"] / 1e6, 2)} for t in status["timeline"]],
                "hearthd": memory})
            mesh += labs.mesh(machine, keys)
            components += labs.components(machine)
        running = [p for p in self.kubectl.json("get", "pods", "-A")["items"] if p["status"].get("phase") == "Running"]
        passed = all(n["ready"] for n in nodes) and len(running) >= len(nodes) and len(mesh) > 0 and all(
            row["handshake_sec_ago"] is not None and row["handshake_sec_ago"] < 180 for row in mesh)
        return {"passed": passed, "total_sec": round(time.monotonic() - self.started, 1),
                "boot_sec": round(time.monotonic() - self.powered, 1), "kubernetes": self.kubernetes, "nodes": nodes,
                "pods_running": len(running), "mesh": mesh, "components": components,
                "image": parts.image_facts(self.site.image_folder)}

    @staticmethod
    def memory(machine):
        rollup = machine.sh("cat /proc/$(systemctl show -P MainPID hearthd.service)/smaps_rollup")
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
        return {"private_dirty_kib": sizes["Private_Dirty"], "pss_kib": sizes["Pss"]}

    def explain_failure(self):
        """The last sentences, what each console said last, and where the logs lie."""
        for machine in getattr(self, "machines", []):
            last = machine.last()
            self.say("%s was at %s: %s" % (machine.name, last["phase"] or "no phase yet", last["sentence"] or "nothing said"))
            tail = machine.console().splitlines()[-15:]
            self.say("the end of its console (%s):" % machine.console_log)
            for text in tail:
                sys.stderr.write("    " + text[:200] + "\n")
        self.say("the region's log: " + self.site.region.log_path)

    def tear_down(self):
        self.site.tear_down()


def folder_of(cache, name):
    """A fresh folder for one run; short, because unix sockets lie in it."""
    return os.path.join(cache, "run", "%s-%d" % (name, os.getpid()))
