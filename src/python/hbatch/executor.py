# SPDX-License-Identifier: BSD-3-Clause
"""Jobs as futures, as of concurrent.futures.

    with hbatch.Executor() as executor:
        futures = [executor.submit(hbatch.Jobspec.from_command(["./app", str(i)])) for i in range(100)]
        for f in concurrent.futures.as_completed(futures):
            print(f.jobid(), f.result())

Threads.  All methods of an Executor and its futures may be called from any thread.  An executor has one connection, and
one thread, in which all callbacks run, one at a time: what they take is time that no other future gets.  A callback may
submit, attach, cancel and add callbacks, but not wait for a future of its own executor that is not done: result(),
exception() and jobid() then raise RuntimeError.  An exception of a callback is logged and passed over.

The end of a program.  As with all executors of concurrent.futures, one that was not shut down is waited for when the
program ends, unless an exception or ctrl-C ends it: what was submitted is then sent, and the jobs go on.  In a process that
was forked the futures that were not done raise ConnectionClosed; the jobs are the parent's."""
import atexit
import concurrent.futures
import logging
import os
import sys
import threading
import time
import weakref
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Optional

from ._channel import Channel, check
from ._lib import TELL_END, TELL_EVENTS
from .errors import ConnectionClosed, HbatchError, JobError, JobNotFound
from .instance import submit_options
from .jobid import JobID, JobIDLike
from .jobspec import JobspecLike, wire_of
from .results import EVENTS, Event, Result, result_from_entry

_log = logging.getLogger("hbatch")
_live: "weakref.WeakSet[Executor]" = weakref.WeakSet()
_EXIT_FLUSH = 5.0  # s: for what was submitted to be sent, when a program ends by an exception


@atexit.register
def _at_exit() -> None:
    for executor in list(_live):
        executor._at_exit()


def _forked() -> None:
    for executor in list(_live):
        executor._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _limited(timeout: Optional[float]) -> Optional[float]:
    """As waiting on locks takes it: 292 years, and not inf."""
    return None if timeout is None else min(timeout, threading.TIMEOUT_MAX)


class JobFuture(concurrent.futures.Future):  # type: ignore[type-arg]
    """A job of an Executor.

    result() is the greatest exit code of the tasks (127: there is no such program, 126: it cannot be run), or minus the
    number of the signal that ended one.  A job that was canceled, reached its time limit or got a fatal exception raises
    JobCanceled, JobTimedOut or JobFailed, a submission that was refused a RequestError, and the end of the instance
    ConnectionLost.

    It can be awaited in asyncio.
    """

    #: Names that add_event_callback takes.
    EVENTS = EVENTS

    def __init__(self, executor: "Executor") -> None:
        super().__init__()
        self._executor = executor
        self._jobid: Optional[JobID] = None
        self._count = 1
        self._jobid_callbacks: List[Callable[["JobFuture"], Any]] = []
        self._event_callbacks: Optional[Dict[str, List[Callable[["JobFuture", Event], Any]]]] = None
        self._events: List[Event] = []
        self._end: Optional[List[Any]] = None  # the entry that told of the end
        self._following = False  # its events are still coming: its end waits for them
        self._held: Optional[List[Any]] = None  # the end that waits
        self._ended: Optional[Result] = None

    def jobid(self, timeout: Optional[float] = None) -> JobID:
        """The job's id, once it is known; raises what the submission failed with."""
        if self._jobid is None and not self.done():
            self._executor._check_thread()
            known = threading.Event()
            self.add_jobid_callback(lambda future: known.set())
            if not known.wait(_limited(timeout)):
                raise concurrent.futures.TimeoutError()
        if self._jobid is not None:
            return self._jobid
        if self.cancelled():
            raise concurrent.futures.CancelledError()
        failed = super().exception()
        raise failed if failed else JobNotFound("the job has no id")

    @property
    def job_result(self) -> Optional[Result]:
        """All that is known of how the job ended; None: it has not."""
        if self._ended is None and self._end is not None:
            self._ended = result_from_entry(self._end)
        return self._ended

    def result(self, timeout: Optional[float] = None) -> Any:
        """The exit code, once the job has ended; concurrent.futures.TimeoutError after TIMEOUT seconds."""
        if not self.done():
            self._executor._check_thread()
        return super().result(_limited(timeout))

    def exception(self, timeout: Optional[float] = None) -> Any:
        """What result() raises, or None, once the job has ended."""
        if not self.done():
            self._executor._check_thread()
        return super().exception(_limited(timeout))

    def cancel(self) -> bool:
        """Take the submission back, if it was not sent yet.  A job that is there is canceled by cancel_job."""
        return self._executor._take_back(self)

    def cancel_job(self, note: Optional[str] = None) -> None:
        """Cancel the job, whatever it does; nothing happens if it is over."""
        self._executor._cancel_job(self, note)

    def add_jobid_callback(self, callback: Callable[["JobFuture"], Any]) -> "JobFuture":
        """Call CALLBACK(future) once the job's id is known, or it is known that there will be none."""
        self._jobid_callbacks.append(callback)
        if self._jobid is not None or self.done():
            self._call_jobid_callbacks()
        return self

    def add_event_callback(self, event: str, callback: Callable[["JobFuture", Event], Any]) -> "JobFuture":
        """Call CALLBACK(future, event) for each event of that name, also for those that were before.  A future with
        such callbacks is done after its last event; those that are added later may be called later."""
        if event not in self.EVENTS:
            raise ValueError(f"there is no event '{event}': they are {', '.join(sorted(self.EVENTS))}")
        self._executor._add_event_callback(self, event, callback)
        return self

    def _call(self, callback: Callable[..., Any], *args: Any) -> None:
        try:
            callback(self, *args)
        except Exception:  # pylint: disable=broad-except
            _log.exception("exception in a callback of %r", self)

    def _set_jobid(self, jobid: Optional[JobID]) -> None:
        self._jobid = jobid
        if self._jobid_callbacks:
            self._call_jobid_callbacks()

    def _call_jobid_callbacks(self) -> None:
        while True:
            try:
                callback = self._jobid_callbacks.pop(0)  # each once, whoever is first
            except IndexError:
                return
            self._call(callback)

    def _finish(self, value: Any = None, exception: Optional[BaseException] = None) -> None:
        try:
            if exception is None:
                self.set_result(value)
                return
            self.set_exception(exception)
        except concurrent.futures.InvalidStateError:
            return  # it was over before
        self._set_jobid(self._jobid)

    def __await__(self) -> Generator[Any, None, Any]:
        import asyncio  # pylint: disable=import-outside-toplevel

        return asyncio.wrap_future(self).__await__()


class Executor(concurrent.futures.Executor):
    """Submits jobs and gives futures of them.

    uri: of the instance; None: that of HBATCH_URI.  Raises ConnectError at once if there is none.
    thread_name_prefix: of its thread.

    A job is followed by one message for its end; events are asked for when somebody adds a callback for them.
    """

    #: Names of events.
    EVENTS = EVENTS
    _future_class = JobFuture
    _exec_raises = False  # whether a program that cannot be started is an exception, rather than 126 or 127

    def __init__(self, uri: Optional[str] = None, *, thread_name_prefix: str = "hbatch-executor") -> None:
        self._channel = Channel(uri)
        self._lock = threading.Lock()
        self._closing = False
        self._active: Dict[int, JobFuture] = {}  # by id()
        self._tags: Dict[int, int] = {}  # of submissions without an answer
        channel, state = self._channel, weakref.ref(self)

        def stop() -> bool:
            executor = state()
            return executor is None or executor._is_over()

        def work() -> None:
            try:
                channel.run(stop)
            finally:
                channel.close()

        self._thread = threading.Thread(target=work, name=thread_name_prefix, daemon=True)
        self._thread.start()
        self._finalizer = weakref.finalize(self, channel.wake)
        self._finalizer.atexit = False
        _live.add(self)

    # --- submitting ------------------------------------------------------------------------------

    def submit(  # type: ignore[override]
        self,
        jobspec: JobspecLike,
        /,
        urgency: Optional[int] = None,
        waitable: bool = False,
        debug: bool = False,
    ) -> JobFuture:
        """Submit a job: a Jobspec, its JSON, a dictionary, or a command (a list of words).  TypeError and ValueError for
        what can be seen to be wrong here; what the instance refuses is an exception of the future.  RuntimeError after
        shutdown, or when the instance has ended."""
        options = submit_options(urgency, waitable, debug)
        wire = wire_of(jobspec)
        future = self._future_class(self)
        with self._lock:
            self._check_open()
            self._active[id(future)] = future
            try:
                tag = self._channel.post_submit(*wire, lambda entry: self._told(future, entry), *options, TELL_END)
                self._tags[id(future)] = tag
            except HbatchError as e:
                del self._active[id(future)]
                failed: Optional[HbatchError] = e
            else:
                failed = None
        if failed:
            future.set_running_or_notify_cancel()
            future._finish(exception=failed)
        return future

    def attach(self, jobid: JobIDLike) -> JobFuture:
        """A future of a job that is there already."""
        number = JobID(jobid)
        future = self._future_class(self)
        future._jobid = number
        future.set_running_or_notify_cancel()
        with self._lock:
            self._check_open()
            self._active[id(future)] = future
            self._channel.post_follow(number, 1, TELL_END, lambda entry: self._told(future, entry))
        return future

    def map(  # type: ignore[override]
        self,
        fn: Callable[..., JobspecLike],
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
    ) -> Iterator[int]:
        """The results of the jobs FN(...) for the items of ITERABLES, in their order: FN makes a job specification.
        All are submitted at once; chunksize means nothing here."""
        del chunksize
        futures = [self.submit(fn(*args)) for args in zip(*iterables)]
        end = None if timeout is None else time.monotonic() + timeout

        def results() -> Iterator[int]:
            try:
                for f in futures:
                    yield f.result(None if end is None else end - time.monotonic())
            finally:
                for f in futures:
                    f.cancel()

        return results()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, cancel_jobs: bool = False) -> None:
        """Submit no more.

        wait: until all jobs have ended.  cancel_futures: futures whose job was not sent yet are cancelled.
        cancel_jobs: all jobs that have not ended are canceled, too.
        """
        with self._lock:
            self._closing = True
            active = list(self._active.values())
        if cancel_futures:
            for future in reversed(active):
                future.cancel()
        if cancel_jobs:
            self._cancel_jobs(active, "the executor was shut down")
        self._channel.wake()
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    # --- the end of the program -----------------------------------------------------------------

    def _at_exit(self) -> None:
        try:
            if getattr(sys, "last_type", None) is None:
                self.shutdown()
                return
            end = time.monotonic() + _EXIT_FLUSH
            while self._tags and self._thread.is_alive() and time.monotonic() < end:
                time.sleep(0.001)
        except KeyboardInterrupt:
            pass

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        active, self._active, self._tags = self._active, {}, {}
        self._closing = True
        for future in active.values():
            future._condition = threading.Condition()
            if not future.done():  # callbacks are the parent's
                future._exception = ConnectionClosed("the executor belongs to the process that this one was forked from")
                future._state = "FINISHED"

    # --- inside ----------------------------------------------------------------------------------

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback cannot wait for a future of its own executor")

    def _check_open(self) -> None:
        if self._closing:
            raise RuntimeError("the executor was shut down and takes no more jobs")
        lost = self._channel.lost
        if lost:
            raise RuntimeError(f"the executor takes no more jobs: {lost.text}") from lost

    def _is_over(self) -> bool:
        return self._closing and not self._active

    def _over(self, future: JobFuture) -> None:
        self._active.pop(id(future), None)
        self._tags.pop(id(future), None)

    def _told(self, future: JobFuture, entry: List[Any]) -> bool:
        word = entry[1]
        if word == "submitted":
            future.set_running_or_notify_cancel()
            self._tags.pop(id(future), None)
            future._set_jobid(JobID.of(entry[2]))
            return False
        if word == "end":
            with future._condition:
                if future._following:
                    future._held = entry
                    return True
            self._ended(future, entry)
            return True
        if word in ("error", "lost"):
            self._over(future)
            try:
                check(entry)
            except ConnectionClosed:
                future._finish(exception=ConnectionClosed("the executor was ended before the job"))
            except HbatchError as e:
                future._finish(exception=e)
            return True
        return False

    def _ended(self, future: JobFuture, entry: List[Any]) -> None:
        if entry[3] == "COMPLETED":
            future._end = entry
            self._over(future)
            future._finish(0)
        else:
            self._failed(future, result_from_entry(entry))

    def _failed(self, future: JobFuture, result: Result) -> None:
        future._ended = result
        self._over(future)
        e = result.exception
        raised = e is not None and e.severity == 0 and (e.type != "exec" or self._exec_raises)  # 126 or 127, as of a shell
        if result.result == "FAILED" and result.status >= 0 and not raised:
            future._finish(result.returncode)
            return
        try:
            result.check()
            future._finish(result.returncode)
        except JobError as error:
            future._finish(exception=error)

    def _take_back(self, future: JobFuture) -> bool:
        with self._lock:
            tag = self._tags.get(id(future))
        if tag is None or not self._channel.take_back(tag):
            return future.cancelled()
        concurrent.futures.Future.cancel(future)
        future.set_running_or_notify_cancel()
        self._over(future)
        future._set_jobid(None)
        return True

    def _cancel_jobs(self, futures: List[JobFuture], note: str) -> None:
        """As one request for all that are there, which may be a million."""
        ranges: List[List[int]] = []
        known: List[int] = []
        for future in futures:  # each is looked at once: its id may come meanwhile
            jobid = future._jobid
            if jobid is None:
                self._cancel_job(future, note)
            elif not future.done():
                known.append(jobid)
        for number in sorted(known):
            if ranges and JobID(ranges[-1][1]).nth(1) == number:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        if ranges:
            try:
                self._channel.post("job.cancel", {"ranges": ranges, "note": note}, lambda entry: True)
            except HbatchError:
                pass  # it is lost, which the futures are told

    def _cancel_job(self, future: JobFuture, note: Optional[str]) -> None:
        def cancel(f: JobFuture) -> None:
            if f._jobid is None or f.done():
                return
            params: Dict[str, Any] = {"ids": [f._jobid]}
            if note:
                params["note"] = note
            try:
                self._channel.post("job.cancel", params, lambda entry: True)
            except HbatchError:
                pass  # it is lost, which the future is told

        future.add_jobid_callback(cancel)

    def _add_event_callback(self, future: JobFuture, name: str, callback: Callable[[JobFuture, Event], Any]) -> None:
        with future._condition:
            first = future._event_callbacks is None
            if first:
                future._event_callbacks = {}
                future._following = not future.done()
            assert future._event_callbacks is not None
            future._event_callbacks.setdefault(name, []).append(callback)
            before = [e for e in future._events if e.name == name]
        for event in before:
            future._call(callback, event)
        if first:
            future.add_jobid_callback(self._follow_events)

    def _events_over(self, future: JobFuture) -> None:
        with self._lock:
            self._active.pop(-id(future), None)
        with future._condition:
            future._following, held = False, future._held
            future._held = None
        if held is not None:
            self._ended(future, held)

    def _follow_events(self, future: JobFuture) -> None:
        if future._jobid is None:
            return

        def told(entry: List[Any]) -> bool:
            word = entry[1]
            if word == "event":
                event = Event(entry[3], entry[4], entry[5] or {})
                with future._condition:
                    future._events.append(event)
                    callbacks = list((future._event_callbacks or {}).get(event.name, ()))
                for callback in callbacks:
                    future._call(callback, event)
                return False
            if word == "reply":
                return False
            self._events_over(future)
            return True

        with self._lock:
            self._active[-id(future)] = future  # the executor lasts until the last event
        try:
            self._channel.post_follow(future._jobid, 1, TELL_EVENTS | TELL_END, told)
        except HbatchError:
            self._events_over(future)

