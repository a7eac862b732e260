#!/usr/bin/env python3
# Foreign disks in a real machine: each is refused by name on the console and stays as it is, byte for byte; a blank one
# beside them becomes STATE, whoever kills who makes it.
# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/integration")
import checks  # noqa: E402
import disks  # noqa: E402
import lab as labs  # noqa: E402
import parts  # noqa: E402

# the same disks that the unit test of hearth-state makes by the real tools
KINDS = {"ext4": (disks.ext4, "ext4"), "lvm": (disks.lvm, "LVM2_member"), "md": (disks.md, "linux_raid_member"),
         "luks": (disks.luks, "crypto_LUKS"), "backup-gpt": (disks.backup_gpt, "gpt")}


KILL_MAKER = """
while ! grep -q '"state": *"\\(disk\\|none\\)"' /run/hearth/state.json 2>/dev/null; do
	grep -q '"making"' /run/hearth/state.json 2>/dev/null && kill -9 $(pidof hearth-state) && echo killed && exit
	sleep 0.2
done
cat /run/hearth/state.json"""


def sum_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def test(c, bin_folder, cache, folder):
    image = parts.image(bin_folder, cache, None, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        # the machine has another key once it has a disk; on a normal day its token waits two minutes before it believes that
        site.region.init(enrolment={"takeoverSilenceSec": 1})
        site.region.start()
        with open(site.region.seed_path()) as f:
            seed = f.read()
        paths = {}
        for name, (maker, _) in KINDS.items():
            paths[name] = "%s/%s.raw" % (folder, name)
            with open(paths[name], "wb") as f:
                f.truncate(disks.SIZE)
            maker(paths[name])
        before = {name: sum_of(path) for name, path in paths.items()}

        def attach(*more):
            return list(more) + ["%s,serial=%s" % (path, name.upper()) for name, path in paths.items()]
        machine = site.guest("foreign", 11, seed, disk=attach())
        machine.start()
        c.claim("without a blank disk the machine says it cannot keep an identity",
                lambda: machine.wait_said("cannot keep an identity|no disk that", 240), lambda: machine.last())
        said = machine.sh("cat /run/hearth/state.json")
        devices = dict(reversed(text.split()) for text in machine.sh(
            "cd /sys/block; for d in vd*; do echo $d $(cat $d/serial); done").splitlines())
        for name, (_, kind) in KINDS.items():
            pattern = r"/dev/%s holds [^;]*\(%s\)" % (devices[name.upper()], kind)
            c.claim("%s is refused by name" % name, re.search(pattern, said), said)
            c.claim("%s is named on the console" % name, re.search(pattern, machine.console()), machine.last())
        c.claim("there is no STATE", '"state":"none"' in said.replace(" ", ""), said)
        machine.power("cut")
        for name, path in paths.items():
            c.claim("%s is untouched" % name, sum_of(path) == before[name])

        machine = site.guest("foreign", 11, seed, disk=attach("1G,serial=BLANK"))
        machine.start()
        machine.wait_answers()
        killed = machine.sh(KILL_MAKER, timeout=120)
        c.claim("hearth-state is killed while it makes STATE", "killed" in killed, killed)
        c.claim("with a blank disk beside them the machine enrols",
                lambda: labs.wait_for("enrolment", 240, lambda: machine.last()["phase"] in ("mesh", "k3s")), lambda: machine.last())
        c.claim("the blank disk is STATE", "BLANK" in machine.sh(
            "cat /sys/class/block/$(basename $(findmnt -no SOURCE /state) | sed 's/p\\?[0-9]*$//')/serial"))
        machine.sh("rm /run/hearth/state.json && systemctl restart hearth-state", timeout=120)
        mounts = machine.sh("cat /run/hearth/state.json; echo; grep -c ' /state ' /proc/mounts; grep -c ' /var/log ' /proc/mounts")
        c.claim("one that had mounted all and was killed before it said so has a successor", re.search(
            r'"state": *"disk"', mounts) and mounts.split()[-2:] == ["1", "1"], mounts)
        machine.power("cut")
        for name, path in paths.items():
            c.claim("%s is untouched beside a blank disk" % name, sum_of(path) == before[name])


checks.main("disk", test)
