# SPDX-License-Identifier: BSD-3-Clause
"""For MPI programs with mpi4py, inside of jobs: MPI_Comm_spawn through hbatch (hbatch-spawn(7)).

    from mpi4py import MPI
    import hbatch.mpi

    info = hbatch.mpi.spawn_info(nodes=2, time_limit="30m", job_name="workers")
    workers = MPI.COMM_SELF.Spawn("./worker", maxprocs=8, info=info)

    with hbatch.mpi.SpawnedInstance(cores=4) as spawned:        # an instance of this program's own
        print(spawned.instance.run(["hostname"]).stdout)

mpi4py is imported when a function is called, as that initializes MPI."""
import time
from typing import Any, Dict, Iterable, Optional

from .errors import ConnectionLost, HbatchError
from .instance import Instance

#: Of all messages with a spawned instance: HBATCH_MPI_TAG of hbatch_mpi.h.
TAG = 8421

#: Keys that spawn_info takes, besides those that MPI itself knows.
KEYS = (
    "nodes",
    "cores",
    "gpus",
    "exclusive",
    "time_limit",
    "timeout",
    "job_name",
    "urgency",
    "requires",
    "output",
    "error",
)
_MPI_KEYS = ("host", "wdir", "path", "soft")
_ENV_MAX = 255  # bytes that Open MPI 4.1 takes


def spawn_keys(env: Optional[Dict[str, str]] = None, **keys: Any) -> Dict[str, str]:
    """The keys of an MPI_Info as a dictionary: those of MPI as they are, those of hbatch both by their names, which MPICH
    hands on, and as variables in "env", which Open MPI does.  env: variables for the children."""
    result: Dict[str, str] = {}
    variables = []
    for name, value in keys.items():
        if value is None or value is False:
            continue
        text = "true" if value is True else str(value)
        if "\n" in text or "\0" in text:
            raise ValueError(f"{name}: {text!r} has a newline in it")
        if name in _MPI_KEYS:
            result[name] = text
        elif name in KEYS:
            result["hbatch_" + name] = text
            variables.append(f"HBATCH_SPAWN_{name.upper()}={text}")
        else:
            raise ValueError(f"there is no key '{name}': they are {', '.join(KEYS + _MPI_KEYS)}")
    for name, value in (env or {}).items():
        if "\n" in value or "=" in name:
            raise ValueError(f"env: the variable {name} cannot be handed on: it has a newline or = in it")
        variables.append(f"{name}={value}")
    if variables:
        result["env"] = "\n".join(variables)
        if len(result["env"].encode()) > _ENV_MAX:
            raise ValueError(f"the keys and variables take more than the {_ENV_MAX} bytes that MPI hands on")
    return result


def spawn_info(env: Optional[Dict[str, str]] = None, **keys: Any) -> Any:
    """An mpi4py.MPI.Info for Spawn: ``spawn_info(nodes=2, cores=4, time_limit="30m", wdir="/tmp")``.  Keys: those of
    hbatch-spawn(7), without "hbatch_"."""
    from mpi4py import MPI  # pylint: disable=import-outside-toplevel

    info = MPI.Info.Create()
    for name, value in spawn_keys(env, **keys).items():
        info.Set(name, value)
    return info


class SpawnedInstance:
    """An instance that this process spawns (by MPI_COMM_SELF), on NODES nodes, and ends when this is closed.

    program: a command with whose end it ends; none: it lasts until close().  options: of hbatch-instance(1).  keys: as
    spawn_info, of which cores and gpus are what it has on each node.  Attributes: comm, the intercommunicator; uri;
    instance, a connection that is made when it is first asked for.
    """

    def __init__(
        self, nodes: int = 1, program: Iterable[str] = (), options: Iterable[str] = (), **keys: Any
    ) -> None:
        from mpi4py import MPI  # pylint: disable=import-outside-toplevel

        self._mpi = MPI
        args = [*options, *program]
        self.comm = MPI.COMM_SELF.Spawn("hbatch-instance", args=args, maxprocs=nodes, info=spawn_info(**keys))
        self._instance: Optional[Instance] = None
        self._uri: Optional[str] = None

    def _receive(self, letter: bytes) -> bytes:
        """The next message that begins with LETTER; MPI is not waited in."""
        status, pause = self._mpi.Status(), 1e-5
        while True:
            if not self.comm.Iprobe(source=0, tag=TAG, status=status):
                time.sleep(pause)
                pause = min(pause * 2, 5e-3)
                continue
            message = bytearray(status.Get_count(self._mpi.BYTE))
            self.comm.Recv([message, self._mpi.BYTE], source=0, tag=TAG)
            if message[:1] == letter:
                return bytes(message[1:])
            if message[:1] == b"E":
                self._free()
                raise ConnectionLost(f"the instance has ended: {bytes(message[1:]).decode('utf-8', 'replace')}")

    def _send(self, message: bytes) -> None:
        if self.comm is None:
            raise HbatchError("the instance was closed")
        self.comm.Send([message, self._mpi.BYTE], dest=0, tag=TAG)

    def _free(self) -> None:
        comm, self.comm = self.comm, None
        if comm is not None:
            comm.Free()  # not Disconnect, which would wait for it

    @property
    def uri(self) -> str:
        """The instance's URI."""
        if self._uri is None:
            import json  # pylint: disable=import-outside-toplevel

            request = {"jsonrpc": "2.0", "id": 1, "method": "instance.info", "params": {}}
            self._send(b"L" + json.dumps(request).encode() + b"\n")
            self._uri = json.loads(self._receive(b"L"))["result"]["uri"]
        return self._uri

    @property
    def instance(self) -> Instance:
        """A connection to it."""
        if self._instance is None:
            self._instance = Instance(self.uri)
        return self._instance

    def close(self, reason: str = "no more work") -> None:
        """End the instance, and wait until it has ended."""
        if self.comm is None:
            return
        if self._instance is not None:
            self._instance.close()
        self._send(b"X" + reason.encode())
        try:
            self._receive(b"E")
        except ConnectionLost:
            pass
        self._free()

    def __enter__(self) -> "SpawnedInstance":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


__all__ = ["KEYS", "SpawnedInstance", "TAG", "spawn_info", "spawn_keys"]
