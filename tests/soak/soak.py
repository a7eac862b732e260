# Long runs of the same kind of round, resumable: the report in docs/proof/NAME.json is also the state. Rounds of slices
# count together only when they ran the same image.
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/e2e")
import lab as labs  # noqa: E402
import line as lines  # noqa: E402
import parts  # noqa: E402
from parts import Problem  # noqa: E402

SLICE_SEC = 100 * 60
READY_EVERY = 10
FAILURES = (Problem, RuntimeError)  # what parts and lab say of a machine or a program that does not do what it should
UP = ("k3s", "cluster-network", "node-ready", "bootstrap", "steady")


def commit():
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "rev-parse", "--short", "HEAD"], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or "unknown"


def image_hash(folder):
    with open(folder + "/image.json") as f:
        return json.load(f)["rootSha256"]


class Round:
    """One region and one machine with a blank disk and a token for one use."""

    def __init__(self, soak, number):
        self.rng, self.number, self.ready = random.Random("%s-%d" % (soak.seed, number)), number, number % READY_EVERY == 0
        self.folder = lines.folder_of(soak.cache, "%s-%d" % (soak.name, number))
        self.site = labs.Site(soak.bin, soak.cache, self.folder, soak.full if self.ready else soak.plain)
        self.region, self.notes = self.site.region, []
        try:
            self.set_up()
        except FAILURES:
            self.site.tear_down()
            raise

    def set_up(self):
        if self.ready:
            self.site.publish()
        else:
            self.region.init()
        self.region.start()
        options = dict(memory=3072, cpus=2) if self.ready else {}
        with open(self.region.seed_path()) as f:
            self.machine = self.site.guest("node", 11, f.read(), disk="4G", **options)

    def note(self, text):
        self.notes.append(text)

    def entries(self):
        listed = self.region.list()
        return listed["nodes"], listed["enrolments"]

    def identity(self):
        return self.region.identity(self.machine.serial)

    def wait_up(self, timeout_sec=300):
        """Enrolled by its token, mesh up, in this start of the machine."""
        def up():
            last = self.machine.last()
            if last["code"]:
                raise RuntimeError("the token is wasted: the machine shows a code: " + last["sentence"])
            return last["phase"] in UP
        try:
            labs.wait_for("the machine to be enrolled with its mesh up", timeout_sec, up, 0.2)
        except RuntimeError as e:
            raise Problem(str(e)) from None

    def finish(self, identity):
        """Up again with the same identity; every tenth round goes on to Ready and steady."""
        self.wait_up()
        last = labs.wait_for("a durable identity", 60, self.identity)
        if identity and last != identity:
            raise Problem("the machine has another identity than before")
        nodes, _ = self.entries()
        if len(nodes) != 1 or nodes[0]["state"] != "approved":
            raise Problem("the region knows %s" % [(n["name"], n["state"]) for n in nodes])
        if self.ready:
            labs.wait_for("the machine to be steady", lines.BOOT_TIMEOUT_SEC, lambda: self.machine.last()["phase"] == "steady")

    def end(self, keep):
        self.site.tear_down()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class Soak:
    def __init__(self, name, play, kind=Round, rounds=50, report=None):
        parser = argparse.ArgumentParser(prog="hearth soak " + name)
        parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
        parser.add_argument("--cache", required=True, help=argparse.SUPPRESS)
        parser.add_argument("--rounds", type=int, default=rounds, help="rounds in all, those of earlier slices included")
        parser.add_argument("--seed", default="1", help="of the random moments")
        parser.add_argument("--report", default="%s/docs/proof/%s.json" % (TOP, report or name))
        options = parser.parse_args()
        self.kind = kind
        self.name, self.play, self.seed, self.rounds, self.report_path = name, play, options.seed, options.rounds, options.report
        self.bin, self.cache, self.begun = options.build + "/bin", options.cache, time.monotonic()
        self.tested = self.prepare()
        self.report = self.load()

    def prepare(self):
        """Make what every round needs; what is tested, of which rounds count together."""
        payload_folder, kubernetes = parts.payload(self.bin, self.cache, None, self.say)
        self.full = parts.image(self.bin, self.cache, payload_folder, self.say)
        self.plain = parts.image(self.bin, self.cache, None, self.say)
        return {"image": image_hash(self.full), "kubernetes": kubernetes}

    def say(self, text):
        print("[%6.0f s] %s" % (time.monotonic() - self.begun, text), flush=True)

    def load(self):
        fresh = {"soak": self.name, "machine": "%s, %d CPUs" % (platform.machine(), os.cpu_count()), **self.tested,
                 "seed": self.seed, "commit": commit(), "rounds": 0, "failures": []}
        try:
            with open(self.report_path) as f:
                old = json.load(f)
        except (OSError, ValueError):
            return fresh
        if all(old.get(key) == fresh[key] for key in [*self.tested, "seed"]):
            self.say("going on after round %d of an earlier slice" % old["rounds"])
            return old
        self.say("the earlier report is of other programs or another seed: starting anew")
        return fresh

    def save(self):
        self.report["date"] = time.strftime("%Y-%m-%d", time.gmtime())
        os.makedirs(os.path.dirname(self.report_path), exist_ok=True)
        with open(self.report_path + ".new", "w") as f:
            json.dump(self.report, f, indent=1)
            f.write("\n")
        os.rename(self.report_path + ".new", self.report_path)

    def run(self):
        while self.report["rounds"] < self.rounds and time.monotonic() - self.begun < SLICE_SEC:
            number, failure, one = self.report["rounds"] + 1, None, None
            try:
                one = self.kind(self, number)  # in the try: what never comes up is a failure, too
                self.play(one)
            except FAILURES as e:
                failure = str(e)
            finally:
                if one:
                    one.end(keep=failure is not None)
            self.report["rounds"] = number
            notes = one.notes if one else ["it never came up"]
            self.say("round %d%s: %s; %s" % (number, " (to Ready)" if one and one.ready else "", failure or "good", ", ".join(notes)))
            if failure:
                self.report["failures"].append({"round": number, "what": failure, "notes": notes})
                self.say("kept: " + (one.folder if one else "below " + self.cache + "/run"))
            self.save()
        self.say("%d rounds, %d failures; report: %s" % (self.report["rounds"], len(self.report["failures"]), self.report_path))
        return 1 if self.report["failures"] else 0
