# SPDX-License-Identifier: BSD-3-Clause
"""What the figures are measured with: an instance, its processes' use of the CPU and of memory,
commands in turns."""
import glob
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time


class Failure(Exception):
    """A figure could not be measured: a command that must work failed."""


class Skip(Exception):
    """A figure cannot be measured here; the text says what is missing."""


def cores():
    return len(os.sched_getaffinity(0))


def run(argv, env=None, limit=120):
    """Run a command to its end; its standard output, or Failure with what it said."""
    try:
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=limit, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        raise Failure(f"{shlex.join(argv)}: took more than {limit} s") from None
    except OSError as error:
        raise Failure(f"{argv[0]}: {error.strerror}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "said nothing").splitlines()
        raise Failure(f"{shlex.join(argv)}: exit status {done.returncode}: {said[-1]}")
    return done.stdout


# --- processes -------------------------------------------------------------------------------

def threads_of(pid, name):
    for path in glob.glob(f"/proc/{pid}/task/*/{name}"):
        try:
            with open(path, encoding="ascii") as file:
                yield file.read()
        except OSError:
            pass  # that thread has just ended


def cpu_seconds(pid):
    """CPU time of a process's living threads: in nanoseconds where the kernel tells, else in
    clock ticks."""
    exact = [int(text.split()[0]) for text in threads_of(pid, "schedstat")]
    if exact:
        return sum(exact) / 1e9
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_field(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


def wakeups(pid):
    """How often a process has begun to wait."""
    n = 0
    for text in threads_of(pid, "status"):
        n += int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return n


def resident_kb(pid):
    return status_field(pid, "VmRSS")


def children(pid):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if int(text.rsplit(")", 1)[1].split()[1]) == pid:
            found.append((int(text.split()[0]), text[text.index("(") + 1:text.rindex(")")]))
    return found


def processes(name):
    """Of the whole machine, in other namespaces too."""
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                if file.read().strip() == name:
                    yield int(path.split("/")[2])
        except OSError:
            pass


def words_of(pid, what):
    """Of cmdline or environ."""
    try:
        with open(f"/proc/{pid}/{what}", encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")
    except OSError:
        return []


# --- an instance --------------------------------------------------------------------------------

class Instance:
    """A warm instance, for as long as a `with` lasts: of one node, or of several ranks by COMMAND, to
    which its program is added.  PREFIX: words before each command, for one on another host; ENV: its
    environment."""

    def __init__(self, hbatch, command=None, prefix=(), env=None):
        self.hbatch = hbatch
        self.command, self.prefix = command, list(prefix)
        self.given = os.environ if env is None else env
        self.pids = {}  # "rank" and "executor", or of several ranks "rank 0" and so on
        self.env = None
        self.rundir = None
        self.process = None

    def __enter__(self):
        # The program of the instance tells where it is, and ends when its stdin does.
        argv = [*self.prefix, *(self.command or [self.hbatch, "start"]), "/bin/sh", "-c",
                'echo "$HBATCH_URI"; read end; true']
        env = {k: v for k, v in self.given.items() if not k.startswith("HBATCH_")}
        self.errors = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, text=True,
                                            stdout=subprocess.PIPE, stderr=self.errors)
        except OSError as error:
            raise Failure(f"{self.hbatch}: {error.strerror}: build first, or name the build "
                          "tree with --builddir") from None
        uri = self.process.stdout.readline().strip()
        if not uri.startswith("local://"):
            self.__exit__()
            said = (self.said().splitlines() or ["said nothing"])[-1]
            raise Failure(f"hbatch start: exit status {self.process.returncode}: {said}")
        self.env = dict(env, HBATCH_URI=uri)
        self.rundir = os.path.dirname(uri[len("local://"):])
        try:
            self.pids = self.find_ranks() if self.command else self.find_one()
            run([*self.prefix, self.hbatch, "run", "true"], self.env)
        except Failure:
            self.__exit__()
            raise
        return self

    def find_one(self):
        # hbatch start becomes the rank; beside it is the executor
        return {"rank": self.process.pid, "executor": self.executor_of(self.process.pid)}

    def find_ranks(self):
        found = {}
        for pid in processes("hbatch-instance"):
            if f"--rundir={self.rundir}" in words_of(pid, "cmdline"):
                rank = next((word.split("=")[1] for word in words_of(pid, "environ")
                             if word.startswith("OMPI_COMM_WORLD_RANK=")), "?")
                found[f"rank {rank}"] = pid
        for who, pid in sorted(found.items()):
            found[who.replace("rank", "executor")] = self.executor_of(pid)
        return found

    @staticmethod
    def executor_of(rank):
        for pid, name in children(rank):
            if name.startswith("hbatch-exec"):
                return pid
        raise Failure("the instance has no process named hbatch-exec")

    def env_at(self, rank):
        """The environment of a client of another rank on this machine."""
        return dict(self.env, HBATCH_URI=f"local://{self.rundir}/sock-{rank}")

    def said(self):
        """What came on stderr so far."""
        self.errors.seek(0)
        return self.errors.read().strip()

    def __exit__(self, *unused):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        for sig in (None, signal.SIGTERM, signal.SIGKILL):
            if sig is not None:
                self.process.send_signal(sig)
            try:
                self.process.wait(20)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.stdout.close()

    def cpu(self):
        return {who: cpu_seconds(pid) for who, pid in self.pids.items()}

    def wakeups(self):
        return sum(wakeups(pid) for pid in self.pids.values())

    def store_bytes(self):
        """What the store holds, in whole pages less the free ones. Of a copy, since the leader has
        it locked; what is still in the log counts."""
        with tempfile.TemporaryDirectory(prefix="hbatch-bench.") as to:
            files = glob.glob(os.path.join(glob.escape(self.rundir), "store-0.sqlite*"))
            if not files:
                raise Failure(f"there is no store in {self.rundir}")
            for path in files:
                shutil.copy(path, to)
            db = sqlite3.connect(os.path.join(to, "store-0.sqlite"))
            try:
                pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0]
                                     for name in ("page_count", "freelist_count", "page_size"))
            finally:
                db.close()
            return (pages - free) * size

    def quiet(self):
        """Wait until it does nothing any more."""
        for _ in range(50):
            before = sum(self.cpu().values())
            time.sleep(0.2)
            if sum(self.cpu().values()) - before < 0.004:
                return


# --- commands in turns ---------------------------------------------------------------------------

class Timer:
    """tests/bench/timeit, see there; PREFIX: words before it, to run it on another host."""

    def __init__(self, program, prefix=()):
        self.program, self.prefix = program, list(prefix)

    def __call__(self, commands, rounds, env=None, warmup=2, limit=60):
        argv = [*self.prefix, self.program, "-r", str(rounds), "-w", str(warmup), "-t", str(limit)]
        for i, command in enumerate(commands):
            argv += ([":::"] if i else []) + command
        try:
            done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, check=False)
        except OSError as error:
            raise Failure(f"{self.program}: {error.strerror}: make bench builds it") from None
        if not done.stdout:
            raise Failure(done.stderr.strip() or f"{self.program} said nothing")
        results = json.loads(done.stdout)["commands"]
        for command, result in zip(commands, results):
            if result["failures"]:
                run(self.prefix + command, env, limit)  # says more, if it fails again
                raise Failure(f"{shlex.join(command)} failed {result['failures']} times in "
                              f"{rounds + warmup}, with wait status {result['status']}")
        return results
