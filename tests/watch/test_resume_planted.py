"""The histories of several lives find every bug that is planted in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from msgspec.structs import replace

from bkjob_async.engine.delivery import target_delivery
from bkjob_async.engine.delivery.unseen_hosts import UnseenHosts
from bkjob_async.engine.folding.diff import diff
from bkjob_async.engine.journaling import jobs, records
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import HostNamesForm, StepFacts
from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalDamaged
from bkjob_async.journal.fleet_row import FleetRow
from bkjob_async.journal.store import Page
from bkjob_async.model.base_error import UsageError
from bkjob_async.watch.journaling.restored_fleet import RestoredFleet
from bkjob_async.watch.stream.stored_history import StoredHistory
from bkjob_async.watch.stream.target_states import TargetStates
from tests.watch.planted_faults import Patch, forget_hosts, is_found, show_before_storing
from tests.watch.resume_histories import Resumption, resumptions
from tests.watch.resume_run import run

pytestmark = pytest.mark.deep


def report_the_present_again(patch: Patch) -> None:
    """Restore nothing: every host is reported as at first sight."""
    patch.setattr(RestoredFleet, "job_of", lambda *_: None)


def lose_details(patch: Patch) -> None:
    """Keep no details of failed hosts, and no times of steps."""
    patch.setattr(records, "facts_of_step", lambda _: StepFacts())
    patch.setattr(records, "failures_among", lambda *_: [])


def forget_places_within_batches(patch: Patch) -> None:
    """Take the cursor of an event for that of its batch."""
    position = StoredHistory.position
    patch.setattr(StoredHistory, "position", lambda *a: CursorPosition(position(*a).sequence, None))


def lose_hosts_in_checkpoints(patch: Patch) -> None:
    """Write checkpoints without hosts."""
    table_form = jobs.table_form

    def empty(step: Any) -> Any:
        form = table_form(step)
        return replace(form, hosts=HostNamesForm(0, b""), codes=None, befores=None, sequences=0, failures=[])

    patch.setattr(jobs, "table_form", empty)


def forget_trouble(patch: Patch) -> None:
    """Keep neither trouble nor its end."""
    patch.setattr(Fold, "_note_signal", lambda *_: None)


def hide_what_others_saw(patch: Patch) -> None:
    """Report no difference to the record where another watch follows the job."""
    patch.setattr(
        target_delivery,
        "diff",
        lambda reported, *a, **k: () if isinstance(reported, JobState) else diff(reported, *a, **k),
    )


def append_what_was_stored_again(patch: Patch) -> None:
    """Read on from the beginning of the record in every life."""
    patch.setattr(StoredHistory, "position", lambda *_: CursorPosition(0, None))


def let_older_terms_write(patch: Patch) -> None:
    """Store what a process writes whose fleet was taken over, wherever the head is."""
    patch.setattr(FleetRow, "check_term", lambda *_: None)
    patch.setattr(FleetRow, "has_all", lambda *_: False)


def hide_what_was_removed(patch: Patch) -> None:
    """Let readers go on behind records that are gone as if there had been none."""
    read = StoredHistory._read

    async def as_if_whole(self: StoredHistory, after: int) -> Page:
        return replace(await read(self, after), removed_to=0)

    patch.setattr(StoredHistory, "_read", as_if_whole)


def count_nothing_before_it_is_read(patch: Patch) -> None:
    """Count no hosts that were recorded, before another change of their job."""
    joined = TargetStates.total_counts

    def count(self: TargetStates) -> Any:
        is_read = all(
            state is None or state.seen_at is not None
            for state in map(self.state, self.targets.copy_of_jobs())
        )
        return joined(self) if is_read else {}

    patch.setattr(TargetStates, "total_counts", count)


def count_what_is_shown_alone(patch: Patch) -> None:
    """Count no hosts that were recorded, and that the present state does not have."""
    patch.setattr(UnseenHosts, "counts", lambda *_: Counter())


def with_companion(history: Resumption) -> Resumption:
    """Return a history in which another watch follows the same jobs."""
    return evolve(history, companion=history.companion or ("job",))


def with_checkpoints(history: Resumption) -> Resumption:
    """Return a history with many checkpoints."""
    return evolve(history, checkpoints=True)


KINDS: dict[Callable[[Patch], None], Any] = {
    hide_what_others_saw: resumptions.map(with_companion),
    lose_hosts_in_checkpoints: resumptions.map(with_checkpoints),
    hide_what_was_removed: resumptions.map(with_checkpoints),
    count_what_is_shown_alone: resumptions.map(with_companion),
}
PLANTED: tuple[Callable[[Patch], None], ...] = (
    report_the_present_again,
    forget_hosts,
    show_before_storing,
    lose_details,
    forget_places_within_batches,
    lose_hosts_in_checkpoints,
    forget_trouble,
    hide_what_others_saw,
    append_what_was_stored_again,
    let_older_terms_write,
    hide_what_was_removed,
    count_nothing_before_it_is_read,
    count_what_is_shown_alone,
)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_histories_find(
    plant: Callable[[Patch], None], monkeypatch: Patch, loop_errors: list[Any]
) -> None:
    """Every planted bug breaks a promise in some history."""
    plant(monkeypatch)

    # A reader's cursor may be refused, or records be out of order.
    assert is_found(KINDS.get(plant, resumptions), run, most=1500, errors=(UsageError, JournalDamaged))
    loop_errors.clear()
