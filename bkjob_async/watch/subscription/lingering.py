"""How long a watch stays open after all its targets are over, and the polls that it makes before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from bkjob_async.model.refs import JobRef
from bkjob_async.watch.cooperative import CooperativeIterator

REVISIT_INTERVAL = 10.0
# A watch waits this many seconds for its last polls; then it ends although some of them were not answered.
MAX_SECONDS = 10.0


class Lingering:
    """Ends a watch when all its targets have been over for some time and are still over in one poll more.

    `awaited` is the round of requests that each job waits for in that poll.
    """

    __slots__ = (
        "_all_requested",
        "_end",
        "_jobs",
        "_poll_again",
        "_requesting",
        "_seconds",
        "_timer",
        "awaited",
    )

    def __init__(
        self,
        seconds: float | None,
        *,
        jobs: Callable[[], Iterable[JobRef]],
        poll_again: Callable[[JobRef], int | None],
        end: Callable[[], None],
    ) -> None:
        """Linger so many *seconds*, without end for None; then poll *jobs* once more, and call *end*.

        *poll_again* returns the round of requests that shows the present, None if a job is not polled.
        """
        self._seconds = seconds
        self._jobs = jobs
        self._poll_again = poll_again
        self._end = end
        # Until the last polls, and then until they have taken too long.
        self._timer: asyncio.TimerHandle | None = None
        self.awaited: dict[JobRef, int] = {}
        self._requesting = CooperativeIterator()
        self._all_requested = False

    @property
    def revisit_interval(self) -> float | None:
        """Seconds between polls of a target that is over, None for no more polls."""
        return REVISIT_INTERVAL if self._seconds else None

    def update(self, *, all_over: bool) -> None:
        """Begin to linger if all targets are over, end the watch if it has lingered; stop if one of them is not over."""
        if self._seconds is None:
            return
        if not all_over:
            self.stop()
        elif not self._seconds or (self._all_requested and not self.awaited):
            self._end()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._poll_once_more)

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
        self._timer = asyncio.get_running_loop().call_later(MAX_SECONDS, self._end)
        self._requesting.start(self._request())

    def _request(self) -> Iterator[None]:
        for job in self._jobs():
            awaited = self._poll_again(job)
            if awaited is not None:
                self.awaited[job] = awaited
            yield
        self._all_requested = True
        if not self.awaited:
            self._end()

    def on_round(self, job: JobRef, last_round: int) -> None:
        """Record which round of requests about *job* was the last that was answered completely."""
        if self.awaited.get(job, last_round + 1) <= last_round:
            del self.awaited[job]
