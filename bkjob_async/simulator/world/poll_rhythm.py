"""When the platform itself learns what hosts did: its engine's own polls.

Source: bk-job's ScriptTaskResultHandleScheduleStrategy and FileTaskResultHandleScheduleStrategy.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from attrs import field, frozen


@frozen
class Rhythm:
    """The moments of the engine's polls after a start: *polls* of (how many, how far apart), then every *last*."""

    polls: tuple[tuple[int, float], ...]
    last: float
    moments: tuple[float, ...] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Add the polls up, once."""
        start_delay = (wait for count, wait in self.polls for _ in range(count))
        object.__setattr__(self, "moments", tuple(accumulate(start_delay)))

    def after(self, seconds: float) -> float:
        """Return the first poll not before *seconds* after the start."""
        moments = self.moments
        if not moments or seconds > moments[-1]:
            start = moments[-1] if moments else 0.0
            polls = -(-(seconds - start) // self.last)
            return start + polls * self.last
        return moments[bisect_left(moments, seconds)]


SCRIPT_RHYTHM = Rhythm(((10, 1.0), (25, 2.0), (53, 5.0)), 10.0)
FILE_RHYTHM = Rhythm(((2, 1.0), (9, 2.0), (56, 5.0)), 10.0)


@frozen
class AtOnce:
    """An engine that knows everything at once, for stories told to the second."""

    def after(self, seconds: float) -> float:
        """Return *seconds* as they are."""
        return seconds
