"""When each target came to be watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import define, field

from bkjob_async.model.refs import Ref


@define
class WatchStarts:
    """The seconds at which each job and step came to be watched, and how many of these a stream has reached."""

    times: Mapping[Ref, Sequence[float]]
    _reached: Counter[Ref] = field(factory=Counter)

    def is_repeated(self, ref: Ref | None) -> bool:
        """Whether a target was dropped, and watched anew."""
        return ref is not None and len(self.times.get(ref, ())) > 1

    def again(self, ref: Ref) -> bool:
        """Go on to the next time at which *ref* came to be watched; return whether there is one."""
        if self._reached[ref] + 1 >= len(self.times.get(ref, ())):
            return False
        self._reached[ref] += 1
        return True

    def at(self, ref: Ref) -> float | None:
        """Return when *ref* came to be watched, as far as the stream has got; None where nobody said."""
        times = self.times.get(ref, ())
        return times[self._reached[ref]] if times else None
