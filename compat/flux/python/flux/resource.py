# SPDX-License-Identifier: BSD-3-Clause
"""The nodes of an instance."""
import json

from .future import oserrors
from .hostlist import Hostlist
from .idset import IDSET_FLAG_BRACKETS, IDSET_FLAG_RANGE, IDset


class ResourceSet:
    """Some nodes, with their cores and GPUs: made of R (RFC 20), text or a dictionary."""

    def __init__(self, arg=None, version=1):
        del version
        self._nodes = {}  # rank: (host, cores, gpus)
        if arg is None:
            return
        if isinstance(arg, ResourceSet):
            self._nodes.update(arg._nodes)
            return
        r = json.loads(arg) if isinstance(arg, (str, bytes)) else arg
        if not isinstance(r, dict):
            raise TypeError(f"a resource set is R, text or a dictionary, not {type(arg).__name__}")
        try:
            execution = r["execution"]
            entries = execution["R_lite"]
            hosts = Hostlist([*execution.get("nodelist", ())]).expand()
        except (KeyError, TypeError) as e:
            raise ValueError(f"this is no R: {e}") from None
        ranks = [rank for entry in entries for rank in IDset(str(entry["rank"]))]
        names = dict(zip(sorted(ranks), hosts))
        for entry in entries:
            children = entry.get("children", {})
            for rank in IDset(str(entry["rank"])):
                self._add(rank, names.get(rank, ""), children.get("core", ""), children.get("gpu", ""))

    def _add(self, rank, host, cores, gpus):
        self._nodes[rank] = (host, IDset(cores or ""), IDset(gpus or ""))

    @classmethod
    def of_nodes(cls, nodes, cores="cores", gpus="gpus"):
        """Of what hbatch tells of nodes."""
        made = cls()
        for n in nodes:
            made._add(n["rank"], n["host"], n.get(cores), n.get(gpus))
        return made

    @property
    def nnodes(self):
        return len(self._nodes)

    @property
    def ncores(self):
        return sum(len(n[1]) for n in self._nodes.values())

    @property
    def ngpus(self):
        return sum(len(n[2]) for n in self._nodes.values())

    @property
    def ranks(self):
        return IDset(self._nodes.keys())

    @property
    def nodelist(self):
        return Hostlist([self._nodes[rank][0] for rank in sorted(self._nodes)])

    def _same(self):
        """(ranks, cores, gpus) of nodes with the same."""
        groups = {}
        for rank in sorted(self._nodes):
            _, cores, gpus = self._nodes[rank]
            groups.setdefault((str(cores), str(gpus)), IDset()).set(rank)
        return [(ranks, *key) for key, ranks in groups.items()]

    @property
    def rlist(self):
        """As text: "rank[0-1]/core[0-3]"."""
        return " ".join(
            f"rank{_brackets(ranks)}/" + ",".join(f"{what}{_brackets(ids)}" for what, ids in parts if ids)
            for ranks, parts in ((r, (("core", c), ("gpu", g))) for r, c, g in self._same())
        )

    def dumps(self):
        return self.rlist

    __str__ = dumps

    def to_dict(self):
        """R (RFC 20)."""
        lite = [
            {"rank": str(r), "children": {k: v for k, v in (("core", c), ("gpu", g)) if v}} for r, c, g in self._same()
        ]
        execution = {"R_lite": lite, "starttime": 0, "expiration": 0, "nodelist": [str(self.nodelist)]}
        return {"version": 1, "execution": execution}

    def encode(self):
        """R as JSON."""
        return json.dumps(self.to_dict())

    def copy(self):
        return ResourceSet(self)

    def copy_ranks(self, ranks):
        """That on RANKS only."""
        made, wanted = ResourceSet(), IDset(ranks)
        made._nodes = {rank: node for rank, node in self._nodes.items() if rank in wanted}
        return made

    def remove_ranks(self, ranks):
        """Take RANKS away."""
        self._nodes = {rank: node for rank, node in self._nodes.items() if rank not in IDset(ranks)}
        return self

    def _with(self, function, others):
        made = self.copy()
        for other in others:
            for rank in {*made._nodes, *other._nodes}:
                host, cores, gpus = made._nodes.get(rank) or (other._nodes[rank][0], IDset(), IDset())
                _, more, gmore = other._nodes.get(rank, ("", IDset(), IDset()))
                made._nodes[rank] = (host, function(cores, more), function(gpus, gmore))
        made._nodes = {rank: n for rank, n in made._nodes.items() if len(n[1]) or len(n[2])}
        return made

    def union(self, *others):
        return self._with(IDset.union, others)

    def diff(self, *others):
        return self._with(IDset.difference, others)

    def intersect(self, *others):
        return self._with(IDset.intersect, others)

    def __or__(self, other):
        return self.union(other)

    def __sub__(self, other):
        return self.diff(other)

    def __and__(self, other):
        return self.intersect(other)

    def __eq__(self, other):
        return isinstance(other, ResourceSet) and self._nodes == other._nodes

    __hash__ = None


def _brackets(ids):
    return IDset(ids).encode(IDSET_FLAG_RANGE | IDSET_FLAG_BRACKETS)


class SchedResourceList:
    """all, up, down, free, allocated: resource sets."""

    def __init__(self, nodes):
        up = [n for n in nodes if n.get("state") == "up"]
        self.all = ResourceSet.of_nodes(nodes)
        self.up = ResourceSet.of_nodes(up)
        self.down = ResourceSet.of_nodes([n for n in nodes if n.get("state") != "up"])
        self.free = ResourceSet.of_nodes([n for n in up if n.get("free_cores")], "free_cores", "free_gpus")
        self.allocated = self.all - ResourceSet.of_nodes(nodes, "free_cores", "free_gpus")


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
