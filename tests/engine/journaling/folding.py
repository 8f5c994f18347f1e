"""The state of a fleet from the bytes of a journal, at once."""

from collections.abc import Iterable

from bkjob_async.engine.journaling.fold import Fold


def fold(parts: Iterable[bytes], records: Iterable[bytes]) -> Fold:
    """Return the state of a fleet from the parts of a checkpoint and the records behind it."""
    state = Fold()
    for part in parts:
        state.load(part)
    for record in records:
        state.apply(record)
    return state
