# SPDX-License-Identifier: BSD-3-Clause
"""Programs as they are written for Flux, on the module of hbatch.  A line for each: ok NAME, or what went wrong."""
import concurrent.futures
import datetime
import os
import sys
import traceback

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
    expect(list(flux.job.output_watch_lines(f, jobid)), [("stdout", "hello\n")])
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
        expect(isinstance(ex.attach(1).exception(), ValueError), True)
        expect(ex.attach(futures[3].jobid()).result(), 3)
        refused = ex.submit(spec("true", num_tasks=99))
        fails(RuntimeError, refused.jobid)
    expect(seen[0], future.jobid())
    expect(("start", None, "start") in seen, True)
    fails(RuntimeError, ex.submit, spec("true"))


failed = False
for test in (handle, messages, names, submit_and_wait, asynchronous, watching, lists, specifications, executor):
    try:
        test()
        print("ok", test.__name__.replace("_", " "), flush=True)
    except Exception:  # pylint: disable=broad-except
        print(test.__name__, "failed", flush=True)
        traceback.print_exc()
        failed = True
sys.exit(failed)
