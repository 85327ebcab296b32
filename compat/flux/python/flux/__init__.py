# SPDX-License-Identifier: BSD-3-Clause
"""The Python interface of Flux, over hbatch: for programs that were written for Flux, in an instance of hbatch.

What there is of it: flux.Flux, flux.job (Jobspec, submit, wait, events, lists, FluxExecutor), flux.constants,
flux.future, flux.uri, flux.resource, flux.idset, flux.hostlist, flux.util.  Of Flux's own messages (Flux.rpc) there are those about jobs that programs send
themselves; what its modules and its KVS are asked for gives OSError, ENOSYS."""
import collections
import errno
import functools
import heapq
import operator
import select
import sys
import time
import weakref

import hbatch

from . import constants
from ._rpc import RPC
from .core.watchers import CheckWatcher, FDWatcher, IdleWatcher, PrepareWatcher, SignalWatcher, TimerWatcher
from .future import Future, oserror, oserrors

__version__ = hbatch.__version__

_LONGEST = 1e6  # s: poll() takes no more than 24 days
_ALWAYS = select.POLLERR | select.POLLHUP | select.POLLNVAL  # told by poll() unasked


def _refuse(what, instead=""):
    def refused(self, *_args, **_kwargs):
        del self
        raise OSError(errno.ENOSYS, f"Flux.{what}: instances of hbatch have no {instead or 'messages of programs'}")

    return refused


class Flux:
    """A handle: a connection to an instance of hbatch, at URL, or where this process is."""

    def __init__(self, url=None, flags=0, handle=None):
        del flags
        try:
            self.instance = handle.instance if handle is not None else hbatch.Instance(url or None)
        except hbatch.HbatchError as e:
            raise oserror(e) from e
        self.channel = self.instance._channel
        self.active = set()  # futures with a callback
        self.due = []
        self.timers = []  # a heap: when, its watcher's id(), the watcher
        self.watchers = set()  # those that are started
        self.unreferenced = weakref.WeakSet()
        self.waitable = {}  # futures of jobs that wait() may be asked about
        self.waited = []
        self._stopped = self._failed = False
        self._attributes = None

    def close(self):
        self.instance.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @oserrors
    def attr_get(self, attr_name):
        """An attribute of the instance, as text."""
        if self._attributes is None:
            self._attributes = self.instance.attributes()
        known = self._attributes
        names = {
            "size": "size",
            "instance-level": "level",
            "local-uri": "uri",
            "rundir": "rundir",
            "parent-uri": "parent_uri",
            "broker.pid": "pid",
            "broker.starttime": "starttime",
            "security.owner": "owner",
            "hostname": "hostname",
        }
        if attr_name == "rank":
            return "0"
        if attr_name == "version":
            return constants.FLUX_VERSION
        if attr_name == "hostlist":
            return ",".join(n["host"] for n in self.instance.resources())
        value = known.get(names.get(attr_name, ""), known.get("attrs", {}).get(attr_name))
        if value is None:
            raise FileNotFoundError(errno.ENOENT, f"there is no attribute '{attr_name}'")
        return str(value)

    def conf_get(self, key=None, default=None, update=False):
        """What the instance's configuration has at KEY ("a.b"), or DEFAULT; without KEY, all of it."""
        del update
        found = self.rpc("config.get").get()
        for part in key.split(".") if key else ():
            if not isinstance(found, dict) or part not in found:
                return default
            found = found[part]
        return found

    def get_rank(self):
        return 0

    def log(self, level, fstring):
        """Written to standard error."""
        del level
        print(fstring, file=sys.stderr)

    def rpc(self, topic, payload=None, nodeid=constants.FLUX_NODEID_ANY, flags=0):
        """A future of the answer; of a service that hbatch has not, OSError, ENOSYS, comes in its place."""
        del nodeid, flags
        return RPC(self, topic, payload)

    def timer_watcher_create(self, after, callback, repeat=0.0, args=None):
        return TimerWatcher(self, after, callback, repeat, args)

    def fd_watcher_create(self, fd_int, callback, events=None, args=None):
        return FDWatcher(self, fd_int, events, callback, args)

    def signal_watcher_create(self, signum, callback, args=None):
        return SignalWatcher(self, signum, callback, args)

    def prepare_watcher_create(self, callback, args=None):
        return PrepareWatcher(self, callback, args)

    def check_watcher_create(self, callback, args=None):
        return CheckWatcher(self, callback, args)

    def idle_watcher_create(self, callback=None, args=None):
        return IdleWatcher(self, callback, args)

    def _turn(self, kind):
        for watcher in [w for w in self.watchers if isinstance(w, kind)]:
            if watcher.running and not self._stopped:
                watcher.fire()

    def _wait(self):
        """Until something may be due."""
        left = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
        if self.due or any(isinstance(w, IdleWatcher) for w in self.watchers):
            left = 0.0
        files = collections.defaultdict(list)
        for watcher in [w for w in self.watchers if isinstance(w, FDWatcher)]:
            files[watcher.fd_int].append(watcher)
        try:
            if not files:
                if not left == 0.0:
                    self.channel.wait(lambda: bool(self.due), left)
                elif not self.due:
                    self.instance.dispatch()
                return
            self.instance.dispatch()  # what was posted is sent before
            poll = select.poll()
            poll.register(self.instance.fileno(), select.POLLIN)
            for fd, of_fd in files.items():
                poll.register(fd, functools.reduce(operator.or_, (w.mask for w in of_fd)))
            ready = poll.poll(0 if self.due else None if left is None else int(min(left, _LONGEST) * 1000) + 1)
            for fd, events in ready:
                for watcher in files.get(fd, ()):
                    told = events & (watcher.mask | _ALWAYS)
                    if told and watcher.running and not self._stopped:
                        watcher.fire(told)
            self.instance.dispatch()
        except hbatch.WaitTimeout:
            pass
        except hbatch.HbatchError as e:
            raise oserror(e) from e

    def _turns(self, done):
        """Run callbacks until DONE says so, or there are none to come: then False."""
        while not self._stopped:
            while self.due and not self._stopped:
                self.due.pop(0).fire()
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now and not self._stopped:
                heapq.heappop(self.timers)[2].fire()
            self._turn((PrepareWatcher, IdleWatcher))
            if self._stopped or done():
                return True
            if not (self.active or self.due or self.watchers - set(self.unreferenced)):
                return False
            self._wait()
            self._turn(CheckWatcher)
        return True

    def run_until(self, done, timeout=-1.0):
        """Run callbacks until DONE says so; TimeoutError after TIMEOUT seconds, OSError if the reactor is stopped before, or
        there are no callbacks to come."""
        before, self._stopped = self._stopped, False
        late = []
        timer = self.timer_watcher_create(timeout, lambda *_: late.append(True)).start() if timeout >= 0 else None
        try:
            if timeout == 0:
                self._wait()  # what is there already counts
            self._turns(lambda: late or done())
            if done():
                return
            if late:
                raise TimeoutError(errno.ETIMEDOUT, f"the future was not fulfilled within {timeout:g} s")
            if self._stopped:
                raise OSError(errno.ECANCELED, "the reactor was stopped before the future was fulfilled")
            raise OSError(errno.EDEADLK, "nothing is to come that could fulfill the future")
        finally:
            if timer:
                timer.stop()
            self._stopped = self._stopped or before  # of a reactor_run around this

    def reactor_run(self, reactor=None, flags=0):
        """Run the callbacks of futures and watchers until there are none to come, or reactor_stop."""
        del reactor, flags
        self._stopped, self._failed = False, False
        self._turns(lambda: False)
        return -1 if self._failed else 0

    def reactor_stop(self, reactor=None):
        del reactor
        self._stopped = True

    def reactor_stop_error(self, reactor=None):
        """As reactor_stop; reactor_run gives -1."""
        self.reactor_stop(reactor)
        self._failed = True

    @property
    def stopped(self):
        """Whether reactor_stop was called."""
        return self._stopped

    def reactor_interrupt(self, *_args):
        self.reactor_stop()

    def future(self, made=lambda answer: answer):
        """A future of this handle's."""
        return Future(self, made)

    send = _refuse("send")
    recv = _refuse("recv")
    respond = _refuse("respond")
    msg_watcher_create = _refuse("msg_watcher_create")
    service_register = _refuse("service_register")
    service_unregister = _refuse("service_unregister")
    event_create = _refuse("event_create")
    event_send = _refuse("event_send")
    event_recv = _refuse("event_recv")
    event_subscribe = _refuse("event_subscribe")
    event_unsubscribe = _refuse("event_unsubscribe")
    attr_set = _refuse("attr_set", "attributes that can be set: they say what it is")
    attr_remove = _refuse("attr_remove", "attributes that can be taken away: they say what it is")


# pylint: disable=wrong-import-position
from . import hostlist, idset, job, kvs, resource, uri, util  # noqa: E402

__all__ = ["Flux", "Future", "constants", "hostlist", "idset", "job", "kvs", "resource", "uri", "util"]
