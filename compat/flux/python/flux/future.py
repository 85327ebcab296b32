# SPDX-License-Identifier: BSD-3-Clause
"""Futures with then(), whose callbacks run in Flux.reactor_run()."""
import collections
import functools

import hbatch
from hbatch._channel import check


class InstanceLost(OSError, RuntimeError):
    """The instance has ended: an OSError, as of Flux, and a RuntimeError, which workflow systems expect of executors."""


def oserror(e):
    """The OSError that stands for an exception of hbatch."""
    if isinstance(e, (hbatch.ConnectionLost, hbatch.ConnectionClosed)):
        return InstanceLost(e.code or 104, e.text)
    if isinstance(e, hbatch.WaitTimeout):
        return TimeoutError(110, e.text)
    return OSError(e.code or 22, e.text)


def oserrors(function):
    """Let FUNCTION raise OSError in place of what hbatch raises."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except hbatch.HbatchError as e:
            raise oserror(e) from e

    return wrapped


class Future:
    """An answer that is to come."""

    def __init__(self, flux_handle, made=lambda answer: answer):
        self.handle = flux_handle
        self._made = made
        self._entries = collections.deque()
        self._callback = None
        self._over = False
        self._tag = None

    def post(self, post, *args):
        """Send it: POST is a method of the connection."""
        try:
            self._tag = post(*args, self._told)
        except hbatch.HbatchError as e:
            raise oserror(e) from e
        return self

    def _told(self, entry):
        self._over = True
        self._add(entry)
        return True

    def _add(self, entry):
        self._entries.append(entry)
        if self._callback:
            self.handle.due.append(self)

    def is_ready(self):
        return bool(self._entries)

    def wait_for(self, timeout=-1.0):
        """Until it is there; TimeoutError after TIMEOUT seconds."""
        try:
            self.handle.channel.wait(self.is_ready, None if timeout < 0 else timeout)
        except hbatch.HbatchError as e:
            raise oserror(e) from e

    @oserrors
    def get(self):
        """The answer, or the OSError that came in its place."""
        self.wait_for()
        return self._made(check(self._entries[0]))

    def then(self, callback, *args, arg=None, timeout=-1.0, **kwargs):
        """Call CALLBACK(future, *args) in the reactor once the answer is there."""
        del timeout
        if arg is not None:
            args = (arg, *args)
        if self._callback is None:
            self.handle.active.add(self)
        self._callback = functools.partial(callback, self, *args, **kwargs)
        for _ in self._entries:
            self.handle.due.append(self)
        return self

    def call_back(self):
        """By the reactor."""
        if self._over:
            self.handle.active.discard(self)
        self._callback()

    def cancel(self, stop=False):
        """Nothing more is wanted of it."""
        if not self._over and self._tag is not None:
            self.handle.channel.unpost(self._tag)
        self._over = True
        self.handle.active.discard(self)

    def get_jobid(self):
        return getattr(self, "jobid", None)


