# Reports of benchmarks: { bench, machine, commit, rows: [{ what, against, ours, theirs, unit, ratio, goal, met }] },
# printed as a table too. ratio is ours / theirs; goal is the largest ratio that is good enough.
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import os
import platform
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def options(name, pairs=None):
    """pairs: the default of --pairs, for a bench that boots machines in turn."""
    parser = argparse.ArgumentParser(prog="hearth bench " + name)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--report", metavar="FILE", help="write the rows as JSON")
    if pairs:
        parser.add_argument("--pairs", type=int, default=pairs, help="alternating pairs of machines (%d)" % pairs)
    return parser.parse_args()


def row(what, against, ours, theirs, unit, goal):
    ratio = ours / theirs
    return {"what": what, "against": against, "ours": round(ours, 2), "theirs": round(theirs, 2), "unit": unit,
            "ratio": round(ratio, 3), "goal": goal, "met": ratio <= goal}


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return "%s, %d cores" % (model, os.cpu_count())


def commit():
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip() or None


def publish(name, rows, path):
    print("\n  %-58s %-32s %12s %12s %-6s %7s %6s" % ("what", "against", "ours", "theirs", "unit", "ratio", "goal"))
    for r in rows:
        print("  %-58s %-32s %12.2f %12.2f %-6s %7.3f %6.2f  %s" % (
            r["what"], r["against"], r["ours"], r["theirs"], r["unit"], r["ratio"], r["goal"], "met" if r["met"] else "NOT met"))
    if path:
        with open(path, "w") as f:
            json.dump({"bench": name, "machine": machine(), "commit": commit(), "rows": rows}, f, indent=1)
            f.write("\n")
