#!/usr/bin/env python3
# A cluster network that comes only through stage 20-cni of the bootstrap, with hearthd's own bridge off: the way Cilium
# will come. One machine: the first server.
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402


def test(c, bin_folder, cache, folder):
    payload_folder, _ = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        parts.workload(site.layout, folder, "cni", "0:0")
        stages = folder + "/stages"
        shutil.copytree(parts.TOP + "/tests/e2e/bootstrap", stages)
        shutil.copytree(parts.TOP + "/tests/e2e/bootstrap-cni", stages, dirs_exist_ok=True)
        site.publish(stages, k3s={"over": "mesh", "cni": "none"})
        kubectl = labs.Kubectl(site, payload_folder, parts.free_port())
        site.region.start()
        machine = site.lab.add("server", 11, boot="iso", iso=site.seeded_iso(), memory=3072, cpus=2, disk="4G",
                               forward="%d:6443" % kubectl.port)
        machine.start()
        c.claim("without a CNI the machine waits for the cluster network, and says for what",
                lambda: machine.wait_said("20-cni|cluster network", lines.BOOT_TIMEOUT_SEC), lambda: machine.last())
        c.claim("the machine becomes steady through stage 20-cni", lambda: machine.wait_phase("steady", lines.BOOT_TIMEOUT_SEC),
                lambda: machine.last())
        files = machine.exec("ls", "/etc/cni/net.d").split()
        c.claim("the only network configuration is the bootstrap's", files == ["10-lab.conflist"], files)
        pods = kubectl.json("get", "pods", "-n", "hearth-demo")["items"]
        c.claim("the workload has an address of that network",
                pods and all(p["status"].get("podIP", "").startswith("10.64.200.") for p in pods),
                [p["status"] for p in pods])


checks.main("cni", test)
