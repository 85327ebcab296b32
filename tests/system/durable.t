#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What an instance with a state directory has accepted is not lost, and ends once, whatever dies when.

A burst of jobs is submitted to one life after the other; in the middle of it, at a random moment, the leader, the
executor, or everything is killed by SIGKILL, or the power is cut: a copy of the directory as it is at that moment
is what the next life begins with.  Each task adds a line to a file before it ends.  Then:
  - each life begins: the store opens;
  - each submission that was acknowledged is there, and at the end each of its jobs is over;
  - a job that the store says has ended has no run that begins later, and its result stays what it was;
  - a job that may not run twice (which is said when it is submitted) has at most one line; one that is COMPLETED, at
    least one; an element of an array is COMPLETED in the end.
HBATCH_DURABLE_ROUNDS (10) and HBATCH_DURABLE_SEED choose a longer run, or the same once more."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
build = os.environ.get("HBATCH_BUILDDIR") or (
    src + "/build" if os.access(src + "/build/bin/hbatch", os.X_OK) else src)
os.environ["PATH"] = build + "/bin:" + os.environ["PATH"]
os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                  OMPI_MCA_rmaps_base_oversubscribe="1", LC_ALL="C.UTF-8")
os.environ.pop("HBATCH_URI", None)
ROUNDS = int(os.environ.get("HBATCH_DURABLE_ROUNDS", "10"))
SEED = int(os.environ.get("HBATCH_DURABLE_SEED", random.randrange(1 << 30)))
LIMIT = 60  # s, for anything that should take one
MARK = "DURABLE_MARK=%d.%d" % (os.getpid(), int(time.time()))
rng = random.Random(SEED)
tmp = tempfile.mkdtemp(prefix="hbatch-durable.")
os.environ["TMPDIR"] = tmp
os.environ.update([MARK.split("=")])
lines = tmp + "/lines"
script = tmp + "/task"
tests = failed = 0


def check(good, name, why=""):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, name), flush=True)
    if not good and why:
        print("# " + str(why)[:3000].replace("\n", "\n# "), flush=True)


def note(text):
    print("# " + text, flush=True)


def processes():
    """Of this test: (pid, name)."""
    found = []
    for pid in os.listdir("/proc"):
        try:
            if not pid.isdigit() or int(pid) == os.getpid():
                continue
            with open("/proc/%s/environ" % pid, "rb") as f:
                if MARK.encode() not in f.read().split(b"\0"):
                    continue
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                name = os.path.basename(f.read().split(b"\0")[0]).decode(errors="replace")
            found.append((int(pid), name))
        except OSError:
            pass
    return found


def send(signum, names=None):
    for pid, name in processes():
        if names is None or name in names:
            try:
                os.kill(pid, signum)
            except OSError:
                pass


def kill_all():
    # one whose task dies before it does would tell that the task was killed: then it has failed
    send(signal.SIGSTOP, ("hbatch-instance", "hbatch-exec"))
    while processes_alive():
        send(signal.SIGKILL)
        time.sleep(0.01)


def processes_alive():
    alive = []
    for pid, name in processes():
        try:
            with open("/proc/%d/stat" % pid) as f:
                if f.read().rpartition(")")[2].split()[0] not in "ZX":
                    alive.append((pid, name))
        except OSError:
            pass
    return alive


def hbatch(*args, uri=None):
    env = dict(os.environ)
    if uri:
        env["HBATCH_URI"] = uri
    return subprocess.run(["hbatch", *args], env=env, text=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, capture_output=True)


class Life:
    """An instance with the directory STATE."""

    def __init__(self, state, nodes=1):
        self.state, self.nodes = state, nodes
        uri = tmp + "/uri"
        if os.path.exists(uri):
            os.remove(uri)
        command = ["hbatch", "start", "--statedir=" + state, "--uri-file=" + uri,
                   "--test-topology=core:4 pu:1",
                   "--durability=" + rng.choice(["normal", "full"])]
        if nodes > 1:
            command += ["--test-nodes=%d" % nodes]
        self.log = open(tmp + "/log", "w+")
        self.process = subprocess.Popen(command + ["sleep", "100000"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        until = time.monotonic() + LIMIT
        self.uri = None
        while not self.uri and time.monotonic() < until and self.process.poll() is None:
            if os.path.exists(uri):
                with open(uri) as f:
                    self.uri = f.read().strip()
            time.sleep(0.005)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def history(self):
        """{id: (state, result)} of all jobs, or None."""
        r = hbatch("jobs", "-a", "--count=0", "-n", "-o", "{id.f58plain} {state} {result}", uri=self.uri)
        if r.returncode:
            return None
        jobs = {}
        for line in r.stdout.splitlines():
            job, state, *result = line.split()
            if job in jobs:
                check(False, "job %s is there once" % job)
            jobs[job] = (state, result[0] if result else "")
        return jobs


class Burst(threading.Thread):
    """Submits to a life until it dies."""

    def __init__(self, life, accepted):
        super().__init__(daemon=True)
        self.life, self.accepted, self.over, self.rng = life, accepted, False, random.Random(rng.random())

    def submit(self, kind, *args):
        try:
            r = hbatch("submit", *args, uri=self.life.uri)
        except subprocess.TimeoutExpired:
            return None
        ids = ["f" + i[1:] for i in r.stdout.split()]
        for i in ids:  # printed: acknowledged
            self.accepted[i] = kind
        return ids[0] if ids else None

    def run(self):
        before = len(self.accepted)
        while not self.over and len(self.accepted) < before + 150:
            kind = self.rng.choice(["array", "once", "again", "after"])
            if kind == "array":
                self.submit("array", "-n1", "--cc=1-%d" % self.rng.choice([3, 10, 30]), script)
            elif kind == "once":
                self.submit("once", "-n1", script)
            elif kind == "again":
                self.submit("again", "-n1", "-o", "requeue", script)
            else:
                first = self.submit("again", "-n1", "-o", "requeue", script)
                if first:
                    self.submit("once", "-n1", "--dependency=afterany:" + first, script)


def runs():
    """{id: lines that its tasks have written}"""
    count = {}
    with open(lines) as f:
        for line in f:
            job = "f" + line.split()[0][1:]
            count[job] = count.get(job, 0) + 1
    return count


def compare(past, ended_runs, jobs, what):
    """JOBS, of a life that has begun, against the PAST ones, and the runs of those that had ended."""
    wrong = [(j, past[j], jobs.get(j)) for j in past
             if past[j][0] == "INACTIVE" and jobs.get(j) != past[j]]
    if wrong:
        check(False, "%s: what has ended stays so" % what, wrong[:5])
    now = runs()
    wrong = [(j, n, now.get(j, 0)) for j, n in ended_runs.items() if now.get(j, 0) != n]
    if wrong:
        check(False, "%s: what has ended does not run again" % what, wrong[:5])


def look(life, past, ended_runs, accepted, what):
    """A life has begun: what does it know?"""
    jobs = life.history() if life.uri else None
    if jobs is None:
        check(False, "%s: the next life begins" % what, life.said())
        return None
    compare(past, ended_runs, jobs, what)
    lost = [j for j in accepted if j not in jobs]
    if lost:
        check(False, "%s: what was accepted is there" % what, lost[:5])
    return jobs


def cut_power(state):
    """The directory as it is at this moment, and nothing else is left."""
    global copies
    copies += 1
    send(signal.SIGSTOP, ("hbatch-instance", "hbatch-exec"))
    copy = "%s/state%d" % (tmp, copies)
    shutil.copytree(state, copy)
    kill_all()
    shutil.rmtree(state)
    return copy


copies = 0
print("# seed %d, %d rounds" % (SEED, ROUNDS), flush=True)
open(lines, "w").close()
with open(script, "w") as f:
    f.write("#!/bin/sh\n"
            "echo \"$HBATCH_JOB_ID $HBATCH_JOB_CC\" >>%s\n"
            "case $$ in *[02468]) exec sleep 0.0$(($$ %% 10)) ;; esac\n" % lines)
os.chmod(script, 0o755)
os.environ["HBATCH_RECONNECT_TIMEOUT"] = "0"
os.environ["HBATCH_LOSS_TIMEOUT"] = "60s"  # the machine may be busy

accepted, past, ended_runs, count = {}, {}, {}, {}
state, life = tmp + "/state", None
try:
    for turn in range(ROUNDS):
        how = rng.choice(["leader", "executor", "all", "all", "power"])
        nodes = 2 if rng.random() < 0.1 else 1
        if not life:
            life = Life(state, nodes)
        jobs = look(life, past, ended_runs, accepted, "round %d" % turn)
        if jobs is None:
            break
        past, now = jobs, runs()
        ended_runs = {j: now.get(j, 0) for j in jobs if jobs[j][0] == "INACTIVE"}
        burst = Burst(life, accepted)
        burst.start()
        time.sleep(rng.random() * 0.6)  # the moment is the test
        if life.nodes > 1 and how == "leader":
            how = "all"  # hbatch start would start the leader again
        count[how] = count.get(how, 0) + 1
        if how == "executor":
            send(signal.SIGKILL, ("hbatch-exec",))
            time.sleep(rng.random() * 0.1)
        elif how == "leader":
            send(signal.SIGKILL, ("hbatch-instance",))
        elif how == "all":
            kill_all()
        else:
            state = cut_power(state)
        burst.over = True
        burst.join(LIMIT)
        if how != "executor":
            life.process.wait(LIMIT)
            life = None
    if life is None:
        life = Life(state)
    jobs = look(life, past, ended_runs, accepted, "the last life")
    until = time.monotonic() + LIMIT + ROUNDS
    while jobs and any(s != "INACTIVE" for s, r in jobs.values()) and time.monotonic() < until:
        time.sleep(0.2)
        jobs = life.history()
    jobs = jobs or {}
    now = runs()
    kills = ", ".join("%d times %s" % (n, how) for how, n in sorted(count.items()))
    check(turn == ROUNDS - 1 and sum(count.values()) == ROUNDS, "each life began: killed %s" % kills)
    check(len(accepted) > ROUNDS, "%d jobs were accepted in bursts" % len(accepted))
    wrong = [(j, jobs.get(j)) for j in accepted if jobs.get(j, ("",))[0] != "INACTIVE"]
    check(not wrong, "each of them has ended", wrong[:5])
    kind = lambda j: accepted.get(j, "not told")
    wrong = [j for j in jobs if jobs[j][1] == "COMPLETED" and now.get(j, 0) < 1]
    check(not wrong, "each that is COMPLETED did run", wrong[:5])
    wrong = [(j, now[j]) for j in now if kind(j) == "once" and now[j] > 1]
    check(not wrong, "none that may not run twice did", wrong[:5])
    wrong = [(j, kind(j), jobs[j]) for j in jobs
             if kind(j) in ("array", "again") and jobs[j][1] != "COMPLETED"]
    logs = [hbatch("job", "eventlog", w[0], uri=life.uri).stdout for w in wrong[:2]]
    check(not wrong, "each that may run again is COMPLETED", "\n".join(map(str, wrong[:5] + logs)))
    wrong = [j for j in now if j not in jobs]
    check(not wrong, "none ran that the store does not know", wrong[:5])
    again = sum(1 for j in now if now[j] > 1)
    failed_once = sum(1 for j in jobs if kind(j) == "once" and jobs[j][1] == "FAILED")
    note("%d jobs in the store; %d ran more than once; %d were lost in their only run" % (
        len(jobs), again, failed_once))
finally:
    if life:
        hbatch("shutdown", "--now", uri=life.uri)
    kill_all()
    shutil.rmtree(tmp, ignore_errors=True)
check(not failed, "all in all (HBATCH_DURABLE_SEED=%d)" % SEED)
print("1..%d" % tests)
sys.exit(failed > 0)
