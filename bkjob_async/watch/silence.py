"""AnnouncedState that a target has not been seen for long, by one timer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator

from bkjob_async.watch.cooperative import CooperativeLoop
from bkjob_async.watch.error_reporting import longest_silence
from bkjob_async.watch.subscribers import NOBODY, PollTarget

# Seconds between two rounds, and how many stories are looked through at a time.
EVERY, AT_A_TIME = 10.0, 64
DONE = object()


class SilenceTimer:
    """Goes through all *stories* every ten seconds and calls *tell* for each that is stalled and was not said to be.

    A story is stalled when nothing was seen of it for a minute (five *intervals*, if that is longer) although a look at
    it is overdue, under way, or failed: *is_held_up* tells.
    """

    def __init__(
        self,
        stories: Collection[PollTarget],
        *,
        interval: float | None,
        is_held_up: Callable[[PollTarget, float], bool],
        tell: Callable[[PollTarget, float], None],
    ) -> None:
        """Prepare; nothing happens before `start`."""
        self._stories = stories
        self._longest = longest_silence(interval)
        self._is_held_up = is_held_up
        self._tell = tell
        # Since when targets wait that were never asked about; few do for long.
        self._unasked: dict[PollTarget, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._round: Iterator[None] = iter(())
        self._slices = CooperativeLoop(lambda: next(self._round, DONE) is not DONE)

    def start(self) -> None:
        """Begin, unless it is under way; it stops by itself when there is no story."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._on_timer)

    def stop(self) -> None:
        """End; harmless when repeated."""
        self._round = iter(())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if not self._stories:
            return
        self.start()
        self._round = self._go_through(tuple(self._stories), asyncio.get_running_loop().time())
        self._slices.go()

    def _go_through(self, stories: tuple[PollTarget, ...], now: float) -> Iterator[None]:
        before, self._unasked = self._unasked, {}
        for number, story in enumerate(stories):
            if number % AT_A_TIME == 0:
                yield
            since = story.seen_at if story.seen_at is not None else story.first_asked_at
            if since is None:
                since = self._unasked[story] = before.get(story, now)
            if now - since < self._longest or story.poll_failures.stalled or story.audience == NOBODY:
                continue
            if not story.all_settled(now) and self._is_held_up(story, now):
                self._tell(story, now - since)
