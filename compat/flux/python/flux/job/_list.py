# SPDX-License-Identifier: BSD-3-Clause
"""Lists of jobs."""
import datetime
import operator
import string

import hbatch
from hbatch.jobs import RESULTS, STATES, mask

from ..future import Future, oserrors
from ..hostlist import Hostlist
from ..idset import IDset
from ._spec import JobID

_STATE_ABBREV = {"NEW": "N", "DEPEND": "D", "PRIORITY": "P", "SCHED": "S", "RUN": "R", "CLEANUP": "C", "INACTIVE": "I"}
_RESULT_ABBREV = {"COMPLETED": "CD", "FAILED": "F", "CANCELED": "CA", "TIMEOUT": "TO"}


_ALWAYS = ("name", "cwd", "nodelist", "ranks", "nnodes", "result", "returncode", "waitstatus", "success", "queue")


class ExceptionInfo:
    """occurred, severity, type, note; empty where there was none."""

    def __init__(self, e):
        self.occurred = e is not None
        self.severity = e.severity if e else ""
        self.type = e.type if e else ""
        self.note = e.note if e else ""


class JobInfo:
    """A job: fields as of `flux jobs`."""

    def __init__(self, info_resp):
        self._info = info_resp if isinstance(info_resp, hbatch.JobInfo) else hbatch.JobInfo(info_resp)

    def __getattr__(self, attr):
        if attr.startswith("_"):
            raise AttributeError(attr)
        if attr.startswith("t_") and attr not in self._info.fields:
            return 0.0
        value = getattr(self._info, attr)
        return "" if value is None else value

    @property
    def id(self):
        return JobID(int(self._info.id))

    @property
    def state_id(self):
        return STATES.get(self.state.lower(), 0)

    @property
    def state_single(self):
        return _STATE_ABBREV.get(self.state, "")

    @property
    def result_id(self):
        return RESULTS.get(self.result.lower(), 0) if self.result else ""

    @property
    def result_abbrev(self):
        return _RESULT_ABBREV.get(self.result, "")

    @property
    def status(self):
        """PEND, RUN, or the result."""
        return self.result or self.state

    @property
    def status_abbrev(self):
        return self.result_abbrev or self.state_single

    @property
    def success(self):
        return self.result == "COMPLETED" if self.result else ""

    @property
    def exception(self):
        return ExceptionInfo(self._info.exception)

    @property
    def waitstatus(self):
        value = self._info.fields.get("status", "")
        return value if not self._info.active else ""

    @property
    def returncode(self):
        value = self._info.returncode
        return "" if value is None else value

    @property
    def runtime(self):
        return self._info.runtime

    @property
    def t_remaining(self):
        import time  # pylint: disable=import-outside-toplevel

        end = self._info.fields.get("expiration") or 0
        return max(0.0, end - time.time()) if end and self._info.active else 0.0

    @property
    def uri(self):
        return self._info.uri or ""

    def __eq__(self, other):
        return isinstance(other, JobInfo) and self._info.fields == other._info.fields

    __hash__ = None

    def to_dict(self, filtered=True):
        d = self._info.to_dict()
        d["jobid"] = str(self.id)
        d["id"] = int(d["id"])
        d["runtime"] = self.runtime
        if not self._info.active:
            d["returncode"], d["waitstatus"] = self.returncode, self.waitstatus
            d["success"] = self.success
        if not filtered:
            for key in _ALWAYS:
                d.setdefault(key, "")
            d["duration"] = d.get("duration") or 0.0
        e = self._info.exception
        d["exception"] = {"occurred": bool(e), **(e._asdict() if e else {})}
        return {k: v for k, v in d.items() if v not in (None, "")} if filtered else d


class _Formatter(string.Formatter):
    """Conversions !d !D !F !H !h !P and so on, and fields that are not there."""

    def convert_field(self, value, conversion):
        if conversion in ("d", "D"):
            return datetime.datetime.fromtimestamp(value).strftime("%FT%T") if value else ""
        if conversion == "F":
            return _duration(value)
        if conversion == "H":
            return str(datetime.timedelta(seconds=round(value))) if value else "0:00:00"
        if conversion == "h":
            return value if value or value == 0.0 and value is not False else "-"
        return super().convert_field(value, conversion)

    def format_field(self, value, format_spec):
        if format_spec.endswith("h"):
            format_spec, value = format_spec[:-1], value if value not in ("", None) else "-"
        kinds = format_spec[-1:] if format_spec[-1:] in ("d", "f", "F") else ""
        if isinstance(value, str) and kinds:
            format_spec = format_spec[:-1].split(".")[0]
        return super().format_field(value, format_spec)


def _duration(seconds):
    if not seconds:
        return "0s"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.4g}{unit}"
    return f"{seconds:.4g}s"


class JobInfoFormat:
    """A format of `flux jobs -o`."""

    headings = {
        "id": "JOBID", "id.f58": "JOBID", "id.dec": "JOBID", "username": "USER", "name": "NAME", "status": "STATUS",
        "status_abbrev": "ST", "state": "STATE", "ntasks": "NTASKS", "nnodes": "NNODES", "runtime": "RUNTIME",
        "contextual_info": "INFO", "nodelist": "NODELIST", "queue": "QUEUE", "returncode": "RC",
    }  # fmt: skip

    def __init__(self, fmt):
        self.fmt = fmt
        try:
            self.fields = [f for _, f, _, _ in string.Formatter().parse(fmt) if f is not None]
        except ValueError as e:
            raise ValueError(f"Format error: {e}") from None

    def format(self, obj):
        return _Formatter().format(self.fmt, job=obj, **_Fields(obj, self.fields))

    def header(self):
        out = []
        for text, field, spec, _ in string.Formatter().parse(self.fmt):
            out.append(text)
            if field is not None:
                width = "".join(c for c in (spec or "").split(".")[0] if c in "<>^0123456789")
                out.append(format(self.headings.get(field, field.upper()), width))
        return "".join(out)

    def print_items(self, items, no_header=False, **_):
        if not no_header:
            print(self.header())
        for item in items:
            print(self.format(item))


class _Fields(dict):
    """The first parts of FIELDS, as keyword arguments."""

    def __init__(self, obj, fields):
        super().__init__({f.split(".")[0].split("[")[0]: getattr(obj, f.split(".")[0].split("[")[0]) for f in fields})


def _compared(value, wanted):
    """VALUE with what a constraint says of times: ">=3.5"."""
    for sign, holds in ((">=", operator.ge), ("<=", operator.le), (">", operator.gt), ("<", operator.lt)):
        if str(wanted).startswith(sign):
            return bool(value) and holds(value, float(str(wanted)[len(sign) :]))
    raise ValueError(f"constraint: '{wanted}' must begin with one of >=, <=, > and <")


def _bits(names, table):
    return sum({n if isinstance(n, int) else table.get(str(n).lower(), 0) for n in names})


def matches(constraint, job):
    """Whether the hbatch.JobInfo JOB is as CONSTRAINT says (RFC 43)."""
    for name, values in constraint.items():
        if name in ("and", "or", "not"):
            told = [matches(c, job) for c in values]
            ok = all(told) if name == "and" else any(told) if name == "or" else not all(told)
        elif name in ("name", "queue"):
            ok = (getattr(job, name) or "") in values
        elif name == "userid":
            ok = any(v in (job.userid, 0xFFFFFFFF) for v in values)
        elif name == "states":
            ok = bool(STATES.get((job.state or "").lower(), 0) & _bits(values, STATES))
        elif name == "results":
            ok = bool(RESULTS.get((job.result or "").lower(), 0) & _bits(values, RESULTS))
        elif name == "hostlist":
            ok = any(host in Hostlist(job.nodelist or "") for v in values for host in Hostlist(v))
        elif name == "ranks":
            ok = any(IDset(job.ranks or "").intersect(v) for v in values)
        elif name.startswith("t_"):
            if not hasattr(job, name):
                raise ValueError(f"constraint: there is no time '{name}'")
            ok = all(_compared(getattr(job, name), v) for v in values)
        else:
            raise ValueError(f"constraint: there is no operator '{name}'")
        if not ok:
            return False
    return True


class _Jobs:
    """What JobList.fetch_jobs and job_list give."""

    def __init__(self, question, constraint=None, attrs=("all",)):
        self._question, self._constraint = question, constraint
        self._attrs = None if "all" in attrs else {"id", *attrs}
        self.errors = []
        if constraint:
            matches(constraint, hbatch.JobInfo({"id": 0}))  # what is wrong in it is told now

    @oserrors
    def get_jobinfos(self):
        most, since = self._question.max_entries, self._question.since
        if self._constraint:
            self._question.max_entries = 0
        jobs = [
            j
            for j in self._question.jobs()
            if not (since and j.t_inactive and j.t_inactive <= since)
            and (not self._constraint or matches(self._constraint, j))
        ]
        self._question.max_entries = most
        self.errors = self._question.errors
        return [JobInfo(j) for j in (jobs[:most] if most else jobs)]

    def get_jobs(self):
        jobs = [j.to_dict(filtered=False) for j in self.get_jobinfos()]
        return jobs if self._attrs is None else [{k: v for k, v in j.items() if k in self._attrs} for j in jobs]

    def get(self):
        return {"jobs": self.get_jobs()}


class JobList:
    """A question about jobs: filters are names of states and results."""

    STATES, RESULTS = STATES, RESULTS

    def __init__(
        self,
        flux_handle,
        attrs=("all",),
        filters=(),
        ids=(),
        user=None,
        max_entries=1000,
        since=0.0,
        name=None,
        queue=None,
        constraint=None,
    ):
        del user  # an instance has one
        self.handle = flux_handle
        self._constraint = constraint
        self.attrs = list(attrs)
        self.errors = []
        self._question = flux_handle.instance.jobs(
            ids=ids or (), name=name, queue=queue, since=since, max_entries=max_entries
        )
        for name_list in filters:
            for f in name_list.split(","):
                self.add_filter(f)

    def set_user(self, user):
        """An instance has one."""

    def add_filter(self, fname):
        try:
            self._question.add_filter(fname)
        except ValueError:
            raise ValueError(f"Invalid filter specified: {fname}") from None

    def fetch_jobs(self):
        return _Jobs(self._question, self._constraint)

    def jobs(self):
        """The jobs, newest first."""
        rpc = self.fetch_jobs()
        jobs = rpc.get_jobinfos()
        self.errors = rpc.errors
        return jobs


def job_list(
    flux_handle, max_entries=1000, attrs=("all",), userid=None, states=0, results=0, since=0.0, name=None, queue=None,
    constraint=None,
):  # fmt: skip
    """A future of jobs."""
    del userid
    if queue is not None and not isinstance(queue, str):
        constraint = {"and": [constraint or {"and": []}, {"queue": [*queue]}]}
        queue = None
    question = flux_handle.instance.jobs(
        states=mask(states, STATES, "state"), results=results, since=since, name=name, queue=queue,
        max_entries=max_entries,
    )  # fmt: skip
    return _Jobs(question, constraint, attrs)


def job_list_inactive(flux_handle, since=0.0, max_entries=1000, attrs=("all",), name=None, queue=None, constraint=None):
    """A future of jobs that have ended."""
    return job_list(flux_handle, max_entries, attrs, None, STATES["inactive"], 0, since, name, queue, constraint)


class JobListIdRPC:
    """A future of one job."""

    def __init__(self, flux_handle, jobid, attrs=("all",)):
        self.handle, self.jobid = flux_handle, jobid
        self._attrs = None if "all" in attrs else {"id", *attrs}

    @oserrors
    def get_jobinfo(self):
        return JobInfo(self.handle.instance.job(self.jobid))

    def get_job(self):
        job = self.get_jobinfo().to_dict(filtered=False)
        return job if self._attrs is None else {k: v for k, v in job.items() if k in self._attrs}

    def get(self):
        return {"job": self.get_job()}


def job_list_id(flux_handle, jobid, attrs=("all",)):
    """A future of one job."""
    return JobListIdRPC(flux_handle, JobID(jobid), attrs)


def get_job(flux_handle, jobid):
    """A job as a dictionary; None: there is none."""
    try:
        return job_list_id(flux_handle, jobid).get_job()
    except FileNotFoundError:
        return None


@oserrors
def job_kvs_lookup(flux_handle, jobid, keys=("jobspec",), decode=True, **_):
    """"jobspec", "R", "eventlog" of a job: a dictionary with id and these; None: there is no such job."""
    import json  # pylint: disable=import-outside-toplevel

    jobid = JobID(jobid)
    found = {"id": int(jobid)}
    try:
        for key in keys:
            value = flux_handle.instance.info(jobid, key)
            if not decode and not isinstance(value, str):
                value = json.dumps(value)
            elif decode and key == "eventlog":
                value = [json.loads(line) for line in value.splitlines() if line]
            found[key] = value
    except hbatch.JobNotFound:
        return None
    return found


job_info_lookup = job_kvs_lookup


class JobStats:
    """Numbers of jobs: pending, running, inactive, successful, failed, canceled, timeout."""

    def __init__(self, handle, queue=None):
        del queue
        self.handle = handle
        self.update_sync()

    def update(self, callback=None, **kwargs):
        """Ask anew, and call CALLBACK(stats) in the reactor."""

        def told(future):
            self._set(future.get())
            if callback:
                callback(self, **kwargs)

        return Future(self.handle).post(self.handle.channel.post, "job.stats", {}).then(told)

    @oserrors
    def update_sync(self):
        """Ask anew."""
        return self._set(self.handle.instance.stats())

    def _set(self, s):
        self.pending, self.running, self.inactive = s["pending"], s["running"], s["inactive"]
        self.successful, self.failed = s.get("completed", 0), s.get("failed", 0)
        self.canceled, self.timeout = s.get("canceled", 0), s.get("timeout", 0)
        self.active = self.pending + self.running
        self.total = self.active + self.inactive
        return self
