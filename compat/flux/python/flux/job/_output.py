# SPDX-License-Identifier: BSD-3-Clause
"""What jobs write."""
import collections
import errno
import json
from typing import NamedTuple

import hbatch
from hbatch._channel import check
from hbatch._lib import TELL_END, TELL_EVENTS, TELL_OUTPUT

from ..future import Future, oserrors
from ..idset import IDset
from ._events import EventLogEvent, events_of

LOG_QUIET = -1
LOG_FATAL = 0
LOG_ERROR = 3
LOG_WARN = 4
LOG_NOTICE = 5
LOG_DEBUG = 6
LOG_TRACE = 7


class Taskset:
    """Ids of tasks; "*": all of them."""

    def __init__(self, tasks):
        self.all = isinstance(tasks, str) and tasks in ("*", "all")
        self.ids = IDset() if self.all else IDset(tasks)

    def intersect(self, tasks):
        """Those that are in TASKS, too."""
        other = tasks if isinstance(tasks, Taskset) else Taskset(tasks)
        if self.all or other.all:
            return other if self.all else self
        return Taskset(self.ids.intersect(other.ids))

    def __bool__(self):
        return self.all or len(self.ids) > 0

    def __str__(self):
        return "*" if self.all else str(self.ids)


class OutputEvent(EventLogEvent):
    """Some output: stream, rank (a Taskset), data, eof."""

    def __init__(self, event, labelio=False):
        super().__init__(event)
        self.stream = self.context["stream"]
        self.rank = Taskset(self.context["rank"])
        self.eof = self.context.get("eof", False)
        self.data = self.context.get("data")
        if labelio and self.data:
            self.data = "".join(f"{self.rank}: {line}" for line in self.data.splitlines(True))

    def render(self):
        return self.data or ""


class OutputHeaderEvent(EventLogEvent):
    """The first one."""

    def render(self):
        return ""


class RedirectEvent(EventLogEvent):
    """A stream goes to a file: stream, path."""

    def __init__(self, event):
        super().__init__(event)
        self.stream, self.path = self.context["stream"], self.context["path"]

    def render(self):
        return f"{self.stream} redirected to {self.path}\n"


class JobExceptionEvent(EventLogEvent):
    """The job got an exception: type, severity, note."""

    def __init__(self, event):
        super().__init__(event)
        self.type, self.severity = self.context.get("type", ""), self.context.get("severity", 0)
        self.note = self.context.get("note", "")

    def render(self):
        return f"job.exception: type={self.type}: {self.note}\n"


class JobOutput(NamedTuple):
    """What a job wrote."""

    stdout: str
    stderr: str
    log: str


def _redirects(instance, jobid):
    """{stream: path} of what goes to files."""
    try:
        jobspec = instance.info(jobid, "jobspec")
        jobspec = json.loads(jobspec) if isinstance(jobspec, str) else jobspec
        output = jobspec["attributes"]["system"]["shell"]["options"]["output"]
    except (hbatch.HbatchError, KeyError, TypeError):
        return {}
    if not isinstance(output, dict):
        return {}
    paths = {}
    for stream in ("stdout", "stderr"):
        told = output.get(stream) or output.get("stdout") or {}
        path = told.get("path") if isinstance(told, dict) else None
        if path and isinstance(path, str) and told.get("type", "file") == "file":
            paths[stream] = path.replace("{{id}}", str(hbatch.JobID(jobid)))
    return paths


class JobOutputEventWatch(Future):
    """get_event() gives what tells of output, and None at the end; OSError, EIO: the job never started."""

    def __init__(self, flux_handle, jobid, labelio=False, nowait=False):
        super().__init__(flux_handle)
        self._jobid, self._labelio, self._nowait = jobid, labelio, nowait
        self._started = False
        self._redirects = None
        self.post(flux_handle.channel.post_follow, hbatch.JobID(jobid), 1, TELL_END | TELL_EVENTS | TELL_OUTPUT)

    def _start(self, when):
        if not self._started:
            self._started = True
            self._add(OutputHeaderEvent({"timestamp": when, "name": "header", "context": {"version": 1}}))
            self._add([None, "redirects", when])

    def _told(self, entry):
        word = entry[1]
        if self._over:
            return True
        if word in ("error", "lost"):
            self._over = True
            self._add(entry)
        elif word == "end":
            self._over = True
            never = f"job {self._jobid} never started"
            self._add(entry if self._started else [None, "error", errno.EIO, never])
        elif word == "event" and entry[4] == "start":
            self._start(entry[3])
        elif word == "event" and entry[4] == "exception":
            self._add(JobExceptionEvent({"timestamp": entry[3], "name": "exception", "context": entry[5] or {}}))
        elif word == "output":
            self._start(0.0)
            context = {"stream": entry[3], "rank": str(entry[4]), "data": hbatch.instance.data_of(entry).text}
            if entry[7]:
                context["eof"] = True
            self._add(OutputEvent({"timestamp": 0.0, "name": "data", "context": context}, self._labelio))
        return self._over

    def _expand(self):
        """What stands for events that are known only now."""
        while self._entries and isinstance(self._entries[0], list) and self._entries[0][1] == "redirects":
            when = self._entries.popleft()[2]
            for stream, path in _redirects(self.handle.instance, self._jobid).items():
                event = {"timestamp": when, "name": "redirect", "context": {"stream": stream, "rank": "*", "path": path}}
                self._entries.appendleft(RedirectEvent(event))

    @oserrors
    def get_event(self, autoreset=True):
        while True:
            self._expand()
            if self._entries or self._over:
                break
            self.wait_for()
        if not self._entries:
            return None
        entry = self._entries[0]
        if autoreset:
            self._entries.popleft()
        if isinstance(entry, EventLogEvent):
            return entry
        self._entries.clear()
        if entry[1] != "end":
            check(entry)
        return None

    get = get_event

    def _forget(self):
        super()._forget()
        self._entries.clear()

    def _left(self):
        """How much there is for the callback."""
        self._expand()
        return len(self._entries)

    def call_back(self):
        """Once for each event: there may be more of them than were told."""
        while (left := self._left()) and not self.handle.stopped:
            if self._over and left == 1:
                self.handle.active.discard(self)
            self._callback()
            if self._left() >= left:
                return


class JobOutputWatch(JobOutputEventWatch):
    """get_output() gives (stream, text), and (None, None) at the end."""

    def __init__(self, flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False):
        del log_stderr_level  # nothing is logged besides
        super().__init__(flux_handle, jobid, labelio, nowait)

    def _add(self, entry):
        if not isinstance(entry, OutputHeaderEvent) and not (isinstance(entry, OutputEvent) and not entry.data):
            super()._add(entry)

    def get_output(self):
        event = self.get_event()
        if event is None:
            return None, None
        return (event.stream if isinstance(event, OutputEvent) else "stderr"), event.render()

    get = get_output


class JobOutputWatchLines(JobOutputWatch):
    """getline() gives (stream, line), and (None, None) at the end."""

    def __init__(self, flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False, keepends=False):
        self._keepends = keepends
        self._lines = collections.deque()
        super().__init__(flux_handle, jobid, labelio, log_stderr_level, nowait)

    def getline(self):
        while not self._lines:
            stream, text = self.get_output()
            if stream is None:
                return None, None
            self._lines.extend((stream, line) for line in text.splitlines(self._keepends))
        return self._lines.popleft()

    get = getline

    def _forget(self):
        super()._forget()
        self._lines.clear()

    def _left(self):
        return super()._left() + len(self._lines)


def _exists(flux_handle, jobid, nowait):
    """With NOWAIT, FileNotFoundError unless the job has started."""
    if nowait and not flux_handle.instance.job(jobid).t_run:
        raise FileNotFoundError(errno.ENOENT, f"job {jobid} has not started")


@oserrors
def output_event_watch_async(flux_handle, jobid, labelio=False, nowait=False):
    """A future of events that tell of output."""
    _exists(flux_handle, jobid, nowait)
    return JobOutputEventWatch(flux_handle, jobid, labelio, nowait)


@oserrors
def output_watch_async(flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False):
    """A future of pieces of output."""
    _exists(flux_handle, jobid, nowait)
    return JobOutputWatch(flux_handle, jobid, labelio, log_stderr_level, nowait)


@oserrors
def output_watch_lines_async(
    flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False, keepends=False
):
    """A future of lines of output."""
    _exists(flux_handle, jobid, nowait)
    return JobOutputWatchLines(flux_handle, jobid, labelio, log_stderr_level, nowait, keepends)


def output_event_watch(flux_handle, jobid, labelio=False, nowait=False):
    """Events that tell of output, as they come."""
    future = output_event_watch_async(flux_handle, jobid, labelio, nowait)
    try:
        yield from iter(future.get_event, None)
    finally:
        future.cancel()


def output_watch(flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False):
    """(stream, text) as it comes."""
    future = output_watch_async(flux_handle, jobid, labelio, log_stderr_level, nowait)
    try:
        yield from iter(future.get_output, (None, None))
    finally:
        future.cancel()


def output_watch_lines(flux_handle, jobid, labelio=False, log_stderr_level=LOG_TRACE, nowait=False, keepends=False):
    """(stream, line) as it comes."""
    future = output_watch_lines_async(flux_handle, jobid, labelio, log_stderr_level, nowait, keepends)
    try:
        yield from iter(future.getline, (None, None))
    finally:
        future.cancel()


def _written_so_far(flux_handle, jobid):
    """The output that there is now: a job that runs on is not waited for."""
    yield from events_of(JobOutputEventWatch(flux_handle, jobid), 0.1)


@oserrors
def job_output(flux_handle, jobid, tasks="*", labelio=False, log_stderr_level=LOG_TRACE, nowait=False):
    """All output of a job that ends, or, with NOWAIT, what there is of it.  JobException: it got one before it started."""
    from ._events import JobException  # pylint: disable=import-outside-toplevel

    del log_stderr_level
    wanted = Taskset(tasks)
    parts = {"stdout": [], "stderr": []}
    failed = None
    _exists(flux_handle, jobid, nowait)
    events = _written_so_far(flux_handle, jobid) if nowait else output_event_watch(flux_handle, jobid)
    try:
        for event in events:
            if isinstance(event, JobExceptionEvent):
                failed = event if event.severity == 0 else failed
            elif isinstance(event, OutputEvent) and event.data and wanted.intersect(event.rank):
                text = event.data
                if labelio:
                    text = "".join(f"{event.rank}: {line}" for line in text.splitlines(True))
                parts[event.stream].append(text)
    except OSError as e:
        if e.errno == errno.EIO and failed is not None:
            raise JobException(failed) from None
        raise
    return JobOutput("".join(parts["stdout"]), "".join(parts["stderr"]), "")
