# What the e2e tests say and count: one line per claim, all claims are tried, the exit code tells.
# SPDX-License-Identifier: Apache-2.0
import argparse
import os
import shutil
import signal
import sys
import time
import traceback

import line as lines
import parts
from parts import Problem


SKIPPED = 77  # as ctest knows it


class TooSlow(Exception):
    """This machine has no time for the rest; the test is skipped when all claims until then hold."""


class Checks:
    def __init__(self, name):
        self.name, self.begun, self.n_good, self.failed = name, time.monotonic(), 0, []

    def say(self, text):
        print("[%6.1f s] %s" % (time.monotonic() - self.begun, text), flush=True)

    def claim(self, text, holds, otherwise=""):
        """One claim: holds is a truth value, or something to call that gives one or raises a Problem."""
        try:
            good = holds() if callable(holds) else holds
        except Problem as e:
            good, why = False, otherwise
            otherwise = str(e) + (": " + str(why()) if callable(why) else "")
        if good:
            self.n_good += 1
            self.say("ok      " + text)
        else:
            self.failed.append(text)
            self.say("FAILED  %s%s" % (text, ": " + str(otherwise() if callable(otherwise) else otherwise)[:6000] if otherwise else ""))
        return bool(good)

    def end(self):
        self.say("%d claims hold, %d do not" % (self.n_good, len(self.failed)))
        for text in self.failed:
            print("  does not hold: " + text)
        return 1 if self.failed or not self.n_good else 0


def programs():
    bin_folder = os.environ.get("HEARTH_BIN") or parts.TOP + "/build/release/bin"
    cache = os.environ.get("HEARTH_CACHE") or os.path.expanduser("~/.cache/hearth")
    return bin_folder, cache


def main(name, test):
    """Run test(checks, bin, cache, folder, options) with a fresh folder that is thrown away when all claims hold."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    options = parser.parse_args()
    bin_folder, cache = programs()
    checks, folder, code = Checks(name), lines.folder_of(cache, name), 1

    def end(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)
    try:
        test(checks, bin_folder, cache, folder)
        code = checks.end()
    except TooSlow as e:
        checks.say("skipped: " + str(e))
        code = checks.end() or SKIPPED
    except Problem as e:
        checks.claim("the test runs to its end", False, e)
        checks.end()
    except KeyboardInterrupt:
        checks.say("ended from outside")
    except Exception:
        traceback.print_exc()
    if code in (0, SKIPPED) and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        checks.say("kept: " + folder)
    sys.exit(code)
