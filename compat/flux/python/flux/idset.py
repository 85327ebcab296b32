# SPDX-License-Identifier: BSD-3-Clause
"""Sets of small numbers (RFC 22): "0-3,7"."""
import re
from collections import abc

IDSET_FLAG_BRACKETS = 2
IDSET_FLAG_RANGE = 4
IDSET_INVALID_ID = 0xFFFFFFFF - 1

_PART = re.compile(r"(0|[1-9]\d*)(?:-(0|[1-9]\d*))?\Z")
_MOST = 1 << 24  # numbers in one set: more is a slip


def _number(value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"an id must be a whole number, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"an id must not be negative, as {value} is")
    return value


def _parse(text):
    body = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    ids = set()
    for part in body.split(",") if body else ():
        match = _PART.match(part)
        if not match:
            raise ValueError(f"'{text}' is no set of ids: '{part}' must be as 3 or 3-7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > _MOST:
            raise ValueError(f"'{text}' is no set of ids: '{part}' is no range")
        ids.update(range(first, last + 1))
    return ids


def _ids_of(arg):
    if isinstance(arg, IDset):
        return arg._ids
    if isinstance(arg, str):
        return _parse(arg)
    if isinstance(arg, int):
        return {_number(arg)}
    if isinstance(arg, abc.Iterable):
        return {_number(i) for i in arg}
    raise TypeError(f"ids are an IDset, text, a number or a list, not {type(arg).__name__}")


class IDset:
    """A set of numbers, shown in ranges."""

    def __init__(self, arg="", flags=IDSET_FLAG_RANGE, handle=None):
        del handle
        self._ids = set(_ids_of(arg))
        self._flags = flags

    # --- text ---

    def set_flags(self, flags):
        """IDSET_FLAG_RANGE: "0-3", not "0,1,2,3"; IDSET_FLAG_BRACKETS: "[0-3]"."""
        self._flags = flags
        return self

    def encode(self, flags=None):
        """As text."""
        flags = self._flags if flags is None else flags
        parts = []
        for i in sorted(self._ids):
            if parts and flags & IDSET_FLAG_RANGE and parts[-1][1] == i - 1:
                parts[-1][1] = i
            else:
                parts.append([i, i])
        text = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
        return f"[{text}]" if flags & IDSET_FLAG_BRACKETS and len(self._ids) > 1 else text

    def __str__(self):
        return self.encode()

    def __repr__(self):
        return f"IDset('{self.encode(IDSET_FLAG_RANGE)}')"

    # --- one number ---

    def __contains__(self, i):
        return _number(i) in self._ids

    def __getitem__(self, i):
        return _number(i) in self._ids

    test = __getitem__

    def __setitem__(self, i, value):
        if value not in (0, 1):
            raise TypeError(f"an id is there or is not: it is set to True or False, not {value!r}")
        (self.set if value else self.clear)(i)

    def set(self, start, end=None):
        """Add START, or START to END."""
        self._ids.update(self._range(start, end))
        return self

    def clear(self, start, end=None):
        """Take START, or START to END, away."""
        self._ids.difference_update(self._range(start, end))
        return self

    @staticmethod
    def _range(start, end):
        end = start if end is None else end
        if _number(end) < _number(start):
            raise ValueError(f"{start} to {end} is no range")
        return range(start, end + 1)

    # --- all of them ---

    def __iter__(self):
        return iter(sorted(self._ids))

    def __len__(self):
        return len(self._ids)

    count = __len__

    def expand(self):
        """A list of the numbers."""
        return sorted(self._ids)

    def first(self):
        return min(self._ids, default=IDSET_INVALID_ID)

    def last(self):
        return max(self._ids, default=IDSET_INVALID_ID)

    def next(self, i):
        """The first one beyond I; IDSET_INVALID_ID if there is none."""
        _number(i)
        return min((j for j in self._ids if j > i), default=IDSET_INVALID_ID)

    def prev(self, i):
        """The last one before I; IDSET_INVALID_ID if there is none."""
        _number(i)
        return max((j for j in self._ids if j < i), default=IDSET_INVALID_ID)

    def copy(self):
        return IDset(self, self._flags)

    def equal(self, other):
        if not isinstance(other, IDset):
            raise TypeError(f"an IDset cannot be compared with {type(other).__name__}")
        return self._ids == other._ids

    __eq__ = equal
    __hash__ = None

    # --- with others ---

    def add(self, arg):
        """Add what is in ARG, and return this set."""
        self._ids |= _ids_of(arg)
        return self

    def subtract(self, arg):
        """Take away what is in ARG, and return this set."""
        self._ids -= _ids_of(arg)
        return self

    def _with(self, function, args):
        made = self.copy()
        for arg in args:
            made._ids = function(made._ids, _ids_of(arg))
        return made

    def union(self, *args):
        return self._with(set.union, args)

    def intersect(self, *args):
        return self._with(set.intersection, args)

    def difference(self, *args):
        return self._with(set.difference, args)

    __iadd__, __isub__ = add, subtract

    def __add__(self, other):
        return self.union(other)

    def __sub__(self, other):
        return self.difference(other)

    def __and__(self, other):
        return self.intersect(other)

    def __or__(self, other):
        return self.union(other)


def decode(string):
    """The IDset of a text."""
    return IDset(string)


__all__ = ["IDSET_FLAG_BRACKETS", "IDSET_FLAG_RANGE", "IDSET_INVALID_ID", "IDset", "decode"]
