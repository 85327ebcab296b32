# SPDX-License-Identifier: BSD-3-Clause
"""What the Python package hbatch does in an instance; writes TAP.  The methods test_* of the classes, in their order."""
import asyncio
import concurrent.futures
import datetime
import fractions
import gc
import json
import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

import hbatch
from hbatch import Jobspec

faults = unittest.TestCase()
is_ = faults.assertEqual
raises = faults.assertRaises
says = faults.assertRaisesRegex
true = faults.assertTrue


class SkipTest(Exception):
    """A test that cannot be made here."""


def other_instance(*options):
    """An instance of its own: (process, URI)."""
    r, w = os.pipe()
    p = subprocess.Popen(
        ["hbatch", "start", "--test-topology=core:2 pu:1", *options, "sh", "-c", f"echo $HBATCH_URI >/dev/fd/{w}; exec sleep 300"],
        pass_fds=[w],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(w)
    with os.fdopen(r) as f:
        uri = f.readline().strip()
    return p, uri


def kill_instance(inst):
    """Its leader, the hard way."""
    os.kill(inst.attributes()["pid"], signal.SIGKILL)


def end_instance(p):
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.wait()


class Ids:
    def test_forms(self):
        j = hbatch.JobID("f1")
        is_(int(j), 0)
        j = hbatch.JobID(6731191091817518)
        is_((j.f58plain, j.dec, j.hex), ("fuZZybuNNy", "6731191091817518", "0x17e9fb8df16c2e"))
        is_(str(j)[1:], "uZZybuNNy")
        is_(hbatch.JobID(j.f58), j)
        is_(hbatch.JobID(j.words), j)
        is_(hbatch.JobID(j.dothex), j)
        is_(f"{j:>14}"[-9:], str(j)[-9:])
        is_(f"{j:d}", "6731191091817518")
        is_(pickle.loads(pickle.dumps(j)), j)
        is_({j: 1}[6731191091817518], 1)

    def test_bad(self):
        for bad in ("", "f0O", "xyz", -1, 1 << 64):
            with raises(ValueError):
                hbatch.JobID(bad)
        for bad in (None, 1.5, b"f1", True, []):
            with raises(TypeError):
                hbatch.JobID(bad)
        with says(ValueError, "'f99'"):
            hbatch.JobID(1).encode("f99")


class Specs:
    def test_from_command(self):
        js = Jobspec.from_command(["a", "b"], num_tasks=4, cores_per_task=2, gpus_per_task=1, num_nodes=2, duration="1.5h")
        node = js.resources[0]
        is_((node["type"], node["count"]), ("node", 2))
        is_(node["with"][0]["count"], 2)
        is_(js.tasks[0]["count"], {"per_slot": 1})
        is_(js.duration, 5400)
        is_(js.resource_counts(), {"node": 2, "slot": 4, "core": 8, "gpu": 4})
        is_([r["type"] for r in js], ["node", "slot", "core", "gpu"])
        is_(Jobspec.from_command(["a"], num_tasks=3, num_nodes=2).tasks[0]["count"], {"total": 3})

    def test_attributes(self):
        js = Jobspec.from_command(["a"], name="n", cwd="/tmp", queue="q", bank="b", output="o", error="e", input="i")
        is_((js.name, js.cwd, js.queue, js.bank), ("n", "/tmp", "q", "b"))
        is_((js.stdout, js.stderr, js.stdin, js.output, js.error, js.input), ("o", "e", "i", "o", "e", "i"))
        js.setattr("user.note", 1)
        js.setattr("dependencies", [])
        js.setattr("attributes.system.x.y", 2)
        is_((js.getattr("user.note"), js.getattr("system.x.y"), js.getattr("x.y")), (1, 2, 2))
        with raises(KeyError):
            js.getattr("no.such")
        with says(TypeError, "'note'"):
            js.setattr("user.note.more", 1)
        js.duration = datetime.timedelta(minutes=2)
        is_(js.duration, 120)
        js.unbuffered = True
        is_((js.unbuffered, js.getattr("shell.options.output.batch-timeout")), (True, 0.05))
        js.unbuffered = False
        is_(js.unbuffered, False)
        js.add_dependency("afterok:f1")
        js.add_dependency({"scheme": "afterany", "value": "f2"})
        is_(js.dependencies, [{"scheme": "afterok", "value": "f1"}, {"scheme": "afterany", "value": "f2"}])
        is_(json.loads(js.dumps())["attributes"]["system"]["cwd"], "/tmp")

    def test_environment(self):
        js = Jobspec.from_command(["a"])
        env = json.loads(js.dumps())["attributes"]["system"]["environment"]
        is_(env["PATH"], os.environ["PATH"])
        os.environ["MINE"] = "8"
        os.environ["BAD"] = "\udcff"  # not UTF-8
        env = json.loads(js.dumps())["attributes"]["system"]["environment"]
        is_((env["MINE"], "BAD" in env), ("8", False))
        del os.environ["BAD"]
        is_(json.loads(Jobspec.from_command(["a"]).dumps())["attributes"]["system"]["environment"]["MINE"], "8")
        js = Jobspec.from_command(["a"])
        js.environment["ADDED"] = "1"
        is_(js.environment["ADDED"], "1")
        true("ADDED" not in os.environ)

    def test_options(self):
        js = Jobspec.from_options(
            ["a"], nodes=2, ntasks=4, time_limit="30m", env=["-*", "X=1"], job_name="n", requires="-host:x", exclusive=True
        )
        is_(js.duration, 1800)
        is_(js.environment, {"X": "1"})
        is_(js.name, "n")
        true(js.resources[0]["exclusive"])
        with says(ValueError, "nonesuch"):
            Jobspec.from_options(["a"], nonesuch=1)
        with says(ValueError, "ntasks=x"):
            Jobspec.from_options(["a"], ntasks="x")

    def test_per_resource(self):
        js = Jobspec.per_resource(["a"], nnodes=2, ncores=8, per_resource_type="node", per_resource_count=3)
        is_(js.resource_counts(), {"node": 2, "slot": 2, "core": 8})
        is_(js.getattr("shell.options.per-resource"), {"type": "node", "count": 3})
        for bad in ({}, {"nnodes": 1}, {"ncores": 3, "nnodes": 2}, {"ncores": 1, "per_resource_type": "node"}):
            with raises(ValueError):
                Jobspec.per_resource(["a"], **bad)

    def test_programs(self):
        js = Jobspec.from_programs(
            [
                {"command": ["sh", "-c", "echo $0 $HBATCH_TASK_RANK $V", "a"]},
                {"command": ["sh", "-c", "echo $0 $HBATCH_TASK_RANK $V", "b"], "num_tasks": 1, "cores_per_task": 3,
                 "environment": {"V": "v"}},
            ],
            output="programs.out",
        )
        is_(js.resource_counts(), {"slot": 2, "core": 4})
        with hbatch.Instance() as h:
            is_(h.wait(h.submit(js)).exit_code, 0)
        with open("programs.out", encoding="utf-8") as f:
            is_(sorted(f.read().split("\n")[:-1]), ["a 0", "b 1 v"])
        js = Jobspec.from_programs([{"command": ["a"], "environment": {"V": "v"}, "cwd": "/"}], environment={"X": "x"})
        is_((js.environment, js.cwd), ({"V": "v", "X": "x"}, "/"))
        js = Jobspec.from_programs([{"command": ["a"], "num_tasks": 2}, {"command": ["b"], "num_tasks": 4}], num_nodes=2)
        is_(js.resource_counts(), {"node": 2, "slot": 6, "core": 6})
        for kind, text, bad in (
            (ValueError, "must not be empty", []),
            (TypeError, "a mapping with a command", [["a"]]),
            (ValueError, "there is no 'ntasks'", [{"command": ["a"], "ntasks": 1}]),
            (ValueError, "num_tasks must be at least 1", [{"command": ["a"], "num_tasks": 0}]),
        ):
            with says(kind, text):
                Jobspec.from_programs(bad)
        with says(ValueError, "program 1: 3 tasks cannot be divided evenly among 2 nodes"):
            Jobspec.from_programs([{"command": ["a"], "num_tasks": 3}], num_nodes=2)

    def test_bad(self):
        table = (
            (TypeError, "list of strings", lambda: Jobspec.from_command("sleep 1")),
            (TypeError, "7", lambda: Jobspec.from_command(["sleep", 7])),
            (ValueError, "empty", lambda: Jobspec.from_command([])),
            (ValueError, "num_tasks", lambda: Jobspec.from_command(["a"], num_tasks=0)),
            (TypeError, "num_tasks", lambda: Jobspec.from_command(["a"], num_tasks="4")),
            (ValueError, "num_nodes", lambda: Jobspec.from_command(["a"], num_nodes=2)),
            (ValueError, "exclusive", lambda: Jobspec.from_command(["a"], exclusive=True)),
            (TypeError, "nonesuch", lambda: Jobspec.from_command(["a"], nonesuch=1)),
            (ValueError, "'soon'", lambda: Jobspec.from_command(["a"], duration="soon")),
            (ValueError, "finite", lambda: Jobspec.from_command(["a"], duration=-1)),
            (TypeError, "duration", lambda: Jobspec.from_command(["a"], duration=[])),
            (TypeError, "environment", lambda: Jobspec.from_command(["a"], environment=["X=1"])),
            (TypeError, "'X'=1", lambda: Jobspec.from_command(["a"], environment={"X": 1})),
            (TypeError, "rlimits", lambda: Jobspec.from_command(["a"], rlimits=7)),
            (TypeError, "queue", lambda: Jobspec.from_command(["a"], queue=7)),
            (ValueError, "afterok", lambda: Jobspec.from_command(["a"], dependencies=["afterok"])),
            (ValueError, "#!", lambda: Jobspec.from_batch_command("echo", "job")),
            (ValueError, "one word", lambda: Jobspec.from_nest_command(["a"], broker_opts=["policy"])),
            (ValueError, "not JSON", lambda: Jobspec.from_json("{")),
            (ValueError, "'tasks'", lambda: Jobspec.from_dict({"resources": [], "version": 1})),
            (ValueError, "version", lambda: Jobspec([], [], {}, 2)),
            (ValueError, "'other'", lambda: Jobspec([], [], {"other": 1})),
            (ValueError, "label", lambda: Jobspec([{"type": "slot", "count": 1}], [])),
            (ValueError, "greater", lambda: Jobspec([{"type": "core", "count": 0}], [])),
            (TypeError, "mapping", lambda: Jobspec(["core"], [])),
            (ValueError, "per_slot", lambda: Jobspec([], [{"command": ["a"], "slot": "s", "count": {"x": 1}}])),
        )
        for kind, text, make in table:
            with says(kind, text):
                make()


class Work:
    def setUp(self):
        self.inst = hbatch.Instance()

    def tearDown(self):
        self.inst.close()

    def test_submit_and_wait(self):
        inst = self.inst
        jobid = inst.submit(Jobspec.from_command(["sh", "-c", "echo out; echo err >&2; exit 3"], num_tasks=2))
        true(isinstance(jobid, hbatch.JobID))
        r = inst.wait(jobid)
        is_((r.jobid, r.result, r.exit_code, r.returncode, r.ok), (jobid, "FAILED", 3, 3, False))
        with says(hbatch.JobFailed, "exit code 3") as e:
            r.check()
        is_(e.exception.result, r)
        is_(inst.output(jobid), b"out\nout\n")
        is_(inst.output(jobid, "stderr"), b"err\nerr\n")
        r = inst.wait(inst.submit(["sh", "-c", "kill -9 $$"]))
        is_((r.returncode, r.exit_code), (-9, 137))
        true("SIGKILL" in r.reason)
        true(inst.wait(inst.submit(["true"])).check().ok)
        r = inst.wait(inst.submit(["/nonexistent/program"]))
        is_((r.result, r.exit_code), ("FAILED", 127))

    def test_kinds_of_specifications(self):
        inst = self.inst
        js = Jobspec.from_command(["true"])
        for kind in (js, js.dumps(), js.dumps().encode(), js.to_dict(), ["true"], ("true",)):
            true(inst.wait(inst.submit(kind)).ok)

    def test_environment_and_directory(self):
        with tempfile.TemporaryDirectory() as there:
            js = Jobspec.from_command(["sh", "-c", "echo $X; pwd"], cwd=there, environment=dict(os.environ, X="y z"))
            is_(self.inst.run(js).stdout.decode().split("\n")[:2], ["y z", os.path.realpath(there)])
            js = Jobspec.from_command(["sh", "-c", "echo to file"], output=os.path.join(there, "out"))
            self.inst.wait(self.inst.submit(js))
            with open(os.path.join(there, "out"), encoding="utf-8") as f:
                is_(f.read(), "to file\n")
        os.environ["LATE"] = "1"  # environments alternate; each job has its own
        here = [self.inst.run(["sh", "-c", "echo $LATE"]).stdout for os.environ["LATE"] in ("1", "2", "1")]
        is_(here, [b"1\n", b"2\n", b"1\n"])
        os.environ["PMIX_RANK"] = "7"  # of a launcher around us
        is_(self.inst.run(["sh", "-c", "echo $PMIX_RANK"]).stdout, b"\n")
        del os.environ["PMIX_RANK"]

    def test_run_with_input(self):
        data = bytes(range(256)) * 8192
        c = self.inst.run(["cat"], stdin=data, timeout=60)
        true(c.stdout == data)
        is_(self.inst.run(["cat"], stdin=b"").stdout, b"")
        with raises(TypeError):
            self.inst.run(["cat"], stdin="text")

    def test_run_timeout_cancels(self):
        with raises(hbatch.WaitTimeout):
            self.inst.run(Jobspec.from_command(["sleep", "100"], name="slow"), timeout=0.3)
        job = next(iter(self.inst.jobs(name="slow")))
        is_(self.inst.wait(job.id).result, "CANCELED")

    def test_watch(self):
        jobid = self.inst.submit(["true"])
        names = [e.name for e in self.inst.watch(jobid, timeout=60)]
        is_(names[0], "submit")
        is_(names[-1], "clean")
        is_(self.inst.wait_event(jobid, "finish").context["status"], 0)
        with says(hbatch.NoData, "'memo'"):
            self.inst.wait_event(jobid, "memo")
        is_([e.name for e in self.inst.events(jobid)], names)
        jobid = self.inst.submit(["sleep", "100"])
        for e in self.inst.watch(jobid):
            if e.name == "start":
                break  # the rest is not wanted
        with raises(hbatch.WaitTimeout):
            self.inst.wait_event(jobid, "finish", timeout=0.1)
        self.inst.kill(jobid, "TERM")
        is_(self.inst.wait(jobid).returncode, -15)

    def test_output_as_it_comes(self):
        jobid = self.inst.submit(["sh", "-c", "echo 1; printf '\\377\\0'"])
        parts = list(self.inst.output_stream(jobid, timeout=60))
        is_(b"".join(o.data for o in parts if o.stream == "stdout"), b"1\n\xff\0")

    def test_act(self):
        inst = self.inst
        jobid = inst.submit(["true"], urgency=0)
        is_(inst.job(jobid).state, "SCHED")
        is_(inst.release(jobid), 0)
        true(inst.wait(jobid).ok)
        with raises(hbatch.WaitTimeout):
            inst.wait(inst.submit(["true"], urgency=0), timeout=0.05)
        with raises(hbatch.WaitTimeout):
            inst.wait(inst.submit(["true"], urgency=0), timeout=fractions.Fraction(1, 20))
        for limit in (math.inf, 1e7, 10**400, fractions.Fraction(60)):  # some are more than poll() takes
            true(inst.wait(inst.submit(["sleep", "0.05"]), timeout=limit).ok)
        with hbatch.Instance() as other:  # while another thread receives
            other.submit_async(["true"]).result(60)
            true(other.wait(other.submit(["sleep", "0.05"]), timeout=math.inf).ok)
        with hbatch.Executor() as ex:
            future = ex.submit(["true"])
            is_((future.jobid(math.inf) > 0, future.result(math.inf)), (True, 0))
        true(inst.cancel_all("pending") >= 1)
        jobid = inst.submit(["sleep", "100"])
        inst.cancel(jobid, "changed my mind")
        r = inst.wait(jobid)
        is_((r.result, r.exception.type, r.exception.note), ("CANCELED", "cancel", "changed my mind"))
        with says(hbatch.JobCanceled, "changed my mind"):
            r.check()
        with raises(hbatch.JobNotFound):
            inst.cancel(jobid)
        jobid = inst.submit(Jobspec.from_command(["sleep", "100"], duration=0.2))
        with raises(hbatch.JobTimedOut):
            inst.wait(jobid).check()
        jobid = inst.submit(["sleep", "100"])
        inst.raise_exception(jobid, "mine", 0, "why")
        is_(inst.wait(jobid).exception.type, "mine")
        first = inst.submit(["sh", "-c", "exit $HBATCH_JOB_CC"], cc=[4, 5, 6])
        is_([inst.wait(first.nth(i)).exit_code for i in range(3)], [4, 5, 6])
        dependent = inst.submit(Jobspec.from_command(["true"], dependencies=[f"afterok:{first}"]))
        is_(inst.wait(dependent).result, "FAILED" if inst.job(dependent).result == "FAILED" else "CANCELED")

    def test_jobs(self):
        inst = self.inst
        jobid = inst.submit(Jobspec.from_command(["sh", "-c", "exit 2"], name="listed", num_tasks=2))
        inst.wait(jobid)
        job = inst.job(jobid)
        is_((job.name, job.ntasks, job.result, job.returncode, job.active), ("listed", 2, "FAILED", 2, False))
        is_((job.urgency, job.uri), (16, None))
        with raises(AttributeError):
            job.nonesuch
        is_([j.id for j in inst.jobs(name="listed")], [jobid])
        is_([j.id for j in inst.jobs(results="failed", name="listed", states=[])], [jobid])
        is_(list(inst.jobs(states="running", name="listed")), [])
        is_(list(inst.jobs(since=time.time() + 100, states="inactive")), [])
        question = inst.jobs(ids=[jobid, 1])
        is_(len(question.jobs()), 1)
        true("there is no job" in question.errors[0])
        with says(hbatch.JobNotFound, "there is no job"):
            inst.job(1)
        is_(len(inst.jobs(max_entries=1, states="inactive").jobs()), 1)
        is_(inst.info(jobid, "jobspec")["tasks"][0]["command"][0], "sh")
        with raises(hbatch.NoData):
            inst.info(inst.submit(["true"], urgency=0), "R")
        inst.cancel_all()

    def test_instance(self):
        inst = self.inst
        is_(inst.uri, os.environ["HBATCH_URI"])
        is_((inst.level, inst.size), (int(os.environ["HBATCH_INSTANCE_LEVEL"]), 1))
        is_(inst.resources()[0]["cores"], "0-3")
        inst.drain(0, "testing")
        is_(inst.resources()[0]["state"], "drained")
        inst.undrain(0)
        is_(inst.resources()[0]["state"], "up")
        true(inst.stats()["inactive"] > 0)
        is_(inst.parent_uri(), None)
        with raises(hbatch.NoData):
            inst.parent()

    def test_sub_instance(self):
        script = "#!/bin/sh\nhbatch run echo in $1\nsleep 100\n"
        jobid = self.inst.submit(Jobspec.from_batch_command(script, "nested", args=["it"], num_slots=2))
        with self.inst.child(jobid, timeout=60) as child:
            is_(child.level, self.inst.level + 1)
            with child.parent() as parent:
                is_(parent.uri, self.inst.uri)
            is_(child.run(["echo", "deep"]).stdout, b"deep\n")
            true(self.inst.job(jobid).is_instance)
        self.inst.cancel(jobid)
        self.inst.wait(jobid)
        with says(hbatch.NoData, "over"):
            self.inst.child_uri(jobid)
        jobid = self.inst.submit(Jobspec.from_nest_command(["hbatch", "run", "echo", "nest"], num_slots=1))
        is_(self.inst.output(jobid), b"nest\n")
        jobid = self.inst.submit(["sleep", "100"])
        with says(hbatch.NoData, "not ready"):
            self.inst.child_uri(jobid, wait=False)
        with raises(hbatch.WaitTimeout):
            self.inst.child_uri(jobid, timeout=0.2)
        self.inst.cancel(jobid)

    def test_many(self):
        ids = self.inst.submit_many((["true", str(i)] for i in range(3000)), urgency=0)
        is_(len(set(ids)), 3000)
        is_(ids, sorted(ids))
        is_(self.inst.info(ids[-1], "jobspec")["tasks"][0]["command"], ["true", "2999"])
        self.inst.cancel_all()
        big = Jobspec.from_command(["true"], num_tasks=99)
        with says(hbatch.Unsatisfiable, "99"):
            self.inst.submit_many([["true"], big, ["true"]])
        ids = self.inst.submit_many([["true"], big, "{", ["true"]], return_exceptions=True)
        is_([type(i) for i in ids], [hbatch.JobID, hbatch.Unsatisfiable, hbatch.InvalidRequest, hbatch.JobID])
        is_(sorted(r.jobid for r in self.inst.wait_many([ids[0], ids[3]], timeout=60)), sorted([ids[0], ids[3]]))
        with raises(hbatch.JobNotFound):
            list(self.inst.wait_many([1]))

    def test_many_environments(self):
        mine = Jobspec.from_command(["sh", "-c", "test $MINE = yes"], environment=dict(os.environ, MINE="yes"))
        true(self.inst.run(mine).result.ok)
        with hbatch.Instance() as other:
            env = {"PATH": os.environ["PATH"]}
            many = [Jobspec.from_command(["true"], environment=dict(env, N=str(i))) for i in range(400)]
            for r in other.wait_many(other.submit_many(many), timeout=100):
                r.check()
        true(self.inst.run(mine).result.ok)
        is_(len(self.inst.submit_many([mine] * 10, urgency=0)), 10)
        self.inst.cancel_all()

    def test_async(self):
        f = self.inst.submit_async(["sh", "-c", "exit 4"])
        is_(self.inst.wait_async(f.result(60)).result(60).exit_code, 4)
        f = self.inst.submit_async(Jobspec.from_command(["true"], num_tasks=99))
        true(isinstance(f.exception(60), hbatch.Unsatisfiable))
        with raises(hbatch.JobNotFound):
            self.inst.wait_async(1).result(60)
        is_(self.inst.wait(self.inst.submit(["true"])).ok, True)  # beside the thread

    def test_threads(self):
        slow = self.inst.submit(["sleep", "100"])
        results, failures = [], []

        def waiter():
            results.append(self.inst.wait(slow).result)

        def worker(n):
            try:
                for i in range(20):
                    code = (n * 20 + i) % 200
                    jobid = self.inst.submit(["sh", "-c", f"exit {code}"])
                    is_(self.inst.wait(jobid, timeout=60).exit_code, code)
            except BaseException as e:  # pylint: disable=broad-except
                failures.append(e)

        waiting = [threading.Thread(target=waiter) for _ in range(3)]
        working = [threading.Thread(target=worker, args=(n,)) for n in range(6)]
        for t in waiting + working:
            t.start()
        for t in working:
            t.join(120)
        is_(failures, [])
        is_(results, [])
        self.inst.cancel(slow)
        for t in waiting:
            t.join(60)
        is_(results, ["CANCELED"] * 3)

    def test_fork(self):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self.inst.stats()
            except hbatch.ConnectionClosed as e:
                with hbatch.Instance() as own:
                    code = 7 if "forked" in str(e) and own.stats() else 2
            finally:
                os._exit(code)
        is_(os.WEXITSTATUS(os.waitpid(pid, 0)[1]), 7)
        true(self.inst.stats())

    def test_event_loop(self):
        import select

        jobid = self.inst.submit(["true"])
        future = self.inst.wait_async(jobid)
        is_(future.result(60).ok, True)
        with hbatch.Instance() as inst:
            p = select.poll()
            p.register(inst, select.POLLIN)
            is_(p.poll(0), [])
            is_(inst.dispatch(), False)

    def test_bad(self):
        inst = self.inst
        table = (
            (hbatch.InvalidRequest, "JSON", lambda: inst.submit("{")),
            (hbatch.InvalidRequest, "", lambda: inst.submit("{}")),
            (hbatch.Unsatisfiable, "99", lambda: inst.submit(Jobspec.from_command(["a"], num_tasks=99))),
            (TypeError, "int", lambda: inst.submit(7)),
            (TypeError, "NoneType", lambda: inst.submit(None)),
            (ValueError, "32", lambda: inst.submit(["a"], urgency=32)),
            (TypeError, "urgency", lambda: inst.submit(["a"], urgency="high")),
            (hbatch.InvalidRequest, "", lambda: inst.submit(["a"], cc="1-")),
            (TypeError, "", lambda: inst.submit(["a"], nonesuch=1)),
            (ValueError, "UTF-8", lambda: inst.submit(["a\udcff"])),
            (ValueError, "byte 0", lambda: inst.submit(["a\0b"])),
            (hbatch.JobNotFound, "", lambda: inst.wait(1)),
            (hbatch.JobNotFound, "", lambda: list(inst.watch(1))),
            (hbatch.JobNotFound, "", lambda: inst.output(1)),
            (hbatch.JobNotFound, "", lambda: inst.kill(1)),
            (ValueError, "NONE", lambda: inst.kill(1, "NONE")),
            (ValueError, "'gone'", lambda: inst.jobs(states="gone")),
            (ValueError, "'good'", lambda: inst.jobs(results=["good"])),
            (TypeError, "since", lambda: inst.jobs(since="yesterday")),
            (ValueError, "stdlog", lambda: inst.output(1, "stdlog")),
            (hbatch.NotSupported, "no.such", lambda: inst.call("no.such")),
            (hbatch.InvalidRequest, "No Such", lambda: inst.call("No Such")),
            (TypeError, "JSON", lambda: inst.call("job.list", {"ids": {1, 2}})),
        )
        for kind, text, act in table:
            with says(kind, text):
                act()
        true(issubclass(hbatch.InvalidRequest, ValueError) and issubclass(hbatch.JobNotFound, LookupError))


class Futures:
    def test_results(self):
        with hbatch.Executor() as ex:
            futures = [ex.submit(["sh", "-c", f"exit {i}"]) for i in range(10)]
            done = list(concurrent.futures.as_completed(futures, timeout=60))
            is_(sorted(f.result() for f in done), list(range(10)))
            is_(len({f.jobid() for f in futures}), 10)
            is_(ex.submit(["sh", "-c", "kill -9 $$"]).result(60), -9)
            is_(list(ex.map(lambda a, b: ["sh", "-c", f"exit {a + b}"], [1, 2, 3], [10, 20, 30], timeout=60)), [11, 22, 33])

    def test_exceptions(self):
        with hbatch.Executor() as ex:
            true(isinstance(ex.submit(Jobspec.from_command(["a"], num_tasks=99)).exception(60), hbatch.Unsatisfiable))
            f = ex.submit(["/nonexistent/program"])
            is_(f.result(60), 127)
            true("nonexistent" in f.job_result.reason)
            f = ex.submit(["sleep", "100"])
            with hbatch.Instance() as inst:
                inst.raise_exception(f.jobid(60), "mine", 0, "why")
            with says(hbatch.JobFailed, "why"):
                f.result(60)
            f = ex.submit(Jobspec.from_command(["sleep", "100"], duration=0.2))
            true(isinstance(f.exception(60), hbatch.JobTimedOut))
            f = ex.submit(["sleep", "100"])
            f.cancel_job("enough")
            with says(hbatch.JobCanceled, "enough"):
                f.result(60)
            is_((f.job_result.result, f.cancelled()), ("CANCELED", False))
            f = ex.submit("{")
            true(isinstance(f.exception(60), hbatch.InvalidRequest))
            with raises(hbatch.InvalidRequest):
                f.jobid()
            with raises(TypeError):
                ex.submit(7)
            with raises(concurrent.futures.TimeoutError):
                slow = ex.submit(["sleep", "100"])
                slow.result(0.1)
            slow.cancel_job()

    def test_callbacks(self):
        ids, events, threads, done = [], [], set(), []
        with hbatch.Executor() as ex:
            f = ex.submit(["true"])
            f.add_jobid_callback(lambda f: ids.append(f.jobid()))
            f.add_jobid_callback(lambda f: 1 / 0)  # is logged
            for name in ("start", "finish", "clean"):
                f.add_event_callback(name, lambda f, e: (events.append(e.name), threads.add(threading.get_ident())))
            f.add_done_callback(done.append)
            f.result(60)
            with says(ValueError, "'began'"):
                f.add_event_callback("began", print)
        is_(ids, [f.jobid()])
        is_(events, ["start", "finish", "clean"])
        is_((len(threads), done), (1, [f]))

    def test_late_callbacks(self):
        with hbatch.Executor() as ex:
            f = ex.submit(["true"])
            f.result(60)
            seen = threading.Event()
            f.add_event_callback("start", lambda f, e: seen.set())
            true(seen.wait(60))
            again = []
            f.add_event_callback("start", lambda f, e: again.append(e.name))
            is_(again, ["start"])

    def test_no_waiting_in_callbacks(self):
        caught, over = [], threading.Event()
        with hbatch.Executor() as ex:
            slow = ex.submit(["true"], urgency=0)
            slow.jobid(60)

            def callback(_):
                for wait in (slow.result, slow.exception):
                    try:
                        wait()
                    except RuntimeError as e:
                        caught.append(str(e))
                f2 = ex.submit(["true"])  # but it may submit
                f2.add_done_callback(lambda f: over.set())

            ex.submit(["true"]).add_done_callback(callback)
            true(over.wait(60))
            is_(len(caught), 2)
            slow.cancel_job()

    def test_attach(self):
        with hbatch.Instance() as inst, hbatch.Executor() as ex:
            jobid = inst.submit(["sh", "-c", "exit 6"])
            f = ex.attach(jobid)
            is_((f.jobid(), f.result(60)), (jobid, 6))
            is_(ex.attach(jobid).result(60), 6)
            true(isinstance(ex.attach(1).exception(60), hbatch.JobNotFound))
            with raises(ValueError):
                ex.attach("nonsense")

    def test_shutdown(self):
        ex = hbatch.Executor()
        running = ex.submit(["sleep", "100"])
        running.jobid(60)
        ex.shutdown(wait=False)
        with says(RuntimeError, "shut down"):
            ex.submit(["true"])
        with says(RuntimeError, "shut down"):
            ex.attach(1)
        running.cancel_job()
        ex.shutdown()
        true(running.done())
        ex.shutdown()
        ex = hbatch.Executor()
        futures = [ex.submit(["true"], urgency=0) for _ in range(5000)]  # more than are sent ahead
        ex.shutdown(cancel_futures=True, cancel_jobs=True)
        cancelled = sum(f.cancelled() for f in futures)
        is_(cancelled + sum(isinstance(f.exception(), hbatch.JobCanceled) for f in futures if not f.cancelled()), 5000)
        true(futures[-1].cancelled() or cancelled == 0)
        for f in futures:
            if f.cancelled():
                with raises(concurrent.futures.CancelledError):
                    f.jobid()
                break

    def test_shutdown_while_ids_come(self):
        class Late(hbatch.JobFuture):
            """Its id comes right after somebody has looked for it."""
            _id, hidden = None, False

            @property
            def _jobid(self):
                hidden, self.hidden = self.hidden, False
                return None if hidden else self._id

            @_jobid.setter
            def _jobid(self, jobid):
                self._id = jobid

        ex = hbatch.Executor()
        ex._future_class = Late  # pylint: disable=protected-access
        f = ex.submit(["true"], urgency=0)
        f.jobid(60)
        f.hidden = True
        ex.shutdown(wait=False, cancel_jobs=True)
        true(isinstance(f.exception(60), hbatch.JobCanceled))

    def test_threads(self):
        with hbatch.Executor() as ex:
            sums, failures = [], []

            def work(n):
                try:
                    fs = [ex.submit(["sh", "-c", f"exit {n}"]) for _ in range(20)]
                    sums.append(sum(f.result(120) for f in fs))
                except BaseException as e:  # pylint: disable=broad-except
                    failures.append(e)

            threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            is_((failures, sorted(sums)), ([], [0, 20, 40, 60, 80]))

    def test_forgotten(self):
        ex = hbatch.Executor()
        thread = ex._thread
        ex.submit(["true"]).result(60)
        del ex
        gc.collect()
        thread.join(60)
        is_(thread.is_alive(), False)


class Loop:
    def test_asyncio(self):
        async def main():
            async with hbatch.aio.AsyncInstance() as inst:
                ids = await asyncio.gather(*(inst.submit(["sh", "-c", f"exit {i}"]) for i in range(20)))
                results = await asyncio.gather(*(inst.wait(i) for i in ids))
                is_([r.exit_code for r in results], list(range(20)))
                is_([e.name async for e in inst.watch(ids[0])][-1], "clean")
                jobid = await inst.submit(["echo", "out"])
                is_(await inst.output(jobid), b"out\n")
                with raises(hbatch.Unsatisfiable):
                    await inst.submit(Jobspec.from_command(["a"], num_tasks=99))
                slow = await inst.submit(["sleep", "100"])
                with raises(asyncio.TimeoutError):
                    await asyncio.wait_for(inst.wait(slow), 0.1)
                await inst.cancel(slow)
                is_((await inst.wait(slow)).result, "CANCELED")
                task = asyncio.ensure_future(inst.run(Jobspec.from_command(["sleep", "100"], name="aio-run")))
                while not await inst.jobs(name="aio-run", states="running"):
                    await asyncio.sleep(0.01)
                task.cancel()
                with raises(asyncio.CancelledError):
                    await task
                jobs = await inst.jobs(name="aio-run")
                is_((await inst.wait(jobs[0].id)).result, "CANCELED")
                is_((await inst.attributes())["uri"], os.environ["HBATCH_URI"])
                is_(len(await inst.resources()), 1)
                waiting = asyncio.ensure_future(inst.wait(await inst.submit(["true"], urgency=0)))
                await asyncio.sleep(0)
            with raises(hbatch.ConnectionClosed):
                await waiting
            with hbatch.Executor() as ex:
                is_(await ex.submit(["sh", "-c", "exit 3"]), 3)
                with raises(hbatch.Unsatisfiable):
                    await ex.submit(Jobspec.from_command(["a"], num_tasks=99))

        asyncio.run(main())
        with hbatch.Instance() as inst:
            inst.cancel_all()


class Loss:
    def test_no_instance(self):
        uri = os.environ.pop("HBATCH_URI")
        try:
            for make in (hbatch.Instance, hbatch.Executor):
                with says(hbatch.ConnectError, "HBATCH_URI"):
                    make()
        finally:
            os.environ["HBATCH_URI"] = uri
        with says(hbatch.ConnectError, "/nonexistent"):
            hbatch.Instance("local:///nonexistent/sock")
        with says(ConnectionError, "nonsense"):
            hbatch.Instance("nonsense://x")
        with raises(TypeError):
            hbatch.Instance(7)
        with raises(ValueError):
            hbatch.Instance("local:///a\0b")

    def test_closed(self):
        inst = hbatch.Instance()
        jobid = inst.submit(["true"], urgency=0)
        ended = []

        def waiter():
            try:
                inst.wait(jobid)
            except hbatch.ConnectionClosed as e:
                ended.append(e)

        thread = threading.Thread(target=waiter)
        thread.start()
        while inst._channel._pump_thread is None:
            time.sleep(0.001)
        inst.close()
        thread.join(60)
        is_(len(ended), 1)
        inst.close()
        with raises(hbatch.ConnectionClosed):
            inst.stats()
        with hbatch.Instance() as inst:
            inst.cancel(jobid)

    def test_killed(self):
        p, uri = other_instance()
        try:
            inst, ex = hbatch.Instance(uri), hbatch.Executor(uri)
            f = ex.submit(["sleep", "100"])
            jobid = f.jobid(60)
            seen = []

            def waiter(wait):
                try:
                    wait()
                except hbatch.HbatchError as e:
                    seen.append(type(e))

            waits = (lambda: inst.wait(jobid), lambda: list(inst.watch(jobid)), lambda: inst.output(jobid))
            threads = [threading.Thread(target=waiter, args=(w,)) for w in waits]
            for t in threads:
                t.start()
            inst.wait_event(jobid, "start", timeout=60)
            pending = inst.wait_async(jobid)
            kill_instance(inst)
            for t in threads:
                t.join(60)
            is_(seen, [hbatch.ConnectionLost] * 3)
            true(isinstance(pending.exception(60), hbatch.ConnectionLost))
            with says(hbatch.ConnectionLost, "is lost"):
                f.result(60)
            with raises(hbatch.ConnectionLost):
                inst.submit(["true"])
            ex._thread.join(60)
            with says(RuntimeError, "no more jobs"):
                ex.submit(["true"])
            ex.shutdown()
            inst.close()
        finally:
            end_instance(p)

    def test_killed_asyncio(self):
        p, uri = other_instance()
        try:

            async def main():
                async with hbatch.aio.AsyncInstance(uri) as inst:
                    pid = (await inst.attributes())["pid"]
                    jobid = await inst.submit(["true"], urgency=0)
                    waiting = asyncio.ensure_future(inst.wait(jobid))
                    await inst.resources()
                    os.kill(pid, signal.SIGKILL)
                    with raises(hbatch.ConnectionLost):
                        await waiting
                    with raises(hbatch.ConnectionLost):
                        async for _ in inst.watch(jobid):
                            pass

            asyncio.run(main())
        finally:
            end_instance(p)

    def test_comes_back(self):
        cutter = os.path.join(os.path.dirname(os.path.realpath(__file__)), "cutter.py")
        real = os.environ["HBATCH_URI"][len("local://") :]
        with tempfile.TemporaryDirectory() as there:
            path = os.path.join(there, "sock")
            open(os.path.join(there, "recoverable"), "w", encoding="utf-8").close()
            limits = ["c300", "500", "3000", "c2000", "2000", "c900", "700", "0"] * 2
            p = subprocess.Popen([sys.executable, cutter, real, path, *limits], stdout=subprocess.PIPE, text=True)
            try:
                is_(p.stdout.readline(), "ready\n")
                with hbatch.Instance() as direct:
                    before = direct.stats()["inactive"]
                    with hbatch.Executor("local://" + path) as ex:
                        futures = [ex.submit(["sh", "-c", f"exit {i % 7}"]) for i in range(150)]
                        is_([f.result(100) for f in futures], [i % 7 for i in range(150)])
                    with hbatch.Instance("local://" + path) as inst:
                        ids = inst.submit_many([["true"]] * 50)
                        is_(len(list(inst.wait_many(ids, timeout=100))), 50)
                    is_(direct.stats()["inactive"] - before, 200)

                async def main():
                    async with hbatch.aio.AsyncInstance("local://" + path) as inst:
                        results = await asyncio.gather(*(inst.run(["true"]) for _ in range(30)))
                        is_(sum(r.ok for r in results), 30)

                asyncio.run(main())
            finally:
                p.terminate()
                cuts = int(p.stdout.read())
                p.stdout.close()
                p.wait()
        true(cuts >= 5)

    def test_shut_down(self):
        p, uri = other_instance()
        try:
            with hbatch.Instance(uri) as inst:
                jobid = inst.submit(["sleep", "100"])
                f = inst.wait_async(jobid)
                inst.wait_event(jobid, "start", timeout=60)
                with hbatch.Instance(uri) as other:
                    other.shutdown("testing")
                try:
                    is_(f.result(60).result, "CANCELED")
                except hbatch.ConnectionLost:
                    pass
        finally:
            end_instance(p)


class Helpers:
    def test_spawn_keys(self):
        from hbatch.mpi import spawn_keys

        is_(
            spawn_keys(nodes=2, time_limit="30m", wdir="/tmp", env={"A": "b"}),
            {
                "hbatch_nodes": "2",
                "hbatch_time_limit": "30m",
                "wdir": "/tmp",
                "env": "HBATCH_SPAWN_NODES=2\nHBATCH_SPAWN_TIME_LIMIT=30m\nA=b",
            },
        )
        is_(spawn_keys(exclusive=True, cores=None), {"hbatch_exclusive": "true", "env": "HBATCH_SPAWN_EXCLUSIVE=true"})
        for bad in ({"nonesuch": 1}, {"job_name": "a\nb"}, {"env": {"A": "b\nc"}}, {"requires": "x" * 300}):
            with raises(ValueError):
                spawn_keys(**bad)

    def test_mpi4py(self):
        try:
            import mpi4py  # noqa: F401 pylint: disable=unused-import
        except ImportError:
            raise SkipTest("mpi4py is not here") from None
        script = (
            "import hbatch.mpi\n"
            "with hbatch.mpi.SpawnedInstance(cores=1, job_name='spawned') as s:\n"
            "    print(s.instance.run(['echo', 'inside']).stdout.decode().strip(), s.instance.level)\n"
        )
        js = Jobspec.from_command([sys.executable, "-c", script])
        js.setattr_shell_option("pmi", "pmix")
        with hbatch.Instance() as inst:
            c = inst.run(js, timeout=120)
            is_((c.stdout, c.stderr[-2000:]), (f"inside {inst.level + 1}\n".encode(), b""))

    def test_exceptions_can_be_pickled(self):
        for e in (hbatch.JobNotFound("text", 2), hbatch.JobFailed("text", None), hbatch.WaitTimeout("text")):
            again = pickle.loads(pickle.dumps(e))
            is_((type(again), str(again), again.code), (type(e), "text", e.code))
        is_(hbatch.JobNotFound("text", 2).name, "ENOENT")

    def test_durations(self):
        is_([hbatch.parse_duration(d) for d in ("90", "90s", "1.5h", "2d", "5m", "100ms", 7, "0")],
            [90, 90, 5400, 172800, 300, 0.1, 7, 0])
        for bad in ("", "h", "1w", "-1", "nan", "inf", float("inf"), -2):
            with raises(ValueError):
                hbatch.parse_duration(bad)


def main():
    logging.disable()  # of exceptions that callbacks raise here
    n = failed = 0
    only = sys.argv[1:]
    for group in (Ids, Specs, Work, Futures, Loop, Loss, Helpers):
        for name in [m for m in vars(group) if m.startswith("test_")]:
            if only and name not in only:
                continue
            n += 1
            label = f"{group.__name__}: {name[5:].replace('_', ' ')}"
            case = group()
            try:
                getattr(case, "setUp", lambda: None)()
                try:
                    getattr(case, name)()
                finally:
                    getattr(case, "tearDown", lambda: None)()
                print(f"ok {n} - {label}")
            except SkipTest as e:
                print(f"ok {n} - {label} # SKIP {e}")
            except BaseException:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {n} - {label}")
                print("# " + traceback.format_exc().replace("\n", "\n# "))
            sys.stdout.flush()
    print(f"1..{n}")
    sys.exit(failed > 0)


main()
