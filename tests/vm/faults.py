# A kill or a power cut at a random moment of a change of the network: it ends in the network that was confirmed last or in
# the new one, never between. A small guest does the work; what it said of its network is compared here.
# SPDX-License-Identifier: Apache-2.0
import glob
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/netconf-cases")
import netstate  # noqa: E402
import networks  # noqa: E402

import debian  # noqa: E402

NAMES = sorted(name for name in os.listdir(os.path.dirname(HERE) + "/netplan") if name != "refused")
SETTLE_SEC = 60  # of a slow machine; how long it takes is no claim here
TRIES = 10  # for each moment that is to land inside a change
RANDOM = 0.4  # of the configurations; the others are those of tests/netplan
EARLY = 0.6  # the second time a change is quicker than the first time, which is measured
MODES_OF = {  # a bond keeps what it had of these in another mode, where it means nothing and cannot be set
    "ad_lacp_rate": ("802.3ad",), "ad_select": ("802.3ad",), "xmit_hash_policy": ("802.3ad", "balance-xor", "balance-tlb"),
    "packets_per_slave": ("balance-rr",), "primary_reselect": ("active-backup", "balance-tlb", "balance-alb"),
    "fail_over_mac": ("active-backup",)}
TRY_SEC, LONG_SEC = 4, 60  # of a trial that nobody confirms, of one that is confirmed


class Problem(Exception):
    pass


def said_differences(wanted, now):
    return "; ".join(netstate.differences(wanted, now))[:1500]


class Guest:
    """The small guest of netconf-initrd with a disk of its own, booted as often as wanted."""

    def __init__(self, work):
        self.work, self.boots, self.process = work, 0, None
        made = subprocess.run([HERE + "/netconf-initrd", HERE + "/netconf-cases/faults-init", work], capture_output=True, text=True,
                              check=False)
        if made.returncode == 77:
            print(made.stdout)
            sys.exit(77)
        if made.returncode:
            raise Problem("netconf-initrd: " + made.stdout + made.stderr)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", work + "/disk.raw", "64M"], check=True)

    def start(self):
        cards = []
        for i in range(4):
            cards += ["-netdev", debian.nowhere(self.work, i), "-device", "virtio-net-pci,netdev=n%d,mac=52:54:00:00:00:0%d" % (i, i)]
        path = self.work + "/line"
        for old in glob.glob(self.work + "/cable-*") + glob.glob(path):
            os.remove(old)
        self.boots += 1
        self.console = "%s/console-%d.log" % (self.work, self.boots)
        with open(self.console, "wb") as f:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "256", "-nodefaults",
                 "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", self.work + "/vmlinuz", "-initrd",
                 self.work + "/initrd", "-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check", *cards,
                 # writethrough: what the guest has synced is there after a power cut, and nothing else is promised
                 "-drive", "file=%s/disk.raw,if=virtio,format=raw,cache=writethrough" % self.work,
                 "-chardev", "socket,id=line,path=%s,server=on,wait=off" % path, "-device", "virtio-serial-pci",
                 "-device", "virtserialport,chardev=line,nr=1"], stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)
        end = time.monotonic() + 60
        self.line = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.line.connect(path)
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Problem("QEMU: " + self.last_words()) from None
                time.sleep(0.05)
        self.said = b""
        self.do("true", 900)

    def last_words(self):
        with open(self.console, errors="replace") as f:
            return f.read()[-2000:]

    def send(self, command):
        self.line.sendall(command.replace("\n", "; ").encode() + b"\n")

    def answer(self, seconds):
        end = time.monotonic() + seconds
        while True:
            found = re.search(rb"^@@ (\d+)\n", self.said, re.M)
            if found:
                text, self.said = self.said[:found.start()].decode(), self.said[found.end():]
                return int(found.group(1)), text
            self.line.settimeout(max(0.1, end - time.monotonic()))
            try:
                more = self.line.recv(65536)
            except OSError:  # its time is over, or QEMU is
                more = b""
            if not more:
                raise Problem("the guest does not answer: " + self.last_words())
            self.said += more

    def do(self, command, seconds=120, check=True):
        self.send(command)
        code, text = self.answer(seconds)
        if check and code:
            raise Problem("%s ended with %d: %s" % (command, code, text))
        return text

    def cut(self):
        """The power is cut."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.line.close()
            self.process = None


def read(text):
    shown, _, rest = text.partition("settings\n")
    settings, _, files = rest.partition("files\n")
    try:
        found = netstate.read(shown, link_local=False)
    except ValueError:
        raise Problem("this is no state: " + text[:2000]) from None
    for link in found["links"].values():
        data = link.get("linkinfo", {}).get("info_data", {})
        if data.get("stp_state"):  # while the tree changes a bridge forgets sooner
            data.pop("ageing_time", None)
        for option in [option for option, modes in MODES_OF.items() if data.get("mode") not in modes]:
            data.pop(option, None)
    up = {name for name, link in found["links"].items() if "UP" in link["flags"]}  # others begin anew when they are up again
    return dict(found, settings=[line for line in settings.splitlines() if line.partition("/")[0] in up],
                files=files.splitlines())


def any_ports(found):
    """Tunnels of tests/netplan say 51820, or none: then the kernel takes any."""
    return dict(found, wireguard=[re.sub(r"^(wg\d(?:\t\S+){2})\t(?!51820\t)\d+\t(\S+)$", r"\1\tany\t\2", line)
                                  for line in found["wireguard"]])


def no_moments():
    """How many landed inside a change (its journal was there), and of those with a kernel that is neither the one nor the other;
    and how many guards were killed inside their undoing."""
    return dict({what: dict.fromkeys(("inside", "between", "outside"), 0) for what in ("kill", "cut")}, undoing={"inside": 0, "outside": 0})


class Walk:
    """From one configuration to the next, each change disturbed once. @moments is counted up."""

    def __init__(self, guest, rng, moments):
        self.guest, self.rng, self.documents, self.moments = guest, rng, {}, moments
        self.folder = None
        self.networks, self.given = [], set()  # random ones: all that were, and those that the guest has since its start
        guest.start()
        self.apply(NAMES[0])

    def settled(self, wanted):
        """The state, once it is that one, or once the time is over."""
        end = time.monotonic() + SETTLE_SEC
        while True:
            now = read(self.guest.do("state"))
            if now == wanted or time.monotonic() > end:
                return now
            time.sleep(0.3)

    def confirmed(self):
        return self.guest.do("cat $folder/confirmed-network")

    def case(self, name):
        """The guest has it; its name."""
        if networks.is_random(name) and (self.guest.boots, name) not in self.given:
            self.guest.do("printf '%%s\\n' '%s' >/cases/%s" % (networks.document(name), name))
            self.given.add((self.guest.boots, name))
        return name

    def another(self):
        if self.rng.random() < RANDOM:
            self.networks.append(networks.new_name(self.rng))
            return self.networks[-1]
        return self.rng.choice([name for name in NAMES if name != self.name])

    def measure(self, change, document):
        """How long it takes and how long it prepares itself, in looks of the guest, the state then, and the document of it."""
        text = self.guest.do("%s && state && echo ++ && cat $folder/%s" % (change, document))
        found = re.search(r"^looks (\d+) (\d+)\n", text, re.M)  # what is waited for is said before it
        text, _, document = text[found.end():].partition("++\n")
        return int(found.group(1)), int(found.group(2)), read(text), document

    def apply(self, name, command="apply"):
        """The whole change, undisturbed: how long it (the end of its trial) takes and prepares itself, and the state then."""
        begin = "on_trial %s %d" % (self.case(name), LONG_SEC) if command == "confirm" else "put " + self.case(name)
        looks, early, after, document = self.measure("%s; of_change %s" % (begin, command), "confirmed-network")
        self.name, self.documents[name] = name, document
        return looks, early, after

    def try_and_revert(self, name):
        """The same of a trial, undisturbed, which leaves nothing behind."""
        before = read(self.guest.do("state"))
        looks, early, after, document = self.measure("put %s; of_trial %d" % (self.case(name), LONG_SEC), "tried-network")
        self.documents[name] = document
        self.guest.do("reverted")
        now = self.settled(before)
        if now != before:
            raise Problem("%s -> %s, reverted: %s" % (self.name, name, said_differences(before, now)))
        return looks, early, after, before

    def keep_in(self, folder):
        if self.folder != (self.guest.boots, folder):
            self.guest.do("folder=%s; put %s; net apply" % (folder, self.case(self.name)))
            self.folder = (self.guest.boots, folder)

    def prepare(self, command="apply", clean=False):
        """The next configuration, its state and how long the change to it takes; and the state before it, again. clean: each from the
        start. What `apply` does not name any more a card may keep; what is undone leaves nothing."""
        if "lan0" in self.guest.do("echo /sys/class/net/*"):  # of a set-name: it would hide the card from all that come later
            self.guest.do("clean")
            self.apply("nothing.yaml")
        old, new = self.name, self.another()
        if not clean and command != "confirm":
            looks, early, after, before = self.try_and_revert(new)
            return old, before, new, after, looks, early
        if clean:
            self.guest.do("clean")
        looks, early, after = self.apply(new, command)
        if clean:
            self.guest.do("clean")
        _, _, before = self.apply(old)
        return old, before, new, after, looks, early

    def stop(self, what, when, command, before, after):
        text, _, inside = self.guest.do("stopped_at %s %s; true" % (when, command)).partition("inside")
        now = read(text)
        between = inside and now not in (before, after)
        for moment, is_there in (("inside", inside), ("between", between), ("outside", not inside)):
            self.moments[what][moment] += bool(is_there)
        return "between the two" if between else "inside the change" if inside else "outside the change"

    def judge(self, how, old, before, new, after, may_be_new=True):
        """What is confirmed is what there is."""
        confirmed = self.confirmed()
        if confirmed not in (self.documents[old], self.documents[new]):
            raise Problem(how + ": neither of the two is confirmed")
        self.name, wanted = (new, after) if confirmed == self.documents[new] else (old, before)
        if self.name == new and not may_be_new:
            raise Problem(how + ": nobody confirmed it, but it is confirmed")
        now = self.settled(wanted)
        if self.name == new:  # made in another change than @wanted: a tunnel without a port of its own has another one
            wanted, now = any_ports(wanted), any_ports(now)
        if now != wanted:
            raise Problem("%s: %s is confirmed, but: %s" % (how, self.name, said_differences(wanted, now)))
        return "%s: %s" % (how, "the new one" if self.name == new else "the old one")

    def disturb(self, what):
        """Kills or cuts until one lands inside a change; a line for each."""
        for _ in range(TRIES):
            landed = self.moments[what]["inside"]
            yield self.kill() if what == "kill" else self.cut()
            if self.moments[what]["inside"] > landed:
                return
        raise Problem("too few moments inside a change: %s" % self.moments)

    def kill(self):
        """One kill -9, and what a machine does after it; what it was, and how it ended."""
        self.keep_in("/run/net")  # nothing there waits for a disk: most of a change is what the kernel does
        command = self.rng.choice(("apply", "apply", "apply", "try", "try", "confirm"))
        who = self.rng.choice(("it alone", "both", "both", "one by one"))
        old, before, new, after, looks, early = self.prepare(command if command == "confirm" else "apply")
        again = int(looks * self.rng.random())
        when = self.rng.choice(("early %d" % (early * self.rng.random()), *["changing %d" % (looks * EARLY * self.rng.random())] * 5))
        self.guest.do("on_trial %s %d" % (self.case(new), TRY_SEC) if command == "confirm" else "put " + self.case(new))
        moment = self.stop("kill", when, "try --timeout %d" % TRY_SEC if command == "try" else command, before, after)
        how = "%s -> %s: kill -9 of %s%s, %s of %d and %d, %s" % (
            old, new, command, " and its guard" * (who == "both"), when, early, looks, moment)
        if who == "it alone":
            self.guest.do("kill_it; guarded", 300)
        elif who == "both":
            self.guest.do("kill_it both; recovered %d" % again, 300)
        else:
            undoing = int(looks * self.rng.random())
            inside = "inside" in self.guest.do("kill_it; guarded_in_vain %d" % undoing)
            self.moments["undoing"]["inside" if inside else "outside"] += 1
            how += ", then of its guard at %d, %s the undoing" % (undoing, "inside" if inside else "outside")
            self.guest.do("recovered %d" % again, 300)
        return self.judge(how, old, before, new, after, command != "try")

    def cut(self):
        """One power cut, and the next start."""
        self.keep_in("/state/net")
        old, before, new, after, looks, _ = self.prepare(clean=True)
        limit = int(looks * EARLY * self.rng.random())
        self.guest.do("put " + self.case(new))
        moment = self.stop("cut", "changing %d" % limit, "apply", before, after)
        self.guest.cut()
        self.guest.start()
        how = "%s -> %s: power cut at %d of %d, %s" % (old, new, limit, looks, moment)
        undone = "undone" in self.guest.do("net recover")
        stands = self.confirmed() == self.documents[new]
        if moment != "outside the change" and not stands and not undone:
            raise Problem(how + ": recover undid nothing")
        if not undone:
            self.apply(new if stands else old)  # as a start does with the confirmed network
        return self.judge(how, old, before, new, after)
