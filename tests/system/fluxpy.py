# SPDX-License-Identifier: BSD-3-Clause
"""Programs as they are written for Flux, on the module of hbatch.  A line for each: ok NAME, or what went wrong."""
import concurrent.futures
import datetime
import errno
import os
import signal
import socket
import sys
import threading
import traceback
import types

import flux
import flux.constants
import flux.job
import flux.resource
import flux.uri
from flux.job import FluxExecutor, JobspecV1


def spec(*command, **options):
    js = JobspecV1.from_command(list(command), **options)
    js.cwd = os.getcwd()
    js.environment = dict(os.environ)
    return js


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def fails(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__} came of {call.__name__}")


def handle():
    f = flux.Flux()
    expect((f.attr_get("size"), f.attr_get("rank"), f.get_rank()), ("1", "0", 0))
    expect(f.attr_get("local-uri"), os.environ["HBATCH_URI"])
    fails(FileNotFoundError, f.attr_get, "no.such")
    expect((f.attr_get("version"), f.conf_get("a.b", 7), f.conf_get()), ("0.88.0", 7, {}))
    fails(OSError, flux.Flux, "local:///nonexistent")
    expect(flux.resource.list(f).up.ncores, 4)
    expect(flux.resource.resource_list(f).get().all.nnodes, 1)


def messages():
    f = flux.Flux()
    expect(str(fails(OSError, f.rpc("kvs.lookup", {"key": "x"}).get)), "[Errno 38] No service matching kvs.lookup is registered")
    expect(f.rpc("config.get").get_str(), "{}")
    jobid = flux.job.submit(f, spec("sleep", "100"), urgency=0)
    expect(f.rpc("job-manager.urgency", {"id": jobid, "urgency": 16}).get(), {"old_urgency": 0})
    flux.job.event_wait(f, jobid, "start")
    expect('"sleep"' in f.rpc("job-info.lookup", {"id": jobid, "keys": ["jobspec"], "flags": 0}).get()["jobspec"], True)
    drained = f.rpc("job-manager.drain")
    expect(drained.is_ready(), False)
    fails(OSError, f.rpc("job-manager.kill", {"id": 1, "signum": 15}).get)
    expect(fails(OSError, f.rpc("job-manager.kill", {"signum": 15}).get).errno, 71)
    told = []
    drained.then(lambda future: told.append(future.get()))
    expect(f.rpc("job-manager.kill", {"id": jobid, "signum": 15}).get(), {})
    f.rpc("nonesuch.service").then(lambda future: told.append(fails(OSError, future.get).errno))
    f.reactor_run()
    expect(sorted(told, key=str), [38, {}])


def names():
    """Where programs find what."""
    import flux.job.list  # pylint: disable=import-outside-toplevel
    from flux.job.event import EventLogEvent  # pylint: disable=import-outside-toplevel
    from flux.job.executor import FluxExecutor as again  # pylint: disable=import-outside-toplevel
    from flux.job.info import JobInfo  # pylint: disable=import-outside-toplevel
    from flux.job.JobID import JobID  # pylint: disable=import-outside-toplevel
    from flux.job.Jobspec import JobspecV1 as v1  # pylint: disable=import-outside-toplevel
    from flux.job.stats import JobStats  # pylint: disable=import-outside-toplevel

    expect((EventLogEvent, again, JobInfo), (flux.job.EventLogEvent, FluxExecutor, flux.job.JobInfo))
    expect((JobID, v1, JobStats), (flux.job.JobID, JobspecV1, flux.job.JobStats))
    expect(flux.job.list.JobList, flux.job.JobList)
    expect(callable(flux.job.submit) and callable(flux.job.wait) and callable(flux.job.kill), True)


def submit_and_wait():
    f = flux.Flux()
    jobs = [flux.job.submit(f, spec("sh", "-c", f"exit {i % 2}"), waitable=True) for i in range(6)]
    seen = {}
    while True:
        try:
            jobid, success, errstr = flux.job.wait(f)
        except ChildProcessError:
            break
        seen[jobid] = (success, bool(errstr))
    expect(seen, {j: (i % 2 == 0, i % 2 == 1) for i, j in enumerate(jobs)})
    jobs = [flux.job.submit(f, spec("true"), waitable=True) for _ in range(3)]
    for j in reversed(jobs):
        expect(flux.job.wait(f, j).success, True)
    fails(ChildProcessError, flux.job.wait, f)
    expect(flux.job.result(f, jobs[0]).returncode, 0)
    fails(OSError, flux.job.submit, f, None)
    fails(OSError, flux.job.submit, f, "{")
    fails(OSError, flux.job.submit, f, spec("true", num_tasks=99))
    fails(TypeError, flux.job.submit, f, 7)
    fails(FileNotFoundError, flux.job.wait, f, 1)


def asynchronous():
    f = flux.Flux()
    ids, events, ends = [], [], []

    def submitted(future, tag):
        ids.append((tag, future.get_id()))
        flux.job.event_watch_async(f, ids[-1][1]).then(event, tag)

    def event(future, tag):
        e = future.get_event()
        if e is None:
            ends.append(tag)
        else:
            events.append((tag, e.name))

    for i in range(5):
        flux.job.submit_async(f, spec("true")).then(submitted, i)
    f.reactor_run()
    expect(sorted(t for t, _ in ids), list(range(5)))
    expect(sorted(ends), list(range(5)))
    expect([n for t, n in events if t == 3][-1], "clean")
    ticks = []
    watcher = f.timer_watcher_create(0.01, lambda h, w, r, a: ticks.append(a) or len(ticks) == 3 and h.reactor_stop(), 0.01, "t")
    watcher.start()
    f.reactor_run()
    expect(ticks, ["t"] * 3)


def watching():
    f = flux.Flux()
    jobid = flux.job.submit(f, spec("echo", "hello"))
    names = [e.name for e in flux.job.event_watch(f, jobid)]
    expect((names[0], names[-1]), ("submit", "clean"))
    expect(flux.job.event_wait(f, jobid, "finish").context["status"], 0)
    expect(flux.job.job_output(f, jobid).stdout, "hello\n")
    expect(list(flux.job.output_watch_lines(f, jobid)), [("stdout", "hello")])
    jobid = flux.job.submit(f, spec("sleep", "100"))
    flux.job.cancel(f, jobid, "no use")
    e = fails(flux.job.JobException, flux.job.event_wait, f, jobid, "memo")
    expect((e.type, e.severity, e.note), ("cancel", 0, "no use"))
    jobid = flux.job.submit(f, spec("sleep", "100"))
    flux.job.event_wait(f, jobid, "start")
    flux.job.kill(f, jobid, 15)
    expect(flux.job.result(f, jobid).returncode, -15)
    fails(OSError, flux.job.event_wait, f, jobid, "memo")
    fails(FileNotFoundError, flux.job.cancel, f, jobid)
    fails(FileNotFoundError, next, flux.job.event_watch(f, 1))


def lists():
    f = flux.Flux()
    jobid = flux.job.submit(f, spec("sh", "-c", "exit 3", name="findme", duration="1h"))
    flux.job.result(f, jobid)
    job = flux.job.JobList(f, name="findme", filters=["failed"]).jobs()[0]
    expect((job.id, job.name, job.status, job.status_abbrev, job.returncode), (jobid, "findme", "FAILED", "F", 3))
    expect((job.state, job.state_single, job.exception.occurred, job.t_run > 0), ("INACTIVE", "I", False, True))
    fmt = flux.job.JobInfoFormat("{id.f58plain:<14} {name:>8} {status_abbrev:>3} {runtime!F:>8}")
    expect(fmt.format(job)[15:28], "  findme   F ")
    expect(fmt.header()[15:27], "    NAME  ST")
    fails(ValueError, flux.job.JobInfoFormat, "{name")
    fails(ValueError, flux.job.JobList, f, filters=["nonesuch"])
    expect(flux.job.get_job(f, jobid)["returncode"], 3)
    expect(flux.job.get_job(f, 1), None)
    missing = flux.job.JobList(f, ids=[1])
    expect((missing.jobs(), len(missing.errors)), ([], 1))
    expect([j["id"] for j in flux.job.job_list(f, name="findme").get_jobs()], [jobid])
    expect(flux.job.job_list_id(f, jobid).get_jobinfo().name, "findme")
    expect(flux.job.job_kvs_lookup(f, jobid, keys=["jobspec"])["jobspec"]["tasks"][0]["command"][0], "sh")
    expect(flux.job.job_kvs_lookup(f, 1), None)
    expect(flux.job.JobStats(f).failed >= 1, True)
    expect(flux.job.JobID(jobid.f58).dec, str(int(jobid)))
    expect(flux.job.timeleft(f), float("inf"))


def specifications():
    js = spec("app", "x", num_tasks=4, num_nodes=2, cores_per_task=2)
    js.duration = datetime.timedelta(minutes=1)
    js.setattr_shell_option("verbose", 1)
    js.stdout = "out.{{id}}"
    expect(js.duration, 60)
    expect(js.getattr("shell.options.output.stdout.path"), "out.{{id}}")
    ok, again = flux.job.validate_jobspec(js.dumps())
    expect((ok, again.resource_counts()), (True, {"node": 2, "slot": 4, "core": 8}))
    fails(ValueError, flux.job.validate_jobspec, "{}")
    f = flux.Flux()
    nested = JobspecV1.from_batch_command("#!/bin/sh\nhbatch run echo nested\n", "batch", num_slots=1)
    expect(flux.job.job_output(f, flux.job.submit(f, nested)).stdout, "nested\n")
    nested = JobspecV1.from_nest_command(["sleep", "100"], num_slots=1)
    jobid = flux.job.submit(f, nested)
    for e in flux.job.event_watch(f, jobid):
        if e.name == "memo" and "uri" in e.context:
            break
    with flux.Flux(flux.uri.resolve(str(jobid))) as child:
        expect(child.attr_get("instance-level"), str(int(f.attr_get("instance-level")) + 1))
    flux.job.cancel(f, jobid)
    fails(ValueError, flux.uri.resolve, "f1")


def logs():
    """The logs beside the job's own, and what jobs write as it comes."""
    f = flux.Flux()
    jobid = flux.job.submit(f, spec("sh", "-c", "echo out; echo err >&2", num_tasks=2))
    names = [e.name for e in flux.job.event_watch(f, jobid, "guest.exec.eventlog")]
    expect(names, ["init", "starting", "shell.init", "shell.start", "complete", "done"])
    events = list(flux.job.event_watch(f, jobid, "guest.output"))
    expect((events[0].name, events[0].context["version"]), ("header", 1))
    expect(sorted(e.context["data"] for e in events if "data" in e.context), ["err\n"] * 2 + ["out\n"] * 2)
    fails(OSError, flux.job.event_watch_async, f, jobid, "nonesuch")
    expect(flux.job.job_output(f, jobid, tasks="1", labelio=True).stdout, "1: out\n")
    expect(sorted(flux.job.output_watch_lines(f, jobid, labelio=True))[:2], [("stderr", "0: err"), ("stderr", "1: err")])
    expect({e.name for e in flux.job.output_event_watch(f, jobid)}, {"header", "data"})
    seen = []

    def line(future):
        seen.append(future.getline())

    flux.job.output_watch_lines_async(f, jobid).then(line)
    expect(f.reactor_run(), 0)
    expect((len(seen), seen[-1]), (5, (None, None)))
    seen.clear()

    def first(future):
        line(future)
        future.cancel()

    flux.job.output_watch_lines_async(f, jobid).then(first)
    expect((f.reactor_run(), len(seen)), (0, 1))
    for output in ("x", {"stdout": "x"}, {"stdout": {"path": 3}}, None):
        jobspec = {"attributes": {"system": {"shell": {"options": {"output": output}}}}}
        fake = types.SimpleNamespace(info=lambda *_: jobspec)
        expect(flux.job._output._redirects(fake, jobid), {})
    js = spec("echo", "out")
    js.stdout = "redirected.{{id}}"
    redirected = flux.job.submit(f, js)
    expect([s for s, t in flux.job.output_watch(f, redirected) if "redirected to redirected." in t], ["stderr"] * 2)
    held = flux.job.submit(f, spec("true"), urgency=0)
    fails(FileNotFoundError, flux.job.job_output, f, held, nowait=True)
    flux.job.cancel(f, held)
    expect(fails(OSError, list, flux.job.output_watch(f, held)).strerror, f"job {held} never started")
    fails(flux.job.JobException, flux.job.job_output, f, held)
    events, watcher = [], flux.job.event_watch_async(f, jobid)
    watcher.get_event()
    watcher.cancel()
    expect(watcher.get_event(), None)
    running = flux.job.submit(f, spec("sh", "-c", "echo first; sleep 100"))
    flux.job.event_wait(f, running, "shell.start", "guest.exec.eventlog")
    while "first" not in flux.job.job_output(f, running, nowait=True).stdout:
        pass
    flux.job.cancel(f, running)


def futures():
    f = flux.Flux()
    with f.rpc(b"broker.ping", {"seq": 3}) as ping:
        expect((ping.wait_for(60) is ping, ping.get()["seq"], ping.get_flux() is f), (True, 3, True))
    expect(fails(OSError, lambda: ping.then(print).then(print)).errno, 17)
    ping.stop()
    jobid = flux.job.submit(f, spec("true"), urgency=0)
    waiting = flux.job.wait_async(f, jobid)
    fails(TimeoutError, waiting.wait_for, 0)
    late = []
    waiting.then(lambda future: late.append(fails(TimeoutError, future.get)), timeout=0.01)
    f.reactor_run()
    expect(len(late), 1)
    flux.job.cancel(f, jobid)
    expect(flux.job.wait_async(f, jobid).wait_for(60).get_status().success, False)
    expect((f.reactor_run(), len(late)), (0, 1))  # the answer that came too late is none
    own = flux.future.FutureExt(lambda future: future.fulfill({"made": 1}))
    expect(own.get(), {"made": 1})
    both = flux.future.WaitAllFuture([f.rpc("broker.ping"), f.rpc("nonesuch.service")])
    expect(len(both.wait_for().children), 2)
    expect(both.children[1].error_string(), "No service matching nonesuch.service is registered")
    f.rpc("broker.ping").then(lambda future: 1 / 0)
    fails(ZeroDivisionError, f.reactor_run)
    expect(f.reactor_run(), 0)
    for what in ("event_subscribe", "msg_watcher_create", "attr_set"):
        expect(fails(OSError, getattr(f, what), "x").errno, 38)
    fails(OSError, flux.kvs.get, f, "x")


def fulfilled():
    """What callbacks of the reactor fulfill."""
    f = flux.Flux()

    def after(seconds, call):
        return flux.future.FutureExt(
            lambda future: f.timer_watcher_create(seconds, lambda *_: call(future)).start(), flux_handle=f
        )

    def never():
        return flux.future.FutureExt(lambda future: None, flux_handle=f)

    for limit in (60, float("inf"), -1.0):
        expect(after(0.01, lambda future: future.fulfill(3)).wait_for(limit).get(), 3)
        both = flux.future.WaitAllFuture([after(0.01, lambda future: future.fulfill(i)) for i in range(2)])
        expect(len(both.wait_for(limit).children), 2)
    expect(after(0, lambda future: future.fulfill(3)).wait_for(0).is_ready(), True)
    for limit in (0, 0.01):
        fails(TimeoutError, never().wait_for, limit)
        fails(TimeoutError, flux.future.WaitAllFuture([never()]).wait_for, limit)
        fails(OSError, flux.future.FutureExt(lambda future: None).wait_for, limit)
    expect(fails(OSError, never().wait_for).errno, errno.EDEADLK)
    for limit in (-1.0, 60):
        stopping = after(0, lambda future: f.reactor_stop())
        expect(fails(OSError, stopping.wait_for, limit).errno, errno.ECANCELED)
    seen = []

    def stop_and_wait(*_):
        f.reactor_stop()
        seen.append(after(0, lambda future: future.fulfill("inner")).get())

    f.timer_watcher_create(0, stop_and_wait).start()
    with f.timer_watcher_create(20, lambda *_: seen.append("not stopped")):
        f.reactor_run()
    expect(seen, ["inner"])


def watchers():
    f = flux.Flux()
    a, b = socket.socketpair()
    b.send(b"x")
    told = []

    def one(handle, watcher, fd, events, arg):
        told.append((arg, events))
        if len(told) == 100 or len(set(told)) == 2:
            f.reactor_stop()

    with f.fd_watcher_create(a, one, 1, "in"), f.fd_watcher_create(a, one, 2, "out"):
        f.reactor_run()
    expect(set(told), {("in", 1), ("out", 2)})
    before = os.listdir("/proc/self/fd")
    refused = []
    thread = threading.Thread(
        target=lambda: refused.append(fails(ValueError, f.signal_watcher_create(signal.SIGUSR1, print).start))
    )
    thread.start()
    thread.join()
    expect((len(refused), os.listdir("/proc/self/fd")), (1, before))
    r, w = os.pipe()
    seen = []

    def readable(handle, watcher, fd, events, arg):
        seen.append((os.read(fd, 10), events, arg))
        watcher.stop()
        os.kill(os.getpid(), signal.SIGUSR1)

    def signaled(handle, watcher, signum, arg):
        seen.append((signum, arg))
        watcher.stop()

    with f.fd_watcher_create(r, readable, args="a"), f.signal_watcher_create(signal.SIGUSR1, signaled, "b"):
        f.timer_watcher_create(0.01, lambda *_: os.write(w, b"x")).start()
        expect(f.reactor_run(), 0)
    expect(seen, [(b"x", 1, "a"), (signal.SIGUSR1, "b")])
    fails(OSError, f.timer_watcher_create, -1, print)
    fails(OSError, f.signal_watcher_create, 0, print)
    f.timer_watcher_create(0, lambda *_: f.reactor_stop_error()).start()
    expect(f.reactor_run(), -1)


def sets():
    """Ids and hosts, durations and URIs."""
    ids = flux.idset.IDset("0-3,7")
    expect((str(ids + "8,4"), str(ids - 2), str(ids & "1-9"), len(ids), 7 in ids), ("0-4,7-8", "0-1,3,7", "1-3,7", 5, True))
    expect((ids.first(), ids.last(), ids.next(3), list(ids)), (0, 7, 7, [0, 1, 2, 3, 7]))
    hosts = flux.hostlist.decode("n[08-10],m1,m2")
    expect((str(hosts), len(hosts), hosts[1], hosts.find("m2")), ("n[08-10],m[1-2]", 5, "n09", 4))
    expect((hosts.delete("n09"), str(hosts), str(flux.hostlist.decode("b,a1,a0,b").uniq())), (1, "n[08,10],m[1-2]", "a[0-1],b"))
    for bad in ("3-1", "x", "1,,2", "-1"):
        fails(ValueError, flux.idset.decode, bad)
    for bad in ("n[", "n[]", "n[a]", "n[3-1]", "n[1]]"):
        fails(ValueError, flux.hostlist.decode, bad)
    expect((flux.util.parse_fsd("1.5h"), flux.util.fsd(5400)), (5400.0, "1.5h"))
    now = datetime.datetime(2026, 1, 1, 12)
    expect(flux.util.parse_datetime("+2h", now), datetime.datetime(2026, 1, 1, 14))
    expect(flux.util.parse_datetime("11:30", now), datetime.datetime(2026, 1, 2, 11, 30))
    for bad in ("someday", "inf", "+inf", "1e300"):
        fails(ValueError, flux.util.parse_datetime, bad)
    uri = flux.uri.JobURI("ssh://host/tmp/x?y=z")
    expect((uri.local, uri.netloc, uri.query), ("local:///tmp/x", "host", "y=z"))
    expect(flux.uri.resolve(f"pid:{os.getpid()}"), os.environ["FLUX_URI"])
    nodes = flux.resource.list(flux.Flux()).all
    expect((str(nodes), str(nodes.ranks), len(nodes.nodelist)), ("rank0/core[0-3]", "0", 1))
    expect((nodes.copy_ranks("1").nnodes, (nodes | nodes).ncores, (nodes - nodes).ncores), (0, 4, 0))


def by_name():
    """Jobs by the options of flux submit."""
    js = JobspecV1.from_submit(
        ["app"], ntasks=4, nodes=2, time_limit="1h", env=["-*", "X={{id}}"], requires="host:n1", name="named",
        dependency=["afterok:f1", "afterany:f2"], shell_options={"verbose": 1}, attributes={"bank": "b", ".user.x": 2},
        rlimit=["-*"], signal="USR1@30s", add_file=["two=a\nb"],
    )  # fmt: skip
    expect((js.duration, js.environment, js.getattr("bank"), js.getattr("user.x")), (3600, {}, "b", 2))
    expect(js.getattr("shell.options.env-expand"), {"X": "{{id}}"})
    expect((js.getattr("shell.options.signal")["timeleft"], js.getattr("shell.options.verbose")), (30, 1))
    expect([d["value"] for d in js.dependencies], ["f1", "f2"])
    expect((js.getattr("constraints"), js.getattr("files")["two"]["data"]), ({"hostlist": ["n1"]}, "a\nb"))
    expect(eval(repr(js)).jobspec, js.jobspec)
    fails(TypeError, JobspecV1.from_submit, ["app"], nonesuch=1)
    fails(ValueError, JobspecV1.from_submit, ["app"], time_limit="1x")
    f = flux.Flux()
    js = JobspecV1.from_batch(content="flux run echo inside\n", wrap=True, conf={"policy": {"scheduler": {"policy": "fcfs"}}},
                              broker_opts=["-Slog-stderr-level=7"], output="none", time_limit="1m")  # fmt: skip
    expect(flux.job.job_output(f, flux.job.submit(f, js)).stdout, "inside\n")
    for left, opts in (([], ["-S", "a=b"]), (["x"], ["--setattr", "a=b", "x", "-c", "d"]), (["x"], ["-ov", "x", "-o"])):
        expect(flux.job._spec._options_of(opts), left)
    fails(TypeError, JobspecV1.from_batch)
    fails(ValueError, JobspecV1.from_batch, content="no interpreter\n")
    fails(ValueError, JobspecV1.from_alloc)
    jobid = flux.job.submit(f, JobspecV1.from_alloc(nslots=1))
    with flux.Flux(flux.uri.resolve(str(jobid)) if wait_for_uri(f, jobid) else None) as child:
        expect(child.attr_get("size"), "1")
    flux.job.cancel(f, jobid)
    conf = flux.job.BatchConfig().update("a.b=3").update('{"a": {"c": [1]}}').update("policy.x=text")
    expect((conf.config, conf.get("a.b")), ({"a": {"b": 3, "c": [1]}, "policy": {"x": "text"}}, 3))


def wait_for_uri(f, jobid):
    return any(e.name == "memo" and "uri" in e.context for e in flux.job.event_watch(f, jobid))


def constraints():
    f = flux.Flux()
    ids = [flux.job.submit(f, spec("sh", "-c", f"exit {i}", name=f"constrained{i}")) for i in range(3)]
    ends = [flux.job.result(f, j).t_inactive for j in ids]
    both = {"or": [{"name": ["constrained0"]}, {"and": [{"results": ["failed"]}, {"name": ["constrained2"]}]}]}
    expect({j.id for j in flux.job.JobList(f, constraint=both).jobs()}, {ids[0], ids[2]})
    late = {"and": [{"t_inactive": [f">{sorted(ends)[1]}"]}, {"not": [{"name": ["x"]}]}]}
    expect(len([j for j in flux.job.job_list(f, constraint=late).get_jobinfos() if j.id in ids]), 1)
    fails(ValueError, flux.job.job_list, f, constraint={"nonesuch": []})
    fails(ValueError, flux.job.job_list, f, constraint={"t_nonesuch": [">1"]})
    expect(flux.job.job_list(f, attrs=["name"], name="constrained1").get(), {"jobs": [{"id": ids[1], "name": "constrained1"}]})


def executor():
    with FluxExecutor(threads=1) as ex:
        futures = [ex.submit(spec("sh", "-c", f"exit {i}")) for i in range(5)]
        expect(sorted(f.result() for f in concurrent.futures.as_completed(futures)), [0, 1, 2, 3, 4])
        seen = []
        future = ex.submit(spec("true"))
        future.add_jobid_callback(lambda f: seen.append(f.jobid()))
        future.add_event_callback("start", lambda f, e: seen.append((e.name, e.context.get("x"), e["name"])))
        expect(future.result(), 0)
        slow = ex.submit(spec("sleep", "100"))
        flux.job.cancel(flux.Flux(), slow.jobid())
        expect(isinstance(slow.exception(), flux.job.JobException), True)
        expect(isinstance(ex.submit(spec("true", num_tasks=99)).exception(), OSError), True)
        expect(isinstance(ex.submit(7).exception(), TypeError), True)
        expect(isinstance(ex.submit(None).exception(), OSError), True)
        expect((isinstance(ex.attach(-1).exception(), OverflowError), ex.attach(-1).jobid()), (True, -1))
        expect((isinstance(ex.attach(None).exception(), TypeError), ex.attach(None).jobid()), (True, None))
        ended = []
        missing = ex.submit(spec("/nonexistent/program"))
        missing.add_event_callback("exception", lambda f, e: ended.append(e.name))
        expect((isinstance(missing.exception(), flux.job.JobException), ended), (True, ["exception"]))
        expect(isinstance(ex.attach(1).exception(), ValueError), True)
        expect(ex.attach(futures[3].jobid()).result(), 3)
        refused = ex.submit(spec("true", num_tasks=99))
        fails(RuntimeError, refused.jobid)
    expect(seen[0], future.jobid())
    expect(("start", None, "start") in seen, True)
    fails(RuntimeError, ex.submit, spec("true"))


failed = False
TESTS = (
    handle, messages, names, futures, fulfilled, watchers, sets, submit_and_wait, asynchronous, watching, logs, lists, constraints,
    specifications, by_name, executor,
)  # fmt: skip
for test in TESTS:
    try:
        test()
        print("ok", test.__name__.replace("_", " "), flush=True)
    except Exception:  # pylint: disable=broad-except
        print(test.__name__, "failed", flush=True)
        traceback.print_exc()
        failed = True
sys.exit(failed)
