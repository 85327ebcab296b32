# SPDX-License-Identifier: BSD-3-Clause
"""Events and output."""
import errno
import json
import time

import hbatch
from hbatch._channel import check
from hbatch._lib import TELL_END, TELL_EVENTS, TELL_OUTPUT

from ..future import Future, oserrors

MAIN_EVENTS = hbatch.EVENTS


class EventLogEvent(dict):
    """An event: timestamp, name, context; also as keys."""

    def __init__(self, event):
        if isinstance(event, (str, bytes)):
            event = json.loads(event)
        super().__init__(event)
        self.setdefault("context", {})

    @property
    def timestamp(self):
        return self["timestamp"]

    @property
    def name(self):
        return self["name"]

    @property
    def context(self):
        return self["context"]

    @property
    def context_string(self):
        return json.dumps(self.context) if self.context else ""

    def __str__(self):
        return f"{self.timestamp:.5f} {self.name} {self.context_string}".rstrip()


class JobException(RuntimeError):
    """An exception event of a job: timestamp, type, note, severity."""

    def __init__(self, event):
        self.timestamp = event.timestamp
        self.type = event.context.get("type", "")
        self.note = event.context.get("note", "")
        self.severity = event.context.get("severity", 0)
        super().__init__()

    def __str__(self):
        return f"job.exception: type={self.type}: {self.note}"


def _exec_events(entry):
    """What guest.exec.eventlog has of an event of the job's own log."""
    name = entry[4]
    names = ()
    if name == "start":
        names = ("init", "starting", "shell.init", "shell.start")
    elif name == "finish":
        names = ("complete",)
    elif name == "release" and (entry[5] or {}).get("final"):
        names = ("done",)
    return [[*entry[:4], n, entry[5] if n == "complete" else {}] for n in names]


class _OutputLog:
    """Events of guest.output, made of what tasks write."""

    def __init__(self):
        self._begun = False

    def __call__(self, entry):
        events = []
        if not self._begun:
            kinds = {"stdout": "UTF-8", "stderr": "UTF-8"}
            header = {"version": 1, "encoding": kinds, "count": {"stdout": 1, "stderr": 1}, "options": {}}
            events.append([*entry[:2], entry[2], time.time(), "header", header])
            self._begun = True
        context = {"stream": entry[3], "rank": str(entry[4])}
        if entry[5]:
            context["data"] = entry[5]
            if entry[6]:
                context["encoding"] = entry[6]
        if entry[7]:
            context["eof"] = True
        return events + [[*entry[:2], entry[2], time.time(), "data", context]]


class JobEventWatchFuture(Future):
    """get_event() gives one event after the other, and None after the last one."""

    def __init__(self, flux_handle, eventlog="eventlog"):
        super().__init__(flux_handle)
        self._made_of = {"guest.exec.eventlog": ("event", _exec_events), "guest.output": ("output", _OutputLog())}.get(eventlog)

    def _told(self, entry):
        word = entry[1]
        if self._over:
            return True
        if word in ("error", "lost", "end"):
            self._over = True
            self._add(entry)
        elif self._made_of:
            if word == self._made_of[0]:
                for e in self._made_of[1](entry):
                    self._add(e)
        elif word == "event":
            self._add(entry)
        return self._over

    @oserrors
    def get_event(self, autoreset=True):
        if self._over and not self._entries:
            return None
        self.wait_for()
        entry = self._entries[0]
        if autoreset:
            self._entries.popleft()
        if entry[1] in ("event", "output"):
            return EventLogEvent({"timestamp": entry[3], "name": entry[4], "context": entry[5] or {}})
        if entry[1] != "end":
            check(entry)
        return None

    get = get_event

    def cancel(self, stop=False):
        """The next event is the last, None; STOP: nor is the callback called for that."""
        if self._over and not self._entries:
            return
        self._forget()
        self._entries.clear()
        if not stop:
            if self._callback:
                self.handle.active.add(self)
            self._add([None, "end"])

    def call_back(self):
        if not self._entries:
            return
        if self._over and len(self._entries) <= 1:
            self.handle.active.discard(self)
        self._callback()


LOGS = ("eventlog", "guest.exec.eventlog", "guest.output")


def event_watch_async(flux_handle, jobid, eventlog="eventlog"):
    """A future of the job's events, or of those of its execution, or of its output."""
    if eventlog not in LOGS:
        raise OSError(errno.ENOENT, f"there is no event log '{eventlog}': there are {', '.join(LOGS)}")
    future = JobEventWatchFuture(flux_handle, eventlog)
    if flux_handle is None:
        raise OSError(errno.EINVAL, "a handle is needed, and this is None")
    tell = TELL_END | (TELL_OUTPUT if eventlog == "guest.output" else TELL_EVENTS)
    return future.post(flux_handle.channel.post_follow, hbatch.JobID(jobid), 1, tell)


def events_of(future, patience=None):
    """The events of FUTURE as they come, which is canceled at the end; with PATIENCE, until none comes for so many seconds."""
    try:
        while True:
            if patience is not None:
                try:
                    future.wait_for(patience)
                except TimeoutError:
                    return
            event = future.get_event()
            if event is None:
                return
            yield event
    finally:
        future.cancel()


def event_watch(flux_handle, jobid, eventlog="eventlog"):
    """The job's events, as they come."""
    yield from events_of(event_watch_async(flux_handle, jobid, eventlog))


def event_wait(flux_handle, jobid, name, eventlog="eventlog", raiseJobException=True):
    """The first event NAME; OSError, ENODATA, if there is none; JobException if a fatal one comes first."""
    for event in event_watch(flux_handle, jobid, eventlog):
        if event.name == name:
            return event
        if raiseJobException and event.name == "exception" and event.context.get("severity") == 0:
            raise JobException(event)
    raise OSError(errno.ENODATA, f"eventlog ended before event='{name}'")
