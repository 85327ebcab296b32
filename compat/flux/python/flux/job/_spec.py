# SPDX-License-Identifier: BSD-3-Clause
"""Job ids and specifications."""
import os
import re

import hbatch


class JobID(hbatch.JobID):
    """An id, which remembers the text that it was made of."""

    def __new__(cls, value):
        self = int.__new__(cls, hbatch.JobID(value))
        self.orig = value if isinstance(value, str) else self.f58
        return self

    @property
    def f58(self):
        """With a plain f where the locale has no other one: as `flux` prints it, and as files are named."""
        return self.f58plain if _is_plain(os.environ) else super().f58


def _is_plain(env):
    force = env.get("FLUX_F58_FORCE_ASCII") or env.get("HBATCH_F58_FORCE_ASCII") or "0"
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return force != "0" or not re.search("utf-?8", locale, re.I)


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
