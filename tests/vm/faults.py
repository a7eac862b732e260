# A kill or a power cut at a random moment of a change of the network: it ends in the network that was confirmed last or in
# the new one, never between. A small guest does the work; what it said of its network is compared here.
# SPDX-License-Identifier: Apache-2.0
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/netconf-cases")
import netstate  # noqa: E402

NAMES = sorted(name for name in os.listdir(os.path.dirname(HERE) + "/netplan") if name != "refused")
SETTLE_SEC = 20


class Problem(Exception):
    pass


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
            cards += ["-netdev", "hubport,id=n%d,hubid=%d" % (i, i), "-device", "virtio-net-pci,netdev=n%d,mac=52:54:00:00:00:0%d" % (i, i)]
        path = self.work + "/line"
        if os.path.exists(path):
            os.remove(path)
        self.boots += 1
        self.console = "%s/console-%d.log" % (self.work, self.boots)
        with open(self.console, "wb") as f:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "512", "-nodefaults",
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
            except TimeoutError:
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
    return netstate.read(text, link_local=False)


def no_moments():
    return {what: dict.fromkeys(("before", "in", "after"), 0) for what in ("kill", "cut")}


class Walk:
    """From one configuration to the next, each change disturbed once. @moments is counted up."""

    def __init__(self, guest, rng, moments):
        self.guest, self.rng, self.documents, self.moments = guest, rng, {}, moments
        guest.start()
        self.apply(NAMES[0])

    def state(self):
        return read(self.guest.do("state"))

    def settled(self, wanted):
        """The state, once it is that one, or once the time is over."""
        end = time.monotonic() + SETTLE_SEC
        while True:
            now = self.state()
            if now == wanted or time.monotonic() > end:
                return now
            time.sleep(0.3)

    def confirmed(self):
        return self.guest.do("cat /state/net/confirmed-network")

    def apply(self, name):
        """The whole change, undisturbed: how many seconds it takes in the guest."""
        found = re.search(r"from ([\d.]+) to ([\d.]+)", self.guest.do("whole " + name))
        self.name, self.documents[name] = name, self.confirmed()
        return float(found.group(2)) - float(found.group(1))

    def prepare(self):
        """The next configuration, its state and how long the change to it takes; then back again."""
        if "lan0" in self.guest.do("echo /sys/class/net/*"):  # of a set-name: it would hide the card from all that come later
            self.guest.do("echo 'network: {version: 2}' >/tmp/nothing.yaml; net apply --file /tmp/nothing.yaml && "
                          "ip link set lan0 down && ip link set lan0 name eth1")
            self.apply("nothing.yaml")
        old, new = self.name, self.rng.choice([name for name in NAMES if name != self.name])
        begun = time.monotonic()
        inside_sec = self.apply(new)
        outside_sec, after = time.monotonic() - begun, self.state()
        self.apply(old)
        return old, self.state(), new, after, inside_sec, outside_sec

    def judge(self, how, old, before, new, after):
        """What is confirmed is what there is."""
        confirmed = self.confirmed()
        if confirmed not in (self.documents[old], self.documents[new]):
            raise Problem(how + ": neither of the two is confirmed")
        self.name, wanted = (new, after) if confirmed == self.documents[new] else (old, before)
        return self.compare(how, wanted, new)

    def compare(self, how, wanted, new):
        now = self.settled(wanted)
        if now != wanted:
            raise Problem("%s: %s is confirmed, but: %s" % (how, self.name, "; ".join(netstate.differences(wanted, now))[:1500]))
        return "%s: %s" % (how, "the new one" if self.name == new else "the old one")

    def kill(self):
        """One kill -9; what it was, and how it ended."""
        old, before, new, after, inside_sec, _ = self.prepare()
        command, both, try_sec = self.rng.choice(("apply", "apply", "apply", "try", "try", "confirm")), self.rng.random() < 0.4, int(2 + 3 * inside_sec)
        since = "start" if command == "confirm" else self.rng.choice(("start", "journal"))  # the latter is where changes are
        wait_sec = self.rng.uniform(0, inside_sec if since == "start" else inside_sec / 2)
        self.guest.do("on_trial %s %d" % (new, try_sec) if command == "confirm" else "put " + new)
        text = self.guest.do("stopped_at %.3f %s %s" % (wait_sec, since, "try --timeout %d" % try_sec if command == "try" else command))
        now = read(text)
        moment = "before" if now == before else "after" if now == after else "in"
        self.moments["kill"][moment] += 1
        self.guest.do("kill_it both; recovered %.3f" % self.rng.uniform(0, inside_sec) if both else "kill_it; guarded", 300)
        return self.judge("%s -> %s: kill -9 of %s%s %.2f s after its %s, %s the change" % (
            old, new, command, " and its guard" if both else "", wait_sec, since, moment), old, before, new, after)

    def cut(self):
        """One power cut."""
        old, _, new, _, _, outside_sec = self.prepare()
        wait_sec = self.rng.uniform(0, outside_sec)
        self.guest.send("whole " + new)
        time.sleep(wait_sec)
        self.guest.cut()
        self.guest.start()
        begun = "there" in self.guest.do("if journal; then echo there; fi")
        said, stands = self.guest.do("net recover"), self.confirmed() == self.documents[new]
        moment = "after" if stands else "in" if begun else "before"
        self.moments["cut"][moment] += 1
        how = "%s -> %s: power cut after %.2f of %.2f s, %s the change" % (old, new, wait_sec, outside_sec, moment)
        if not begun or stands:
            self.apply(new if stands else old)  # as a start does with the confirmed network
        elif "undone" not in said:
            raise Problem(how + ": recover said: " + said)
        found = self.state()
        self.guest.cut()
        self.guest.start()
        self.guest.do("rm -rf /state/net")  # a machine that never knew the other one
        self.apply(new if stands else old)
        return self.compare(how, found, new)
