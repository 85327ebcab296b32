#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kill what an instance is made of, at random, in a burst of short jobs.

    chaos.py --kills=50 --jobs=2000 [--hosts=node1,node2,...] [--seed=N] [--what=rank,exec,...]

Without --hosts: an instance of four virtual nodes on this machine.  With them: of these hosts of
the test cluster, started on "head".  After each kill the instance is given time to be whole again.
In the end each job must have ended once: completed, or failed for the loss of its node; and each
run of a job that was not its last must be told by a requeue event.  TAP on stdout.
"""
import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.realpath(__file__))
cluster = os.path.join(here, "cluster")


class Machine:
    """Where processes are found and killed: this machine, or hosts of the cluster."""

    def __init__(self, hosts):
        self.hosts = hosts

    def pids(self, host):
        if not self.hosts:
            return [int(p) for p in os.listdir("/proc") if p.isdigit()]
        out = subprocess.run([cluster, "pids", host], capture_output=True, text=True)
        return [int(p) for p in out.stdout.split()]

    @staticmethod
    def command(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return f.read().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []

    def find(self, host, program, word):
        """Processes on HOST that run PROGRAM and have WORD in their arguments."""
        found = []
        for pid in self.pids(host):
            argv = self.command(pid)
            if argv and os.path.basename(argv[0]).startswith(program) and \
                    any(word in a for a in argv[1:]):
                found.append(pid)
        return found


def tap(ok, name, more=""):
    tap.count += 1
    print(("ok" if ok else "not ok"), tap.count, "-", name, flush=True)
    for line in more.splitlines()[:60]:
        print("#", line, flush=True)
    tap.failed += not ok


tap.count = tap.failed = 0


class Chaos:
    def __init__(self, args):
        self.args = args
        self.hosts = args.hosts.split(",") if args.hosts else []
        self.machine = Machine(self.hosts)
        self.dir = args.dir
        self.random = random.Random(args.seed)
        self.env = dict(os.environ)
        self.booting = 0
        self.on = [cluster, "exec", "head"] if self.hosts else []

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        program = (f'echo "$HBATCH_URI" >{self.path("uri.new")}; '
                   f'mv {self.path("uri.new")} {self.path("uri")}; '
                   f'while [ ! -e {self.path("end")} ]; do sleep 0.1; done')
        if self.hosts:
            where = ["--hosts=" + ",".join(self.hosts)]
        else:
            where = ["--test-nodes=4", "--test-topology=pack:1 core:4 pu:1"]
        self.err = open(self.path("err"), "w")
        self.instance = subprocess.Popen(
            self.on + ["hbatch", "start"] + where + ["sh", "-c", program],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.log, daemon=True).start()
        until = time.monotonic() + 30
        while not os.path.exists(self.path("uri")):
            if time.monotonic() > until or self.instance.poll() is not None:
                raise SystemExit("Bail out! the instance did not start")
            time.sleep(0.05)
        with open(self.path("uri")) as f:
            self.uri = f.read().strip()
        self.rundir = os.path.dirname(self.uri[len("local://"):])
        self.env["HBATCH_URI"] = self.uri

    def log(self):
        for line in self.instance.stdout:
            self.err.write(time.strftime("%X ") + line.decode(errors="replace"))
            self.err.flush()

    def hbatch(self, *args, timeout=120):
        command = self.on + ["env", "HBATCH_URI=" + self.uri, "hbatch", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              env=self.env)

    def submit(self):
        script = self.path("job")
        with open(script, "w") as f:
            f.write(f'#!/bin/sh\necho "$HBATCH_JOB_ID b $(date +%s.%N)" >>{self.path("log")}\n'
                    f'sleep {self.args.sleep}\n'
                    f'echo "$HBATCH_JOB_ID e" >>{self.path("log")}\n')
        os.chmod(script, 0o755)
        singles = self.args.jobs // 10
        out = self.hbatch("submit", f"--cc=1-{self.args.jobs - singles}", script)
        ids = out.stdout.split()
        for _ in range(singles):
            out = self.hbatch("submit", script)
            ids += out.stdout.split()
        return ids

    # --- kills

    def targets(self):
        what = []
        dir = self.rundir
        for host in self.hosts or [""]:
            what += [("rank", host, p) for p in
                     self.machine.find(host, "hbatch-instance", dir)]
            what += [("exec", host, p) for p in self.machine.find(host, "hbatch-exec", dir)]
            if host:
                what += [("orted", host, p) for p in self.machine.find(host, "orted", "")]
        for p in self.machine.find("head", "mpirun", dir):
            what += [("mpirun", "head" if self.hosts else "", p)]
        for host in self.hosts[1:]:
            what += [("host", host, 0)]
        kinds = self.args.what.split(",")
        return [w for w in what if w[0] in kinds]

    def kill(self):
        targets = self.targets()
        kinds = sorted({t[0] for t in targets})
        if not kinds:
            return None
        kind = self.random.choice(kinds)  # each kind as often as another
        target = self.random.choice([t for t in targets if t[0] == kind])
        if kind == "host":
            self.booting += 1
            subprocess.run([cluster, "kill", target[1]], check=True, capture_output=True)
            threading.Timer(self.random.random() * 8, self.boot, [target[1]]).start()
        else:
            try:
                os.kill(target[2], signal.SIGKILL)
            except ProcessLookupError:
                pass
        return target

    def boot(self, host):
        subprocess.run([cluster, "boot", host], check=True, capture_output=True)
        self.booting -= 1

    def whole(self):
        if self.booting > 0:
            return False
        out = self.hbatch("resource", "list", "-s", "down", "-no", "{nnodes}", timeout=90)
        return out.returncode == 0 and out.stdout.split() == ["0"]

    def await_whole(self):
        began = time.monotonic()
        while not self.whole():
            if time.monotonic() - began > self.args.patience:
                return None
            time.sleep(0.1)
        return time.monotonic() - began

    def state(self):
        """What the instance says of its nodes, or why it does not, and what runs for it."""
        out = self.hbatch("resource", "list", timeout=90)
        return f"exit code {out.returncode}, {self.booting} hosts boot\n" + out.stdout + out.stderr + \
            "\n".join(self.strays())

    # --- the end

    def check(self, ids):
        runs, ends = collections.Counter(), collections.Counter()
        with open(self.path("log")) as f:
            for line in f:
                words = line.replace("ƒ", "f").split()  # as the submitter's locale has it
                if len(words) > 1:
                    (runs if words[1] == "b" else ends)[words[0]] += 1
        out = self.hbatch("jobs", "-a", "--json", "-c", "0")
        if out.returncode != 0:
            tap(False, "the jobs can be listed", out.stderr)
            return
        jobs = json.loads(out.stdout)
        jobs = jobs["jobs"] if isinstance(jobs, dict) else jobs
        by_id = {str(j["id"]): j for j in jobs}
        results = collections.Counter(j.get("result") for j in jobs)
        print("# results:", dict(results), "runs:", sum(runs.values()))
        tap(len(jobs) == len(ids), f"each of {len(ids)} jobs is known once",
            f"{len(jobs)} are known")
        active = [i for i, j in by_id.items() if j.get("state") != "INACTIVE"]
        tap(not active, "all are over", "\n".join(active[:20]))
        wrong = []
        for j in jobs:
            kind = (j.get("exception") or {}).get("type")
            if not (j.get("result") == "COMPLETED" or
                    (j.get("result") == "FAILED" and kind == "node-failure")):
                wrong.append(json.dumps(j))
        tap(not wrong, "they completed, or failed for the loss of a node", "\n".join(wrong[:5]))
        twice, never = [], []
        out = self.hbatch("job", "id", "--to=f58plain", *by_id.keys()) if by_id else None
        names = dict(zip(by_id.keys(), out.stdout.split())) if out else {}
        for i, j in by_id.items():
            n = runs[names.get(i, i)]
            if n > 1:
                log = self.hbatch("job", "eventlog", i).stdout
                if log.count("requeue") < n - 1:
                    twice.append(f"{names.get(i)}: {n} runs\n{log}")
            if j.get("result") == "COMPLETED" and ends[names.get(i, i)] == 0:
                never.append(i)
        tap(not twice, "none ran again without a requeue event", "\n".join(twice[:3]))
        tap(not never, "those that completed did run to their end", "\n".join([names.get(i, i) for i in never[:20]] +
                      [self.hbatch("job", "eventlog", i).stdout for i in never[:2]]))

    def strays(self):
        left = []
        for host in (self.hosts + ["head"]) if self.hosts else [""]:
            for pid in self.machine.pids(host):
                argv = self.machine.command(pid)
                if any(self.rundir in a or self.dir in a for a in argv[1:]) and \
                        pid != os.getpid() and "chaos.py" not in " ".join(argv):
                    left.append(f"{host} {pid} {' '.join(argv)[:150]}")
        return left

    def run(self):
        self.start()
        ids = self.submit()
        tap(len(ids) == self.args.jobs, f"{self.args.jobs} jobs are accepted")
        times, kills = [], collections.Counter()
        for i in range(self.args.kills):
            target = self.kill()
            if not target:
                time.sleep(0.5)
                continue
            kills[target[0]] += 1
            took = self.await_whole()
            print(f"# {time.strftime('%X')} kill {i + 1}: {' '.join(map(str, target))}: "
                  f"whole after {'-' if took is None else format(took, '.1f')} s", flush=True)
            if took is None:
                tap(False, f"the instance is whole again after kill {i + 1} ({' '.join(map(str, target))})",
                    self.state())
                break
            times.append(took)
            time.sleep(self.random.random() * self.args.pause)
        print("# kills:", dict(kills))
        times.sort()
        if times:
            print(f"# whole again: median {times[len(times) // 2]:.1f} s, worst {times[-1]:.1f} s")
        try:
            out = self.hbatch("job", "wait", "--all", timeout=self.args.limit)
            over = True
        except subprocess.TimeoutExpired:
            over = False
        tap(over, "the jobs come to an end")
        self.check(ids)
        open(self.path("end"), "w").close()
        try:
            rc = self.instance.wait(60)
        except subprocess.TimeoutExpired:
            rc = None
            self.instance.kill()
        tap(rc == 0, "the instance ends with its program", f"exit code {rc}")
        until = time.monotonic() + 60
        while self.strays() and time.monotonic() < until:
            time.sleep(0.5)
        tap(not self.strays(), "no process is left", "\n".join(self.strays()))
        if not self.hosts:
            tap(not os.path.exists(self.rundir), "nor a run directory")
        if tap.failed:
            with open(self.path("err")) as f:
                for line in f.read().splitlines()[-80:]:
                    print("#", line)
        print(f"1..{tap.count}")
        return 1 if tap.failed else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--jobs", type=int, default=2000)
    p.add_argument("--sleep", default="0.5")
    p.add_argument("--hosts", default="")
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--what", default="rank,exec,mpirun,orted,host")
    p.add_argument("--pause", type=float, default=1.0)
    p.add_argument("--patience", type=float, default=60)
    p.add_argument("--limit", type=float, default=300)
    p.add_argument("--dir", required=True)
    args = p.parse_args()
    print("# seed", args.seed, flush=True)
    return Chaos(args).run()


sys.exit(main())
