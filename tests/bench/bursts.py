# SPDX-License-Identifier: BSD-3-Clause
"""Figures of many jobs: how fast they run, are accepted, listed, and what they take of memory."""
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import plot
from figures import beside, client_cost, with_costs, yardstick
from measure import Failure, Instance, cores, resident_kb, run
from ranks import virtual


@contextlib.contextmanager
def numbers(n, directory=None):
    """A file of the numbers from 1 to N, one a line."""
    with tempfile.NamedTemporaryFile("w", prefix="hbatch-bench.", suffix=".numbers", dir=directory) as file:
        file.write("".join(f"{i}\n" for i in range(1, n + 1)))
        file.flush()
        yield file.name


def as_array(bench, njobs, *options):
    return [bench.hbatch, "submit", "--quiet", f"--cc=1-{njobs}", *options, "--wait", "true"]


# --- how fast they run ----------------------------------------------------------------------------

def burst(bench, njobs, rounds, warmup, targets, command=None):
    """Against what else runs as many processes, as many at once as there are cores."""
    width = cores()
    with numbers(njobs) as file:
        ours = command(file) if command else as_array(bench, njobs)
        theirs = [
            ["xargs", "-a", file, "-P", str(width), "-n", "1", "true"],
            [os.path.join(bench.builddir, "tests/bench/spawnloop"), str(njobs), str(width), "true"]]
        names = [f"xargs -P {width} -n 1 true", "raw posix_spawn loop"]
        if njobs <= 200 and shutil.which("parallel"):
            theirs.append(["parallel", "-a", file, "-j", str(width), "true"])
            names.append(f"parallel -j {width} true")
        results, costs = with_costs(bench, njobs * (rounds + warmup), lambda: bench.timer(
            [ours] + theirs, rounds, bench.instance.env, warmup, limit=300))
    rates = [njobs / result["median"] for result in results]
    return {
        "value": rates[0], "unit": "/s", "costs": {**client_cost(results[0], njobs), **costs},
        "yardsticks": [yardstick(name, rate, rates[0] / rate, target) for name, rate, target
                       in zip(names, rates[1:], targets + [None])]}


def burst_small(bench):
    return burst(bench, 20 if bench.quick else 200, bench.some_rounds(0.5), 1, [(">=", 0.5), None])


def burst_big(bench):
    # rounds that long need few of them, and no warming up
    return burst(bench, 50 if bench.quick else 10000, bench.some_rounds(0.08), 0,
                 [(">=", 1), (">=", 0.8)])


def burst_bulk(bench):
    """Separate jobs, each with a jobspec of its own."""
    return burst(bench, 50 if bench.quick else 10000, bench.some_rounds(0.08), 0,
                 [(">=", 1), (">=", 0.8)],
                 lambda file: [bench.hbatch, "bulksubmit", "--quiet", "--wait", "true", "{}", "::::", file])


def burst_python(bench):
    """The same from Python, its start included."""
    load = os.path.join(os.path.dirname(os.path.realpath(__file__)), "pyload.py")
    njobs = 50 if bench.quick else 10000
    return burst(bench, njobs, bench.some_rounds(0.08), 0, [(">=", 1), (">=", 0.8)],
                 lambda file: [bench.hbatch, "python", load, "burst", str(njobs)])


def burst_nodes(n):
    def figure(bench):
        njobs = 50 if bench.quick else 4000
        rounds = bench.some_rounds(0.08)
        # the cores of the machine, however many nodes they are said to be
        with virtual(bench, n) as many, virtual(bench, 1) as one:
            took, before = {many: [], one: []}, many.cpu()
            for _ in range(rounds):
                for instance in took:
                    start = time.monotonic()
                    run(as_array(bench, njobs), instance.env)
                    took[instance].append(time.monotonic() - start)
            rates = {instance: njobs / statistics.median(times) for instance, times in took.items()}
            costs = {f"{who} CPU ms per job": (seconds - before[who]) * 1e3 / (njobs * rounds)
                     for who, seconds in many.cpu().items()}
        return {"value": rates[many], "unit": "/s", "note": f"{njobs} jobs", "costs": costs,
                "yardsticks": [yardstick("the same on one virtual node", rates[one],
                                         rates[many] / rates[one], (">=", 0.7))]}
    return figure


# --- the same rate for many ---------------------------------------------------------------------------

def sizes(bench):
    if bench.quick:
        return [20, 40]
    return [1000, 10000, 100000, 1000000] if bench.long else [1000, 10000, 30000]


def burst_flat(bench):
    """Rates by the number of jobs, each size in an instance of its own, small ones repeated."""
    rates = {}
    for size in sizes(bench):
        with Instance(bench.hbatch) as instance:
            run(as_array(bench, min(size, 200)), instance.env)  # warm
            took = []
            for _ in range(max(1, min(5, 10000 // size))):
                start = time.monotonic()
                run(as_array(bench, size), instance.env, limit=3600)
                took.append(time.monotonic() - start)
            rates[size] = size / statistics.median(took)
            if size == sizes(bench)[-1]:
                bench.memo["history"] = history_of(bench, instance, size)
    low, high = min(rates), max(rates)
    figure = {"value": rates[high], "unit": "/s", "note": f"{high:,} jobs of true, real processes",
              "costs": {f"{n:,} jobs, /s": rate for n, rate in rates.items()},
              "series": {"jobs": list(rates), "rate": list(rates.values())},
              "yardsticks": [yardstick(f"{low:,} jobs", rates[low], rates[high] / rates[low],
                                       (">=", 0.9))]}
    if bench.plot:
        plot.rates(bench.plot, rates)
    return figure


# --- listing -----------------------------------------------------------------------------------------

def history_of(bench, instance, njobs):
    count = min(njobs, 10000)
    results = bench.timer([[bench.hbatch, "jobs", "-a", f"--count={count}"]], 2 if bench.quick else 10,
                          instance.env)
    return beside({"target": ("<=", 300), "note": f"the last {count:,} of {njobs:,} that are over"},
                  [], results, [])


def jobs_history(bench):
    """The end of burst.flat's last instance, which has the longest history."""
    if "history" not in bench.memo:
        njobs = 50 if bench.quick else 20000
        with Instance(bench.hbatch) as instance:
            run(as_array(bench, njobs), instance.env)
            return history_of(bench, instance, njobs)
    return bench.memo["history"]


def jobs_busy(bench):
    """While a burst runs."""
    njobs = 200 if bench.quick else 30000
    with Instance(bench.hbatch) as instance:
        with subprocess.Popen(as_array(bench, njobs), env=instance.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            results = bench.timer([[bench.hbatch, "jobs"]], 3 if bench.quick else 40, instance.env)
            if client.poll() is not None and not bench.quick:
                raise Failure("the burst was over before all was measured")
            subprocess.run([bench.hbatch, "cancel", "--all"], env=instance.env, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # it may just be over
    return beside({"target": ("<=", 50)}, [], results, [])


# --- submitting ----------------------------------------------------------------------------------------

def submit_array(bench):
    """Held, so that it is nothing but accepted; and what the leader keeps of it."""
    njobs, took, grown = 1000 if bench.quick else 1000000, [], []
    for _ in range(bench.some_rounds(0.1)):
        with Instance(bench.hbatch) as instance:
            instance.quiet()
            before = resident_kb(instance.pids["rank"])
            argv = [bench.hbatch, "submit", "--quiet", "--urgency=hold", f"--cc=1-{njobs}", "true"]
            start = time.monotonic()
            run(argv, instance.env)
            took.append((time.monotonic() - start) * 1e3)
            grown.append((resident_kb(instance.pids["rank"]) - before) * 1024 / njobs)
            run([bench.hbatch, "cancel", "--all"], instance.env)
    bench.memo["pending"] = statistics.median(grown)
    return {"value": statistics.median(took), "unit": "ms", "target": ("<=", 50),
            "costs": {"growth of the leader, bytes per element": bench.memo["pending"]}}


def memory_pending(bench):
    if "pending" not in bench.memo:
        submit_array(bench)
    return {"value": bench.memo["pending"], "unit": "B", "target": ("<=", 200)}


def submit_bulk(bench):
    """Separate jobs, which are held: what submitting costs, and nothing else."""
    njobs, rounds, took = 500 if bench.quick else 100000, bench.some_rounds(0.1), []
    with numbers(njobs) as file:
        for _ in range(rounds):
            start = time.monotonic()
            for command in (["bulksubmit", "--quiet", "--urgency=hold", "true", "{}", "::::", file],
                            ["cancel", "--all"]):
                run([bench.hbatch] + command, bench.instance.env, limit=300)
                if command[0] == "bulksubmit":
                    took.append(time.monotonic() - start)
    return {"title": f"hbatch bulksubmit of {njobs:,} jobs that are held",
            "value": njobs / statistics.median(took), "unit": "/s",
            **({} if bench.quick else {"target": (">=", 20000)})}


FIGURES = {
    "burst.200": ("hbatch submit --cc=1-200 --wait true", burst_small),
    "burst.10000": ("hbatch submit --cc=1-10000 --wait true", burst_big),
    "burst.bulk": ("hbatch bulksubmit --wait, 10,000 separate jobs", burst_bulk),
    "burst.nodes4": ("an array on 4 virtual nodes", burst_nodes(4)),
    "burst.nodes16": ("an array on 16 virtual nodes", burst_nodes(16)),
    "burst.python": ("Instance.submit_many and wait, 10,000 separate jobs", burst_python),
    "burst.flat": ("the rate of the largest array", burst_flat),
    "jobs.history": ("hbatch jobs -a --count=10000", jobs_history),
    "jobs.busy": ("hbatch jobs while a burst runs", jobs_busy),
    "submit.array": ("an array of 1,000,000 is accepted", submit_array),
    "submit.bulk": ("hbatch bulksubmit, jobs accepted per second", submit_bulk),
    "memory.pending": ("the leader's memory per pending element", memory_pending),
}
