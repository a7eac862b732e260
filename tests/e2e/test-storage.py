#!/usr/bin/env python3
# A workload with a claim on bare metal: cluster.yaml names a share of STATE and a data disk, the default StorageClass is there
# before anything claims, the claim is bound, and after a power cut the pod goes on with the number it had. One machine: the
# first server.
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402

STORAGE = {"kind": "static", "class": "hearth-local", "volumes": [
    {"name": "vol0", "source": "state", "sizeMiB": 256}, {"name": "disk0", "source": "disk", "serial": "DATA"}]}


def test(c, bin_folder, cache, folder):
    payload_folder, _ = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        parts.workload(site.layout, folder, "count")
        site.publish(parts.TOP + "/tests/e2e/bootstrap-storage", storage=STORAGE)
        region, kubectl = site.region, labs.Kubectl(site, payload_folder, parts.free_port())
        region.start()
        machine = site.lab.add("server", 11, boot="iso", iso=site.seeded_iso(), memory=3072, cpus=2,
                               disk=["4G", "1G,serial=DATA"], forward="%d:6443" % kubectl.port)
        machine.start()
        c.claim("the machine becomes steady", lambda: machine.wait_phase("steady", lines.BOOT_TIMEOUT_SEC), machine.last)

        def volumes():
            return {v["metadata"]["name"].rsplit("-", 1)[1]: v for v in kubectl.json("get", "pv")["items"]}

        def claim():
            return kubectl.json("get", "pvc", "data-count-0")
        c.claim("both volumes are there", lambda: labs.wait_for("the volumes", 120, lambda: {"vol0", "disk0"} == set(volumes())),
                lambda: machine.status())
        found = kubectl.json("get", "storageclass")["items"]
        c.claim("there is one class, the default", [s["metadata"]["name"] for s in found] == ["hearth-local"] and
                found[0]["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true", found)
        c.claim("volumes are kept when their claim goes",
                all(v["spec"]["persistentVolumeReclaimPolicy"] == "Retain" for v in volumes().values()), volumes)
        c.claim("the claim is bound to one of them", lambda: labs.wait_for("the claim", 120, lambda: claim()["status"]["phase"] == "Bound"),
                lambda: kubectl("get", "pv,pvc,pods", "-A"))
        path = next(v["spec"]["local"]["path"] for v in volumes().values() if v["metadata"]["name"] == claim()["spec"]["volumeName"])

        def number():
            return labs.counted(machine, path)
        c.claim("the pod counts in it", lambda: labs.wait_for("the count", 120, lambda: number() > 3),
                lambda: kubectl("get", "pods", "-A"))
        before = number()
        machine.power("cut")
        machine.power("on")
        c.claim("after a power cut it comes back", lambda: machine.wait_phase("steady", lines.BOOT_TIMEOUT_SEC), machine.last)
        c.claim("the volume has its data", number() >= before, lambda: (before, number()))
        c.claim("the pod goes on from its number", lambda: labs.wait_for("the pod", 180, lambda: labs.count_went_on(kubectl, before)),
                lambda: kubectl("get", "pods", "-A"))

        # a claim that goes leaves its volume, with its data, to a person
        kubectl("delete", "statefulset", "count", "--wait=false")
        kubectl("delete", "pvc", "data-count-0", timeout=120)
        c.claim("the volume of a deleted claim is named", lambda: labs.wait_for("the warning", 180, lambda: any(
            "still holds the data of the deleted claim data-count-0" in w for w in machine.status()["warnings"])), machine.status)
        c.claim("... and has its data", number() >= before)
        c.claim("... and the node says what of its bootstrap was taken away", lambda: labs.wait_for(
            "the sentence", 120, lambda: "StatefulSet count" in machine.last()["sentence"]), machine.last)


checks.main("storage", test)
