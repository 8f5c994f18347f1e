"""The places in the stream that events name."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define

from bkjob_async.model.events import Batch


@define
class Cursors:
    """The cursors that the last batch of a stream had; at first the one that its reader began behind."""

    _known: tuple[str, ...]

    def wrong_in(self, batch: Batch) -> Iterator[str]:
        """Yield which events have another cursor than the batch's, or one that is not behind the event before.

        In a present that stands for what was missed, all events but the last have the cursor from before it.
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
            if start != batch.cursor:
                yield f"{event} has a cursor of another batch"
            elif int(index) <= last:
                yield f"{event} has a cursor that is not behind the event before it"
            else:
                last = int(index)
