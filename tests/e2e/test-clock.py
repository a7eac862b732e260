#!/usr/bin/env python3
# Wrong clocks: machines in 1970, in 2100, and 40 days after the end of a node's certificate take the region's time and go
# on; a region whose own clock cannot be right refuses to start, and no node is harmed.
# SPDX-License-Identifier: Apache-2.0
import datetime
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import parts  # noqa: E402

GONE_ON = ("mesh", "k3s")


def goes_on(machine, timeout_sec=240):
    return labs.wait_for("%s to be enrolled with its mesh up" % machine.name, timeout_sec,
                         lambda: machine.last()["phase"] in GONE_ON)


def off_by(machine):
    return abs(int(machine.sh("date +%s")) - time.time())


def shift_last_time(region, days):
    """What a region remembers of time, moved: the same to it as its own clock moved the other way."""
    parts.run(["sqlite3", region.dir + "/region.db",
               "update meta set value = value + %d where key = 'lastTimeSec'" % (days * 86400)])


def test(c, bin_folder, cache, folder):
    image = parts.image(bin_folder, cache, None, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        region = site.region
        region.init()
        region.start()
        past = site.guest("past", 11, region.seed(token=True), clock="1970-01-01")
        future = site.guest("future", 12, region.seed(token=True), clock="2100-01-01")
        for machine in (past, future):
            machine.start()
        for machine in (past, future):
            c.claim("a machine in the %s enrols" % machine.name, lambda: goes_on(machine), lambda: machine.last())
            c.claim("it has the region's time afterwards", lambda: off_by(machine) < 60)
        key = past.exec("sha256sum", "/state/hearth/identity/node.key")

        later = datetime.date.today() + datetime.timedelta(days=70)  # certificates live 30 days
        past.power("cut")
        past = site.guest("past", 11, region.seed(), clock=later.isoformat())
        past.start()
        c.claim("40 days after the end of its certificate a node goes on", lambda: goes_on(past), lambda: past.last())
        c.claim("with the same identity", past.exec("sha256sum", "/state/hearth/identity/node.key") == key)
        # it works on from its stored assignment at once; the region's hello is seconds behind
        c.claim("and soon the region's time", lambda: labs.wait_for("the right time", 60, lambda: off_by(past) < 60))

        region.stop()
        shift_last_time(region, -40)
        refusal = subprocess.run([region.program, "serve", "--dir", region.dir, "--listen", "127.0.0.1:%d" % region.port,
                                  "--boot-listen", "none"], capture_output=True, text=True, timeout=30, check=False)
        c.claim("a region whose clock leapt 40 days refuses to start", refusal.returncode not in (0, None), refusal.returncode)
        c.claim("and says what to do", "clock accept" in refusal.stderr, refusal.stderr)
        for machine in (past, future):
            c.claim("%s is not harmed" % machine.name, lambda: machine.status()["phase"] in GONE_ON, lambda: machine.status())
        shift_last_time(region, 40)
        region.start()
        for machine in (past, future):
            c.claim("%s: the region is back, nothing is warned of" % machine.name, lambda: labs.wait_for(
                "no warning", 120, lambda: not any("silent" in w for w in machine.status()["warnings"])), lambda: machine.status())


checks.main("clock", test)
