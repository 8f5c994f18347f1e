"""How long a watch stays open after all its targets are over, and the polls that it makes before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from bkjob_async.model.refs import JobRef
from bkjob_async.watch.subscription.last_polls import LastPolls

REVISIT_INTERVAL = 10.0


class Lingering:
    """Ends a watch when all its targets have been over for some time and are still over in one poll more.

    `last_polls` are those polls, None unless they are made.
    """

    __slots__ = ("_end", "_jobs", "_poll_again", "_seconds", "_timer", "last_polls")

    def __init__(
        self,
        seconds: float | None,
        *,
        jobs: Callable[[], Iterable[JobRef]],
        poll_again: Callable[[JobRef], int | None],
        end: Callable[[], None],
    ) -> None:
        """Linger so many *seconds*, without end for None; then poll *jobs* once more, and call *end*."""
        self._seconds = seconds
        self._jobs = jobs
        self._poll_again = poll_again
        self._end = end
        self._timer: asyncio.TimerHandle | None = None
        self.last_polls: LastPolls | None = None

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
        elif not self._seconds or (self.last_polls is not None and self.last_polls.are_done):
            self._end()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._poll_once_more)

    def _poll_once_more(self) -> None:
        self.last_polls = LastPolls(self._poll_again, end=self._end)
        self.last_polls.start(self._jobs())

    def stop(self) -> None:
        """Linger no more; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.last_polls is not None:
            self.last_polls.cancel()
            self.last_polls = None
