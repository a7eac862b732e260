# A lab from Python: machines (hearth-lab), their region (hearth-region) and what a person would do at them. Shared by
# the demo, the e2e tests and the soak runs.
# SPDX-License-Identifier: Apache-2.0
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import parts
from parts import Problem, run

CLUSTER = "hz-fsn-rtz-prod"
CONSOLE_LINE = re.compile(r"hearth: (?P<name>[^|]+) \| (?P<phase>[a-z0-9-]+) \| (?:code (?P<code>[0-9A-Z]{4}-[0-9A-Z]{4}) \| )?(?P<sentence>.*)")


def wait_for(what, timeout_sec, check, every_sec=0.5):
    """Call check() until it gives something true; its result. Problems of check() count as not yet."""
    deadline, last = time.monotonic() + timeout_sec, None
    while True:
        try:
            result = check()
            if result:
                return result
            last = None
        except Problem as e:
            last = e
        if time.monotonic() > deadline:
            raise Problem("waited %d s for %s%s" % (timeout_sec, what, "; last: %s" % last if last else ""))
        time.sleep(every_sec)


class Region:
    """A region in a folder, served on loopback by this machine; nodes see it at 10.0.2.2."""

    def __init__(self, bin_folder, folder, layout, boot_folder=None, cluster=None, port=None, boot_port=None):
        self.program, self.folder, self.layout = bin_folder + "/hearth-region", folder, layout
        self.boot_folder, self.process = boot_folder, None
        self.port, self.boot_port = port or parts.free_port(), boot_port or parts.free_port()
        self.url = "https://10.0.2.2:%d" % self.port
        self.listen = "127.0.0.1"
        self.log_path = folder + ".log"
        self.dir = folder
        self.cluster = cluster or {}

    def boot_url(self):
        return "http://10.0.2.2:%d/boot/boot.ipxe" % self.boot_port

    def init(self, bootstrap_digest=None, payload_digest=None, signing_keys=(), **more):
        """Write cluster.yaml and make the region. JSON is YAML, so no YAML writer is needed."""
        cluster = {
            "provider": "hetzner", "region": "fsn", "buildingBlock": "rtz", "envType": "prod", "app": "k8s",
            "domain": "example.org", "urls": [self.url, "https://127.0.0.1:%d" % self.port],
            "ranges": {"mesh": "10.66.0.0/16", "pod": "10.64.0.0/16", "service": "10.65.0.0/16"},
            "lan": {"prefix": "10.77.0.0/24", "macPrefix": "52:54:77"}, "servers": 1,
            "k3s": {"over": "mesh", "cni": "bridge"},
        }
        if bootstrap_digest:
            cluster["bootstrap"] = {"repository": "hearth/bootstrap", "digest": bootstrap_digest,
                                    "variables": {"SOVEREIGN_FQDN": "sovereign.example.org"}}
        if payload_digest:
            cluster["payload"] = {"repository": "hearth/payload", "digest": payload_digest}
        if signing_keys:
            cluster["signingKeys"] = list(signing_keys)
        cluster.update(self.cluster)
        cluster.update(more)
        os.makedirs(os.path.dirname(self.dir), exist_ok=True)
        path = self.dir + ".cluster.yaml"
        with open(path, "w") as f:
            json.dump(cluster, f, indent=1)
        said = run([self.program, "init", "--dir", self.dir, "--cluster-config", path])
        with open(os.open(self.dir + ".init.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(said)
        return said

    def start(self, faketime=None):
        argv = [self.program, "serve", "--dir", self.dir, "--listen", "%s:%d" % (self.listen, self.port),
                "--boot-listen", "127.0.0.1:%d" % self.boot_port]
        if self.boot_folder:
            argv += ["--boot-dir", self.boot_folder]
        if self.layout:
            argv += ["--layout", self.layout.folder]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def answers():
            if self.process.poll() is not None:
                with open(self.log_path, errors="replace") as f:
                    raise RuntimeError("the region ended at once: " + " ".join(f.read().splitlines()[-3:]))
            return subprocess.run(["curl", "-skf", "-o", "/dev/null", "https://127.0.0.1:%d/healthz" % self.port],
                                  check=False).returncode == 0
        try:
            wait_for("the region to answer", 20, answers, 0.05)
        except RuntimeError as e:
            raise Problem(str(e)) from None

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Problem("the region did not end within 20 s of SIGTERM") from None
        self.process = None

    def admin(self, *words):
        return run([self.program, words[0], "--dir", self.dir, *words[1:]])

    def list(self):
        return json.loads(self.admin("list", "--json"))

    def approve(self, node, code, role=None):
        return self.admin("approve", node, code, *(["--role", role] if role else []))

    def seed_path(self):
        return self.dir + "/seed.yaml"

    def seed(self, token=False):
        """A seed as text; with a token of its own (any node, role server) or without."""
        if not token:
            return self.admin("seed", "--no-token")
        return self.admin("seed", "--role", "server")

    def entry(self, serial):
        """What list says of a machine: its node, else its enrolment, else None."""
        listed = self.list()
        return next((e for e in listed["nodes"] + listed["enrolments"] if e.get("serial") == serial), None)

    def identity(self, serial):
        """The key this region knows for a machine; None before it is durable. Two identities are a Problem."""
        durable = [n for n in self.list()["nodes"] if n["serial"] == serial and n["durable"]]
        if len(durable) > 1:
            raise Problem("the machine has %d durable identities" % len(durable))
        return json.loads(self.admin("show", durable[0]["name"], "--json")).get("keySha256") if durable else None


class BootCache:
    """A site's HTTP cache in front of the region's boot server: machines boot from the network also while the region is off."""

    def __init__(self, region):
        cache, outer = {}, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (region.boot_port, self.path), timeout=30) as answer:
                        cache[self.path] = answer.read()
                except urllib.error.HTTPError as e:
                    self.send_error(e.code)
                    return
                except OSError:
                    outer.n_served_alone += self.path in cache
                if self.path not in cache:
                    self.send_error(502)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(cache[self.path])))
                self.end_headers()
                self.wfile.write(cache[self.path])

            def log_message(self, *_):
                pass

        self.n_served_alone = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://10.0.2.2:%d/boot/boot.ipxe" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Node:
    """One machine of a lab."""

    def __init__(self, lab, name, number, options):
        self.lab, self.name, self.number, self.options = lab, name, number, options
        self.serial = "lab-" + name
        self.console_log = os.path.join(lab.folder, name, "console.log")
        self.boots = 0

    def start(self):
        self.lab.call("start", self.name)
        self.boots += 1

    def power(self, what):
        self.lab.call("power", self.name, what)
        if what in ("on", "reset"):
            self.boots += 1

    def cable(self, state, nic="segment"):
        self.lab.call("cable", self.name, state, nic)

    def exec(self, *argv, timeout=60, check=True):
        """Run a command in the guest: its stdout; with check=False (exit, stdout, stderr)."""
        done = subprocess.run([self.lab.program, "--lab", self.lab.folder, "exec", self.name, "--timeout", str(timeout), "--"] +
                              list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if not check:
            return done.returncode, out, err
        if done.returncode != 0:
            raise Problem("%s: %s ended with %d: %s" % (self.name, " ".join(argv)[:120], done.returncode, err.strip()[-300:]))
        return out

    def sh(self, script, timeout=60):
        return self.exec("sh", "-c", script, timeout=timeout)

    def wait_answers(self, timeout_sec=240):
        """The guest takes commands; it does early, while udev still gives devices their names."""
        return wait_for("%s to answer" % self.name, timeout_sec, lambda: self.exec("true", timeout=5, check=False)[0] == 0, 0.1)

    def console(self):
        """What this start of the machine said on its serial line."""
        try:
            with open(os.path.join(self.lab.folder, self.name, "started")) as f:
                offset = int(f.read())
            with open(self.console_log, "rb") as f:
                f.seek(offset)
                return f.read().decode(errors="replace").replace("\r", "")
        except (OSError, ValueError):
            return ""

    def lines(self):
        """The lines of hearth-console on the serial line: dicts with name, phase (or "warning"), code, sentence."""
        return [m.groupdict() for m in map(CONSOLE_LINE.search, self.console().splitlines()) if m]

    def last(self):
        lines = [line for line in self.lines() if line["phase"] != "warning"]
        return lines[-1] if lines else {"name": self.serial, "phase": "", "code": None, "sentence": ""}

    def status(self):
        return json.loads(self.exec("hearthctl", "status", "--json", timeout=20))

    def code(self, timeout_sec=120, other_than=None):
        """The enrolment code as a person reads it from the serial line."""
        def look():
            codes = [line["code"] for line in self.lines() if line["code"]]
            return codes[-1] if codes and codes[-1] != other_than else None
        return wait_for("%s to show its code on the serial line" % self.name, timeout_sec, look)

    def wait_phase(self, phase, timeout_sec):
        return wait_for("%s to be %s" % (self.name, phase), timeout_sec, lambda: self.last()["phase"] == phase)

    def wait_said(self, pattern, timeout_sec, since=0):
        """A sentence on the serial line that matches, after the first @since lines of this start (len(lines()) of then)."""
        regex = re.compile(pattern)
        return wait_for('%s to say "%s"' % (self.name, pattern), timeout_sec,
                        lambda: next((line for line in self.lines()[since:] if regex.search(line["sentence"])), None))


class Lab:
    def __init__(self, bin_folder, folder):
        self.program, self.folder, self.nodes = bin_folder + "/hearth-lab", folder, {}
        os.makedirs(folder, exist_ok=True)

    def call(self, *words):
        return run([self.program, "--lab", self.folder, *words])

    def add(self, name, number, **options):
        """options: the long options of `hearth-lab node add`, with _ for -; lists repeat."""
        argv = ["node", "add", name, "--number", str(number)]
        for option, value in options.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                argv += ["--" + option.replace("_", "-"), str(one)]
        self.call(*argv)
        self.nodes[name] = node = Node(self, name, number, options)
        return node

    def status(self):
        return json.loads(self.call("status", "--json"))

    def off(self):
        """Names of the machines that do not run."""
        return [node["name"] for node in self.status()["nodes"] if not node["pid"]]

    def down(self):
        self.call("down")


class Site:
    """A lab with its region and everything they need, in one folder that can be thrown away."""

    def __init__(self, bin_folder, cache, folder, image_folder, say=lambda text: None):
        self.bin, self.cache, self.folder, self.image_folder, self.say = bin_folder, cache, folder, image_folder, say
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.lab = Lab(bin_folder, folder + "/lab")
        self.layout = parts.Layout(folder + "/layout")
        self.region = Region(bin_folder, folder + "/region", self.layout, image_folder + "/pxe")
        self.keys = folder + "/keys"
        self.lab_off = set()  # machines that a test has switched off on purpose
        self.bootstrap_digest = None

    def publish(self, folder=None, **cluster):
        """Workload, payload and signed bootstrap (of another folder) into the layout; the region made with them."""
        parts.workload(self.layout, self.folder)
        key = parts.signing_key(self.keys)
        self.bootstrap_digest = parts.bootstrap(self.bin, self.layout, folder)
        parts.sign(self.layout, "hearth/bootstrap", "demo", self.bootstrap_digest, self.keys)
        payload_digest = parts.payload_artifact(self.bin, self.layout, self.image_folder)
        self.region.init(self.bootstrap_digest, payload_digest, [key], **cluster)

    def guest(self, name, number, seed, disk="1G", **options):
        """A cheap machine: no firmware to wait for; kernel and stage 1 straight into memory, the root on the ISO in its drive
        (a root that came with the kernel may have come over any wire, and such a machine's token is not used). The seed is
        an SMBIOS credential."""
        path = os.path.join(self.folder, name + ".seed.yaml")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(seed)
        with open(self.image_folder + "/cmdline") as f:
            cmdline = f.read().strip()
        given = dict(boot="kernel", kernel=self.image_folder + "/vmlinuz", initrd=self.image_folder + "/stage1.img",
                     cmdline=cmdline, iso=self.image_folder + "/hearth.iso", memory=1024, cpus=1, smbios_seed=path)
        if disk:
            given["disk"] = disk
        given.update(options)
        return self.lab.add(name, number, **given)

    def seeded_iso(self, name="node.iso", seed=None):
        """A copy of the ISO with a seed written into it."""
        iso = os.path.join(self.folder, name)
        run(["cp", "--reflink=auto", "--sparse=always", self.image_folder + "/hearth.iso", iso])
        run([self.bin + "/hearth-image", "seed", iso, seed or self.region.seed_path()])
        return iso

    def tear_down(self):
        self.lab.down()
        self.region.stop()
        for registry in getattr(self, "registries", []):
            registry.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tear_down()


class Kubectl:
    """kubectl on this machine, with the file `hearth-region kubeconfig` gives, through the first server's forward."""

    def __init__(self, site, payload_folder, port):
        self.program, self.port = payload_folder + "/bin/kubectl", port
        self.config, self.site = site.folder + "/kubeconfig", site
        if not os.path.exists(self.program):
            self.program = payload_folder + "/bin/k3s"

    def load(self):
        text = self.site.region.admin("kubeconfig", CLUSTER)
        # machines of the lab are behind user-mode uplinks: their API is forwarded to loopback
        text, n = re.subn(r"(server:\s*[\"']?)https://[^\s\"']+", r"\g<1>https://127.0.0.1:%d" % self.port, text)
        if n == 0:
            raise Problem("hearth-region kubeconfig names no server")
        with open(os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)

    def argv(self):
        return [self.program] + (["kubectl"] if self.program.endswith("/k3s") else []) + ["--kubeconfig", self.config]

    def __call__(self, *words, timeout=60):
        if not os.path.exists(self.config):
            self.load()
        return run(self.argv() + ["--request-timeout=%ds" % timeout, *words], env=dict(os.environ, HOME=self.site.folder))

    def json(self, *words):
        return json.loads(self(*words, "-o", "json"))


def counted(machine, path):
    """The number that the workload "count" wrote into its volume last; 0: none yet."""
    code, out, _ = machine.exec("cat", path + "/count", timeout=20, check=False)
    return int(out) if code == 0 and out.strip() else 0


def count_went_on(kubectl, before):
    """Its pod was started anew and goes on with a number that is at least this one."""
    said = kubectl("logs", "count-0").splitlines()
    return said and said[0].startswith("count: begins at ") and int(said[0].split()[-1]) >= before


def node_ready(node):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))


COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "etcd", "containerd")


def components(machine):
    """The Kubernetes processes of a machine with their arguments, as the kernel shows them."""
    found = []
    # one process for all: starting programs is what an emulated machine is slowest at
    said = machine.sh(r"sed -s 's/\x00/\x1f/g' /proc/[0-9]*/cmdline 2>/dev/null; true")
    for line in said.splitlines():
        argv = [word for word in line.split("\x1f") if word]
        name = os.path.basename(argv[0]) if argv else ""
        if name == "k3s" and argv[1:2] in (["server"], ["agent"]):
            found.append({"node": machine.name, "name": "k3s " + argv[1], "argv": argv})
        elif name in COMPONENTS:
            found.append({"node": machine.name, "name": name, "argv": argv})
    return found


def mesh(machine, names):
    """The machine's WireGuard peers with the age of their handshakes; names: public key -> node name."""
    rows, now = [], int(machine.sh("date +%s"))
    for line in machine.exec("wg", "show", "hearth0", "latest-handshakes").splitlines():
        key, when = line.split()
        rows.append({"from": machine.name, "to": names.get(key, key),
                     "handshake_sec_ago": now - int(when) if int(when) else None})
    return rows
