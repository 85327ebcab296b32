# SPDX-License-Identifier: BSD-3-Clause
"""The figures: each a function that measures, and an entry in FIGURES.  README says what each
means."""
import os
import re
import shutil
import time

from measure import Failure, Skip, cores, resident_kb, run


class Bench:
    """What the figures need: the build tree, how long to measure, and the warm instance, which is
    started when first asked for."""

    def __init__(self, args, start_instance, timer):
        self.srcdir, self.builddir = args.srcdir, args.builddir
        self.rounds, self.quick, self.long, self.plot = args.rounds, args.quick, args.long, args.plot
        self.start_instance, self.timer = start_instance, timer
        self.opened = None
        self.memo = {}  # what several figures take from one measurement
        self.hbatch = os.path.join(self.builddir, "bin", "hbatch")

    @property
    def instance(self):
        if self.opened is None:
            self.opened = self.start_instance()
        return self.opened

    def some_rounds(self, share):
        return max(2, int(self.rounds * share))

    def mpi_program(self, flavour):
        """tests/mpi/hello.c, compiled for one MPI: where the MPI tests have it as well."""
        compiler = "mpicc." + flavour
        if not shutil.which(compiler):
            raise Skip(f"{compiler} is not here: install the Debian package lib{flavour}-dev")
        source = os.path.join(self.srcdir, "tests/mpi/hello.c")
        program = os.path.join(self.builddir, "tests/mpi", flavour, "hello")
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            os.makedirs(os.path.dirname(program), exist_ok=True)
            new = f"{program}.{os.getpid()}"
            run([compiler, "-D_GNU_SOURCE", "-g", "-O1", "-o", new, source])
            os.rename(new, program)
        return program


def need(name, package):
    if not shutil.which(name):
        raise Skip(f"{name} is not here: install the Debian package {package}")
    return name


def mpirun(n, *options):
    """Open MPI's, made to start N ranks on any machine and for any user."""
    need("mpirun.openmpi", "openmpi-bin")
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return ["mpirun.openmpi", *root, "--oversubscribe", *options, "-n", str(n)]


def hydra(n):
    return [need("mpiexec.hydra", "mpich"), "-n", str(n)]


def yardstick(name, result, ratio=None, target=None, **more):
    """One yardstick's line: its own value, and what hbatch's is to it."""
    line = {"name": name, "value": result, "ratio": ratio, **more}
    if target:
        line["target"] = target
    return line


def milliseconds(result):
    return {"value": result["median"] * 1e3, "unit": "ms", "p90": result["p90"] * 1e3,
            "min": result["min"] * 1e3}


def beside(figure, names, results, targets):
    """Wall times: hbatch's is the first of the results, the others are its yardsticks."""
    figure.update(milliseconds(results[0]))
    figure["yardsticks"] = [
        yardstick(name, result["median"] * 1e3, results[0]["median"] / result["median"], target,
                  p90=result["p90"] * 1e3)
        for name, result, target in zip(names, results[1:], targets)]
    return figure


def with_costs(bench, njobs, function):
    """Call FUNCTION, and tell how much CPU time the instance took for each of NJOBS jobs."""
    before = bench.instance.cpu()
    result = function()
    after = bench.instance.cpu()
    return result, {f"{who} CPU ms per job": (after[who] - before[who]) * 1e3 / njobs
                    for who in after}


def client_cost(result, njobs=1):
    return {"client CPU ms per job": (result["user"] + result["sys"]) * 1e3 / njobs}


# --- one job ---------------------------------------------------------------------------------------

def in_turns(bench, ours, theirs, warmup=2):
    """hbatch's command and the yardsticks' in turns; results, and what a job costs."""
    def measure():
        return bench.timer([ours] + theirs, bench.rounds, bench.instance.env, warmup)
    results, costs = with_costs(bench, bench.rounds + warmup, measure)
    return results, {**client_cost(results[0]), **costs}


def run_true(bench):
    results, costs = in_turns(bench, [bench.hbatch, "run", "true"],
                              [hydra(1) + ["true"], [bench.hbatch, "version"], ["true"]])
    figure = {"target": ("<=", 5), "costs": costs}
    return beside(figure, ["mpiexec.hydra -n 1 true", "hbatch version (start of the CLI)",
                           "true (posix_spawn)"],
                  results, [("<", 1), None, None])


def run_openmpi(bench):
    program = bench.mpi_program("openmpi")
    hint = ("--mca", "mtl", "^psm2,psm,ofi")
    results, costs = in_turns(bench, [bench.hbatch, "run", "-n", "2", program],
                              [mpirun(2) + [program], mpirun(2, *hint) + [program]])
    return beside({"costs": costs}, ["mpirun -n 2 mpi_hello", f"mpirun {' '.join(hint)}"],
                  results, [("<=", 0.45), None])


def run_mpich(bench):
    program = bench.mpi_program("mpich")
    results, costs = in_turns(bench, [bench.hbatch, "run", "-n", "2", program],
                              [hydra(2) + [program]])
    return beside({"costs": costs}, ["mpiexec.hydra -n 2 mpi_hello"], results, [("<=", 1)])


# --- instances -------------------------------------------------------------------------------------------

def idle_cpu(bench):
    instance = bench.instance
    instance.quiet()
    span = 1 if bench.quick else 10
    start, cpu, woken = time.monotonic(), instance.cpu(), instance.wakeups()
    time.sleep(span)
    took = time.monotonic() - start
    used = {who: after - cpu[who] for who, after in instance.cpu().items()}
    return {"value": 100 * sum(used.values()) / took, "unit": "%", "target": ("<", 0.2),
            "costs": {**{f"{who} %": 100 * seconds / took for who, seconds in used.items()},
                      "wake-ups per second": (instance.wakeups() - woken) / took}}


def start_one(bench):
    names, theirs = [], []
    try:
        theirs = [mpirun(1) + [bench.mpi_program("openmpi"), "0"]]
        names = ["mpirun -n 1, MPI_Init and MPI_Finalize"]
    except Skip:
        pass
    results = bench.timer([[bench.hbatch, "start", "true"]] + theirs, bench.some_rounds(0.5),
                          os.environ)
    return beside({"costs": client_cost(results[0])}, names, results, [None])


def start_four(bench):
    program = bench.mpi_program("openmpi")
    results = bench.timer([[bench.hbatch, "start", "--test-nodes=4", "true"],
                           mpirun(4) + [program, "0"]], bench.some_rounds(0.3), os.environ,
                          warmup=1)
    return beside({"costs": client_cost(results[0])}, ["mpirun -n 4, MPI_Init and MPI_Finalize"],
                  results, [None])


# --- parts ------------------------------------------------------------------------------------------------

SCHED_LINE = re.compile(r"^(\S.*?)\s+(\d+) in\s+([\d.]+) ms\s+(\d+) /s$", re.MULTILINE)
SCHED_PASS = re.compile(r"^a pass with nothing to start.*, ([\d.]+) ms each, the worst ([\d.]+) ms$", re.MULTILINE)
SCHED_MAIN = "1 core: end one, start one, in a full pool"
SCHED_MIXED = "easy, a mixed load: end one, start what fits, queue as many"
sched_outputs = {}


def sched_run(bench, strategy):
    """What bench_sched tells, once for all figures: (rates, pass, worst pass, what it is of)."""
    size = ["10", "8", "0"] if bench.quick else ["10000", "64", "4"]
    program = os.path.join(bench.builddir, "tests/bench/bench_sched")
    if strategy not in sched_outputs:
        sched_outputs[strategy] = run([program] + size + [strategy])
    text = sched_outputs[strategy]
    rates = {what: int(rate) for what, _, _, rate in SCHED_LINE.findall(text)}
    passes = SCHED_PASS.search(text)
    if SCHED_MAIN not in rates or SCHED_MIXED not in rates or not passes:
        raise Failure(f"{program} did not tell its rates")
    return rates, float(passes.group(1)), float(passes.group(2)), f"{size[0]} nodes of {size[1]} cores"


def sched_figure(bench, value, unit, target, note, **more):
    """The targets are for a machine of the real size."""
    return {"value": value, "unit": unit, "note": note, **more, **({} if bench.quick else {"target": target})}


def sched(strategy):
    def figure(bench):
        rates, _, _, size = sched_run(bench, strategy)
        return sched_figure(bench, rates[SCHED_MAIN], "/s", (">=", 100000), f"{size}, {strategy}",
                            costs={f"{k} /s": v for k, v in rates.items()})
    return figure


def sched_mixed(strategy):
    def figure(bench):
        rates, _, _, size = sched_run(bench, strategy)
        return sched_figure(bench, rates[SCHED_MIXED], "/s", (">=", 10000), f"{size}, {strategy}")
    return figure


def sched_pass(bench):
    _, mean, worst, size = sched_run(bench, "best")
    return sched_figure(bench, worst, "ms", ("<=", 1), f"{size}; {mean} ms on average")


SCHED_PLANS = re.compile(r"are queued, a pass after each end: ([\d.]+) us, the worst ([\d.]+) ms$", re.MULTILINE)


def sched_conservative(bench):
    size = ["10", "8", "0"] if bench.quick else ["10000", "64", "4"]
    program = os.path.join(bench.builddir, "tests/bench/bench_sched")
    told = SCHED_PLANS.search(run([program] + size + ["first", "conservative", "50" if bench.quick else "300"]))
    if not told:
        raise Failure(f"{program} did not tell how long a pass takes")
    return sched_figure(bench, float(told.group(2)), "ms", ("<=", 100),
                        f"{size[0]} nodes of {size[1]} cores; {float(told.group(1)) / 1e3:.1f} ms on average")


def per_thousand(values, njobs):
    """The growth per 1,000 jobs over a series of equal batches. The first batch fills caches and
    free lists, and isn't counted."""
    return (values[-1] - values[1]) * 1000 / (njobs * (len(values) - 2))


def array_of(bench, njobs):
    run([bench.hbatch, "submit", "--quiet", f"--cc=1-{njobs}", "--wait", "true"],
        bench.instance.env)


def memory_leader(bench):
    instance = bench.instance
    njobs, batches = (50, 3) if bench.quick else (2000, 5)
    resident = {who: [] for who in instance.pids}
    for batch in range(batches + 1):
        if batch > 0:
            array_of(bench, njobs)
            instance.quiet()
        for who, pid in instance.pids.items():
            resident[who].append(resident_kb(pid))
    return {"value": per_thousand(resident["rank"], njobs), "unit": "KB",
            "note": f"{batches} arrays of {njobs}",
            "costs": {"executor KB": per_thousand(resident["executor"], njobs),
                      **{f"{who} now KB": values[-1] for who, values in resident.items()}}}


def memory_store(bench):
    instance = bench.instance
    njobs = 50 if bench.quick else 2000
    singles = 5 if bench.quick else 200

    def grown(function, n):
        instance.quiet()
        before = instance.store_bytes()
        function()
        instance.quiet()
        return (instance.store_bytes() - before) / n

    def alone():
        for _ in range(singles):
            run([bench.hbatch, "run", "true"], instance.env)

    array_of(bench, njobs)
    return {"value": grown(lambda: array_of(bench, njobs), njobs), "unit": "B", "target": ("<=", 500),
            "note": f"an array of {njobs}",
            "costs": {"B per job submitted alone": grown(alone, singles)}}


# name: (what it is, function); in the order in which they are measured and printed
FIGURES = {
    "run.true": ("hbatch run true", run_true),
    "run.openmpi": ("hbatch run -n 2 mpi_hello, Open MPI", run_openmpi),
    "run.mpich": ("hbatch run -n 2 mpi_hello, MPICH", run_mpich),
    "idle.cpu": ("an idle instance of one node, share of a core", idle_cpu),
    "memory.leader": ("growth of the rank per 1,000 finished jobs", memory_leader),
    "memory.store": ("bytes in the store per finished job of an array", memory_store),
    "start.one": ("hbatch start true", start_one),
    "start.four": ("hbatch start --test-nodes=4 true", start_four),
    "sched.placements": ("the scheduler alone: jobs of one core", sched("first")),
    "sched.best": ("... best fit", sched("best")),
    "sched.spread": ("... spread", sched("spread")),
    "sched.easy": ("... EASY, a mixed load, 100,000 queued", sched_mixed("first")),
    "sched.easy.best": ("... the same, best fit", sched_mixed("best")),
    "sched.pass": ("... a pass that starts nothing, 1,000,000 queued", sched_pass),
    "sched.conservative": ("... the longest pass of conservative, 100,000 queued", sched_conservative),
}
