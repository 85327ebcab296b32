# SPDX-License-Identifier: BSD-3-Clause
"""Tables of calls of the Python packages hbatch and flux; writes TAP."""
import asyncio
import concurrent.futures
import faulthandler
import inspect
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import flux
import flux.job
import hbatch
import hbatch.aio
import hbatch.mpi

LIMIT = 60  # s: for what ends at once on a quiet machine
state = {"n": 0, "failed": 0}


def report(label, faults):
    """A line of TAP: FAULTS are sentences, none if all is well."""
    state["n"] += 1
    state["failed"] += bool(faults)
    print("not ok" if faults else "ok", state["n"], "-", label, flush=True)
    for fault in faults:
        print("#", str(fault).replace("\n", "\n# "), flush=True)


def other_instance():
    """An instance of its own: (process, URI)."""
    r, w = os.pipe()
    command = f"echo $HBATCH_URI >/dev/fd/{w}; exec sleep 300"
    # pylint: disable-next=consider-using-with
    p = subprocess.Popen(
        ["hbatch", "start", "--test-topology=core:2 pu:1", "sh", "-c", command],
        pass_fds=[w], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    os.close(w)
    with os.fdopen(r) as f:
        return p, f.readline().strip()


# --- a killed instance ---------------------------------------------------------------------------------------------
def waits(uri, held, running):
    """What waits, by name: a function that has a connection, and waits on it.  HELD never starts, RUNNING never ends."""
    def inst():  # one for each call: who waits on it is who receives
        return hbatch.Instance(uri)

    def handle():
        return flux.Flux(uri)

    js = hbatch.Jobspec.from_command(["sleep", "1000"])

    def executed(use, **options):
        ex = hbatch.Executor(uri)
        future = ex.submit(js, **options)
        future.jobid(LIMIT)
        return use(ex, future)

    def flux_executed(use):
        ex = flux.job.FluxExecutor(handle_args=(uri,))
        future = ex.submit(flux.job.JobspecV1.from_command(["sleep", "1000"]))
        future.jobid(LIMIT)
        return use(ex, future)

    def looped(coroutine):
        async def main():
            async with hbatch.aio.AsyncInstance(uri) as a:
                return await coroutine(a)

        return lambda: asyncio.run(main())

    async def through(stream):
        return [x async for x in stream]

    def reacting(future):
        told = []
        future.then(lambda f: told.append(f.get()))
        future.handle.reactor_run()

    return {
        "Instance.wait": lambda: inst().wait(held),
        "Instance.wait, with a time limit": lambda: inst().wait(held, 300),
        "Instance.wait_many": lambda: list(inst().wait_many([held, running])),
        "Instance.watch": lambda: list(inst().watch(held)),
        "Instance.wait_event": lambda: inst().wait_event(running, "finish"),
        "Instance.output": lambda: inst().output(running),
        "Instance.output_stream": lambda: list(inst().output_stream(running)),
        "Instance.run": lambda: inst().run(js),
        "Instance.child": lambda: inst().child(running),
        "Instance.child_uri": lambda: inst().child_uri(running),
        "Instance.call": lambda: inst().call("queue.wait", {"until": "empty"}),
        "Instance.wait_async": lambda: inst().wait_async(held).result(),
        "Executor, result": lambda: executed(lambda ex, f: f.result()),
        "Executor, exception": lambda: executed(lambda ex, f: (_ for _ in ()).throw(f.exception())),
        "Executor, as_completed": lambda: executed(lambda ex, f: [g.result() for g in concurrent.futures.as_completed([f])]),
        "Executor, attach": lambda: executed(lambda ex, f: ex.attach(held).result()),
        "Executor, map": lambda: list(hbatch.Executor(uri).map(lambda i: js, [1])),
        "Executor, shutdown": lambda: executed(lambda ex, f: (ex.shutdown(), f.result())),
        "Executor, await": lambda: executed(lambda ex, f: asyncio.run(_awaited(f))),
        "AsyncInstance.wait": looped(lambda a: a.wait(held)),
        "AsyncInstance.run": looped(lambda a: a.run(js)),
        "AsyncInstance.watch": looped(lambda a: through(a.watch(held))),
        "AsyncInstance.output": looped(lambda a: a.output(running)),
        "AsyncInstance.output_stream": looped(lambda a: through(a.output_stream(running))),
        "AsyncInstance.call": looped(lambda a: a.call("queue.wait", {"until": "empty"})),
        "flux.job.wait": lambda: flux.job.wait(handle(), held),
        "flux.job.result": lambda: flux.job.result(handle(), held),
        "flux.job.event_watch": lambda: list(flux.job.event_watch(handle(), held)),
        "flux.job.event_wait": lambda: flux.job.event_wait(handle(), held, "start"),
        "flux.job.job_output": lambda: flux.job.job_output(handle(), running),
        "flux.job.output_watch_lines": lambda: list(flux.job.output_watch_lines(handle(), running)),
        "flux, a reactor": lambda: reacting(flux.job.result_async(handle(), held)),
        "flux, a message": lambda: handle().rpc("job-manager.drain").get(),
        "flux.job.FluxExecutor": lambda: flux_executed(lambda ex, f: f.result()),
    }


async def _awaited(future):
    return await future


def wait_on_something(thread):
    """Whether THREAD sleeps, or is over."""
    frame = sys._current_frames().get(thread.ident)  # pylint: disable=protected-access
    return frame is None or frame.f_code.co_name in ("_sleep", "wait", "select", "poll", "join", "_wait_for_tstate_lock")


def test_killed():
    p, uri = other_instance()
    ended, threads = {}, []
    try:
        with hbatch.Instance(uri) as inst:
            pid = inst.attributes()["pid"]
            held = inst.submit(["true"], urgency=0)
            running = inst.submit(["sleep", "1000"])
            inst.wait_event(running, "start", LIMIT)
            shared = hbatch.Instance(uri)  # one that many threads wait on
            table = waits(uri, held, running)
            table.update({f"a shared Instance, thread {i}": lambda: shared.wait(held) for i in range(4)})
            begun = threading.Semaphore(0)

            def wait(name, function):
                begun.release()
                try:
                    ended[name] = ("returned", function())
                except BaseException as e:  # pylint: disable=broad-except
                    ended[name] = ("raised", e)

            for name, function in table.items():
                threads.append(threading.Thread(target=wait, args=(name, function), name=name, daemon=True))
                threads[-1].start()
            for _ in table:
                begun.acquire()
            end = time.monotonic() + LIMIT
            while not all(wait_on_something(t) for t in threads) and time.monotonic() < end:
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
            end = time.monotonic() + LIMIT
            for t in threads:
                t.join(max(0, end - time.monotonic()))
            faults = [f"{t.name} still waits" for t in threads if t.is_alive()]
            if faults:
                faulthandler.dump_traceback(all_threads=True)
            for name, (how, what) in sorted(ended.items()):
                # who came late found no instance
                if how != "raised" or not isinstance(what, (hbatch.ConnectionLost, hbatch.ConnectError, OSError, RuntimeError)):
                    faults.append(f"{name} {how} {what!r}")
                elif len(str(what)) < 10:
                    faults.append(f"{name}: no reason is told: {what!r}")
            report(f"a killed instance ends what waits: {len(table)} calls, each with a reason", faults)
            report("... and what is called afterwards", list(afterwards(inst, uri, held)))
    finally:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()


def afterwards(inst, uri, jobid):
    """All methods on a lost connection: sentences of what is wrong."""
    told = [(name, lambda f=f: drain(f())) for name, f in good_calls(inst, jobid).items()]
    told.append(("a new Instance", lambda: hbatch.Instance(uri)))
    told.append(("a new Executor", lambda: hbatch.Executor(uri)))
    for name, function in told:
        try:
            yield f"{name} returned {function()!r}"
        except (hbatch.ConnectionLost, hbatch.ConnectError) as e:
            if len(str(e)) < 10:
                yield f"{name}: no reason is told"
        except BaseException as e:  # pylint: disable=broad-except
            yield f"{name} raised {e!r}"


def drain(answer):
    """What comes of an iterator or a future."""
    if isinstance(answer, concurrent.futures.Future):
        return answer.result(LIMIT)
    return list(answer) if inspect.isgenerator(answer) or isinstance(answer, hbatch.JobList) else answer


def good_calls(inst, jobid):
    """Methods of an Instance that ask it something, with arguments that make sense."""
    return {
        "call": lambda: inst.call("job.stats"), "submit": lambda: inst.submit(["true"]),
        "submit_many": lambda: inst.submit_many([["true"]]), "submit_async": lambda: inst.submit_async(["true"]),
        "wait_async": lambda: inst.wait_async(jobid), "run": lambda: inst.run(["true"]), "watch": lambda: inst.watch(jobid),
        "wait_event": lambda: inst.wait_event(jobid, "submit"), "output_stream": lambda: inst.output_stream(jobid),
        "output": lambda: inst.output(jobid), "wait": lambda: inst.wait(jobid), "wait_many": lambda: inst.wait_many([jobid]),
        "cancel": lambda: inst.cancel(jobid), "cancel_all": inst.cancel_all, "kill": lambda: inst.kill(jobid),
        "raise_exception": lambda: inst.raise_exception(jobid), "urgency": lambda: inst.urgency(jobid, 3),
        "hold": lambda: inst.hold(jobid), "release": lambda: inst.release(jobid), "jobs": inst.jobs,
        "job": lambda: inst.job(jobid), "info": lambda: inst.info(jobid, "R"), "events": lambda: inst.events(jobid),
        "stats": inst.stats, "attributes": inst.attributes, "uri": lambda: inst.uri, "level": lambda: inst.level,
        "size": lambda: inst.size, "resources": inst.resources, "drain": lambda: inst.drain(0),
        "undrain": lambda: inst.undrain(0), "child": lambda: inst.child(jobid), "child_uri": lambda: inst.child_uri(jobid),
        "parent": inst.parent, "parent_uri": inst.parent_uri, "shutdown": inst.shutdown, "dispatch": inst.dispatch,
        "send_input": lambda: inst.send_input(jobid, b"x"),
    }  # fmt: skip


# --- bad arguments -------------------------------------------------------------------------------------------------
class Odd:
    """Nothing that anything takes."""


NO_IDS = (None, 1.5, "", "nonsense", "f2 x", -1, 1 << 64, b"f2", True, [], {}, Odd(), "f2\0", "\ud800", 12345)
NO_NUMBERS = (None, "x", 1.5, -1, 32, 1 << 70, True, [], Odd())
NO_TEXT = (7, b"\xff", [], {}, Odd(), True, "a\0b", "\ud800")
NO_JOBS = (None, 7, 1.5, "", "{", "[]", b"\xff", [], [1], ["a", None], ["\0"], ["\ud800"], {}, {"version": 1}, {"resources": 1},
           True, Odd(), {"version": 1, "resources": [], "tasks": []},
           {"version": 1, "resources": [Odd()], "tasks": [1]}, {"a": Odd()}, "\ud800")  # fmt: skip
NO_TIMES = ("x", [], Odd(), {}, b"1")


def bad_calls(inst, jobid):
    """(name, function, bad arguments): each must raise."""
    ex = hbatch.Executor()
    spec = hbatch.Jobspec.from_command(["true"])
    for name in ("wait", "watch", "output", "output_stream", "cancel", "kill", "raise_exception", "hold", "release", "job",
                 "events", "child_uri", "child"):  # fmt: skip
        yield f"Instance.{name}(id)", lambda i, f=getattr(inst, name): drain(f(i)), NO_IDS
    yield "Instance.wait_async(id)", lambda i: inst.wait_async(i).result(LIMIT), NO_IDS
    yield "Instance.wait_many(ids)", lambda i: list(inst.wait_many([i])), NO_IDS
    yield "Instance.wait_many(all)", lambda i: list(inst.wait_many(i)), (None, 7, Odd(), "nonsense", [None])
    yield "Instance.wait_event(id)", lambda i: inst.wait_event(i, "start"), NO_IDS
    yield "Instance.wait_event(name)", lambda n: inst.wait_event(jobid, n, 0.001), (7, None, "x", [], Odd())
    yield "Instance.urgency(id)", lambda i: inst.urgency(i, 3), NO_IDS
    yield "Instance.urgency(number)", lambda n: inst.urgency(jobid, n), NO_NUMBERS[1:]
    yield "Instance.info(id)", lambda i: inst.info(i, "R"), NO_IDS
    yield "Instance.info(key)", lambda k: inst.info(jobid, k), (None, "x", *NO_TEXT)
    yield "Instance.send_input(id)", lambda i: inst.send_input(i, b"x"), NO_IDS[:-1]
    yield "Instance.send_input(data)", lambda d: inst.send_input(jobid, d), (None, "x", 7, [], Odd())
    yield "Instance.jobs(ids)", lambda i: list(inst.jobs(ids=[i])), NO_IDS[:-1]
    yield "Instance.jobs(states)", lambda s: list(inst.jobs(states=s)), ("x", ["x"], Odd(), 1.5, [[]], None, -1, 1 << 40)
    yield "Instance.jobs(results)", lambda s: list(inst.jobs(results=s)), ("x", ["x"], Odd(), 1.5, [[]], None)
    yield "Instance.jobs(name)", lambda s: list(inst.jobs(name=s)), (7, [1], Odd(), "\ud800")
    yield "Instance.jobs(since)", lambda s: list(inst.jobs(since=s)), ("x", [], Odd(), float("nan"), True)
    yield "Instance.jobs(max_entries)", lambda n: list(inst.jobs(max_entries=n)), ("x", None, -1, 1 << 70, Odd(), float("inf"))
    yield "Instance.kill(signal)", lambda s: inst.kill(jobid, s), (None, "x", "SIGX", 0, -1, 99, 1.5, True, 1 << 70, Odd())
    yield "Instance.raise_exception(type)", lambda t: inst.raise_exception(jobid, t), (None, "", *NO_TEXT)
    yield "Instance.raise_exception(severity)", lambda s: inst.raise_exception(jobid, "x", s), ("x", None, -1, 8, 1.5, Odd())
    yield "Instance.raise_exception(note)", lambda t: inst.raise_exception(jobid, "x", 7, t), (7, [1], Odd(), "\ud800")
    yield "Instance.cancel(note)", lambda n: inst.cancel(jobid, n), (7, [1], Odd(), "\ud800")
    yield "Instance.cancel_all(states)", inst.cancel_all, ("x", ["x"], None, 7, Odd(), [None])
    yield "Instance.call(method)", inst.call, (None, 7, "", "no.such", "a\0b", "a b", Odd(), "\ud800")
    yield "Instance.call(params)", lambda p: inst.call("job.info", p), (7, "x", [], {}, {1: Odd()}, {"id": "x"}, {"id": 1}, Odd(), {"x": float("nan")})
    yield "Instance.call(timeout)", lambda t: inst.call("job.wait", {"id": jobid}, t), (*NO_TIMES, 0, -1, float("nan"))
    yield "Instance.wait(timeout)", lambda t: inst.wait(jobid, t), (*NO_TIMES, 0, -1, 0.01)
    yield "Instance.drain(ranks)", inst.drain, (None, "x", -1, 99, 1.5, [], Odd(), "\ud800")
    yield "Instance.undrain(ranks)", inst.undrain, (None, "x", -1, 99, 1.5, [], Odd(), "\ud800")
    yield "Instance.submit(job)", inst.submit, NO_JOBS
    yield "Instance.submit_async(job)", lambda j: inst.submit_async(j).result(LIMIT), NO_JOBS
    yield "Instance.submit_many(job)", lambda j: inst.submit_many([j]), NO_JOBS
    yield "Instance.submit_many(all)", inst.submit_many, (None, 7, Odd())
    yield "Instance.run(job)", inst.run, NO_JOBS
    yield "Instance.run(stdin)", lambda d: inst.run(["cat"], stdin=d), ("x", 7, [], Odd())
    yield "Instance.run(timeout)", lambda t: inst.run(["sleep", "100"], timeout=t), (*NO_TIMES, 0, -1)
    yield "Instance.submit(urgency)", lambda u: inst.submit(spec, urgency=u), NO_NUMBERS[1:]
    yield "Instance.submit(cc)", lambda c: inst.submit(spec, cc=c), ("x", "", 7, [-1], ["x"], "3-1", Odd(), [], "\ud800", b"\xff")
    yield "Instance(uri)", hbatch.Instance, (7, b"x", "", "x", "local://", "nonsense://x", "a\0b", "\ud800", Odd())
    yield "Executor(uri)", hbatch.Executor, (7, "", "x", "local://", "nonsense://x", "a\0b", "\ud800", Odd())
    yield "Executor.submit(job)", lambda j: ex.submit(j).result(LIMIT), [j for j in NO_JOBS]
    yield "Executor.submit(urgency)", lambda u: ex.submit(spec, urgency=u), NO_NUMBERS[1:]
    yield "Executor.attach(id)", lambda i: ex.attach(i).result(LIMIT), NO_IDS
    yield "JobID", hbatch.JobID, NO_IDS[:-1]
    yield "JobID.encode", hbatch.JobID(5).encode, (None, 7, "x", Odd(), "\0")
    yield "JobID.nth", hbatch.JobID(5).nth, (None, "x", 1.5, -1, Odd())
    yield "Jobspec.from_command", hbatch.Jobspec.from_command, (None, 7, "x", b"x", [], [1], ["\0"], [None], Odd())
    yield "Jobspec.from_json", hbatch.Jobspec.from_json, (None, 7, "", "{", "[]", "{}", b"\xff", Odd(), "7")
    yield "Jobspec.from_dict", hbatch.Jobspec.from_dict, (None, 7, [], {}, {"version": 2}, Odd())
    yield "Jobspec.from_options", lambda v: hbatch.Jobspec.from_options(["a"], ntasks=v), ("x", 0, -1, 1.5, Odd(), 1 << 70)
    yield "Jobspec.from_batch_command", hbatch.Jobspec.from_batch_command, (None, 7, "x", b"#!/bin/sh", Odd())
    yield "Jobspec.from_programs", hbatch.Jobspec.from_programs, (None, 7, [], [1], [{}], [{"command": 1}], [{"x": 1}], Odd())
    for name, bad in (("num_tasks", NO_NUMBERS[:4]), ("cores_per_task", NO_NUMBERS[:4]), ("num_nodes", ("x", 0, 9)),
                      ("duration", ("x", -1, [], Odd(), float("nan"))), ("environment", (7, "x", {1: 2}, Odd())),
                      ("cwd", (7, b"/", Odd())), ("name", (7, [], Odd())), ("dependencies", (7, "x", [7], ["x"], [{}])),
                      ("rlimits", (7, "x")), ("env_expand", (7, "x")), ("nonesuch", (1,))):  # fmt: skip
        yield f"Jobspec.from_command({name})", lambda v, n=name: hbatch.Jobspec.from_command(["a"], **{n: v}), bad
    yield "parse_duration", hbatch.parse_duration, (None, "", "x", -1, [], Odd(), float("inf"), True)
    ex.shutdown(wait=False, cancel_jobs=True)


DOCUMENTED = (TypeError, ValueError, hbatch.HbatchError, concurrent.futures.TimeoutError)


def test_bad_arguments():
    with hbatch.Instance() as inst:
        jobid = inst.submit(["true"], urgency=0)
        calls, slow = 0, LIMIT
        for name, function, bad in bad_calls(inst, jobid):
            faults = []
            for value in bad:
                calls += 1
                timer = threading.Timer(slow, lambda n=name, v=value: (faulthandler.dump_traceback(), print(f"Bail out! {n}({v!r}) hangs", flush=True), os._exit(1)))
                timer.start()
                shown = "Odd()" if isinstance(value, Odd) else repr(value)
                try:
                    faults.append(f"{name}: {shown} gave {function(value)!r}")
                except DOCUMENTED as e:
                    if not str(e) and not isinstance(e, concurrent.futures.TimeoutError):
                        faults.append(f"{name}: {shown} raised {e!r} without a sentence")
                    if isinstance(e, hbatch.ConnectionLost):
                        faults.append(f"{name}: {shown} lost the connection")
                except BaseException as e:  # pylint: disable=broad-except
                    where = traceback.extract_tb(e.__traceback__)[-1]
                    faults.append(f"{name}: {shown} raised {e!r} ({os.path.basename(where.filename)}:{where.lineno})")
                finally:
                    timer.cancel()
            if faults:
                report(f"bad arguments: {name}", faults)
        report(f"{calls} calls with a bad argument: a documented exception with a sentence each", [])
        stats = inst.stats()
        report("the instance and the connection live on", [] if stats["pending"] >= 1 else [str(stats)])
        inst.cancel(jobid)


# --- documentation -------------------------------------------------------------------------------------------------
def undocumented(manual):
    """What lacks a docstring, hints or a word in the manual."""

    def of_function(name, f):
        signature = inspect.signature(f)
        for p in signature.parameters.values():
            if p.name not in ("self", "cls") and p.annotation is p.empty:
                yield f"{name}: {p.name} has no type"
        if signature.return_annotation is signature.empty:
            yield f"{name}: the result has no type"

    def of_class(name, kind):
        for member, value in vars(kind).items():
            if member.startswith("_") and member != "__init__":
                continue
            f = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if not inspect.isfunction(f):
                continue
            if member != "__init__":
                if not f.__doc__:
                    yield f"{name}.{member} has no docstring"
                if member not in manual:
                    yield f"{name}.{member} is not in the manual"
            yield from of_function(f"{name}.{member}", f)

    for module in (hbatch, hbatch.aio, hbatch.mpi):
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.isclass(thing) and not inspect.isfunction(thing):
                continue
            if not thing.__doc__:
                yield f"{name} has no docstring"
            if name not in manual:
                yield f"{name} is not in the manual"
            yield from (of_class if inspect.isclass(thing) else of_function)(name, thing)


def test_documentation():
    with open(sys.argv[1], encoding="utf-8") as f:
        report("all that is public has a docstring, types, and a word in the manual", list(undocumented(f.read())))


# --- the ends of programs ------------------------------------------------------------------------------------------
#: Name, program, exit code, what is on stdout, and what is not on stderr.
PROGRAMS = (
    ("an executor that is not shut down is waited for",
     "ex = hbatch.Executor()\nex.submit(['sh', '-c', 'exit 3']).add_done_callback(lambda f: print(f.result()))", 0, "3"),
    ("a FluxExecutor, too",
     "import flux.job\nex = flux.job.FluxExecutor()\njs = flux.job.JobspecV1.from_command(['true'])\n"
     "ex.submit(js).add_done_callback(lambda f: print(f.result()))", 0, "0"),
    ("an exception ends a program at once, and what was submitted is sent",
     "ex = hbatch.Executor()\nf = ex.submit(['sleep', '1000'])\nf.add_jobid_callback(lambda f: print(f.jobid() > 0, flush=True))\n"
     "raise KeyboardInterrupt", None, "True"),
    ("submit_async without a wait for the id",
     "inst = hbatch.Instance()\nname = 'at-exit'\n"
     "inst.submit_async(hbatch.Jobspec.from_command(['true'], name='submitted-at-exit'))", 0, ""),
    ("a thread that waits does not hold a program up",
     "import threading\ninst = hbatch.Instance()\njobid = inst.submit(['true'], urgency=0)\n"
     "threading.Thread(target=inst.wait, args=(jobid,), daemon=True).start()\nprint('over')", 0, "over"),
    ("futures that nobody waits for",
     "inst = hbatch.Instance()\njobid = inst.submit(['true'], urgency=0)\nfs = [inst.wait_async(jobid) for _ in range(9)]\n"
     "print('over')", 0, "over"),
    ("asyncio: a task that is left",
     "import asyncio, hbatch.aio\nasync def main():\n inst = hbatch.aio.AsyncInstance()\n"
     " jobid = await inst.submit(['true'], urgency=0)\n asyncio.ensure_future(inst.wait(jobid))\n await asyncio.sleep(0)\n"
     "asyncio.run(main())\nprint('over')", 0, "over"),
    ("a forked process: its parent's connection is told not to be its own",
     "import os\ninst = hbatch.Instance()\npid = os.fork()\n"
     "if not pid:\n"
     " for call in (inst.stats, lambda: inst.submit(['true']), lambda: inst.wait(1), inst.dispatch):\n"
     "  try:\n   call()\n  except hbatch.ConnectionClosed as e:\n   print('forked' in str(e), flush=True)\n"
     " with hbatch.Instance() as own: print(own.run(['echo', 'own']).stdout.decode().strip(), flush=True)\n"
     "else:\n os.waitpid(pid, 0)\n print(inst.run(['echo', 'parent']).stdout.decode().strip())",
     0, "True True True True own parent"),
    ("a forked process: an executor's futures end there, and go on in the parent",
     "import os\nex = hbatch.Executor()\nf = ex.submit(['true'], urgency=0)\nf.jobid()\npid = os.fork()\n"
     "if not pid:\n"
     " try:\n  f.result()\n except hbatch.ConnectionClosed: print('closed', flush=True)\n"
     " try:\n  ex.submit(['true'])\n except RuntimeError: print('refused', flush=True)\n"
     "else:\n os.waitpid(pid, 0)\n f.cancel_job()\n print(type(f.exception()).__name__)", 0, "closed refused JobCanceled"),
    ("a forked process does not wait for what its parent submits",
     "import concurrent.futures, os, sys\nfrom hbatch import instance\ninstance._EXIT_FLUSH = 2 * 60\n"
     "f = concurrent.futures.Future()\ninstance._submitting.add(f)\nif not os.fork(): sys.exit()\nos.wait()\n"
     "f.set_result(1)\nprint('ended')", 0, "ended"),
    ("a process of multiprocessing while others submit",
     "import multiprocessing, threading\nex = hbatch.Executor()\nfs = []\n"
     "t = threading.Thread(target=lambda: [fs.append(ex.submit(['true'])) for _ in range(300)])\nt.start()\n"
     "def child():\n with hbatch.Instance() as own: assert own.run(['true']).result.ok\n"
     "c = multiprocessing.get_context('fork')\nps = [c.Process(target=child) for _ in range(4)]\n[p.start() for p in ps]\n"
     "[p.join() for p in ps]\nt.join()\nprint([p.exitcode for p in ps], sum(f.result() for f in fs))", 0, "[0, 0, 0, 0] 0"),
    ("ctrl-C while an executor is waited for",
     "import os, signal, threading\nex = hbatch.Executor()\nf = ex.submit(['true'], urgency=0)\nf.jobid()\n"
     "t = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))\nt.daemon = True\nt.start()\nprint('waits', flush=True)", 0, "waits"),
    ("ctrl-C: jobs of a FluxExecutor are canceled",
     "import flux, flux.job, os, signal\nex = flux.job.FluxExecutor()\n"
     "f = ex.submit(flux.job.JobspecV1.from_command(['sleep', '1000']))\nprint(f.jobid().f58plain, flush=True)\n"
     "os.kill(os.getpid(), signal.SIGINT)", None, None),
)  # fmt: skip


def test_programs():
    for name, text, code, wanted in PROGRAMS:
        command = [sys.executable, "-X", "faulthandler", "-c", "import hbatch\n" + text]
        try:
            p = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired as e:
            report(name, [f"it did not end: {e.stdout!r} {e.stderr!r}"])
            continue
        faults = []
        if wanted is not None and " ".join(p.stdout.split()) != wanted:
            faults.append(f"its output is {p.stdout!r}, not {wanted!r}")
        if code is not None and p.returncode != code or p.returncode < -2:
            faults.append(f"its exit code is {p.returncode}")
        if code == 0 and "Traceback" in p.stderr:
            faults.append("it has said something")
        if "FluxExecutor are canceled" in name:
            with hbatch.Instance() as inst:
                r = inst.wait(p.stdout.strip(), LIMIT)
                faults += [] if r.result == "CANCELED" else [str(r)]
        report(name, faults + ([p.stderr] if faults else []))
    with hbatch.Instance() as inst:
        found = list(inst.jobs(name="submitted-at-exit"))
        report("what was submitted at the end is there", [] if len(found) == 1 else [str(found)])
        inst.cancel_all()


logging.disable()
for test in (test_documentation, test_bad_arguments, test_killed, test_programs):
    try:
        test()
    except BaseException:  # pylint: disable=broad-except
        report(test.__name__, [traceback.format_exc()])
print(f"1..{state['n']}", flush=True)
os._exit(state["failed"] > 0)
