"""The random histories find a fault in each row of the two tables: what is over, and what is given by what is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis.strategies import SearchStrategy

from bkjob_async.engine.delivery import target_delivery
from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.delivery.reported import SHARED, Frozen, Own, Shared
from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.folding.diff import NOTHING, diff
from bkjob_async.engine.tracking import job_state, job_tracker, step_tracker
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.run_state import Stage, stage_of
from bkjob_async.model.events import Lost
from tests.watch import history_kinds as kinds
from tests.watch import resume_run
from tests.watch.histories import histories
from tests.watch.history_run import run
from tests.watch.planted_faults import Patch, is_found
from tests.watch.resume_histories import resumptions
from tests.watch.test_resume_planted import with_companion

pytestmark = pytest.mark.deep


# What is over -------------------------------------------------------------------------------------------------------


def misjudge(patch: Patch, row: Callable[[dict[str, bool]], bool], stage: Stage) -> None:
    """Take what stands in a *row* of the table for another stage."""

    def wrong(**facts: bool) -> Stage:
        known = {"is_same": True, "has_details": True, "is_doubtful": False, "is_overdue": False, **facts}
        return stage if row(known) else stage_of(**facts)

    for module in (job_tracker, step_tracker, job_state):
        patch.setattr(module, "stage_of", wrong)


def open_is_final(patch: Patch) -> None:
    """Take a status that is open for final: the first row, whose facts are those of a response."""
    patch.setattr(job_tracker, "is_final", lambda *_, **__: True)


def is_new_end(facts: dict[str, bool]) -> bool:
    """Return True for a final status that was not announced."""
    return facts["is_final"] and not facts["was_over"]


def over_before_its_details(patch: Patch) -> None:
    """Wait for no details."""
    misjudge(patch, lambda facts: is_new_end(facts) and not facts["has_details"], Stage.OVER)


def over_as_before_an_operation(patch: Patch) -> None:
    """Announce an end that may be from before an operation."""
    misjudge(patch, lambda facts: is_new_end(facts) and facts["is_doubtful"], Stage.OVER)


def settles_for_nothing(patch: Patch) -> None:
    """Wait for the bound although all details are there."""
    misjudge(patch, lambda facts: is_new_end(facts) and not facts["is_overdue"], Stage.SETTLING)


def settles_for_ever(patch: Patch) -> None:
    """Let no bound pass."""
    misjudge(patch, lambda facts: is_new_end(facts) and facts["is_overdue"], Stage.SETTLING)


def over_in_spite_of_an_operation(patch: Patch) -> None:
    """Take what was over before an operation for over after it."""
    misjudge(patch, lambda facts: facts["was_over"] and facts["is_same"] and facts["is_doubtful"], Stage.OVER)


def never_over(patch: Patch) -> None:
    """Doubt all ends."""
    misjudge(
        patch, lambda facts: facts["was_over"] and facts["is_same"] and facts["is_final"], Stage.SETTLING
    )


def over_for_good(patch: Patch) -> None:
    """Reopen nothing."""
    misjudge(patch, lambda facts: facts["was_over"], Stage.OVER)


# What is given ------------------------------------------------------------------------------------------------------


def give_the_shared_nothing(patch: Patch) -> None:
    """Give nothing of the steps of a job."""
    patch.setattr(target_delivery, "STEP_EVENTS", ())
    patch.setattr(target_delivery, "concerns", lambda event, refs, _job: event.ref in refs)


def give_the_added_what_is_remembered(patch: Patch) -> None:
    """Wait for no read."""
    patch.setattr(ReadTimes, "shows", lambda *_: True)
    patch.setattr(TargetDelivery, "await_response", lambda *_: False)


def give_the_added_what_settles(patch: Patch) -> None:
    """Wait until it was read, and not until it has settled."""
    patch.setattr(JobState, "is_up_to_date", JobState.was_read)


def give_the_added_nothing(patch: Patch) -> None:
    """Give no present state."""
    patch.setattr(
        target_delivery,
        "diff",
        lambda reported, *a, **k: () if reported == NOTHING else diff(reported, *a, **k),
    )


def give_the_step_its_end_twice(patch: Patch) -> None:
    """Give a step that joins its job, in this watch, once more all of it."""
    patch.setattr(
        target_delivery, "diff", lambda reported, job, targets, _=(), **__: diff(reported, job, targets)
    )


def give_the_restored_all(patch: Patch) -> None:
    """Give all that is known in place of the difference."""
    patch.setattr(target_delivery, "diff", lambda _, *a, **k: diff(NOTHING, *a, **k))


def give_the_ended_their_trouble(patch: Patch) -> None:
    """Report trouble and loss of a target the end of which was reported."""
    patch.setattr(Own, "has_ended", lambda *_: False)


def freeze_nothing(patch: Patch) -> None:
    """Follow what was lost as other watches do."""
    apply = TargetDelivery._apply_losses

    def forgetful(self: TargetDelivery, job: Any, events: Any, stamp: Any) -> Any:
        found = apply(self, job, events, stamp)
        for event in found:
            if isinstance(event, Lost):
                self._reported[event.ref] = SHARED
        return found

    patch.setattr(TargetDelivery, "_apply_losses", forgetful)


def freeze_for_late_readers_only(patch: Patch) -> None:
    """Give a reader that catches up the state of a lost target as others see it."""
    present = TargetDelivery.present

    def thawed(self: TargetDelivery, *args: Any, **options: Any) -> Any:
        lost = {ref: each for ref, each in self._reported.items() if isinstance(each, Frozen)}
        self._reported.update({ref: evolve(each, before=Shared(10**9)) for ref, each in lost.items()})
        return present(self, *args, **options)

    patch.setattr(TargetDelivery, "present", thawed)


# A fault that shows in one kind of history only is looked for in that kind.
PLANTED: dict[Callable[[Patch], None], SearchStrategy[Any]] = {
    open_is_final: histories,
    over_before_its_details: kinds.skipped,
    over_as_before_an_operation: kinds.retried,
    settles_for_nothing: histories,
    settles_for_ever: histories,
    over_in_spite_of_an_operation: kinds.retried,
    never_over: histories,
    over_for_good: kinds.retried,
    give_the_shared_nothing: histories,
    give_the_added_what_is_remembered: kinds.joined_late,
    give_the_added_what_settles: kinds.joined_late,
    give_the_added_nothing: kinds.joined_late,
    give_the_step_its_end_twice: kinds.added_job,
    freeze_nothing: kinds.lost_for_the_slow,
    freeze_for_late_readers_only: kinds.lost_for_the_slow,
}
PLANTED_BESIDE = (give_the_restored_all, give_the_ended_their_trouble)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_fault_in_a_row_is_found(
    plant: Callable[[Patch], None], monkeypatch: Patch, loop_errors: list[Any]
) -> None:
    """Within a few hundred random histories, at least one breaks a promise."""
    plant(monkeypatch)

    assert is_found(PLANTED[plant], run, most=1500)
    loop_errors.clear()


@pytest.mark.parametrize("plant", PLANTED_BESIDE, ids=lambda plant: plant.__name__)
def test_a_fault_in_what_is_restored_is_found(
    plant: Callable[[Patch], None], monkeypatch: Patch, loop_errors: list[Any]
) -> None:
    """Within a few hundred random histories of a journal beside another watch, at least one breaks a promise."""
    plant(monkeypatch)

    assert is_found(resumptions.map(with_companion), resume_run.run, most=1500)
    loop_errors.clear()
