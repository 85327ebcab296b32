#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""hbatch's figures beside their yardsticks, in one run; see README here."""
import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import bursts
import depend
import figures as one_node
import hosts
import clifigures
import pyfigures
import ranks
import sub
from figures import Bench
from measure import Failure, Instance, Skip, Timer, cores

FIGURES = {**one_node.FIGURES, **bursts.FIGURES, **depend.FIGURES, **pyfigures.FIGURES, **clifigures.FIGURES, **ranks.FIGURES, **hosts.FIGURES, **sub.FIGURES}

COMPARE = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}


def parse():
    here = os.path.dirname(os.path.realpath(__file__))
    srcdir = os.path.dirname(os.path.dirname(here))
    parser = argparse.ArgumentParser(description=__doc__, prog="bench.py")
    parser.add_argument("figures", nargs="*", metavar="FIGURE",
                        help="only these; a name, or the part before its dot (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names of the figures")
    parser.add_argument("--rounds", type=int, default=40, metavar="N",
                        help="how often each command is run, in turns (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="few rounds and small bursts: to see that all works")
    parser.add_argument("--long", action="store_true",
                        help="burst.flat up to a million jobs, which takes about ten minutes")
    parser.add_argument("--plot", metavar="FILE",
                        help="draw burst.flat's rate against the number of jobs (SVG, by gnuplot)")
    parser.add_argument("--strict", action="store_true",
                        help="exit with status 1 if a target is missed")
    parser.add_argument("--costs", action="store_true",
                        help="print what each figure is made of as well")
    parser.add_argument("--json", metavar="FILE",
                        help="where to write the figures as JSON (default: bench.json in the "
                        "build tree)")
    parser.add_argument("--builddir", default=os.environ.get("HBATCH_BUILDDIR", srcdir),
                        metavar="DIR", help="the build tree (default: $HBATCH_BUILDDIR)")
    args = parser.parse_args()
    if args.plot and not shutil.which("gnuplot"):  # not after minutes of measuring
        parser.error("--plot: gnuplot is not here: install the Debian package gnuplot-nox")
    args.srcdir = srcdir
    args.names = [name for name in FIGURES if not args.figures or
                  any(name == f or name.startswith(f + ".") for f in args.figures)]
    for f in args.figures:
        if not any(name == f or name.startswith(f + ".") for name in FIGURES):
            parser.error(f"{f}: no such figure; there are {', '.join(FIGURES)}")
    if not 1 <= args.rounds <= 100000:
        parser.error(f"--rounds={args.rounds}: must be from 1 to 100000")
    if args.quick:
        args.rounds = min(args.rounds, 3)
    args.builddir = os.path.abspath(args.builddir)
    args.json = args.json or os.path.join(args.builddir, "bench.json")
    return args


# --- the machine ----------------------------------------------------------------------------------

def first_line(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.splitlines() or [""])[0]


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    facts = {"host": platform.node(), "cores": cores(), "processor": model,
             "kernel": f"{platform.system()} {platform.release()}", "load": os.getloadavg()[0]}
    if shutil.which("mpirun.openmpi"):
        facts["openmpi"] = (first_line("mpirun.openmpi", "--version") or "?").split()[-1]
    if shutil.which("mpichversion"):
        facts["mpich"] = (first_line("mpichversion") or "?").split()[-1]
    return facts


# --- results -----------------------------------------------------------------------------------------

def judge(line, value):
    """Turn the target of a figure or of a yardstick into JSON, with whether it is met."""
    if line.get("target"):
        op, wanted = line["target"]
        line["target"] = {"op": op, "value": wanted}
        line["met"] = COMPARE[op](value, wanted)


def measure(bench, name):
    title, function = FIGURES[name]
    figure = {"figure": name, "title": title}
    try:
        figure.update(function(bench))
    except Skip as why:
        figure["skipped"] = str(why)
        return figure
    except Failure as why:
        figure["failed"] = str(why)
        return figure
    judge(figure, figure["value"])
    for line in figure.setdefault("yardsticks", []):
        judge(line, line["ratio"])
    return figure


def number(value, unit=""):
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}{' ' if unit and unit[0] != '/' else ''}{unit}"


def verdict(line):
    if "target" not in line:
        return ""
    target = line["target"]
    return f"{target['op']} {target['value']:g} {'met' if line['met'] else 'MISSED'}"


ROW = "{:<70} {:>12} {:>12} {:>6}  {}"


def show(figure, costs):
    name = f"{figure['figure']}: {figure['title']}"
    for why in ("skipped", "failed"):
        if why in figure:
            print(f"{name:<70} {why}: {figure[why]}\n", flush=True)
            return
    unit = figure["unit"]
    print(ROW.format(name, number(figure["value"], unit), "", "", verdict(figure)).rstrip())
    for line in figure["yardsticks"]:
        print(ROW.format("    " + line["name"], "", number(line["value"], unit),
                         f"{line['ratio']:.2f}", verdict(line)).rstrip())
    if figure.get("note"):
        print(f"    ({figure['note']})")
    if costs:
        for what, value in figure.get("costs", {}).items():
            print(f"        {what:<58} {number(value):>12}")
    print(flush=True)


def targets_of(figure):
    return [line for line in [figure, *figure.get("yardsticks", [])] if "target" in line]


def main():
    args = parse()
    if args.list:
        for name in FIGURES:
            print(f"{name:<20} {FIGURES[name][0]}")
        return 0
    hbatch = os.path.join(args.builddir, "bin", "hbatch")
    if not os.access(hbatch, os.X_OK):
        print(f"bench.py: {hbatch} is not there: build first, or name the build tree with "
              "--builddir", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the instance is ended
    os.environ["PATH"] = f"{args.builddir}/bin:{os.environ['PATH']}"
    facts = machine()
    print(f"{facts['cores']} cores of {facts['processor']}, {facts['kernel']}, load "
          f"{facts['load']:.1f}; {args.rounds} rounds, in turns; medians\n")
    print(ROW.format("", "hbatch", "yardstick", "ratio", "target") + "\n", flush=True)

    bench = Bench(args,
                  lambda: Instance(hbatch).__enter__(),
                  Timer(os.path.join(args.builddir, "tests/bench/timeit")))
    figures = []
    try:
        for name in args.names:
            figures.append(measure(bench, name))
            show(figures[-1], args.costs)
    finally:
        if bench.opened:
            bench.opened.__exit__()

    targets = [line for figure in figures for line in targets_of(figure)]
    missed = sum(not line["met"] for line in targets)
    failed = sum("failed" in figure for figure in figures)
    skipped = sum("skipped" in figure for figure in figures)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "time": time.time(), "machine": facts, "rounds": args.rounds,
                   "quick": args.quick, "figures": figures, "targets": len(targets),
                   "missed": missed, "failed": failed, "skipped": skipped}, file, indent=1)
        file.write("\n")
    print(f"{len(targets) - missed} of {len(targets)} targets met, {failed} figures failed, "
          f"{skipped} skipped; all of it is in {args.json}")
    return 1 if failed or (args.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
