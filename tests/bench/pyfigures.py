# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the Python package, beside those of the command line that does the same."""
import os
import statistics
import time

from bursts import numbers
from figures import yardstick
from measure import run

LOAD = os.path.join(os.path.dirname(os.path.realpath(__file__)), "pyload.py")


def in_turns(bench, what, njobs, rounds, options):
    """Medians: seconds of Python, its CPU time, seconds of bulksubmit with OPTIONS."""
    ours, costs, theirs = [], [], []
    with numbers(njobs) as file:
        for _ in range(rounds):
            wall, cpu = run([bench.hbatch, "python", LOAD, what, str(njobs)], bench.instance.env, limit=300).split()
            ours.append(float(wall))
            costs.append(float(cpu))
            run([bench.hbatch, "cancel", "--all"], bench.instance.env, limit=300)
            start = time.monotonic()
            run([bench.hbatch, "bulksubmit", "--quiet", *options, "true", "{}", "::::", file], bench.instance.env,
                limit=300)
            theirs.append(time.monotonic() - start)
            run([bench.hbatch, "cancel", "--all"], bench.instance.env, limit=300)
    return statistics.median(ours), statistics.median(costs), statistics.median(theirs)


def submit(bench):
    """Separate jobs, which are held: through one connection of Instance.submit_many."""
    njobs = 500 if bench.quick else 20000
    ours, _, theirs = in_turns(bench, "submit", njobs, bench.some_rounds(0.1), ["--urgency=hold"])
    return {"value": njobs / ours, "unit": "/s", **({} if bench.quick else {"target": (">=", 20000)}),
            "yardsticks": [yardstick("hbatch bulksubmit", njobs / theirs, theirs / ours)]}


def executor(bench):
    """Jobs as futures: what the process that has the executor computes for each."""
    njobs = 200 if bench.quick else 3000
    ours, cost, theirs = in_turns(bench, "executor", njobs, bench.some_rounds(0.1), ["--wait"])
    return {"value": cost / njobs * 1e6, "unit": "us", **({} if bench.quick else {"target": ("<=", 100)}),
            "costs": {"jobs /s": njobs / ours, "bulksubmit --wait, jobs /s": njobs / theirs}}


FIGURES = {
    "python.submit": ("Instance.submit_many, jobs accepted per second", submit),
    "python.executor": ("hbatch.Executor, CPU time of its process for a job", executor),
}
