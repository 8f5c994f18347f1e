"""One watch's stream: whole batches in order, a bounded tail, a place for each reader."""

from __future__ import annotations

from collections import deque

from bkjob_async.model.events import Batch


class Log:
    """Batches in order; the oldest fall off when more than *limit* events are held.

    A reader's place is the number of batches before it, so a slow reader costs nothing. `first` is the place of the
    oldest batch still held, `end` the place after the newest.
    """

    __slots__ = ("_batches", "_events", "_limit", "first")

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._batches: deque[Batch] = deque()
        self._events = 0
        self.first = 0

    @property
    def end(self) -> int:
        """The place after the newest batch."""
        return self.first + len(self._batches)

    def append(self, batch: Batch) -> None:
        """Add *batch*, and let go of the oldest beyond the limit."""
        self._batches.append(batch)
        self._events += len(batch.events)
        while self._events > self._limit and len(self._batches) > 1:
            self._events -= len(self._batches.popleft().events)
            self.first += 1

    def at(self, place: int) -> Batch | None:
        """Return the batch at *place*, None at the end; a place before `first` is gone."""
        return self._batches[place - self.first] if self.first <= place < self.end else None
