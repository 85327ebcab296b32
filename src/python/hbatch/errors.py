# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong.

    HbatchError                    all of them: code (an errno value), and one sentence
      ConnectError                 there is no instance, or it does not answer (a ConnectionError)
      ConnectionLost               the instance has ended or was killed (a ConnectionError)
      ConnectionClosed             the connection was closed, or belongs to the process that was forked
      RequestError                 the instance said no
        InvalidRequest             a request or job specification makes no sense (a ValueError)
        JobNotFound                there is no such job (a LookupError)
        NoData                     there is no such data, or the job is over (a LookupError)
        Unsatisfiable              more than this instance will ever have
        NotSupported               what this instance cannot do
        NotPermitted               another user's instance (a PermissionError)
      WaitTimeout                  it did not happen within the time given (a TimeoutError)
      JobError                     of Result.check() and of futures: a job did not succeed; result tells the rest
        JobFailed  JobCanceled  JobTimedOut
"""
import errno
import os
from typing import Any, Optional


class HbatchError(Exception):
    """The base of all exceptions of this package."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> Any:
        return type(self), (self.text, self.code)

    @property
    def name(self) -> str:
        """The symbol of the code: "ENOENT", or ""."""
        return errno.errorcode.get(self.code, "")


class ConnectError(HbatchError, ConnectionError):
    """There is no instance, or it does not answer."""


class ConnectionLost(HbatchError, ConnectionError):
    """The instance has ended or was killed; only close() is left."""


class ConnectionClosed(HbatchError, ConnectionError):
    """The connection was closed by this program, or belongs to the process that this one was forked from."""


class RequestError(HbatchError):
    """The instance refused a request."""


class InvalidRequest(RequestError, ValueError):
    """A request or job specification makes no sense."""


class JobNotFound(RequestError, LookupError):
    """There is no such job."""


class NoData(RequestError, LookupError):
    """There is no such data, or the job that would have it is over."""


class Unsatisfiable(RequestError):
    """More than this instance will ever have."""


class NotSupported(RequestError):
    """Nothing that this instance can do."""


class NotPermitted(RequestError, PermissionError):
    """Not allowed."""


class WaitTimeout(HbatchError, TimeoutError):
    """It did not happen within the time given."""


class JobError(HbatchError):
    """A job did not succeed; result (hbatch.Result) tells the rest."""

    def __init__(self, text: str, result: Optional[Any] = None) -> None:
        super().__init__(text, 0)
        self.result = result

    def __reduce__(self) -> Any:
        return type(self), (self.text, self.result)


class JobFailed(JobError):
    """A task failed, or the job could not be started."""


class JobCanceled(JobError):
    """The job was canceled."""


class JobTimedOut(JobError):
    """The job reached its time limit."""


_BY_CODE = {
    errno.EINVAL: InvalidRequest,
    errno.EILSEQ: InvalidRequest,
    errno.EPROTO: InvalidRequest,
    errno.ENOENT: JobNotFound,
    errno.ENODATA: NoData,
    errno.ENOSPC: Unsatisfiable,
    errno.EOVERFLOW: Unsatisfiable,
    errno.ENOSYS: NotSupported,
    errno.ENOTSUP: NotSupported,
    errno.EPERM: NotPermitted,
    errno.EACCES: NotPermitted,
}


def request_error(code: int, text: str) -> RequestError:
    """The exception for an answer with CODE and TEXT."""
    return _BY_CODE.get(code, RequestError)(text or os.strerror(code), code)
