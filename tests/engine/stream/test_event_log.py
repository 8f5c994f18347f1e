"""The bounded log of a watch."""

from bkjob_async.engine.stream.event_log import EventLog
from bkjob_async.model.events import Batch, InSync, Recovered, Trouble
from bkjob_async.model.refs import JobRef, Scope


def batch(sequence: int, size: int = 1) -> Batch:
    """Return a batch of so many events."""
    return Batch(sequence, tuple(InSync() for _ in range(size)))


def test_batches_are_found_by_place() -> None:
    """Places count from the beginning, whatever has fallen off."""
    log = EventLog(limit=3)
    for n in range(5):
        log.append(batch(n))

    assert (log.first, log.end) == (2, 5)
    assert [log.batch_at(n).sequence for n in range(log.first, log.end)] == [2, 3, 4]


def test_the_newest_batch_is_kept_however_large() -> None:
    """A poll with more events than the bound is still kept whole."""
    log = EventLog(limit=3)
    log.append(batch(1))
    log.append(batch(2, size=10))

    assert (log.first, log.end) == (1, 2)


def test_the_last_word_on_trouble_outlives_its_batch() -> None:
    """No later state would show that polling works again; of what is not watched nothing is kept."""
    watched, dropped = JobRef(Scope.biz(2), 1), JobRef(Scope.biz(2), 2)
    log = EventLog(limit=1, is_watched=lambda ref: ref == watched)
    log.append(Batch(1, tuple(Trouble(ref=ref, error="x", message="x") for ref in (watched, dropped))))
    log.append(Batch(2, (Recovered(ref=watched),)))
    log.append(batch(3))

    assert [type(signal) for signal in log.signals(0)] == [Recovered]
    assert [type(signal) for signal in log.signals(2)] == []
    log.discard_signals(watched)
    assert list(log.signals(0)) == []


def test_a_batch_is_found_by_its_number() -> None:
    """Numbers have gaps where polls revealed nothing for this watch; what has left the log is not found."""
    log = EventLog(limit=4)
    for number in (2, 3, 5, 9, 10, 14):
        log.append(batch(number))
    found = [log.batch_numbered(number) for number in range(16)]

    assert [batch.sequence for batch in found if batch is not None] == [5, 9, 10, 14]
    assert [log.position_after(number) for number in (0, 5, 8, 14)] == [2, 3, 3, 6]
