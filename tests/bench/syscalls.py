#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""System calls per job of the rank, the executor and the client, counted by strace in a warm
instance of one node; with --trace, where the time of one job goes, call by call."""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from measure import Failure, Instance, run


def parse():
    srcdir = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    parser = argparse.ArgumentParser(description=__doc__, prog="syscalls.py")
    parser.add_argument("what", choices=["run", "burst"],
                        help="N times hbatch run, or one hbatch submit --cc=1-N --wait")
    parser.add_argument("jobs", type=int, nargs="?", default=100, metavar="N")
    parser.add_argument("--trace", action="store_true",
                        help="print the calls of the last job with times, of all processes")
    parser.add_argument("--command", default="true", help="what the jobs run (default: true)")
    parser.add_argument("--builddir", default=os.environ.get("HBATCH_BUILDDIR", srcdir),
                        metavar="DIR", help="the build tree (default: $HBATCH_BUILDDIR)")
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("N: must be 1 or more")
    return args


class Strace:
    """Follows processes that run, or a command, into a file each."""

    def __init__(self, where, instance):
        self.files = {who: os.path.join(where, who) for who in instance.pids}
        self.files["client"] = os.path.join(where, "client")
        self.processes = []
        for who, pid in instance.pids.items():
            # -f would follow the tasks as well, and stop their start: threads only
            threads = [f"-p{tid}" for tid in os.listdir(f"/proc/{pid}/task")]
            self.processes.append(subprocess.Popen(
                ["strace", "-ttt", "-T", "-s", "64", "-y", "-o", self.files[who], *threads],
                stderr=subprocess.DEVNULL))
            while not self.attached(pid):
                if self.processes[-1].poll() is not None:
                    raise Failure("strace cannot attach to the instance")
                time.sleep(0.01)

    @staticmethod
    def attached(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return "\nTracerPid:\t0\n" not in file.read()

    def command(self, argv):
        return ["strace", "-A", "-ttt", "-T", "-s", "64", "-y", "-o", self.files["client"], *argv]

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()


def calls(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"^(?:\d+\s+)?([\d.]+) ([a-z_0-9]+)\(", line)
            if found:
                yield float(found[1]), found[2], line.rstrip("\n")


def main():
    args = parse()
    if not shutil.which("strace"):
        print("syscalls.py: strace is not here: install the Debian package strace",
              file=sys.stderr)
        return 2
    hbatch = os.path.join(os.path.abspath(args.builddir), "bin", "hbatch")
    with Instance(hbatch) as instance, tempfile.TemporaryDirectory() as where:
        def jobs(wrap):
            if args.what == "burst":
                run(wrap([hbatch, "submit", "--quiet", f"--cc=1-{args.jobs}", "--wait",
                          *args.command.split()]), instance.env, 600)
            else:
                for _ in range(args.jobs):
                    run(wrap([hbatch, "run", *args.command.split()]), instance.env)
        jobs(lambda argv: argv)
        instance.quiet()
        strace = Strace(where, instance)
        start = time.time()
        jobs(strace.command)
        strace.stop()

        counts = {who: collections.Counter() for who in strace.files}
        lines = []
        for who, path in strace.files.items():
            for at, name, line in calls(path):
                if at >= start:
                    counts[who][name] += 1
                    lines.append((at, who, line))
        if args.trace:
            lines.sort()
            first = max(at for at, who, line in lines if who == "client" and "execve(" in line)
            for at, who, line in lines:
                if at >= first:
                    text = re.sub(r"^(\d+\s+)?[\d.]+ ", "", line)
                    print(f"{(at - first) * 1e3:9.3f} {who:<9} {text}")
        for who, counter in counts.items():
            print(f"{who}: {sum(counter.values()) / args.jobs:.1f} calls a job")
            for name, n in counter.most_common(24):
                print(f"    {name:<20} {n / args.jobs:8.2f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as why:
        print(f"syscalls.py: {why}", file=sys.stderr)
        sys.exit(1)
