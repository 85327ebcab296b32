# SPDX-License-Identifier: BSD-3-Clause
"""What workflow systems do with the module flux, step by step.

    clients.py parsl DIR     a manager inside of a new instance, an executor outside, by messages of a socket
    clients.py study DIR     scripts submitted one by one, and asked for again and again"""
import atexit
import collections
import concurrent.futures
import functools
import os
import pickle
import socket
import subprocess
import sys
import threading
import time


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


# --- tasks in files, results in files: the executor does not live in the instance --------------------------------
def manager(port):
    """The instance's program: it tells where module and instance are, and leaves when all jobs are over."""
    import flux

    with socket.create_connection(("127.0.0.1", int(port))) as s:
        told = s.makefile("rw")
        for text in (os.path.dirname(os.path.dirname(flux.__file__)), flux.Flux().attr_get("local-uri")):
            print(text, file=told, flush=True)
            expect(told.readline(), "ack\n")
        flux.Flux().rpc("job-manager.drain").get()
        expect(flux.job.JobStats(flux.Flux()).active, 0)
        print("drained", file=told, flush=True)


def work(infile, outfile):
    """A job: a function and its arguments."""
    with open(infile, "rb") as f:
        name, args = pickle.load(f)
    with open(outfile, "wb") as f:
        pickle.dump({"square": lambda x: x * x, "host": lambda: os.environ["FLUX_JOB_ID"]}[name](*args), f)


class Wrapper(concurrent.futures.Future):
    """The user's future, with the job's within."""

    job = None

    def cancel(self):
        return self.job.cancel() and super().cancel()


def complete(outfile, future, job):
    """By the executor's thread."""
    if job.cancelled():
        return
    if job.exception() is not None:
        future.set_exception(job.exception())
    elif job.result() != 0:
        future.set_exception(RuntimeError(f"exit code {job.result()}"))
    else:
        with open(outfile, "rb") as f:
            future.set_result(pickle.load(f))


def parsl(folder):
    server = socket.create_server(("127.0.0.1", 0))
    port = str(server.getsockname()[1])
    with subprocess.Popen(["flux", "start", sys.executable, __file__, "manager", port]) as instance:
        atexit.register(instance.terminate)  # nothing, if it has ended
        server.settimeout(60)
        told = server.accept()[0].makefile("rw")
        package = told.readline().strip()
        print("ack", file=told, flush=True)
        uri = told.readline().strip().encode()
        if package not in sys.path:
            sys.path.append(package)
        import flux.job

        def submit(number, name, *args, **resources):
            infile, outfile = (os.path.join(folder, f"{number}.{what}") for what in ("in", "out"))
            with open(infile, "wb") as f:
                pickle.dump((name, args), f)
            js = flux.job.JobspecV1.from_command(
                command=[sys.executable, __file__, "work", infile, outfile],
                num_tasks=resources.get("num_tasks", 1),
                num_nodes=resources.get("num_nodes"),
                cores_per_task=resources.get("cores_per_task", 1),
                gpus_per_task=resources.get("gpus_per_task"),
            )
            js.cwd = os.getcwd()
            js.environment = dict(os.environ)
            js.stdout = os.path.join(folder, f"{number}_stdout.txt")
            js.stderr = os.path.join(folder, f"{number}_stderr.txt")
            future = Wrapper()
            future.job = executor.submit(js)
            future.job.add_done_callback(functools.partial(complete, outfile, future))
            return future

        with flux.job.FluxExecutor(handle_args=(uri,), thread_name_prefix="x", poll_interval=0.05) as executor:
            futures = [submit(i, "square", i) for i in range(12)]
            ids = [submit(100 + i, "host", num_nodes=1, cores_per_task=2) for i in range(2)]
            bad = submit(200, "nonesuch")
            huge = submit(201, "square", 1, num_tasks=9999)
            expect([f.result(60) for f in futures], [i * i for i in range(12)])
            expect(len({f.result(60) for f in ids}), 2)
            expect(str(bad.exception(60)), "exit code 1")
            expect(isinstance(huge.exception(60), OSError), True)
        with open(os.path.join(folder, "200_stderr.txt")) as f:
            expect("nonesuch" in f.read(), True)
        try:
            executor.submit(flux.job.JobspecV1.from_command(["true"]))
        except RuntimeError:
            pass
        else:
            raise AssertionError("an executor that is shut down takes jobs")
        print("ack", file=told, flush=True)
        expect(told.readline(), "drained\n")
        expect(instance.wait(60), 0)


# --- steps of a study: scripts, polled ----------------------------------------------------------------------------
STATES = {"D": "pending", "S": "queued", "R": "running", "C": "finishing", "CD": "finished", "F": "failed",
          "CA": "canceled", "TO": "timed out"}  # fmt: skip


class Study:
    """What is kept of jobs is their ids as text."""

    def __init__(self):
        import flux

        self.handle = flux.Flux()
        version = tuple(int(n) for n in self.handle.attr_get("version").split("."))
        expect(version >= (0, 49, 0), True)
        queues = self.handle.rpc("config.get").get().get("queues", {})
        expect(list(queues.keys()), [])
        for topic in ("accounting.view_user", "accounting.list_banks"):
            try:
                self.handle.rpc(topic, {"format": ""}).get()
            except OSError as e:
                expect(f"[Errno 38] No service matching {topic} is registered" in str(e), True)

    def submit(self, name, script, nested, walltime=0, urgency=16, **attributes):
        import flux

        with open(name + ".sh", "w") as f:
            f.write(f"#!/bin/sh\n{script}\n")
        os.chmod(name + ".sh", 0o700)
        path = os.path.abspath(name + ".sh")
        if nested:
            js = flux.job.JobspecV1.from_nest_command(
                [path], num_nodes=1, cores_per_slot=1, num_slots=2, gpus_per_slot=0)
        else:
            js = flux.job.JobspecV1.from_command([path], num_tasks=1, num_nodes=1, cores_per_task=1, gpus_per_task=0)
        js.setattr("system.job.name", name)
        js.cwd = os.getcwd()
        js.environment = dict(os.environ)
        for key, value in attributes.items():
            js.setattr(key, value)
        if walltime > 0:
            js.duration = walltime
        js.stdout = f"{name}.{{{{id}}}}.out"
        js.stderr = f"{name}.{{{{id}}}}.err"
        return str(flux.job.submit(self.handle, js, waitable=False, urgency=urgency).f58)

    def states(self, ids):
        import flux

        rpc = flux.job.list.JobList(self.handle, ids=[flux.job.JobID(i) for i in ids])
        states = {str(j.id.f58): STATES[j.status_abbrev] for j in rpc.jobs()}
        return [states.get(i) for i in ids], list(rpc.errors)

    def until(self, ids, wanted):
        end = time.monotonic() + 60
        while (got := self.states(ids)) != (wanted, []):
            if time.monotonic() > end:
                raise AssertionError(f"the states are {got}, not {wanted}")
            time.sleep(0.05)

    def cancel(self, ids):
        import flux

        for job in flux.job.list.JobList(self.handle, ids=[flux.job.JobID(i) for i in ids]).jobs():
            flux.job.cancel(self.handle, int(job.id))


def study(folder):
    os.chdir(folder)
    s = Study()
    nested = s.submit("nested", "flux run -n 2 -N 1 -c 1 sh -c 'echo $FLUX_TASK_RANK'", True, walltime=120)
    bad = s.submit("bad", "exit 3", False)
    late = s.submit("late", "sleep 100", False, walltime=0.5)
    long = s.submit("long", "sleep 100", False)
    held = s.submit("held", "true", False, urgency=0)
    s.until([nested, bad, late, long, held], ["finished", "failed", "timed out", "running", "queued"])
    with open(f"nested.{nested}.out") as f:
        expect(sorted(f.read().split()), ["0", "1"])
    s.cancel([long, held])
    s.until([long, held], ["canceled", "canceled"])
    states, errors = s.states([bad, "f2"])
    expect((states, len(errors)), (["failed", None], 1))
    # several threads, each with a handle of its own
    seen = collections.Counter()

    def follow():
        for state in Study().states([nested, bad])[0]:
            seen[state] += 1

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expect(seen, {"finished": 4, "failed": 4})


if __name__ == "__main__":
    {"parsl": parsl, "study": study, "manager": manager, "work": work}[sys.argv[1]](*sys.argv[2:])
