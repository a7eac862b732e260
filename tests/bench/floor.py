# The floor of `./hearth bench platform`: the same machines, kernel, root and payload with a shell script in hearthd's
# place. Addresses, roles and order are written down before power on; nothing is asked, enrolled, decided or watched, and
# there is no mesh. What is left is what three Kubernetes servers cost.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import tempfile
import time

import lab as labs
import parts

SECRET = "floor0123456789"


def image(bin_folder, cache, payload_folder):
    """The lab image with the script in it."""
    source = os.path.dirname(os.path.abspath(__file__)) + "/floor"
    folder = os.path.join(cache, "images", "floor-" + parts.key_of([parts.TOP + "/image/recipes", parts.TOP + "/overlays", source,
                                                                    payload_folder]))
    if os.path.exists(folder + "/SHA256SUMS"):
        return folder
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(parts.TOP + "/image/recipes", work + "/image/recipes")
        shutil.copytree(parts.TOP + "/overlays", work + "/overlays", symlinks=True)
        shutil.copytree(source, work + "/overlays/floor")
        with open(work + "/image/recipes/floor.yaml", "w") as f:
            json.dump({"extends": "lab.yaml", "name": "floor", "overlays": ["floor"]}, f)
        parts.run([bin_folder + "/hearth-image", "build", work + "/image/recipes/floor.yaml", "--out", folder, "--payload",
                   payload_folder], env=dict(os.environ, HEARTH_CACHE=cache))
    return folder


class Floor:
    """Three servers as fast as the parts allow, one after the other as etcd demands."""

    def __init__(self, bin_folder, cache, folder, payload_folder, **machine):
        self.site = labs.Site(bin_folder, cache, folder, image(bin_folder, cache, payload_folder))
        self.payload_folder, self.nodes = payload_folder, []
        for number in (11, 12, 13):
            before = ["10.77.0.%d" % n for n in range(11, number)]
            seed = {"MAC": "52:54:77:00:00:%02x" % number, "ADDRESS": "10.77.0.%d" % number, "PODS": "10.64.%d.0/24" % (number - 11),
                    "ROLE": "server", "JOIN": before[0] if before else "", "TOKEN": SECRET, "BEFORE": " ".join(before)}
            text = "".join('%s="%s"\n' % pair for pair in seed.items())
            self.nodes.append(self.site.guest("floor-%d" % number, number, text, disk="4G", **machine))

    def ready_sec(self, timeout_sec=1200):
        """Seconds from power on to three Ready nodes, asked of the first server."""
        begun = time.monotonic()
        for node in self.nodes:
            node.start()
        ask = "/run/hearth/payload/bin/kubectl --kubeconfig /etc/rancher/k3s/k3s.yaml get nodes -o json"

        def ready():
            code, out, _ = self.nodes[0].exec("sh", "-c", ask, timeout=30, check=False)
            items = json.loads(out)["items"] if code == 0 else []
            return len(items) == len(self.nodes) and all(labs.node_ready(n) for n in items)
        labs.wait_for("three Ready servers of the floor", timeout_sec, ready, 3)
        return time.monotonic() - begun

    def tear_down(self):
        self.site.lab.down()
