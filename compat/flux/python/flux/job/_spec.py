# SPDX-License-Identifier: BSD-3-Clause
"""Job ids and specifications."""
import hbatch


class JobID(hbatch.JobID):
    """An id, which remembers the text that it was made of."""

    def __new__(cls, value):
        self = int.__new__(cls, hbatch.JobID(value))
        self.orig = value if isinstance(value, str) else self.f58
        return self


def id_parse(text):
    return JobID(text)


def id_encode(jobid, encoding="dec"):
    return hbatch.JobID(jobid).encode(encoding)


class Jobspec(hbatch.Jobspec):
    """As of Flux."""


class JobspecV1(Jobspec):
    """As of Flux."""


def validate_jobspec(jobspec, require_version=None):
    """(True, Jobspec), or an exception."""
    del require_version
    return True, JobspecV1.from_json(jobspec if isinstance(jobspec, (str, bytes)) else jobspec.dumps())
