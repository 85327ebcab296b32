# SPDX-License-Identifier: BSD-3-Clause
"""A connection to an instance."""
import atexit
import base64
import collections
import concurrent.futures
import copy
import os
import re
import signal as _signal
import threading
import time
import weakref
from typing import Any, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from ._channel import Answer, Channel, check
from ._lib import TELL_END, TELL_EVENTS, TELL_OUTPUT, c_string
from .errors import HbatchError, JobNotFound, NoData, RequestError, WaitTimeout
from .jobid import JobID, JobIDLike
from .jobs import JobInfo, JobList, Since, check_text
from .jobspec import Jobspec, JobspecLike, wire_of
from .results import Event, Output, Result, result_from_entry, result_from_wait


class Completed(NamedTuple):
    """What Instance.run gives."""

    result: Result
    stdout: bytes
    stderr: bytes

    @property
    def exit_code(self) -> int:
        """That of the job."""
        return self.result.exit_code


def submit_options(
    urgency: Optional[int] = None, waitable: bool = False, debug: bool = False, cc: Optional[Any] = None
) -> Tuple[int, Optional[bytes], Optional[bytes]]:
    """As post_submit takes them."""
    if urgency is not None:
        if isinstance(urgency, bool) or not isinstance(urgency, int):
            raise TypeError(f"urgency must be a whole number, not {type(urgency).__name__}")
        if not 0 <= urgency <= 31:
            raise ValueError(f"urgency must be from 0 (held) to 31, not {urgency}")
    flags = ",".join(name for name, on in (("waitable", waitable), ("debug", debug)) if on)
    if cc is not None and not isinstance(cc, (str, bytes)):
        cc = ",".join(str(int(i)) for i in cc)
    return (
        -1 if urgency is None else urgency,
        flags.encode() if flags else None,
        None if cc is None else c_string(cc, "cc"),
    )


_SEQUENCE = 1024  # ids are numbered up to here; the next one after that is none plus one


def _runs(ids: Iterable[int]) -> Iterator[Tuple[int, int]]:
    """First ids of those that follow each other, and how many do."""
    first = n = 0
    for i in sorted(ids):
        if n and i == first + n and i % _SEQUENCE:
            n += 1
            continue
        if n:
            yield first, n
        first, n = i, 1
    if n:
        yield first, n


_STDIN_PIECE, _STDIN_AHEAD = 128 << 10, 512 << 10  # bytes; the library's limit is 1 MiB ahead


def with_stdin(jobspec: JobspecLike) -> Jobspec:
    """A copy of JOBSPEC whose task 0 reads what is sent."""
    if isinstance(jobspec, (str, bytes)):
        js = Jobspec.from_json(jobspec)
    elif isinstance(jobspec, (list, tuple)):
        js = Jobspec.from_command(jobspec)
    else:
        js = Jobspec.from_dict(copy.deepcopy(jobspec.jobspec if isinstance(jobspec, Jobspec) else dict(jobspec)))
    if js.stdin is not None:
        raise ValueError("the job reads a file: it cannot be given stdin, too")
    js.setattr_shell_option("input.stdin.type", "service")
    return js


def data_of(entry: List[Any]) -> Output:
    """Of ["output", ...]."""
    raw = base64.b64decode(entry[5]) if entry[6] else entry[5].encode("utf-8", "surrogatepass")
    return Output(entry[3], entry[4], raw, entry[7])


class _Stream:
    """The handler of a stream: entries wait here until somebody wants them."""

    def __init__(self) -> None:
        self.entries: Deque[List[Any]] = collections.deque()
        self.over = False

    def __call__(self, entry: List[Any]) -> bool:
        word = entry[1]
        self.over = self.over or word in ("error", "lost") or (word == "end" and entry[9] == 0)
        self.entries.append(entry)
        return self.over

    def ready(self) -> bool:
        return bool(self.entries) or self.over


class _Submitted:
    """The handlers of many submissions."""

    def __init__(self, first_tag: int) -> None:
        self.entries: Dict[int, List[Any]] = {}
        self.first_tag = first_tag

    def __call__(self, entry: List[Any]) -> bool:
        self.entries[entry[0]] = entry
        return True


_EXIT_FLUSH = 5.0  # s: for submissions whose ids nobody waits for
_submitting: "weakref.WeakSet[concurrent.futures.Future[JobID]]" = weakref.WeakSet()


@atexit.register
def _at_exit() -> None:
    """What submit_async was given is sent before the program ends."""
    concurrent.futures.wait([f for f in list(_submitting) if not f.done()], _EXIT_FLUSH)


def _forked() -> None:
    """What the parent submits is the parent's to wait for, and its threads are not here."""
    global _submitting, _THREAD_LOCK  # pylint: disable=global-statement
    _submitting = weakref.WeakSet()
    _THREAD_LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

_THREAD_OF: "weakref.WeakKeyDictionary[Channel, threading.Thread]" = weakref.WeakKeyDictionary()
_THREAD_LOCK = threading.Lock()


def background(channel: Channel) -> None:
    """Have a thread be the channel's pump until the channel is closed or lost."""
    with _THREAD_LOCK:
        if channel in _THREAD_OF:
            return
        thread = threading.Thread(target=channel.run, args=(lambda: False,), name="hbatch", daemon=True)
        _THREAD_OF[channel] = thread
        thread.start()


class Instance:
    """A connection to an instance of hbatch.

        with hbatch.Instance() as inst:
            jobid = inst.submit(hbatch.Jobspec.from_command(["./app", "in.dat"], num_tasks=4))
            print(inst.wait(jobid).exit_code)

    uri: of the instance, local://PATH or ssh://[USER@]HOST[:PORT]/PATH; None: that of the environment variable
    HBATCH_URI.  ConnectError if it cannot be reached.

    Any number of threads may use it, also while others wait.  Everything that waits takes a timeout in seconds, after
    which it raises WaitTimeout.  When the instance ends or is killed, all that waits raises ConnectionLost, and so does
    everything after; where it can come back, it is waited for (HBATCH_RECONNECT_TIMEOUT, hbatch-environment(7)).
    After a fork, the child has to make a connection of its own.
    """

    def __init__(self, uri: Optional[str] = None, *, _channel: Optional[Channel] = None) -> None:
        if uri is not None and not isinstance(uri, str):
            raise TypeError(f"the URI of an instance must be a string, not {type(uri).__name__}")
        self._channel = _channel or Channel(uri)
        via = "" if _channel else uri or os.environ.get("HBATCH_URI", "")
        self._far = via if via.startswith("ssh://") else None
        self._finalizer = weakref.finalize(self, Channel.close, self._channel)
        self._finalizer.atexit = False  # the process ends: no thread that waits need hear of it

    def close(self) -> None:
        """End the connection.  The instance and its jobs go on."""
        self._finalizer()

    def __enter__(self) -> "Instance":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed or lost."""
        return self._channel.lost is not None

    def fileno(self) -> int:
        """A descriptor that is readable when dispatch has something to do, for event loops."""
        return self._channel.fd

    def dispatch(self) -> bool:
        """Receive what has come, and run what waits for it, without waiting.  True: something came."""
        if self._channel.lost:
            raise self._channel.lost_again()
        came = []

        def once() -> bool:
            came.append(self._channel.receive())
            return True

        if not self._channel.in_pump():
            self._channel.wait(once)
            return came[0]
        return False

    def call(self, method: str, params: Optional[Dict[str, Any]] = None, timeout: Optional[float] = None) -> Any:
        """Any request of hbatch-protocol(7): its result."""
        return self._channel.call(method, params, timeout)

    # --- submitting ------------------------------------------------------------------------------

    def submit(
        self,
        jobspec: JobspecLike,
        urgency: Optional[int] = None,
        waitable: bool = False,
        debug: bool = False,
        cc: Optional[Any] = None,
        timeout: Optional[float] = None,
    ) -> JobID:
        """Submit a job; its id, once the instance has stored it.

        jobspec: a Jobspec, its JSON, a dictionary, or a command (a list of words).  urgency: 0 (held) to 31.  cc: ids
        of an array of jobs, "1-100" or a list of numbers: the id is that of the first (JobID.nth).
        """
        options = submit_options(urgency, waitable, debug, cc)
        answer = Answer()
        tag = self._channel.post_submit(*wire_of(jobspec), answer, *options)
        self._channel.wait_for([tag], answer.done, timeout, "the answer to the submission")
        return JobID(answer.result()[0])

    def submit_many(
        self,
        jobspecs: Iterable[JobspecLike],
        urgency: Optional[int] = None,
        waitable: bool = False,
        debug: bool = False,
        return_exceptions: bool = False,
        timeout: Optional[float] = None,
    ) -> List[Any]:
        """Submit many jobs over one connection, without waiting for each; their ids in order.

        The first one that is refused raises its exception after all were submitted, whose other jobs go on;
        with return_exceptions it is in the list in place of an id.
        """
        options = submit_options(urgency, waitable, debug)
        channel, seen = self._channel, _Submitted(0)
        tags: List[Any] = []
        try:
            for i, jobspec in enumerate(jobspecs):
                try:
                    tags.append(channel.post_submit(*wire_of(jobspec), seen, *options))
                except (ValueError, TypeError, RequestError) as e:
                    tags.append(e)
                if i % 256 == 255 and not channel.in_pump():
                    self.dispatch()
            posted = [t for t in tags if not isinstance(t, Exception)]
            channel.wait(lambda: len(seen.entries) >= len(posted), timeout, "the answers to the submissions")
        except BaseException:
            for t in tags:
                if not isinstance(t, Exception) and t not in seen.entries:
                    channel.unpost(t)
            raise
        ids: List[Any] = []
        for t in tags:
            try:
                if isinstance(t, Exception):
                    raise t
                ids.append(JobID.of(check(seen.entries[t])[0]))
            except (HbatchError, ValueError, TypeError) as e:
                ids.append(e)
        failed = next((e for e in ids if isinstance(e, Exception)), None)
        if failed and not return_exceptions:
            raise failed
        return ids

    def submit_async(
        self,
        jobspec: JobspecLike,
        urgency: Optional[int] = None,
        waitable: bool = False,
        debug: bool = False,
        cc: Optional[Any] = None,
    ) -> "concurrent.futures.Future[JobID]":
        """Submit without waiting: a future of the job's id.  Its callbacks run in a thread of this connection."""
        return self._async_submit(jobspec, submit_options(urgency, waitable, debug, cc))

    def _async_submit(self, jobspec: JobspecLike, options: Any) -> "concurrent.futures.Future[JobID]":
        future: "concurrent.futures.Future[JobID]" = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def told(entry: List[Any]) -> bool:
            try:
                future.set_result(JobID(check(entry)[0]))
            except HbatchError as e:
                future.set_exception(e)
            return True

        wire = wire_of(jobspec)
        background(self._channel)
        self._channel.post_submit(*wire, told, *options)
        _submitting.add(future)
        return future

    def wait_async(self, jobid: JobIDLike) -> "concurrent.futures.Future[Result]":
        """A future of how a job ended."""
        future: "concurrent.futures.Future[Result]" = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def told(entry: List[Any]) -> bool:
            try:
                future.set_result(result_from_wait(check(entry)))
            except HbatchError as e:
                future.set_exception(e)
            return True

        background(self._channel)
        self._channel.post("job.wait", {"id": JobID(jobid)}, told)
        return future

    def run(
        self,
        jobspec: JobspecLike,
        urgency: Optional[int] = None,
        stdin: Optional[bytes] = None,
        timeout: Optional[float] = None,
    ) -> Completed:
        """Submit a job, wait for it, and take its output along; when the time is over it is canceled."""
        out: Dict[str, List[bytes]] = {"stdout": [], "stderr": []}
        stream, options = _Stream(), submit_options(urgency)
        end = None if timeout is None else time.monotonic() + timeout
        tell = TELL_END | TELL_OUTPUT
        if stdin is not None:
            if not isinstance(stdin, (bytes, bytearray)):
                raise TypeError(f"stdin must be bytes, not {type(stdin).__name__}")
            jobspec = with_stdin(jobspec)
            tell |= TELL_EVENTS
        tag = self._channel.post_submit(*wire_of(jobspec), stream, *options, tell)
        jobid = None
        given = 0
        try:
            for entry in self._entries(tag, stream, end, "the end of the job"):
                word = entry[1]
                if word == "submitted":
                    jobid = JobID(entry[2])
                elif word == "output":
                    o = data_of(entry)
                    out.setdefault(o.stream, []).append(o.data)
                elif stdin is not None and ((word == "event" and entry[4] == "start") or word == "input"):
                    while given <= len(stdin) and given - (entry[3] if word == "input" else 0) < _STDIN_AHEAD:
                        piece = bytes(stdin[given : given + _STDIN_PIECE])
                        given += len(piece)
                        last = given >= len(stdin)
                        self._channel.stdin(entry[2], None, piece, last)
                        given += last  # beyond the end: nothing more
                elif word == "end":
                    return Completed(result_from_entry(entry), b"".join(out["stdout"]), b"".join(out["stderr"]))
        except BaseException:
            if jobid is not None and not self.closed:
                try:
                    self.cancel(jobid)
                except HbatchError:
                    pass
            raise
        raise NoData("the job ended without a result")

    def send_input(
        self, jobid: JobIDLike, data: bytes, end: bool = False, tasks: Optional[Union[str, int]] = None
    ) -> None:
        """Send DATA to the standard input of the tasks TASKS ("all", or ids; None: as the job says) of a running job that
        was submitted with the launch option input.stdin.type "service"; END: nothing comes after it."""
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        self._channel.stdin(JobID(jobid), None if tasks is None else str(tasks).encode(), bytes(data), end)

    # --- following -------------------------------------------------------------------------------

    def _entries(self, tag: int, stream: _Stream, end: Optional[float], what: str) -> Iterator[List[Any]]:
        try:
            while True:
                while stream.entries:
                    entry = stream.entries.popleft()
                    if entry[1] in ("error", "lost"):
                        check(entry)
                    yield entry
                if stream.over:
                    return
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise WaitTimeout(f"{what} did not come in time")
                self._channel.wait(stream.ready, left, what)
        finally:
            if not stream.over:
                self._channel.unpost(tag)

    def watch(self, jobid: JobIDLike, timeout: Optional[float] = None) -> Iterator[Event]:
        """The events of a job, from the first one on, as they come; ends with the job."""
        stream = _Stream()
        tag = self._channel.post_follow(JobID(jobid), 1, TELL_END | TELL_EVENTS, stream)
        return self._watch(tag, stream, timeout)

    def _watch(self, tag: int, stream: _Stream, timeout: Optional[float]) -> Iterator[Event]:
        end = None if timeout is None else time.monotonic() + timeout
        for entry in self._entries(tag, stream, end, "the job's next event"):
            if entry[1] == "event":
                yield Event(entry[3], entry[4], entry[5] or {})

    def wait_event(self, jobid: JobIDLike, name: str, timeout: Optional[float] = None) -> Event:
        """The first event NAME of a job; NoData if the job ends without one."""
        for event in self.watch(jobid, timeout):
            if event.name == name:
                return event
        raise NoData(f"job {JobID(jobid)} has ended without an event '{name}'")

    def output_stream(self, jobid: JobIDLike, timeout: Optional[float] = None) -> Iterator[Output]:
        """The output of a job, from its beginning on, as it comes; ends with the job.  None of what goes to files."""
        stream = _Stream()
        tag = self._channel.post_follow(JobID(jobid), 1, TELL_END | TELL_OUTPUT, stream)
        return self._outputs(tag, stream, timeout)

    def _outputs(self, tag: int, stream: _Stream, timeout: Optional[float]) -> Iterator[Output]:
        end = None if timeout is None else time.monotonic() + timeout
        for entry in self._entries(tag, stream, end, "the job's next output"):
            if entry[1] == "output":
                yield data_of(entry)

    def output(self, jobid: JobIDLike, stream: str = "stdout", timeout: Optional[float] = None) -> bytes:
        """All that a job wrote to STREAM ("stdout" or "stderr"), once it has ended."""
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"stream must be 'stdout' or 'stderr', not {stream!r}")
        return b"".join(o.data for o in self.output_stream(jobid, timeout) if o.stream == stream)

    def wait(self, jobid: JobIDLike, timeout: Optional[float] = None) -> Result:
        """How a job ended, once it has."""
        return result_from_wait(self.call("job.wait", {"id": JobID(jobid)}, timeout))

    def wait_many(self, jobids: Iterable[JobIDLike], timeout: Optional[float] = None) -> Iterator[Result]:
        """How jobs ended, in the order of their ends."""
        ids = {JobID(i) for i in jobids}
        ends: Deque[List[Any]] = collections.deque()

        def told(entry: List[Any]) -> bool:
            if entry[1] == "reply":
                return False
            ends.append(entry)
            return entry[1] != "end" or entry[9] == 0  # the last one of a run

        end = None if timeout is None else time.monotonic() + timeout
        tags = [self._channel.post_follow(first, n, TELL_END, told) for first, n in _runs(ids)]
        try:
            for _ in ids:
                left = None if end is None else end - time.monotonic()
                self._channel.wait(lambda: bool(ends), left, "the end of the jobs")
                entry = ends.popleft()
                if entry[1] != "end":
                    check(entry)
                result = result_from_entry(entry)
                # the stream of ends does not tell of exceptions
                yield result if result.ok else self.wait(result.jobid)
        finally:
            for tag in tags:
                self._channel.unpost(tag)

    # --- jobs ------------------------------------------------------------------------------------

    def cancel(self, jobid: JobIDLike, note: Optional[str] = None) -> None:
        """Cancel a job; JobNotFound if it is not there, or over."""
        params: Dict[str, Any] = {"ids": [JobID(jobid)]}
        if note:
            params["note"] = check_text(note, "note")
        errors = self.call("job.cancel", params).get("errors") or ()
        for e in errors:
            raise JobNotFound(e.get("message", "the job is not active"), 2)

    def cancel_all(self, states: Union[str, Iterable[str]] = "active", note: Optional[str] = None) -> int:
        """Cancel all jobs in STATES; their number."""
        names = states.split(",") if isinstance(states, str) else list(states)
        wanted: List[str] = []
        for name in names:
            wanted += {"active": ["pending", "running"]}.get(name, [name])
        params: Dict[str, Any] = {"states": wanted}
        if note:
            params["note"] = check_text(note, "note")
        return int(self.call("job.cancel", params)["canceled"])

    def kill(self, jobid: JobIDLike, signal: Union[int, str, _signal.Signals] = _signal.SIGTERM) -> None:
        """Send a signal, by number or name, to the tasks of a running job."""
        if isinstance(signal, str):
            name = signal if signal.startswith("SIG") else "SIG" + signal
            try:
                signal = _signal.Signals[name]
            except KeyError:
                raise ValueError(f"there is no signal '{signal}'") from None
        if isinstance(signal, bool) or not isinstance(signal, int):
            raise TypeError(f"signal must be a number or a name, not {type(signal).__name__}")
        self.call("job.kill", {"id": JobID(jobid), "signal": int(signal)})

    def raise_exception(
        self, jobid: JobIDLike, type: str = "cancel", severity: int = 0, note: str = ""  # pylint: disable=redefined-builtin
    ) -> None:
        """Raise an exception of a job; with severity 0 it ends."""
        if check_text(type, "type") is None:
            raise TypeError("type must be a string, not None")
        if isinstance(severity, bool) or not isinstance(severity, int):
            raise TypeError(f"severity must be a whole number, not {severity.__class__.__name__}")
        self.call("job.raise", {"id": JobID(jobid), "type": type, "severity": severity, "note": check_text(note, "note")})

    def urgency(self, jobid: JobIDLike, urgency: int) -> int:
        """Set the urgency of a job; the one that it had."""
        submit_options(urgency)
        return int(self.call("job.urgency", {"id": JobID(jobid), "urgency": urgency})["old"])

    def hold(self, jobid: JobIDLike) -> int:
        """Hold a job: its urgency becomes 0."""
        return self.urgency(jobid, 0)

    def release(self, jobid: JobIDLike) -> int:
        """Let a job go that was held."""
        return self.urgency(jobid, 16)

    def jobs(
        self,
        states: Union[str, Iterable[str], int] = (),
        results: Union[str, Iterable[str], int] = (),
        ids: Iterable[JobIDLike] = (),
        name: Optional[str] = None,
        queue: Optional[str] = None,
        since: Since = None,
        max_entries: int = 1000,
    ) -> JobList:
        """The jobs of this instance, newest first: a JobList, to be iterated."""
        return JobList(self, states, results, ids, name, queue, since, max_entries)

    def job(self, jobid: JobIDLike) -> JobInfo:
        """What is known of a job."""
        jobid = JobID(jobid)
        for j in self.jobs(ids=[jobid]):
            return j
        raise JobNotFound(f"there is no job {jobid}", 2)

    def info(self, jobid: JobIDLike, key: str) -> Any:
        """"jobspec", "R", "eventlog" or "taskmap" of a job."""
        answer = self.call("job.info", {"id": JobID(jobid), "keys": [key]})
        if key not in answer:
            raise NoData(f"job {JobID(jobid)} has no {key}")
        return answer[key]

    def events(self, jobid: JobIDLike) -> List[Event]:
        """The events of a job until now."""
        import json  # pylint: disable=import-outside-toplevel

        parsed = (json.loads(line) for line in self.info(jobid, "eventlog").splitlines() if line)
        return [Event(e["timestamp"], e["name"], e.get("context") or {}) for e in parsed]

    def stats(self) -> Dict[str, int]:
        """How many jobs are pending, running, inactive, completed, failed, canceled, timeout."""
        return self.call("job.stats")

    # --- the instance ----------------------------------------------------------------------------

    def attributes(self) -> Dict[str, Any]:
        """What there is to know about the instance: uri, level, size, version, ... (instance.info)."""
        return self.call("instance.info")

    @property
    def uri(self) -> str:
        """The URI of the instance's leader; of an instance that was reached by ssh, the one that it was reached by."""
        return self._far or self.attributes()["uri"]

    @property
    def level(self) -> int:
        """0: the outermost."""
        return self.attributes()["level"]

    @property
    def size(self) -> int:
        """The number of its ranks."""
        return self.attributes()["size"]

    def resources(self) -> List[Dict[str, Any]]:
        """The nodes: rank, host, cores, gpus, free_cores, free_gpus, state, ..."""
        return self.call("resource.list")["nodes"]

    def drain(self, ranks: Union[int, str], reason: Optional[str] = None) -> None:
        """Start nothing more on nodes."""
        params = {"ranks": str(ranks)}
        if reason:
            params["reason"] = check_text(reason, "reason")
        self.call("resource.drain", params)

    def undrain(self, ranks: Union[int, str]) -> None:
        """Use nodes again."""
        self.call("resource.undrain", {"ranks": str(ranks)})

    def child_uri(self, jobid: JobIDLike, wait: bool = True, timeout: Optional[float] = None) -> str:
        """The URI of the sub-instance that a job is; waits until it is ready.  NoData: the job is none, or over."""
        jobid = JobID(jobid)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            job = self.job(jobid)
            if job.active and job.uri:
                if self._far and job.uri.startswith("local://") and job.ranks:
                    return f"{self._far}!{re.split('[-,]', job.ranks)[0]}:{job.uri[8:]}"
                return job.uri
            if not job.active:
                raise NoData(f"job {jobid} is over, and no instance any more" if job.uri else f"job {jobid} is over")
            if not wait:
                raise NoData(f"job {jobid} is no instance, or not ready yet")
            left = None if end is None else end - time.monotonic()
            for event in self.watch(jobid, left):
                if event.name == "memo" and event.context.get("uri"):
                    break

    def child(self, jobid: JobIDLike, timeout: Optional[float] = None) -> "Instance":
        """A connection to the sub-instance that a job is; waits until it is ready."""
        return Instance(self.child_uri(jobid, True, timeout))

    def parent_uri(self) -> Optional[str]:
        """The URI of the instance that this one is a job of; None: there is none."""
        uri = self.attributes().get("parent_uri")
        if uri and self._far and uri.startswith("local:///"):
            return self._far[: self._far.index("/", len("ssh://"))] + uri[len("local://") :]
        return uri

    def parent(self) -> "Instance":
        """A connection to the instance that this one is a job of; NoData: there is none."""
        uri = self.parent_uri()
        if not uri:
            raise NoData("this instance is no job of another one")
        return Instance(uri)

    def shutdown(self, reason: Optional[str] = None) -> None:
        """Cancel what runs, and end the instance."""
        self.call("instance.shutdown", {"reason": check_text(reason, "reason")} if reason else {})

    def __repr__(self) -> str:
        return f"<Instance {'closed' if self.closed else 'open'}>"


