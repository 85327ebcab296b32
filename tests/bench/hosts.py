# SPDX-License-Identifier: BSD-3-Clause
"""Figures of instances over several hosts: those of tests/cluster."""
import contextlib
import os
import subprocess
import tempfile
import time

from bursts import as_array, numbers
from figures import beside, client_cost, mpirun, yardstick
from measure import Failure, Instance, Skip, Timer, cores, run
from ranks import idle


class Cluster:
    """Hosts that come up when a `with` begins, and are gone after it."""

    def __init__(self, bench, nodes):
        self.bench, self.nodes = bench, nodes
        self.folder = os.path.join(bench.srcdir, "tests/cluster")
        self.program = os.path.join(self.folder, "cluster")

    def __enter__(self):
        why = subprocess.run([self.program, "check"], capture_output=True, text=True, check=False)
        if why.returncode != 0:
            raise Skip((why.stderr.strip() or "cluster check failed").splitlines()[-1])
        self.directory = tempfile.TemporaryDirectory(prefix="hbatch-bench.")
        where = self.directory.name
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HBATCH_", "CLUSTER_"))}
        env.pop("TMPDIR", None)  # the hosts have only theirs
        env.update(CLUSTER_STATE=where + "/c", CLUSTER_SHARED=where,
                   HBATCH_BUILDDIR=self.bench.builddir)
        # what env.sh exports, beside these
        text = run(["bash", "-c", '. "$0" && exec env -0', self.folder + "/env.sh"], env)
        self.env = dict(word.split("=", 1) for word in text.split("\0") if "=" in word)
        self.env.pop("_", None)
        self.back = os.getcwd()
        os.chdir(where)  # which is there on the hosts, too
        try:
            self.up(where + "/up")
            self.hostfile = where + "/hosts"
            with open(self.hostfile, "w", encoding="ascii") as file:
                file.writelines(f"node{i + 1} slots=1\n" for i in range(self.nodes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def up(self, said):
        # to a file: what keeps the hosts keeps it open
        with open(said, "w+", encoding="utf-8") as out:
            status = subprocess.call([self.program, "up", str(self.nodes)], env=self.env,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            out.seek(0)
            if status != 0:
                raise Failure(f"cluster up {self.nodes}: {out.read().strip()}")

    def __exit__(self, *unused):
        subprocess.run([self.program, "down"], env=self.env, stdin=subprocess.DEVNULL,
                       capture_output=True, check=False)
        os.chdir(self.back)
        self.directory.cleanup()

    def on(self, host, *words):
        return [self.program, "exec", host, *words]

    @contextlib.contextmanager
    def slurm(self):
        """A Slurm on the hosts, whose nodes have as many CPUs as there are cores here."""
        program = os.path.join(self.folder, "slurm")
        why = subprocess.run([program, "check"], env=self.env, capture_output=True, text=True, check=False)
        if why.returncode != 0:
            raise Skip((why.stderr.strip() or "slurm check failed").splitlines()[-1])
        said = os.path.join(self.directory.name, "slurm.up")
        with open(said, "w+", encoding="utf-8") as out:  # which its daemons keep open
            status = subprocess.call([program, "up", str(cores())], env=self.env, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=out)
            out.seek(0)
            if status != 0:
                raise Failure(f"slurm up: {out.read().strip()}")
        try:
            yield
        finally:
            subprocess.run([program, "down"], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def mpirun(self):
        """A process on each host."""
        return mpirun(self.nodes, "--hostfile", self.hostfile, "-N", "1", "--bind-to", "none")

    def instance(self):
        return Instance(self.bench.hbatch, [self.bench.hbatch, "start", f"--hostfile={self.hostfile}"],
                        self.on("node1"), self.env)


def started(bench, nodes):
    """hbatch start, mpirun hbatch-instance and mpirun of a program that does nothing, in turns, by
    a timeit that runs on the first host."""
    if bench.quick:
        nodes //= 2
    if ("started", nodes) not in bench.memo:
        program = bench.mpi_program("openmpi")
        with Cluster(bench, nodes) as cluster:
            launch = cluster.mpirun()
            timer = Timer(bench.timer.program, cluster.on("node1"))
            bench.memo["started", nodes] = timer(
                [[bench.hbatch, "start", f"--hostfile={cluster.hostfile}", "true"],
                 launch + [bench.hbatch + "-instance", "true"], launch + [program, "0"]],
                bench.some_rounds(0.3), cluster.env, warmup=1)
    return nodes, bench.memo["started", nodes]


def start(nodes, which):
    def figure(bench):
        n, results = started(bench, nodes)
        return beside({"note": f"{n} hosts"},
                      [f"mpirun over {n} hosts, MPI_Init and MPI_Finalize"],
                      [results[which], results[2]], [("<=", 1.15)])
    return figure


def idle_hosts(bench):
    with Cluster(bench, 2 if bench.quick else 4) as cluster, cluster.instance() as instance:
        return idle(bench, instance)


def loss_power(bench):
    """A host loses its power: until hbatch resource list on another one shows it as down."""
    watch = 'until "$0" resource list | grep -q "down.* node3"; do sleep 0.02; done'
    times = []
    for _ in range(1 if bench.quick else 3):
        with Cluster(bench, 4) as cluster, cluster.instance() as instance:
            env = instance.env_at(1)
            run(cluster.on("node2", bench.hbatch, "resource", "list"), env)
            began = time.monotonic()
            run([cluster.program, "kill", "node3"], cluster.env)
            run(cluster.on("node2", "bash", "-c", watch, bench.hbatch), env, 60)
            times.append(time.monotonic() - began)
            run(cluster.on("node2", bench.hbatch, "run", "-N3", "true"), env)
    times.sort()
    return {"value": times[len(times) // 2] * 1e3, "unit": "ms", "target": ("<=", 6000)}


def burst_srun(bench):
    """Beside steps of Slurm in one allocation, as many at once as there are cores: in the one that this runs in, or on a
    host of its own."""
    njobs, width = 20 if bench.quick else 200, cores()
    with contextlib.ExitStack() as stack:
        if "SLURM_JOB_ID" in os.environ:
            env, timer = bench.instance.env, bench.timer
        else:
            cluster = stack.enter_context(Cluster(bench, 1))
            stack.enter_context(cluster.slurm())
            env = cluster.env
            timer = Timer(bench.timer.program, cluster.on("node1", "salloc", "-Q", "-N1", "--exclusive",
                                                          bench.hbatch, "start"))
        file = stack.enter_context(numbers(njobs, os.getcwd()))  # where its hosts see it
        theirs = ["xargs", "-a", file, "-P", str(width), "-n", "1", "srun", "-n1", "--exact", "--quiet", "true"]
        results = timer([as_array(bench, njobs), theirs], 2, env, 0, limit=300)
    rates = [njobs / result["median"] for result in results]
    return {"value": rates[0], "unit": "/s", "costs": client_cost(results[0], njobs),
            "yardsticks": [yardstick("srun -n1 --exact true", rates[1], rates[0] / rates[1], (">=", 1))]}


FIGURES = {
    "burst.srun": ("hbatch submit --cc=1-200 --wait true, in Slurm", burst_srun),
    "start.hosts4": ("hbatch start true, 4 hosts", start(4, 0)),
    "start.mpirun4": ("mpirun hbatch-instance true, 4 hosts", start(4, 1)),
    "start.hosts8": ("hbatch start true, 8 hosts", start(8, 0)),
    "start.mpirun8": ("mpirun hbatch-instance true, 8 hosts", start(8, 1)),
    "idle.hosts4": ("an idle rank and executor, of 4 hosts", idle_hosts),
    "loss.power": ("a host without power, until another one shows it", loss_power),
}
