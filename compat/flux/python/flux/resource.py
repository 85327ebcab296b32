# SPDX-License-Identifier: BSD-3-Clause
"""The nodes of an instance."""
from .future import oserrors


def _expand(ids):
    out = []
    for part in filter(None, str(ids or "").split(",")):
        first, _, last = part.partition("-")
        out.extend(range(int(first), int(last or first) + 1))
    return out


class ResourceSet:
    """Some nodes, with their cores and GPUs."""

    def __init__(self, nodes, cores="cores", gpus="gpus"):
        self.nodes = [(n["rank"], n["host"], _expand(n.get(cores)), _expand(n.get(gpus))) for n in nodes]

    @property
    def nnodes(self):
        return len(self.nodes)

    @property
    def ncores(self):
        return sum(len(n[2]) for n in self.nodes)

    @property
    def ngpus(self):
        return sum(len(n[3]) for n in self.nodes)

    @property
    def ranks(self):
        return ",".join(str(n[0]) for n in self.nodes)

    @property
    def nodelist(self):
        return [n[1] for n in self.nodes]

    def __str__(self):
        return f"{self.nnodes} nodes, {self.ncores} cores, {self.ngpus} gpus"


class SchedResourceList:
    """all, up, down, free, allocated: resource sets."""

    def __init__(self, nodes):
        up = [n for n in nodes if n.get("state") == "up"]
        used = []
        for n in nodes:
            free = set(_expand(n.get("free_cores")))
            cores = [c for c in _expand(n.get("cores")) if c not in free]
            gpus = [g for g in _expand(n.get("gpus")) if g not in set(_expand(n.get("free_gpus")))]
            if cores or gpus:
                used.append(dict(n, cores=",".join(map(str, cores)), gpus=",".join(map(str, gpus))))
        self.all = ResourceSet(nodes)
        self.up = ResourceSet(up)
        self.down = ResourceSet([n for n in nodes if n.get("state") != "up"])
        self.free = ResourceSet([n for n in up if n.get("free_cores")], "free_cores", "free_gpus")
        self.allocated = ResourceSet(used)


class ResourceListRPC:
    """What resource_list gives."""

    def __init__(self, flux_handle):
        self.handle = flux_handle

    @oserrors
    def get(self):
        return SchedResourceList(self.handle.instance.resources())


def resource_list(flux_handle):
    """A future of the instance's resources."""
    return ResourceListRPC(flux_handle)


@oserrors
def list(flux_handle):  # pylint: disable=redefined-builtin
    """The instance's resources."""
    return SchedResourceList(flux_handle.instance.resources())
