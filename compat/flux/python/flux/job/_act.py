# SPDX-License-Identifier: BSD-3-Clause
"""Submit, wait, cancel."""
import collections
import errno
import os
import signal
import time

import hbatch
from hbatch.instance import submit_options
from hbatch.jobspec import wire_of
from hbatch.results import result_from_wait

from ..constants import FLUX_JOB_URGENCY_DEFAULT, FLUX_JOBID_ANY
from ..future import Future, oserrors
from ._list import JobInfo
from ._spec import JobID

JobWaitResult = collections.namedtuple("JobWaitResult", "jobid, success, errstr")


class SubmitFuture(Future):
    """get_id() gives the job's id."""

    def get_id(self):
        return self.get()


@oserrors
def submit_async(
    flux_handle,
    jobspec,
    urgency=FLUX_JOB_URGENCY_DEFAULT,
    waitable=False,
    debug=False,
    pre_signed=False,
    novalidate=False,
):
    """A future of the id of a new job."""
    del pre_signed, novalidate
    if jobspec is None:
        raise OSError(errno.EINVAL, "jobspec must not be None/NULL")
    spec, env = wire_of(jobspec)
    options = submit_options(urgency, waitable, debug)

    def made(answer):
        return JobID(answer[0])

    future = SubmitFuture(flux_handle, made)
    future.post(lambda told: flux_handle.channel.post_submit(spec, env, told, *options))
    if waitable:
        _expect(flux_handle, future)
    return future


def _expect(flux_handle, future):
    """Once the job is there, have it waited for."""
    told = future._told

    def submitted(entry):
        if entry[1] == "submitted":
            jobid = JobID(entry[2])
            flux_handle.waitable[jobid] = None
            flux_handle.channel.post("job.wait", {"id": jobid}, lambda e: ended(jobid, e))
        return told(entry)

    def ended(jobid, entry):
        if jobid in flux_handle.waitable:
            flux_handle.waitable[jobid] = entry
            flux_handle.waited.append(jobid)
        return True

    flux_handle.channel._handlers[future._tag] = submitted


def submit_get_id(future):
    return future.get_id()


def submit(
    flux_handle, jobspec, urgency=FLUX_JOB_URGENCY_DEFAULT, waitable=False, debug=False, pre_signed=False
):
    """Submit a job: its id."""
    return submit_async(flux_handle, jobspec, urgency, waitable, debug, pre_signed).get_id()


class JobWaitFuture(Future):
    """get_status() gives a JobWaitResult."""

    def get_status(self):
        return self.get()


def _status(entry_result):
    r = entry_result
    text = "" if r.ok else r.reason.partition(f"{r.jobid} ")[2] or "job failed"
    return JobWaitResult(JobID(int(r.jobid)), r.ok, text)


class _AnyFuture(JobWaitFuture):
    """Of the next job that ends."""

    def is_ready(self):
        return bool(self.handle.waited)

    @oserrors
    def get(self):
        if not self.handle.waitable:
            raise ChildProcessError(errno.ECHILD, "there are no more waitable jobs")
        self.wait_for()
        jobid = self.handle.waited.pop(0)
        from hbatch._channel import check  # pylint: disable=import-outside-toplevel

        return _status(result_from_wait(check(self.handle.waitable.pop(jobid))))


@oserrors
def wait_async(flux_handle, jobid=FLUX_JOBID_ANY):
    """A future of how a job ended; of any that this handle submitted with waitable=True."""
    if jobid == FLUX_JOBID_ANY:
        return _AnyFuture(flux_handle)
    jobid = JobID(jobid)
    flux_handle.waitable.pop(jobid, None)
    if jobid in flux_handle.waited:
        flux_handle.waited.remove(jobid)
    future = JobWaitFuture(flux_handle, lambda answer: _status(result_from_wait(answer)))
    return future.post(flux_handle.channel.post, "job.wait", {"id": jobid})


def wait_get_status(future):
    return future.get_status()


def wait(flux_handle, jobid=FLUX_JOBID_ANY):
    """How a job ended: (jobid, success, errstr)."""
    return wait_async(flux_handle, jobid).get_status()


class JobResultFuture(Future):
    """get_info() gives a JobInfo, get_dict() a dictionary."""

    @oserrors
    def get_info(self):
        answer = self.get()
        return JobInfo(self.handle.instance.job(answer["id"]).fields)

    def get_dict(self):
        return self.get_info().to_dict(filtered=False)


def result_async(flux_handle, jobid, flags=0):
    """A future of what is known of a job once it has ended."""
    del flags
    return JobResultFuture(flux_handle).post(flux_handle.channel.post, "job.wait", {"id": JobID(jobid)})


def result(flux_handle, jobid, flags=0):
    """What is known of a job once it has ended."""
    return result_async(flux_handle, jobid, flags).get_info()


def cancel_async(flux_handle, jobid, reason=None):
    """Cancel a job."""
    params = {"ids": [JobID(jobid)]}
    if reason:
        params["note"] = reason

    def made(answer):
        for e in answer.get("errors") or ():
            raise OSError(errno.ENOENT, e.get("message", "the job is not active"))

    return Future(flux_handle, made).post(flux_handle.channel.post, "job.cancel", params)


def cancel(flux_handle, jobid, reason=None):
    """Cancel a job."""
    return cancel_async(flux_handle, jobid, reason).get()


def kill_async(flux_handle, jobid, signum=None):
    """Send a signal to a running job."""
    params = {"id": JobID(jobid), "signal": int(signum or signal.SIGTERM)}
    return Future(flux_handle, lambda answer: None).post(flux_handle.channel.post, "job.kill", params)


def kill(flux_handle, jobid, signum=None):
    """Send a signal to a running job."""
    return kill_async(flux_handle, jobid, signum).get()


def job_raise_async(flux_handle, jobid, exc_type, severity=0, note=None):
    """Raise an exception of a job."""
    params = {"id": JobID(jobid), "type": exc_type, "severity": severity, "note": note or ""}
    return Future(flux_handle, lambda answer: None).post(flux_handle.channel.post, "job.raise", params)


def job_raise(flux_handle, jobid, exc_type, severity=0, note=None):
    """Raise an exception of a job."""
    return job_raise_async(flux_handle, jobid, exc_type, severity, note).get()


@oserrors
def timeleft(flux_handle=None):
    """Seconds until the job or instance around this process ends; inf: it has no end."""
    jobid = os.environ.get("HBATCH_JOB_ID")
    inst = flux_handle.instance if flux_handle else hbatch.Instance()
    expiration = (inst.job(jobid).expiration if jobid else inst.attributes().get("expiration")) or 0
    if not flux_handle:
        inst.close()
    return max(0.0, expiration - time.time()) if expiration else float("inf")
