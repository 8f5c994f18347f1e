"""Report to observers that a watch was opened, and how it ended."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import WatchClosed, WatchOpened
from bkjob_async.watch.stream.targets import TargetSet


class WatchReports(Struct, eq=False):
    """Reports the opening and the end of the watch with a *number*."""

    observe: ObserverDispatch
    number: int
    _opened_at: float = 0.0

    def opened(self, targets: int) -> None:
        """Report that the watch was opened with so many targets."""
        self._opened_at = asyncio.get_running_loop().time()
        observe = self.observe
        if observe.listens(WatchOpened):
            observe(WatchOpened(client=observe.client, watch=self.number, targets=targets))

    def closed(self, targets: TargetSet, *, events: int, polls: int, error: BaseException | None) -> None:
        """Report that the watch has ended, with an *error* or without."""
        observe = self.observe
        if observe.listens(WatchClosed):
            observe(
                WatchClosed(
                    client=observe.client,
                    watch=self.number,
                    targets=targets.size,
                    over=targets.over,
                    events=events,
                    polls=polls,
                    seconds=asyncio.get_running_loop().time() - self._opened_at,
                    error=None if error is None else type(error).__name__,
                )
            )
