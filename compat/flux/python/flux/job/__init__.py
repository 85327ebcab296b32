# SPDX-License-Identifier: BSD-3-Clause
"""Jobs, as in Flux's module of this name."""
import sys

from . import _act, _events, _executor, _list, _output, _spec
from ._act import (
    JobResultFuture,
    JobWaitFuture,
    JobWaitResult,
    SubmitFuture,
    cancel,
    cancel_async,
    job_raise,
    job_raise_async,
    kill,
    kill_async,
    result,
    result_async,
    submit,
    submit_async,
    submit_get_id,
    timeleft,
    wait,
    wait_async,
    wait_get_status,
)
from ._events import (
    MAIN_EVENTS,
    EventLogEvent,
    JobEventWatchFuture,
    JobException,
    event_wait,
    event_watch,
    event_watch_async,
)
from ._executor import FluxExecutor, FluxExecutorFuture
from ._output import (
    JobOutput,
    job_output,
    output_event_watch,
    output_event_watch_async,
    output_watch,
    output_watch_async,
    output_watch_lines,
    output_watch_lines_async,
)
from ._list import (
    JobInfo,
    JobInfoFormat,
    JobList,
    JobStats,
    get_job,
    job_info_lookup,
    job_kvs_lookup,
    job_list,
    job_list_id,
    job_list_inactive,
)
from ._spec import BatchConfig, JobID, Jobspec, JobspecV1, id_encode, id_parse, validate_jobspec

# Programs import Flux's own files, too, or find them here; where a file and what is in it have one name, that is here.
for _name, _module in {
    "JobID": _spec, "Jobspec": _spec, "event": _events, "executor": _executor, "info": _list, "kill": _act,
    "kvslookup": _list, "list": _list, "output": _output, "stats": _list, "submit": _act, "timeleft": _act, "wait": _act,
}.items():  # fmt: skip
    sys.modules[f"{__name__}.{_name}"] = _module
    globals().setdefault(_name, _module)

__all__ = [name for name in dir() if not name.startswith("_")]
