# SPDX-License-Identifier: BSD-3-Clause
"""The Python interface of Flux, over hbatch: for programs that were written for Flux, in an instance of hbatch.

What there is of it: flux.Flux, flux.job (Jobspec, submit, wait, events, lists, FluxExecutor), flux.constants,
flux.future, flux.uri, flux.resource.  Of Flux's own messages (Flux.rpc) there are those about jobs that programs send
themselves; what its modules and its KVS are asked for gives OSError, ENOSYS."""
import errno
import heapq
import sys
import time

import hbatch

from . import constants
from ._rpc import RPC
from .future import Future, oserror, oserrors

__version__ = hbatch.__version__


class TimerWatcher:
    """Calls CALLBACK(handle, watcher, 0, args) in the reactor."""

    def __init__(self, handle, after, callback, repeat=0.0, args=None):
        self.handle, self.after, self.callback, self.repeat, self.args = handle, after, callback, repeat, args
        self.running = False

    def start(self):
        self.running = True
        heapq.heappush(self.handle.timers, (time.monotonic() + self.after, id(self), self))
        return self

    def stop(self):
        self.running = False
        return self

    def fire(self):
        if not self.running:
            return
        if self.repeat > 0:
            heapq.heappush(self.handle.timers, (time.monotonic() + self.repeat, id(self), self))
        else:
            self.running = False
        self.callback(self.handle, self, 0, self.args)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


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
        self.timers = []
        self.waitable = {}  # futures of jobs that wait() may be asked about
        self.waited = []
        self._stopped = False
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

    def reactor_run(self, reactor=None, flags=0):
        """Run the callbacks of futures and timers until there are none to come, or reactor_stop."""
        del reactor, flags
        self._stopped = False
        while not self._stopped:
            while self.due and not self._stopped:
                self.due.pop(0).call_back()
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now and not self._stopped:
                heapq.heappop(self.timers)[2].fire()
            self.timers = [t for t in self.timers if t[2].running]
            heapq.heapify(self.timers)
            if self._stopped or not (self.active or self.timers or self.due):
                break
            left = self.timers[0][0] - time.monotonic() if self.timers else None
            try:
                if not self.due:
                    self.channel.wait(lambda: bool(self.due), left)
            except hbatch.WaitTimeout:
                pass
            except hbatch.HbatchError as e:
                raise oserror(e) from e
        return 0

    def reactor_stop(self, reactor=None):
        del reactor
        self._stopped = True

    def reactor_stop_error(self, reactor=None):
        self.reactor_stop(reactor)

    def future(self, made=lambda answer: answer):
        """A future of this handle's."""
        return Future(self, made)


# pylint: disable=wrong-import-position
from . import job, resource, uri  # noqa: E402

__all__ = ["Flux", "Future", "constants", "job", "resource", "uri"]
