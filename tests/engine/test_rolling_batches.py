"""A host of several rolling batches, and what a joining watch is given of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_result, target_snapshot
from bkjob_async.model.events import Event, Finished, HostChanged
from bkjob_async.model.json_values import event_from_json, event_to_json
from bkjob_async.model.poll_view import GroupPollView, JobPollView, StepPollView
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import StepSnapshot
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, Row, at, job, present, step
from tests.engine.responses.test_job_tracker import STEP, job_state

GOOD = Row(status=9, bk_host_id=1, tag="ok", exit_code=0)
BAD = Row(status=104, bk_host_id=1, tag="bad", exit_code=3)
OTHER = Row(status=9, bk_host_id=2, tag="ok", exit_code=0)
OPEN = Row(status=7, bk_host_id=1)


def in_groups(view: StepPollView) -> StepPollView:
    """Return the same view with its rows in groups of one status and tag, in the platform's order."""
    rows = [row for group in view.groups or () for row in group.rows or ()]
    kinds = sorted({(row.status, row.tag or "") for row in rows})
    groups = [
        (status, tag, [row for row in rows if (row.status, row.tag or "") == (status, tag)])
        for status, tag in kinds
    ]
    return replace(
        view,
        groups=tuple(
            GroupPollView(status=code, tag=tag, size=len(each), rows=each) for code, tag, each in groups
        ),
    )


def shown(status: int, rows: Sequence[Row], *, grouped: bool, finished: bool) -> JobPollView:
    """Return a view of a job of one step."""
    view = step(status, rows)
    return job(status, in_groups(view) if grouped else view, finished=finished)


def reported(state: JobState, now: float, view: JobPollView) -> list[Event]:
    """Apply a view; return the events."""
    return list(apply_job(state, view, at(now)))


def changes(events: Sequence[Event]) -> list[tuple[int | None, int, str | None, int | None]]:
    """Return hosts that changed: id, code, tag, exit code."""
    return [
        (e.host.bk_host_id, e.after.code, e.tag, e.exit_code) for e in events if isinstance(e, HostChanged)
    ]


def failures(result: JobResult) -> list[tuple[int | None, int, str | None, int | None]]:
    """Return failed hosts the same way."""
    return [(h.host.bk_host_id, h.status.code, h.tag, h.exit_code) for s in result.steps for h in s.failed]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_the_batch_that_failed_tells_all_of_its_host(order: int, *, grouped: bool) -> None:
    """One batch failed while the other went on: event, result and snapshot all show the one that failed."""
    state, told = job_state(), list[Event]()
    for now in range(2):
        told += reported(state, now, shown(2, [BAD, OPEN, OTHER][::order], grouped=grouped, finished=False))

    events = reported(state, 2, shown(4, [BAD, GOOD, OTHER][::order], grouped=grouped, finished=True))

    (finished,) = [e for e in events if isinstance(e, Finished)]
    snapshot = target_snapshot(state, STEP)
    assert isinstance(snapshot, StepSnapshot)
    assert sorted(changes(told)) == [(1, 104, "bad", 3), (2, 9, "ok", 0)]
    assert changes(events) == []
    assert failures(finished.result) == failures(target_result(state, JOB)) == [(1, 104, "bad", 3)]
    assert [(h.host.bk_host_id, h.status.code, h.tag, h.exit_code) for h in snapshot.hosts or ()][-2:] in (
        [(1, 104, "bad", 3), (2, 9, None, None)],
        [(2, 9, None, None), (1, 104, "bad", 3)],
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_details_that_come_late_are_those_of_the_batch_that_failed(*, grouped: bool) -> None:
    """Exit codes may come after the status; the row that is read again is the same one."""
    state = job_state()
    early = evolve(BAD, exit_code=None)
    rows = [[early, OPEN, OTHER], [early, OPEN, OTHER], [early, GOOD, OTHER]]
    for now, each in enumerate(rows):
        reported(state, now, shown(2, each, grouped=grouped, finished=False))

    events = reported(state, 3, shown(4, [BAD, GOOD, OTHER], grouped=grouped, finished=True))

    assert changes(events) == []
    assert failures(target_result(state, JOB)) == [(1, 104, "bad", 3)]


def test_who_joins_hears_no_tag_where_none_was_kept() -> None:
    """What succeeded is kept as a code; its tag and its exit code are not known any more, and that is what is said."""
    state = job_state()
    rows = [BAD, OTHER, Row(status=104, bk_host_id=3, tag="", exit_code=1)]
    first = reported(state, 0, shown(2, rows, grouped=False, finished=False))

    joined = present(state, (JOB,))

    assert changes(first) == [(1, 104, "bad", 3), (2, 9, "ok", 0), (3, 104, "", 1)]
    assert changes(joined) == [(1, 104, "bad", 3), (2, 9, None, None), (3, 104, "", 1)]
    (unknown,) = [e for e in joined if isinstance(e, HostChanged) and e.host.bk_host_id == 2]
    assert (event_to_json(unknown)["tag"], event_to_json(unknown)["exit_code"]) == (None, None)
    assert event_from_json(event_to_json(unknown)) == unknown


def test_where_tags_are_never_reported_they_are_not_known() -> None:
    """A response without tags does not say that there is none."""
    state = job_state()
    bare = replace(step(2, [Row(status=9, bk_host_id=1, exit_code=0)]), tells_tags=False)

    assert changes(reported(state, 0, job(2, bare))) == [(1, 9, None, 0)]
