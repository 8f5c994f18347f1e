"""Each row of two tables is needed: what is over, and what is given by what is reported. A fault planted in it is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import looptime
import pytest

from bkjob_async.engine.delivery import target_delivery
from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.delivery.reported import SHARED, Own
from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.folding.diff import NOTHING, diff
from bkjob_async.engine.responses import job_tracker, step_tracker
from bkjob_async.engine.responses.job_tracker import expect_change, forget_old_operation
from bkjob_async.engine.tracking import job_state
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.run_state import Stage, stage_of
from bkjob_async.model.events import Lost
from bkjob_async.model.poll_view import JobPollView
from tests.engine.poll_views import JOB, host, job, step
from tests.engine.responses.test_job_tracker import apply
from tests.engine.responses.test_job_tracker import job_state as new_job
from tests.watch import test_what_a_watch_is_given as given
from tests.watch.planted_faults import Patch

# What is over -------------------------------------------------------------------------------------------------------

RUNNING, FAILED = job(2, step(2, [host(1, 7)])), job(4, step(4, [host(1, 104)]))
ABNORMAL, AGAIN = job(9, step(9, [host(1, 7)])), job(2, step(2, [host(1, 7)], run=1))


def stages(
    *polls: tuple[float, JobPollView], operated_at: float | None = None
) -> list[tuple[bool, bool, int]]:
    """Return behind each poll whether the job was announced over, whether that has settled, and its epoch."""
    state, found = new_job(), list[tuple[bool, bool, int]]()
    for now, view in polls:
        if operated_at is not None and now >= operated_at:
            expect_change(state, operated_at)
            operated_at = None
        forget_old_operation(state, requested_at=now - 0.1)
        apply(state, now, view)
        found.append((state.is_over(JOB), state.is_settled(JOB), state.epoch))
    return found


def told_of_ends() -> list[list[tuple[bool, bool, int]]]:
    """Return how jobs end that have each end of the table."""
    return [
        stages((0, RUNNING), (1, RUNNING), (200, RUNNING)),
        stages((0, RUNNING), (1, FAILED), (2, FAILED), (20, FAILED)),
        stages((0, RUNNING), (1, ABNORMAL), (2, ABNORMAL), (9, ABNORMAL), (18, ABNORMAL), (40, ABNORMAL)),
        stages((1, FAILED), (5, FAILED), (17, FAILED), operated_at=0),
        stages((0, RUNNING), (1, FAILED), (5, FAILED), (20, FAILED), (30, FAILED), operated_at=4),
        stages((0, RUNNING), (1, FAILED), (5, FAILED), (6, AGAIN), (7, AGAIN), operated_at=4),
    ]


Facts = dict[str, bool]
# A row of the table, and the stage that it is taken for.
STAGES: dict[str, tuple[Callable[[Facts], bool], Stage]] = {
    "details to come": (lambda each: is_new_end(each) and not each["has_details"], Stage.OVER),
    "an operation since": (lambda each: is_new_end(each) and each["is_doubtful"], Stage.OVER),
    "details settled": (lambda each: is_new_end(each) and not each["is_overdue"], Stage.SETTLING),
    "the bound has passed": (lambda each: is_new_end(each) and each["is_overdue"], Stage.SETTLING),
    "over, an operation since": (lambda each: is_same_end(each) and each["is_doubtful"], Stage.OVER),
    "over": (lambda each: is_same_end(each) and not each["is_doubtful"], Stage.SETTLING),
    "reopened": (lambda each: each["was_over"] and not is_same_end(each), Stage.OVER),
}


def is_new_end(facts: Facts) -> bool:
    """Return True for a final status that was not announced."""
    return facts["is_final"] and not facts["was_over"]


def is_same_end(facts: Facts) -> bool:
    """Return True for a final status that was announced."""
    return facts["was_over"] and facts["is_final"] and facts["is_same"]


@pytest.mark.parametrize("row", STAGES)
def test_each_stage_is_told(row: str, monkeypatch: Patch) -> None:
    """Who takes what stands in a row for another stage tells some end otherwise."""
    expected, (is_row, stage) = told_of_ends(), STAGES[row]

    def wrong(**facts: bool) -> Stage:
        known = {"is_same": True, "has_details": True, "is_doubtful": False, "is_overdue": False, **facts}
        return stage if is_row(known) else stage_of(**facts)

    for module in (job_tracker, step_tracker, job_state):
        monkeypatch.setattr(module, "stage_of", wrong)

    assert told_of_ends() != expected


def test_what_is_open_is_not_over(monkeypatch: Patch) -> None:
    """An open status that is taken for final ends the job."""
    expected = told_of_ends()
    monkeypatch.setattr(job_tracker, "is_final", lambda *_, **__: True)

    assert told_of_ends() != expected


# What is given ------------------------------------------------------------------------------------------------------


def give_no_hosts(patch: Patch) -> None:
    """`Shared`: give nothing of the steps of a job."""
    patch.setattr(target_delivery, "concerns", lambda event, refs, _job: event.ref in refs)


def give_what_is_remembered(patch: Patch) -> None:
    """`Own`, not read since: wait for no read."""
    take = TargetDelivery._take_joined

    def hasty(self: TargetDelivery, job: Any, refs: Any, stamp: Any, _: Any) -> Any:
        return take(self, job, refs, stamp, ReadTimes())

    patch.setattr(ReadTimes, "shows", lambda *_: True)
    patch.setattr(TargetDelivery, "_take_joined", hasty)


def give_what_settles(patch: Patch) -> None:
    """`Own`, settles: wait until it was read, and not until it has settled."""
    patch.setattr(JobState, "is_up_to_date", JobState.was_read)


def give_no_trouble(patch: Patch) -> None:
    """`Own`, trouble: give its end alone."""
    patch.setattr(TargetDelivery, "_troubles", lambda *_: ())


def give_trouble_at_each_poll(patch: Patch) -> None:
    """`Own`, trouble: give it again."""
    troubles = TargetDelivery._troubles

    def forgetful(self: TargetDelivery, job: Any, refs: Any, *rest: Any) -> Any:
        for own in map(self.reported, refs):
            if isinstance(own, Own):
                own.has_trouble = False
        return troubles(self, job, refs, *rest)

    patch.setattr(TargetDelivery, "_troubles", forgetful)


def give_nothing_of_the_added(patch: Patch) -> None:
    """`Own`, empty, read: give no present state."""
    patch_diff(patch, lambda reported, *a, **k: () if reported == NOTHING else diff(reported, *a, **k))


def give_all_of_the_restored(patch: Patch) -> None:
    """`Own`, restored, read: give all that is known in place of the difference."""
    patch_diff(patch, lambda _, *a, **k: diff(NOTHING, *a, **k))


def give_nothing_of_the_restored(patch: Patch) -> None:
    """`Own`, restored, read: give no difference."""
    patch_diff(
        patch, lambda reported, *a, **k: () if isinstance(reported, JobState) else diff(reported, *a, **k)
    )


def give_trouble_of_the_ended(patch: Patch) -> None:
    """`Own`, restored, over: report trouble with a target the end of which was reported."""
    patch.setattr(Own, "has_ended", lambda *_: False)


def freeze_nothing(patch: Patch) -> None:
    """Lost: follow it as other watches do."""
    losses = TargetDelivery._apply_losses

    def forgetful(self: TargetDelivery, job: Any, events: Any, stamp: Any) -> Any:
        found = losses(self, job, events, stamp)
        self._reported.update({event.ref: SHARED for event in found if isinstance(event, Lost)})
        return found

    patch.setattr(TargetDelivery, "_apply_losses", forgetful)


def patch_diff(patch: Patch, wrong: Callable[..., Any]) -> None:
    """Give what is *wrong* in place of the difference."""
    patch.setattr(target_delivery, "diff", wrong)


# Where each fault shows: how a watch comes to its target, how that stands, and whether polls fail.
Row = tuple[given.Comes, str, bool]
GIVEN: dict[Callable[[Patch], None], Row] = {
    give_no_hosts: (given.is_added, "running", False),
    give_what_is_remembered: (given.joins, "reopened", True),
    give_what_settles: (given.joins, "settling", False),
    give_no_trouble: (given.joins, "running", True),
    give_trouble_at_each_poll: (given.joins, "running", True),
    give_nothing_of_the_added: (given.joins, "over", False),
    give_all_of_the_restored: (given.resumes_beside, "running", False),
    give_nothing_of_the_restored: (given.resumes_beside, "reopened", False),
    give_trouble_of_the_ended: (given.resumes_beside, "over", True),
    freeze_nothing: (given.has_lost, "running", False),
}


def told_in(row: Row) -> Sequence[str]:
    """Return what a watch is given of its target, in virtual time."""
    comes, target, failing = row

    async def main() -> list[str]:
        scene = given.Scene(given.PLANS[target], failing)
        await comes(scene)
        return [*given.changes_in(scene.events()), given.signals_in(scene.events())]

    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0)) as runner:
        return runner.run(main())


@pytest.mark.parametrize("plant", GIVEN, ids=lambda plant: plant.__name__)
def test_each_row_of_what_is_reported_is_told(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """A fault in a row gives a watch something else."""
    expected = told_in(GIVEN[plant])
    plant(monkeypatch)

    assert told_in(GIVEN[plant]) != expected
