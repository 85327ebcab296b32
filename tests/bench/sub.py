# SPDX-License-Identifier: BSD-3-Clause
"""Figures of sub-instances: how fast they come and go, and what they leave in their parent."""
import glob
import os
import time

from figures import beside, yardstick
from hosts import Cluster
from measure import Failure, Instance, Timer, run
from ranks import virtual


def alloc_one(bench):
    commands = [[bench.hbatch, "alloc", "-n1", "true"], [bench.hbatch, "run", "-n1", "true"]]
    results = bench.timer(commands, bench.rounds, bench.instance.env)
    return beside({"target": ("<=", 15)}, ["hbatch run -n1 true"], results, [None])


def batch_rate(bench):
    """One client for each, then all are waited for."""
    n = 5 if bench.quick else 100

    def script(command):
        return ["bash", "-c", f'ids=$(for i in $(seq {n}); do "$0" {command}; done) && '
                '"$0" job wait $ids', bench.hbatch]
    results = bench.timer([script("batch --output=none -n1 --wrap true"), script("submit -n1 true")],
                          bench.some_rounds(0.15), bench.instance.env, warmup=1)
    rates = [n / result["median"] for result in results]
    return {"value": rates[0], "unit": "/s", "target": (">=", 100),
            "yardsticks": [yardstick("hbatch submit -n1 true", rates[1], rates[0] / rates[1])]}


# --- several nodes ------------------------------------------------------------------------------------

def against_hello(bench, n, env, timer):
    """On the same nodes, in turns."""
    program = bench.mpi_program("openmpi")
    commands = [[bench.hbatch, "alloc", f"-N{n}", "true"], [bench.hbatch, "run", f"-N{n}", program]]
    results = timer(commands, bench.some_rounds(0.6), env)
    return beside({}, [f"hbatch run -N{n} mpi_hello, Open MPI"], results, [("<=", 1.5)])


def alloc_nodes(n):
    def figure(bench):
        with virtual(bench, n) as instance:
            return against_hello(bench, n, instance.env, bench.timer)
    return figure


def alloc_hosts(bench):
    n = 2 if bench.quick else 4
    with Cluster(bench, n) as cluster, cluster.instance() as instance:
        timer = Timer(bench.timer.program, cluster.on("node1"))
        return {**against_hello(bench, n, instance.env, timer), "note": f"{n} hosts"}


# --- a burst through the tree --------------------------------------------------------------------------

def tree(bench):
    each = 10 if bench.quick else 500
    branch = [bench.hbatch, "submit", "--quiet", f"--cc=1-{each}", "--wait", "true"]
    commands = [[bench.hbatch, "submit", "--quiet", "--cc=1-4", "--wait", "-n1", "-o", "instance",
                 "-o", "per-resource.type=node", bench.hbatch + "-instance", *branch],
                [bench.hbatch, "submit", "--quiet", f"--cc=1-{4 * each}", "--wait", "true"]]
    with Instance(bench.hbatch, [bench.hbatch, "start", "--test-topology=core:4 pu:1"]) as instance:
        results = bench.timer(commands, bench.some_rounds(0.3), instance.env, warmup=1)
    rates = [4 * each / result["median"] for result in results]
    return {"value": rates[0], "unit": "/s", "note": "on 4 cores, real or not",
            "yardsticks": [yardstick(f"hbatch submit --cc=1-{4 * each}, one instance", rates[1],
                                     rates[0] / rates[1], (">=", 1))]}


# --- what is left in the parent ------------------------------------------------------------------------

def private_kb(pid):
    """Memory that is its own, without pages of files."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def traces(instance):
    """What a sub-instance could forget to take along: descriptors, files, processes."""
    below = f"{instance.rundir}/".encode()

    def belongs(path):
        try:
            with open(path, "rb") as file:
                return below in file.read()
        except OSError:
            return False
    return {"descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in instance.pids.values()),
            "files": sum(len(dirs) + len(files) for _, dirs, files in os.walk(instance.rundir)),
            "processes": sum(map(belongs, glob.glob("/proc/[0-9]*/cmdline")))}


def settled(instance, wanted):
    """The last sub-instance may still be on its way out."""
    for _ in range(50):
        found = traces(instance)
        if wanted is None or found == wanted:
            break
        time.sleep(0.1)
    return found


def growth_of(bench, instance, argv, n):
    """KB per 1,000 of this command, for each process."""
    warm = max(2, n // 10)

    def many(count):
        for _ in range(count):
            run(argv, instance.env)
        instance.quiet()
    many(warm)
    time.sleep(1.5)  # an executor that is idle for a second starts its PMIx server
    instance.quiet()
    before, left = {who: private_kb(pid) for who, pid in instance.pids.items()}, settled(instance, None)
    many(n)
    after = settled(instance, left)
    if after != left:
        raise Failure(f"{n} of {' '.join(argv[1:])} left something behind: {left} became {after}")
    return {who: (private_kb(pid) - before[who]) * 1000 / n for who, pid in instance.pids.items()}


def growth(bench):
    n = 10 if bench.quick else 1000
    kb = {}
    for verb in ("alloc", "run"):
        with Instance(bench.hbatch) as instance:
            kb[verb] = growth_of(bench, instance, [bench.hbatch, verb, "-n1", "true"], n)
    ours, theirs = (max(kb[verb]["rank"], 1.0) for verb in ("alloc", "run"))
    return {"value": ours, "unit": "KB", "note": f"after {n} in a row",
            "costs": {f"{verb}: {who} KB": v for verb in kb for who, v in kb[verb].items()},
            "yardsticks": [yardstick("of 1,000 of hbatch run -n1 true", theirs, ours / theirs,
                                     ("<=", 1.5))]}


FIGURES = {
    "sub.alloc": ("hbatch alloc -n1 true", alloc_one),
    "sub.batch": ("hbatch batch -n1 --wrap true, 100 in a row", batch_rate),
    "sub.nodes2": ("hbatch alloc -N2 true, 2 virtual nodes", alloc_nodes(2)),
    "sub.nodes4": ("hbatch alloc -N4 true, 4 virtual nodes", alloc_nodes(4)),
    "sub.hosts4": ("hbatch alloc -N4 true, 4 hosts", alloc_hosts),
    "sub.tree": ("4 sub-instances of 500 jobs each", tree),
    "sub.growth": ("growth of the parent per 1,000 sub-instances", growth),
}
