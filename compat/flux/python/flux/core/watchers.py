# SPDX-License-Identifier: BSD-3-Clause
"""Timers, descriptors and signals, whose callbacks run in Flux.reactor_run()."""
import errno
import heapq
import os
import select
import signal
import time

from ..constants import FLUX_POLLERR, FLUX_POLLIN, FLUX_POLLOUT


class Watcher:
    """Of a handle; a context manager that starts and stops it."""

    def __init__(self, flux_handle, callback, args):
        self.flux_handle, self.callback, self.args = flux_handle, callback, args
        self.running = False

    def start(self):
        self.running = True
        self.flux_handle.watchers.add(self)
        return self

    def stop(self):
        self.running = False
        self.flux_handle.watchers.discard(self)
        return self

    destroy = stop

    def ref(self):
        return self

    def unref(self):
        """The reactor does not run on for it alone."""
        self.flux_handle.unreferenced.add(self)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class TimerWatcher(Watcher):
    """Calls CALLBACK(handle, watcher, 0, args) after AFTER seconds, and each REPEAT seconds from then on."""

    def __init__(self, flux_handle, after, callback, repeat=0, args=None):
        super().__init__(flux_handle, callback, args)
        if after < 0 or repeat < 0:
            raise OSError(errno.EINVAL, "a timer cannot be before now")
        self.after, self.repeat = after, repeat

    def start(self):
        if not self.running:
            self._push(self.after)
        return super().start()

    def stop(self):
        self.flux_handle.timers[:] = [t for t in self.flux_handle.timers if t[2] is not self]
        heapq.heapify(self.flux_handle.timers)
        return super().stop()

    def reset(self, after=None, repeat=None):
        """Begin anew."""
        self.stop()
        self.after = self.after if after is None else after
        self.repeat = self.repeat if repeat is None else repeat
        self.start()

    def _push(self, seconds):
        heapq.heappush(self.flux_handle.timers, (time.monotonic() + seconds, id(self), self))

    def fire(self):
        """By the reactor."""
        if self.repeat > 0:
            self._push(self.repeat)
        else:
            self.stop()
        self.callback(self.flux_handle, self, 0, self.args)


class FDWatcher(Watcher):
    """Calls CALLBACK(handle, watcher, fd, events, args) when there is something to do."""

    def __init__(self, flux_handle, fd_int, events, callback, args=None):
        super().__init__(flux_handle, callback, args)
        self.fd_int = fd_int.fileno() if hasattr(fd_int, "fileno") else fd_int
        self.events = FLUX_POLLIN if events is None else events

    @property
    def mask(self):
        """As of poll()."""
        return (select.POLLIN if self.events & FLUX_POLLIN else 0) | (select.POLLOUT if self.events & FLUX_POLLOUT else 0)

    def fire(self, revents):
        """By the reactor."""
        told = (FLUX_POLLIN if revents & (select.POLLIN | select.POLLHUP) else 0) & self.events
        told |= (FLUX_POLLOUT if revents & select.POLLOUT else 0) | (FLUX_POLLERR if revents & select.POLLERR else 0)
        self.callback(self.flux_handle, self, self.fd_int, told, self.args)


class SignalWatcher(FDWatcher):
    """Calls CALLBACK(handle, watcher, signal, args) for a signal; started in the main thread only."""

    def __init__(self, flux_handle, signal_int, callback, args=None):
        if not 1 <= signal_int < signal.NSIG:
            raise OSError(errno.EINVAL, f"there is no signal {signal_int}")
        super().__init__(flux_handle, -1, FLUX_POLLIN, callback, args)
        self.signal_int = signal_int
        self._before, self._write = None, -1

    def start(self):
        if not self.running:
            self.fd_int, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                self._before = signal.signal(self.signal_int, lambda *_: os.write(self._write, b"\0"))
            except (OSError, ValueError):
                self._close()
                raise
        return super().start()

    def stop(self):
        if self.running:
            signal.signal(self.signal_int, self._before if self._before is not None else signal.SIG_DFL)
            self._close()
        return super().stop()

    destroy = stop

    def _close(self):
        os.close(self.fd_int)
        os.close(self._write)
        self.fd_int = self._write = -1

    def fire(self, revents):
        os.read(self.fd_int, 4096)
        self.callback(self.flux_handle, self, self.signal_int, self.args)


class _TurnWatcher(Watcher):
    """Of each turn of the reactor."""

    def __init__(self, flux_handle, callback=None, args=None):
        super().__init__(flux_handle, callback, args)

    def fire(self):
        """By the reactor."""
        if self.callback:
            self.callback(self.flux_handle, self, 0, self.args)


class PrepareWatcher(_TurnWatcher):
    """Before the reactor waits."""


class CheckWatcher(_TurnWatcher):
    """After it has waited."""


class IdleWatcher(_TurnWatcher):
    """While there is one, the reactor does not wait."""
