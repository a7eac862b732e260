#!/usr/bin/env python3
# Bootstraps that must not run: signed by another key, not signed, tampered with, not there, registry away. Each is refused
# with its own sentence on the console, nothing of it is applied, and the node goes on by itself when the cause is mended.
# hearthd's own bridge is off: the CNI comes only through stage 20-cni, the way Cilium will. One machine: the first server.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402

MISSING = "sha256:" + "0" * 64


def stages_with_cni(folder):
    """The demo's stages and the lab's CNI among them."""
    shutil.copytree(parts.TOP + "/tests/e2e/bootstrap", folder)
    shutil.copytree(parts.TOP + "/tests/e2e/bootstrap-cni", folder, dirs_exist_ok=True)
    return folder


def variant(site, name):
    """Another artifact with the same stages and a namespace of its own: its digest."""
    folder = stages_with_cni(os.path.join(site.folder, "bootstrap-" + name))
    with open(folder + "/10-crds/only-%s.yaml" % name, "w") as f:
        f.write("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: only-%s\n" % name)
    return parts.bootstrap(site.bin, site.layout, folder, name)


def tamper(layout, digest):
    """One byte of the artifact's layer is another, its name stays."""
    layer = json.loads(layout.blob(digest))["layers"][0]["digest"].split(":")[1]
    path = os.path.join(layout.folder, "blobs/sha256", layer)
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))


def refusals(c, site, machine, kubectl, other):
    """The machine is up and its bootstrap is signed by another key; then worse ones, the last of them: no registry."""
    region = site.region
    unsigned, bent = variant(site, "unsigned"), variant(site, "bent")
    parts.sign(site.layout, "hearth/bootstrap", "bent", bent, site.keys)
    tamper(site.layout, bent)

    def untouched():
        spaces = kubectl("get", "namespaces", "-o", "name")
        return "hearth-demo" not in spaces and "lab-cni" not in spaces and "only-" not in spaces

    def refused(name, pattern, change):
        since = len(machine.lines())
        change()
        c.claim("%s: said so on the console" % name, lambda: machine.wait_said(
            "^the bootstrap is not applied: .*(%s)" % pattern, 300, since), machine.last)
        c.claim("%s: nothing is applied" % name, untouched)

    refused("signed by another key", "%s is signed, but not by a key this node trusts" % other, lambda: None)
    for name, digest, pattern in (("not signed", unsigned, unsigned + " is not signed"),
                                  ("tampered with", bent, "has digest sha256:.*tampered with"),
                                  ("missing", MISSING, "has no hearth/bootstrap " + MISSING)):
        refused(name, pattern, lambda digest=digest: region.admin("bootstrap", "set", digest))
    os.rename(site.layout.folder, site.layout.folder + ".away")
    refused("registry emptied", "has no hearth/bootstrap " + site.bootstrap_digest,
            lambda: region.admin("bootstrap", "set", site.bootstrap_digest))
    since = len(machine.lines())
    time.sleep(8)  # several tries
    said = [line for line in machine.lines()[since:] if line["phase"] != "warning"]
    c.claim("a refusal that is tried again and again is said once", not said, said)
    refused("registry away", "registry .* cannot be reached", region.stop)
    os.rename(site.layout.folder + ".away", site.layout.folder)
    region.start()


def mended(c, machine, kubectl):
    c.claim("mended: the machine becomes steady by itself, its network by stage 20-cni",
            lambda: machine.wait_phase("steady", lines.BOOT_TIMEOUT_SEC), machine.last)
    files = machine.exec("ls", "/etc/cni/net.d").split()
    c.claim("the only network configuration is the bootstrap's", files == ["10-lab.conflist"], files)

    def workload():
        pods = kubectl.json("get", "pods", "-n", "hearth-demo")["items"]
        return pods and all(p["status"]["phase"] == "Running" and p["status"].get("podIP", "").startswith("10.64.200.") for p in pods)
    c.claim("the workload runs and has an address of that network", lambda: labs.wait_for("the workload", 120, workload),
            lambda: kubectl("get", "pods", "-A", "-o", "wide"))


def test(c, bin_folder, cache, folder):
    payload_folder, _ = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        parts.workload(site.layout, folder, "cni", "0:0")
        site.publish(stages_with_cni(folder + "/stages"), k3s={"over": "mesh", "cni": "none"})
        region, kubectl = site.region, labs.Kubectl(site, payload_folder, parts.free_port())
        other = variant(site, "other")
        parts.signing_key(folder + "/other-keys")
        parts.sign(site.layout, "hearth/bootstrap", "other", other, folder + "/other-keys")
        region.start()
        region.admin("bootstrap", "set", other)
        machine = site.lab.add("server", 11, boot="iso", iso=site.seeded_iso(), memory=3072, cpus=2, disk="4G",
                               forward="%d:6443" % kubectl.port)
        machine.start()
        refusals(c, site, machine, kubectl, other)
        mended(c, machine, kubectl)

        # a steady cluster keeps what it has when a bad one is named
        since = len(machine.lines())
        region.admin("bootstrap", "set", other)
        c.claim("a bad one later: said so on the console", lambda: machine.wait_said(
            "^the bootstrap is not applied: .*%s is signed, but not by a key" % other, 180, since), machine.last)
        c.claim("a bad one later: what runs stays", lambda: "hearth-demo" in kubectl("get", "namespaces", "-o", "name"))
        since = len(machine.lines())
        region.admin("bootstrap", "set", site.bootstrap_digest)
        c.claim("and it is steady again", lambda: machine.wait_said("nothing is waited for", 180, since), machine.last)


checks.main("bootstrap", test)
