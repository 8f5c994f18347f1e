"""What the check of a stream keeps: its cursors, and when each target was added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field

from bkjob_async.model.events import Batch
from bkjob_async.model.refs import Ref


@define
class Cursors:
    """The cursors of the last batch of a stream; at first the one from which its reader began."""

    _known: tuple[str, ...]

    def errors_in(self, batch: Batch) -> Iterator[str]:
        """Yield the events with a cursor of another batch, or one that is not after that of the last event.

        In a present state that replaces missed events, all events but the last have the cursor from before
        it.
        """
        known, self._known = self._known, (batch.cursor, *(event.cursor for event in batch.events[-1:]))
        if all(event.cursor in known for event in batch.events[:-1]):
            known = (batch.cursor, *known)
        else:
            known = (batch.cursor,)
        last = 0
        for event in batch.events:
            start, _, index = event.cursor.partition(".")
            if event.cursor in known:
                continue
            if start != batch.cursor.partition(".")[0]:
                yield f"{event} has a cursor of another batch"
            elif int(index) <= last:
                yield f"{event} has a cursor that is not after that of the event before it"
            else:
                last = int(index)


@define
class WatchStarts:
    """The seconds at which each job and step came to be watched, and which of them a stream has reached."""

    times: Mapping[Ref, Sequence[float]]
    _reached: Counter[Ref] = field(factory=Counter)

    def is_repeated(self, ref: Ref | None) -> bool:
        """Return True if a target was dropped, and watched again."""
        return ref is not None and len(self.times.get(ref, ())) > 1

    def again(self, ref: Ref) -> bool:
        """Advance to the next time at which *ref* came to be watched; return False if there is none."""
        if self._reached[ref] + 1 >= len(self.times.get(ref, ())):
            return False
        self._reached[ref] += 1
        return True

    def at(self, ref: Ref) -> float | None:
        """Return when *ref* came to be watched, as far as the stream has reached; None where it is unknown."""
        times = self.times.get(ref, ())
        return times[self._reached[ref]] if times else None
