# SPDX-License-Identifier: BSD-3-Clause
"""Events, ends and output of jobs."""
import signal
from typing import Any, Dict, NamedTuple, Optional, Union

from .errors import JobCanceled, JobFailed, JobTimedOut
from .jobid import JobID

#: The names of the events of a job.
EVENTS = frozenset(
    {
        "submit",
        "depend",
        "dependency-add",
        "dependency-remove",
        "priority",
        "urgency",
        "alloc",
        "start",
        "finish",
        "release",
        "free",
        "clean",
        "exception",
        "memo",
        "requeue",
        "retry",
        "restart",
        "grant",
        "grow",
        "shrink",
        "validate",
        "flux-restart",
        "debug",
    }
)


class Event(NamedTuple):
    """An event of a job (RFC 18, RFC 21)."""

    timestamp: float
    name: str
    context: Dict[str, Any]

    def __str__(self) -> str:
        return f"{self.timestamp:.6f} {self.name}" + (f" {self.context}" if self.context else "")


class Output(NamedTuple):
    """Some output of a task."""

    stream: str  # "stdout" or "stderr"
    task: int
    data: bytes
    eof: bool

    @property
    def text(self) -> str:
        """The data as text; what is not UTF-8 is replaced."""
        return self.data.decode("utf-8", "replace")


class ExceptionInfo(NamedTuple):
    """The exception that ended a job."""

    type: str
    severity: int
    note: str


class Result(NamedTuple):
    """How a job ended."""

    jobid: JobID
    result: str  # "COMPLETED", "FAILED", "CANCELED", "TIMEOUT"; "": it is not known
    status: int  # as of waitpid, the greatest of the tasks; -1: never ran
    exit_code: int  # exit code, or 128 + signal
    exception: Optional[ExceptionInfo] = None

    @property
    def ok(self) -> bool:
        """Whether it has completed: all tasks with exit code 0."""
        return self.result == "COMPLETED"

    @property
    def returncode(self) -> int:
        """The exit code, or minus the number of the signal that ended a task."""
        if self.status >= 0 and self.status & 0x7F:
            return -(self.status & 0x7F)
        return self.exit_code

    @property
    def reason(self) -> str:
        """A sentence."""
        text = f"job {self.jobid} "
        if self.ok:
            return text + "has completed"
        what = {"CANCELED": "was canceled", "TIMEOUT": "reached its time limit", "FAILED": "failed"}.get(
            self.result, "ended, and nobody knows how"
        )
        if self.exception and (self.exception.note or self.exception.type):
            return f"{text}{what}: {self.exception.note or self.exception.type}"
        if self.result == "FAILED" and self.status >= 0:
            number = self.status & 0x7F
            if number:
                try:
                    return f"{text}failed: a task was ended by {signal.Signals(number).name}"
                except ValueError:
                    return f"{text}failed: a task was ended by signal {number}"
            return f"{text}failed with exit code {self.exit_code}"
        return text + what

    def check(self) -> "Result":
        """Itself, or JobFailed, JobCanceled or JobTimedOut if the job has not completed."""
        if self.ok:
            return self
        kind = {"CANCELED": JobCanceled, "TIMEOUT": JobTimedOut}.get(self.result, JobFailed)
        raise kind(self.reason, self)


def result_from_entry(entry: Any) -> Result:
    """Of ["end", ...] in what hbatch_take tells."""
    kind, note = entry[6], entry[8]
    return Result(
        JobID.of(entry[2]),
        entry[3],
        entry[4],
        entry[5],
        ExceptionInfo(kind or "", entry[7], note or "") if kind or note else None,
    )


def result_from_wait(answer: Dict[str, Any]) -> Result:
    """Of the answer to job.wait."""
    e: Union[Dict[str, Any], None] = answer.get("exception")
    return Result(
        JobID(answer["id"]),
        answer.get("result", ""),
        answer.get("status", -1),
        answer.get("exit", 1),
        ExceptionInfo(e.get("type", ""), e.get("severity", 0), e.get("note", "")) if e else None,
    )
