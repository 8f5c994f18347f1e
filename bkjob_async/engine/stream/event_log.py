"""The bounded log of one watch: whole batches in order, read by position."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator

from bkjob_async.model.events import Batch, Recovered, Trouble
from bkjob_async.model.refs import Ref

# A reader may fall so many events behind; then it gets the newest event of each host instead. An event takes about 200
# bytes.
MAX_EVENTS = 32_768
SIGNALS = frozenset({Trouble, Recovered})


class EventLog:
    """Batches in order; the oldest are dropped when the log holds more than *limit* events.

    A position is the number of batches before it, so a slow reader costs nothing. `first` is the position of the oldest
    batch held, `end` the position after the `newest`, `last_dropped` the sequence number of the newest batch dropped (0:
    none was), `event_count` the number of events held. The newest `Trouble` or `Recovered` of each target survives its
    batch, because no later state repeats it; it is kept while *is_watched* accepts the target.
    """

    __slots__ = (
        "_batches",
        "_is_watched",
        "_limit",
        "_signals",
        "end",
        "event_count",
        "first",
        "last_dropped",
        "newest",
    )

    def __init__(
        self, limit: int = MAX_EVENTS, *, is_watched: Callable[[Ref], bool] = lambda _ref: True
    ) -> None:
        self._limit = limit
        self._is_watched = is_watched
        self._batches: deque[Batch] = deque()
        self.newest: Batch | None = None
        self.first = self.end = self.event_count = self.last_dropped = 0
        self._signals: dict[Ref | None, tuple[int, Trouble | Recovered]] = {}

    def append(self, batch: Batch) -> None:
        """Add *batch*, and drop the oldest batches beyond the limit."""
        self._batches.append(batch)
        self.newest = batch
        self.end += 1
        self.event_count += len(batch.events)
        while self.event_count > self._limit and len(self._batches) > 1:
            oldest = self._batches.popleft()
            self.event_count -= len(oldest.events)
            self.first += 1
            self.last_dropped = oldest.sequence
            self._signals.update(
                (ref, signal) for ref, signal in signals_in(oldest) if ref is None or self._is_watched(ref)
            )

    def batch_at(self, position: int) -> Batch:
        """Return the batch at a *position* from `first` to before `end`."""
        return self._batches[position - self.first]

    def position_after(self, sequence: int) -> int:
        """Return the position of the first batch held whose number is larger than *sequence*."""
        return self.first + bisect_right(self._batches, sequence, key=lambda batch: batch.sequence)

    def batch_numbered(self, sequence: int) -> Batch | None:
        """Return the batch with the number *sequence*, None where it is not held."""
        position = self.position_after(sequence - 1)
        batch = self.batch_at(position) if position < self.end else None
        return batch if batch is not None and batch.sequence == sequence else None

    def discard_signals(self, ref: Ref) -> None:
        """Drop the kept signal of a target that is no longer watched."""
        self._signals.pop(ref, None)

    def signals(self, since: int) -> Iterator[Trouble | Recovered]:
        """Yield the newest `Trouble` or `Recovered` of each target, if its batch came after batch *since*."""
        newest = dict(self._signals)
        for batch in self._batches:
            newest.update(signals_in(batch))
        yield from (signal for sequence, signal in newest.values() if sequence > since)


def signals_in(batch: Batch) -> Iterator[tuple[Ref | None, tuple[int, Trouble | Recovered]]]:
    """Yield each `Trouble` and `Recovered` of a batch with its target and the batch's number."""
    if SIGNALS.isdisjoint(map(type, batch.events)):
        return  # as of nearly all batches
    for event in batch.events:
        if isinstance(event, Trouble | Recovered):
            yield event.ref, (batch.sequence, event)
