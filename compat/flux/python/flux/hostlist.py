# SPDX-License-Identifier: BSD-3-Clause
"""Lists of hosts (RFC 29): "node[1-4,7]"."""
import errno
import re
from collections import abc

_PART = re.compile(r"(\d+)(?:-(\d+))?\Z")
_TAIL = re.compile(r"(.*?)(\d+)\Z")
_MOST = 1 << 20  # hosts in one list: more is a slip


def _words(text):
    """TEXT at its commas outside of brackets."""
    depth, word = 0, ""
    for c in text:
        depth += (c == "[") - (c == "]")
        if depth not in (0, 1):
            raise ValueError(f"'{text}' is no list of hosts: its brackets do not match")
        if c == "," and not depth:
            yield word
            word = ""
        else:
            word += c
    if depth:
        raise ValueError(f"'{text}' is no list of hosts: a bracket is not closed")
    yield word


def _expand(word):
    head, bracket, rest = word.partition("[")
    if not bracket:
        return [word]
    inside, _, tail = rest.partition("]")
    made = []
    for part in inside.split(","):
        match = _PART.match(part)
        if not match:
            raise ValueError(f"'{word}' is no list of hosts: '{part}' must be as 3 or 3-7")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first) or int(last) - int(first) > _MOST:
            raise ValueError(f"'{word}' is no list of hosts: '{part}' is no range")
        made += [f"{head}{i:0{len(first)}d}{more}" for i in range(int(first), int(last) + 1) for more in _expand(tail)]
    return made


def _hosts_of(arg):
    if isinstance(arg, Hostlist):
        return arg._hosts
    if isinstance(arg, str):
        return [host for word in _words(arg) if word for host in _expand(word)]
    if isinstance(arg, abc.Iterable):
        hosts = []
        for word in arg:
            if not isinstance(word, str):
                raise TypeError(f"hosts are text, and {word!r} is none")
            hosts += _hosts_of(word)
        return hosts
    raise TypeError(f"hosts are a Hostlist, text or a list, not {type(arg).__name__}")


def _split(host):
    """(what is before the number at the end, the number, its digits); the latter -1 and 0 without one."""
    match = _TAIL.match(host)
    return (match[1], int(match[2]), len(match[2])) if match else (host, -1, 0)


class Hostlist:
    """A list of hosts, in which one may be more than once."""

    def __init__(self, arg="", handle=None):
        del handle
        self._hosts = list(_hosts_of(arg))

    # --- text ---

    def encode(self):
        """As text, with ranges."""
        words = []  # (prefix, [[first, last, digits], ...])
        for host in self._hosts:
            prefix, number, digits = _split(host)
            if number >= 0 and words and words[-1][0] == prefix and words[-1][1]:
                ranges = words[-1][1]
                first, last, width = ranges[-1]
                padded = width > len(str(first)) or digits > len(str(number))
                if number == last + 1 and (digits == width or (not padded and digits >= width)):
                    ranges[-1][1] = number
                else:
                    ranges.append([number, number, digits])
            else:
                words.append((prefix, [[number, number, digits]] if number >= 0 else []))
        made = []
        for prefix, ranges in words:
            parts = [f"{a:0{w}d}" if a == b else f"{a:0{w}d}-{b:0{w}d}" for a, b, w in ranges]
            one = len(parts) == 1 and ranges[0][0] == ranges[0][1]
            made.append(prefix + ("" if not parts else parts[0] if one else f"[{','.join(parts)}]"))
        return ",".join(made)

    __str__ = encode

    def __repr__(self):
        return f"Hostlist('{self}')"

    # --- what is in it ---

    def __len__(self):
        return len(self._hosts)

    count = __len__

    def __iter__(self):
        return iter(list(self._hosts))

    def __contains__(self, host):
        return host in self._hosts

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Hostlist(self._hosts[index])
        if isinstance(index, int) and not isinstance(index, bool):
            return self._hosts[index]
        if isinstance(index, abc.Iterable) and not isinstance(index, (str, bytes)):
            return Hostlist([self._hosts[i] for i in index])
        raise TypeError(f"an index is a number, a slice or several numbers, not {index!r}")

    def expand(self):
        """A list of names."""
        return list(self._hosts)

    def copy(self):
        return Hostlist(self)

    def find(self, host):
        """The position of HOST; FileNotFoundError: it is not there."""
        try:
            return self._hosts.index(host)
        except ValueError:
            raise FileNotFoundError(errno.ENOENT, f"host '{host}' is not in the list") from None

    def index(self, hosts, ignore_nomatch=False):
        """The positions of HOSTS."""
        return [self.find(h) for h in _hosts_of(hosts) if not ignore_nomatch or h in self._hosts]

    def __eq__(self, other):
        return isinstance(other, Hostlist) and self._hosts == other._hosts

    __hash__ = None

    # --- changes ---

    def append(self, *args):
        """Add hosts at the end: how many."""
        more = [host for arg in args for host in _hosts_of(arg)]
        self._hosts += more
        return len(more)

    def delete(self, *args):
        """Take hosts away: how many there were."""
        gone = 0
        for host in [host for arg in args for host in _hosts_of(arg)]:
            if host in self._hosts:
                self._hosts.remove(host)
                gone += 1
        return gone

    def sort(self):
        self._hosts.sort(key=_split)
        return self

    def uniq(self):
        """Sort, and leave each host in it once."""
        self._hosts = list(dict.fromkeys(self.sort()._hosts))
        return self


def decode(arg):
    """The Hostlist of a text, or of several."""
    return Hostlist(arg)


__all__ = ["Hostlist", "decode"]
