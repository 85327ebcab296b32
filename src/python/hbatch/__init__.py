# SPDX-License-Identifier: BSD-3-Clause
"""hbatch: jobs of an instance of hbatch, from Python.

    import hbatch

    with hbatch.Instance() as inst:                         # the one that this runs in
        jobid = inst.submit(hbatch.Jobspec.from_command(["./app"], num_tasks=4, duration="10m"))
        print(inst.wait(jobid))

Instance     a connection: submit, wait, watch, cancel, jobs, resources, sub-instances
Jobspec      what a job runs, and on what
Executor     jobs as futures of concurrent.futures
hbatch.aio   the same for asyncio
hbatch.mpi   MPI_Comm_spawn with mpi4py

It is over libhbatch, by ctypes, and needs nothing but Python 3.8.  Exceptions: hbatch.errors.  See hbatch-python(3)."""
from typing import Any

from ._lib import version
from .errors import (
    ConnectError,
    ConnectionClosed,
    ConnectionLost,
    HbatchError,
    InvalidRequest,
    JobCanceled,
    JobError,
    JobFailed,
    JobNotFound,
    JobTimedOut,
    NoData,
    NotPermitted,
    NotSupported,
    RequestError,
    Unsatisfiable,
    WaitTimeout,
)
from .executor import Executor, JobFuture
from .instance import Completed, Instance
from .jobid import JobID
from .jobs import JobInfo, JobList
from .jobspec import Jobspec, parse_duration
from .results import EVENTS, Event, ExceptionInfo, Output, Result

__version__ = version()


def __getattr__(name: str) -> Any:  # asyncio takes as long to import as all the rest
    if name in ("aio", "mpi"):
        import importlib  # pylint: disable=import-outside-toplevel

        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'hbatch' has no attribute '{name}'")


__all__ = [
    "Completed",
    "ConnectError",
    "ConnectionClosed",
    "ConnectionLost",
    "EVENTS",
    "Event",
    "ExceptionInfo",
    "Executor",
    "HbatchError",
    "Instance",
    "InvalidRequest",
    "JobCanceled",
    "JobError",
    "JobFailed",
    "JobFuture",
    "JobID",
    "JobInfo",
    "JobList",
    "JobNotFound",
    "JobTimedOut",
    "Jobspec",
    "NoData",
    "NotPermitted",
    "NotSupported",
    "Output",
    "RequestError",
    "Result",
    "Unsatisfiable",
    "WaitTimeout",
    "parse_duration",
    "version",
]
