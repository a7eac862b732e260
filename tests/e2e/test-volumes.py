#!/usr/bin/env python3
# Local volumes in a real machine, with the assignment in its seed: a share of STATE and a disk are made, mounted, and come
# back with their data after the power was cut; a disk that was being made is made again; a foreign one is refused in one
# sentence and stays as it is, byte for byte; what no assignment names any more is kept.
# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/integration")
import checks  # noqa: E402
import disks  # noqa: E402
import lab as labs  # noqa: E402
import parts  # noqa: E402

MARK = b"HEARTH-VOL is being made on this disk (a power cut came in between).\n"
VOL0 = {"name": "vol0", "source": "state", "bytes": 128 << 20}
DISKS = {"disk0": "DATA", "disk1": "HALF", "disk2": "FOREIGN"}


def seed(volumes):
    return json.dumps({"version": 1, "assignment": {
        "node": {"name": "n1"}, "cluster": {"name": "c"}, "role": "server",
        "storage": {"kind": "static", "class": "hearth-local", "volumes": volumes}}})


def sum_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def blank(path, data=()):
    with open(path, "wb") as f:
        f.truncate(disks.SIZE)
        for offset, one in data:
            f.seek(offset)
            f.write(one)
    return path


def answered(machine, check, timeout_sec=240):
    def look():
        code, out, _ = machine.exec("cat", "/run/hearth/volumes.json", timeout=20, check=False)
        volumes = json.loads(out)["volumes"] if code == 0 and out else {}
        return volumes if check(volumes) else None
    return labs.wait_for("the volumes", timeout_sec, look)


def test(c, bin_folder, cache, folder):
    image = parts.image(bin_folder, cache, None, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        data = blank(folder + "/data.raw")
        half = blank(folder + "/half.raw", [(0, MARK), (2 << 20, b"x" * 5000)])
        foreign = blank(folder + "/foreign.raw")
        disks.ext4(foreign)
        before = sum_of(foreign)
        attach = ["2G,serial=STATE", data + ",serial=DATA", half + ",serial=HALF", foreign + ",serial=FOREIGN"]

        named = [VOL0] + [{"name": name, "source": "disk", "serial": serial} for name, serial in DISKS.items()]
        machine = site.guest("volumes", 11, seed(named), disk=attach)
        machine.start()
        got = {}
        c.claim("a share of STATE and two disks become volumes",
                lambda: got.update(answered(machine, lambda v: len(v) == 4)) or all(got[n]["ready"] for n in ("vol0", "disk0", "disk1")),
                lambda: got or machine.last())
        c.claim("the share has the size that was asked for", got["vol0"]["bytes"] == VOL0["bytes"], got["vol0"])
        sentence = got["disk2"]["sentence"]
        c.claim("the foreign disk is refused by name, with what is on it",
                not got["disk2"]["ready"] and re.search(r"/dev/vd. holds a file system \(ext4\).*serial FOREIGN.*never touched", sentence),
                sentence)
        c.claim("the node's status says the same", lambda: machine.status()["volumes"]["disk2"]["sentence"] == sentence and
                any(sentence in w for w in machine.status()["warnings"]), lambda: machine.status())
        paths = {name: "/var/lib/hearth/volumes/" + name for name in got}
        mounts = machine.sh("cat /proc/self/mounts")
        c.claim("each is a file system of its own, the refused one is not even a folder",
                all(re.search(r" %s ext4 .*nosuid" % paths[n], mounts) for n in ("vol0", "disk0", "disk1")) and
                machine.exec("test", "-e", paths["disk2"], check=False)[0] != 0, mounts)
        full, _, said = machine.exec("dd", "if=/dev/zero", "of=%s/big" % paths["vol0"], "bs=1M", timeout=240, check=False)
        c.claim("a full volume does not fill STATE", full != 0 and "No space left" in said and
                int(machine.sh("df --output=avail -B1M /state | tail -1")) > 1000, said)
        machine.sh("rm %s/big; for v in vol0 disk0 disk1; do echo data of $v > /var/lib/hearth/volumes/$v/file; done; sync" % paths["vol0"])
        machine.power("cut")
        c.claim("the foreign disk is untouched", sum_of(foreign) == before)

        # the next assignment names only the share
        machine = site.guest("volumes", 11, seed([VOL0]), disk=attach)
        machine.start()
        got.clear()
        c.claim("after a power cut everything is mounted again, also what is not named any more",
                lambda: got.update(answered(machine, lambda v: {"vol0", "disk0", "disk1"} <= set(v) and
                                            all(v[n]["ready"] for n in ("vol0", "disk0", "disk1")))) or True,
                lambda: got or machine.last())
        c.claim("... with its data", machine.sh("cat /var/lib/hearth/volumes/*/file").splitlines() ==
                ["data of disk0", "data of disk1", "data of vol0"])
        c.claim("what is not named is kept, and that is said", "is kept, with its data" in got["disk0"]["sentence"] and
                not got["vol0"]["sentence"], got)
        machine.sh("umount /var/lib/hearth/volumes/vol0; rm /state/hearth/volumes/vol0.img; sync")
        machine.power("cut")

        # a share that was ready and is gone is never made again
        machine = site.guest("volumes", 11, seed([VOL0]), disk=attach)
        machine.start()
        got.clear()
        c.claim("a volume whose data is gone is not made again in silence",
                lambda: got.update(answered(machine, lambda v: "vol0" in v)) or
                (not got["vol0"]["ready"] and "its file is gone, with its data" in got["vol0"]["sentence"]), lambda: got)
        machine.power("cut")
        c.claim("the foreign disk is untouched at the end", sum_of(foreign) == before)


checks.main("volumes", test)
