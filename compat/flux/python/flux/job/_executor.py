# SPDX-License-Identifier: BSD-3-Clause
"""Jobs as futures."""
import errno
import signal
import threading
import time

import hbatch
from hbatch.executor import JobFuture

from ..future import oserror
from ._events import MAIN_EVENTS, EventLogEvent, JobException


def _translated(e):
    """The exception that Flux would have."""
    if isinstance(e, hbatch.JobError):
        info = e.result.exception if e.result else None
        context = {
            "type": info.type if info else "",
            "severity": info.severity if info else 0,
            "note": info.note if info else e.text,
        }
        return JobException(EventLogEvent({"timestamp": time.time(), "name": "exception", "context": context}))
    if isinstance(e, hbatch.HbatchError):
        if isinstance(e, hbatch.JobNotFound):
            return ValueError("job ID does not match any job")
        return oserror(e)
    return e


class _Interrupted:
    """Whether ctrl-C came: looked at when the program ends."""

    def __init__(self):
        self.came = False

    def watch(self):
        """From now on, unless the program does something of its own about it."""
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._came)

    def _came(self, signum, frame):
        self.came = True
        signal.default_int_handler(signum, frame)


_interrupted = _Interrupted()


class FluxExecutorFuture(JobFuture):
    """A job of a FluxExecutor."""

    EVENTS = MAIN_EVENTS
    _attached = False  # with an id that makes no sense

    def set_exception(self, exception):
        super().set_exception(_translated(exception))

    def jobid(self, timeout=None):
        if self._attached:
            return self._jobid
        try:
            return super().jobid(timeout)
        except (OSError, ValueError) as e:
            if isinstance(e, TimeoutError):
                raise
            raise RuntimeError(f"job could not be submitted due to {e!r}") from e

    def add_event_callback(self, event, callback):
        def translated(future, e):
            callback(future, EventLogEvent({"timestamp": e.timestamp, "name": e.name, "context": e.context}))

        return super().add_event_callback(event, translated)


class FluxExecutor(hbatch.Executor):
    """As of Flux: submit() and attach() give futures.  threads and poll_interval mean nothing here.

    One that was not shut down is waited for when the program ends, as with Flux; after ctrl-C its jobs are canceled."""

    EVENTS = MAIN_EVENTS
    _future_class = FluxExecutorFuture
    _exec_raises = True

    def __init__(self, threads=1, thread_name_prefix="", poll_interval=0.1, handle_args=(), handle_kwargs=None):
        del poll_interval
        if threads < 0:
            raise ValueError("the number of threads must be > 0")
        url = handle_args[0] if handle_args else (handle_kwargs or {}).get("url")
        try:
            super().__init__(url or None, thread_name_prefix=thread_name_prefix or "FluxExecutor")
        except hbatch.HbatchError as e:
            raise oserror(e) from e
        _interrupted.watch()

    def _at_exit(self):
        if _interrupted.came:
            self.shutdown(wait=True, cancel_futures=True, cancel_jobs=True)
        super()._at_exit()

    def _failed_at_once(self, e):
        """A future with an exception."""
        self._check_open()
        future = self._future_class(self)
        future.set_running_or_notify_cancel()
        future.set_exception(e)
        return future

    def attach(self, jobid):
        """What is wrong with the id is an exception of the future."""
        try:
            return super().attach(jobid)
        except (TypeError, ValueError) as e:
            future = self._failed_at_once(OverflowError(str(e)) if isinstance(jobid, int) else e)
            future._attached, future._jobid = True, jobid
            return future

    def submit(self, jobspec, urgency=None, waitable=False, debug=False, pre_signed=False, **_):
        """What is wrong with the job is an exception of the future."""
        del pre_signed
        if jobspec is None:
            return self._failed_at_once(OSError(errno.EINVAL, "jobspec must not be None/NULL"))
        try:
            return super().submit(jobspec, urgency, waitable, debug)
        except (TypeError, ValueError) as e:
            return self._failed_at_once(e)

    def map(self, fn, *iterables, **kwargs):
        """Not in Flux; as of hbatch.Executor."""
        return super().map(fn, *iterables, **kwargs)
