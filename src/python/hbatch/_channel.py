# SPDX-License-Identifier: BSD-3-Clause
"""One connection, for any number of threads.

Requests are posted under a tag (hbatch_post), and their answers come in batches, as JSON (hbatch_take).  One thread at
a time is the pump: it waits in poll, takes what came, and gives it to the handlers.  Any thread that waits for
something becomes the pump if there is none; others sleep until what they wait for is there, or the place of the pump is
free.  So nobody needs a thread in the background, and if there is one (the executor's), it is the pump as long as
it lives."""
import collections
import ctypes
import json
import math
import numbers
import os
import select
import sys
import threading
import time
import weakref
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional

from ._lib import Error, Submit, c_string, lib
from .errors import ConnectError, ConnectionClosed, ConnectionLost, HbatchError, WaitTimeout, request_error

#: Called with an entry of what hbatch_take tells: [tag, word, ...], or [tag, "lost", exception].  True: the last one.
Handler = Callable[[List[Any]], bool]

_GATHER = 0.001  # s
_LONGEST = 1e6  # s: poll() takes no more than 24 days

_scan = json.JSONDecoder().scan_once
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any, what: str) -> bytes:
    """JSON of VALUE; WHAT names it in errors."""
    try:
        return _encode(value).encode("utf-8")
    except UnicodeEncodeError as e:
        raise ValueError(f"{what} has text in it that is not UTF-8") from e
    except (TypeError, ValueError, RecursionError) as e:
        raise TypeError(f"{what} cannot be written as JSON: {e}") from e


def check_timeout(timeout: Optional[float]) -> Optional[float]:
    """It as a float; TypeError or ValueError if it is none."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, numbers.Real):
        raise TypeError(f"a timeout must be a number of seconds, or None, not {type(timeout).__name__}")
    if timeout != timeout:  # pylint: disable=comparison-with-itself
        raise ValueError("a timeout must be a number of seconds, not nan")
    try:
        return float(timeout)
    except OverflowError:
        return math.inf if timeout > 0 else -math.inf


class Answer:
    """The handler of a request, and its answer."""

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry: Optional[List[Any]] = None

    def __call__(self, entry: List[Any]) -> bool:
        self.entry = entry
        return True

    def done(self) -> bool:
        return self.entry is not None

    def result(self) -> Any:
        """What came with the answer."""
        assert self.entry is not None
        return check(self.entry)


def check(entry: List[Any]) -> Any:
    """The contents of an answer; raises what it says if that is an error."""
    word = entry[1]
    if word == "error":
        raise request_error(entry[2], entry[3])
    if word == "lost":
        raise entry[2]
    return entry[2] if word == "reply" else entry[2:]


_channels: "weakref.WeakSet[Channel]" = weakref.WeakSet()


def _forked() -> None:
    for channel in list(_channels):
        channel._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Channel:
    """A connection to an instance."""

    def __init__(self, uri: Optional[str] = None, handle: Optional[int] = None) -> None:
        self._handle: Optional[int] = handle
        self._lost: Optional[HbatchError] = None
        self._lock = threading.Lock()  # of the C handle, tags and handlers
        self._cond = threading.Condition(threading.Lock())  # of who is the pump
        self._pump_thread: Optional[int] = None
        self._pump_depth = 0
        self._handlers: Dict[int, Handler] = {}
        self._inbox: Deque[List[Any]] = collections.deque()
        self._last_tag = 0
        self._sleeping = False  # the pump is in poll, or about to be
        self._dirty = False  # something was posted that was not sent yet
        self._gathered = 0.0  # when the pump was last told so; monotonic
        self._waiters = 0
        self._error = Error()
        self._error_ref = ctypes.byref(self._error)
        self._submit = Submit()
        self._submit_ref = ctypes.byref(self._submit)
        self._size = ctypes.c_size_t()
        self._size_ref = ctypes.byref(self._size)
        self._wake_r, self._wake_w = -1, -1
        if handle is None:
            c_uri = None if uri is None else c_string(uri, "the URI of an instance")
            self._handle = lib.hbatch_open(c_uri, self._error_ref)
            if not self._handle:
                raise ConnectError(self._error.text, self._error.code)
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.fd = lib.hbatch_fd(self._handle)
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)
        self._poll.register(self._wake_r, select.POLLIN)
        #: asyncio: called when something was posted and must be sent.
        self.on_posted: Optional[Callable[[], None]] = None
        _channels.add(self)

    # --- posting ---------------------------------------------------------------------------

    def _begin(self, handler: Handler) -> int:
        """With the lock held."""
        if self._lost:
            raise self.lost_again()
        self._last_tag += 1
        self._handlers[self._last_tag] = handler
        return self._last_tag

    def lost_again(self) -> HbatchError:
        """A new exception that says why it was lost."""
        assert self._lost
        return type(self._lost)(self._lost.text, self._lost.code)

    def _refused(self, tag: int) -> HbatchError:
        del self._handlers[tag]
        return request_error(self._error.code, self._error.text)

    def _posted(self) -> None:
        self._dirty = True
        if self._sleeping:
            self._sleeping = False
            os.write(self._wake_w, b"\0")
        if self.on_posted:
            self.on_posted()

    def post(self, method: str, params: Optional[Dict[str, Any]], handler: Handler) -> int:
        """Post a request; HANDLER gets its answer."""
        text = None if params is None else dumps(params, "the request")
        name = c_string(method, "the method")
        with self._lock:
            tag = self._begin(handler)
            if lib.hbatch_post(self._handle, tag, name, text, self._error_ref) < 0:
                raise self._refused(tag)
        self._posted()
        return tag

    # pylint: disable=too-many-arguments
    def post_submit(
        self,
        spec: bytes,
        env: Optional[bytes],
        handler: Handler,
        urgency: int = -1,
        flags: Optional[bytes] = None,
        cc: Optional[bytes] = None,
        tell: int = 0,
    ) -> int:
        """Post a submission."""
        with self._lock:
            tag = self._begin(handler)
            s = self._submit
            s.urgency, s.flags, s.cc, s.environment = urgency, flags, cc, env
            if lib.hbatch_post_submit(self._handle, tag, spec, self._submit_ref, tell, self._error_ref) < 0:
                raise self._refused(tag)
        self._posted()
        return tag

    def post_follow(self, first: int, count: int, tell: int, handler: Handler) -> int:
        """Post that HANDLER is to be told of jobs."""
        with self._lock:
            tag = self._begin(handler)
            if lib.hbatch_post_follow(self._handle, tag, first, count, tell, self._error_ref) < 0:
                raise self._refused(tag)
        self._posted()
        return tag

    def unpost(self, tag: int) -> None:
        """Nothing more is to be told under TAG."""
        with self._lock:
            if self._handlers.pop(tag, None) and not self._lost:
                lib.hbatch_unpost(self._handle, tag)
        self._posted()

    def take_back(self, tag: int) -> bool:
        """Do not send the submission TAG, if it was not sent yet: True, and nothing is told of it."""
        with self._lock:
            if self._lost or not lib.hbatch_take_back(self._handle, tag):
                return False
            self._handlers.pop(tag, None)
            return True

    def stdin(self, jobid: int, tasks: Optional[bytes], data: bytes, end: bool) -> None:
        """Send DATA to the standard input of tasks."""
        with self._lock:
            if self._lost:
                raise self.lost_again()
            rc = lib.hbatch_stdin(self._handle, jobid, tasks, data, len(data), end, self._error_ref)
            if rc < 0:
                raise ConnectionLost(self._error.text, self._error.code)
        self._posted()

    # --- the pump ---------------------------------------------------------------------------

    def receive(self) -> bool:
        """As the pump: send and receive what there is, and give it to the handlers. True: something came."""
        with self._lock:
            text = self._receive_locked()
        if text:
            self._inbox.extend(_scan(text, 0)[0])
        any_came = bool(self._inbox)
        self._deliver()
        if self._lost:
            self._tell_lost()
        return any_came

    def _receive_locked(self) -> Optional[str]:
        """One reading of the socket: poll tells if there is more."""
        if self._lost:
            return None
        self._dirty = False
        rc = lib.hbatch_dispatch(self._handle, 0, self._error_ref)
        text = lib.hbatch_take(self._handle, self._size_ref)
        told = ctypes.string_at(text, self._size.value).decode("utf-8", "replace") if text else None
        if rc < 0:
            self._lost = ConnectionLost(self._error.text, self._error.code)
        return told

    def _deliver(self) -> None:
        inbox, handlers = self._inbox, self._handlers
        while inbox:
            entry = inbox.popleft()
            handler = handlers.get(entry[0])
            if handler and handler(entry):
                handlers.pop(entry[0], None)

    def _tell_lost(self) -> None:
        with self._lock:
            handlers, self._handlers = self._handlers, {}
        for tag, handler in handlers.items():
            handler([tag, "lost", self.lost_again()])

    def _sleep(self, timeout: Optional[float]) -> None:
        """Until something may have come, or was posted."""
        self._sleeping = True
        # Who posts after this line wakes us; who did before has left a mark.
        if self._dirty or self._inbox or self._lost:
            self._sleeping = False
            self._gather()
            return
        ready = self._poll.poll(None if timeout is None else max(0, min(timeout, _LONGEST)) * 1000)
        self._sleeping = False
        if len(ready) > 1 or (ready and ready[0][0] == self._wake_r):
            try:
                os.read(self._wake_r, 4096)
            except BlockingIOError:
                pass
            self._gather()

    def _gather(self) -> None:
        """Another thread that posts much is not to be met at each post: what it posts in a millisecond goes together.
        The first of it goes at once."""
        now = time.monotonic()
        if now < self._gathered + _GATHER and not self._inbox and not self._lost:
            time.sleep(_GATHER)
            now = time.monotonic()
        self._gathered = now

    def wait(self, done: Callable[[], bool], timeout: Optional[float] = None, what: str = "") -> None:
        """Until DONE says so; WaitTimeout after TIMEOUT seconds."""
        timeout = check_timeout(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        me = threading.get_ident()
        while not done():
            left = None if end is None else end - time.monotonic()
            if timeout is not None and left is not None and left <= 0:
                raise WaitTimeout(f"{what or 'the answer'} did not come within {timeout:g} s")
            with self._cond:
                if self._pump_thread not in (None, me):
                    if not done():
                        self._waiters += 1
                        try:
                            self._cond.wait(None if left is None else min(left, _LONGEST))
                        finally:
                            self._waiters -= 1
                    continue
                self._pump_thread = me
                self._pump_depth += 1
            try:
                self._sleep(left)
                self.receive()
                if self._lost and not done():
                    raise self.lost_again()
            finally:
                self._leave_pump()

    def _leave_pump(self) -> None:
        with self._cond:
            self._pump_depth -= 1
            if self._pump_depth == 0:
                self._pump_thread = None
            if self._waiters:
                self._cond.notify_all()

    def run(self, stop: Callable[[], bool]) -> None:
        """Be the pump until STOP says so, which is asked when something came or was posted."""
        me = threading.get_ident()
        with self._cond:
            while self._pump_thread not in (None, me):
                self._waiters += 1
                self._cond.wait()
                self._waiters -= 1
            self._pump_thread = me
            self._pump_depth += 1
        try:
            while not stop() and not self._lost:
                self._sleep(None)
                self.receive()
                if self._waiters:
                    with self._cond:
                        self._cond.notify_all()
            if self._lost:
                self._tell_lost()
        finally:
            self._leave_pump()

    def in_pump(self) -> bool:
        """Whether this thread is the pump: in a callback."""
        return self._pump_thread == threading.get_ident()

    def wake(self) -> None:
        """Have the pump look around."""
        if self._wake_w >= 0:
            try:
                os.write(self._wake_w, b"\0")
            except (BlockingIOError, OSError):
                pass

    def call(self, method: str, params: Optional[Dict[str, Any]] = None, timeout: Optional[float] = None) -> Any:
        """A request, and its result."""
        answer = Answer()
        tag = self.post(method, params, answer)
        self.wait_for([tag], answer.done, timeout, f"the answer to {method}")
        return answer.result()

    def wait_for(self, tags: Iterable[int], done: Callable[[], bool], timeout: Optional[float], what: str) -> None:
        """As wait; who gives up wants nothing more of TAGS."""
        try:
            self.wait(done, timeout, what)
        except BaseException:
            for tag in tags:
                self.unpost(tag)
            raise

    # --- the end ----------------------------------------------------------------------------

    @property
    def lost(self) -> Optional[HbatchError]:
        return self._lost

    def close(self) -> None:
        """End the connection: who waits on it gets ConnectionClosed."""
        with self._lock:
            if self._handle is None:
                return
            if not isinstance(self._lost, ConnectionClosed):
                self._lost = ConnectionClosed("the connection to the instance was closed")
        self.wake()
        me = threading.get_ident()
        with self._cond:
            if self._pump_thread == me:  # in a callback: nothing more is received
                return
            while self._pump_thread is not None:
                self._waiters += 1
                self._cond.wait()
                self._waiters -= 1
        self._tell_lost()
        with self._cond:
            self._cond.notify_all()
        with self._lock:
            handle, self._handle = self._handle, None
            fds, self._wake_r, self._wake_w = (self._wake_r, self._wake_w), -1, -1
        if handle:
            lib.hbatch_close(handle)
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._cond = threading.Condition(threading.Lock())
        self._pump_thread, self._pump_depth, self._waiters = None, 0, 0
        self._handlers = {}
        self._handle = None  # the parent's: not closed, as that would send what it has to send
        self._lost = ConnectionClosed(
            "the connection belongs to the process that this one was forked from: open another one"
        )

    def __del__(self) -> None:
        if sys.is_finalizing():  # who is the pump would never answer
            return
        try:
            self.close()
        except Exception:  # pylint: disable=broad-except
            pass  # at the interpreter's end
