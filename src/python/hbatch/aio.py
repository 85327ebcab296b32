# SPDX-License-Identifier: BSD-3-Clause
"""For asyncio: no threads, one descriptor in the loop.

    async with hbatch.aio.AsyncInstance() as inst:
        jobid = await inst.submit(["sleep", "1"])
        async for event in inst.watch(jobid):
            print(event)
        print(await inst.wait(jobid))

An AsyncInstance belongs to the loop in which it was made.  To cancel what awaits takes nothing back; a job is canceled by
cancel()."""
import asyncio
import os
from typing import Any, AsyncIterator, Callable, Dict, Iterable, List, Optional, TypeVar, Union

from ._channel import Channel, check
from ._lib import TELL_END, TELL_EVENTS, TELL_OUTPUT
from .errors import ConnectionClosed, HbatchError, JobNotFound
from .instance import data_of, submit_options
from .jobid import JobID, JobIDLike
from .jobs import JobInfo, JobList, Since, check_text
from .jobspec import JobspecLike, wire_of
from .results import Event, Output, Result, result_from_wait

T = TypeVar("T")


class AsyncInstance:
    """A connection to an instance, for asyncio.  As Instance; what waits is awaited."""

    def __init__(self, uri: Optional[str] = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = Channel(uri)
        self._channel.on_posted = self._posted
        self._fd = os.dup(self._channel.fd)  # which a loop may still have when the connection is closed
        self._loop.add_reader(self._fd, self._ready)
        self._due = False

    def _posted(self) -> None:
        if not self._due:  # all that is posted in this turn goes out together
            self._due = True
            self._loop.call_soon(self._ready)

    def _ready(self) -> None:
        self._due = False
        self._channel.receive()
        if self._channel.lost:
            self._channel._tell_lost()
            self._unwatch()

    def _unwatch(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """End the connection: what is awaited raises ConnectionClosed."""
        self._unwatch()
        self._channel.close()

    async def __aenter__(self) -> "AsyncInstance":
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed or lost."""
        return self._channel.lost is not None

    async def _ask(self, post: Callable[[Callable[[List[Any]], bool]], int], made: Callable[[Any], T]) -> T:
        future: "asyncio.Future[T]" = self._loop.create_future()

        def told(entry: List[Any]) -> bool:
            if not future.done():
                try:
                    future.set_result(made(check(entry)))
                except HbatchError as e:
                    future.set_exception(e)
            return True

        tag = post(told)
        try:
            return await future
        except asyncio.CancelledError:
            self._channel.unpost(tag)
            raise

    async def call(self, method: str, params: Optional[Dict[str, Any]] = None) -> Any:
        """Any request of hbatch-protocol(7): its result."""
        return await self._ask(lambda told: self._channel.post(method, params, told), lambda answer: answer)

    async def submit(
        self,
        jobspec: JobspecLike,
        urgency: Optional[int] = None,
        waitable: bool = False,
        debug: bool = False,
        cc: Optional[Any] = None,
    ) -> JobID:
        """Submit a job; its id.  Many of them are submitted at once by asyncio.gather."""
        options = submit_options(urgency, waitable, debug, cc)
        return await self._ask(
            lambda told: self._channel.post_submit(*wire_of(jobspec), told, *options), lambda answer: JobID(answer[0])
        )

    async def wait(self, jobid: JobIDLike) -> Result:
        """How a job ended, once it has."""
        params = {"id": JobID(jobid)}
        return await self._ask(lambda told: self._channel.post("job.wait", params, told), result_from_wait)

    async def run(self, jobspec: JobspecLike, urgency: Optional[int] = None) -> Result:
        """Submit a job and await its end; the job is canceled when this is."""
        jobid = await self.submit(jobspec, urgency)
        try:
            return await self.wait(jobid)
        except asyncio.CancelledError:
            if not self.closed:
                self._channel.post("job.cancel", {"ids": [jobid]}, lambda entry: True)
            raise

    async def _stream(self, jobid: JobID, tell: int) -> AsyncIterator[List[Any]]:
        queue: "asyncio.Queue[List[Any]]" = asyncio.Queue()
        over = False

        def told(entry: List[Any]) -> bool:
            queue.put_nowait(entry)
            return entry[1] in ("error", "lost", "end")

        tag = self._channel.post_follow(jobid, 1, tell, told)
        try:
            while not over:
                entry = await queue.get()
                over = entry[1] in ("error", "lost", "end")
                if entry[1] in ("error", "lost"):
                    check(entry)
                yield entry
        finally:
            if not over:
                self._channel.unpost(tag)

    async def watch(self, jobid: JobIDLike) -> AsyncIterator[Event]:
        """The events of a job, from the first one on, as they come; ends with the job."""
        async for entry in self._stream(JobID(jobid), TELL_END | TELL_EVENTS):
            if entry[1] == "event":
                yield Event(entry[3], entry[4], entry[5] or {})

    async def output_stream(self, jobid: JobIDLike) -> AsyncIterator[Output]:
        """The output of a job, from its beginning on, as it comes; ends with the job."""
        async for entry in self._stream(JobID(jobid), TELL_END | TELL_OUTPUT):
            if entry[1] == "output":
                yield data_of(entry)

    async def output(self, jobid: JobIDLike, stream: str = "stdout") -> bytes:
        """All that a job wrote to STREAM ("stdout" or "stderr"), once it has ended."""
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"stream must be 'stdout' or 'stderr', not {stream!r}")
        return b"".join([o.data async for o in self.output_stream(jobid) if o.stream == stream])

    async def cancel(self, jobid: JobIDLike, note: Optional[str] = None) -> None:
        """Cancel a job; JobNotFound if it is not there, or over."""
        params: Dict[str, Any] = {"ids": [JobID(jobid)]}
        if note:
            params["note"] = check_text(note, "note")
        for e in (await self.call("job.cancel", params)).get("errors") or ():
            raise JobNotFound(e.get("message", "the job is not active"), 2)

    async def kill(self, jobid: JobIDLike, signal: int = 15) -> None:
        """Send a signal to the tasks of a running job."""
        await self.call("job.kill", {"id": JobID(jobid), "signal": int(signal)})

    async def urgency(self, jobid: JobIDLike, urgency: int) -> int:
        """Set the urgency of a job; the one that it had."""
        submit_options(urgency)
        return int((await self.call("job.urgency", {"id": JobID(jobid), "urgency": urgency}))["old"])

    async def jobs(
        self,
        states: Union[str, Iterable[str], int] = (),
        results: Union[str, Iterable[str], int] = (),
        ids: Iterable[JobIDLike] = (),
        name: Optional[str] = None,
        queue: Optional[str] = None,
        since: Since = None,
        max_entries: int = 1000,
    ) -> List[JobInfo]:
        """The jobs of this instance, newest first, as JobList finds them."""
        question = JobList(None, states, results, ids, name, queue, since, max_entries)  # type: ignore[arg-type]
        return [JobInfo(j) for j in (await self.call("job.list", question.query()))["jobs"]]

    async def resources(self) -> List[Dict[str, Any]]:
        """The nodes."""
        return (await self.call("resource.list"))["nodes"]

    async def attributes(self) -> Dict[str, Any]:
        """What there is to know about the instance."""
        return await self.call("instance.info")


__all__ = ["AsyncInstance", "ConnectionClosed"]
