"""Keep a watch open for a while after all its targets are over, and decide its last polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct, field

from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.watch.cooperative import CooperativeIterator

# Seconds between polls of a target that is over, while a watch lingers.
REVISIT_INTERVAL = 10.0
# A watch waits this many seconds for its last polls; then it ends although some of them were not answered.
MAX_SECONDS = 10.0


class Lingering(Struct, eq=False):
    """Ends a watch when all its targets have been over for so many *seconds* and are still over in one poll more.

    It lingers without end for None. *read_again* has one of the *jobs* read in requests that are sent after the time
    it returns, None if the job is not polled; `awaited` has this time of each job that was not read yet. Then *end* is called.
    """

    seconds: float | None
    jobs: Callable[[], Iterable[JobRef]]
    read_again: Callable[[JobRef], int | None]
    end: Callable[[], None]
    awaited: dict[JobRef, int] = field(default_factory=dict)
    # Until the last polls, and then until they have taken too long.
    _timer: asyncio.TimerHandle | None = None
    _requesting: CooperativeIterator = field(default_factory=CooperativeIterator)
    _all_requested: bool = False

    def update(self, *, all_over: bool) -> None:
        """Begin to linger if all targets are over, end the watch if it has lingered; stop if one of them is not over."""
        if self.seconds is None:
            return
        if not all_over:
            self.stop()
        elif not self.seconds or (self._all_requested and not self.awaited):
            self.end()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._poll_once_more)

    def stop(self) -> None:
        """Linger no more; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._requesting.cancel()
            self.awaited.clear()
            self._all_requested = False

    # The last polls -------------------------------------------------------------------------------------------------

    def _poll_once_more(self) -> None:
        """Have all jobs polled as soon as possible, asking for that in slices."""
        self._timer = asyncio.get_running_loop().call_later(MAX_SECONDS, self.end)
        self._requesting.start(self._request())

    def _request(self) -> Iterator[None]:
        for job in self.jobs():
            awaited = self.read_again(job)
            if awaited is not None:
                self.awaited[job] = awaited
            yield
        self._all_requested = True
        if not self.awaited:
            self.end()

    def on_read(self, job: JobRef, refs: Iterable[Ref], times: ReadTimes, now: float) -> None:
        """Record when the parts of *job*, of which *refs* are targets, were requested that were answered."""
        since = self.awaited.get(job)
        if since is not None and all(times.shows(ref, since, now) for ref in refs):
            del self.awaited[job]
