# SPDX-License-Identifier: BSD-3-Clause
"""Figures of instances of several ranks: virtual nodes on this machine."""
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../system"))
# pylint: disable=wrong-import-position
import raw
from figures import beside, mpirun, need, yardstick
from measure import Failure, Instance, cpu_seconds, children, run


def virtual(bench, n, topology="core:2 pu:1"):
    need("mpirun.openmpi", "openmpi-bin")
    return Instance(bench.hbatch, [bench.hbatch, "start", f"--test-nodes={n}",
                                   f"--test-topology={topology}"])


def timed(function, *args):
    start = time.monotonic()
    function(*args)
    return time.monotonic() - start


def quantiles(seconds):
    """What the timer tells of a command, of a list of times."""
    seconds = sorted(seconds)
    return {"median": statistics.median(seconds), "min": seconds[0],
            "p90": seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]}


# --- waiting ------------------------------------------------------------------------------------------

def idle(bench, instance):
    """The rank that takes most, with its executor."""
    instance.quiet()
    span = 1 if bench.quick else 15
    pids = dict(instance.pids)
    pids.update((name, pid) for pid, name in children(instance.process.pid) if "mpirun" in name)
    began, before = time.monotonic(), {who: cpu_seconds(pid) for who, pid in pids.items()}
    time.sleep(span)
    took = time.monotonic() - began
    share = {who: 100 * (cpu_seconds(pid) - before[who]) / took for who, pid in pids.items()}
    both = [share[who] + share[who.replace("rank", "executor")] for who in pids if "rank" in who]
    return {"value": max(both), "unit": "%", "target": ("<", 0.5), "note": "the busiest one",
            "costs": {f"{who} %": value for who, value in share.items()}}


def idle_ranks(bench):
    with virtual(bench, 4) as instance:
        return idle(bench, instance)


def after_rest(bench, request):
    """REQUEST when nothing has happened for more than 3 s, and the same while all are awake."""
    resting, awake = [], []
    for i in range(2 if bench.quick else 12):
        time.sleep(3 + 0.037 * i)  # not in step with what comes each second
        resting.append(timed(request))
        awake += [timed(request) for _ in range(3)]
    return [quantiles(resting), quantiles(awake)]


def wake_first(bench):
    with virtual(bench, 4) as instance:
        def request():
            client = raw.Client(instance.env_at(3)["HBATCH_URI"])
            client.reply(client.call("job.stats"))
            client.close()
        results = after_rest(bench, request)
    return beside({"target": ("<=", 25), "costs": {"p90 ms": results[0]["p90"] * 1e3}},
                  ["when all are awake"], results, [None])


def wake_run(bench):
    with virtual(bench, 4) as instance:
        results = after_rest(bench, lambda: run(
            [bench.hbatch, "run", "--requires=rank:2", "true"], instance.env_at(3)))
    return beside({"target": ("<=", 25), "costs": {"p90 ms": results[0]["p90"] * 1e3}},
                  ["when all are awake"], results, [None])


# --- traffic ------------------------------------------------------------------------------------------

class Traffic:
    """A job each 30 ms, on rank 1, while a `with` lasts."""

    def __init__(self, bench, instance):
        self.argv = [bench.hbatch, "run", "--requires=rank:1", "true"]
        self.env = instance.env
        self.over = threading.Event()
        self.jobs = self.failed = 0
        self.thread = threading.Thread(target=self.flow)

    def flow(self):
        while not self.over.wait(0.03):
            status = subprocess.call(self.argv, env=self.env, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.jobs += 1
            self.failed += status != 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        self.thread.join()


def traffic(rank):
    def figure(bench):
        ours = [bench.hbatch, "run", "--requires=rank:2", "true"]
        one = ["env", f"HBATCH_URI={bench.instance.env['HBATCH_URI']}", bench.hbatch, "run", "true"]
        with virtual(bench, 4) as instance, Traffic(bench, instance) as other:
            env = instance.env_at(rank)
            results = bench.timer([ours, one], bench.rounds, env)
        if other.failed:
            raise Failure(f"{other.failed} of {other.jobs} jobs failed that were to be traffic")
        return beside({"target": ("<=", 10), "note": f"beside {other.jobs} other jobs"},
                      ["hbatch run true in an instance of one node, then"], results, [None])
    return figure


# --- many ranks ---------------------------------------------------------------------------------------

def stop(instance):
    """End it as its program would; Failure if it does not end well."""
    instance.process.stdin.close()
    status = instance.process.wait(120)
    if status != 0 or instance.said():
        raise Failure(f"an instance of many ranks left with status {status}, and said "
                      f"'{instance.said()}'")


def many(bench):
    n, njobs = (8, 50) if bench.quick else (64, 1000)
    program = bench.mpi_program("openmpi")
    theirs = timed(run, mpirun(n) + [program, "0"])
    began = time.monotonic()
    with virtual(bench, n, "core:1 pu:1") as instance:
        start = time.monotonic() - began
        jobs = timed(run, [bench.hbatch, "submit", "--quiet", f"--cc=1-{njobs}", "--wait", "true"],
                     instance.env)
        client = raw.Client(instance.env_at(n - 1)["HBATCH_URI"])
        stats = client.reply(client.call("job.stats"))
        client.close()
        if stats["completed"] != njobs + 1:  # the first warms up
            raise Failure(f"{stats['completed']} jobs completed, not {njobs + 1}")
        end = timed(stop, instance)
    ours = time.monotonic() - began
    return {"value": ours, "unit": "s",
            "note": f"{n} ranks; start {start:.1f} s, {njobs} jobs {jobs:.1f} s, stop {end:.1f} s",
            "yardsticks": [yardstick(f"mpirun -n {n}, MPI_Init and MPI_Finalize", theirs,
                                     ours / theirs)]}


# --- the volume of the leader's messages --------------------------------------------------------------

def counted(instance):
    client = raw.Client(instance.env["HBATCH_URI"])
    all_of_it = client.reply(client.call("instance.info"))["traffic"]
    client.close()
    return {f"{part} {what}": number for part, numbers in all_of_it.items()
            for what, number in numbers.items()}


def volume_of(bench, n):
    """What the leader sends for each job: single ones on the last node, and an array on all."""
    single, burst = (5, 50) if bench.quick else (100, 2000)
    with virtual(bench, n, "core:4 pu:1") as instance:
        def singles():
            for _ in range(single):
                run([bench.hbatch, "run", f"--requires=rank:{n - 1}", "true"], instance.env)

        def array():
            run([bench.hbatch, "submit", "--quiet", f"--cc=1-{burst}", "--wait", "true"],
                instance.env)

        def per_job(function, njobs):
            time.sleep(0.5)  # what confirms the last jobs has gone
            before = counted(instance)
            function()
            time.sleep(0.5)
            return {k: (v - before[k]) / njobs for k, v in counted(instance).items()}
        return per_job(singles, single), per_job(array, burst)


def volume_bytes(bench):
    """All bytes of single jobs, those of the state stream's lines too."""
    figure = volume(0, None, None)(bench)
    total = {}
    for what, number in figure["costs"].items():
        if "sent bytes" in what or "epochs bytes" in what:
            n = int(what.split()[0])
            total[n] = total.get(n, 0) + number
    most = max(total)
    return {"value": total[most], "unit": "B", "note": f"of {most} ranks",
            "yardsticks": [yardstick(f"of {n} ranks", total[n], total[most] / total[n],
                                     ("<=", 1.15) if n == 2 else None)
                           for n in sorted(total) if n < most]}


def volume(which, target, ratio):
    def figure(bench):
        sizes = (2, 4) if bench.quick else (2, 4, 8, 16, 32)
        if "volume" not in bench.memo:
            bench.memo["volume"] = {n: volume_of(bench, n) for n in sizes}
        seen = {n: both[which] for n, both in bench.memo["volume"].items()}
        most, what = sizes[-1], "sent messages"
        return {
            "value": seen[most][what], "unit": "messages", "note": f"of {most} ranks",
            **({"target": target} if target else {}),
            "costs": {f"{n} ranks: {k} per job": seen[n][k] for k in
                      ("sent messages", "sent bytes", "epochs epochs", "epochs bytes",
                       "received messages", "received bytes") for n in sizes},
            "yardsticks": [yardstick(f"of {n} ranks", seen[n][what],
                                     seen[most][what] / seen[n][what],
                                     ratio if n == 2 else None) for n in sizes[:-1]]}
    return figure


# --- loss ---------------------------------------------------------------------------------------------

@contextlib.contextmanager
def unguarded(bench, n):
    """Virtual nodes that nobody starts again."""
    with tempfile.TemporaryDirectory(prefix="hbatch-bench.") as where:
        command = mpirun(n, "--enable-recovery", "--bind-to", "none") + [
            bench.hbatch + "-instance", "--virtual", "--topology=core:2 pu:1",
            f"--rundir={where}/run"]
        os.mkdir(where + "/run")
        with Instance(bench.hbatch, command) as instance:
            yield instance


def shown_down(instance, rank, at):
    """Wait until rank AT's own table has RANK down."""
    client = raw.Client(instance.env_at(at)["HBATCH_URI"])
    while True:
        nodes = client.reply(client.call("resource.list"))["nodes"]
        if any(node["rank"] == rank and node["state"] == "down" for node in nodes):
            break
        time.sleep(0.002)
    client.close()


@contextlib.contextmanager
def hit(pid, sig):
    """Send it SIG, and see that it is gone in the end."""
    os.kill(pid, sig)
    try:
        yield
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def middle(bench, function):
    times = [function() for _ in range(1 if bench.quick else 3)]
    return {"value": statistics.median(times) * 1e3, "unit": "ms",
            "note": " ".join(f"{1e3 * t:.0f}" for t in times) + " ms"}


def loss(sig):
    """A rank, until another one than the leader shows it as down."""
    def once(bench):
        with unguarded(bench, 4) as instance, hit(instance.pids["rank 2"], sig):
            return timed(shown_down, instance, 2, 3)
    return lambda bench: {**middle(bench, lambda: once(bench)), "target": ("<=", 6000)}


def loss_of_leader(sig):
    """Until a job typed on another rank has run."""
    def once(bench):
        with unguarded(bench, 4) as instance:
            argv, env = [bench.hbatch, "run", "true"], instance.env_at(3)
            # without the program that it was started for an instance ends with its last job
            run([bench.hbatch, "submit", "--requires=rank:1", "sleep", "60"], env)
            old = instance.pids["rank 0"]
            with hit(old, sig):
                took = timed(run, argv, env, 60)
                if int(run([bench.hbatch, "getattr", "pid"], env)) == old:
                    raise Failure("the leader that was lost leads")
            run([bench.hbatch, "cancel", "--all"], env)
            return took
    return lambda bench: {**middle(bench, lambda: once(bench)), "target": ("<=", 7000)}


FIGURES = {
    "idle.ranks4": ("an idle rank and executor, of 4 virtual nodes", idle_ranks),
    "wake.first": ("a request on rank 3 to the leader, after 3 s", wake_first),
    "wake.run": ("hbatch run on rank 3, job on rank 2, after 3 s", wake_run),
    "traffic.run": ("hbatch run on rank 0, job on rank 2, in traffic", traffic(0)),
    "traffic.afar": ("hbatch run on rank 3, job on rank 2, in traffic", traffic(3)),
    "ranks64": ("64 ranks: start, 1,000 jobs, stop", many),
    "stream.single": ("messages from the leader per job, single ones", volume(0, None, ("<=", 1.15))),
    "stream.bytes": ("bytes from the leader per job, single ones", volume_bytes),
    "stream.burst": ("messages from the leader per job, array on all nodes", volume(1, ("<=", 1), None)),
    "loss.noticed": ("kill -9 of a rank, until another one shows it", loss(signal.SIGKILL)),
    "loss.silent": ("a rank that hangs, until another one shows it", loss(signal.SIGSTOP)),
    "loss.whole": ("kill -9 of the leader, until hbatch run has run", loss_of_leader(signal.SIGKILL)),
    "loss.deaf": ("a leader that hangs, until hbatch run has run", loss_of_leader(signal.SIGSTOP)),
}
