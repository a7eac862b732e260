#!/usr/bin/env python3
# The whole line on one pair of machines: Ready with labels and mesh addresses, pods that reach each other, the documented
# flags read back, WireGuard keys that become others under TCP, no secret anywhere; then the region away, programs killed, power
# cut: Ready again each time.
# SPDX-License-Identifier: Apache-2.0
import ipaddress
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import mesh_keys  # noqa: E402
from parts import Problem  # noqa: E402

LABELS = {"openova.io/provider": "hetzner", "openova.io/region": "fsn", "openova.io/building-block": "rtz",
          "openova.io/env-type": "prod", "openova.io/cluster": labs.CLUSTER, "openova.io/managed-by": None}
# PLATFORM-TECH-STACK, "K3s Installation": component -> what its arguments must say
FLAGS = {"kube-controller-manager": ["node-monitor-period=5s", "node-monitor-grace-period=20s"],
         "kube-apiserver": ["default-watch-cache-size=50"],
         "etcd": ["quota-backend-bytes=1073741824"],
         "kubelet": ["max-pods=50"]}
CONFIG = {"cluster-init": True, "flannel-backend": "none", "disable-network-policy": True}
DISABLED = ["traefik", "servicelb", "local-storage"]


def check_nodes(c, line):
    for node in line.nodes():
        name, labels = node["metadata"]["name"], node["metadata"]["labels"]
        for key, value in LABELS.items():
            c.claim("%s has the label %s" % (name, key), key in labels and value in (None, labels[key]), labels)
        address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        c.claim("%s has its InternalIP %s on the mesh" % (name, address),
                ipaddress.ip_address(address) in ipaddress.ip_network("10.66.0.0/16"))


def check_report(c, report):
    c.claim("the report says passed", report["passed"], json.dumps(report)[:800])
    for row in report["mesh"]:
        c.claim("handshake %s -> %s is fresh" % (row["from"], row["to"]),
                row["handshake_sec_ago"] is not None and row["handshake_sec_ago"] < 180, row)
    for node in report["nodes"]:
        c.claim("%s is Ready" % node["name"], node["ready"])
        c.claim("%s: hearthd's Private_Dirty is at most 4 MiB" % node["name"], node["hearthd"]["private_dirty_kib"] <= 4096,
                node["hearthd"])
    image = report["image"]
    c.claim("kernel + stage 1 are at most 25 MB", image["kernel_bytes"] + image["stage1_bytes"] <= 25e6, image)
    c.claim("the root file is at most 90 MB", image["root_bytes"] <= 90e6, image)


def check_pods(c, line):
    pods = line.pods()
    for source in pods:
        for target in pods:
            if source is target:
                continue
            def reach():
                said = line.kubectl("exec", "-n", "hearth-demo", source["metadata"]["name"], "--", "/web", "get",
                                    target["status"].get("podIP", "no-address"), "8080")
                return target["spec"]["nodeName"] in said and "sovereign.example.org" in said
            c.claim("the pod on %s reaches the pod on %s" % (source["spec"]["nodeName"], target["spec"]["nodeName"]), reach)


def check_flags(c, line, report):
    config = line.first.exec("cat", "/etc/rancher/k3s/config.yaml")
    for key, value in CONFIG.items():
        c.claim("config.yaml says %s: %s" % (key, value),
                re.search(r'^"?%s"?:\s*"?%s"?\s*$' % (key, str(value).lower()), config, re.M), config)
    for what in DISABLED:
        c.claim("config.yaml disables " + what, re.search(r'^\s*-\s*"?%s"?\s*$|disable.*%s' % (what, what), config, re.M), config)
    for component, flags in FLAGS.items():
        running = [row for row in report["components"] if row["name"] == component]
        for flag in flags:
            c.claim("%s runs with %s" % (component, flag),
                    running and all(any(word.lstrip("-") == flag for word in row["argv"]) for row in running),
                    [row["argv"] for row in running] or report["components"])
    both = [row["node"] for row in report["components"] if row["name"] == "kubelet"]
    c.claim("a kubelet runs on both", sorted(both) == ["first", "second"], both)


def check_absent(c, line):
    everything = line.kubectl("get", "pods,daemonsets,deployments,services,storageclasses", "-A", "-o", "name").lower()
    for machine in line.machines:
        everything += machine.sh("ps -eo args; ls /sys/class/net").lower()
    for what in ["traefik", "servicelb", "svclb", "local-path", "flannel"]:
        c.claim("nothing of %s runs" % what, not any(what in text and "flannel-backend" not in text and "hearth" not in text
                                                    for text in everything.splitlines()),
                lambda what=what: [text for text in everything.splitlines() if what in text])


def secrets_of(line):
    """Every secret of the run, by name, the way it is written down."""
    found = {}
    seed = open(line.site.region.seed_path()).read()
    found["join token"] = re.search(r"hjt_[A-Za-z0-9]+", seed).group(0)
    for machine in line.machines:
        for what in ("token", "agent-token"):
            code, out, _ = machine.exec("sh", "-c", "tail -n +2 /state/hearth/secrets/%s" % what, check=False)
            if code == 0 and out.strip():
                text = out.strip().strip('"')
                found["%s of %s" % (what, machine.name)] = text.split(":")[-1].strip('"} \n')
        found["WireGuard key of " + machine.name] = machine.exec("cat", "/state/hearth/identity/wg.key").strip()
        key = machine.sh("cat /state/hearth/identity/node.key")
        found["node key of " + machine.name] = next(text for text in key.splitlines() if len(text) == 64 and "hearth" not in text)
        code, out, _ = machine.exec("sh", "-c", "sed -n 's/.*password: *//p' /etc/rancher/k3s/registries.yaml", check=False)
        if code == 0 and out.strip():
            found["pull password"] = out.strip().splitlines()[0].strip("\"'")
    init = open(line.site.region.dir + ".init.txt").read()
    for text in re.findall(r"(?im)^\s*(?:password|passphrase)\s+(\S+)", init):
        found["what init showed once: " + text[:3] + "..."] = text
    return {name: text for name, text in found.items() if len(text) >= 8}


def check_secrets(c, line):
    secrets, places = secrets_of(line), {}
    c.claim("the run has its secrets to search for", len(secrets) >= 7, sorted(secrets))
    places["the region's log"] = open(line.site.region.log_path, errors="replace").read()
    places["the region's command line"] = open("/proc/%d/cmdline" % line.site.region.process.pid).read()
    places["hearth-region list"] = line.site.region.admin("list", "--json")
    places["hearth-region audit"] = line.site.region.admin("audit")
    for machine in line.machines:
        places["console of " + machine.name] = machine.console()
        for name, script in {
                "journal": "journalctl -b --no-pager -o cat", "command lines": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
                "kernel command line": "cat /proc/cmdline", "logs": "cat /var/log/*.log /var/log/pods/*/*/*.log 2>/dev/null; true",
                "assignment": "cat /state/hearth/assignment.json", "D-Bus": "busctl --system call io.hearth.Agent1 /io/hearth/Agent1 "
                "org.freedesktop.DBus.Properties GetAll s io.hearth.Agent1", "status": "hearthctl status --json; cat /run/hearth/*.json",
                "environment of units": "cat /run/hearth/k3s.env; systemctl show k3s k3s-agent hearthd -p Environment -p ExecStart"}.items():
            places["%s of %s" % (name, machine.name)] = machine.exec("sh", "-c", script, check=False, timeout=120)[1]
    for name, text in sorted(places.items()):
        if not c.claim("there is something to search in: " + name, len(text) > 10, repr(text)):
            continue
        hits = [secret for secret, value in secrets.items() if value in text]
        c.claim("no secret is in " + name, not hits, hits)


def ready_again(line, since, timeout_sec=420):
    """Both Ready, by leases renewed after @since, and hearthd steady or waiting for the region only."""
    def look():
        nodes = line.nodes()
        fresh = [labs.node_ready(n) and any(cond["type"] == "Ready" and time.mktime(time.strptime(
            cond["lastHeartbeatTime"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone >= since - 5 for cond in n["status"]["conditions"])
            for n in nodes]
        return len(fresh) == 2 and all(fresh)
    return line.watch("both nodes to be Ready again", timeout_sec, look)


def check_region_away(c, line):
    names = {m.name: m.status()["name"] for m in line.machines}
    keys = {m.name: m.exec("sha256sum", "/state/hearth/identity/node.key") for m in line.machines}
    line.site.region.stop()
    since = time.time()
    for machine in line.machines:
        machine.power("cut")
        machine.power("on")
    c.claim("region off, both machines rebooted: both Ready again", lambda: ready_again(line, since))
    for machine in line.machines:
        def warned():
            status = machine.status()
            return any("region" in warning for warning in status["warnings"]) and status["phase"] in ("steady", "bootstrap")
        c.claim("%s says the region is missing as a warning, not as its phase" % machine.name,
                lambda: labs.wait_for("the warning", 120, warned), lambda: machine.status())
        c.claim("%s kept its name and key" % machine.name, machine.status()["name"] == names[machine.name] and
                machine.exec("sha256sum", "/state/hearth/identity/node.key") == keys[machine.name])
    line.site.region.start()
    for machine in line.machines:
        c.claim("%s: the warning goes when the region is back" % machine.name, lambda: labs.wait_for(
            "no warning", 120, lambda: not any("region" in w for w in machine.status()["warnings"])), lambda: machine.status())


def check_kills(c, line):
    for machine in line.machines:
        before = machine.sh("systemctl show -P MainPID hearthd").strip()
        machine.sh("kill -9 %s" % before)
        c.claim("%s: hearthd killed by -9 is back and steady" % machine.name, lambda: labs.wait_for(
            "another hearthd", 90, lambda: machine.sh("systemctl show -P MainPID hearthd").strip() not in (before, "0") and
            machine.status()["phase"] == "steady"), lambda: machine.status())
    line.site.region.stop(signal.SIGKILL)
    line.site.region.start()
    c.claim("region killed by -9 knows both nodes", lambda: len(line.statuses()) == 2)
    c.claim("both stay Ready", lambda: all(labs.node_ready(n) for n in line.nodes()))


def check_mesh_keys(c, line):
    names = {name: known["name"] for name, known in line.statuses().items()}
    at = {node["metadata"]["name"]: next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
          for node in line.nodes()}
    mesh_keys.check(c, line.site.region, line.machines, names, {m.name: at[names[m.name]] for m in line.machines})
    c.claim("both stay Ready", lambda: all(labs.node_ready(n) for n in line.nodes()))


def test(c, bin_folder, cache, folder):
    line = lines.Line(bin_folder, cache, folder, c.say)
    boot_cache = labs.BootCache(line.site.region)
    try:
        line.start(boot_cache.url)
        line.approve_second()
        line.wait_ready()
        check_nodes(c, line)
        check_pods(c, line)
        report = line.report() # what hearthd takes is what it takes when it has been steady for some seconds
        check_report(c, report)
        check_flags(c, line, report)
        check_absent(c, line)
        check_mesh_keys(c, line)
        check_secrets(c, line)
        check_kills(c, line)
        check_region_away(c, line)
        c.claim("the second machine booted from the site's cache meanwhile", boot_cache.n_served_alone > 0)
        if c.claim("the workload runs on both again", lambda: labs.wait_for("pods", 180, lambda: len(
                [p for p in line.pods() if p["status"].get("podIP") and p["status"]["phase"] == "Running"]) == 2),
                lambda: line.kubectl("get", "events", "-n", "hearth-demo") + json.dumps([p["status"] for p in line.pods()])):
            check_pods(c, line)
    except Problem:
        line.explain_failure()
        raise
    finally:
        line.tear_down()
        boot_cache.stop()


checks.main("line", test)
