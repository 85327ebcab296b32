# SPDX-License-Identifier: BSD-3-Clause
"""URIs of instances."""
import os

import hbatch


class JobURI(str):
    """A URI, with its forms."""

    @property
    def local(self):
        return str(self)

    @property
    def path(self):
        return self.partition("://")[2]

    @property
    def remote(self):
        return f"ssh://{os.uname().nodename}{self.path}"


class FluxURIResolver:
    """resolve() gives the URI of the instance that TARGET names: a URI, or the id of a job."""

    def resolve(self, target):
        return resolve(target)


def resolve(target):
    """The URI of the instance that TARGET names: a URI, or the id of a job, of this instance or those below."""
    if "://" in target:
        return JobURI(target)
    path = target[len("jobid:") :] if target.startswith("jobid:") else target
    uri = None
    try:
        for part in path.split("?")[0].strip("/").split("/"):
            with hbatch.Instance(uri) as inst:
                uri = inst.child_uri(part, wait=False)
    except (hbatch.HbatchError, ValueError) as e:
        raise ValueError(f"{target}: {e}") from e
    return JobURI(uri)
