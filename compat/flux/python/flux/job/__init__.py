# SPDX-License-Identifier: BSD-3-Clause
"""Jobs, as in Flux's module of this name."""
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
    job_output,
    output_watch_lines,
)
from ._executor import FluxExecutor, FluxExecutorFuture
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
from ._spec import JobID, Jobspec, JobspecV1, id_encode, id_parse, validate_jobspec

__all__ = [name for name in dir() if not name.startswith("_")]
