#!/usr/bin/env python3
# Bootstraps that must not run: signed by another key, not signed, tampered with, not there, registry away. Each is refused
# with its own sentence on the console, nothing of it is applied, and the node goes on by itself when the cause is mended.
# One machine: the first server of a cluster.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402


def variant(site, name):
    """Another artifact with the same stages: its digest."""
    folder = os.path.join(site.folder, "bootstrap-" + name)
    shutil.copytree(parts.TOP + "/tests/e2e/bootstrap", folder)
    with open(folder + "/50-sync/only-%s.yaml" % name, "w") as f:
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


def test(c, bin_folder, cache, folder):
    payload_folder, kubernetes = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        site.publish()
        region, kubectl = site.region, labs.Kubectl(site, payload_folder, parts.free_port())
        other, unsigned, bent = variant(site, "other"), variant(site, "unsigned"), variant(site, "bent")
        parts.signing_key(folder + "/other-keys")
        parts.sign(site.layout, "hearth/bootstrap", "other", other, folder + "/other-keys")
        parts.sign(site.layout, "hearth/bootstrap", "bent", bent, site.keys)
        tamper(site.layout, bent)
        region.start()
        region.admin("bootstrap", "set", other)
        machine = site.lab.add("server", 11, boot="iso", iso=site.seeded_iso(), memory=3072, cpus=2, disk="4G",
                               forward="%d:6443" % kubectl.port)
        machine.start()

        def untouched(name):
            spaces = kubectl("get", "namespaces", "-o", "name")
            return "hearth-demo" not in spaces and "only-" not in spaces
        c.claim("signed by another key: said so on the console",
                lambda: machine.wait_said("signed, but not by a key this node trusts", lines.BOOT_TIMEOUT_SEC),
                lambda: machine.last())
        c.claim("signed by another key: nothing is applied", lambda: untouched("other"))
        for name, digest, pattern in (
                ("not signed", unsigned, "is not signed"),
                ("tampered with", bent, "digest|SHA-256|another"),
                ("missing", "sha256:" + "0" * 64, "not there|has no|404|unknown|missing|does not")):
            region.admin("bootstrap", "set", digest)
            c.claim("%s: said so on the console" % name, lambda: machine.wait_said(
                "bootstrap is not applied.*(%s)" % pattern, 180), lambda: machine.last())
            c.claim("%s: nothing is applied" % name, lambda: untouched(name))
        os.rename(site.layout.folder, site.layout.folder + ".away")
        region.admin("bootstrap", "set", site.bootstrap_digest)
        c.claim("registry emptied: said so on the console", lambda: machine.wait_said(
            "bootstrap is not applied.*%s" % site.bootstrap_digest[:20], 180), lambda: machine.last())
        region.stop()
        c.claim("registry away: said so on the console", lambda: machine.wait_said(
            "bootstrap is not applied.*(answer|refused|reach|connect)", 180), lambda: machine.last())
        c.claim("registry away: nothing is applied", lambda: untouched("away"))
        os.rename(site.layout.folder + ".away", site.layout.folder)
        region.start()
        c.claim("mended: the node goes on by itself", lambda: machine.wait_phase("steady", 300), lambda: machine.last())
        c.claim("mended: the workload runs", lambda: labs.wait_for("the workload", 120, lambda: all(
            p["status"]["phase"] == "Running" for p in kubectl.json("get", "pods", "-n", "hearth-demo")["items"])))

        # a steady cluster keeps what it has when a bad one is named
        region.admin("bootstrap", "set", other)
        c.claim("a bad one later: said so on the console", lambda: machine.wait_said(
            "bootstrap.*signed, but not by a key", 180), lambda: machine.last())
        c.claim("a bad one later: what runs stays", lambda: "hearth-demo" in kubectl("get", "namespaces", "-o", "name"))
        region.admin("bootstrap", "set", site.bootstrap_digest)
        c.claim("and it is steady again", lambda: machine.wait_phase("steady", 180), lambda: machine.last())


checks.main("bootstrap", test)
