"""Peculiarities of the platform, one by one, and the events that they cause."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from attrs import frozen
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_views import target_result
from bkjob_async.model.events import Finished, HostCounts, Reopened, StepChanged
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import Ref
from bkjob_async.model.snapshot import Times
from tests.engine.applied import apply_step
from tests.engine.poll_views import JOB, at, host, job, step
from tests.engine.responses.test_job_tracker import STEP, apply, job_state

Told = Sequence[str]


@frozen
class Way:
    """One way of the platform: what is watched, what it shows when, and the events of each poll."""

    shown: Sequence[tuple[float, JobPollView | StepPollView, Told]]
    over: bool = True
    target: Ref = JOB


def with_an_end(view: StepPollView) -> StepPollView:
    """Return a view that carries the end of an earlier batch."""
    return replace(view, times=Times(end_time=datetime(2026, 1, 1, tzinfo=UTC), total_time=3.0))


WAYS: dict[str, Way] = {
    "between two steps the job runs and no step does": Way(
        [
            (
                0,
                job(2, step(3, [host(1, 9)]), step(1, number=201)),
                ["job 2", "host 1 None>9", "step #0 3.", "step #0 1"],
            ),
            (1, job(2, step(3, [host(1, 9)]), step(1, number=201)), []),
        ],
        over=False,
    ),
    "a job is over some time after its last step": Way(
        [
            (0, job(2, step(3, [host(1, 9)])), ["job 2", "host 1 None>9", "step #0 3."]),
            (5, job(3, step(3, [host(1, 9)])), ["job 3.", "finished 2:100"]),
        ]
    ),
    "a job that was not started stays pending": Way(
        [(0, job(1, step(1)), ["job 1", "step #0 1"]), (600, job(1, step(1)), [])], over=False
    ),
    "a confirmation waits as long as it takes and shows no hosts": Way(
        [
            (0, job(7, step(7)), ["job 7", "step #0 7"]),
            (1, job(7, step(7)), ["step_waiting"]),
            (86_400, job(7, step(7)), []),
        ],
        over=False,
    ),
    "a confirmation that is refused ends step and job as 13": Way(
        [
            (0, job(7, step(7, [])), ["job 7", "step #0 7", "step_waiting"]),
            (1, job(13, step(13, [])), ["step #0 13.", "job 13.", "finished 2:100"]),
        ]
    ),
    "a restarted confirmation shows its old end at first": Way(
        [
            (0, job(13, step(13, [])), ["step #0 13.", "job 13.", "finished 2:100"]),
            (1, job(13, step(13, [])), []),
            (
                2,
                job(7, step(7, [])),
                ["reopened 2:100", "job 7", "reopened 2:100/200", "step #0 7", "step_waiting"],
            ),
        ],
        over=False,
    ),
    "hosts that cannot be asked end at once and fail the step": Way(
        [
            (
                0,
                job(2, step(2, [host(1, 18), host(2, 2), host(3, 7)])),
                ["job 2", "step #0 2", "host 1 None>18", "host 2 None>2", "host 3 None>7"],
            ),
            (
                1,
                job(4, step(4, [host(1, 18), host(2, 2), host(3, 9)])),
                ["host 3 7>9", "step #0 4.", "job 4.", "finished 2:100"],
            ),
        ]
    ),
    "a retry shows hosts that succeeded before as 3 where the server is old": Way(
        [
            (
                0,
                job(2, step(2, [host(1, 3), host(2, 7)], run=1)),
                ["job 2", "step #1 2", "host 1 None>3", "host 2 None>7"],
            ),
            (
                1,
                job(3, step(3, [host(1, 3), host(2, 9)], run=1)),
                ["host 2 7>9", "step #1 3.", "job 3.", "finished 2:100"],
            ),
        ]
    ),
    "a termination passes through 10 and may end well": Way(
        [
            (0, job(10, step(10, [host(1, 7)])), ["job 10", "step #0 10", "host 1 None>7"]),
            (1, job(3, step(3, [host(1, 9)])), ["host 1 7>9", "step #0 3.", "job 3.", "finished 2:100"]),
        ]
    ),
    "a termination between two steps ends the job alone": Way(
        [
            (
                0,
                job(2, step(3, [host(1, 9)]), step(1, number=201)),
                ["job 2", "host 1 None>9", "step #0 3.", "step #0 1"],
            ),
            (1, job(11, step(3, [host(1, 9)]), step(1, number=201)), ["job 11.", "finished 2:100"]),
        ]
    ),
    "a termination may hang in 10 for ever": Way(
        [(0, job(10, step(10, [])), ["job 10", "step #0 10"]), (86_400, job(10, step(10, [])), [])],
        over=False,
    ),
    "a skipped step counts as over while its hosts are yet to turn 500": Way(
        [
            (0, step(10, [host(1, 7)]), ["step #0 10", "host 1 None>7"]),
            (1, step(5, [host(1, 7)]), []),
            (9, step(5, [host(1, 500)]), ["host 1 7>500", "step #0 5.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "a rolling step carries the end of its last batch while it runs": Way(
        [
            (
                0,
                with_an_end(step(2, [host(1, 9), host(2, 5)])),
                ["step #0 2", "host 1 None>9", "host 2 None>5"],
            ),
            (1, with_an_end(step(2, [host(1, 9), host(2, 7)])), ["host 2 5>7"]),
        ],
        over=False,
        target=STEP,
    ),
    "a rolling step that ignores errors shows 6, 15 and 2 in turn": Way(
        [
            (0, step(2, [host(1, 7), host(2, 5)]), ["step #0 2", "host 1 None>7", "host 2 None>5"]),
            (1, step(6, [host(1, 104), host(2, 5)]), ["host 1 7>104"]),
            (2, step(15, [host(1, 104), host(2, 5)]), ["step #0 15"]),
            (3, step(2, [host(1, 104), host(2, 7)]), ["step #0 2", "host 2 5>7"]),
            (4, step(6, [host(1, 104), host(2, 9)]), ["host 2 7>9"]),
            (5, step(3, [host(1, 104), host(2, 9)]), ["step #0 3.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "a manual batch pauses step and job": Way(
        [
            (0, job(2, step(2, [host(1, 7)])), ["job 2", "step #0 2", "host 1 None>7"]),
            (1, job(7, step(7, [host(1, 9)])), ["job 7", "step #0 7", "host 1 7>9", "step_waiting"]),
            (2, job(2, step(15, [host(1, 9), host(2, 5)])), ["job 2", "step #0 15", "host 2 None>5"]),
        ],
        over=False,
    ),
    "a host of several source batches stands once in each, and the unfinished row counts": Way(
        [
            (0, step(2, [host(1, 9), host(1, 7)]), ["step #0 2"]),
            (1, step(2, [host(1, 9), host(1, 7)]), ["host 1 None>7"]),
            (2, step(3, [host(1, 9), host(1, 104)]), ["host 1 7>104", "step #0 3.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "a row that an answer leaves out says nothing": Way(
        [
            (0, step(2, [host(1, 7), host(2, 7)]), ["step #0 2", "host 1 None>7", "host 2 None>7"]),
            (1, step(2, [host(1, 7)], complete=False), []),
            (2, step(2, [host(2, 5)], complete=False), ["host 2 7>5"]),
            (3, step(3, [host(1, 9)], complete=False), []),
            (4, step(3, [host(1, 9)], complete=False), ["host 1 7>9"]),
            (5, step(3, [host(1, 9), host(2, 9)]), ["host 2 5>9", "step #0 3.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "where rows are left out, the end of one batch of a host is not its end": Way(
        [
            (0, step(2, [host(1, 9), host(2, 5)], complete=False), ["step #0 2", "host 2 None>5"]),
            (1, step(2, [host(1, 9), host(2, 7), host(1, 7), host(2, 5)]), []),
            (2, step(2, [host(1, 9), host(2, 7), host(1, 7), host(2, 5)]), ["host 2 5>7", "host 1 None>7"]),
        ],
        target=STEP,
        over=False,
    ),
    "a host runs, waits and runs in batches of source files, and a failure in one is told at once": Way(
        [
            (0, step(2, [host(1, 7), host(1, 5), host(2, 7), host(2, 5)]), ["step #0 2"]),
            (
                1,
                step(2, [host(1, 7), host(1, 5), host(2, 7), host(2, 5)]),
                ["host 1 None>7", "host 2 None>7"],
            ),
            (
                2,
                step(15, [host(1, 9), host(1, 5), host(2, 104), host(2, 5)]),
                ["step #0 15", "host 1 7>5", "host 2 7>104"],
            ),
            (3, step(2, [host(1, 9), host(1, 7), host(2, 104), host(2, 7)]), ["step #0 2", "host 1 5>7"]),
            (4, step(2, [host(1, 9), host(1, 9), host(2, 104), host(2, 9)]), ["host 1 7>9"]),
        ],
        target=STEP,
        over=False,
    ),
    "hosts that never had their turn stay 5 for ever, and are waited for within the bound": Way(
        [
            (0, step(4, [host(1, 104), host(2, 5)]), ["host 1 None>104", "host 2 None>5"]),
            (14, step(4, [host(1, 104), host(2, 5)]), []),
            (15, step(4, [host(1, 104), host(2, 5)]), ["step #0 4.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "an abandoned step leaves its rows running for ever": Way(
        [
            (0, step(14, [host(1, 7)]), ["host 1 None>7"]),
            (15, step(14, [host(1, 7)]), ["step #0 14.", "finished 2:100/200"]),
        ],
        target=STEP,
    ),
    "an error that is ignored ends its job well": Way(
        [
            (
                0,
                job(3, step(6, [host(1, 104)]), step(3, [host(1, 9)], number=201)),
                ["host 1 None>104", "step #0 6.", "host 1 None>9", "step #0 3.", "job 3.", "finished 2:100"],
            ),
        ]
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_platform_does_it_this_way(way: Way) -> None:
    """Each poll gives the events that it should, and the target is over exactly when it is."""
    state = job_state(way.target)

    reported = [apply(state, now, view) for now, view, _ in way.shown]

    assert reported == [list(expected) for _, _, expected in way.shown]
    assert state.is_over(way.target) is way.over


def test_a_step_with_hosts_that_cannot_be_asked_is_not_ok() -> None:
    """Their codes are ends, and bad ones; the result names them, and what the platform said stands."""
    state = job_state()
    apply(state, 0, job(4, step(4, [host(1, 18), host(2, 2), host(3, 9)])))

    result = target_result(state, JOB)

    assert not result.ok
    assert sorted(row.status.code for _, row in result.failed) == [2, 18]


def test_two_operations_in_quick_succession_may_pass_over_an_execution() -> None:
    """Both bump the execution; the one between is never seen, and nothing is made up about it."""
    state = job_state(STEP)
    apply(state, 0, step(4, [host(1, 104)]))

    news = list(apply_step(state, step(2, [host(1, 7)], run=2), at(1)))

    assert [type(event) for event in news[:3]] == [Reopened, HostCounts, StepChanged]
    assert state.step(200).execute_count == 2
    assert not any(isinstance(event, Finished) for event in news)
