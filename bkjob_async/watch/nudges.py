"""How often callbacks may make a watch look."""

from __future__ import annotations

import asyncio

from bkjob_async.model.refs import Ref
from bkjob_async.watch.watch import Watch

# Seconds between two looks at the same target that callbacks ask for.
SPACING = 1.0
# From so many targets on, those that were last nudged long ago are forgotten now and then.
MANY = 1024


class Nudges:
    """Nudges of one watch by callbacks: each target at most once a second.

    What comes sooner is not lost: the target is looked at once more when its second is over.
    """

    __slots__ = ("_forget_at", "_times")

    def __init__(self) -> None:
        """Nothing was nudged yet."""
        # When each target was nudged last, or will be next.
        self._times: dict[Ref, float] = {}
        self._forget_at = MANY

    def nudge(self, watch: Watch, ref: Ref) -> None:
        """Let *watch* look at *ref*: now, or when a second has passed since the last time."""
        loop = asyncio.get_running_loop()
        now, last = loop.time(), self._times.get(ref)
        if last is None or last + SPACING <= now:
            self._times[ref] = now
            watch.nudge(ref)
            if len(self._times) >= self._forget_at:
                self._forget(now)
        elif last <= now:
            self._times[ref] = last + SPACING
            loop.call_at(last + SPACING, watch.nudge, ref)

    def _forget(self, now: float) -> None:
        self._times = {ref: at for ref, at in self._times.items() if at + SPACING > now}
        self._forget_at = max(MANY, 2 * len(self._times))
