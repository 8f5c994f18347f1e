"""What a reader is given in place of records that are gone: what it has missed, and nothing that it has had."""

from __future__ import annotations

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.journal.follow import present_batches
from bkjob_async.model.events import Batch, Event, InSync, Lost, LostReason, Recovered, Trouble
from tests.engine.poll_views import JOB

TROUBLE = Trouble(ref=JOB, error="PlatformTrouble", message="no answer", cursor="2-c.1")
LOST = Lost(ref=JOB, reason=LostReason.GONE, cursor="3-c.1")
OUTAGE = Trouble(ref=None, error="TransportFailed", message="refused", cursor="4-c.1")
RECOVERED = Recovered(ref=None, cursor="5-c.1")


def folded(*events: Event) -> Fold:
    """Return the fold of a fleet of one job that reported these events, a record each, from number 2 on."""
    fold = Fold()
    fold.apply(encode_record(1, time=0.0, term=1, client="c", targets=[(JOB, True)]))
    for number, event in enumerate(events, 2):
        batch = Batch(number, (event,), f"{number}-c")
        fold.apply(encode_record(number, time=0.0, term=1, client="c", batch=batch))
    again = Fold()
    for part in fold.parts():
        again.load(part)
    return again


def kinds(fold: Fold, since: int, cursor: str) -> list[tuple[str, bool | None]]:
    """Return the events that a reader is given, and which of them are marked."""
    batches = present_batches(fold, since, cursor)
    return [(e.kind, getattr(e, "skipped", None)) for batch in batches for e in batch.events]


def test_trouble_and_loss_are_reported_to_those_who_missed_them() -> None:
    """And to nobody a second time."""
    fold = folded(TROUBLE, LOST)

    assert kinds(fold, 2, "1-c") == [("lost", None), ("trouble", True)]
    assert kinds(fold, 3, "2-c") == [("lost", None)]
    assert kinds(fold, 4, "3-c") == []


def test_the_end_of_an_outage_is_reported_to_those_who_know_of_it() -> None:
    """A reader that begins is given what matters now."""
    fold = folded(TROUBLE, LOST, OUTAGE, RECOVERED)

    assert ("recovered", True) in kinds(fold, 5, "4-c")
    assert "recovered" not in [kind for kind, _ in kinds(fold, 1, "")]
    assert kinds(fold, 1, "")[-1] == (InSync.kind, None)
    assert fold.facts.outage is None
    assert folded(TROUBLE, LOST, OUTAGE).facts.outage is not None
