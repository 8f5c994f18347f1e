"""The validator finds every kind of broken promise, and nothing in a stream that keeps them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve
from msgspec.structs import replace

from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    InSync,
    JobChanged,
    Lost,
    LostReason,
    Recovered,
    Reopened,
    Resumed,
    StepChanged,
    Trouble,
)
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import Phase, host_status, run_status
from bkjob_async.testing import Truth, broken_promises

JOB = JobRef(Scope.biz(2), 100)
STEP = JOB.step(200)


def host(before: int | None, after: int, *, number: int = 1, run: int = 0) -> HostChanged:
    """Return a change of host *number*."""
    return HostChanged(
        ref=STEP,
        host=HostKey(bk_cloud_id=0, ip=f"10.0.0.{number}"),
        execute_count=run,
        before=None if before is None else host_status(before),
        after=host_status(after),
    )


def step(before: int | None, after: int, *, over: bool = False, run: int = 0) -> StepChanged:
    """Return a change of the step."""
    was = None if before is None else run_status(before)
    return StepChanged(ref=STEP, execute_count=run, before=was, after=run_status(after), is_finished=over)


def failed_step(**changes: Any) -> StepResult:
    """Return how the first run of the step ended."""
    lost = HostSnapshot(host=HostKey(bk_cloud_id=0, ip="10.0.0.1"), status=host_status(104), exit_code=2)
    values: dict[str, Any] = {
        "ref": STEP,
        "status": run_status(4),
        "is_finished": True,
        "hosts": {Phase.FAILED: 1, Phase.SUCCESS: 1},
        "failed": (lost,),
    }
    return StepResult(**{**values, **changes})


def job(before: int | None, after: int, *, over: bool = False) -> JobChanged:
    """Return a change of the job."""
    was = None if before is None else run_status(before)
    return JobChanged(ref=JOB, before=was, after=run_status(after), is_finished=over)


def finished(code: int = 4, *steps: StepResult) -> Finished:
    """Return the end of the job."""
    return Finished(ref=JOB, result=JobResult(ref=JOB, status=run_status(code), steps=steps))


def stream(*batches: Sequence[Event]) -> list[Batch]:
    """Return batches with places of their own."""
    return [
        Batch(n, tuple(replace(event, cursor=str(n)) for event in events), str(n))
        for n, events in enumerate(batches, 1)
    ]


def story() -> list[Batch]:
    """Return a stream that keeps every promise: a run, a failure, a second round."""
    return stream(
        [job(None, 2), step(None, 2), host(None, 5), host(None, 7, number=2), InSync()],
        [host(5, 7), host(7, 9, number=2)],
        [host(7, 104), step(2, 4, over=True), job(2, 4, over=True), finished(4, failed_step())],
        [
            Reopened(ref=JOB, epoch=1),
            job(4, 2),
            Reopened(ref=STEP, epoch=1),
            step(4, 2, run=1),
            host(None, 7, run=1),
        ],
        [host(7, 9, run=1), step(2, 3, over=True, run=1), job(2, 3, over=True), finished(3)],
    )


TRUTH = Truth(
    hosts={
        (STEP, 0, "0:10.0.0.1"): [5, 7, 104],
        (STEP, 0, "0:10.0.0.2"): [5, 7, 9],
        (STEP, 1, "0:10.0.0.1"): [5, 7, 9],
    },
    steps={STEP: [1, 2, 4, 2, 3]},
    jobs={JOB: [2, 4, 2, 3]},
    since={
        (STEP, 0, "0:10.0.0.1"): [1, 2, 9],
        (STEP, 0, "0:10.0.0.2"): [1, 1.5, 8],
        (STEP, 1, "0:10.0.0.1"): [40, 41, 48],
        STEP: [0, 1, 10, 40, 50],
        JOB: [0, 11, 40, 51],
    },
    details={(STEP, 0, "0:10.0.0.1"): {104: {("full", 2)}}},
)


def edited(batch: int, edit: Callable[[list[Any]], object]) -> list[Batch]:
    """Return the good story with one batch spoilt."""
    batches = story()
    events = list(batches[batch].events)
    edit(events)
    batches[batch] = Batch(batches[batch].sequence, tuple(events), batches[batch].cursor)
    return batches


def test_a_stream_that_keeps_every_promise_passes() -> None:
    """With the truth and without."""
    assert broken_promises(story()) == []
    assert broken_promises(story(), truth=TRUTH) == []


BROKEN: dict[str, tuple[list[Batch], str]] = {
    "emitted twice": (edited(1, lambda e: e.append(e[0])), "begins at 5"),
    "wrong before": (
        edited(1, lambda e: e.__setitem__(0, replace(e[0], before=host_status(9)))),
        "begins at 9",
    ),
    "no change": (edited(1, lambda e: e.__setitem__(0, replace(e[0], after=host_status(5)))), "is no change"),
    "host after its step": (edited(2, lambda e: e.append(e.pop(0))), "after its step was over"),
    "job before its step": (
        edited(2, lambda e: e.insert(1, e.pop(2))),
        "before 2:100/200 was reported as over",
    ),
    "finished before it was reported": (edited(2, lambda e: e.insert(0, e.pop(3))), "before its last status"),
    "finished twice": (edited(2, lambda e: e.append(e[-1])), "a second time"),
    "reopened from nothing": (
        edited(1, lambda e: e.append(replace(Reopened(ref=JOB, epoch=9), cursor="2"))),
        "not over",
    ),
    "runs on without being reopened": (edited(3, lambda e: e.pop(2)), "without being reopened"),
    "an execution of the past": (
        edited(4, lambda e: e.insert(0, replace(host(104, 9), cursor="5"))),
        "an execution that is past",
    ),
    "in sync twice": (edited(1, lambda e: e.append(replace(InSync(), cursor="2"))), "in sync a second time"),
    "trouble twice": (
        edited(1, lambda e: e.extend([replace(Trouble(ref=JOB, error="x", message="x"), cursor="2")] * 2)),
        "a second time",
    ),
    "a cursor before that of the event before": (
        edited(
            0, lambda e: e.__setitem__(slice(2), [replace(e[0], cursor="1.2"), replace(e[1], cursor="1.1")])
        ),
        "not after that of the event before it",
    ),
    "a cursor of another batch": (
        edited(1, lambda e: e.__setitem__(0, replace(e[0], cursor="7"))),
        "a cursor of another batch",
    ),
    "batches out of order": (list(reversed(story())), "comes after"),
    "an empty batch": (edited(1, list.clear), "is empty"),
    "a host lost": (edited(2, lambda e: e.pop(0)), "ended 104, and was last reported as 7"),
    "a state invented": (
        edited(1, lambda e: e.__setitem__(1, replace(e[1], after=host_status(403)))),
        "never happened",
    ),
    "a false tag": (edited(2, lambda e: e.__setitem__(0, replace(e[0], tag="empty"))), "shows tag 'empty'"),
    "a false exit code": (edited(2, lambda e: e.__setitem__(0, replace(e[0], exit_code=0))), "exit code 0"),
    "a result of another end": (edited(2, lambda e: e.__setitem__(3, finished(3))), "was last reported as 4"),
    "hosts counted wrong": (
        edited(2, lambda e: e.__setitem__(3, finished(4, failed_step(hosts={Phase.SUCCESS: 2})))),
        "counts",
    ),
    "a failed host left out": (
        edited(2, lambda e: e.__setitem__(3, finished(4, failed_step(failed=())))),
        "failed on {}, truly on {'0:10.0.0.1': 104}",
    ),
    "a failed host with a false exit code": (
        edited(
            2,
            lambda e: e.__setitem__(
                3, finished(4, failed_step(failed=(replace(failed_step().failed[0], exit_code=7),)))
            ),
        ),
        "exit code 7",
    ),
    "a result that never was": (
        edited(2, lambda e: e.__setitem__(3, finished(4, failed_step(status=run_status(11))))),
        "never was 11",
    ),
    "lost twice": (
        edited(1, lambda e: e.extend([Lost(ref=STEP, reason=LostReason.GONE)] * 2)),
        "lost: gone a second time",
    ),
    "recovered from nothing": (edited(1, lambda e: e.append(Recovered(ref=JOB))), "without trouble before"),
    "a host invented": (
        edited(1, lambda e: e.append(replace(host(None, 7, number=9), cursor="2"))),
        "does not exist",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_broken_promise_is_found(name: str) -> None:
    """Each spoilt stream is called by what is wrong with it."""
    batches, problems = BROKEN[name]

    assert any(problems in found for found in broken_promises(batches, truth=TRUTH))


def late(*events: Event) -> list[Batch]:
    """Return what a watch is reported first that joins when the second run has begun."""
    return stream([*events, InSync()])


def test_what_holds_when_a_target_comes_to_be_watched_may_be_reported() -> None:
    """A late watch begins in the second run."""
    batches = late(job(None, 2), host(None, 9, run=1), step(None, 2, run=1))

    assert broken_promises(batches, truth=TRUTH, watch_starts={JOB: [45], STEP: [45]}) == []


@pytest.mark.parametrize(
    ("batches", "problems"),
    [
        (late(job(None, 4, over=True)), "was so no more"),
        (late(step(None, 4, over=True)), "was so no more"),
        (late(host(None, 7, number=2)), "was past when it joined"),
    ],
)
def test_what_was_so_no_more_when_a_target_came_to_be_watched_is_found(
    batches: list[Batch], problems: str
) -> None:
    """What an earlier watch remembers is not the present."""
    found = broken_promises(batches, truth=TRUTH, watch_starts={JOB: [45], STEP: [45]})

    assert any(problems in each for each in found)


def test_a_target_that_is_watched_anew_is_reported_anew_once() -> None:
    """The first sight of a host may come again where its step was dropped meanwhile, and only there."""
    batches = stream([host(None, 5)], [host(None, 7)], [host(None, 7)])

    found = broken_promises(batches, truth=TRUTH, watch_starts={STEP: [0, 2]})

    assert found == [f"{host(None, 7)} begins at None, the last was 7"]


def test_the_end_of_a_step_that_is_added_again_is_reported_again_once() -> None:
    """The step's job stayed a target: nothing but how the step ended is new."""
    end = Finished(ref=STEP, result=JobResult(ref=STEP, status=run_status(3), steps=()))
    batches = stream([step(None, 3, over=True), end], [end], [end])

    assert broken_promises(batches) == [f"{end} a second time"] * 2
    assert broken_promises(batches, target_starts={STEP: [0, 2]}) == [f"{end} a second time"]


def test_each_opening_of_a_journal_is_in_sync_once() -> None:
    """`Resumed` begins another, which may end before it is in sync; an `InSync` that none allows is found."""
    resumed = Resumed(term=2, gap=1.0)
    good: list[list[Event]] = [[host(None, 5), InSync()], [resumed], [host(5, 7)], [resumed], [InSync()]]

    assert broken_promises(stream(*good)) == []
    assert broken_promises(stream(*good, [InSync()])) == ["in sync a second time"]
    assert broken_promises(stream(*good[:1], [InSync()], *good[1:])) == ["in sync a second time"]
    # Readers that begin behind a cursor: within the opening that is not in sync yet, and before the next one.
    assert broken_promises(stream(*good[4:])) == broken_promises(stream(*good[3:])) == []
    assert broken_promises(stream(*good[4:], [InSync()])) == ["in sync a second time"]


def test_what_was_reported_before_an_opening_is_not_reported_again() -> None:
    """The journal knows it: statuses, ends and trouble go on where they were."""
    trouble = Trouble(ref=JOB, error="x", message="x")
    first: list[Event] = [host(None, 5), job(None, 4, over=True), finished(), trouble, InSync()]
    resumed = Resumed(term=2, gap=1.0)

    assert broken_promises(stream(first, [resumed], [Recovered(ref=JOB, error="x"), host(5, 7)])) == []
    assert broken_promises(stream(first, [resumed], [host(None, 7), finished(), trouble])) == [
        f"{host(None, 7)} begins at None, the last was 5",
        f"{finished()} a second time",
        f"{trouble} a second time",
    ]


def test_trouble_with_the_journal_is_that_of_one_opening() -> None:
    """It is not recorded: who resumes knows nothing of it, says its own once, and no end of the other."""
    trouble = Trouble(ref=None, error="JournalUnavailable", message="no connection")
    recovered = Recovered(ref=None, error="JournalUnavailable")
    resumed = Resumed(term=2, gap=1.0)

    assert broken_promises(stream([trouble], [resumed], [trouble], [recovered])) == []
    assert broken_promises(stream([trouble], [resumed], [trouble], [trouble])) == [f"{trouble} a second time"]
    assert broken_promises(stream([trouble], [resumed], [recovered])) == [
        f"{recovered} without trouble before"
    ]


def test_hosts_of_a_past_run_are_owed_unless_only_the_end_is_wanted() -> None:
    """A watch for the end alone may never have read the hosts of a run that was repeated at once."""
    batches = edited(2, lambda e: e.pop(0))

    assert broken_promises(batches, truth=TRUTH) != []
    assert broken_promises(batches, truth=TRUTH, require_past_executions=False) == []


def test_a_host_whose_batch_never_came_is_left_waiting() -> None:
    """The platform lists all hosts as waiting before a step begins; that is no false end."""
    idle = replace(failed_step().failed[0], host=HostKey(bk_cloud_id=0, ip="10.0.0.9"), status=host_status(5))
    step = failed_step(failed=(*failed_step().failed, idle))
    hosts = {**step.hosts, Phase.PENDING: 1}
    end = replace(finished(4, evolve(step, hosts=hosts)), cursor="3.4")
    stream = edited(2, lambda e: e.__setitem__(3, end))

    assert broken_promises(stream, truth=TRUTH) == []


@pytest.mark.parametrize(("ends_at", "is_owed"), [(10.0, True), (40.0, False)])
def test_a_step_that_outlasts_its_job_is_not_waited_for(ends_at: float, *, is_owed: bool) -> None:
    """The platform itself called the job over; a step that ends within the bound is waited for."""
    reported = stream([step(None, 2), job(None, 4, over=True)])
    truth = Truth(hosts={}, steps={STEP: [2, 3]}, jobs={JOB: [4]}, since={STEP: [1.0, ends_at], JOB: [2.0]})

    assert any("was reported as over" in words for words in broken_promises(reported, truth=truth)) == is_owed


@pytest.mark.parametrize("is_step_over", [False, True])
def test_a_step_that_outlasts_its_job_may_reopen_it(*, is_step_over: bool) -> None:
    """It goes on behind the end of the job, which was right all the time; one that is over does not."""
    began: list[Event] = [step(None, 2), host(None, 7), *([step(2, 3, over=True)] if is_step_over else [])]
    again: list[Event] = [] if is_step_over else [host(7, 9)]
    reported = stream(
        [*began, job(None, 9, over=True)], [Reopened(ref=JOB, epoch=1), *again, job(9, 9, over=True)]
    )
    truth = Truth(
        hosts={(STEP, 0, "0:10.0.0.1"): [7, 9]},
        steps={STEP: [2, 3]},
        jobs={JOB: [9]},
        since={STEP: [1.0, 40.0], JOB: [2.0], (STEP, 0, "0:10.0.0.1"): [1.0, 30.0]},
    )

    found = [words for words in broken_promises(reported, truth=truth) if "too early" in words]

    assert found == ([f"{JOB} was reported as over too early: reopened 1 times, truly 0"] * is_step_over)
