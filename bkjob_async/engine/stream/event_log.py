"""One watch's stream: whole batches in order, a bounded tail, a place for each reader."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator

from bkjob_async.engine.stream.lazy_events import LazyEventList, parts_of
from bkjob_async.model.events import Batch, Recovered, Trouble
from bkjob_async.model.refs import Ref

# How many events a reader may fall behind before it gets the newest of each host instead; at about 330 bytes each.
LIMIT = 32_768

# How many of the newest batches may wait for their first reader as they came.
UNREAD = 16


class Log:
    """Batches in order; the oldest fall off when more than *limit* events are held.

    A reader's place is the number of batches before it, so a slow reader costs nothing. `first` is the place of the
    oldest batch still held, `end` the place after the newest, `forgotten` the sequence number of the newest that fell
    off (0: none did). Of what fell off, the newest word on each target's trouble is kept, because no later state would
    tell it, while *keeps* says that the target is watched.
    """

    __slots__ = ("_batches", "_events", "_keeps", "_limit", "_signals", "first", "forgotten")

    def __init__(self, limit: int = LIMIT, *, keeps: Callable[[Ref], bool] = lambda _ref: True) -> None:
        self._limit = limit
        self._keeps = keeps
        self._batches: deque[Batch] = deque()
        self._events = 0
        self.first = 0
        self.forgotten = 0
        self._signals: dict[Ref | None, tuple[int, Trouble | Recovered]] = {}

    @property
    def end(self) -> int:
        """The place after the newest batch."""
        return self.first + len(self._batches)

    def append(self, batch: Batch) -> None:
        """Add *batch*, and let go of the oldest beyond the limit."""
        self._batches.append(batch)
        self._events += len(batch.events)
        self._make_events()
        while self._events > self._limit and len(self._batches) > 1:
            oldest = self._batches.popleft()
            self._events -= len(oldest.events)
            self.first += 1
            self.forgotten = oldest.sequence
            self._signals.update(
                (ref, signal) for ref, signal in signals_in(oldest) if ref is None or self._keeps(ref)
            )

    def _make_events(self) -> None:
        """Make the events of a batch that is no longer new: unread it holds on to a whole answer."""
        if len(self._batches) > UNREAD:
            events = self._batches[-1 - UNREAD].events
            if isinstance(events, LazyEventList):
                events.told()

    def at(self, place: int) -> Batch | None:
        """Return the batch at *place*, None at the end; a place before `first` is gone."""
        number = place - self.first
        return self._batches[number] if 0 <= number < len(self._batches) else None

    def place_after(self, sequence: int) -> int:
        """Return the place of the first held batch with a larger number than *sequence*."""
        return self.first + bisect_right(self._batches, sequence, key=lambda batch: batch.sequence)

    def of(self, sequence: int) -> Batch | None:
        """Return the batch with the number *sequence*, None where it is not held."""
        batch = self.at(self.place_after(sequence - 1))
        return batch if batch is not None and batch.sequence == sequence else None

    def forget(self, ref: Ref) -> None:
        """Keep no word on *ref*: nobody watches it any more."""
        self._signals.pop(ref, None)

    def signals(self, since: int) -> Iterator[Trouble | Recovered]:
        """Yield the newest word on each target's trouble, as far as it stood in a batch after *since*."""
        newest = dict(self._signals)
        for batch in self._batches:
            newest.update(signals_in(batch))
        yield from (signal for sequence, signal in newest.values() if sequence > since)


def signals_in(batch: Batch) -> Iterator[tuple[Ref | None, tuple[int, Trouble | Recovered]]]:
    """Yield what a batch says of trouble, by target."""
    for event in parts_of(batch.events):
        if isinstance(event, Trouble | Recovered):
            yield event.ref, (batch.sequence, event)
