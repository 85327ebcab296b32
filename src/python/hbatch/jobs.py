# SPDX-License-Identifier: BSD-3-Clause
"""Lists of jobs."""
import datetime
import time
from collections import abc
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Union

from .jobid import JobID, JobIDLike
from .results import ExceptionInfo

if TYPE_CHECKING:
    from .instance import Instance

STATES = {
    "new": 1,
    "depend": 2,
    "priority": 4,
    "sched": 8,
    "run": 16,
    "cleanup": 32,
    "inactive": 64,
    "pending": 14,
    "running": 48,
    "active": 62,
}
RESULTS = {"completed": 1, "failed": 2, "canceled": 4, "timeout": 8}

Since = Union[None, int, float, datetime.datetime, datetime.timedelta]


class JobInfo:
    """What is known of a job at a moment.

    Attributes, None where there is nothing to tell: id, name, state, urgency, priority, ntasks, nnodes, ncores, ngpus,
    userid, username, cwd, queue, t_submit, t_depend, t_run, t_cleanup, t_inactive, duration, expiration, nodelist,
    ranks, result, status (wait status), exit (exit code), exception, memo, cc, uri, reason; and those below.
    """

    _FIELDS = frozenset(
        (
            "id name state urgency priority ntasks nnodes ncores ngpus userid username cwd queue t_submit t_depend"
            " t_run t_cleanup t_inactive duration expiration nodelist ranks result status exit exception memo cc uri"
            " grant reason bank"
        ).split()
    )

    def __init__(self, fields: Dict[str, Any]) -> None:
        self.fields = dict(fields)
        self.fields["id"] = JobID(fields["id"])
        e = fields.get("exception")
        if e:
            self.fields["exception"] = ExceptionInfo(e.get("type", ""), e.get("severity", 0), e.get("note", ""))

    def __getattr__(self, name: str) -> Any:
        if name != "fields":
            if name in self.fields:
                return self.fields[name]
            if name in self._FIELDS:
                return None
        raise AttributeError(f"a job has no '{name}'")

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.fields.get("state") != "INACTIVE"

    @property
    def returncode(self) -> Optional[int]:
        """The exit code, or minus the number of a signal; None: it has not ended."""
        if self.active:
            return None
        status = self.fields.get("status", -1)
        if status >= 0 and status & 0x7F:
            return -(status & 0x7F)
        return self.fields.get("exit", 1)

    @property
    def runtime(self) -> float:
        """Seconds that it has run."""
        start = self.fields.get("t_run")
        if not start:
            return 0.0
        return max(0.0, (self.fields.get("t_cleanup") or time.time()) - start)

    @property
    def is_instance(self) -> bool:
        """Whether it is an instance that has told where it is."""
        return bool(self.fields.get("uri"))

    def to_dict(self) -> Dict[str, Any]:
        """The fields that there are."""
        return dict(self.fields)

    def __repr__(self) -> str:
        return f"<JobInfo {self.id} {self.name} {self.result or self.state}>"


def mask(names: Any, table: Dict[str, int], what: str) -> int:
    """NAMES (text with commas, or a list; or a number) as bits."""
    if isinstance(names, int) and not isinstance(names, bool):
        return names
    if isinstance(names, str):
        names = names.split(",")
    bits = 0
    for name in names:
        bit = table.get(str(name).strip().lower())
        if bit is None:
            raise ValueError(f"there is no {what} '{name}': they are {', '.join(table)}")
        bits |= bit
    return bits


def timestamp(since: Since) -> float:
    """Seconds since the epoch; a timedelta is before now."""
    if since is None:
        return 0.0
    if isinstance(since, datetime.datetime):
        return since.timestamp()
    if isinstance(since, datetime.timedelta):
        return time.time() - since.total_seconds()
    if isinstance(since, (int, float)) and not isinstance(since, bool):
        return float(since)
    raise TypeError(f"since must be a number, datetime or timedelta, not {type(since).__name__}")


def check_text(value: Optional[str], what: str) -> Optional[str]:
    """VALUE, which WHAT names in errors; TypeError if it is neither text nor None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    return value


class JobList(abc.Iterable):  # type: ignore[type-arg]
    """A question about jobs, asked anew by each jobs() or iteration; newest first.

    states, results: names as of hbatch-jobs(1), in a list or with commas between them; a job is listed when it is in
    one of the states or has one of the results.  ids: these jobs only.  name, queue: with this name, in this queue.
    since: those that have been active since then.  max_entries: at most so many; 0: all.
    """

    def __init__(
        self,
        instance: "Instance",
        states: Union[str, Iterable[str], int] = (),
        results: Union[str, Iterable[str], int] = (),
        ids: Iterable[JobIDLike] = (),
        name: Optional[str] = None,
        queue: Optional[str] = None,
        since: Since = None,
        max_entries: int = 1000,
    ) -> None:
        self.instance = instance
        self.states = mask(states, STATES, "state")
        self.results = mask(results, RESULTS, "result")
        self.ids = [JobID(i) for i in ids]
        self.name = check_text(name, "name")
        self.queue = check_text(queue, "queue")
        self.since = timestamp(since)
        if isinstance(max_entries, bool) or not isinstance(max_entries, int):
            raise TypeError(f"max_entries must be a whole number, not {type(max_entries).__name__}")
        if max_entries < 0:
            raise ValueError(f"max_entries must not be negative, as {max_entries} is")
        self.max_entries = max_entries
        #: Sentences about ids that the last jobs() did not find.
        self.errors: List[str] = []

    def add_filter(self, name: str) -> "JobList":
        """Jobs in the state, or with the result, NAME as well."""
        for part in name.lower().split(","):
            if part in RESULTS:
                self.results |= RESULTS[part]
            else:
                self.states |= mask(part, STATES, "state or result")
        return self

    def query(self) -> Dict[str, Any]:
        """The parameters of job.list (hbatch-protocol(7))."""
        q: Dict[str, Any] = {"max": int(self.max_entries)}
        for key in ("states", "results", "ids", "name", "queue", "since"):
            value = getattr(self, key)
            if value:
                q[key] = value
        return q

    def jobs(self) -> List[JobInfo]:
        """The jobs."""
        query, most = self.query(), int(self.max_entries)
        found: List[JobInfo] = []
        while True:  # an answer has 10,000 at most
            answer = self.instance.call("job.list", query)
            found += [JobInfo(j) for j in answer["jobs"]]
            if not answer["more"] or not answer["jobs"] or (most and len(found) >= most):
                break
            query["before"] = found[-1].id
            query["max"] = most - len(found) if most else 0
        there = {j.id for j in found}
        self.errors = [f"there is no job {i}" for i in self.ids if i not in there]
        return found

    def __iter__(self) -> Iterator[JobInfo]:
        return iter(self.jobs())
