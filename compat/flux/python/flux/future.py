# SPDX-License-Identifier: BSD-3-Clause
"""Futures with then(), whose callbacks run in Flux.reactor_run()."""
import collections
import errno
import functools
import os
import time

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
        self._timer = None

    def post(self, post, *args):
        """Send it: POST is a method of the connection."""
        if self.handle is None:
            raise OSError(errno.EINVAL, "a handle is needed, and this is None")
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
        if self._timer:
            self._timer.stop()
        if self._callback:
            self.handle.due.append(self)

    def is_ready(self):
        return bool(self._entries)

    @oserrors
    def wait_for(self, timeout=-1.0):
        """Until it is there, and return it; TimeoutError after TIMEOUT seconds."""
        if self.is_ready():
            return self
        if timeout == 0:
            self.handle.instance.dispatch()
        self.handle.channel.wait(self.is_ready, None if timeout < 0 else timeout)
        return self

    @oserrors
    def get(self):
        """The answer, or the OSError that came in its place."""
        self.wait_for()
        return self._made(check(self._entries[0]))

    def error_string(self):
        """What the error is, or ""."""
        try:
            self.get()
        except OSError as e:
            return e.strerror or str(e)
        return ""

    def then(self, callback, *args, arg=None, timeout=-1.0, **kwargs):
        """Call CALLBACK(future, *args) in the reactor once the answer is there, or the error that it was not within TIMEOUT
        seconds."""
        if self._callback is not None:
            raise OSError(errno.EEXIST, "the future has a callback already")
        if arg is not None:
            args = (arg, *args)
        self.handle.active.add(self)
        self._callback = functools.partial(callback, self, *args, **kwargs)
        for _ in self._entries:
            self.handle.due.append(self)
        if timeout >= 0 and not self._entries:
            self._timer = self.handle.timer_watcher_create(timeout, lambda *_: self._too_late(timeout)).start()
        return self

    def _too_late(self, timeout):
        if not self._entries and not self._over:
            self._unpost()  # a late answer is none
            self._told([None, "error", errno.ETIMEDOUT, f"the answer did not come within {timeout:g} s"])

    def fire(self):
        """By the reactor; what raises an exception is not called again."""
        try:
            self.call_back()
        except BaseException:
            self._forget()
            raise

    def call_back(self):
        if self._over:
            self.handle.active.discard(self)
        self._callback()

    def cancel(self, stop=False):
        """Nothing more is wanted of it; STOP: nor is its callback called again."""
        del stop
        self._forget()

    def _forget(self):
        if self._timer:
            self._timer.stop()
        if not self._over:
            self._unpost()
        self._over = True
        self.handle.active.discard(self)
        self.handle.due[:] = [f for f in self.handle.due if f is not self]

    def _unpost(self):
        if self._tag is not None:
            self.handle.channel.unpost(self._tag)

    def stop(self):
        """Nothing more is wanted of it."""
        self._forget()

    def reset(self):
        """Wait for the next answer."""
        if self._entries:
            self._entries.popleft()

    def get_flux(self):
        return self.handle

    def set_flux(self, flux_handle):
        self.handle = flux_handle

    def get_reactor(self):
        """A handle is its own reactor."""
        return self.handle

    def incref(self):
        """Python keeps count itself."""

    def get_jobid(self):
        return getattr(self, "jobid", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class FutureExt(Future):
    """A future that a program fulfills itself: INIT_CB(future, *args) is called when it is waited for the first time."""

    def __init__(self, init_cb, *args, flux_handle=None, **kwargs):
        super().__init__(flux_handle)
        self._init = functools.partial(init_cb, self, *args, **kwargs)

    def _begin(self):
        begin, self._init = self._init, None
        if begin:
            begin()

    def wait_for(self, timeout=-1.0):
        self._begin()
        if not self.is_ready():
            if self.handle is None:
                raise OSError(errno.EINVAL, "a handle is needed, and this is None")
            self.handle.run_until(self.is_ready, timeout)  # what fulfills it may be a callback
        return self

    def then(self, callback, *args, **kwargs):
        super().then(callback, *args, **kwargs)
        self._begin()
        return self

    def fulfill(self, result=None):
        """RESULT is the answer; once more for each get() after a reset()."""
        self._told([None, "reply", result])

    def fulfill_error(self, errnum=errno.ENOENT, errstr=None):
        """An OSError is the answer."""
        self._told([None, "error", errnum, errstr or os.strerror(errnum)])


class WaitAllFuture(FutureExt):
    """Of several: there when all of them are."""

    def __init__(self, children=None):
        self.children = []
        super().__init__(WaitAllFuture._start)
        for child in children or ():
            self.push(child)

    def push(self, child, name=None):
        """One more."""
        del name
        self.children.append(child)
        self.handle = child.handle

    def _start(self):
        for child in self.children:
            child.then(lambda _: self._look())
        self._look()

    def _look(self):
        if not self._over and all(c.is_ready() for c in self.children):
            self.fulfill([c for c in self.children])

    def wait_for(self, timeout=-1.0):
        end = time.monotonic() + timeout
        for child in self.children:
            child.wait_for(timeout if timeout < 0 else max(0, end - time.monotonic()))
        if not self._over:
            self.fulfill(self.children)
        return self
