# SPDX-License-Identifier: BSD-3-Clause
"""URIs of instances."""
import os
import urllib.parse

import hbatch


class JobURI(str):
    """A URI, with its parts and forms."""

    def __new__(cls, uri, remote_hostname=None):
        self = super().__new__(cls, uri)
        if not self:
            raise ValueError("a URI must not be empty")
        parts = urllib.parse.urlparse(self)
        self.scheme, self.netloc, self.path = parts.scheme or "local", parts.netloc, parts.path
        self.query, self.fragment, self.params = parts.query, parts.fragment, parts.params
        self._host = remote_hostname or os.uname().nodename
        return self

    @property
    def uri(self):
        return str.__str__(self)

    @property
    def local(self):
        """With the scheme local://."""
        if self.scheme not in ("local", "ssh"):
            raise ValueError(f"{self}: there is no local form of a URI of scheme '{self.scheme}'")
        return f"local://{self.path}"

    @property
    def remote(self):
        """With the scheme ssh://."""
        if self.scheme == "ssh":
            return self.uri
        if self.scheme != "local":
            raise ValueError(f"{self}: there is no remote form of a URI of scheme '{self.scheme}'")
        return f"ssh://{self._host}{self.path}"


class FluxURIResolver:
    """resolve() gives the URI of the instance that TARGET names: a URI, or the id of a job."""

    def resolve(self, target):
        return resolve(target)


def _of_process(pid):
    """The URI of the instance that the process PID runs in, or is."""
    try:
        with open(f"/proc/{int(pid)}/environ", "rb") as f:
            words = dict(w.split(b"=", 1) for w in f.read().split(b"\0") if b"=" in w)
    except (OSError, ValueError) as e:
        raise ValueError(f"pid:{pid}: {e}") from e
    uri = words.get(b"FLUX_URI") or words.get(b"HBATCH_URI")
    if not uri:
        raise ValueError(f"pid:{pid}: that process is in no instance")
    return uri.decode()


def resolve(target):
    """The URI of the instance that TARGET names: a URI, pid:PID, or the id of a job, of this instance or those below."""
    if "://" in target:
        return JobURI(target)
    if target.startswith("pid:"):
        return JobURI(_of_process(target[len("pid:") :]))
    path = target[len("jobid:") :] if target.startswith("jobid:") else target
    uri = None
    try:
        for part in path.split("?")[0].strip("/").split("/"):
            with hbatch.Instance(uri) as inst:
                uri = inst.child_uri(part, wait=False)
    except (hbatch.HbatchError, ValueError) as e:
        raise ValueError(f"{target}: {e}") from e
    return JobURI(uri)
