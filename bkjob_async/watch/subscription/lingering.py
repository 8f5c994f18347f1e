"""Keep a watch open for a while after all its targets are over, and decide its last polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from attrs import define, field

from bkjob_async.model.refs import JobRef
from bkjob_async.watch.cooperative import CooperativeIterator

# Seconds between polls of a target that is over, while a watch lingers.
REVISIT_INTERVAL = 10.0
# A watch waits this many seconds for its last polls; then it ends although some of them were not answered.
MAX_SECONDS = 10.0


@define(eq=False)
class Lingering:
    """Ends a watch when all its targets have been over for so many *seconds* and are still over in one poll more.

    It lingers without end for None. *poll_again* polls one of the *jobs* once more and returns the round of requests that
    shows the present, None if the job is not polled; `awaited` is the round that each job waits for. Then *end* is called.
    """

    seconds: float | None
    jobs: Callable[[], Iterable[JobRef]] = field(kw_only=True)
    poll_again: Callable[[JobRef], int | None] = field(kw_only=True)
    end: Callable[[], None] = field(kw_only=True)
    awaited: dict[JobRef, int] = field(factory=dict, init=False)
    # Until the last polls, and then until they have taken too long.
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _requesting: CooperativeIterator = field(factory=CooperativeIterator, init=False)
    _all_requested: bool = field(default=False, init=False)

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
            awaited = self.poll_again(job)
            if awaited is not None:
                self.awaited[job] = awaited
            yield
        self._all_requested = True
        if not self.awaited:
            self.end()

    def on_round(self, job: JobRef, last_round: int) -> None:
        """Record which round of requests about *job* was the last that was answered completely."""
        if self.awaited.get(job, last_round + 1) <= last_round:
            del self.awaited[job]
