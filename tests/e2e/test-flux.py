#!/usr/bin/env python3
# The platform reconciled by the real kustomize-controller on one machine: a chain of Kustomizations with a broken one in
# the middle. hearthd, its console, hearthctl and the region name that one, why, and what waits behind it; mended in the
# source, everything becomes Ready and the node steady. Then prune, a source that breaks, and a suspended object.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402

SPACE = "flux-demo"


def config_map(name, data):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SPACE}, "data": data})


MENDED = config_map("middle", {"replicas": "3"})
TREE = {
    "infra/space.yaml": json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}),
    "infra/site.yaml": config_map("site", {"domain": "${SOVEREIGN_FQDN}", "color": "${COLOR:=blue}", "kept": "$${SOVEREIGN_FQDN}"}),
    "infra/old.yaml": config_map("old", {"a": "b"}),
    "middle/middle.yaml": config_map("middle", {"replicas": 3}),  # the usual mistake: a number where a text belongs
    "apps/web.yaml": json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": SPACE},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                {"name": "web", "image": "registry.hearth.internal/hearth/web:demo"}]}}}}),
}
BROKEN = (r"^Flux: Kustomization flux-system/middle is not ready( for \d+ \w+)?: .*(dry-run failed|expected string).*; Kustomization "
          r"flux-system/apps waits behind it; mend it in its source, ExternalArtifact flux-system/platform$")
N_OBJECTS = 4  # three Kustomizations and their source


class Cluster:
    def __init__(self, machine, kubectl):
        self.machine, self.kubectl = machine, kubectl

    def push(self, files):
        """What a person does in the Git repository: {path: text or None}."""
        data = {path.replace("/", "__"): text for path, text in files.items()}
        self.patch("configmap/platform-tree", {"data": data})

    def patch(self, what, change):
        self.kubectl("patch", "-n", parts.FLUX_NAMESPACE, what, "--type", "merge", "-p", json.dumps(change))

    def names(self, kind):
        return sorted(o["metadata"]["name"] for o in self.kubectl.json("get", kind, "-n", SPACE)["items"])

    def said(self):
        """Every Flux object and what it says of itself: for failures."""
        return self.kubectl("get", "kustomizations,externalartifacts", "-A") + self.kubectl(
            "get", "pods", "-A", "-o", "wide") + json.dumps(self.machine.last())

    def steady(self, timeout_sec=240):
        return labs.wait_for("the machine to be steady", timeout_sec, lambda: self.machine.status()["phase"] == "steady", 2)


def check_broken(c, site, cluster):
    machine, kubectl = cluster.machine, cluster.kubectl
    c.claim("the broken one in the middle is said on the console, and what waits behind it",
            lambda: machine.wait_said(BROKEN, lines.BOOT_TIMEOUT_SEC), cluster.said)
    c.claim("that is rung bootstrap, not steady", machine.last()["phase"] == "bootstrap", machine.last())
    c.claim("it never was steady", not any(line["phase"] == "steady" for line in machine.lines()))

    explained = machine.exec("hearthctl", "explain")
    c.claim("hearthctl explain says the same", explained.startswith("Flux: Kustomization flux-system/middle is not ready"), explained)
    shown = machine.exec("hearthctl", "status")
    c.claim("hearthctl status counts", "2 of %d objects of Flux are ready" % N_OBJECTS in shown and
            "not ready:  Kustomization flux-system/middle, " in shown, shown)

    def region_says():
        entry = site.region.entry(machine.serial)
        known = json.loads(site.region.admin("show", entry["name"], "--json"))
        platform = known["status"].get("platform") or {}
        return entry["phase"] == "bootstrap" and entry["sentence"].startswith("Flux: Kustomization flux-system/middle is not ready") and \
            (platform.get("n"), platform.get("nReady")) == (N_OBJECTS, 2) and \
            [i["name"] for i in platform["items"]] == ["middle", "apps"]
    c.claim("the region's list and show say the same, in dependency order", lambda: labs.wait_for("the region", 60, region_says),
            lambda: site.region.entry(machine.serial))

    data = kubectl.json("get", "configmap", "site", "-n", SPACE)["data"]
    c.claim("what stands before it is applied, with Flux' own substitution",
            data == {"domain": "sovereign.example.org", "color": "blue", "kept": "${SOVEREIGN_FQDN}"}, data)
    c.claim("what stands behind it is not", cluster.names("deployments") == [] and "middle" not in cluster.names("configmaps"))


def check_mended(c, site, cluster):
    cluster.push({"middle/middle.yaml": MENDED})
    c.claim("mended in the source: steady by itself", cluster.steady, cluster.said)
    status = cluster.machine.status()
    c.claim("all of Flux is ready then", status["platform"] == {"n": N_OBJECTS, "nReady": N_OBJECTS, "items": []}, status["platform"])
    web = cluster.kubectl.json("get", "deployment", "web", "-n", SPACE)
    c.claim("the health check was waited for: the workload runs", web["status"].get("availableReplicas") == 1, web["status"])
    c.claim("the region shows it steady", lambda: labs.wait_for(
        "the region", 60, lambda: site.region.entry(cluster.machine.serial)["phase"] == "steady"))


def check_prune(c, cluster):
    before = cluster.names("configmaps")
    c.claim("the object to be taken away is there", "old" in before, before)
    cluster.push({"infra/old.yaml": None})
    c.claim("what is taken from the tree is pruned", lambda: labs.wait_for(
        "prune", 120, lambda: "old" not in cluster.names("configmaps"), 2), cluster.said)
    c.claim("and nothing else", set(before) - set(cluster.names("configmaps")) == {"old"}, cluster.names("configmaps"))


def check_source(c, cluster):
    machine = cluster.machine
    cluster.steady()
    since = len(machine.lines())
    cluster.patch("externalartifact/platform", {"spec": {"sourceRef": {"name": "nowhere"}}})
    c.claim("a source that breaks comes first", lambda: machine.wait_said(
        r"^Flux: ExternalArtifact flux-system/platform is not ready.*: ConfigMap flux-system/nowhere is not there", 120, since),
        cluster.said)
    cluster.patch("externalartifact/platform", {"spec": {"sourceRef": {"name": "platform-tree"}}})
    c.claim("and it is steady again", cluster.steady, cluster.said)

    cluster.patch("kustomization/middle", {"spec": {"suspend": True}})
    c.claim("a suspended object is a warning, not a phase", lambda: labs.wait_for("the warning", 60, lambda: any(
        "Flux: 1 of %d objects are suspended (Kustomization flux-system/middle)" % N_OBJECTS in warning
        for warning in machine.status()["warnings"])) and machine.status()["phase"] == "steady", machine.status)


def test(c, bin_folder, cache, folder):
    payload_folder, _ = parts.payload(bin_folder, cache, None, c.say)
    image = parts.image(bin_folder, cache, payload_folder, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        site.publish(parts.flux_bootstrap(cache, site.layout, folder + "/stages", tree=TREE,
                                          sync=parts.TOP + "/tests/e2e/flux-broken"))
        kubectl = labs.Kubectl(site, payload_folder, parts.free_port())
        site.region.start()
        machine = site.guest("server", 11, site.region.seed(token=True), memory=3072, cpus=2, disk="4G",
                             forward="%d:6443" % kubectl.port)
        machine.start()
        cluster = Cluster(machine, kubectl)
        check_broken(c, site, cluster)
        check_mended(c, site, cluster)
        check_prune(c, cluster)
        check_source(c, cluster)
        memory = lines.Line.memory(machine)
        c.claim("hearthd's Private_Dirty is at most 6 MiB with the CRDs of Flux and the Gateway API laid",
                memory["private_dirty_kib"] <= 6144, memory)


checks.main("flux", test)
