# SPDX-License-Identifier: BSD-3-Clause
"""Events and output."""
import errno
import json
from typing import NamedTuple

import hbatch
from hbatch._channel import check
from hbatch._lib import TELL_END, TELL_EVENTS

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


class JobEventWatchFuture(Future):
    """get_event() gives one event after the other, and None after the last one."""

    def _told(self, entry):
        word = entry[1]
        if word in ("error", "lost", "end"):
            self._over = True
        if word != "reply":
            self._add(entry)
        return self._over

    @oserrors
    def get_event(self, autoreset=True):
        if self._over and not self._entries:
            return None
        self.wait_for()
        entry = self._entries.popleft() if autoreset else self._entries[0]
        if entry[1] == "event":
            return EventLogEvent({"timestamp": entry[3], "name": entry[4], "context": entry[5] or {}})
        if entry[1] != "end":
            check(entry)
        return None

    get = get_event

    def reset(self):
        if self._entries:
            self._entries.popleft()

    def call_back(self):
        if self._over and len(self._entries) <= 1:
            self.handle.active.discard(self)
        self._callback()


def event_watch_async(flux_handle, jobid, eventlog="eventlog"):
    """A future of the job's events."""
    if eventlog not in ("eventlog", "guest.exec.eventlog"):
        raise OSError(errno.ENOENT, f"there is no event log '{eventlog}'")
    future = JobEventWatchFuture(flux_handle)
    return future.post(flux_handle.channel.post_follow, hbatch.JobID(jobid), 1, TELL_END | TELL_EVENTS)


def event_watch(flux_handle, jobid, eventlog="eventlog"):
    """The job's events, as they come."""
    future = event_watch_async(flux_handle, jobid, eventlog)
    try:
        while True:
            event = future.get_event()
            if event is None:
                return
            yield event
    finally:
        future.cancel()


def event_wait(flux_handle, jobid, name, eventlog="eventlog", raiseJobException=True):
    """The first event NAME; OSError, ENODATA, if there is none; JobException if a fatal one comes first."""
    for event in event_watch(flux_handle, jobid, eventlog):
        if event.name == name:
            return event
        if raiseJobException and event.name == "exception" and event.context.get("severity") == 0:
            raise JobException(event)
    raise OSError(errno.ENODATA, f"eventlog ended before event='{name}'")


class JobOutput(NamedTuple):
    """What a job wrote."""

    stdout: str
    stderr: str
    log: str


@oserrors
def job_output(flux_handle, jobid, tasks="*", labelio=False, nowait=False, **_):
    """All output of a job that ends."""
    del tasks, nowait
    parts = {"stdout": [], "stderr": []}
    for o in flux_handle.instance.output_stream(jobid):
        text = o.text
        if labelio:
            text = "".join(f"{o.task}: {line}" for line in text.splitlines(True))
        parts[o.stream].append(text)
    return JobOutput("".join(parts["stdout"]), "".join(parts["stderr"]), "")


def output_watch_lines(flux_handle, jobid, tasks="*", labelio=False, **_):
    """(stream, text) as it comes."""
    del tasks
    for o in flux_handle.instance.output_stream(jobid):
        for line in o.text.splitlines(True):
            yield o.stream, f"{o.task}: {line}" if labelio else line
